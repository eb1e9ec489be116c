/* SPDX-License-Identifier: MIT */
/* From a stored sample to a network's input: random crop of the padded image, mirror, normalisation. */
#ifndef DATA_AUGMENT_H
#define DATA_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

/* The shape of a sample, (channels, depth, height, width), and what is done to it. */
typedef struct dirac__augment {
    size_t channels, depth, height, width;
    int64_t pad;            /* pixels on each side of height and width; 0: no crop */
    int32_t mode;           /* DIRAC_PAD_*; reflection has pad < height, width */
    bool flip;              /* mirror half of the samples left to right */
    const float *mean;      /* [channels]; NULL: values stay as they are */
    const float *deviation; /* [channels] */
} dirac__augment;

/* What was drawn for one sample: out[y][x] = in[y + down][x + right], then mirrored. */
typedef struct dirac__cut {
    int64_t down, right; /* -pad to pad */
    bool mirror;
} dirac__cut;

/* The draws of sample `index` in the epoch that `random` is the stream of. */
dirac__cut dirac__cut_draw(const dirac__augment *augment, const dirac__random *random,
                           uint64_t index);

/* out, in: channels * depth * height * width; they do not overlap. */
void dirac__augment_bytes(const dirac__augment *augment, const dirac__cut *cut, const uint8_t *in,
                          float *out);
void dirac__augment_floats(const dirac__augment *augment, const dirac__cut *cut, const float *in,
                           float *out);

#endif
