/* SPDX-License-Identifier: MIT */
/*
 * Winograd forward and its gradient at the input (winograd.h): y = A' [sum_i U_i . (B' x_i B)] A for tiles of 4x4.
 *
 * A block of tiles is turned into 36 matrices V[e] of tiles x channels, multiplied with the 36 packed weight matrices
 * U[e] of channels x panels by the micro-kernel of the direct convolution, and the products M[e] are turned back. V and M
 * of a block are one lane's scratch; a block is as large as its cache allows, but large enough that U, read once a
 * block, is worth it. The gradient at the input is the same product with filters turned by 180 degrees and in and out
 * channels exchanged.
 */
#include "kernels/winograd.h"

#include "base/mem.h"
#include "kernels/convolution_tile.h"

#define BLOCK_FLOATS (96 * 1024)  /* of V and M together, what a second-level cache holds */
#define LEAST_TILES 32            /* of a block whose weights are larger than that cache */
#define MOST_TILES 192

/* ---- tilings ---- */

static int64_t tiles_over(int64_t size)
{
    return (size + WINOGRAD_OUT - 1) / WINOGRAD_OUT;
}

static dirac__tiling make_tiling(int64_t n, const int64_t source[3], const int64_t target[3], int64_t top, int64_t left)
{
    dirac__tiling t = {.high = tiles_over(target[1]), .wide = tiles_over(target[2])};
    t.count = n * t.high * t.wide;
    for (int d = 0; d < 2; d++) {
        t.source[d] = source[d + 1];
        t.target[d] = target[d + 1];
    }
    t.before[0] = top;
    t.before[1] = left;
    return t;
}

dirac__tiling KERNEL(tiling_forward)(const dirac__convolution *s)
{
    return make_tiling(s->n, s->in, s->out, s->before[1], s->before[2]);
}

dirac__tiling KERNEL(tiling_backward)(const dirac__convolution *s)
{
    return make_tiling(s->n, s->out, s->in, 2 - s->before[1], 2 - s->before[2]);
}

/* ---- transforms of blocks ---- */

/* The 6x6 inputs of a tile: pixel (i, j) at rows[i] + j * steps[i], for columns begin to end - 1. Rows outside the image
 * have step 0 and lie in zeros; columns outside are zeros without being read. */
typedef struct patch {
    const float *rows[WINOGRAD_IN];
    int64_t steps[WINOGRAD_IN];
    int64_t begin, end;
} patch;

static ALWAYS_INLINE patch find_patch(const float *x, const float *zero, int64_t channels, const dirac__tiling *tiling,
                                       const dirac__tile_place *place)
{
    const int64_t top = place->row * WINOGRAD_OUT - tiling->before[0];
    const int64_t left = place->column * WINOGRAD_OUT - tiling->before[1];
    patch out = {.begin = at_least(0, -left), .end = at_most(WINOGRAD_IN, tiling->source[1] - left)};
    const float *first = x + ((place->image * tiling->source[0] + top) * tiling->source[1] + left) * channels;
    for (int64_t i = 0; i < WINOGRAD_IN; i++) {
        const int inside = top + i >= 0 && top + i < tiling->source[0];
        out.rows[i] = inside ? first + i * tiling->source[1] * channels : zero;
        out.steps[i] = inside ? channels : 0;
    }
    return out;
}

/* B' x B of one vector of channels, two rows of points, to v at e * stride. */
static ALWAYS_INLINE void transform_pair(int pair, float *v, int64_t stride, const patch *in, int64_t c)
{
    vec middle[2][WINOGRAD_IN]; /* the pair's points of each column */
    UNROLL
    for (int j = 0; j < WINOGRAD_IN; j++) {
        vec column[WINOGRAD_IN], two[2] = {{0}, {0}};
        if (j >= in->begin && j < in->end) {
            UNROLL
            for (int i = 0; i < WINOGRAD_IN; i++) {
                column[i] = vec_load(in->rows[i] + j * in->steps[i] + c);
            }
            input_pair(pair, two, column);
        }
        middle[0][j] = two[0];
        middle[1][j] = two[1];
    }
    UNROLL
    for (int half = 0; half < 2; half++) {
        vec out[WINOGRAD_IN];
        const int64_t row = half == 0 ? PAIR_FIRST(pair) : PAIR_SECOND(pair);
        input_transform(out, middle[half]);
        UNROLL
        for (int j = 0; j < WINOGRAD_IN; j++) {
            vec_store(v + (row * WINOGRAD_IN + j) * stride, out[j]);
        }
    }
}

