/* SPDX-License-Identifier: MIT */
/* An allocator for tests: counts what is alive, checks that each block comes back once with its size, and can refuse the
 * n-th request. Not for several threads at once. */
#ifndef SUPPORT_PROBE_MEMORY_H
#define SUPPORT_PROBE_MEMORY_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef struct probe {
    size_t alive;     /* blocks */
    size_t bytes;     /* in them */
    size_t requests;  /* so far */
    size_t refuse_at; /* 1: refuse the first request from now on counted by `requests`; 0: none */
    int wrong;        /* misuses seen: size 0, odd alignment, wrong size given back */
} probe;

typedef struct probe_block {
    struct probe_block *self; /* a mark that a live block has */
    size_t size;
} probe_block;

static inline void *probe_allocate(void *user, size_t size, size_t alignment)
{
    probe *p = user;
    void *pointer = NULL;
    if (size == 0 || alignment == 0 || alignment > 64 || (alignment & (alignment - 1)) != 0)
        p->wrong++;
    if (++p->requests == p->refuse_at || size > SIZE_MAX / 2)
        return NULL;
    if (posix_memalign(&pointer, 64, size + 64) != 0)
        return NULL;
    memset(pointer, 0xA5, size + 64); /* what is not written must not look like zero */
    probe_block *block = pointer;
    block->self = block;
    block->size = size;
    p->alive++;
    p->bytes += size;
    return (char *)pointer + 64;
}

static inline void probe_release(void *user, void *pointer, size_t size)
{
    probe *p = user;
    probe_block *block = (probe_block *)(void *)((char *)pointer - 64);
    if (block->self != block || block->size != size)
        p->wrong++;
    block->self = NULL;
    p->alive--;
    p->bytes -= size;
    free(block);
}

static inline dirac__memory probe_memory(probe *p)
{
    memset(p, 0, sizeof *p);
    return (dirac__memory){probe_allocate, probe_release, p};
}

#endif
