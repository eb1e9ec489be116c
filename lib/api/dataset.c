/* SPDX-License-Identifier: MIT */
/* The public functions of data sets: they check their arguments and call down. */
#include <inttypes.h>
#include <string.h>

#include <dirac/data.h>

#include "base/fail.h"
#include "base/floats.h"
#include "data/cifar.h"
#include "data/dataset.h"
#include "data/idx.h"

static int32_t fail_null(const char *what)
{
    return dirac__fail(DIRAC_ERR_ARGUMENT, "%s is NULL", what);
}

/* Clears *out and checks what every create and load has. */
static int32_t check_create(dirac_dataset **out, const dirac_context *context)
{
    if (!out)
        return fail_null("out");
    *out = NULL;
    return context ? (int32_t)DIRAC_OK : fail_null("context");
}

static int32_t check_split(int32_t split)
{
    if (split == DIRAC_SPLIT_TRAIN || split == DIRAC_SPLIT_TEST)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_ARGUMENT,
                       "split is %" PRId32
                       ", must be DIRAC_SPLIT_TRAIN (0) or DIRAC_SPLIT_TEST (1)",
                       split);
}

/* What may be added to is a set of that kind which no batches were made on. */
static int32_t check_add(const dirac_dataset *dataset, int32_t kind, const void *values,
                         const int32_t *labels, int64_t n)
{
    if (!dataset)
        return fail_null("dataset");
    if (dataset->kind != kind)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "data set: it does not hold %s",
                           kind == DIRAC__SAMPLES_BYTES ? "byte images" : "float samples");
    if (atomic_load(&dataset->frozen))
        return dirac__fail(DIRAC_ERR_STATE,
                           "data set: batches were made on it, samples cannot be added any more");
    if (n < 0)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "n is %" PRId64 ", must be at least 0", n);
    if (n > 0 && !values)
        return fail_null(kind == DIRAC__SAMPLES_BYTES ? "pixels" : "values");
    if (n > 0 && !labels)
        return fail_null("labels");
    return DIRAC_OK;
}

/* Room first: an n beyond all memory is refused before a label is looked at. */
static int32_t prepare_add(dirac_dataset *dataset, const int32_t *labels, int64_t n)
{
    int32_t status = dirac__dataset_reserve(dataset, n);
    if (status != DIRAC_OK)
        return status;
    for (int64_t i = 0; i < n; i++)
        if (labels[i] < 0 || labels[i] > DIRAC__LABEL_LIMIT)
            return dirac__fail(DIRAC_ERR_ARGUMENT,
                               "labels[%" PRId64 "] is %" PRId32 ", must be 0 to %d", i, labels[i],
                               DIRAC__LABEL_LIMIT);
    return DIRAC_OK;
}

int32_t dirac_dataset_create_images(dirac_dataset **out, dirac_context *context, int64_t channels,
                                    int64_t height, int64_t width)
{
    const int64_t dims[3] = {channels, height, width};
    int32_t status = check_create(out, context);
    if (status != DIRAC_OK)
        return status;
    return dirac__dataset_create(out, context, DIRAC__SAMPLES_BYTES, dims, 3);
}

int32_t dirac_dataset_create_floats(dirac_dataset **out, dirac_context *context,
                                    const int64_t *dims, int32_t rank)
{
    int32_t status = check_create(out, context);
    if (status != DIRAC_OK)
        return status;
    if (!dims)
        return fail_null("dims");
    return dirac__dataset_create(out, context, DIRAC__SAMPLES_FLOATS, dims, rank);
}

int32_t dirac_dataset_create_callback(dirac_dataset **out, dirac_context *context,
                                      const int64_t *dims, int32_t rank, int64_t count,
                                      dirac_sample_fn sample, void *user)
{
    int32_t status = check_create(out, context);
    if (status != DIRAC_OK)
        return status;
    if (!dims)
        return fail_null("dims");
    if (!sample)
        return fail_null("sample");
    if (count < 0)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "count is %" PRId64 ", must be at least 0", count);
    status = dirac__dataset_create(out, context, DIRAC__SAMPLES_CALLBACK, dims, rank);
    if (status != DIRAC_OK)
        return status;
    (*out)->count = count;
    (*out)->sample = sample;
    (*out)->user = user;
    return DIRAC_OK;
}

void dirac_dataset_destroy(dirac_dataset *dataset)
{
    dirac__dataset_release(dataset);
}

int32_t dirac_dataset_add_images(dirac_dataset *dataset, const uint8_t *pixels, int32_t layout,
                                 const int32_t *labels, int64_t n)
{
    int32_t status = check_add(dataset, DIRAC__SAMPLES_BYTES, pixels, labels, n);
    if (status != DIRAC_OK)
        return status;
    if (layout != DIRAC_LAYOUT_PLANAR && layout != DIRAC_LAYOUT_INTERLEAVED)
        return dirac__fail(DIRAC_ERR_ARGUMENT,
                           "layout is %" PRId32 ", must be DIRAC_LAYOUT_PLANAR (0) or "
                           "DIRAC_LAYOUT_INTERLEAVED (1)",
                           layout);
    status = prepare_add(dataset, labels, n);
    if (status != DIRAC_OK)
        return status;
    for (size_t i = 0; i < (size_t)n; i++) {
        const uint8_t *image = pixels + i * dataset->sample_bytes;
        if (layout == DIRAC_LAYOUT_PLANAR)
            dirac__dataset_append(dataset, image, labels[i]);
        else
            dirac__dataset_append_interleaved(dataset, image, labels[i]);
    }
    return DIRAC_OK;
}

