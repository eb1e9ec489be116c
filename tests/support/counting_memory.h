/* SPDX-License-Identifier: MIT */
/* An allocator for tests of the public interface: counts requests and what is alive, remembers the largest request, and
 * checks that every block comes back once with its size. For any number of threads. */
#ifndef SUPPORT_COUNTING_MEMORY_H
#define SUPPORT_COUNTING_MEMORY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct counting {
    atomic_size_t alive, bytes; /* blocks, and the bytes in them */
    atomic_size_t requests;     /* so far */
    atomic_size_t asked;        /* bytes of all requests so far */
    atomic_size_t largest;      /* single request since it was last set to 0 */
    atomic_int wrong;           /* misuses: size 0, odd alignment, a wrong size or block given back */
} counting;

#define COUNTING_MARK UINT64_C(0x6c69766562310cab)

static inline void *counting_allocate(void *user, size_t size, size_t alignment)
{
    counting *c = user;
    void *pointer = NULL;
    if (size == 0 || alignment == 0 || alignment > 64 || (alignment & (alignment - 1)) != 0)
        c->wrong++;
    if (size > SIZE_MAX / 4 || posix_memalign(&pointer, 64, size + 64) != 0)
        return NULL;
    memset(pointer, 0xA5, size + 64); /* what is not written must not look like zero */
    const uint64_t head[2] = {COUNTING_MARK, size};
    memcpy(pointer, head, sizeof head);
    c->alive++;
    c->requests++;
    c->bytes += size;
    c->asked += size;
    size_t largest = c->largest;
    while (size > largest && !atomic_compare_exchange_weak(&c->largest, &largest, size))
        ;
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
