/* SPDX-License-Identifier: MIT */
/*
 * The gradient at the weights of a 3x3 convolution by Winograd's transforms (winograd.h):
 *
 *     dg[o,i] = G' [ sum over tiles t of (A dy[t,o] A') . (B' x[t,i] B) ] G
 *
 * A block of tiles is turned into V [k][e][t][LANES], k blocks of input channels, and D [panel][e][t][width]; the products
 * S [panel][k][e][LANES][width] add up over blocks and are turned back into 3x3 filters at the end. Work is cut by shape
 * alone: small S apart, every part of the tiles with blocks, V, D and S of its own; large S together, all lanes first
 * transforming a block, then sharing out the pairs (panel, k), of which S stays in the caches for all points: where one block holds all
 * tiles, S of a pair is turned back at once, and there is no more of it than a pair's a lane. An element's
 * sum is one float sum a block, in the order of the tiles: it errs by at most (tiles of a block + blocks + parts) roundings.
 *
 * dy may be corrected (dirac__correction) where it is read: tiles of dy do not overlap, so that is done once and in place.
 */
#include "base/mem.h"
#include "kernels/winograd_ahead.h"
#include "kernels/winograd_taps.h"

#define ROWS (DIRAC_LANES == 16 ? 8 : 4) /* of S in registers, two vectors wide; twice as many of one */
#define LARGE_SUMS (256 * 1024)          /* floats of S worked on together */
#define APART_FLOATS (128 * 1024)        /* of V and D of a block */
#define TOGETHER_TILES 160               /* of a block then: V of one k and D of one panel fit a second-level cache */
#define MOST_TILES 512
#define MOST_PARTS 8
#define GROUP_TILES 4 /* of one transforming task */
#define PAIR_FLOATS (WINOGRAD_POINTS * DIRAC_LANES * PANEL) /* of S of a pair */
#define AHEAD 12      /* tiles, from the second-level cache into the first */

typedef struct weight_job {
    const float *x, *zero;
    const dirac__activation *activation;
    float *dy, *g, *scratch, *sums;
    const dirac__correction *correction;
    int64_t ci, co;
    dirac__tiling inputs;
    int64_t most, parts; /* tiles of a block, parts of the tiles with sums of their own */
    /* the block worked on together */
    int64_t t0, count;
    int32_t add, last;
    dirac__team *team;
} weight_job;

/* V and D of a block of `count` tiles. */
typedef struct block {
    float *v, *d;
    int64_t count, v_point, v_channel; /* from point to point, from block of channels to block */
} block;

static int64_t line(int64_t count, int64_t width)
{
    return count * width + 16;
}

static int64_t v_floats(int64_t count, int64_t ci)
{
    return ci / DIRAC_LANES * WINOGRAD_POINTS * line(count, DIRAC_LANES);
}

static int64_t d_floats(int64_t count, int64_t co)
{
    return panel_count(co) * WINOGRAD_POINTS * line(count, PANEL);
}

static int64_t sum_floats(int64_t ci, int64_t co)
{
    return WINOGRAD_POINTS * ci * padded_channels(co);
}

static int32_t is_large(int64_t ci, int64_t co)
{
    return sum_floats(ci, co) > LARGE_SUMS;
}

static int64_t block_tiles(int64_t ci, int64_t co)
{
    const int64_t fitting = APART_FLOATS / (WINOGRAD_POINTS * (ci + co));
    return is_large(ci, co) ? TOGETHER_TILES : at_most(at_least(fitting, 16), MOST_TILES);
}

static int64_t part_count(int64_t ci, int64_t co, int64_t tiles)
{
    return is_large(ci, co) ? 1 : at_most(MOST_PARTS, at_least(tiles / 16, 1));
}

