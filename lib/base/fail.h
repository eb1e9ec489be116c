/* SPDX-License-Identifier: MIT */
/* The thread's record of its last failure. */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include <stddef.h>
#include <stdint.h>

#include <dirac/status.h>

#define DIRAC__FAIL_CAPACITY 2048

/* Records a formatted sentence (cut at the capacity, never in the middle of a UTF-8 character) and returns `status`.
 * Formats are locale-free by habit: no %f, %g, %e (use dirac__format_number() of number.h and %s). */
int32_t dirac__fail(int32_t status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "out of memory: <what>" */
int32_t dirac__fail_memory(const char *what);

/* Puts "<prefix>: " before the recorded sentence, for callers that know the place better. */
int32_t dirac__fail_in(int32_t status, const char *prefix);

/* The recorded sentence of this thread; "" before the first. Never NULL. */
const char *dirac__fail_text(void);

/* Analysis of one file does not see that these return what they are given, never DIRAC_OK. */
#if defined(__clang_analyzer__)
#define dirac__fail(status, ...) (dirac__fail((status), __VA_ARGS__), (status))
#define dirac__fail_memory(what) (dirac__fail_memory(what), DIRAC_ERR_MEMORY)
#define dirac__fail_in(status, prefix) (dirac__fail_in((status), (prefix)), (status))
#endif

#endif
