/* SPDX-License-Identifier: MIT */
/* CIFAR's binary version: records of the label (CIFAR-100: coarse label, then fine label) and 3 planes of 32x32 bytes,
 * which is the order the library stores. Nothing in the files says which they are, so every label is checked. */
#include "data/cifar.h"

#include <inttypes.h>
#include <string.h>

#include "base/fail.h"
#include "data/dataset.h"
#include "io/read_file.h"

#define PIXELS ((size_t)3072)
#define NAMES_LIMIT ((uint64_t)65536) /* the real ones are 61 and 786 bytes */

/* What tells one of the two from the other. */
struct version {
    const char *name, *child, *names;
    const char *files[2][6]; /* by split, up to a NULL */
    size_t label_bytes;
    int32_t limits[2]; /* labels are below these, in the order of the bytes; the last one is kept */
};

static const struct version cifar10 = {
    "CIFAR-10",
    "cifar-10-batches-bin",
    "batches.meta.txt",
    {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
      "data_batch_5.bin"},
     {"test_batch.bin"}},
    1,
    {10, 0},
};

static const struct version cifar100 = {
    "CIFAR-100",
    "cifar-100-binary",
    "fine_label_names.txt",
    {{"train.bin"}, {"test.bin"}},
    2,
    {20, 100},
};

static const struct version *find_version(int32_t classes)
{
    return classes == 10 ? &cifar10 : &cifar100;
}

static int32_t check_records(const struct version *version, const char *name,
                             const unsigned char *data, size_t size)
{
    size_t record = version->label_bytes + PIXELS, count = size / record;
    if (dirac__is_gzip(data, size))
        return dirac__fail(DIRAC_ERR_FORMAT, "%s: is gzip-compressed; decompress it first", name);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < version->label_bytes; j++) {
            int32_t label = data[i * record + j];
            if (label >= version->limits[j])
                return dirac__fail(DIRAC_ERR_FORMAT,
                                   "%s: record %zu, byte %zu: label %" PRId32
                                   ", must be 0 to %" PRId32 " in %s",
                                   name, i, i * record + j, label, version->limits[j] - 1,
                                   version->name);
        }
    if (count == 0 || size % record != 0)
        return dirac__fail(DIRAC_ERR_FORMAT,
                           "%s: ends at byte %zu, inside record %zu: %s has %zu bytes a record",
                           name, size, count, version->name, record);
    return DIRAC_OK;
}

/* Adds checked or unchecked records; `held` bytes of file contents are in memory beside the set. */
static int32_t add_records(dirac_dataset *dataset, const struct version *version, const char *name,
                           const unsigned char *data, size_t size, uint64_t held)
{
    size_t record = version->label_bytes + PIXELS, count = size / record;
    int32_t status = check_records(version, name, data, size);
    if (status == DIRAC_OK)
        status = dirac__dataset_check_limit(dataset, count, held, name);
    if (status == DIRAC_OK)
        status = dirac__dataset_reserve(dataset, (int64_t)count);
    for (size_t i = 0; status == DIRAC_OK && i < count; i++) {
        const unsigned char *labels = data + i * record;
        dirac__dataset_append(dataset, labels + version->label_bytes,
                              labels[version->label_bytes - 1]);
    }
    return status;
}

static int32_t create(dirac_dataset **out, dirac_context *context)
{
    const int64_t dims[3] = {3, 32, 32};
    return dirac__dataset_create(out, context, DIRAC__SAMPLES_BYTES, dims, 3);
}

int32_t dirac__cifar_parse(dirac_dataset **out, dirac_context *context, int32_t classes,
                           const void *records, size_t size)
{
    dirac_dataset *dataset = NULL;
    int32_t status = create(&dataset, context);
    if (status == DIRAC_OK)
        status = add_records(dataset, find_version(classes), "records", records, size, 0);
    if (status == DIRAC_OK)
        *out = dataset;
    else
        dirac__dataset_release(dataset);
    return status;
}

/* "<directory>/<name>" or "<directory>/<child>/<name>"; false without memory. */
static bool set_path(dirac__buffer *path, const char *directory, const char *child,
                     const char *name)
{
    path->size = 0;
    dirac__buffer_text(path, directory);
    if (child) {
        dirac__buffer_text(path, "/");
        dirac__buffer_text(path, child);
    }
    dirac__buffer_text(path, "/");
    dirac__buffer_text(path, name);
    return !path->failed;
}

/* A load under way. */
struct load {
    dirac_dataset *dataset;
    const struct version *version;
    const char *directory;
    const char *child; /* NULL: the files are in the directory itself */
    dirac__buffer path;
};

static int32_t load_path(struct load *load, const char *name)
{
    return set_path(&load->path, load->directory, load->child, name)
               ? DIRAC_OK
               : dirac__fail_memory("the name of a file");
}

/* Finds out whether the files are in the directory or in the child that the archives make. */
static int32_t find_child(struct load *load, const char *first)
{
    int32_t status = load_path(load, first);
    if (status != DIRAC_OK || !dirac__file_missing(load->path.data))
        return status;
    load->child = load->version->child;
    status = load_path(load, first);
    if (status != DIRAC_OK || !dirac__file_missing(load->path.data))
        return status;
    return dirac__fail(DIRAC_ERR_IO, "cannot open \"%s/%s\": there is no such file, nor \"%s\"",
                       load->directory, first, load->path.data);
}