size_t WINOGRAD(weight_scratch)(const dirac__convolution *s, int32_t lanes)
{
    size_t sums;
    if (!dirac__multiply((size_t)padded_channels(s->co), (size_t)s->ci, &sums) || sums > SIZE_MAX / 4096) {
        return SIZE_MAX;
    }
    const dirac__tiling tiling = WINOGRAD(tiling_forward)(s);
    const int64_t tiles = at_most(block_tiles(s->ci, s->co), tiling.count);
    const int64_t sets = is_large(s->ci, s->co) ? 1 : lanes;
    int64_t all = part_count(s->ci, s->co, tiling.count) * sum_floats(s->ci, s->co);
    if (is_large(s->ci, s->co)) {
        all = at_least(tiling.count > TOGETHER_TILES ? all : 0, lanes * PAIR_FLOATS);
    }
    return (size_t)(sets * (v_floats(tiles, s->ci) + d_floats(tiles, s->co)) + all + at_least(s->ci, s->co));
}

/* ---- transforms ---- */

/* A dy A' of one vector of channels of one tile to d at e * point. */
static ALWAYS_INLINE void transform(int corrected, int whole, float *d, int64_t point, float *dy, const float *y,
                                    const dirac__correction *k, int64_t c, int64_t pixel, int64_t row, int64_t high,
                                    int64_t wide)
{
    vec middle[WINOGRAD_IN][WINOGRAD_OUT], a = {0}, b = {0}, mean = {0}, t = {0}; /* middle: [row of points][column] */
    if (corrected) {
        a = vec_load(k->a + c);
        b = vec_load(k->b + c);
        mean = vec_load(k->mean + c);
        t = vec_load(k->t + c);
    }
    for (int64_t j = 0; j < WINOGRAD_OUT; j++) {
        vec column[WINOGRAD_OUT], points[WINOGRAD_IN];
        UNROLL
        for (int i = 0; i < WINOGRAD_OUT; i++) {
            const int64_t at = i * row + j * pixel;
            column[i] = (vec){0};
            if (whole || (i < high && j < wide)) {
                column[i] = vec_load(dy + at);
                if (corrected) {
                    column[i] = a * column[i] + (b * (vec_load(y + at) - mean) + t);
                    vec_store(dy + at, column[i]);
                }
            }
        }
        output_adjoint(points, column);
        UNROLL
        for (int i = 0; i < WINOGRAD_IN; i++) {
            middle[i][j] = points[i];
        }
    }
    for (int64_t i = 0; i < WINOGRAD_IN; i++) {
        vec points[WINOGRAD_IN];
        output_adjoint(points, middle[i]);
        UNROLL
        for (int j = 0; j < WINOGRAD_IN; j++) {
            vec_store(d + (i * WINOGRAD_IN + j) * point, points[j]);
        }
    }
}

/* All channels of one tile, number t of its block. */
static ALWAYS_INLINE void gradient_tile(int corrected, int whole, const weight_job *job, const block *to,
                                        const dirac__tile_place *place, int64_t t)
{
    const dirac__tiling *tiling = &job->inputs;
    const int64_t top = place->row * WINOGRAD_OUT, left = place->column * WINOGRAD_OUT;
    const int64_t first = ((place->image * tiling->target[0] + top) * tiling->target[1] + left) * job->co;
    for (int64_t c = 0; c < job->co; c += DIRAC_LANES) {
        const int64_t p = c / PANEL, width = panel_width(job->co, p), point = line(to->count, width);
        float *d = to->d + p * WINOGRAD_POINTS * line(to->count, PANEL) + t * width + c % PANEL;
        transform(corrected, whole, d, point, job->dy + first + c, corrected ? job->correction->y + first + c : NULL,
                  job->correction, c, job->co, tiling->target[1] * job->co, tiling->target[0] - top,
                  tiling->target[1] - left);
    }
}

