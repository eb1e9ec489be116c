/* SPDX-License-Identifier: MIT */
/*
 * Convolution forward and its gradient at the input, both as one gathered product (convolution.h):
 *   y[r,o] = bias[o] + sum over taps t, channels k of x[row(r,t), k] packed[o][t][k],  then max(y, 0) if relu
 * x (images, source, groups * summed), y (images, target, groups * written).
 *
 * No matrix of patches is made: the rows of a block and the taps give a list of pointers, and the micro-kernel follows
 * them. A chunk of rows takes each panel in turn, so that a panel read from memory serves the whole chunk.
 *
 * The gradient at the input undoes y[q] += x[q * stride - before + t * dilation] w[t]: pixel p receives
 *   dx[p] = sum over t of dy[(p + before - t * dilation) / stride] w[t]   where that divides and lies inside.
 * Pixels of equal p % stride share the taps that divide: each such phase is a gathered product of its own.
 */
#include "kernels/convolution.h"
#include "kernels/convolution_tile.h"

#define CHUNK_POINTERS 2304 /* of source rows: 18 KiB of stack */
#define CHUNK_ROWS 384
#define CHUNK_TAPS 128 /* more are taken in several goes, with the sums waiting in the tile */
#define CHUNK_LINES 8192 /* floats of copied lines */
#define LINE_CHANNELS 8 /* of pixels that are copied */

typedef struct product_job {
    dirac__gather gather;
    const float *packed, *bias;
    int32_t relu;
    float *y;
    int64_t groups, summed, written; /* channels of one group */
    /* Grid position a writes pixel phase + a * target_step of y. */
    int64_t target[3], phase[3], target_step[3];
    /* The gather's tap t is tap tap0 + t * tap_step of the weights. */
    int64_t kernel[3], tap0[3], tap_step[3];
    /* Tasks are chunks of rows times parts of the panels. */
    int64_t rows, chunks, parts;
    int32_t copies; /* source lines, and takes all taps along w as one (gather_lines) */
} product_job;

typedef struct chunk {
    int64_t row0, count;
    const float *rows[CHUNK_POINTERS];
    float *y[CHUNK_ROWS];
    int64_t at[CHUNK_TAPS];
    int64_t taps; /* gathered */
    float lines[CHUNK_LINES];
} chunk;

#define TILE_INSTANCE(m)                                          \
    static void tile_##m##_1(float *tile, const tile_operands *o) \
    {                                                             \
        tile_sum(m, 1, tile, o);                                  \
    }                                                             \
    static void tile_##m##_2(float *tile, const tile_operands *o) \
    {                                                             \
        tile_sum(m, 2, tile, o);                                  \
    }
DIRAC__HEIGHTS(TILE_ROWS, TILE_INSTANCE)

#define TILE_ENTRY(m) {tile_##m##_1, tile_##m##_2},
dirac__tile_function *const KERNEL(tiles)[TILE_ROWS][2] = {DIRAC__HEIGHTS(TILE_ROWS, TILE_ENTRY)};

/* The pixels of y that the chunk's rows write. */
static void target_rows(chunk *c, const product_job *job)
{
    const int64_t *grid = job->gather.grid;
    int64_t channels = job->groups * job->written;
    for (int64_t r = 0; r < c->count;) {
        int64_t row = c->row0 + r;
        int64_t w = row % grid[2];
        int64_t h = row / grid[2] % grid[1];
        int64_t d = row / grid[2] / grid[1] % grid[0];
        int64_t image = row / grid[2] / grid[1] / grid[0];
        int64_t run = at_most(c->count - r, grid[2] - w);
        int64_t pixel = image * job->target[0] + job->phase[0] + d * job->target_step[0];
        pixel = pixel * job->target[1] + job->phase[1] + h * job->target_step[1];
        pixel = pixel * job->target[2] + job->phase[2] + w * job->target_step[2];
        for (int64_t j = 0; j < run; j++) {
            c->y[r + j] = job->y + (pixel + j * job->target_step[2]) * channels;
        }
        r += run;
    }
}

/* Gathers taps tap0 to tap0 + taps - 1 for rows r to r + count - 1 of the chunk. */
static void gather_taps(chunk *c, const product_job *job, int64_t r, int64_t count, int64_t tap0,
                        int64_t taps)
{
    const int64_t *size = job->gather.taps;
    KERNEL(gather_rows)(c->rows, count, &job->gather, c->row0 + r, count, tap0, taps);
    for (int64_t t = 0; t < taps; t++) {
        int64_t w = job->tap0[2] + (tap0 + t) % size[2] * job->tap_step[2];
        int64_t h = job->tap0[1] + (tap0 + t) / size[2] % size[1] * job->tap_step[1];
        int64_t d = job->tap0[0] + (tap0 + t) / size[2] / size[1] * job->tap_step[0];
        c->at[t] = ((d * job->kernel[1] + h) * job->kernel[2] + w) * job->summed;
    }
    c->taps = taps;
}