void KERNEL(winograd_inputs)(float *v, int64_t stride, const float *x, const float *zero, int64_t channels,
                             const dirac__tiling *tiling, int64_t t0, int64_t count)
{
    dirac__tile_place place = place_of(tiling, t0);
    for (int64_t t = 0; t < count; t++, v += channels, next_place(&place, tiling)) {
        const patch in = find_patch(x, zero, channels, tiling, &place);
        for (int64_t c = 0; c < channels; c += DIRAC_LANES) {
            transform_pair(0, v + c, stride, &in, c);
            transform_pair(1, v + c, stride, &in, c);
            transform_pair(2, v + c, stride, &in, c);
        }
    }
}

/* ---- weights ---- */

int64_t KERNEL(winograd_matrix_size)(int64_t summed, int64_t written)
{
    return WINOGRAD_POINTS * padded_channels(written) * summed;
}

static size_t packed_size(int64_t summed, int64_t written)
{
    size_t size;
    if (!dirac__multiply((size_t)padded_channels(written), (size_t)summed, &size) || size > SIZE_MAX / 64) {
        return SIZE_MAX;
    }
    return size * WINOGRAD_POINTS + (size_t)summed;
}

size_t KERNEL(winograd_packed)(const dirac__convolution *s)
{
    return packed_size(s->ci, s->co);
}

size_t KERNEL(winograd_packed_transposed)(const dirac__convolution *s)
{
    return packed_size(s->co, s->ci);
}

typedef struct pack_job {
    const float *w, *scale, *delta;
    float *packed;
    int64_t ci, co, summed, written;
    int32_t transposed;
} pack_job;

/* Tap (i, j) of the filters from summed channel k to `lanes` written channels from `first` on. */
static void load_taps(vec taps[9], const pack_job *job, int64_t k, int64_t first, int64_t lanes)
{
    memset(taps, 0, 9 * sizeof *taps);
    for (int64_t l = 0; l < lanes; l++) {
        const int64_t o = job->transposed ? k : first + l, i = job->transposed ? first + l : k;
        const float *filter = job->w + (o * job->ci + i) * 9;
        const float scale = job->scale == NULL ? 1.0f : job->scale[o];
        const float delta = job->delta == NULL || o != i ? 0.0f : job->delta[o];
        for (int t = 0; t < 9; t++) {
            taps[job->transposed ? 8 - t : t][l] = scale * filter[t] + (t == 4 ? delta : 0.0f);
        }
    }
}

/* All summed channels of one panel. */
static void pack_panel(void *argument, int64_t p, int32_t lane)
{
    const pack_job *job = argument;
    const int64_t width = panel_width(job->written, p), channels = panel_channels(job->written, p);
    const int64_t stride = padded_channels(job->written) * job->summed;
    (void)lane;
    for (int64_t k = 0; k < job->summed; k++) {
        for (int64_t j = 0; j < width; j += DIRAC_LANES) {
            float *to = job->packed + p * PANEL * job->summed + k * width + j;
            vec taps[9], middle[3][6];
            load_taps(taps, job, k, p * PANEL + j, at_most(channels - j, DIRAC_LANES));
            for (int x = 0; x < 3; x++) {
                const vec column[3] = {taps[x], taps[3 + x], taps[6 + x]};
                weight_transform(middle[x], column);
            }
            for (int i = 0; i < WINOGRAD_IN; i++) {
                const vec row[3] = {middle[0][i], middle[1][i], middle[2][i]};
                vec out[6];
                weight_transform(out, row);
                for (int x = 0; x < WINOGRAD_IN; x++) {
                    vec_store(to + (i * WINOGRAD_IN + x) * stride, out[x]);
                }
            }
        }
    }
}

static void pack(pack_job *job, dirac__team *team)
{
    dirac__team_run(team, panel_count(job->written), pack_panel, job);
    memset(job->packed + KERNEL(winograd_matrix_size)(job->summed, job->written), 0,
           (size_t)job->summed * sizeof(float));
}