/* Room for all files at once: growing from file to file would need twice the memory for a while. */
static int32_t reserve(struct load *load, const char *const *files)
{
    uint64_t record = load->version->label_bytes + PIXELS, largest = 0, records = 0;
    for (size_t i = 0; files[i]; i++) {
        uint64_t size = 0;
        int32_t status = load_path(load, files[i]);
        if (status == DIRAC_OK)
            status = dirac__file_size(load->path.data, &size);
        if (status != DIRAC_OK)
            return status;
        largest = size > largest ? size : largest;
        records += size / record; /* at most 5 times 2^63 / 3073 */
    }
    int32_t status =
        dirac__dataset_check_limit(load->dataset, records, largest, load->path.data);
    return status == DIRAC_OK ? dirac__dataset_reserve(load->dataset, (int64_t)records) : status;
}

static int32_t load_file(struct load *load, const char *name)
{
    const dirac_context *context = load->dataset->context;
    unsigned char *data = NULL;
    size_t size = 0;
    int32_t status = load_path(load, name);
    if (status == DIRAC_OK)
        status = dirac__read_file(&context->memory, load->path.data, context->load_limit, &data,
                                  &size,
                                  &context->progress);
    if (status == DIRAC_OK)
        status = add_records(load->dataset, load->version, load->path.data, data, size, size);
    dirac__free(&context->memory, data);
    return status;
}

/* Names the classes from text with one name a line; blank lines are no names. */
static int32_t add_names(struct load *load, char *text, size_t size)
{
    int32_t classes = load->version->limits[load->version->label_bytes - 1], label = 0;
    size_t start = 0;
    while (start < size) {
        const char *newline = memchr(text + start, '\n', size - start);
        size_t end = newline ? (size_t)(newline - text) : size, next = end + 1;
        if (end > start && text[end - 1] == '\r')
            end--;
        if (memchr(text + start, '\0', end - start) || (end > start && label == classes))
            return dirac__fail(DIRAC_ERR_FORMAT,
                               "%s: byte %zu: must be text with %" PRId32 " lines, one name each",
                               load->path.data, start, classes);
        text[end] = '\0'; /* a line's end, or the byte after the file's last */
        if (end > start) {
            int32_t status = dirac__dataset_name_class(load->dataset, label++, text + start);
            if (status != DIRAC_OK)
                return status;
        }
        start = next;
    }
    if (label != classes)
        return dirac__fail(DIRAC_ERR_FORMAT,
                           "%s: ends at byte %zu after %" PRId32 " names, must be %" PRId32,
                           load->path.data, size, label, classes);
    return DIRAC_OK;
}

/* A copy of the file with room for a zero behind it. */
static int32_t read_text(const struct load *load, char **text, size_t *size)
{
    const dirac__memory *memory = &load->dataset->context->memory;
    unsigned char *data = NULL;
    int32_t status = dirac__read_file(memory, load->path.data, NAMES_LIMIT, &data, size, NULL);
    if (status != DIRAC_OK)
        return status;
    *text = dirac__alloc(memory, *size + 1);
    if (*text)
        memcpy(*text, data, *size);
    dirac__free(memory, data);
    return *text ? (int32_t)DIRAC_OK : dirac__fail_memory("class names");
}

/* What naming asks for at most beside the samples: the file twice, as text and as names, and room for each class. */
static int32_t check_names_limit(const struct load *load)
{
    const uint64_t classes = (uint64_t)load->version->limits[load->version->label_bytes - 1];
    const uint64_t each = 2 * sizeof(struct dirac__class_name) + DIRAC__ALIGNMENT;
    uint64_t size = 0;
    int32_t status = dirac__file_size(load->path.data, &size);
    if (status != DIRAC_OK || size > NAMES_LIMIT) /* which reading will refuse */
        return status;
    return dirac__dataset_check_limit(load->dataset, 0, 2 * (size + DIRAC__ALIGNMENT) + classes * each,
                                      load->path.data);
}

static int32_t load_names(struct load *load)
{
    char *text = NULL;
    size_t size = 0;
    int32_t status = load_path(load, load->version->names);
    if (status != DIRAC_OK || dirac__file_missing(load->path.data))
        return status;
    status = check_names_limit(load);
    if (status == DIRAC_OK)
        status = read_text(load, &text, &size);
    if (status == DIRAC_OK)
        status = add_names(load, text, size);
    dirac__free(&load->dataset->context->memory, text);
    return status;
}

int32_t dirac__cifar_load(dirac_dataset **out, dirac_context *context, int32_t classes,
                          const char *directory, int32_t split)
{
    struct load load = {.version = find_version(classes), .directory = directory};
    const char *const *files = load.version->files[split];
    load.path.memory = &context->memory;
    int32_t status = create(&load.dataset, context);
    if (status == DIRAC_OK)
        status = find_child(&load, files[0]);
    if (status == DIRAC_OK)
        status = reserve(&load, files);
    for (size_t i = 0; status == DIRAC_OK && files[i]; i++)
        status = load_file(&load, files[i]);
    if (status == DIRAC_OK)
        status = load_names(&load);
    dirac__buffer_release(&load.path);
    if (status == DIRAC_OK)
        *out = load.dataset;
    else
        dirac__dataset_release(load.dataset);
    return status;
}
