/* SPDX-License-Identifier: MIT */
/* Fused multiply-adds on twelve independent registers: as many as hide the latency on any current core. */
#include "bench/peak.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 2000000, CHAINS = 12 };

typedef double (*peak_fn)(void);

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Flops a second of one loop on vectors of LANES floats. */
#define PEAK(name, LANES, attribute)                                                               \
    attribute static double name(void)                                                             \
    {                                                                                              \
        typedef float vec __attribute__((vector_size(LANES * 4)));                                 \
        vec sum[CHAINS];                                                                           \
        vec factor, addend;                                                                        \
        for (int i = 0; i < LANES; i++) {                                                          \
            factor[i] = 0.999f;                                                                    \
            addend[i] = 0.001f;                                                                    \
        }                                                                                          \
        for (int i = 0; i < CHAINS; i++)                                                           \
            sum[i] = addend;                                                                       \
        const double start = seconds();                                                            \
        for (int round = 0; round < ROUNDS; round++)                                               \
            for (int i = 0; i < CHAINS; i++)                                                       \
                sum[i] = sum[i] * factor + addend;                                                 \
        const double elapsed = seconds() - start;                                                  \
        volatile float sink = 0;                                                                   \
        for (int i = 0; i < CHAINS; i++)                                                           \
            sink = sink + sum[i][0];                                                               \
        return 2.0 * LANES * CHAINS * (double)ROUNDS / elapsed;                                    \
    }

#if defined(__x86_64__)
PEAK(peak_v4, 16, __attribute__((target("avx512f,fma"))))
PEAK(peak_v3, 8, __attribute__((target("avx2,fma"))))
#endif
PEAK(peak_base, 4, )

static peak_fn choose(const char *kernels)
{
#if defined(__x86_64__)
    if (strcmp(kernels, "x86-64-v4") == 0)
        return peak_v4;
    if (strcmp(kernels, "x86-64-v3") == 0)
        return peak_v3;
#endif
    (void)kernels;
    return peak_base;
}

typedef struct worker {
    pthread_t thread;
    peak_fn function;
    double flops;
} worker;

static void *work(void *argument)
{
    worker *w = argument;
    w->flops = w->function();
    return NULL;
}

double measure_peak(const char *kernels, int32_t threads)
{
    worker workers[64];
    double best = 0;
    threads = threads > 64 ? 64 : threads;
    for (int repeat = 0; repeat < 10; repeat++) {
        double sum = 0;
        for (int32_t i = 0; i < threads; i++) {
            workers[i].function = choose(kernels);
            pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        }
        for (int32_t i = 0; i < threads; i++) {
            pthread_join(workers[i].thread, NULL);
            sum += workers[i].flops;
        }
        best = sum > best ? sum : best;
    }
    return best;
}
