/* SPDX-License-Identifier: MIT */
/* Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11, and what is
 * drawn from it. No state: every number is a function of (seed, stream, index). */
#include "base/random.h"

#include <math.h>

#define MULTIPLIER_0 UINT32_C(0xD2511F53)
#define MULTIPLIER_1 UINT32_C(0xCD9E8D57)
#define KEY_STEP_0 UINT32_C(0x9E3779B9) /* golden ratio */
#define KEY_STEP_1 UINT32_C(0xBB67AE85) /* sqrt(3) - 1 */
#define TWO_PI 6.283185307179586476925
#define TWO_TO_MINUS_32 (1.0 / 4294967296.0)

/* Odd constants that spread steps, and the draws of one bounded integer, over the 2^64 streams. */
#define STEP_STRIDE UINT64_C(0x9E3779B97F4A7C15)
#define DRAW_STRIDE UINT64_C(0xD1B54A32D192ED03)

void dirac__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)MULTIPLIER_0 * c0;
        uint64_t p1 = (uint64_t)MULTIPLIER_1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += KEY_STEP_0;
        k1 += KEY_STEP_1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

dirac__random dirac__random_stream(uint64_t seed, const char *name, uint64_t step)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (const char *c = name; *c != 0; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001B3);
    return (dirac__random){seed, hash + step * STEP_STRIDE};
}

static void random_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4])
{
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                                 (uint32_t)(stream >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    dirac__philox(counter, key, out);
}

uint32_t dirac__random_bits(const dirac__random *random, uint64_t index)
{
    uint32_t bits[4];
    random_block(random->seed, random->stream, index / 4, bits);
    return bits[index % 4];
}

float dirac__random_uniform(const dirac__random *random, uint64_t index)
{
    return (float)(dirac__random_bits(random, index) >> 8) * 0x1p-24f;
}

/* Box-Muller: r = sqrt(-2 ln u), u in (0, 1); (r cos t, r sin t) with t in [0, 2 pi). Half a unit keeps u from 0. */
static void normal_pair(uint32_t first, uint32_t second, double out[2])
{
    double radius = sqrt(-2.0 * log((first + 0.5) * TWO_TO_MINUS_32));
    double angle = TWO_PI * (second * TWO_TO_MINUS_32);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

void dirac__random_normal(const dirac__random *random, uint64_t first, float *out, size_t count,
                          double deviation)
{
    size_t done = 0;
    while (done < count) {
        uint64_t index = first + done;
        uint32_t bits[4];
        double normal[4];
        random_block(random->seed, random->stream, index / 4, bits);
        normal_pair(bits[0], bits[1], normal);
        normal_pair(bits[2], bits[3], normal + 2);
        for (size_t i = index % 4; i < 4 && done < count; i++, done++)
            out[done] = (float)(deviation * normal[i]);
    }
}

/* The high and low halves of a b. */
static uint64_t multiply_wide(uint64_t a, uint64_t b, uint64_t *low)
{
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    uint64_t other = a0 * b1 + (uint32_t)middle;
    *low = a * b;
    return a1 * b1 + (middle >> 32) + (other >> 32);
}

/* Lemire's method: floor(x limit / 2^64), refusing the x whose low half falls below 2^64 mod limit, which would come
 * up once too often. The draws of one index are blocks of streams of their own: other indices are not disturbed. */
uint64_t dirac__random_below(const dirac__random *random, uint64_t index, uint64_t limit)
{
    const uint64_t least = (0 - limit) % limit;
    for (uint64_t stream = random->stream + DRAW_STRIDE;; stream += DRAW_STRIDE) {
        uint32_t bits[4];
        random_block(random->seed, stream, index, bits);
        for (int half = 0; half < 4; half += 2) {
            uint64_t low,
                high = multiply_wide((uint64_t)bits[half + 1] << 32 | bits[half], limit, &low);
            if (low >= least)
                return high;
        }
    }
}
