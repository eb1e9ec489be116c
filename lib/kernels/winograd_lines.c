/* SPDX-License-Identifier: MIT */
/*
 * With 16 channels, Winograd's three steps (winograd.h) move more memory than they do arithmetic, if each is done for all
 * points of many tiles. Here a few tiles of one line pass through them for one pair of rows of points after the other, and all
 * of it stays in the first-level cache:
 *
 *     V <- rows p, q of B' x B    V <- V U, in place    kept[pair] <- (p, q as output_join takes them) A
 *
 * and in the end y <- the join of all pairs, by columns.
 */
#include "kernels/winograd_lines.h"

#include "kernels/winograd_ahead.h"

#if WINOGRAD_HAS_LINES

#define SEGMENT_COLUMNS (SEGMENT * WINOGRAD_OUT + 2)

#define VECTORS (LINE_CHANNELS / DIRAC_LANES)
#if DIRAC_LANES == 16 /* tiles of one product: eight sums */
#define ROWS 8
#else
#define ROWS 4
#endif

static const float zeros[SEGMENT_COLUMNS * LINE_CHANNELS];

/* Two rows of points: [which * IN + column of points][tile][channel]. */
typedef float point_rows[2 * WINOGRAD_IN][SEGMENT * LINE_CHANNELS];

/* What is kept of a pair: [which][column of outputs][channel] of one vector of channels of each tile. */
typedef float pair_rows[SEGMENT][VECTORS][2][WINOGRAD_OUT][DIRAC_LANES];

/* The tiles of one line that are worked on, and their inputs: column j of row i at rows[i] + j * LINE_CHANNELS. */
typedef struct segment {
    dirac__tile_place place; /* of the first tile */
    int64_t tiles;
    const float *rows[WINOGRAD_IN]; /* zeros outside the image */
    int64_t top, bottom;            /* of rows inside */
    int64_t begin, end;             /* of columns inside */
} segment;

static segment find_segment(const dirac__lines *job, const dirac__tile_place *place, int64_t tiles)
{
    const dirac__tiling *tiling = job->tiling;
    segment s = {.place = *place, .tiles = tiles};
    const int64_t top = place->row * WINOGRAD_OUT - tiling->before[0], left = place->column * WINOGRAD_OUT - tiling->before[1];
    s.top = at_least(0, -top);
    s.bottom = at_most(WINOGRAD_IN, tiling->source[0] - top);
    s.begin = at_least(0, -left);
    s.end = tiling->source[1] - left;
    for (int64_t i = 0; i < WINOGRAD_IN; i++) {
        const int64_t row = (place->image * tiling->source[0] + top + i) * tiling->source[1] + left;
        s.rows[i] = i >= s.top && i < s.bottom ? job->x + row * LINE_CHANNELS : zeros;
    }
    return s;
}

/* ---- inputs ---- */

typedef int32_t bits __attribute__((vector_size(DIRAC_LANES * 4)));

/* How inputs are read: as they are, or through max(scale x + shift, 0) and, behind that map, with rows outside as zeros. */
typedef struct reading {
    vec scale, shift;
    bits rows[WINOGRAD_IN]; /* all ones, or zeros outside */
} reading;

static ALWAYS_INLINE reading read_through(const dirac__activation *map, const segment *s, int64_t c)
{
    reading r = {.scale = vec_load(map->scale + c), .shift = vec_load(map->shift + c)};
    for (int64_t i = 0; i < WINOGRAD_IN; i++) {
        r.rows[i] = (bits){0} - (i >= s->top && i < s->bottom);
    }
    return r;
}

/* One column of inputs, channels c to c + LANES - 1, to a pair of rows of points. `inside`: of the image. */
static ALWAYS_INLINE void read_column(int active, int pair, int inside, vec *p, vec *q, const segment *s, int64_t j, int64_t c,
                                      const reading *r)
{
    vec column[WINOGRAD_IN], points[2] = {{0}, {0}};
    if (inside) {
        UNROLL
        for (int i = 0; i < WINOGRAD_IN; i++) {
            column[i] = vec_load(s->rows[i] + j * LINE_CHANNELS + c);
            if (active) {
                column[i] = (vec)((bits)vec_relu(r->scale * column[i] + r->shift) & r->rows[i]);
            }
        }
        input_pair(pair, points, column);
    }
    *p = points[0];
    *q = points[1];
}

