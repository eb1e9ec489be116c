/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: an allocator with a bound, a context on it, and a check that ends the process. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirac/dirac.h>

/* Called by libFuzzer, or by replay.c, for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for every input. */
#define FUZZ_CHECK(condition) fuzz_check((condition), #condition, __FILE__, __LINE__)

static inline void fuzz_check(int holds, const char *condition, const char *file, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: %s does not hold; last error: %s\n", file, line, condition, dirac_error_message());
    abort();
}

/* Counts what is alive, refuses what would pass `most` bytes, and, if `fail_at` is n > 0, every request from the nth on. */
typedef struct fuzz_memory {
    atomic_size_t bytes, blocks;
    size_t most;
    atomic_size_t fail_at; /* 0: none */
} fuzz_memory;

static inline void *fuzz_allocate(void *user, size_t size, size_t alignment)
{
    fuzz_memory *memory = user;
    void *pointer = NULL;
    const size_t left = atomic_load(&memory->fail_at);
    if (left > 1)
        atomic_store(&memory->fail_at, left - 1);
    if (left == 1) /* it stays so until fail_at is set anew */
        return NULL;
    if (size > memory->most || memory->bytes > memory->most - size)
        return NULL;
    if (posix_memalign(&pointer, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) != 0)
        return NULL;
    memory->bytes += size;
    memory->blocks += 1;
    return pointer;
}

static inline void fuzz_release(void *user, void *pointer, size_t size)
{
    fuzz_memory *memory = user;
    memory->bytes -= size;
    memory->blocks -= 1;
    free(pointer);
}

static inline dirac_context *fuzz_context(fuzz_memory *memory, size_t most)
{
    dirac_context *context;
    *memory = (fuzz_memory){.most = most};
    FUZZ_CHECK(dirac_context_create_with_allocator(&context, fuzz_allocate, fuzz_release, memory) == DIRAC_OK);
    FUZZ_CHECK(dirac_context_set_load_limit(context, most / 4) == DIRAC_OK);
    return context;
}

/* A failed call says so. */
static inline void fuzz_status(int32_t status)
{
    FUZZ_CHECK(status <= 0 && status >= DIRAC_ERR_THREAD);
    FUZZ_CHECK(status == DIRAC_OK || dirac_error_message()[0] != '\0');
    FUZZ_CHECK(strcmp(dirac_status_name(status), "DIRAC_ERR_UNKNOWN") != 0 && dirac_status_string(status)[0] != '\0');
}

#endif
