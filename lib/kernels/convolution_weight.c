/* SPDX-License-Identifier: MIT */
/*
 * The gradient of a convolution at its weights. Forward: y[r,o] += x[row(r,t), i] What[o,i,t]; so
 *   g[o,i,t] = sum over rows r (all pixels of all images) of x[row(r,t), i] dy[r,o]
 * x (n, in, groups * ci), dy (n, out, groups * co), g (groups * co, ci, taps).
 *
 * A task sums some channels i and all taps of one panel of o (convolution.h) over one partition of the rows, as
 * [t][i][width]. Few weights have several partitions, by shape alone, whose sums stay in scratch and are added in order
 * at the end; a single partition's is brought into the parameters' order by the task itself. A partition is cut into
 * slices, whose sums start at zero and are added to the partition's: with n slices in a partition an element errs by at
 * most SLICE_ROWS + n + partitions roundings of the sum of |x dy|, instead of one for each row.
 */
#include "base/mem.h"
#include "kernels/convolution.h"
#include "kernels/convolution_tile.h"

#define SLICE_ROWS 128
#define JOIN_SIZE 64
#define MOST_PARTITIONS 16
/* Of each partition, if there are several. */
#define PARTITION_ROWS 512
/* All partitions together take at most so much; or there is one, of any size. */
#define PARTITION_FLOATS (1 << 18)
/* About the sum of one task, which is to stay in the cache from slice to slice. */
#define PART_FLOATS (1 << 15)

#define OUTER_INSTANCE(m)                                                                          \
    static void outer_##m##_1(float *g, const float *const *rows, int64_t offset, const float *dy, \
                              int64_t count)                                                       \
    {                                                                                              \
        outer_sum(m, 1, g, rows, offset, dy, count);                                               \
    }                                                                                              \
    static void outer_##m##_2(float *g, const float *const *rows, int64_t offset, const float *dy, \
                              int64_t count)                                                       \
    {                                                                                              \
        outer_sum(m, 2, g, rows, offset, dy, count);                                               \
    }
DIRAC__HEIGHTS(OUTER_ROWS, OUTER_INSTANCE)

#define OUTER_ENTRY(m) {outer_##m##_1, outer_##m##_2},
dirac__outer_function *const KERNEL(outers)[OUTER_ROWS][2] = {DIRAC__HEIGHTS(OUTER_ROWS, OUTER_ENTRY)};

typedef struct weight_job {
    dirac__gather gather;
    const float *dy;
    float *g, *sums;
    int64_t groups, ci, co, taps;
    int64_t rows, partitions, panels;
    int64_t parts;                     /* of each panel's channels i */
    int64_t partition_size, part_size; /* floats; part_size: where lanes have places, else 0 */
} weight_job;

static int64_t sum_size(const dirac__convolution *s)
{
    return s->groups * padded_channels(s->co) * product(s->kernel) * s->ci;
}

static int64_t partition_count(const dirac__convolution *s)
{
    int64_t count =
        at_most(PARTITION_FLOATS / sum_size(s), s->n * product(s->out) / PARTITION_ROWS);
    return at_least(at_most(count, MOST_PARTITIONS), 1);
}

/* Parts of a panel's channels i, at least `least`. */
static int64_t part_count(const dirac__convolution *s, int64_t least)
{
    int64_t blocks = (s->ci + OUTER_ROWS - 1) / OUTER_ROWS;
    return at_most(at_least(product(s->kernel) * s->ci * PANEL / PART_FLOATS, least), blocks);
}

/* The largest part's sum. */
static int64_t part_size(const dirac__convolution *s)
{
    int64_t parts = part_count(s, 1);
    return (s->ci + parts - 1) / parts * product(s->kernel) * PANEL;
}

/* A single large partition lives in one part's place for each lane, and so in the cache. */
static int32_t by_lane(const dirac__convolution *s)
{
    return partition_count(s) == 1 && sum_size(s) / part_size(s) >= DIRAC__MAX_LANES;
}

size_t KERNEL(conv_weight_scratch)(const dirac__convolution *s)
{
    size_t size = 0;
    if (!dirac__multiply((size_t)s->groups * (size_t)padded_channels(s->co),
                         (size_t)product(s->kernel), &size) ||
        !dirac__multiply(size, (size_t)s->ci, &size) || size > SIZE_MAX / 2) {
        return SIZE_MAX;
    }
    size =
        by_lane(s) ? (size_t)(DIRAC__MAX_LANES * part_size(s)) : size * (size_t)partition_count(s);
    return size + (size_t)(s->groups * s->ci);
}

/* dy of one panel's channels, filled up to whole vectors. */
static void copy_panel(float *panel, const float *dy, int64_t stride, int64_t count,
                       int64_t channels, int64_t width)
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

/* What one task sums: channels i0 to i1 - 1 of a panel. */
typedef struct part {
    int64_t group, first; /* of the panel's channels */
    int64_t channels, width;
    int64_t i0, i1;
    float *sum; /* [t][i - i0][width], of the first partition */
} part;