/* One vector of channels. Tiles share two columns with the next. There are at most two before the image. */
static ALWAYS_INLINE void transform_vector(int active, int pair, point_rows v, const segment *in, const dirac__activation *map,
                                           int64_t c)
{
    const segment s = *in; /* of which the compiler knows that v is no part */
    const reading r = active ? read_through(map, in, c) : (reading){.scale = {0}};
    vec p[WINOGRAD_IN], q[WINOGRAD_IN], points[WINOGRAD_IN];
    UNROLL
    for (int j = 0; j < 2; j++) {
        read_column(active, pair, j >= s.begin && j < s.end, &p[j], &q[j], &s, j, c, &r);
    }
    for (int64_t t = 0, left = 0; t < s.tiles; t++, left += WINOGRAD_OUT) {
        const int whole = left + WINOGRAD_IN <= s.end;
        UNROLL
        for (int j = 2; j < WINOGRAD_IN; j++) {
            read_column(active, pair, whole || left + j < s.end, &p[j], &q[j], &s, left + j, c, &r);
        }
        input_transform(points, p);
        UNROLL
        for (int j = 0; j < WINOGRAD_IN; j++) {
            vec_store(v[j] + t * LINE_CHANNELS + c, points[j]);
        }
        input_transform(points, q);
        UNROLL
        for (int j = 0; j < WINOGRAD_IN; j++) {
            vec_store(v[WINOGRAD_IN + j] + t * LINE_CHANNELS + c, points[j]);
        }
        UNROLL
        for (int j = 0; j < 2; j++) {
            p[j] = p[WINOGRAD_OUT + j];
            q[j] = q[WINOGRAD_OUT + j];
        }
    }
}

static ALWAYS_INLINE void transform_pair(int active, int pair, point_rows v, const segment *s, const dirac__activation *map)
{
    for (int64_t c = 0; c < LINE_CHANNELS; c += DIRAC_LANES) {
        transform_vector(active, pair, v, s, map, c);
    }
}

typedef void pair_function(int pair, point_rows v, const segment *s, const dirac__activation *map);

#define PAIR_INSTANCE(name, active, which)                                                   \
    static void name(int pair, point_rows v, const segment *s, const dirac__activation *map) \
    {                                                                                        \
        (void)pair;                                                                          \
        transform_pair(active, which, v, s, map);                                            \
    }
/* Pairs a and b differ in constants alone; neither is pair 0. */
PAIR_INSTANCE(transform_ends, 0, 0)
PAIR_INSTANCE(transform_others, 0, pair == 1 ? 1 : 2)
PAIR_INSTANCE(active_ends, 1, 0)
PAIR_INSTANCE(active_others, 1, pair == 1 ? 1 : 2)
static pair_function *const transforms[2][2] = {{transform_ends, transform_others}, {active_ends, active_others}};

/* ---- products ---- */

/* One point of some tiles in place. A line of memory is called for with each channel, from `call` on if `calling`. */
static ALWAYS_INLINE void multiply_rows(int rows, int calling, float *v, const float *u, const float *call)
{
    const int step = rows == ROWS ? LINE_CHANNELS : 4; /* without a branch; fewer are rare */
    vec sum[ROWS][VECTORS];
    UNROLL
    for (int t = 0; t < rows; t++) {
        UNROLL
        for (int i = 0; i < VECTORS; i++) {
            sum[t][i] = (vec){0};
        }
    }
    for (int k0 = 0; k0 < LINE_CHANNELS; k0 += step) {
        UNROLL
        for (int k = k0; k < k0 + step; k++) {
            vec weights[VECTORS];
            UNROLL
            for (int i = 0; i < VECTORS; i++) {
                weights[i] = vec_load(u + k * LINE_CHANNELS + i * DIRAC_LANES);
            }
            if (calling) {
                __builtin_prefetch(call + k * CACHE_LINE, 0, 2);
            }
            UNROLL
            for (int t = 0; t < rows; t++) {
                const vec x = vec_all(v[t * LINE_CHANNELS + k]);
                UNROLL
                for (int i = 0; i < VECTORS; i++) {
                    sum[t][i] += x * weights[i];
                }
            }
        }
    }
    UNROLL
    for (int t = 0; t < rows; t++) {
        UNROLL
        for (int i = 0; i < VECTORS; i++) {
            vec_store(v + t * LINE_CHANNELS + i * DIRAC_LANES, sum[t][i]);
        }
    }
}

