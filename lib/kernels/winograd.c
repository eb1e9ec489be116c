/* SPDX-License-Identifier: MIT */
/*
 * Winograd forward and its gradient at the input (winograd.h): y = A' [sum_i U_i . (B' x_i B)] A for tiles of m x m outputs.
 *
 * A block of tiles is turned into (m+2)^2 matrices V[e] of tiles x channels, multiplied with the packed weight matrices U[e],
 * and the products M[e] are turned back. Work is cut in one of two ways, by shape alone:
 *
 * - apart: every lane takes blocks of tiles through all three, V and M in scratch of its own that its caches hold;
 * - together: where few tiles meet large weights, all lanes transform, then share out the products, so that each weight
 *   is read once for all tiles and by one lane. Weights that are not packed are transformed there, some channels of a panel
 *   at a time, and never leave the lane's caches.
 *
 * Where outputs are written, they are in registers for the last time: bias and ReLU, the moments that a batch norm behind
 * wants, or, backward, the gradient of a ReLU and the sums of a batch norm before, are done there (winograd_output.h).
 */
#include "kernels/winograd.h"

#include "base/mem.h"
#include "kernels/winograd_ahead.h"
#include "kernels/winograd_lines.h"

/* Floats of V and M of one block, where the weights fit a second-level cache beside it: of 1 or 2 MiB with AVX-512, or else
 * of 512 KiB. */
#define BLOCK_FLOATS (DIRAC_LANES == 16 ? 96 * 1024 : 48 * 1024)
#define LARGE_WEIGHTS (256 * 1024)    /* floats of U that do not */
#define MOST_TILES 192                /* of a block */
#define LARGE_TILES 24               /* of a block that meets large weights, which are called for ahead as they stream by */
#define TOGETHER_TILES 256            /* of a chunk worked on together */
#define GROUP_TILES 4                 /* of one transforming task then */
#define UNPACKED_CHANNELS 128         /* summed ones whose weights are transformed at a time */

/* ---- tilings ---- */

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

dirac__tiling WINOGRAD(tiling_forward)(const dirac__convolution *s)
{
    return make_tiling(s->n, s->in, s->out, s->before[1], s->before[2]);
}

dirac__tiling WINOGRAD(tiling_backward)(const dirac__convolution *s)
{
    return make_tiling(s->n, s->out, s->in, 2 - s->before[1], 2 - s->before[2]);
}

/* ---- how work is cut ---- */

/* A lane's transformed weights, where they are not packed: from point to point, and all. */
#define UNPACKED_POINT (UNPACKED_CHANNELS * PANEL + 16)
#define UNPACKED_FLOATS (WINOGRAD_POINTS * UNPACKED_POINT)

typedef struct cut {
    int32_t together;
    int64_t most;   /* tiles of a block, or of a chunk */
    int64_t blocks; /* or chunks */
} cut;

static int32_t large_weights(int64_t summed, int64_t written)
{
    return WINOGRAD_POINTS * summed * padded_channels(written) > LARGE_WEIGHTS;
}

static int64_t block_tiles(int64_t summed, int64_t written)
{
    const int64_t fitting = BLOCK_FLOATS / (WINOGRAD_POINTS * (summed + padded_channels(written)));
    const int64_t tiles = at_most(at_least(fitting, large_weights(summed, written) ? LARGE_TILES : 2 * TILE_ROWS), MOST_TILES);
    return tiles / (2 * TILE_ROWS) * 2 * TILE_ROWS;
}

/* `fixed`: what is summed over blocks must not depend on the number of lanes. */
static cut make_cut(int64_t summed, int64_t written, int64_t tiles, int64_t lanes, int32_t fixed)
{
    cut c = {.together = large_weights(summed, written) && tiles <= TOGETHER_TILES, .most = TOGETHER_TILES, .blocks = 1};
    if (c.together) {
        return c;
    }
    c.most = block_tiles(summed, written);
    c.blocks = (tiles + c.most - 1) / c.most;
    if (fixed) {
        c.blocks = at_least(c.blocks, at_most(8, tiles / (2 * TILE_ROWS)));
    } else if (c.blocks < 4 * lanes) {
        c.blocks = (c.blocks + lanes - 1) / lanes * lanes;
    }
    c.blocks = at_most(at_least(c.blocks, 1), tiles);
    return c;
}

