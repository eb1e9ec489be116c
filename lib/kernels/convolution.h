/* SPDX-License-Identifier: MIT */
/*
 * What the convolution files share: the shape of packed weights and the walk over source pixels.
 *
 * Packed weights. The channels a product writes are cut, group by group, into panels of PANEL channels; the last panel
 * of a group is one vector wide if that is enough, and filled up with zeros. A panel is [tap][k][width], k running over
 * the channels of one group that the product sums. After the last panel come zeros, as many as a source row has
 * channels: what a tap in the padding reads.
 */
#ifndef KERNELS_CONVOLUTION_H
#define KERNELS_CONVOLUTION_H

#include "kernels/table.h"
#include "kernels/variant.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* TILE_ROWS x 2 vectors of accumulators, the vectors of a panel's row and one broadcast fit the registers. */
#if DIRAC_LANES == 16
#define TILE_ROWS 12
#elif DIRAC_LANES == 8
#define TILE_ROWS 6
#elif defined(__aarch64__)
#define TILE_ROWS 8
#else
#define TILE_ROWS 4
#endif

#define OUTER_ROWS TILE_ROWS
#define PANEL (2 * DIRAC_LANES)

/* Channels of one group, filled up to whole vectors. */
static inline int64_t padded_channels(int64_t c)
{
    return (c + DIRAC_LANES - 1) / DIRAC_LANES * DIRAC_LANES;
}

static inline int64_t panel_count(int64_t c)
{
    return (c + PANEL - 1) / PANEL;
}

/* Channels that panel p of c channels stores. */
static inline int64_t panel_channels(int64_t c, int64_t p)
{
    return c - p * PANEL < PANEL ? c - p * PANEL : PANEL;
}

static inline int64_t panel_width(int64_t c, int64_t p)
{
    return panel_channels(c, p) <= DIRAC_LANES ? DIRAC_LANES : PANEL;
}

static inline int64_t product(const int64_t size[3])
{
    return size[0] * size[1] * size[2];
}

/* Part `index` of `parts` begins here when `count` things are shared out as evenly as can be. */
static inline int64_t share(int64_t count, int64_t parts, int64_t index)
{
    return count / parts * index + (index < count % parts ? index : count % parts);
}

static inline int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/*
 * Which source pixel each row and tap reads. Rows are the positions of `grid` in `images` images, in order; in each
 * dimension position a and tap t read source pixel first + a * step + t * tap_step, or zeros outside the source.
 */
typedef struct dirac__gather {
    int64_t images;
    int64_t grid[3], taps[3], source[3];
    int64_t first[3], step[3], tap_step[3];
    int64_t channels;  /* of a source row */
    const float *x;    /* the source */
    const float *zero; /* `channels` zeros */
} dirac__gather;

/* The gather of the forward product, flattened if it can be. */
void KERNEL(gather_forward)(dirac__gather *gather, const dirac__convolution *shape, const float *x,
                            const float *zero);

/* Where row r always reads source row r, makes all images one line: a linear layer's images have one pixel each. */
void KERNEL(gather_flatten)(dirac__gather *gather);

/* rows[t * stride + r] <- the source row of tap tap0 + t for row row0 + r, t < taps, r < count. */
void KERNEL(gather_rows)(const float **rows, int64_t stride, const dirac__gather *gather,
                         int64_t row0, int64_t count, int64_t tap0, int64_t taps);

/* The same for pixels of few channels: rows[(ta * taps[1] + tb) * count + r] is where row r reads all taps along w, in copies
 * of the source lines with their zeros. Copied are at most count * max(step[2], taps[2]) * taps[0] * taps[1] pixels. */
void KERNEL(gather_lines)(const float **rows, float *lines, const dirac__gather *gather, int64_t row0, int64_t count);

#endif
