/* SPDX-License-Identifier: MIT */
/* Calls that must leave the host's floating-point environment and locale as they were: rounding, exception flags, masks of
 * traps, flushing to zero. */
#ifndef SUPPORT_WATCHED_H
#define SUPPORT_WATCHED_H

#include <fenv.h>
#include <locale.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "support/nets.h"

/* What a host may have set. */
typedef struct environment {
    const char *name;
    int rounding, flags; /* FE_* */
    unsigned control;    /* bits of MXCSR set, on x86: flush to zero, denormals are zero */
    unsigned unmasked;   /* bits of MXCSR cleared, on x86: traps that are on */
} environment;

static const environment environments[] = {
    {"default", FE_TONEAREST, 0, 0, 0},
    {"all flags raised, upward", FE_UPWARD, FE_ALL_EXCEPT, 0, 0},
    {"one flag, towards zero, flushing", FE_TOWARDZERO, FE_UNDERFLOW, 0x8040, 0},
    {"traps on", FE_TONEAREST, 0, 0, 0x0680}, /* invalid, division by zero, overflow */
};

typedef struct snapshot {
    unsigned mode, flags, x87;
    int rounding;
    char locale[256];
} snapshot;

static const environment *watched_environment = environments;

static inline void enter_environment(const environment *e)
{
    fesetenv(FE_DFL_ENV);
    fesetround(e->rounding);
#if defined(__x86_64__)
    /* Flags are set by hand: raising them would trap, or raise others. */
    _mm_setcsr(((_mm_getcsr() & ~0x3fu) | (e->flags == FE_ALL_EXCEPT ? 0x3du : e->flags ? 0x10u : 0u) | e->control) &
               ~e->unmasked);
#else
    feraiseexcept(e->flags);
#endif
}

static inline snapshot look_around(void)
{
    snapshot s = {.rounding = fegetround(), .flags = (unsigned)fetestexcept(FE_ALL_EXCEPT)};
#if defined(__x86_64__)
    unsigned short control, status;
    __asm__ volatile("fnstcw %0" : "=m"(control));
    __asm__ volatile("fnstsw %0" : "=m"(status));
    s.mode = _mm_getcsr();
    s.x87 = control | (unsigned)status << 16;
#endif
    snprintf(s.locale, sizeof s.locale, "%s", setlocale(LC_ALL, NULL));
    return s;
}

static inline void check_unchanged(const snapshot *before, const char *call, const char *file, int line)
{
    const snapshot now = look_around();
    fesetenv(FE_DFL_ENV); /* what follows is the test's own arithmetic */
    if (now.mode == before->mode && now.flags == before->flags && now.x87 == before->x87 &&
        now.rounding == before->rounding && strcmp(now.locale, before->locale) == 0)
        return;
    print_error("%s: %s: mode %#x, flags %#x, x87 %#x, rounding %d before; %#x, %#x, %#x, %d after\n",
                watched_environment->name, call, before->mode, before->flags, before->x87, before->rounding, now.mode,
                now.flags, now.x87, now.rounding);
    _fail(file, line);
}

/* One call, with an assignment if need be, in the environment at hand. */
#define WATCH(call)                                                                                \
    do {                                                                                           \
        enter_environment(watched_environment);                                                    \
        const snapshot watched_before = look_around();                                             \
        call;                                                                                      \
        check_unchanged(&watched_before, #call, __FILE__, __LINE__);                               \
    } while (0)

/* One that gives a status: OK, or another one. */
#define WATCHED(call) WATCHED_AS(call, DIRAC_OK)
#define WATCHED_AS(call, wanted)                                                                   \
    do {                                                                                           \
        int32_t watched_status;                                                                    \
        WATCH(watched_status = (call));                                                            \
        check_status(watched_status, (wanted), #call, __FILE__, __LINE__);                         \
    } while (0)

#endif
