/* SPDX-License-Identifier: MIT */
/*
 * The gradient of a convolution at its weights. Forward: y[r,o] += x[row(r,t), i] What[o,i,t]; so
 *   g[o,i,t] = sum over rows r (all pixels of all images) of x[row(r,t), i] dy[r,o]
 * x (n, in, groups * ci), dy (n, out, groups * co), g (groups * co, ci, taps).
 *
 * Rows are cut into partitions by shape, each with a sum of its own in scratch, [group][panel][t][i][width] as in packed
 * weights; a partition is cut into slices, whose sums start at zero and are added to the partition's. The partitions are
 * added in order at the end. With n slices in a partition an element errs by at most SLICE_ROWS + n + partitions
 * roundings of the sum of |x dy|, instead of one for each row.
 */
#include "base/mem.h"
#include "kernels/convolution.h"

#include "kernels/convolution_tile.h"

#ifndef SLICE_ROWS
#define SLICE_ROWS 128
#endif
#define MOST_PARTITIONS 16
#define PARTITION_ROWS 512          /* at least, if there are several */
#define PARTITION_FLOATS (1 << 18) /* all partitions together take about this much, or one takes more */
#ifndef PART_FLOATS
#define PART_FLOATS (1 << 15)      /* of a sum, for one task: stays in the cache from slice to slice */
#endif
#define JOIN_SIZE 128

typedef void outer_function(float *g, const float *const *rows, int64_t offset, const float *dy, int64_t count);

#define OUTER_INSTANCE(m)                                                                                         \
    static void outer_##m##_1(float *g, const float *const *rows, int64_t offset, const float *dy, int64_t count) \
    {                                                                                                             \
        outer_sum(m, 1, g, rows, offset, dy, count);                                                              \
    }                                                                                                             \
    static void outer_##m##_2(float *g, const float *const *rows, int64_t offset, const float *dy, int64_t count) \
    {                                                                                                             \
        outer_sum(m, 2, g, rows, offset, dy, count);                                                              \
    }
DIRAC__HEIGHTS(OUTER_ROWS, OUTER_INSTANCE)

#define OUTER_ENTRY(m) {outer_##m##_1, outer_##m##_2},
static outer_function *const outers[OUTER_ROWS][2] = {DIRAC__HEIGHTS(OUTER_ROWS, OUTER_ENTRY)};

typedef struct weight_job {
    dirac__gather gather;
    const float *dy;
    float *g, *sums;
    int64_t groups, ci, co, taps;
    int64_t rows, partitions, partition_size; /* size: floats of one sum */
    int64_t panels, parts;                    /* a panel's channels ci are shared out over so many tasks */
} weight_job;

static int64_t sum_size(const dirac__convolution *s)
{
    return s->groups * padded_channels(s->co) * product(s->kernel) * s->ci;
}

static int64_t partition_count(const dirac__convolution *s)
{
    int64_t count = at_most(PARTITION_FLOATS / sum_size(s), s->n * product(s->out) / PARTITION_ROWS);
    return at_least(at_most(count, MOST_PARTITIONS), 1);
}

size_t KERNEL(conv_weight_scratch)(const dirac__convolution *s)
{
    size_t size = 0;
    if (!dirac__multiply((size_t)s->groups * (size_t)padded_channels(s->co), (size_t)product(s->kernel), &size) ||
        !dirac__multiply(size, (size_t)s->ci, &size) ||
        !dirac__multiply(size, size > PARTITION_FLOATS ? 1 : (size_t)partition_count(s), &size) ||
        !dirac__add(size, (size_t)s->groups * (size_t)s->ci, &size)) {
        return SIZE_MAX;
    }
    return size;
}

/* dy of one panel's channels, filled up to whole vectors. */
static void copy_panel(float *panel, const float *dy, int64_t stride, int64_t count, int64_t channels, int64_t width)
{
    for (int64_t r = 0; r < count; r++, dy += stride, panel += width) {
        if (channels == width) {
            for (int64_t j = 0; j < width; j += DIRAC_LANES) {
                vec_store(panel + j, vec_load(dy + j));
            }
        } else {
            memset(panel, 0, (size_t)width * sizeof(float));
            memcpy(panel, dy, (size_t)channels * sizeof(float));
        }
    }
}

/* Channels i0 to i1 - 1, all taps, of a panel: rows row0 to row0 + count - 1. sum: the panel's [t][i][width]. */
static void add_slice(float *sum, const weight_job *job, int64_t panel, int64_t i0, int64_t i1, int64_t row0,
                      int64_t count)
{
    int64_t group = panel / panel_count(job->co);
    int64_t p = panel % panel_count(job->co);
    int64_t width = panel_width(job->co, p);
    int64_t blocks = (i1 - i0 + OUTER_ROWS - 1) / OUTER_ROWS;
    float dy[SLICE_ROWS * PANEL] __attribute__((aligned(64)));
    const float *rows[SLICE_ROWS];
    copy_panel(dy, job->dy + (row0 * job->groups + group) * job->co + p * PANEL, job->groups * job->co, count,
               panel_channels(job->co, p), width);
    for (int64_t t = 0; t < job->taps; t++) {
        KERNEL(gather_rows)(rows, count, &job->gather, row0, count, t, 1);
        for (int64_t b = 0; b < blocks; b++) {
            int64_t i = i0 + share(i1 - i0, blocks, b);
            int64_t height = i0 + share(i1 - i0, blocks, b + 1) - i;
            outers[height - 1][width > DIRAC_LANES](sum + (t * job->ci + i) * width, rows, group * job->ci + i, dy,
                                                    count);
        }
    }
}

