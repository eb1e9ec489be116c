/* SPDX-License-Identifier: MIT */
/*
 * What every example program needs: ending with a message, and reading its arguments.
 * Exit codes: 0 all went well, 1 something failed, 2 the command line is wrong.
 */
#ifndef COMMON_PROGRAM_H
#define COMMON_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/* The program's name in messages. Set it first. */
extern const char *program_name;

/* Prints "program: message" to stderr and ends the program with exit code 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for a wrong command line: points to --help, exit code 2. */
_Noreturn void fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the program with libdirac's own message, "program: doing: message", unless status is DIRAC_OK. */
void check(int32_t status, const char *doing);
/* malloc that ends the program instead of returning NULL. */
void *allocate(size_t count, size_t size);

/* Numbers from the command line; what is no number, or not from `least` to `most`, ends the program with a message. */
int64_t argument_integer(const char *option, const char *text, int64_t least, int64_t most);
double argument_number(const char *option, const char *text, double least, double most);
/* "5,9,12": increasing integers from `least` on, at most `most` of them. "" gives none. Returns how many. */
int32_t argument_integers(const char *option, const char *text, int64_t least, int64_t *values,
                          int32_t most);

/* Ends the program unless a file could be written at `path` (NULL: none is wanted): better now than hours later. */
void check_writable(const char *path);

/* The number of processors, at most the 64 threads a context takes. */
int32_t processors(void);
/* Seconds of a clock that only goes forward. */
double seconds_now(void);

#endif