static void gather_copies(chunk *c, const product_job *job)
{
    KERNEL(gather_lines)(c->rows, c->lines, &job->gather, c->row0, c->count);
    c->taps = job->kernel[0] * job->kernel[1];
    for (int64_t t = 0; t < c->taps; t++) {
        c->at[t] = t * job->kernel[2] * job->summed;
    }
}

/* y <- tile + bias, and max(., 0) in the form that keeps NaN. `channels` of a row are stored. */
static void store_tile(float *const *y, int64_t offset, const float *tile, int64_t count,
                       int64_t width, int64_t channels, const float *bias, int32_t relu)
{
    for (int64_t m = 0; m < count; m++) {
        for (int64_t j = 0; j < width; j += DIRAC_LANES) {
            vec v = vec_load(tile + m * width + j) + vec_load(bias + j);
            float *to = y[m] + offset + j;
            if (relu) {
                v = vec_relu(v);
            }
            if (j + DIRAC_LANES <= channels) {
                vec_store(to, v);
            } else {
                for (int64_t i = 0; i < channels - j; i++) {
                    to[i] = v[i];
                }
            }
        }
    }
}

/* One panel for all rows of the chunk. */
static void run_panel(chunk *c, const product_job *job, int64_t group, int64_t p)
{
    int64_t width = panel_width(job->written, p);
    int64_t channels = panel_channels(job->written, p);
    int64_t all_taps = product(job->gather.taps);
    int64_t blocks = (c->count + TILE_ROWS - 1) / TILE_ROWS;
    float tile[TILE_ROWS * PANEL] __attribute__((aligned(64)));
    float bias[PANEL] __attribute__((aligned(64))) = {0};
    tile_operands o = {
        .stride = c->count, .offset = group * job->summed, .at = c->at, .channels = job->summed};
    if (job->copies) {
        o.channels *= job->kernel[2];
        all_taps = c->taps;
    }
    o.panel = job->packed + (group * padded_channels(job->written) + p * PANEL) *
                                product(job->kernel) * job->summed;
    if (job->bias) {
        memcpy(bias, job->bias + group * job->written + p * PANEL,
               (size_t)channels * sizeof(float));
    }
    for (int64_t b = 0; b < blocks; b++) {
        int64_t r = share(c->count, blocks, b);
        int64_t count = share(c->count, blocks, b + 1) - r;
        for (int64_t tap0 = 0; tap0 == 0 || tap0 < all_taps; tap0 += CHUNK_TAPS) {
            if (all_taps > CHUNK_TAPS) { /* then the chunk is one block */
                gather_taps(c, job, 0, count, tap0, at_most(CHUNK_TAPS, all_taps - tap0));
            }
            o.taps = c->taps;
            o.more = tap0 > 0;
            o.rows = c->rows + r;
            KERNEL(tiles)[count - 1][width > DIRAC_LANES](tile, &o);
        }
        store_tile(c->y + r, group * job->written + p * PANEL, tile, count, width, channels, bias,
                   job->relu);
    }
}

static void run_chunk(void *argument, int64_t task, int32_t lane)
{
    const product_job *job = argument;
    int64_t index = task / job->parts;
    int64_t part = task % job->parts;
    int64_t panels = panel_count(job->written);
    int64_t end = share(job->groups * panels, job->parts, part + 1);
    chunk c;
    (void)lane;
    c.row0 = share(job->rows, job->chunks, index);
    c.count = share(job->rows, job->chunks, index + 1) - c.row0;
    c.taps = 0;
    target_rows(&c, job);
    if (job->copies) {
        gather_copies(&c, job);
    } else if (product(job->gather.taps) <= CHUNK_TAPS) {
        gather_taps(&c, job, 0, c.count, 0, product(job->gather.taps));
    }
    for (int64_t p = share(job->groups * panels, job->parts, part); p < end; p++) {
        run_panel(&c, job, p / panels, p % panels);
    }
}

/* Rows of a chunk, at most. */
static int64_t chunk_rows(const product_job *job)
{
    const int64_t taps = product(job->gather.taps);
    if (job->copies) {
        const int64_t lines = job->kernel[0] * job->kernel[1];
        const int64_t floats = at_least(job->kernel[2], job->gather.step[2]) * job->summed * lines;
        return at_most(at_most(CHUNK_LINES / floats, CHUNK_POINTERS / lines), CHUNK_ROWS) / TILE_ROWS * TILE_ROWS;
    }
    return taps > CHUNK_TAPS ? TILE_ROWS : at_most(CHUNK_POINTERS / at_least(taps, 1), CHUNK_ROWS);
}