void KERNEL(winograd_pack)(float *packed, const float *w, const float *scale, const float *delta,
                           const dirac__convolution *s, dirac__team *team)
{
    pack_job job = {w, scale, delta, packed, s->ci, s->co, s->ci, s->co, 0};
    pack(&job, team);
}

void KERNEL(winograd_pack_transposed)(float *packed, const float *w, const float *scale, const float *delta,
                                      const dirac__convolution *s, dirac__team *team)
{
    pack_job job = {w, scale, delta, packed, s->ci, s->co, s->co, s->ci, 1};
    pack(&job, team);
}

/* ---- the product ---- */

typedef struct product_job {
    const float *x, *packed, *zero, *bias;
    float *y, *scratch;
    int32_t relu;
    int64_t summed, written;
    dirac__tiling tiling;
    int64_t blocks, most; /* of tiles; tiles of the largest */
} product_job;

static int64_t block_tiles(int64_t summed, int64_t written)
{
    const int64_t fitting = BLOCK_FLOATS / (WINOGRAD_POINTS * (summed + padded_channels(written)));
    const int64_t least = WINOGRAD_POINTS * summed * written > BLOCK_FLOATS ? LEAST_TILES : TILE_ROWS;
    const int64_t tiles = at_most(at_least(fitting, least), MOST_TILES), whole = tiles / (2 * TILE_ROWS);
    return whole > 0 ? whole * 2 * TILE_ROWS : tiles;
}

static size_t lane_floats(int64_t summed, int64_t written)
{
    /* and a line of the cache between matrices, lest 36 streams meet in one set */
    return (size_t)(WINOGRAD_POINTS * (block_tiles(summed, written) * (summed + padded_channels(written)) + 2 * 16));
}

size_t KERNEL(winograd_scratch)(const dirac__convolution *s, int32_t lanes)
{
    const size_t forward = lane_floats(s->ci, s->co), backward = lane_floats(s->co, s->ci);
    return (size_t)lanes * (forward > backward ? forward : backward);
}

/* to[row][v] = sum over k of x[row * channels + k] panel[k][v], for constant numbers: short sums leave no time to follow
 * pointers to rows. Adds up in the order of tile_sum(). */
static ALWAYS_INLINE void close_rows(int rows, int vectors, int64_t channels, float *to, const float *x,
                                     const float *panel)
{
    vec sum[2 * TILE_ROWS][2];
    UNROLL_ROWS
    for (int m = 0; m < rows; m++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            sum[m][v] = (vec){0};
        }
    }
    for (int64_t k = 0; k < channels; k++) {
        vec b[2];
        UNROLL
        for (int v = 0; v < vectors; v++) {
            b[v] = vec_load(panel + (k * vectors + v) * DIRAC_LANES);
        }
        UNROLL_ROWS
        for (int m = 0; m < rows; m++) {
            const vec a = vec_all(x[m * channels + k]);
            UNROLL
            for (int v = 0; v < vectors; v++) {
                sum[m][v] += a * b[v];
            }
        }
    }
    UNROLL_ROWS
    for (int m = 0; m < rows; m++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vec_store(to + (m * vectors + v) * DIRAC_LANES, sum[m][v]);
        }
    }
}

typedef void close_function(float *to, const float *x, const float *panel);

#define CLOSE_INSTANCE(channels)                                                                                      \
    static void close_1_##channels(float *to, const float *x, const float *panel)                                    \
    {                                                                                                                 \
        close_rows(2 * TILE_ROWS, 1, channels, to, x, panel);                                                         \
    }                                                                                                                 \
    static void close_2_##channels(float *to, const float *x, const float *panel)                                    \
    {                                                                                                                 \
        close_rows(TILE_ROWS, 2, channels, to, x, panel);                                                             \
    }
CLOSE_INSTANCE(16)
CLOSE_INSTANCE(32)
CLOSE_INSTANCE(64)

/* For so many channels, if there is one; it takes 2 TILE_ROWS rows of one vector, or TILE_ROWS of two. */
static close_function *find_close(int64_t channels, int vectors)
{
    switch (channels) {
    case 16:
        return vectors == 1 ? close_1_16 : close_2_16;
    case 32:
        return vectors == 1 ? close_1_32 : close_2_32;
    case 64:
        return vectors == 1 ? close_1_64 : close_2_64;
    default:
        return NULL;
    }
}

