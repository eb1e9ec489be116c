/* SPDX-License-Identifier: MIT */
/*
 * Trees of large images. The library shuffles and counts numbers of files, one float a sample (exact up to 2^24 files),
 * so that a checkpoint knows the place in the stream; files are read here, several at once, when their batch comes.
 */
#include "image_tree.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "folder.h"
#include "image.h"
#include "program.h"

enum { MOST_THREADS = 64, MOST_FILES = 1 << 24 };

typedef struct {
    char **paths;
    int64_t count, room;
    dirac_dataset *numbers;
} file_list;

struct image_tree {
    file_list train, test;
    int32_t classes, size, threads;
    uint64_t seed;
    float *values; /* the images of a batch */
};

/* One batch at work. */
typedef struct {
    const image_tree *tree;
    const float *entries;
    int64_t n, epoch;
    bool training;
    atomic_llong next;
} reading;

/* ---- the list of files ---- */

static char *join(const char *folder, const char *name)
{
    char *path = allocate(strlen(folder) + strlen(name) + 2, 1);
    sprintf(path, "%s/%s", folder, name);
    return path;
}

static void add_file(file_list *list, char *path, int32_t label)
{
    float number = (float)list->count;
    if (list->count == MOST_FILES)
        fail("%s: more than %d images", path, MOST_FILES);
    if (list->count == list->room) {
        list->room = 2 * list->room + 1024;
        list->paths = realloc(list->paths, (size_t)list->room * sizeof *list->paths);
        if (list->paths == NULL)
            fail("%s: out of memory", path);
    }
    list->paths[list->count++] = path;
    check(dirac_dataset_add_floats(list->numbers, &number, &label, 1), path);
}

static void list_files(file_list *list, dirac_context *context, const char *folder, const name_list *classes)
{
    const int64_t one = 1;
    check(dirac_dataset_create_floats(&list->numbers, context, &one, 1), folder);
    for (int32_t i = 0; i < classes->count; i++) {
        char *path = join(folder, classes->names[i]);
        name_list images = folder_images(path);
        for (int32_t j = 0; j < images.count; j++)
            add_file(list, join(path, images.names[j]), i);
        name_list_free(&images);
        free(path);
    }
}

image_tree *image_tree_open(dirac_context *context, const char *directory, int32_t size, int32_t threads)
{
    struct stat about;
    image_tree *tree = allocate(1, sizeof *tree);
    char *train = join(directory, "train"), *test = join(directory, "val");
    if (stat(test, &about) != 0) {
        free(test);
        test = join(directory, "test");
    }
    name_list classes = folder_classes(train);
    list_files(&tree->train, context, train, &classes);
    list_files(&tree->test, context, test, &classes);
    tree->classes = classes.count;
    tree->size = size;
    tree->threads = threads > MOST_THREADS ? MOST_THREADS : threads;
    name_list_free(&classes);
    free(test);
    free(train);
    return tree;
}

