/* SPDX-License-Identifier: MIT */
/* The functions are this program's own, so every shared library finds them before the C library's. */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS /* open() and open64() are two functions here */
#include "fault/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

shim_state shim;
volatile int *shim_inside;

static void inside(int kind)
{
    if (shim_inside != NULL)
        *shim_inside = kind;
}

void shim_arm(int kinds, int error, size_t at, size_t from)
{
    shim.kinds = kinds;
    shim.error = error;
    shim.at = at;
    shim.from = from;
    shim.calls = shim.failed = 0;
    for (int i = 0; i < 13; i++)
        shim.by_kind[i] = 0;
}

/* 0, or how this call has to fail. */
static int fault(int kind)
{
    if (!shim.on)
        return 0;
    for (int i = 0; i < 13; i++)
        shim.by_kind[i] += kind == 1 << i;
    if ((shim.kinds & kind) == 0)
        return 0;
    const size_t call = atomic_fetch_add(&shim.calls, 1) + 1;
    if (call != shim.at && (shim.from == 0 || call < shim.from))
        return 0;
    shim.failed++;
    if (shim.error == SHIM_KILL)
        kill(getpid(), SIGKILL);
    return shim.error;
}

/* The C library's function (or a sanitizer's, which wraps it). */
static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

#define REAL(name, result, ...)                                \
    static result (*next)(__VA_ARGS__);                        \
    if (next == NULL)                                          \
        *(void **)(void *)&next = real(name)

/* Fails with that error, if the call is chosen. */
#define FAIL(kind)                     \
    do {                               \
        const int error = fault(kind); \
        if (error > 0) {               \
            errno = error;             \
            return -1;                 \
        }                              \
    } while (0)

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 ? (mode_t)va_arg(arguments, int) : 0;
}

#define OPENS(name)                                            \
    int name(const char *path, int flags, ...)                 \
    {                                                          \
        REAL(#name, int, const char *, int, ...);              \
        FAIL(SHIM_OPEN);                                       \
        va_list arguments;                                     \
        va_start(arguments, flags);                            \
        const mode_t mode = mode_of(flags, arguments);         \
        va_end(arguments);                                     \
        return next(path, flags, mode);                        \
    }

#define OPENS_AT(name)                                         \
    int name(int at, const char *path, int flags, ...)         \
    {                                                          \
        REAL(#name, int, int, const char *, int, ...);         \
        FAIL(SHIM_OPEN);                                       \
        va_list arguments;                                     \
        va_start(arguments, flags);                            \
        const mode_t mode = mode_of(flags, arguments);         \
        va_end(arguments);                                     \
        return next(at, path, flags, mode);                    \
    }

OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)

/* What a read or write of `size` bytes may move. */
static size_t cut(int error, size_t size)
{
    return error == SHIM_NOTHING ? 0 : error == SHIM_SHORT && size > 1 ? 1 : size;
}

ssize_t read(int file, void *data, size_t size)
{
    REAL("read", ssize_t, int, void *, size_t);
    const int error = fault(SHIM_READ);
    if (error > 0) {
        errno = error;
        return -1;
    }
    return next(file, data, cut(error, size));
}

ssize_t write(int file, const void *data, size_t size)
{
    REAL("write", ssize_t, int, const void *, size_t);
    const int error = fault(SHIM_WRITE);
    if (error > 0) {
        errno = error;
        return -1;
    }
    inside(SHIM_WRITE);
    const ssize_t moved = next(file, data, cut(error, size));
    inside(0);
    return moved;
}

int fsync(int file)
{
    REAL("fsync", int, int);
    FAIL(SHIM_FSYNC);
    inside(SHIM_FSYNC);
    const int result = next(file);
    inside(0);
    return result;
}

int close(int file)
{
    REAL("close", int, int);
    const int error = fault(SHIM_CLOSE), result = next(file);
    if (error <= 0)
        return result;
    errno = error;
    return -1;
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    REAL("renameat", int, int, const char *, int, const char *);
    FAIL(SHIM_RENAME);
    inside(SHIM_RENAME);
    const int result = next(from_directory, from, to_directory, to);
    inside(0);
    return result;
}

#define STATS(name, argument, type)                                            \
    int name(argument what, struct type *restrict out)                         \
    {                                                                          \
        REAL(#name, int, argument, struct type *restrict);                     \
        FAIL(SHIM_STAT);                                                       \
        return next(what, out);                                                \
    }

#define STATS_AT(name, type)                                                           \
    int name(int at, const char *restrict path, struct type *restrict out, int flags)  \
    {                                                                                  \
        REAL(#name, int, int, const char *restrict, struct type *restrict, int);       \
        FAIL(SHIM_STAT);                                                               \
        return next(at, path, out, flags);                                             \
    }

STATS(stat, const char *restrict, stat)
STATS(fstat, int, stat)
STATS_AT(fstatat, stat)
STATS(stat64, const char *restrict, stat64)
STATS(fstat64, int, stat64)
STATS_AT(fstatat64, stat64)

int fchmod(int file, mode_t mode)
{
    REAL("fchmod", int, int, mode_t);
    FAIL(SHIM_CHMOD);
    return next(file, mode);
}

int faccessat(int at, const char *path, int mode, int flags)
{
    REAL("faccessat", int, int, const char *, int, int);
    FAIL(SHIM_ACCESS);
    return next(at, path, mode, flags);
}

ssize_t readlink(const char *restrict path, char *restrict text, size_t size)
{
    REAL("readlink", ssize_t, const char *restrict, char *restrict, size_t);
    FAIL(SHIM_READLINK);
    return next(path, text, size);
}

int unlinkat(int at, const char *path, int flags)
{
    REAL("unlinkat", int, int, const char *, int);
    FAIL(SHIM_UNLINK);
    return next(at, path, flags);
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*run)(void *),
                   void *restrict argument)
{
    REAL("pthread_create", int, pthread_t *restrict, const pthread_attr_t *restrict, void *(*)(void *), void *restrict);
    const int error = fault(SHIM_THREAD);
    return error > 0 ? error : next(thread, attributes, run, argument);
}

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    REAL("pthread_mutex_init", int, pthread_mutex_t *, const pthread_mutexattr_t *);
    const int error = fault(SHIM_LOCK);
    return error > 0 ? error : next(mutex, attributes);
}

/* Old programs' pthread_cond_init() is still in the C library beside today's, on some machines. */
int pthread_cond_init(pthread_cond_t *restrict condition, const pthread_condattr_t *restrict attributes)
{
    static int (*next)(pthread_cond_t *restrict, const pthread_condattr_t *restrict);
    if (next == NULL) {
        void *found = dlvsym(RTLD_NEXT, "pthread_cond_init", "GLIBC_2.3.2");
        *(void **)(void *)&next = found != NULL ? found : real("pthread_cond_init");
    }
    const int error = fault(SHIM_LOCK);
    return error > 0 ? error : next(condition, attributes);
}