static int64_t group_count(const cut *c, int64_t tiles)
{
    return c->together ? (tiles + GROUP_TILES - 1) / GROUP_TILES : c->blocks;
}

/* Floats of V and M for so many tiles. */
static int64_t room(int64_t tiles, int64_t summed, int64_t written)
{
    return WINOGRAD(inputs_size)(tiles, summed) + WINOGRAD(products_size)(tiles, written);
}

/* Whatever the number of images up to the planned one, which decides between apart and together. */
static int64_t product_room(int64_t summed, int64_t written, int64_t tiles, int64_t lanes)
{
    const cut all = make_cut(summed, written, tiles, lanes, 1);
    const int64_t apart = lanes * room(at_most(block_tiles(summed, written), tiles), summed, written);
    const int64_t together =
        large_weights(summed, written) ? room(at_most(tiles, TOGETHER_TILES), summed, written) : 0;
    const int64_t groups = at_least(group_count(&all, tiles), large_weights(summed, written) ? TOGETHER_TILES : 8);
    return at_least(apart, together) + groups * dirac__group_floats(written);
}

static int32_t takes_unpacked(const dirac__convolution *s)
{
    const int64_t tiles = at_least(WINOGRAD(tiling_forward)(s).count, WINOGRAD(tiling_backward)(s).count);
    return large_weights(s->ci, s->co) && large_weights(s->co, s->ci) && tiles <= TOGETHER_TILES;
}

static size_t scratch_floats(const dirac__convolution *s, int32_t unpacked, int32_t lanes)
{
    const dirac__tiling forward = WINOGRAD(tiling_forward)(s), backward = WINOGRAD(tiling_backward)(s);
    return (size_t)(at_least(product_room(s->ci, s->co, forward.count, lanes),
                             product_room(s->co, s->ci, backward.count, lanes)) +
                    (unpacked ? lanes * UNPACKED_FLOATS + at_least(s->ci, s->co) : 0));
}

/* ---- the product ---- */

typedef struct product_job {
    const float *x, *zero;
    const dirac__activation *activation;
    const dirac__filters *filters;
    dirac__output out;
    float *scratch;
    int64_t ci, summed, written;
    int32_t transposed;
    dirac__tiling tiling;
    cut cut;
    int64_t parts;           /* together: tasks of one point */
    dirac__point_order order; /* together */
    int64_t m_stride;
    float *v, *m, *u;
    dirac__team *team;
} product_job;

/* What the transforms of this block and of the next will touch. */
static dirac__calls calls_of(const product_job *job, int64_t block, int64_t t0, int64_t count)
{
    dirac__calls calls = {.count = 0};
    const dirac__range target = target_range(&job->tiling, job->written, t0, count);
    if (dirac__team_goes_on(job->team, job->cut.blocks, block)) {
        add_call(&calls, job->x, source_range(&job->tiling, job->summed, t0 + count, count));
    }
    add_call(&calls, job->out.y, target);
    if (job->out.mask != NULL) {
        add_call(&calls, job->out.mask->z, target);
    }
    return calls;
}

/* Weights that the caches cannot hold, or that serve this lane once, are what is called for, not pixels. */
static void run_block(void *argument, int64_t block, int32_t lane)
{
    const product_job *job = argument;
    const int64_t t0 = share(job->tiling.count, job->cut.blocks, block);
    const int64_t count = share(job->tiling.count, job->cut.blocks, block + 1) - t0;
    const dirac__point_order order = WINOGRAD(order)(count, job->summed);
    const int64_t m_stride = WINOGRAD(products_size)(count, job->written) / WINOGRAD_POINTS;
    float *v = job->scratch + (int64_t)lane * room(job->cut.most, job->summed, job->written);
    float *m = v + WINOGRAD(inputs_size)(count, job->summed);
    const int32_t streamed = large_weights(job->summed, job->written) || job->cut.blocks <= dirac__team_lanes(job->team);
    dirac__calls calls = calls_of(job, block, t0, count);
    WINOGRAD(inputs)(v, &order, 0, job->x, job->activation, job->zero, job->summed, &job->tiling, t0, count);
    for (int64_t e = 0; e < WINOGRAD_POINTS; e++) {
        WINOGRAD(multiply)(m + e * m_stride, v + e * order.point, &order,
                           job->filters->packed + e * matrix_stride(job->summed, job->written), count, job->summed,
                           job->written, 0, panel_count(job->written), streamed ? NULL : &calls);
    }
    const dirac__products products = {m, m_stride, count, 0};
    write_outputs(&job->out, &job->tiling, &products, t0, count, block);
}

