/* SPDX-License-Identifier: MIT */
/* What tests of arithmetic share: inputs, comparison with a twin in double, the loop over kernel tables and lanes. */
#ifndef SUPPORT_COMPARE_H
#define SUPPORT_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

/* The largest relative error of one rounding to float: 2^-24. */
#define ROUNDING 0x1p-24

/* `count` floats (at least one) or doubles, to be freed with free(). A failure to allocate fails the test. */
float *new_floats(size_t count);
double *new_doubles(size_t count); /* zeros */
/* The same, filled with numbers uniform in [low, high) that depend on (seed, index) alone. */
float *random_floats(size_t count, uint64_t seed, double low, double high);

/* Fails the test if any |got[i] - want[i]| > tolerance[i], and prints the worst i. A NaN must meet a NaN, an infinity
 * the same infinity. */
void check_close(const char *what, const float *got, const double *want, const double *tolerance,
                 size_t count);
/* Fails the test unless both hold the same bits, and prints the first difference. */
void check_bits(const char *what, const float *got, const float *want, size_t count);

/* One run of a test: a table this machine can run, and a team. */
typedef struct kernel_run {
    const dirac__kernels *kernels;
    dirac__team *team;
    uint64_t bits; /* hash of all that was witnessed */
} kernel_run;

/* Tells the run of a result: it must be the same bits for any number of lanes. */
void witness(kernel_run *run, const void *data, size_t size);

/* Runs `test` with every table this machine can run, each without a team and with teams of 1, 2 and 3 lanes. Fails
 * unless a table witnessed the same bits every time. */
void for_each_run(void (*test)(kernel_run *run));

#endif