typedef void rows_function(float *v, const float *u);

#define ROWS_INSTANCE(m)                                \
    static void multiply_##m(float *v, const float *u) \
    {                                                   \
        multiply_rows(m, 0, v, u, NULL);                \
    }
#define ROWS_ENTRY(m) multiply_##m,
DIRAC__HEIGHTS(ROWS, ROWS_INSTANCE)
static rows_function *const multiplies[ROWS] = {DIRAC__HEIGHTS(ROWS, ROWS_ENTRY)};

/* All points of a pair; meanwhile memory that `calls` has ready is called for. */
static void multiply_pair(int pair, point_rows v, const float *packed, int64_t tiles, dirac__calls *calls)
{
    const int64_t stride = matrix_stride(LINE_CHANNELS, LINE_CHANNELS);
    for (int i = 0; i < 2 * WINOGRAD_IN; i++) {
        const float *u = packed + (pair_point(pair, i / WINOGRAD_IN) * WINOGRAD_IN + i % WINOGRAD_IN) * stride;
        for (int64_t t = 0; t < tiles; t += ROWS) {
            const int64_t rows = at_most(ROWS, tiles - t);
            const float *call = rows == ROWS ? next_call(calls, LINE_CHANNELS * CACHE_LINE) : NULL;
            if (call != NULL) {
                multiply_rows(ROWS, 1, v[i] + t * LINE_CHANNELS, u, call);
            } else {
                multiplies[rows - 1](v[i] + t * LINE_CHANNELS, u);
            }
        }
    }
}

/* ---- outputs ---- */

/* One vector's products of a pair, at v[point] + at, through A by rows, as output_join takes them. */
static ALWAYS_INLINE void pair_outputs(int pair, vec out[2][WINOGRAD_OUT], point_rows v, int64_t at)
{
    vec p[WINOGRAD_IN], q[WINOGRAD_IN], two[2];
    UNROLL
    for (int j = 0; j < WINOGRAD_IN; j++) {
        output_pair(pair, two, vec_load(v[j] + at), vec_load(v[WINOGRAD_IN + j] + at));
        p[j] = two[0];
        q[j] = two[1];
    }
    output_transform(out[0], p);
    output_transform(out[1], q);
}

static ALWAYS_INLINE void keep_outputs(int pair, pair_rows kept, point_rows v, int64_t tiles)
{
    for (int64_t t = 0; t < tiles; t++) {
        for (int64_t c = 0; c < VECTORS; c++) {
            vec out[2][WINOGRAD_OUT];
            pair_outputs(pair, out, v, t * LINE_CHANNELS + c * DIRAC_LANES);
            UNROLL
            for (int i = 0; i < 2; i++) {
                UNROLL
                for (int j = 0; j < WINOGRAD_OUT; j++) {
                    vec_store(kept[t][c][i][j], out[i][j]);
                }
            }
        }
    }
}

static void keep_pair(int pair, pair_rows kept, point_rows v, int64_t tiles)
{
    if (pair == 0) {
        keep_outputs(0, kept, v, tiles);
    } else {
        keep_outputs(1, kept, v, tiles); /* or any other */
    }
}