/* One panel of one matrix: to[row][width] for `count` rows of x. */
static void multiply_panel(float *to, const float *x, const float *panel, int64_t channels, int64_t width,
                           int64_t count)
{
    const int vectors = width > DIRAC_LANES ? 2 : 1;
    const int64_t tall = vectors == 1 ? 2 * TILE_ROWS : TILE_ROWS, zero = 0;
    close_function *const close = find_close(channels, vectors);
    tile_operands o = {.stride = TILE_ROWS, .at = &zero, .taps = 1, .channels = channels, .panel = panel};
    for (; close != NULL && count >= tall; count -= tall, x += tall * channels, to += tall * width) {
        close(to, x, panel);
    }
    const int64_t blocks = (count + TILE_ROWS - 1) / TILE_ROWS;
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t r = share(count, blocks, b), rows = share(count, blocks, b + 1) - r;
        const float *row[TILE_ROWS];
        for (int64_t i = 0; i < rows; i++) {
            row[i] = x + (r + i) * channels;
        }
        o.rows = row;
        KERNEL(tiles)[rows - 1][vectors - 1](to + r * width, &o);
    }
}

/* M[e] <- V[e] U[e] for all e. */
static void multiply(float *m, int64_t m_stride, const float *v, int64_t v_stride, const product_job *job,
                     int64_t count)
{
    for (int64_t e = 0; e < WINOGRAD_POINTS; e++) {
        for (int64_t p = 0; p < panel_count(job->written); p++) {
            multiply_panel(m + e * m_stride + p * PANEL * count, v + e * v_stride,
                           job->packed + (e * padded_channels(job->written) + p * PANEL) * job->summed, job->summed,
                           panel_width(job->written, p), count);
        }
    }
}

/* A' m A of one tile and vector of channels; m at e * stride. By halves of the output rows, for the registers' sake. */
static ALWAYS_INLINE void transform_output(vec out[4][4], const float *m, int64_t stride)
{
    UNROLL
    for (int half = 0; half < 2; half++) {
        vec middle[2][WINOGRAD_IN];
        UNROLL
        for (int j = 0; j < WINOGRAD_IN; j++) {
            vec column[WINOGRAD_IN], two[2];
            UNROLL
            for (int i = 0; i < WINOGRAD_IN; i++) {
                column[i] = vec_load(m + (i * WINOGRAD_IN + j) * stride);
            }
            output_half(half, two, column);
            middle[0][j] = two[0];
            middle[1][j] = two[1];
        }
        output_transform(out[half], middle[0]);
        output_transform(out[2 + half], middle[1]);
    }
}

static ALWAYS_INLINE vec finish(vec v, vec bias, int32_t relu)
{
    typedef int32_t mask __attribute__((vector_size(DIRAC_LANES * 4)));
    v += bias;
    return relu ? (vec)((mask)v & ~(mask)(v < (vec){0})) : v; /* NaN stays */
}

/* Writes the outputs of one tile for one vector of channels, those that lie inside: high x wide of them. */
static void store_border(float *to, const vec out[4][4], vec bias, int64_t high, int64_t wide, int64_t lanes,
                         const product_job *job)
{
    const int64_t line = job->tiling.target[1] * job->written;
    for (int64_t i = 0; i < high; i++) {
        for (int64_t j = 0; j < wide; j++) {
            const vec v = finish(out[i][j], bias, job->relu);
            memcpy(to + i * line + j * job->written, &v, (size_t)lanes * sizeof(float));
        }
    }
}

