/* SPDX-License-Identifier: MIT */
/* Data sets and batches. */
#include "api.h"

enum { BYTES = 1 << 14 };

static uint8_t pixels[BYTES];

static int32_t sample(void *user, int64_t index, float *values, int32_t *label)
{
    const api_source *source = user;
    for (size_t i = 0; i < source->elements; i++)
        values[i] = (float)(index + (int64_t)i);
    *label = (int32_t)(index % 3);
    return source->fails > 0 && index % source->fails == source->fails - 1;
}

/* Small ones, legal and not, but no legal one larger than the buffers. */
static void create_callback(machine *m, dirac_dataset **out)
{
    int64_t dims[8];
    const int32_t rank = api_sizes(m, dims) % 8;
    api_source *source = &m->sources[m->n_sources];
    if (m->n_sources == sizeof m->sources / sizeof m->sources[0])
        return;
    *source = (api_source){1, api_option(m)};
    for (int32_t i = 0; i < 4; i++)
        source->elements *= dims[i] > 0 && dims[i] < 64 && i < rank ? (size_t)dims[i] : 1;
    for (int32_t i = 0; i < 4; i++)
        if (dims[i] > 64)
            return;
    m->n_sources++;
    fuzz_status(dirac_dataset_create_callback(out, api_pick_context(m), dims, rank, api_size(m), sample, source));
}

static void create_set(machine *m)
{
    const int32_t slot = api_byte(m) % 2;
    int64_t dims[8];
    dirac_dataset_destroy(m->datasets[slot]);
    m->datasets[slot] = NULL;
    switch (api_byte(m) % 4) {
    case 0: create_callback(m, &m->datasets[slot]); break;
    case 1: fuzz_status(dirac_dataset_create_floats(&m->datasets[slot], api_pick_context(m), dims, api_sizes(m, dims) % 8)); break;
    default:
        fuzz_status(dirac_dataset_create_images(&m->datasets[slot], api_pick_context(m), api_size(m), api_size(m), api_size(m)));
        break;
    }
}

static void destroy_set(machine *m)
{
    const int32_t slot = api_byte(m) % 2;
    dirac_dataset_destroy(m->datasets[slot]);
    m->datasets[slot] = NULL;
}

static size_t elements_of(const dirac_dataset *set)
{
    int64_t dims[4];
    int32_t rank = 0;
    size_t count = 1;
    if (dirac_dataset_shape(set, dims, &rank) != DIRAC_OK)
        rank = 0;
    for (int32_t i = 0; i < rank; i++)
        if (__builtin_mul_overflow(count, (size_t)dims[i], &count))
            return SIZE_MAX / 2;
    return count;
}

static void add_samples(machine *m)
{
    dirac_dataset *set = m->datasets[api_byte(m) % 2];
    const int64_t n = api_byte(m) > 250 ? -1 : api_byte(m) % 8;
    const int32_t *labels = m->labels + api_byte(m) % 8;
    if (elements_of(set) * 8 > BYTES)
        return;
    fuzz_status(dirac_dataset_add_images(set, pixels, api_option(m), labels, n));
    fuzz_status(dirac_dataset_add_floats(set, m->numbers, labels, n));
}

static void look_at_set(machine *m)
{
    dirac_dataset *set = m->datasets[api_byte(m) % 2];
    const int64_t index = api_size(m) - 1;
    const size_t count = elements_of(set);
    fuzz_status(dirac_dataset_set_class_name(set, api_option(m), api_name(m)));
    (void)dirac_dataset_class_name(set, api_option(m));
    FUZZ_CHECK(dirac_dataset_label(set, index) >= -1 && dirac_dataset_classes(set) >= 0 && dirac_dataset_count(set) >= 0);
    if (count < NUMBERS / 2)
        fuzz_status(dirac_dataset_read(set, index, m->numbers + NUMBERS / 2, count + (api_byte(m) > 250)));
}

static void create_batches(machine *m)
{
    const int32_t slot = api_byte(m) % 2;
    dirac_batches_destroy(m->batches[slot]);
    fuzz_status(dirac_batches_create(&m->batches[slot], m->datasets[api_byte(m) % 2]));
}

static void destroy_batches(machine *m)
{
    const int32_t slot = api_byte(m) % 2;
    dirac_batches_destroy(m->batches[slot]);
    m->batches[slot] = NULL;
}

static void set_batches(machine *m)
{
    dirac_batches *b = m->batches[api_byte(m) % 2];
    switch (api_byte(m) % 8) {
    case 0: fuzz_status(dirac_batches_set_seed(b, api_seed(m))); break;
    case 1: fuzz_status(dirac_batches_set_shuffle(b, api_option(m))); break;
    case 2: fuzz_status(dirac_batches_set_drop_last(b, api_option(m))); break;
    case 3: fuzz_status(dirac_batches_set_crop(b, api_option(m), api_option(m))); break;
    case 4: fuzz_status(dirac_batches_set_flip(b, api_option(m))); break;
    case 5: fuzz_status(dirac_batches_set_normalization(b, m->numbers, m->numbers + 1, api_size(m) & 7)); break;
    case 6: fuzz_status(dirac_batches_set_prefetch(b, api_byte(m) % 16 == 0 ? api_option(m) : 0)); break;
    default: fuzz_status(dirac_batches_set_size(b, api_size(m))); break;
    }
}

static void next(machine *m)
{
    dirac_batches *b = m->batches[api_byte(m) % 2];
    const float *samples = NULL;
    const int32_t *labels = NULL;
    int64_t n = 0, epoch, batch;
    volatile float sum = 0;
    if (api_byte(m) % 4 == 0)
        fuzz_status(dirac_batches_seek(b, api_size(m) - 1, api_size(m) - 1));
    const int32_t status = dirac_batches_next(b, &samples, &labels, &n);
    fuzz_status(status);
    for (int64_t i = 0; status == DIRAC_OK && i < n; i++)
        sum += samples[i] + (float)labels[i];
    (void)sum;
    fuzz_status(dirac_batches_position(b, &epoch, &batch));
    FUZZ_CHECK(dirac_batches_per_epoch(b) >= 0);
}

const operation api_data_operations[] = {create_set, destroy_set, add_samples, add_samples, look_at_set, create_batches,
                                         create_batches, destroy_batches, set_batches, set_batches, next, next, NULL};
