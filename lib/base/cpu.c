/* SPDX-License-Identifier: MIT */
/* What the CPU can run: the levels of the x86-64 psABI, and aarch64. */
#include "base/cpu.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* The bits of CPUID that the compilers' __builtin_cpu_supports() do not all know. */
/* SSE3 SSSE3 CX16 SSE4.1 SSE4.2 POPCNT */
#define LEAF1_V2 (1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23)
#define LEAF1_V3 (1u << 12 | 1u << 22 | 1u << 27 | 1u << 29) /* FMA MOVBE OSXSAVE F16C */
#define EXTENDED_V2 (1u << 0)                                /* LAHF */
#define EXTENDED_V3 (1u << 5)                                /* LZCNT */

static bool has_bits(unsigned leaf1, unsigned extended)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & leaf1) != leaf1)
        return false;
    return __get_cpuid(0x80000001u, &a, &b, &c, &d) && (c & extended) == extended;
}

static bool runs_v2(void)
{
    return has_bits(LEAF1_V2, EXTENDED_V2);
}

/* The builtins also ask the operating system whether it saves the wide registers. */
static bool runs_v3(void)
{
    return runs_v2() && has_bits(LEAF1_V3, EXTENDED_V3) && __builtin_cpu_supports("avx") &&
           __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static bool runs_v4(void)
{
    return runs_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

bool dirac__cpu_runs(const char *name)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (strcmp(name, "x86-64-v2") == 0)
        return runs_v2();
    if (strcmp(name, "x86-64-v3") == 0)
        return runs_v3();
    if (strcmp(name, "x86-64-v4") == 0)
        return runs_v4();
#elif defined(__aarch64__)
    if (strcmp(name, "aarch64") == 0)
        return true;
#endif
    return strcmp(name, "scalar") == 0;
}