/* All outputs of the tile at `place`, which is number t of `count` in the block of products m. */
static ALWAYS_INLINE void write_tile(const product_job *job, const dirac__tile_place *place, const float *m,
                                     int64_t m_stride, int64_t t, int64_t count)
{
    const dirac__tiling *tiling = &job->tiling;
    const int64_t top = place->row * WINOGRAD_OUT, left = place->column * WINOGRAD_OUT;
    const int64_t high = at_most(WINOGRAD_OUT, tiling->target[0] - top);
    const int64_t wide = at_most(WINOGRAD_OUT, tiling->target[1] - left);
    const int64_t line = tiling->target[1] * job->written;
    float *y = job->y + ((place->image * tiling->target[0] + top) * tiling->target[1] + left) * job->written;
    for (int64_t c = 0; c < job->written; c += DIRAC_LANES) {
        const int64_t p = c / PANEL, lanes = at_most(DIRAC_LANES, job->written - c);
        vec out[4][4], bias = {0};
        transform_output(out, m + p * PANEL * count + t * panel_width(job->written, p) + c % PANEL, m_stride);
        if (job->bias != NULL) {
            memcpy(&bias, job->bias + c, (size_t)lanes * sizeof(float));
        }
        if (high < WINOGRAD_OUT || wide < WINOGRAD_OUT || lanes < DIRAC_LANES) {
            store_border(y + c, (const vec(*)[4])out, bias, high, wide, lanes, job);
            continue;
        }
        UNROLL
        for (int i = 0; i < WINOGRAD_OUT; i++) {
            UNROLL
            for (int j = 0; j < WINOGRAD_OUT; j++) {
                vec_store(y + c + i * line + j * job->written, finish(out[i][j], bias, job->relu));
            }
        }
    }
}

static void run_block(void *argument, int64_t block, int32_t lane)
{
    const product_job *job = argument;
    const int64_t t0 = share(job->tiling.count, job->blocks, block);
    const int64_t count = share(job->tiling.count, job->blocks, block + 1) - t0;
    const int64_t v_stride = count * job->summed + 16, m_stride = count * padded_channels(job->written) + 16;
    float *v = job->scratch + (size_t)lane * lane_floats(job->summed, job->written), *m = v + WINOGRAD_POINTS * v_stride;
    KERNEL(winograd_inputs)(v, v_stride, job->x, job->zero, job->summed, &job->tiling, t0, count);
    multiply(m, m_stride, v, v_stride, job, count);
    dirac__tile_place place = place_of(&job->tiling, t0);
    for (int64_t t = 0; t < count; t++, next_place(&place, &job->tiling)) {
        write_tile(job, &place, m, m_stride, t, count);
    }
}

/* Blocks do not change an element's bits, so the team's size may decide about them. */
static void run_product(product_job *job, dirac__team *team)
{
    const int64_t lanes = team != NULL ? dirac__team_lanes(team) : 1;
    const int64_t most = block_tiles(job->summed, job->written);
    job->blocks = at_least((job->tiling.count + most - 1) / most, at_most(lanes, job->tiling.count));
    dirac__team_run(team, job->blocks, run_block, job);
}

void KERNEL(winograd_forward)(float *y, const float *x, const float *packed, const float *bias, int32_t relu,
                              float *scratch, const dirac__convolution *s, dirac__team *team)
{
    product_job job = {.x = x, .packed = packed, .bias = bias, .relu = relu, .y = y, .scratch = scratch,
                       .summed = s->ci, .written = s->co, .tiling = KERNEL(tiling_forward)(s)};
    job.zero = packed + KERNEL(winograd_matrix_size)(s->ci, s->co);
    run_product(&job, team);
}

void KERNEL(winograd_backward_data)(float *dx, const float *dy, const float *packed, float *scratch,
                                    const dirac__convolution *s, dirac__team *team)
{
    product_job job = {.x = dy, .packed = packed, .y = dx, .scratch = scratch, .summed = s->co, .written = s->ci,
                       .tiling = KERNEL(tiling_backward)(s)};
    job.zero = packed + KERNEL(winograd_matrix_size)(s->co, s->ci);
    run_product(&job, team);
}

/* ---- where it is used ---- */

int32_t KERNEL(winograd_fits)(const dirac__convolution *s)
{
    int32_t fits = s->groups == 1 && s->in[0] == 1 && s->kernel[0] == 1 && s->ci % DIRAC_LANES == 0 &&
                   s->co % DIRAC_LANES == 0;
    for (int d = 0; d < 3; d++) {
        fits = fits && s->stride[d] == 1 && s->dilation[d] == 1 && (d == 0 || (s->kernel[d] == 3 && s->before[d] <= 2));
    }
    /* The transformed weights are four times as many: they must be used often enough. */
    return fits && s->n * tiles_over(s->out[1]) * tiles_over(s->out[2]) >= 16;
}
