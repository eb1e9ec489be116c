/* SPDX-License-Identifier: MIT */
/* Ending with a message, and reading arguments. */
#include "program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <dirac/dirac.h>

const char *program_name = "example";

_Noreturn static void end(int code, const char *format, va_list arguments)
{
    fflush(stdout);
    fprintf(stderr, "%s: ", program_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    if (code == 2)
        fprintf(stderr, "Try '%s --help'.\n", program_name);
    exit(code);
}

_Noreturn void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    end(1, format, arguments);
    /* cppcheck-suppress va_end_missing ; end() does not come back */
}

_Noreturn void fail_usage(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    end(2, format, arguments);
    /* cppcheck-suppress va_end_missing ; end() does not come back */
}

void check(int32_t status, const char *doing)
{
    if (status != DIRAC_OK)
        fail("%s: %s", doing, dirac_error_message());
}

void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL)
        fail("out of memory (%zu x %zu bytes)", count, size);
    return memory;
}

int64_t argument_integer(const char *option, const char *text, int64_t least, int64_t most)
{
    char *rest;
    errno = 0;
    long long value = strtoll(text, &rest, 10);
    if (rest == text || *rest != '\0' || errno != 0 || value < least || value > most)
        fail_usage("%s: \"%s\" is no integer from %lld to %lld", option, text, (long long)least,
                   (long long)most);
    return value;
}

double argument_number(const char *option, const char *text, double least, double most)
{
    char *rest;
    double value = strtod(text, &rest);
    if (rest == text || *rest != '\0' || !(value >= least && value <= most))
        fail_usage("%s: \"%s\" is no number from %g to %g", option, text, least, most);
    return value;
}

int32_t argument_integers(const char *option, const char *text, int64_t least, int64_t *values,
                          int32_t most)
{
    int32_t count = 0;
    for (const char *next = text; *next != '\0';) {
        char *rest;
        errno = 0;
        long long value = strtoll(next, &rest, 10);
        if (rest == next || (*rest != ',' && *rest != '\0') || errno != 0 || value < least ||
            (count > 0 && value <= values[count - 1]))
            fail_usage("%s: \"%s\" is no list like 5,9,12: integers that increase, from %lld on",
                       option, text, (long long)least);
        if (count == most)
            fail_usage("%s: \"%s\" has more than %d numbers", option, text, (int)most);
        values[count++] = value;
        next = *rest == ',' ? rest + 1 : rest;
    }
    return count;
}

void check_writable(const char *path)
{
    if (path == NULL)
        return;
    size_t length = strlen(path);
    char *folder = strcpy(allocate(length + 2, 1), path), *slash = strrchr(folder, '/');
    if (slash == NULL)
        strcpy(folder, ".");
    else
        slash[slash == folder ? 1 : 0] = '\0';
    if (access(folder, W_OK | X_OK) != 0)
        fail("%s: %s: %s", path, folder, strerror(errno));
    free(folder);
}

int32_t processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > 64 ? 64 : (int32_t)count;
}

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