/* Adds the partitions up and brings channels i0 to i1 - 1 of a panel into the parameters' order. Filters are far apart
 * there: JOIN_SIZE numbers in a row are turned at a time. */
static void join(const weight_job *job, int64_t panel, int64_t i0, int64_t i1)
{
    int64_t group = panel / panel_count(job->co);
    int64_t p = panel % panel_count(job->co);
    int64_t width = panel_width(job->co, p);
    const float *sum = job->sums + (group * padded_channels(job->co) + p * PANEL) * job->taps * job->ci;
    float *g = job->g + (group * job->co + p * PANEL) * job->ci * job->taps;
    float total[JOIN_SIZE * PANEL] __attribute__((aligned(64)));
    for (int64_t k = i0 * job->taps; k < i1 * job->taps; k += JOIN_SIZE) {
        int64_t count = at_most(JOIN_SIZE, i1 * job->taps - k);
        for (int64_t m = 0; m < count; m++) {
            const float *from = sum + ((k + m) % job->taps * job->ci + (k + m) / job->taps) * width;
            for (int64_t j = 0; j < width; j += DIRAC_LANES) {
                vec v = vec_load(from + j);
                for (int64_t n = 1; n < job->partitions; n++) {
                    v += vec_load(from + j + n * job->partition_size);
                }
                vec_store(total + m * width + j, v);
            }
        }
        for (int64_t j = 0; j < panel_channels(job->co, p); j++) {
            float *to = g + j * job->ci * job->taps + k;
            for (int64_t m = 0; m < count; m++) {
                to[m] = total[m * width + j];
            }
        }
    }
}

/* One part of a panel's channels in one partition. */
static void sum_part(void *argument, int64_t task, int32_t lane)
{
    const weight_job *job = argument;
    int64_t part = task % job->parts;
    int64_t panel = task / job->parts % job->panels;
    int64_t partition = task / job->parts / job->panels;
    int64_t i0 = share(job->ci, job->parts, part);
    int64_t i1 = share(job->ci, job->parts, part + 1);
    int64_t begin = share(job->rows, job->partitions, partition);
    int64_t end = share(job->rows, job->partitions, partition + 1);
    float *sum = job->sums + partition * job->partition_size +
                 (panel / panel_count(job->co) * padded_channels(job->co) + panel % panel_count(job->co) * PANEL) *
                     job->taps * job->ci;
    int64_t width = panel_width(job->co, panel % panel_count(job->co));
    (void)lane;
    for (int64_t t = 0; t < job->taps; t++) {
        memset(sum + (t * job->ci + i0) * width, 0, (size_t)((i1 - i0) * width) * sizeof(float));
    }
    for (int64_t row = begin; row < end; row += SLICE_ROWS) {
        add_slice(sum, job, panel, i0, i1, row, at_most(SLICE_ROWS, end - row));
    }
    if (job->partitions == 1) {
        join(job, panel, i0, i1);
    }
}

static void join_part(void *argument, int64_t task, int32_t lane)
{
    const weight_job *job = argument;
    int64_t part = task % job->parts;
    (void)lane;
    join(job, task / job->parts, share(job->ci, job->parts, part), share(job->ci, job->parts, part + 1));
}

void KERNEL(conv_backward_weight)(float *g, const float *x, const float *dy, float *scratch,
                                  const dirac__convolution *s, dirac__team *team)
{
    weight_job job = {.dy = dy, .g = g, .sums = scratch, .groups = s->groups, .ci = s->ci, .co = s->co};
    int64_t lanes = team ? dirac__team_lanes(team) : 1;
    int64_t wanted = lanes > 1 ? 4 * lanes : 1;
    job.taps = product(s->kernel);
    job.rows = s->n * product(s->out);
    job.panels = s->groups * panel_count(s->co);
    job.partitions = partition_count(s);
    job.partition_size = sum_size(s);
    if (job.rows == 0) {
        memset(g, 0, (size_t)(s->groups * s->co * s->ci * job.taps) * sizeof(float));
        return;
    }
    float *zero = scratch + job.partitions * job.partition_size;
    memset(zero, 0, (size_t)(s->groups * s->ci) * sizeof(float));
    KERNEL(gather_forward)(&job.gather, s, x, zero);
    /* For the cache, or for the team: an element's bits do not depend on its part. */
    job.parts = at_least(job.taps * s->ci * PANEL / PART_FLOATS, (wanted - 1) / (job.panels * job.partitions) + 1);
    job.parts = at_most(job.parts, (s->ci + OUTER_ROWS - 1) / OUTER_ROWS);
    dirac__team_run(team, job.partitions * job.panels * job.parts, sum_part, &job);
    if (job.partitions > 1) {
        dirac__team_run(team, job.panels * job.parts, join_part, &job);
    }
}
