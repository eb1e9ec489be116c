/* SPDX-License-Identifier: MIT */
/*
 * Weights into panels (convolution.h), scaled and with the delta on top:
 *   What[o,i,t] = scale[o] w[o,i,t] + (delta[o] where i == o % co and t is the centre tap)
 * forward:    panel of output channels o, summed channel i:  packed[o / PANEL][t][i][o % PANEL] <- What[o,i,t]
 * transposed: panel of input channels i, summed channel o:   packed[i / PANEL][t][o][i % PANEL] <- What[o,i,t]
 */
#include "base/mem.h"
#include "kernels/convolution.h"

/* groups * padded panels * taps * summed channels and the row of zeros; SIZE_MAX when that overflows. */
static size_t packed_size(int64_t groups, int64_t taps, int64_t summed, int64_t written)
{
    size_t size = 0;
    size_t zeros = 0;
    if (!dirac__multiply((size_t)groups, (size_t)summed, &zeros) ||
        !dirac__multiply(zeros, (size_t)taps, &size) ||
        !dirac__multiply(size, (size_t)padded_channels(written), &size) ||
        !dirac__add(size, zeros, &size)) {
        return SIZE_MAX;
    }
    return size;
}

size_t KERNEL(conv_packed)(const dirac__convolution *s)
{
    return packed_size(s->groups, product(s->kernel), s->ci, s->co);
}

size_t KERNEL(conv_packed_transposed)(const dirac__convolution *s)
{
    return packed_size(s->groups, product(s->kernel), s->co, s->ci);
}

#define PACK_SIZE 128 /* numbers of each channel turned at a time */

typedef struct pack_job {
    float *packed;
    const float *w, *scale, *delta;
    int64_t taps, centre, ci, co;
    int64_t written, summed; /* channels of a group: along a panel, and k */
    int32_t transposed;
} pack_job;

/* w holds what one of the panel's channels sums in a row, [k][t], and the next channel's far away: so block by block. */
static void pack_forward(float *packed, const float *w, const float *factors, const pack_job *job,
                         int64_t count, int64_t width)
{
    float block[PACK_SIZE * PANEL] __attribute__((aligned(64)));
    int64_t all = job->summed * job->taps;
    memset(block, 0, sizeof block);
    for (int64_t k = 0; k < all; k += PACK_SIZE) {
        int64_t size = at_most(PACK_SIZE, all - k);
        for (int64_t j = 0; j < count; j++) {
            for (int64_t m = 0; m < size; m++) {
                block[m * width + j] = w[j * all + k + m];
            }
        }
        for (int64_t m = 0; m < size; m++) {
            float *row = packed + ((k + m) % job->taps * job->summed + (k + m) / job->taps) * width;
            for (int64_t j = 0; j < width; j += DIRAC_LANES) {
                vec v = vec_load(block + m * width + j);
                vec_store(row + j, job->scale ? v * vec_load(factors + j) : v);
            }
        }
    }
}

/* The panel's channels are neighbours here; summed ones are filters. */
static void pack_transposed(float *packed, const float *w, const float *factors,
                            const pack_job *job, int64_t count, int64_t width)
{
    for (int64_t k = 0; k < job->summed; k++, w += job->ci * job->taps) {
        for (int64_t t = 0; t < job->taps; t++) {
            float *row = packed + (t * job->summed + k) * width;
            for (int64_t j = 0; j < count; j++) {
                row[j] = w[j * job->taps + t];
            }
            for (int64_t j = count; j < width; j++) {
                row[j] = 0.0f;
            }
            for (int64_t j = 0; job->scale && j < width; j += DIRAC_LANES) {
                vec_store(row + j, vec_load(row + j) * vec_all(factors[k]));
            }
        }
    }
}

static void pack_panel(void *argument, int64_t task, int32_t lane)
{
    const pack_job *job = argument;
    int64_t panels = panel_count(job->written);
    int64_t g = task / panels;
    int64_t first = task % panels * PANEL;
    int64_t count = panel_channels(job->written, task % panels);
    int64_t width = panel_width(job->written, task % panels);
    int64_t filter = job->ci * job->taps;
    float *packed =
        job->packed + (g * padded_channels(job->written) + first) * job->taps * job->summed;
    const float *w = job->w + g * job->co * filter;
    const float *scale = job->scale ? job->scale + g * job->co : NULL;
    (void)lane;
    if (job->transposed) {
        pack_transposed(packed, w + first * job->taps, scale, job, count, width);
    } else {
        float factors[PANEL] = {0};
        for (int64_t j = 0; scale && j < count; j++) {
            factors[j] = scale[first + j];
        }
        pack_forward(packed, w + first * filter, factors, job, count, width);
    }
    /* i == o, both within the group */
    for (int64_t j = 0; job->delta && j < count && first + j < job->summed; j++) {
        packed[(job->centre * job->summed + first + j) * width + j] +=
            job->delta[g * job->co + first + j];
    }
}

static void pack(pack_job *job, const dirac__convolution *s, dirac__team *team)
{
    job->taps = product(s->kernel);
    job->centre =
        (s->kernel[0] / 2 * s->kernel[1] + s->kernel[1] / 2) * s->kernel[2] + s->kernel[2] / 2;
    job->ci = s->ci;
    job->co = s->co;
    job->written = job->transposed ? s->ci : s->co;
    job->summed = job->transposed ? s->co : s->ci;
    int64_t zeros = s->groups * padded_channels(job->written) * job->taps * job->summed;
    memset(job->packed + zeros, 0, (size_t)(s->groups * job->summed) * sizeof(float));
    dirac__team_run(team, s->groups * panel_count(job->written), pack_panel, job);
}

void KERNEL(conv_pack)(float *packed, const float *w, const float *scale, const float *delta,
                       const dirac__convolution *s, dirac__team *team)
{
    pack_job job = {.packed = packed, .w = w, .scale = scale, .delta = delta, .transposed = 0};
    pack(&job, s, team);
}

void KERNEL(conv_pack_transposed)(float *packed, const float *w, const float *scale,
                                  const float *delta, const dirac__convolution *s,
                                  dirac__team *team)
{
    pack_job job = {.packed = packed, .w = w, .scale = scale, .delta = delta, .transposed = 1};
    pack(&job, s, team);
}
