/* SPDX-License-Identifier: MIT */
/*
 * The gradient at the weights of a 3x3 convolution by Winograd's transforms (winograd.h):
 *
 *     dg[o,i] = G' [ sum over tiles t of (A dy[t,o] A') . (B' x[t,i] B) ] G
 *
 * A chunk of tiles is turned into V[e][t][i] and D[e][panel][t][o] by all lanes; then each task adds the chunk's products to
 * its own part of the 36 matrices S[e] of i x o. After the last chunk S is turned back into 3x3 filters. An element's
 * sum runs over the tiles in order, in one float sum a chunk: it errs by at most CHUNK_TILES + chunks roundings.
 */
#include "base/mem.h"
#include "kernels/convolution_tile.h"
#include "kernels/winograd.h"

#define CHUNK_FLOATS (1024 * 1024) /* of V and D together */
#define LEAST_TILES 64
#define MOST_TILES 512
#define GROUP_TILES 8              /* of one transforming task */

typedef struct weight_job {
    const float *x, *dy, *zero;
    float *g, *v, *d, *sums;
    int64_t ci, co;
    dirac__tiling inputs;
    int64_t t0, count; /* the chunk */
    int64_t v_stride, d_stride;
    int64_t panels, parts;
} weight_job;

static int64_t chunk_tiles(const dirac__convolution *s)
{
    const int64_t fitting = CHUNK_FLOATS / (WINOGRAD_POINTS * (s->ci + padded_channels(s->co)));
    return at_most(at_least(fitting, LEAST_TILES), MOST_TILES);
}

static size_t chunk_floats(int64_t tiles, int64_t channels)
{
    return (size_t)(WINOGRAD_POINTS * (tiles * channels + 16));
}

size_t KERNEL(winograd_weight_scratch)(const dirac__convolution *s)
{
    size_t sums;
    if (!dirac__multiply((size_t)padded_channels(s->co), (size_t)s->ci, &sums) || sums > SIZE_MAX / 128) {
        return SIZE_MAX;
    }
    const int64_t tiles = chunk_tiles(s);
    return sums * WINOGRAD_POINTS + chunk_floats(tiles, s->ci) + chunk_floats(tiles, padded_channels(s->co)) +
           (size_t)at_least(s->ci, s->co);
}

/* A dy A' of one tile and vector of channels to out at e * stride; pixel (i, j) at rows[i] + j * steps[i]. */
static ALWAYS_INLINE void transform_gradient(float *out, int64_t stride, const float *const rows[4],
                                             const int64_t steps[4], int64_t wide)
{
    vec middle[4][6]; /* [column][point] */
    UNROLL
    for (int j = 0; j < 4; j++) {
        vec column[4] = {{0}, {0}, {0}, {0}};
        if (j < wide) {
            UNROLL
            for (int i = 0; i < 4; i++) {
                column[i] = vec_load(rows[i] + j * steps[i]);
            }
        }
        output_adjoint(middle[j], column);
    }
    UNROLL
    for (int i = 0; i < 6; i++) {
        const vec row[4] = {middle[0][i], middle[1][i], middle[2][i], middle[3][i]};
        vec points[6];
        output_adjoint(points, row);
        UNROLL
        for (int j = 0; j < 6; j++) {
            vec_store(out + (i * 6 + j) * stride, points[j]);
        }
    }
}

/* D of the tile at `place`, number t of the chunk, in the order of panels: [panel][t][width]. */
static ALWAYS_INLINE void gradient_tile(const weight_job *job, const dirac__tile_place *place, int64_t t)
{
    const dirac__tiling *tiling = &job->inputs;
    const int64_t top = place->row * 4, left = place->column * 4;
    const int64_t high = tiling->target[0] - top, wide = tiling->target[1] - left;
    const float *first = job->dy + ((place->image * tiling->target[0] + top) * tiling->target[1] + left) * job->co;
    for (int64_t c = 0; c < job->co; c += DIRAC_LANES) {
        const int64_t p = c / PANEL;
        const float *rows[4];
        int64_t steps[4];
        for (int64_t i = 0; i < 4; i++) {
            rows[i] = i < high ? first + i * tiling->target[1] * job->co + c : job->zero;
            steps[i] = i < high ? job->co : 0;
        }
        transform_gradient(job->d + p * PANEL * job->count + t * panel_width(job->co, p) + c % PANEL, job->d_stride,
                           rows, steps, wide);
    }
}

