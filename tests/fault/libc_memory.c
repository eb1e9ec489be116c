/* SPDX-License-Identifier: MIT */
/* glibc keeps its functions reachable under the names that begin with __libc_. */
#define _GNU_SOURCE
#include "fault/libc_memory.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *pointer);

enum { NOTES = 4096 };
static void *callers[NOTES];
static atomic_size_t calls;
static atomic_int watching;
static _Thread_local int paused;

void libc_memory_watch(int on)
{
    if (on)
        calls = 0;
    watching = on;
}

void libc_memory_pause(void)
{
    paused++;
}

void libc_memory_resume(void)
{
    paused--;
}

size_t libc_memory_calls(void)
{
    return calls;
}

static void note(void *caller)
{
    if (!watching || paused > 0)
        return;
    const size_t index = atomic_fetch_add(&calls, 1);
    if (index < NOTES)
        callers[index] = caller;
}

void libc_memory_caller(size_t index, char *text)
{
    Dl_info info;
    if (index >= NOTES || dladdr(callers[index], &info) == 0 || info.dli_fname == NULL) {
        strcpy(text, "unknown");
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    snprintf(text, 128, "%.60s %.60s", slash == NULL ? info.dli_fname : slash + 1,
             info.dli_sname == NULL ? "(static)" : info.dli_sname);
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    note(CALLER);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    note(CALLER);
    return __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
    note(CALLER);
    return __libc_realloc(pointer, size);
}

void *memalign(size_t alignment, size_t size)
{
    note(CALLER);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    note(CALLER);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    note(CALLER);
    void *pointer = __libc_memalign(alignment, size);
    if (pointer != NULL)
        *out = pointer;
    return pointer == NULL ? ENOMEM : 0;
}

void *valloc(size_t size)
{
    note(CALLER);
    return __libc_memalign(4096, size);
}

void free(void *pointer)
{
    if (pointer != NULL && watching && paused == 0)
        note(CALLER);
    __libc_free(pointer);
}