static void transform_group(void *argument, int64_t group, int32_t lane)
{
    const product_job *job = argument;
    const int64_t t0 = group * GROUP_TILES, count = at_most(GROUP_TILES, job->tiling.count - t0);
    (void)lane;
    WINOGRAD(inputs)(job->v, &job->order, t0, job->x, job->activation, job->zero, job->summed, &job->tiling, t0,
                     count);
}

static void multiply_part(void *argument, int64_t task, int32_t lane)
{
    const product_job *job = argument;
    const int64_t e = task / job->parts, part = task % job->parts, panels = panel_count(job->written);
    (void)lane;
    WINOGRAD(multiply)(job->m + e * job->m_stride, job->v + e * job->order.point, &job->order,
                       job->filters->packed + e * matrix_stride(job->summed, job->written), job->tiling.count, job->summed,
                       job->written, share(panels, job->parts, part), share(panels, job->parts, part + 1), NULL);
}

/* A panel whose weights are not packed. */
static void multiply_unpacked(void *argument, int64_t p, int32_t lane)
{
    const product_job *job = argument;
    const int64_t tiles = job->tiling.count, width = panel_width(job->written, p);
    float *u = job->u + lane * UNPACKED_FLOATS;
    for (int64_t k = 0; k < job->summed; k += UNPACKED_CHANNELS) {
        const int64_t count = at_most(UNPACKED_CHANNELS, job->summed - k);
        WINOGRAD(pack_channels)(u, UNPACKED_POINT, job->filters, job->transposed, job->ci, job->written, p, k, count);
        for (int64_t e = 0; e < WINOGRAD_POINTS; e++) {
            const float *v = job->v + e * job->order.point + k * TILE_ROWS;
            const dirac__stream next = {v + job->order.block, job->order.block, tiles / job->order.rows, DIRAC__CALLS_HALF};
            WINOGRAD(multiply_panel)(job->m + e * job->m_stride + p * PANEL * tiles, v, &job->order,
                                     u + e * UNPACKED_POINT, tiles, count, width, k > 0, next);
        }
    }
}

static void write_group(void *argument, int64_t group, int32_t lane)
{
    const product_job *job = argument;
    const int64_t t0 = group * GROUP_TILES, count = at_most(GROUP_TILES, job->tiling.count - t0);
    const dirac__products products = {job->m, job->m_stride, job->tiling.count, t0};
    (void)lane;
    write_outputs(&job->out, &job->tiling, &products, t0, count, group);
}

static void run_together(product_job *job, dirac__team *team)
{
    const int64_t count = job->tiling.count, groups = group_count(&job->cut, count);
    job->order = WINOGRAD(order)(count, job->summed);
    job->m_stride = WINOGRAD(products_size)(count, job->written) / WINOGRAD_POINTS;
    job->v = job->scratch;
    job->m = job->v + WINOGRAD(inputs_size)(count, job->summed);
    job->parts = at_least(panel_count(job->written) / 4, 1);
    dirac__team_run(team, groups, transform_group, job);
    if (job->filters->packed == NULL) {
        job->u = job->m + WINOGRAD(products_size)(count, job->written);
        dirac__team_run(team, panel_count(job->written), multiply_unpacked, job);
    } else {
        dirac__team_run(team, WINOGRAD_POINTS * job->parts, multiply_part, job);
    }
    dirac__team_run(team, groups, write_group, job);
}

#if WINOGRAD_HAS_LINES

static void run_lines(void *argument, int64_t block, int32_t lane)
{
    const product_job *job = argument;
    const dirac__lines lines = {job->x, job->activation, job->filters->packed, &job->out, &job->tiling};
    const int64_t count = job->tiling.count / job->tiling.wide, blocks = job->cut.blocks;
    (void)lane;
    WINOGRAD(lines)(&lines, share(count, blocks, block), share(count, blocks, block + 1), block,
                    blocks > dirac__team_lanes(job->team), dirac__team_goes_on(job->team, blocks, block));
}

