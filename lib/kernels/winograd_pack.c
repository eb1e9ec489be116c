/* SPDX-License-Identifier: MIT */
/*
 * Winograd's transformed weights U = G g G' (winograd.h), packed in panels for each point: [e][panel][k][width]. The weight
 * form's scale and delta are applied on the way. For the gradient at the input, filters are turned by 180 degrees, and in
 * and out channels exchanged. Or some channels of one panel, for a product that is about to use them.
 */
#include "base/mem.h"
#include "kernels/winograd.h"

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
    const float *w = f->w + (transposed ? k * ci + first : first * ci + k) * 9;
    const int64_t step = transposed ? 9 : 9 * ci;
    float by_tap[9][DIRAC_LANES];
    vec scale = vec_all(1.0f);
    for (int64_t l = 0; l < DIRAC_LANES; l++) {
        UNROLL
        for (int t = 0; t < 9; t++) {
            by_tap[transposed ? 8 - t : t][l] = w[l * step + t];
        }
    }
    if (f->scale != NULL) {
        scale = transposed ? vec_all(f->scale[k]) : vec_load(f->scale + first);
    }
    for (int t = 0; t < 9; t++) {
        taps[t] = scale * vec_load(by_tap[t]);
    }
    if (f->delta != NULL && k >= first && k < first + DIRAC_LANES) {
        taps[4][k - first] += f->delta[k];
    }
}

/* G g G' of one vector of filters to u at e * point. */
static ALWAYS_INLINE void transform(float *u, int64_t point, const vec taps[9])
{
    vec middle[3][WINOGRAD_IN];
    for (int x = 0; x < 3; x++) {
        const vec column[3] = {taps[x], taps[3 + x], taps[6 + x]};
        weight_transform(middle[x], column);
    }
    for (int i = 0; i < WINOGRAD_IN; i++) {
        const vec row[3] = {middle[0][i], middle[1][i], middle[2][i]};
        vec out[WINOGRAD_IN];
        weight_transform(out, row);
        for (int x = 0; x < WINOGRAD_IN; x++) {
            vec_store(u + (i * WINOGRAD_IN + x) * point, out[x]);
        }
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