/* Tiles t0 + from to t0 + from + count - 1 into numbers from `from` on of a block that begins at t0. */
static void transform_tiles(const weight_job *job, const block *to, int64_t t0, int64_t from, int64_t count)
{
    const dirac__point_order order = {.point = to->v_point, .block = TILE_ROWS * DIRAC_LANES, .tile = DIRAC_LANES,
                                      .line = CACHE_LINE / DIRAC_LANES * to->v_channel, .vector = to->v_channel,
                                      .rows = TILE_ROWS};
    dirac__tile_place place = place_of(&job->inputs, t0 + from);
    WINOGRAD(inputs)(to->v, &order, from, job->x, job->activation, job->zero, job->ci, &job->inputs, t0 + from,
                     count);
    for (int64_t t = from; t < from + count; t++, next_place(&place, &job->inputs)) {
        const int whole = (place.row + 1) * WINOGRAD_OUT <= job->inputs.target[0] &&
                          (place.column + 1) * WINOGRAD_OUT <= job->inputs.target[1];
        if (job->correction != NULL) {
            if (whole) {
                gradient_tile(1, 1, job, to, &place, t);
            } else {
                gradient_tile(1, 0, job, to, &place, t);
            }
        } else if (whole) {
            gradient_tile(0, 1, job, to, &place, t);
        } else {
            gradient_tile(0, 0, job, to, &place, t);
        }
    }
}

static block cut_block(float *at, int64_t count, int64_t ci)
{
    return (block){.v = at, .d = at + v_floats(count, ci), .count = count, .v_point = line(count, DIRAC_LANES),
                   .v_channel = WINOGRAD_POINTS * line(count, DIRAC_LANES)};
}

/* ---- products ---- */

/* s[m][v] (+)= sum over t of v[t][m] d[t][v], calling for a line of `call` with every t; NULL: for none. */
static ALWAYS_INLINE void outer_product(int rows, int vectors, float *s, const float *v, const float *d, const float *call,
                                        int64_t count, int32_t add)
{
    const int64_t step = call != NULL ? CACHE_LINE : 0;
    vec sum[2 * ROWS][2];
    UNROLL
    for (int m = 0; m < rows; m++) {
        UNROLL
        for (int w = 0; w < vectors; w++) {
            sum[m][w] = (vec){0};
        }
    }
    call = call != NULL ? call : v;
    for (int64_t t = 0; t < count; t++, v += DIRAC_LANES, d += vectors * DIRAC_LANES, call += step) {
        vec b[2];
        __builtin_prefetch(call, 0, 2);
        __builtin_prefetch(v + AHEAD * DIRAC_LANES, 0, 3);
        UNROLL
        for (int w = 0; w < vectors; w++) {
            __builtin_prefetch(d + (AHEAD * vectors + w) * DIRAC_LANES, 0, 3);
            b[w] = vec_load(d + w * DIRAC_LANES);
        }
        UNROLL
        for (int m = 0; m < rows; m++) {
            const vec a = vec_all(v[m]);
            UNROLL
            for (int w = 0; w < vectors; w++) {
                sum[m][w] += a * b[w];
            }
        }
    }
    UNROLL
    for (int m = 0; m < rows; m++) {
        UNROLL
        for (int w = 0; w < vectors; w++) {
            float *at = s + (m * vectors + w) * DIRAC_LANES;
            vec_store(at, add ? vec_load(at) + sum[m][w] : sum[m][w]);
        }
    }
}

/* Where S of panel p and block k of channels begins; its points follow each other. */
static int64_t sum_offset(const weight_job *job, int64_t p, int64_t k)
{
    return WINOGRAD_POINTS * (p * PANEL * job->ci + k * DIRAC_LANES * panel_width(job->co, p));
}