#endif

/* Apart, blocks of tiles or, with few channels, of lines of tiles. */
static void run_apart(product_job *job, dirac__team *team)
{
    const int64_t count = job->tiling.count;
#if WINOGRAD_HAS_LINES
    if (has_lines(job->summed, job->written, &job->tiling)) {
        job->cut.blocks = at_most(job->cut.blocks, count / job->tiling.wide);
        dirac__team_run(team, job->cut.blocks, run_lines, job);
        return;
    }
#endif
    job->cut.most = (count + job->cut.blocks - 1) / job->cut.blocks;
    dirac__team_run(team, job->cut.blocks, run_block, job);
}

/* Blocks do not change an element's bits, so the team's size may decide about them, unless blocks are summed over. */
static void run_product(product_job *job, dirac__team *team)
{
    const int64_t lanes = dirac__team_lanes(team), count = job->tiling.count;
    const int32_t summing = job->out.moments != NULL || job->out.mask != NULL;
    if (count == 0) {
        return;
    }
    job->team = team;
    if (job->filters->packed != NULL) {
        job->zero = job->filters->packed + WINOGRAD_POINTS * matrix_stride(job->summed, job->written);
    } else {
        job->zero = memset(job->scratch, 0, (size_t)job->summed * sizeof(float));
        job->scratch += job->summed;
    }
    job->cut = make_cut(job->summed, job->written, count, lanes, summing);
    job->out.written = job->written;
    job->out.parts = job->scratch;
    if (summing) {
        job->scratch += group_count(&job->cut, count) * dirac__group_floats(job->written);
    }
    if (job->cut.together) {
        run_together(job, team);
    } else {
        run_apart(job, team);
    }
    finish_outputs(&job->out, group_count(&job->cut, count));
}

static void forward(float *y, const float *x, const dirac__activation *activation, const dirac__filters *filters,
                    const float *bias, int32_t relu, const dirac__moments *moments, float *scratch,
                    const dirac__convolution *s, dirac__team *team)
{
    product_job job = {.x = x, .activation = activation, .filters = filters, .scratch = scratch, .ci = s->ci,
                       .summed = s->ci, .written = s->co, .tiling = WINOGRAD(tiling_forward)(s),
                       .out = {.y = y, .bias = bias, .relu = relu, .moments = moments}};
    run_product(&job, team);
}

static void backward_data(float *dx, const float *dy, const dirac__filters *filters, const dirac__mask *mask,
                          float *scratch, const dirac__convolution *s, dirac__team *team)
{
    product_job job = {.x = dy, .filters = filters, .scratch = scratch, .ci = s->ci, .summed = s->co, .written = s->ci,
                       .transposed = 1, .tiling = WINOGRAD(tiling_backward)(s), .out = {.y = dx, .mask = mask}};
    run_product(&job, team);
}

/* ---- the table ---- */

static int32_t fits(const dirac__convolution *s)
{
    const int32_t plane = s->in[0] == 1 && s->kernel[0] == 1 && s->before[0] == 0 && s->out[0] == 1;
    int32_t can = plane && s->groups == 1 && s->ci % DIRAC_LANES == 0 && s->co % DIRAC_LANES == 0;
    for (int d = 0; d < 3; d++) {
        can = can && s->stride[d] == 1 && s->dilation[d] == 1 && (d == 0 || (s->kernel[d] == 3 && s->before[d] <= 2));
    }
    return can;
}

extern const dirac__winograd WINOGRAD(table);

const dirac__winograd WINOGRAD(table) = {
    .out = WINOGRAD_OUT,
    .fits = fits,
    .packed = WINOGRAD(packed),
    .pack = WINOGRAD(pack),
    .packed_transposed = WINOGRAD(packed_transposed),
    .pack_transposed = WINOGRAD(pack_transposed),
    .takes_unpacked = takes_unpacked,
    .scratch = scratch_floats,
    .forward = forward,
    .backward_data = backward_data,
    .weight_scratch = WINOGRAD(weight_scratch),
    .backward_weight = WINOGRAD(backward_weight),
};