static part part_of(const weight_job *job, int64_t index, int32_t lane)
{
    int64_t panel = index / job->parts;
    int64_t p = panel % panel_count(job->co);
    part out = {.group = panel / panel_count(job->co), .first = p * PANEL};
    out.channels = panel_channels(job->co, p);
    out.width = panel_width(job->co, p);
    out.i0 = share(job->ci, job->parts, index % job->parts);
    out.i1 = share(job->ci, job->parts, index % job->parts + 1);
    out.sum = job->sums + lane * job->part_size;
    if (job->part_size == 0) {
        out.sum +=
            ((out.group * padded_channels(job->co) + out.first) * job->ci + out.i0 * out.width) *
            job->taps;
    }
    return out;
}

/* Adds the products of rows row0 to row0 + count - 1. */
static void add_slice(float *sum, const weight_job *job, const part *q, int64_t row0, int64_t count)
{
    int64_t height = q->i1 - q->i0;
    int64_t blocks = (height + OUTER_ROWS - 1) / OUTER_ROWS;
    float dy[SLICE_ROWS * PANEL] __attribute__((aligned(64)));
    const float *rows[SLICE_ROWS];
    copy_panel(dy, job->dy + (row0 * job->groups + q->group) * job->co + q->first,
               job->groups * job->co, count, q->channels, q->width);
    for (int64_t t = 0; t < job->taps; t++) {
        KERNEL(gather_rows)(rows, count, &job->gather, row0, count, t, 1);
        for (int64_t b = 0; b < blocks; b++) {
            int64_t i = share(height, blocks, b);
            int64_t size = share(height, blocks, b + 1) - i;
            KERNEL(outers)[size - 1][q->width > DIRAC_LANES](sum + (t * height + i) * q->width, rows,
                                                     q->group * job->ci + q->i0 + i, dy, count);
        }
    }
}

/* Adds the partitions up and brings them into the parameters' order. Filters are far apart there: JOIN_SIZE numbers of
 * each are turned at a time. */
static void join(const weight_job *job, const part *q)
{
    int64_t taps = job->taps;
    float total[JOIN_SIZE * PANEL] __attribute__((aligned(64)));
    for (int64_t k = 0; k < (q->i1 - q->i0) * taps; k += JOIN_SIZE) {
        int64_t count = at_most(JOIN_SIZE, (q->i1 - q->i0) * taps - k);
        for (int64_t m = 0; m < count; m++) {
            const float *from =
                q->sum + ((k + m) % taps * (q->i1 - q->i0) + (k + m) / taps) * q->width;
            for (int64_t j = 0; j < q->width; j += DIRAC_LANES) {
                vec v = vec_load(from + j);
                for (int64_t n = 1; n < job->partitions; n++) {
                    v += vec_load(from + j + n * job->partition_size);
                }
                vec_store(total + m * q->width + j, v);
            }
        }
        for (int64_t j = 0; j < q->channels; j++) {
            float *to = job->g + ((q->group * job->co + q->first + j) * job->ci + q->i0) * taps + k;
            for (int64_t m = 0; m < count; m++) {
                /* cppcheck-suppress uninitvar ; vec_store() wrote it */
                to[m] = total[m * q->width + j];
            }
        }
    }
}

static void sum_part(void *argument, int64_t task, int32_t lane)
{
    const weight_job *job = argument;
    part q = part_of(job, task % (job->panels * job->parts), lane);
    int64_t partition = task / (job->panels * job->parts);
    int64_t begin = share(job->rows, job->partitions, partition);
    int64_t end = share(job->rows, job->partitions, partition + 1);
    float *sum = q.sum + partition * job->partition_size;
    memset(sum, 0, (size_t)((q.i1 - q.i0) * job->taps * q.width) * sizeof(float));
    for (int64_t row = begin; row < end; row += SLICE_ROWS) {
        add_slice(sum, job, &q, row, at_most(SLICE_ROWS, end - row));
    }
    if (job->partitions == 1) {
        join(job, &q);
    }
}

static void join_part(void *argument, int64_t task, int32_t lane)
{
    const weight_job *job = argument;
    part q = part_of(job, task, lane);
    join(job, &q);
}

void KERNEL(conv_backward_weight)(float *g, const float *x, const float *dy, float *scratch,
                                  const dirac__convolution *s, dirac__team *team)
{
    weight_job job = {
        .dy = dy, .g = g, .sums = scratch, .groups = s->groups, .ci = s->ci, .co = s->co};
    int64_t lanes = team ? dirac__team_lanes(team) : 1;
    int64_t wanted = lanes > 1 ? 4 * lanes : 1;
    job.taps = product(s->kernel);
    job.rows = s->n * product(s->out);
    job.panels = s->groups * panel_count(s->co);
    job.partitions = partition_count(s);
    job.partition_size = sum_size(s);
    job.part_size = by_lane(s) ? part_size(s) : 0;
    if (job.rows == 0) {
        memset(g, 0, (size_t)(s->groups * s->co * s->ci * job.taps) * sizeof(float));
        return;
    }
    float *zero = scratch + (by_lane(s) ? DIRAC__MAX_LANES * job.part_size
                                        : job.partitions * job.partition_size);
    memset(zero, 0, (size_t)(s->groups * s->ci) * sizeof(float));
    KERNEL(gather_forward)(&job.gather, s, x, zero);
    /* More parts if the team needs them: an element's bits do not depend on its part. */
    job.parts = part_count(s, (wanted - 1) / (job.panels * job.partitions) + 1);
    dirac__team_run(team, job.partitions * job.panels * job.parts, sum_part, &job);
    if (job.partitions > 1) {
        dirac__team_run(team, job.panels * job.parts, join_part, &job);
    }
}
