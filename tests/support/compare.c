/* SPDX-License-Identifier: MIT */
/* Inputs, comparison and the loop over tables and lanes for tests of arithmetic. */
#include "support/compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/threads.h"
#include "support/sanitizers.h"

float *new_floats(size_t count)
{
    float *x = malloc((count ? count : 1) * sizeof *x);

    assert_non_null(x);
    return x;
}

double *new_doubles(size_t count)
{
    double *x = calloc(count ? count : 1, sizeof *x);

    assert_non_null(x);
    return x;
}

/* The mixing function of splitmix64 (Steele, Lea, Flood, OOPSLA'14). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

float *random_floats(size_t count, uint64_t seed, double low, double high)
{
    float *x = new_floats(count);

    for (size_t i = 0; i < count; i++) {
        uint64_t bits = mix(mix(seed + 1) + (i + 1) * 0x9E3779B97F4A7C15u);
        x[i] = (float)(low + (high - low) * (double)(bits >> 11) * 0x1p-53);
    }
    return x;
}

/* How far beyond its tolerance: up to 1 is within. */
static double excess(double got, double want, double tolerance)
{
    double error = fabs(got - want);

    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (isinf(want) || isinf(got))
        return want == got ? 0 : INFINITY;
    if (error <= tolerance)
        return 0;
    return tolerance > 0 ? error / tolerance : INFINITY;
}

void check_close(const char *what, const float *got, const double *want, const double *tolerance,
                 size_t count)
{
    size_t worst = 0, wrong = 0;
    double most = 0;

    for (size_t i = 0; i < count; i++) {
        double e = excess((double)got[i], want[i], tolerance[i]);

        wrong += e > 0;
        if (e > most) {
            most = e;
            worst = i;
        }
    }
    if (wrong > 0)
        fail_msg("%s: %zu of %zu are off; worst at %zu: %.9g, not %.17g +- %.3g", what, wrong,
                 count, worst, (double)got[worst], want[worst], tolerance[worst]);
}

void check_bits(const char *what, const float *got, const float *want, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&got[i], &want[i], sizeof *got) != 0)
            fail_msg("%s: at %zu of %zu: %.9g, not %.9g", what, i, count, (double)got[i],
                     (double)want[i]);
}

void witness(kernel_run *run, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++) /* FNV-1a */
        run->bits = (run->bits ^ bytes[i]) * 0x100000001B3u;
}

void for_each_run(void (*test)(kernel_run *run))
{
    for (size_t t = 0; dirac__kernel_tables[t]; t++) {
        const dirac__kernels *kernels = dirac__kernel_tables[t];
        uint64_t alone = 0;

        if (!dirac__cpu_runs(kernels->name))
            continue;
        const int32_t step = ADDRESS_SANITIZER ? 3 : 1; /* it looks at places, not at bits: none and most */
        for (int32_t lanes = 0; lanes <= 3; lanes += step) {
            kernel_run run = {kernels, NULL, 0xCBF29CE484222325u};

            if (lanes > 0) {
                run.team = dirac__team_create(&dirac__default_memory, lanes, NULL, NULL);
                assert_non_null(run.team);
            }
            test(&run);
            dirac__team_destroy(run.team);
            alone = lanes == 0 ? run.bits : alone;
            if (run.bits != alone)
                fail_msg("%s: %d lanes give other bits than none", kernels->name, (int)lanes);
        }
    }
}