/* s: S of the pair. */
static void add_products(const weight_job *job, float *s, const block *b, int64_t p, int64_t k, int32_t add,
                         dirac__calls *calls)
{
    const int64_t width = panel_width(job->co, p);
    const float *v = b->v + k * b->v_channel, *d = b->d + p * WINOGRAD_POINTS * line(b->count, PANEL);
    for (int64_t e = 0; e < WINOGRAD_POINTS; e++, v += b->v_point, d += line(b->count, width)) {
        if (width == PANEL) {
            for (int64_t m = 0; m < DIRAC_LANES; m += ROWS, s += ROWS * PANEL) {
                outer_product(ROWS, 2, s, v + m, d, next_call(calls, CACHE_LINE * b->count), b->count, add);
            }
        } else {
            const int rows = 2 * ROWS < DIRAC_LANES ? 2 * ROWS : DIRAC_LANES;
            for (int64_t m = 0; m < DIRAC_LANES; m += rows, s += rows * DIRAC_LANES) {
                outer_product(rows, 1, s, v + m, d, next_call(calls, CACHE_LINE * b->count), b->count, add);
            }
        }
    }
}

/* ---- back to filters ---- */

/* G' S G of one vector of filters for one input channel; S of part q at s + q * part, points `point` apart. */
static ALWAYS_INLINE void join_vector(vec taps[9], const float *s, int64_t point, int64_t parts, int64_t part)
{
    vec middle[3][WINOGRAD_IN]; /* [tap row][column] */
    for (int64_t x = 0; x < WINOGRAD_IN; x++) {
        vec column[WINOGRAD_IN], three[3];
        UNROLL
        for (int y = 0; y < WINOGRAD_IN; y++) {
            const float *from = s + (y * WINOGRAD_IN + x) * point;
            column[y] = vec_load(from);
            for (int64_t q = 1; q < parts; q++) {
                column[y] += vec_load(from + q * part);
            }
        }
        weight_adjoint(three, column);
        UNROLL
        for (int y = 0; y < 3; y++) {
            middle[y][x] = three[y];
        }
    }
    UNROLL
    for (int y = 0; y < 3; y++) {
        weight_adjoint(taps + 3 * y, middle[y]);
    }
}

/* S of panel p, block k of channels, into the parameters' order (o, i, taps). */
static void join(const weight_job *job, const float *sums, int64_t p, int64_t k)
{
    const int64_t width = panel_width(job->co, p), part = sum_floats(job->ci, job->co);
    for (int64_t j = 0; j < width; j += DIRAC_LANES) {
        for (int64_t i = 0; i < DIRAC_LANES; i++) {
            vec taps[9];
            join_vector(taps, sums + i * width + j, DIRAC_LANES * width, job->parts, part);
            store_filters(job->g + ((p * PANEL + j) * job->ci + k * DIRAC_LANES + i) * 9, 9 * job->ci, taps);
        }
    }
}

static void join_pair(void *argument, int64_t task, int32_t lane)
{
    const weight_job *job = argument;
    const int64_t blocks = job->ci / DIRAC_LANES;
    (void)lane;
    join(job, job->sums + sum_offset(job, task / blocks, task % blocks), task / blocks, task % blocks);
}

/* ---- apart ---- */

/* What the transforms of the next block will read. */
static dirac__calls calls_of(const weight_job *job, int64_t t0, int64_t count)
{
    dirac__calls calls = {.count = 0};
    const dirac__range target = target_range(&job->inputs, job->co, t0, count);
    add_call(&calls, job->dy, target);
    if (job->correction != NULL) {
        add_call(&calls, job->correction->y, target);
    }
    add_call(&calls, job->x, source_range(&job->inputs, job->ci, t0, count));
    return calls;
}