static void free_list(file_list *list)
{
    for (int64_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    dirac_dataset_destroy(list->numbers);
}

void image_tree_close(image_tree *tree)
{
    free_list(&tree->train);
    free_list(&tree->test);
    free(tree->values);
    free(tree);
}

/* ---- what is drawn ---- */

/* Uniform in [0, 1): number `index` of the stream of one image in one epoch; splitmix64's mixing function. */
static double draw(uint64_t seed, uint64_t epoch, uint64_t file, uint64_t index)
{
    uint64_t z = seed;
    const uint64_t parts[3] = {epoch, file, index};
    for (int i = 0; i < 3; i++) {
        z += (parts[i] + 1) * 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        z ^= z >> 31;
    }
    return (double)(z >> 11) * 0x1p-53;
}

typedef struct {
    int32_t left, top, width, height;
} part;

/* Ten tries at 8 to 100 % of the area, sides 3:4 to 4:3; if none fits in the image, its middle. */
static part draw_part(const image *picture, uint64_t seed, uint64_t epoch, uint64_t file)
{
    const double area = (double)picture->width * picture->height;
    for (uint64_t i = 0; i < 10; i++) {
        const double wanted = area * (0.08 + 0.92 * draw(seed, epoch, file, 4 * i));
        const double ratio = exp(log(4.0 / 3) * (2 * draw(seed, epoch, file, 4 * i + 1) - 1));
        const int32_t width = (int32_t)lrint(sqrt(wanted * ratio)), height = (int32_t)lrint(sqrt(wanted / ratio));
        if (width < 1 || height < 1 || width > picture->width || height > picture->height)
            continue;
        return (part){(int32_t)(draw(seed, epoch, file, 4 * i + 2) * (picture->width - width + 1)),
                      (int32_t)(draw(seed, epoch, file, 4 * i + 3) * (picture->height - height + 1)), width, height};
    }
    const int32_t side = picture->width < picture->height ? picture->width : picture->height;
    return (part){(picture->width - side) / 2, (picture->height - side) / 2, side, side};
}

/* ---- images of a batch ---- */

static void normalize(const uint8_t *pixels, int32_t size, bool mirrored, float *out)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
    for (int c = 0; c < 3; c++)
        for (int32_t y = 0; y < size; y++)
            for (int32_t x = 0; x < size; x++) {
                const int32_t from = mirrored ? size - 1 - x : x;
                *out++ = ((float)pixels[3 * ((size_t)y * (size_t)size + (size_t)from) + (size_t)c] / 255.0f - mean[c]) /
                         deviation[c];
            }
}

static void read_one(const reading *r, int64_t i)
{
    const image_tree *tree = r->tree;
    const uint64_t file = (uint64_t)r->entries[i], epoch = (uint64_t)r->epoch;
    const char *path = (r->training ? &tree->train : &tree->test)->paths[file];
    const size_t count = 3 * (size_t)tree->size * (size_t)tree->size;
    uint8_t *pixels = allocate(count, 1);
    char why[256];
    image picture;
    if (!image_read(&picture, path, why))
        fail("%s: %s", path, why);
    if (r->training) {
        const part p = draw_part(&picture, tree->seed, epoch, file);
        image_crop(&picture, p.left, p.top, p.width, p.height, tree->size, tree->size, pixels);
    } else
        image_middle(&picture, (tree->size * 8 + 6) / 7, tree->size, pixels);
    image_free(&picture);
    const bool mirrored = r->training && draw(tree->seed, epoch, file, 40) < 0.5;
    normalize(pixels, tree->size, mirrored, tree->values + (size_t)i * count);
    free(pixels);
}

static void *read_some(void *argument)
{
    reading *r = argument;
    for (int64_t i; (i = atomic_fetch_add(&r->next, 1)) < r->n;)
        read_one(r, i);
    return NULL;
}

static const float *read_images(void *user, bool training, int64_t epoch, const float *entries, int64_t n)
{
    image_tree *tree = user;
    reading r = {.tree = tree, .entries = entries, .n = n, .epoch = epoch, .training = training};
    pthread_t others[MOST_THREADS];
    int32_t started = 0;
    while (started < tree->threads - 1 && pthread_create(&others[started], NULL, read_some, &r) == 0)
        started++;
    read_some(&r);
    for (int32_t i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    return tree->values;
}

static dirac_batches *stream(const file_list *list, int64_t batch)
{
    const float mean = 0, deviation = 1; /* numbers of files as they are */
    dirac_batches *batches;
    check(dirac_batches_create(&batches, list->numbers), "batches");
    check(dirac_batches_set_size(batches, batch), "batches");
    check(dirac_batches_set_normalization(batches, &mean, &deviation, 1), "batches");
    return batches;
}

feed image_tree_feed(image_tree *tree, int64_t batch, uint64_t seed)
{
    const int64_t size = tree->size;
    free(tree->values);
    tree->values = allocate((size_t)(batch * 3 * size * size), sizeof *tree->values);
    tree->seed = seed;
    feed f = {.dims = {3, size, size},
              .classes = tree->classes,
              .train_images = tree->train.count,
              .test_images = tree->test.count,
              .train = stream(&tree->train, batch),
              .test = stream(&tree->test, batch),
              .images = read_images,
              .user = tree};
    check(dirac_batches_set_seed(f.train, seed), "seed");
    check(dirac_batches_set_shuffle(f.train, 1), "shuffling");
    return f;
}