/* Cuts the product into tasks. An element's bits do not depend on its chunk, so the team's size may decide. */
static void run_product(product_job *job, dirac__team *team)
{
    int64_t lanes = team ? dirac__team_lanes(team) : 1;
    int64_t wanted = lanes > 1 ? 4 * lanes : 1;
    int64_t most = chunk_rows(job);
    job->rows = job->gather.images * product(job->gather.grid);
    if (job->rows == 0) {
        return;
    }
    job->chunks =
        at_least((job->rows + most - 1) / most, at_most(wanted, job->rows / (4 * TILE_ROWS)));
    job->parts =
        at_most((wanted + job->chunks - 1) / job->chunks, job->groups * panel_count(job->written));
    dirac__team_run(team, job->chunks * job->parts, run_chunk, job);
}

void KERNEL(conv_forward)(float *y, const float *x, const float *packed, const float *bias,
                          int32_t relu, const dirac__convolution *s, dirac__team *team)
{
    product_job job = {.packed = packed, .bias = bias, .relu = relu, .y = y};
    int64_t zeros = s->groups * padded_channels(s->co) * product(s->kernel) * s->ci;
    KERNEL(gather_forward)(&job.gather, s, x, packed + zeros);
    job.groups = s->groups;
    job.summed = s->ci;
    job.written = s->co;
    for (int d = 0; d < 3; d++) {
        job.target[d] = job.gather.grid[d];
        job.target_step[d] = 1;
        job.kernel[d] = s->kernel[d];
        job.tap_step[d] = 1;
    }
    job.copies = s->groups == 1 && s->ci <= LINE_CHANNELS && s->kernel[2] > 1 && s->dilation[2] == 1;
    job.copies = job.copies && s->kernel[0] * s->kernel[1] <= CHUNK_TAPS && chunk_rows(&job) > 0;
    run_product(&job, team);
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Dimension d of the phase of pixels p = phase + a * stride: the taps t with p + before - t * dilation divisible by the
 * stride are tap0 + j * tap_step. They read pixel (phase + before - tap0 * dilation) / stride + a of dy, and tap_step *
 * dilation / stride less for each j. */
static void backward_dimension(product_job *job, const dirac__convolution *s, int d, int64_t phase)
{
    int64_t stride = s->stride[d];
    int64_t step = stride / common_divisor(s->dilation[d], stride);
    int64_t tap = 0;
    while (tap < at_most(step, s->kernel[d]) &&
           (phase + s->before[d] - tap * s->dilation[d]) % stride != 0) {
        tap++;
    }
    int32_t none = tap == at_most(step, s->kernel[d]);
    job->kernel[d] = s->kernel[d];
    job->tap0[d] = tap;
    job->tap_step[d] = step;
    job->target[d] = s->in[d];
    job->phase[d] = phase;
    job->target_step[d] = stride;
    job->gather.grid[d] = (s->in[d] - phase + stride - 1) / stride;
    job->gather.taps[d] = none ? 0 : (s->kernel[d] - 1 - tap) / step + 1;
    job->gather.source[d] = s->out[d];
    job->gather.first[d] = none ? 0 : (phase + s->before[d] - tap * s->dilation[d]) / stride;
    job->gather.step[d] = 1;
    job->gather.tap_step[d] = -(step * s->dilation[d] / stride);
}

void KERNEL(conv_backward_data)(float *dx, const float *dy, const float *packed,
                                const dirac__convolution *s, dirac__team *team)
{
    int64_t zeros = s->groups * padded_channels(s->ci) * product(s->kernel) * s->co;
    int64_t phases[3];
    for (int d = 0; d < 3; d++) {
        phases[d] = at_most(s->stride[d], s->in[d]);
    }
    for (int64_t index = 0; index < product(phases); index++) {
        product_job job = {
            .packed = packed, .y = dx, .groups = s->groups, .summed = s->co, .written = s->ci};
        job.gather = (dirac__gather){
            .images = s->n, .channels = s->groups * s->co, .x = dy, .zero = packed + zeros};
        backward_dimension(&job, s, 0, index / phases[2] / phases[1]);
        backward_dimension(&job, s, 1, index / phases[2] % phases[1]);
        backward_dimension(&job, s, 2, index % phases[2]);
        if (product(s->stride) == 1) {
            KERNEL(gather_flatten)(&job.gather);
            memcpy(job.target, job.gather.grid, sizeof job.target);
        }
        run_product(&job, team);
    }
}
