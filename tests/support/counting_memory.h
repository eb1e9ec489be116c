/* SPDX-License-Identifier: MIT */
/* An allocator for tests of the public interface: counts requests and what is alive, remembers the largest request and
 * the peak, checks that every block comes back once with its size, and can refuse requests. For any number of threads. */
#ifndef SUPPORT_COUNTING_MEMORY_H
#define SUPPORT_COUNTING_MEMORY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct counting {
    atomic_size_t alive, bytes; /* blocks, and the bytes in them */
    atomic_size_t peak;         /* the most bytes alive since it was last set to 0 */
    atomic_size_t requests;     /* so far */
    atomic_size_t asked;        /* bytes of all requests so far */
    atomic_size_t largest;      /* single request since it was last set to 0 */
    atomic_size_t refuse_at;    /* refuses this request, counted by `requests`; 0: none */
    atomic_size_t refuse_from;  /* refuses this one and all that follow; 0: none */
    atomic_size_t refused;      /* so far */
    atomic_int wrong;           /* misuses: size 0, odd alignment, a wrong size or block given back */
} counting;

#define COUNTING_MARK UINT64_C(0x6c69766562310cab)

static inline void counting_raise(atomic_size_t *most, size_t value)
{
    size_t before = *most;
    while (value > before && !atomic_compare_exchange_weak(most, &before, value))
        ;
}

static inline int counting_refuses(counting *c)
{
    const size_t request = atomic_fetch_add(&c->requests, 1) + 1, from = c->refuse_from;
    if (request != c->refuse_at && (from == 0 || request < from))
        return 0;
    c->refused++;
    return 1;
}

static inline void *counting_allocate(void *user, size_t size, size_t alignment)
{
    counting *c = user;
    void *pointer = NULL;
    if (size == 0 || alignment == 0 || alignment > 64 || (alignment & (alignment - 1)) != 0)
        c->wrong++;
    if (counting_refuses(c) || size > SIZE_MAX / 4 || posix_memalign(&pointer, 64, size + 64) != 0)
        return NULL;
    memset(pointer, 0xA5, size + 64); /* what is not written must not look like zero */
    const uint64_t head[2] = {COUNTING_MARK, size};
    memcpy(pointer, head, sizeof head);
    c->alive++;
    c->asked += size;
    counting_raise(&c->peak, atomic_fetch_add(&c->bytes, size) + size);
    counting_raise(&c->largest, size);
    return (char *)pointer + 64;
}

static inline void counting_release(void *user, void *pointer, size_t size)
{
    counting *c = user;
    char *block = (char *)pointer - 64;
    uint64_t head[2];
    memcpy(head, block, sizeof head);
    if (head[0] != COUNTING_MARK || head[1] != size)
        c->wrong++;
    memset(block, 0x5A, sizeof head);
    c->alive--;
    c->bytes -= size;
    free(block);
}

#endif