int32_t dirac_dataset_add_floats(dirac_dataset *dataset, const float *values,
                                 const int32_t *labels, int64_t n)
{
    int32_t status = check_add(dataset, DIRAC__SAMPLES_FLOATS, values, labels, n);
    if (status != DIRAC_OK)
        return status;
    status = prepare_add(dataset, labels, n);
    if (status != DIRAC_OK)
        return status;
    for (size_t i = 0; i < (size_t)n; i++)
        dirac__dataset_append(dataset, values + i * dataset->length, labels[i]);
    return DIRAC_OK;
}

int32_t dirac_dataset_set_class_name(dirac_dataset *dataset, int32_t label, const char *name)
{
    if (!dataset)
        return fail_null("dataset");
    if (!name)
        return fail_null("name");
    if (label < 0 || label > DIRAC__LABEL_LIMIT)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "label is %" PRId32 ", must be 0 to %d", label,
                           DIRAC__LABEL_LIMIT);
    if (atomic_load(&dataset->frozen))
        return dirac__fail(DIRAC_ERR_STATE,
                           "data set: batches were made on it, classes cannot be named any more");
    return dirac__dataset_name_class(dataset, label, name);
}

static int32_t load_cifar(dirac_dataset **out, dirac_context *context, int32_t classes,
                          const char *directory, int32_t split)
{
    int32_t status = check_create(out, context);
    if (status == DIRAC_OK)
        status = check_split(split);
    if (status != DIRAC_OK)
        return status;
    if (!directory)
        return fail_null("directory");
    if (directory[0] == '\0')
        return dirac__fail(DIRAC_ERR_ARGUMENT,
                           "directory is \"\", must be a path (\".\" for the current one)");
    return dirac__cifar_load(out, context, classes, directory, split);
}

int32_t dirac_dataset_load_cifar10(dirac_dataset **out, dirac_context *context,
                                   const char *directory, int32_t split)
{
    return load_cifar(out, context, 10, directory, split);
}

int32_t dirac_dataset_load_cifar100(dirac_dataset **out, dirac_context *context,
                                    const char *directory, int32_t split)
{
    return load_cifar(out, context, 100, directory, split);
}

int32_t dirac_dataset_load_idx(dirac_dataset **out, dirac_context *context, const char *images,
                               const char *labels)
{
    int32_t status = check_create(out, context);
    if (status != DIRAC_OK)
        return status;
    if (!images)
        return fail_null("images");
    if (!labels)
        return fail_null("labels");
    return dirac__idx_load(out, context, images, labels);
}

int32_t dirac_dataset_load_idx_memory(dirac_dataset **out, dirac_context *context,
                                      const void *images, size_t images_size, const void *labels,
                                      size_t labels_size)
{
    int32_t status = check_create(out, context);
    if (status != DIRAC_OK)
        return status;
    if (!images)
        return fail_null("images");
    if (!labels)
        return fail_null("labels");
    const dirac__idx_bytes image_file = {"images", images, images_size};
    const dirac__idx_bytes label_file = {"labels", labels, labels_size};
    return dirac__idx_parse(out, context, &image_file, &label_file, 0);
}

int32_t dirac_dataset_load_cifar_memory(dirac_dataset **out, dirac_context *context,
                                        const void *records, size_t size, int32_t classes)
{
    int32_t status = check_create(out, context);
    if (status != DIRAC_OK)
        return status;
    if (!records)
        return fail_null("records");
    if (classes != 10 && classes != 100)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "classes is %" PRId32 ", must be 10 or 100",
                           classes);
    return dirac__cifar_parse(out, context, classes, records, size);
}

int64_t dirac_dataset_count(const dirac_dataset *dataset)
{
    return dataset ? dataset->count : 0;
}

int32_t dirac_dataset_classes(const dirac_dataset *dataset)
{
    return dataset ? dataset->classes : 0;
}

const char *dirac_dataset_class_name(const dirac_dataset *dataset, int32_t label)
{
    return dataset ? dirac__class_names_get(&dataset->names, label) : NULL;
}

int32_t dirac_dataset_label(const dirac_dataset *dataset, int64_t index)
{
    if (!dataset || !dataset->labels || index < 0 || index >= dataset->count)
        return -1;
    return dataset->labels[index];
}

int32_t dirac_dataset_shape(const dirac_dataset *dataset, int64_t *dims, int32_t *rank)
{
    if (!dataset)
        return fail_null("dataset");
    if (!dims)
        return fail_null("dims");
    if (!rank)
        return fail_null("rank");
    memcpy(dims, dataset->dims, (size_t)dataset->rank * sizeof *dims);
    *rank = dataset->rank;
    return DIRAC_OK;
}

int32_t dirac_dataset_read(const dirac_dataset *dataset, int64_t index, float *values, size_t count)
{
    DIRAC__HOLD_FLOATS();
    int32_t label;
    if (!dataset)
        return fail_null("dataset");
    if (!values)
        return fail_null("values");
    if (index < 0 || index >= dataset->count)
        return dirac__fail(DIRAC_ERR_ARGUMENT,
                           "index is %" PRId64 ", must be at least 0 and below %" PRId64
                           ", the number of samples",
                           index, dataset->count);
    if (count != dataset->length)
        return dirac__fail(DIRAC_ERR_SHAPE, "count is %zu, a sample of the data set has %zu values",
                           count, dataset->length);
    return dirac__dataset_read(dataset, index, values, &label);
}