static void transform_group(void *argument, int64_t group, int32_t lane)
{
    const weight_job *job = argument;
    const int64_t first = group * GROUP_TILES, count = at_most(GROUP_TILES, job->count - first);
    (void)lane;
    KERNEL(winograd_inputs)(job->v + first * job->ci, job->v_stride, job->x, job->zero, job->ci, &job->inputs,
                            job->t0 + first, count);
    dirac__tile_place place = place_of(&job->inputs, job->t0 + first);
    for (int64_t t = first; t < first + count; t++, next_place(&place, &job->inputs)) {
        gradient_tile(job, &place, t);
    }
}

/* S[e][panel][i][width] += sum over the chunk's tiles of V D, for one e and panel. */
static void add_products(void *argument, int64_t task, int32_t lane)
{
    const weight_job *job = argument;
    const int64_t e = task / job->panels, p = task % job->panels, width = panel_width(job->co, p);
    const float *v = job->v + e * job->v_stride, *d = job->d + e * job->d_stride + p * PANEL * job->count;
    float *sum = job->sums + (e * padded_channels(job->co) + p * PANEL) * job->ci;
    const int64_t blocks = (job->ci + OUTER_ROWS - 1) / OUTER_ROWS;
    const float *rows[MOST_TILES];
    (void)lane;
    for (int64_t t = 0; t < job->count; t++) {
        rows[t] = v + t * job->ci;
    }
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t i = share(job->ci, blocks, b), size = share(job->ci, blocks, b + 1) - i;
        KERNEL(outers)[size - 1][width > DIRAC_LANES](sum + i * width, rows, i, d, job->count);
    }
}

/* G' S G for one panel and some of its rows i, into the parameters' order (o, i, taps). */
static void join_part(void *argument, int64_t task, int32_t lane)
{
    const weight_job *job = argument;
    const int64_t p = task / job->parts, part = task % job->parts, width = panel_width(job->co, p);
    const int64_t stride = padded_channels(job->co) * job->ci;
    (void)lane;
    for (int64_t i = share(job->ci, job->parts, part); i < share(job->ci, job->parts, part + 1); i++) {
        for (int64_t j = 0; j < width; j += DIRAC_LANES) {
            const float *s = job->sums + p * PANEL * job->ci + i * width + j;
            vec middle[6][3]; /* [column][tap row] */
            for (int x = 0; x < 6; x++) {
                vec column[6];
                for (int y = 0; y < 6; y++) {
                    column[y] = vec_load(s + (y * 6 + x) * stride);
                }
                weight_adjoint(middle[x], column);
            }
            for (int y = 0; y < 3; y++) {
                vec row[6], taps[3];
                for (int x = 0; x < 6; x++) {
                    row[x] = middle[x][y];
                }
                weight_adjoint(taps, row);
                for (int64_t l = 0; l < DIRAC_LANES; l++) {
                    float *to = job->g + ((p * PANEL + j + l) * job->ci + i) * 9 + y * 3;
                    for (int x = 0; x < 3; x++) {
                        to[x] = taps[x][l];
                    }
                }
            }
        }
    }
}

void KERNEL(winograd_backward_weight)(float *g, const float *x, const float *dy, float *scratch,
                                      const dirac__convolution *s, dirac__team *team)
{
    const int64_t most = chunk_tiles(s), channels = at_least(s->ci, s->co);
    weight_job job = {.x = x, .dy = dy, .g = g, .ci = s->ci, .co = s->co, .inputs = KERNEL(tiling_forward)(s),
                      .panels = panel_count(s->co)};
    const size_t sums = (size_t)KERNEL(winograd_matrix_size)(s->ci, s->co);
    float *zero = scratch + sums + chunk_floats(most, s->ci) + chunk_floats(most, padded_channels(s->co));
    job.sums = scratch;
    job.v = scratch + sums;
    job.d = job.v + chunk_floats(most, s->ci);
    job.zero = zero;
    memset(job.sums, 0, sums * sizeof(float));
    memset(zero, 0, (size_t)channels * sizeof(float));
    const int64_t chunks = (job.inputs.count + most - 1) / most;
    for (int64_t c = 0; c < chunks; c++) {
        job.t0 = share(job.inputs.count, chunks, c);
        job.count = share(job.inputs.count, chunks, c + 1) - job.t0;
        job.v_stride = job.count * s->ci + 16;
        job.d_stride = job.count * padded_channels(s->co) + 16;
        dirac__team_run(team, (job.count + GROUP_TILES - 1) / GROUP_TILES, transform_group, &job);
        dirac__team_run(team, WINOGRAD_POINTS * job.panels, add_products, &job);
    }
    job.parts = at_most(job.ci, 8);
    dirac__team_run(team, job.panels * job.parts, join_part, &job);
}