/* Column j of the outputs of vector c of tile t, from all pairs, of which `last` is not kept. */
static ALWAYS_INLINE void join_column(vec column[WINOGRAD_OUT], pair_rows *kept, vec last[2][WINOGRAD_OUT], int64_t t,
                                      int64_t c, int j)
{
    vec pairs[POINT_PAIRS][2];
    UNROLL
    for (int which = 0; which < 2; which++) {
        UNROLL
        for (int pair = 0; pair < POINT_PAIRS - 1; pair++) {
            pairs[pair][which] = vec_load(kept[pair][t][c][which][j]);
        }
        pairs[POINT_PAIRS - 1][which] = last[which][j];
    }
    output_join(column, pairs);
}

/* A whole tile in the form that inference has. */
static ALWAYS_INLINE void write_whole(vector_writer *w, pair_rows *kept, point_rows v, int64_t t, int64_t c)
{
    vec last[2][WINOGRAD_OUT], column[WINOGRAD_OUT];
    pair_outputs(POINT_PAIRS - 1, last, v, t * LINE_CHANNELS + c * DIRAC_LANES);
    UNROLL
    for (int j = 0; j < WINOGRAD_OUT; j++) {
        join_column(column, kept, last, t, c, j);
        UNROLL
        for (int i = 0; i < WINOGRAD_OUT; i++) {
            write_one(WRITE_PLAIN, w, i, j, column[i]);
        }
    }
}

/* A tile into memory, by rows. */
static void store_tile(float tile[WINOGRAD_OUT][WINOGRAD_OUT * DIRAC_LANES], pair_rows *kept, point_rows v, int64_t t,
                       int64_t c)
{
    vec last[2][WINOGRAD_OUT], column[WINOGRAD_OUT];
    pair_outputs(POINT_PAIRS - 1, last, v, t * LINE_CHANNELS + c * DIRAC_LANES);
    UNROLL
    for (int j = 0; j < WINOGRAD_OUT; j++) {
        join_column(column, kept, last, t, c, j);
        UNROLL
        for (int i = 0; i < WINOGRAD_OUT; i++) {
            vec_store(tile[i] + j * DIRAC_LANES, column[i]);
        }
    }
}

/* Any tile in any form; `first` of its group or not. */
static ALWAYS_INLINE void write_stored(int mode, const dirac__output *o, const tile_target *target, pair_rows *kept,
                                       point_rows v, int64_t t, int64_t c, float *part, int32_t first)
{
    float tile[WINOGRAD_OUT][WINOGRAD_OUT * DIRAC_LANES];
    vector_writer w = start_vector(mode, o, target, c * DIRAC_LANES, part, first);
    store_tile(tile, kept, v, t, c);
    if (mode == WRITE_MOMENTS && first) {
        w.pivot = vec_load(tile[0]) + w.bias;
    }
    for (int64_t i = 0; i < w.high; i++) {
        vec row[WINOGRAD_OUT];
        UNROLL
        for (int j = 0; j < WINOGRAD_OUT; j++) {
            row[j] = vec_load(tile[i] + j * DIRAC_LANES);
        }
        write_row(mode, 0, &w, i, row);
    }
    finish_vector(mode, &w, c * DIRAC_LANES, part, first);
}

/* One vector of channels of a tile. */
static ALWAYS_INLINE void write_tile_vector(int mode, const dirac__output *o, const tile_target *target,
                                            pair_rows *kept, point_rows v, int64_t t, int64_t c, float *part, int32_t first)
{
    if (mode == WRITE_PLAIN && target->high == WINOGRAD_OUT && target->wide == WINOGRAD_OUT) {
        vector_writer w = start_vector(WRITE_PLAIN, o, target, c * DIRAC_LANES, NULL, 0);
        write_whole(&w, kept, v, t, c);
    } else {
        write_stored(mode, o, target, kept, v, t, c, part, first);
    }
}

/* The tiles of a segment one by one. `first`: of the group. */
static ALWAYS_INLINE void write_segment(int mode, const dirac__lines *job, const segment *s, pair_rows *kept,
                                        point_rows v, float *part, int32_t first)
{
    const dirac__output o = *job->out;
    const int64_t columns = job->tiling->target[1] - s->place.column * WINOGRAD_OUT;
    tile_target target = find_target(job->tiling, &s->place, LINE_CHANNELS);
    for (int64_t t = 0; t < s->tiles; t++, target.offset += WINOGRAD_OUT * LINE_CHANNELS) {
        target.wide = at_most(WINOGRAD_OUT, columns - t * WINOGRAD_OUT);
        for (int64_t c = 0; c < VECTORS; c++) {
            write_tile_vector(mode, &o, &target, kept, v, t, c, part, first && t == 0);
        }
    }
}