static void run_part(void *argument, int64_t q, int32_t lane)
{
    const weight_job *job = argument;
    const int64_t begin = share(job->inputs.count, job->parts, q), end = share(job->inputs.count, job->parts, q + 1);
    const int64_t blocks = (end - begin + job->most - 1) / job->most;
    float *sums = job->sums + q * sum_floats(job->ci, job->co);
    float *at = job->scratch + (int64_t)lane * (v_floats(job->most, job->ci) + d_floats(job->most, job->co));
    for (int64_t n = 0; n < blocks; n++) {
        const int64_t t0 = begin + share(end - begin, blocks, n), t1 = begin + share(end - begin, blocks, n + 1);
        const block b = cut_block(at, t1 - t0, job->ci);
        const int32_t goes_on = n + 1 < blocks || dirac__team_goes_on(job->team, job->parts, q);
        dirac__calls calls = calls_of(job, t1, goes_on ? t1 - t0 : 0);
        transform_tiles(job, &b, t0, 0, t1 - t0);
        for (int64_t p = 0; p < panel_count(job->co); p++) {
            for (int64_t k = 0; k < job->ci / DIRAC_LANES; k++) {
                add_products(job, sums + sum_offset(job, p, k), &b, p, k, n > 0, &calls);
            }
        }
    }
}

/* ---- together ---- */

static void transform_group(void *argument, int64_t group, int32_t lane)
{
    const weight_job *job = argument;
    const int64_t from = group * GROUP_TILES;
    const block b = cut_block(job->scratch, job->count, job->ci);
    (void)lane;
    transform_tiles(job, &b, job->t0, from, at_most(GROUP_TILES, job->count - from));
}

static void multiply_pair(void *argument, int64_t task, int32_t lane)
{
    const weight_job *job = argument;
    const block b = cut_block(job->scratch, job->count, job->ci);
    const int64_t blocks = job->ci / DIRAC_LANES, p = task / blocks, k = task % blocks;
    const int32_t alone = job->last && !job->add;
    float *s = job->sums + (alone ? lane * PAIR_FLOATS : sum_offset(job, p, k));
    dirac__calls none = {.count = 0};
    add_products(job, s, &b, p, k, job->add, &none);
    if (job->last) {
        join(job, s, p, k);
    }
}

static void run_together(weight_job *job, dirac__team *team)
{
    const int64_t chunks = (job->inputs.count + job->most - 1) / job->most;
    for (int64_t c = 0; c < chunks; c++) {
        job->t0 = share(job->inputs.count, chunks, c);
        job->count = share(job->inputs.count, chunks, c + 1) - job->t0;
        job->add = c > 0;
        job->last = c == chunks - 1;
        dirac__team_run(team, (job->count + GROUP_TILES - 1) / GROUP_TILES, transform_group, job);
        dirac__team_run(team, panel_count(job->co) * (job->ci / DIRAC_LANES), multiply_pair, job);
    }
}

void WINOGRAD(backward_weight)(float *g, const float *x, const dirac__activation *activation, float *dy,
                               const dirac__correction *correction, float *scratch, const dirac__convolution *s,
                               dirac__team *team)
{
    weight_job job = {.x = x, .activation = activation, .dy = dy, .correction = correction, .g = g, .ci = s->ci,
                      .co = s->co, .inputs = WINOGRAD(tiling_forward)(s), .team = team};
    const int64_t channels = at_least(s->ci, s->co);
    float *zero = scratch;
    if (job.inputs.count == 0) {
        memset(g, 0, (size_t)(s->co * s->ci * 9) * sizeof(float));
        return;
    }
    memset(zero, 0, (size_t)channels * sizeof(float));
    job.zero = zero;
    job.most = at_most(block_tiles(s->ci, s->co), job.inputs.count);
    job.parts = part_count(s->ci, s->co, job.inputs.count);
    job.scratch = scratch + channels;
    if (is_large(s->ci, s->co)) {
        job.sums = job.scratch + v_floats(job.most, s->ci) + d_floats(job.most, s->co);
        run_together(&job, team);
    } else {
        job.sums = job.scratch;
        job.scratch += job.parts * sum_floats(s->ci, s->co);
        dirac__team_run(team, job.parts, run_part, &job);
        dirac__team_run(team, panel_count(s->co) * (s->ci / DIRAC_LANES), join_pair, &job);
    }
}
