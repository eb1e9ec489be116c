/* SPDX-License-Identifier: MIT */
/* Training and test sets by name, and their normalisation. */
#include "source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "program.h"

/* Files of IDX sets have gone by several names. */
static char *find_idx(const char *directory, const char *part, const char *what)
{
    static const char *const endings[] = {"-idx3-ubyte", ".idx3-ubyte", "-idx4-ubyte",
                                          "-idx1-ubyte", ".idx1-ubyte"};
    size_t size = strlen(directory) + 64;
    char *path = allocate(size, 1);
    int first = strcmp(what, "labels") == 0 ? 3 : 0, last = first == 3 ? 5 : 3;
    for (int i = first; i < last; i++) {
        snprintf(path, size, "%s/%s-%s%s", directory, part, what, endings[i]);
        if (access(path, F_OK) == 0)
            return path;
    }
    snprintf(path, size, "%s/%s-%s%s", directory, part, what, endings[first]);
    return path; /* the library's message will name it */
}

static dirac_dataset *open_idx(dirac_context *context, const char *directory, const char *part)
{
    char *images = find_idx(directory, part, "images"),
         *labels = find_idx(directory, part, "labels");
    dirac_dataset *set;
    check(dirac_dataset_load_idx(&set, context, images, labels), directory);
    free(labels);
    free(images);
    return set;
}

static void open_folders(source *out, dirac_context *context, const char *directory, int32_t size)
{
    char *folder = allocate(strlen(directory) + 8, 1);
    sprintf(folder, "%s/train", directory);
    name_list classes = folder_classes(folder);
    int32_t height = size, width = size;
    if (size == 0)
        folder_first_size(directory, "train", &classes, &height, &width);
    out->training = folder_read(context, directory, "train", &classes, height, width);
    out->test = folder_read(context, directory, "test", &classes, height, width);
    name_list_free(&classes);
    free(folder);
}

/* Mean and standard deviation of each channel over the whole training set. */
static void measure(source *out)
{
    int64_t channels = out->dims[0], area = out->dims[1] * out->dims[2];
    int64_t images = dirac_dataset_count(out->training);
    double *sums = allocate(2 * (size_t)channels, sizeof *sums);
    float *values = allocate((size_t)(channels * area), sizeof *values);
    for (int64_t i = 0; i < images; i++) {
        check(dirac_dataset_read(out->training, i, values, (size_t)(channels * area)),
              "reading an image");
        for (int64_t j = 0; j < channels * area; j++) {
            sums[2 * (j / area)] += (double)values[j];
            sums[2 * (j / area) + 1] += (double)values[j] * (double)values[j];
        }
    }
    for (int64_t c = 0; c < channels; c++) {
        double n = (double)(images * area), mean = sums[2 * c] / n;
        double variance = sums[2 * c + 1] / n - mean * mean;
        out->mean[c] = (float)mean;
        out->deviation[c] =
            variance > 1e-4 ? (float)sqrt(variance) : 1.0f; /* a channel of one value */
    }
    free(values);
    free(sums);
}

static void set_normalization(source *out)
{
    static const float cifar_mean[3] = {125.3f, 123.0f, 113.9f},
                       cifar_deviation[3] = {63.0f, 62.1f, 66.7f};
    if (out->dims[0] == 3 && out->dims[1] == 32 && out->dims[2] == 32) {
        memcpy(out->mean, cifar_mean, sizeof cifar_mean);
        memcpy(out->deviation, cifar_deviation, sizeof cifar_deviation);
    } else
        measure(out);
}

/* What both sets must agree on, and what training needs of them. */
static void examine(source *out, const char *text)
{
    int64_t test_dims[4];
    int32_t rank, test_rank;
    check(dirac_dataset_shape(out->training, out->dims, &rank), text);
    check(dirac_dataset_shape(out->test, test_dims, &test_rank), text);
    if (rank != 3 || test_rank != 3 || memcmp(out->dims, test_dims, 3 * sizeof out->dims[0]) != 0)
        fail("%s: training and test images differ in size", text);
    if (out->dims[0] > MOST_CHANNELS)
        fail("%s: images have %lld channels, at most %d", text, (long long)out->dims[0],
             (int)MOST_CHANNELS);
    if (dirac_dataset_count(out->training) == 0 || dirac_dataset_count(out->test) == 0)
        fail("%s: the %s set is empty", text,
             dirac_dataset_count(out->training) == 0 ? "training" : "test");
    out->classes = dirac_dataset_classes(out->training);
    if (dirac_dataset_classes(out->test) > out->classes)
        fail("%s: the test set has labels up to %d, the training set up to %d", text,
             (int)dirac_dataset_classes(out->test) - 1, (int)out->classes - 1);
}

void source_open(source *out, dirac_context *context, const char *text, int32_t size)
{
    const char *directory = strchr(text, ':');
    size_t kind = directory == NULL ? 0 : (size_t)(directory - text);
    *out = (source){.mirror = true};
    directory = directory == NULL ? "" : directory + 1;
    if (kind == 7 && strncmp(text, "cifar10", kind) == 0) {
        check(dirac_dataset_load_cifar10(&out->training, context, directory, DIRAC_SPLIT_TRAIN),
              directory);
        check(dirac_dataset_load_cifar10(&out->test, context, directory, DIRAC_SPLIT_TEST),
              directory);
    } else if (kind == 8 && strncmp(text, "cifar100", kind) == 0) {
        check(dirac_dataset_load_cifar100(&out->training, context, directory, DIRAC_SPLIT_TRAIN),
              directory);
        check(dirac_dataset_load_cifar100(&out->test, context, directory, DIRAC_SPLIT_TEST),
              directory);
    } else if (kind == 3 && strncmp(text, "idx", kind) == 0) {
        out->training = open_idx(context, directory, "train");
        out->test = open_idx(context, directory, "t10k");
        out->mirror = false; /* a mirrored digit is none */
    } else if (kind == 6 && strncmp(text, "images", kind) == 0) {
        open_folders(out, context, directory, size);
    } else
        fail_usage("--data: \"%s\" is not cifar10:DIR, cifar100:DIR, idx:DIR or images:DIR", text);
    examine(out, text);
    set_normalization(out);
}

void source_close(source *from)
{
    dirac_dataset_destroy(from->training);
    dirac_dataset_destroy(from->test);
}

dirac_batches *source_batches(const source *from, dirac_dataset *set, int64_t size)
{
    dirac_batches *batches;
    check(dirac_batches_create(&batches, set), "batches");
    check(dirac_batches_set_size(batches, size), "batches");
    check(dirac_batches_set_normalization(batches, from->mean, from->deviation, from->dims[0]),
          "normalisation");
    return batches;
}