typedef void write_function(const dirac__lines *job, const segment *s, pair_rows *kept, point_rows v, float *part,
                            int32_t first);

#define WRITE_INSTANCE(name, mode)                                                                                      \
    static void name(const dirac__lines *job, const segment *s, pair_rows *kept, point_rows v, float *part,             \
                     int32_t first)                                                                                     \
    {                                                                                                                   \
        write_segment(mode, job, s, kept, v, part, first);                                                              \
    }
WRITE_INSTANCE(write_plain, WRITE_PLAIN)
WRITE_INSTANCE(write_moments, WRITE_MOMENTS)
WRITE_INSTANCE(write_masked, WRITE_MASKED)

static write_function *find_writer(const dirac__output *o)
{
    switch (write_mode(o)) {
    case WRITE_MASKED: return write_masked;
    case WRITE_MOMENTS: return write_moments;
    default: return write_plain;
    }
}

/* ---- lines ---- */

/* `first`: of the group. */
static void run_segment(const dirac__lines *job, const segment *s, float *part, int32_t first, dirac__calls *calls)
{
    _Alignas(64) point_rows v;
    _Alignas(64) pair_rows kept[POINT_PAIRS - 1];
    const int active = job->activation != NULL && job->activation->scale != NULL;
    for (int pair = 0; pair < POINT_PAIRS; pair++) {
        transforms[active][pair > 0](pair, v, s, job->activation);
        multiply_pair(pair, v, job->packed, s->tiles, calls);
        if (pair < POINT_PAIRS - 1) {
            keep_pair(pair, kept[pair], v, s->tiles);
        }
    }
    find_writer(job->out)(job, s, kept, v, part, first);
}

/* The pixels of the next line of tiles, if there is one for this lane, and of what this one writes. */
static dirac__calls calls_of(const dirac__lines *job, int64_t line, int32_t goes_on)
{
    const dirac__tiling *tiling = job->tiling;
    const dirac__range target = target_range(tiling, LINE_CHANNELS, line * tiling->wide, tiling->wide);
    dirac__calls calls = {.count = 0};
    if (goes_on) {
        add_call(&calls, job->x, source_range(tiling, LINE_CHANNELS, (line + 1) * tiling->wide, tiling->wide));
    }
    add_call(&calls, job->out->y, target);
    if (job->out->mask != NULL) {
        add_call(&calls, job->out->mask->z, target);
    }
    return calls;
}

void WINOGRAD(lines)(const dirac__lines *job, int64_t l0, int64_t l1, int64_t group, int32_t calling, int32_t goes_on)
{
    const dirac__tiling *tiling = job->tiling;
    const int64_t segments = (tiling->wide + SEGMENT - 1) / SEGMENT, most = (tiling->wide + segments - 1) / segments;
    dirac__tile_place place = {l0 / tiling->high, l0 % tiling->high, 0};
    float *part = job->out->parts + group * dirac__group_floats(LINE_CHANNELS);
    int64_t pixels = 0;
    for (int64_t line = l0; line < l1; line++) {
        dirac__calls calls = {.count = 0};
        if (calling) {
            calls = calls_of(job, line, goes_on || line + 1 < l1);
        }
        pixels += at_most(WINOGRAD_OUT, tiling->target[0] - place.row * WINOGRAD_OUT) * tiling->target[1];
        for (place.column = 0; place.column < tiling->wide; place.column += most) {
            const segment s = find_segment(job, &place, at_most(most, tiling->wide - place.column));
            run_segment(job, &s, part, line == l0 && place.column == 0, &calls);
        }
        place.row++;
        if (place.row == tiling->high) {
            place.row = 0;
            place.image++;
        }
    }
    if (job->out->mask != NULL || job->out->moments != NULL) {
        part[0] = (float)pixels;
    }
}

#endif
