/* SPDX-License-Identifier: MIT */
/* Winograd's convolution of 16 channels to 16 channels, line by line: a line is a row of tiles. */
#ifndef KERNELS_WINOGRAD_LINES_H
#define KERNELS_WINOGRAD_LINES_H

#include "kernels/winograd_output.h"

/* Built where it pays: channels of one or two vectors, tiles of 4x4. */
#define LINE_CHANNELS 16
#define WINOGRAD_HAS_LINES (DIRAC_LANES >= 8 && WINOGRAD_OUT == 4)

#if WINOGRAD_HAS_LINES

#define SEGMENT 8 /* tiles of a line that are worked on at a time */

typedef struct dirac__lines {
    const float *x;
    const dirac__activation *activation;
    const float *packed; /* weights */
    const dirac__output *out;
    const dirac__tiling *tiling;
} dirac__lines;

/* Whether a convolution has these channels, and lines long enough to be worked on for themselves. */
static inline int32_t has_lines(int64_t summed, int64_t written, const dirac__tiling *tiling)
{
    return summed == LINE_CHANNELS && written == LINE_CHANNELS && tiling->wide >= SEGMENT / 2;
}

/* Lines l0 to l1 - 1 of all images, which are group `group` of the output. `calling`: the pixels that each writes and that
 * the next one reads are called for, the last one's next too if `goes_on`. */
void WINOGRAD(lines)(const dirac__lines *job, int64_t l0, int64_t l1, int64_t group, int32_t calling, int32_t goes_on);

#endif

#endif
