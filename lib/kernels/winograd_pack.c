/* SPDX-License-Identifier: MIT */
/*
 * Winograd's transformed weights U = G g G' (winograd.h), packed in panels for each point: [e][panel][k][width]. The weight
 * form's scale and delta are applied on the way. For the gradient at the input, filters are turned by 180 degrees, and in
 * and out channels exchanged. Or some channels of one panel, for a product that is about to use them.
 */
#include "base/mem.h"
#include "kernels/winograd.h"
#include "kernels/winograd_taps.h"

static size_t packed_size(int64_t summed, int64_t written)
{
    size_t size;
    if (!dirac__multiply((size_t)padded_channels(written), (size_t)summed, &size) || size > SIZE_MAX / 64) {
        return SIZE_MAX;
    }
    return (size + 16) * WINOGRAD_POINTS + (size_t)summed; /* matrices, and zeros */
}

size_t WINOGRAD(packed)(const dirac__convolution *s)
{
    return packed_size(s->ci, s->co);
}

size_t WINOGRAD(packed_transposed)(const dirac__convolution *s)
{
    return packed_size(s->co, s->ci);
}

typedef struct pack_job {
    const dirac__filters *filters;
    float *packed;
    int64_t ci, summed, written;
    int32_t transposed;
} pack_job;

/* The filters from summed channel k to a vector of written channels from `first` on, which are all there. */
static ALWAYS_INLINE void load_taps(int transposed, vec taps[9], const dirac__filters *f, int64_t ci, int64_t k,
                                    int64_t first)
{
    vec scale = vec_all(1.0f);
    if (transposed) {
        vec turned[9];
        load_filters(turned, f->w + (k * ci + first) * 9, 9);
        UNROLL
        for (int t = 0; t < 9; t++) {
            taps[t] = turned[8 - t];
        }
    } else {
        load_filters(taps, f->w + (first * ci + k) * 9, 9 * ci);
    }
    if (f->scale != NULL) {
        scale = transposed ? vec_all(f->scale[k]) : vec_load(f->scale + first);
    }
    UNROLL
    for (int t = 0; t < 9; t++) {
        taps[t] = scale * taps[t];
    }
    if (f->delta != NULL && k >= first && k < first + DIRAC_LANES) {
        taps[4][k - first] += f->delta[k];
    }
}

/* A row of points from the three of its columns. */
static ALWAYS_INLINE void store_points(float *u, int64_t point, const vec row[3])
{
    UNROLL
    for (int pair = 0; pair < POINT_PAIRS; pair++) {
        vec out[2];
        weight_pair(pair, out, row);
        vec_store(u + pair_point(pair, 0) * point, out[0]);
        vec_store(u + pair_point(pair, 1) * point, out[1]);
    }
}

/* G g G' of one vector of filters to u at e * point, two rows of points at a time, which is what registers hold. */
static ALWAYS_INLINE void transform(float *u, int64_t point, const vec taps[9])
{
    UNROLL
    for (int pair = 0; pair < POINT_PAIRS; pair++) {
        vec rows[2][3];
        UNROLL
        for (int x = 0; x < 3; x++) {
            const vec column[3] = {taps[x], taps[3 + x], taps[6 + x]};
            vec points[2];
            weight_pair(pair, points, column);
            rows[0][x] = points[0];
            rows[1][x] = points[1];
        }
        store_points(u + pair_point(pair, 0) * WINOGRAD_IN * point, point, rows[0]);
        store_points(u + pair_point(pair, 1) * WINOGRAD_IN * point, point, rows[1]);
    }
}

void WINOGRAD(pack_channels)(float *u, int64_t point, const dirac__filters *filters, int32_t transposed, int64_t ci,
                             int64_t written, int64_t p, int64_t k0, int64_t count)
{
    const int64_t width = panel_width(written, p);
    for (int64_t k = 0; k < count; k++) {
        for (int64_t j = 0; j < width; j += DIRAC_LANES) {
            vec taps[9];
            if (transposed) {
                load_taps(1, taps, filters, ci, k0 + k, p * PANEL + j);
            } else {
                load_taps(0, taps, filters, ci, k0 + k, p * PANEL + j);
            }
            transform(u + k * width + j, point, taps);
        }
    }
}

/* All summed channels of one panel. */
static void pack_panel(void *argument, int64_t p, int32_t lane)
{
    const pack_job *job = argument;
    (void)lane;
    WINOGRAD(pack_channels)(job->packed + p * PANEL * job->summed, matrix_stride(job->summed, job->written), job->filters,
                            job->transposed, job->ci, job->written, p, 0, job->summed);
}

static void pack(pack_job *job, dirac__team *team)
{
    dirac__team_run(team, panel_count(job->written), pack_panel, job);
    memset(job->packed + WINOGRAD_POINTS * matrix_stride(job->summed, job->written), 0,
           (size_t)job->summed * sizeof(float));
}

void WINOGRAD(pack)(float *packed, const float *w, const float *scale, const float *delta,
                    const dirac__convolution *s, dirac__team *team)
{
    pack_job job = {&(dirac__filters){NULL, w, scale, delta}, packed, s->ci, s->ci, s->co, 0};
    pack(&job, team);
}

void WINOGRAD(pack_transposed)(float *packed, const float *w, const float *scale, const float *delta,
                               const dirac__convolution *s, dirac__team *team)
{
    pack_job job = {&(dirac__filters){NULL, w, scale, delta}, packed, s->ci, s->co, s->ci, 1};
    pack(&job, team);
}
