/* SPDX-License-Identifier: MIT */
/* The FMA peak of this machine, for percentages. */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include <stdint.h>

/* Floating-point operations a second of independent fused multiply-adds on registers, with the vector width of the named
 * kernels, on that many threads at once. The best of several short runs. */
double measure_peak(const char *kernels, int32_t threads);

#endif
