/* SPDX-License-Identifier: MIT */
/*
 * Dropout: y = x / (1 - rate) where uniform(index) >= rate, 0 elsewhere. The numbers are those of base/random.h
 * (Philox4x32-10); they are made here for many blocks at a time, so that the rounds run in vector registers.
 */
#include <stdint.h>

#include "kernels/parallel.h"
#include "kernels/table.h"

enum {
    BLOCKS = 64,        /* Philox blocks made together */
    CHUNK = 4 * BLOCKS, /* numbers in them */
    ROUNDS = 10
};

typedef struct dropping {
    float *y;
    const float *x;
    uint32_t limit; /* kept are numbers of 24 bits not below it */
    float scale;
    const dirac__random *random;
    int64_t count;
} dropping;

/* 24-bit numbers first .. first + CHUNK - 1 of the stream; first is a multiple of 4. */
static void draw(uint32_t *restrict out, const dirac__random *random, uint64_t first)
{
    uint32_t word[4][BLOCKS];
    uint32_t key0 = (uint32_t)random->seed, key1 = (uint32_t)(random->seed >> 32);

    for (uint64_t i = 0; i < BLOCKS; i++) {
        uint64_t block = first / 4 + i;
        word[0][i] = (uint32_t)block;
        word[1][i] = (uint32_t)(block >> 32);
        word[2][i] = (uint32_t)random->stream;
        word[3][i] = (uint32_t)(random->stream >> 32);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            uint64_t p = (uint64_t)word[0][i] * 0xD2511F53u;
            uint64_t q = (uint64_t)word[2][i] * 0xCD9E8D57u;
            uint32_t one = word[1][i], three = word[3][i];

            word[0][i] = (uint32_t)(q >> 32) ^ one ^ key0;
            word[1][i] = (uint32_t)q;
            word[2][i] = (uint32_t)(p >> 32) ^ three ^ key1;
            word[3][i] = (uint32_t)p;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    for (int i = 0; i < BLOCKS; i++) {
        out[4 * i] = word[0][i] >> 8;
        out[4 * i + 1] = word[1][i] >> 8;
        out[4 * i + 2] = word[2][i] >> 8;
        out[4 * i + 3] = word[3][i] >> 8;
    }
}

static void drop_chunks(const void *job, int64_t first, int64_t last)
{
    const dropping *d = job;
    uint32_t limit = d->limit, bits[CHUNK];
    float scale = d->scale;

    for (int64_t chunk = first; chunk < last; chunk++) {
        int64_t at = chunk * CHUNK;
        int64_t length = d->count - at < CHUNK ? d->count - at : CHUNK;
        const float *x = d->x + at;
        float *y = d->y + at;

        draw(bits, d->random, (uint64_t)at);
        DIRAC__INDEPENDENT
        for (int64_t i = 0; i < length; i++) {
            float factor = bits[i] >= limit ? scale : 0;
            y[i] = x[i] * factor;
        }
    }
}

/* The smallest u for which u 2^-24 >= rate: exact, since scaling by 2^24 is. */
static uint32_t kept_from(float rate)
{
    float scaled = rate * 16777216.0f;
    uint32_t whole = (uint32_t)scaled;

    return whole + ((float)whole < scaled);
}

void KERNEL(dropout)(float *y, const float *x, float rate, const dirac__random *random,
                     size_t count, dirac__team *team)
{
    dropping d = {
        y, x, kept_from(rate), (float)(1.0 / (1.0 - (double)rate)), random, (int64_t)count};

    for_ranges(team, blocks_of(d.count, CHUNK), items_per_task(CHUNK), drop_chunks, &d);
}
