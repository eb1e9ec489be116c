/* SPDX-License-Identifier: MIT */
/* Acts on model files, data sets and batches, and the folder they work in. */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault/scenario_parts.h"

char folder[64], saved_path[96];
float noise[40960];

/* ---- the folder ---- */

static char set_paths[10][96];
static int n_paths;

static const char *path_of(const char *name)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put_file(const char *name, const unsigned char *head, size_t head_size, size_t size)
{
    FILE *file = fopen(path_of(name), "wb");
    assert_non_null(file);
    strcpy(set_paths[n_paths++], path_of(name));
    assert_int_equal(fwrite(head, 1, head_size, file), head_size);
    for (size_t i = head_size; i < size; i++) /* labels of CIFAR are below 10: the records' first bytes */
        fputc(i % 3073 == 0 || i % 3074 < 2 ? (int)(i % 7) : (int)(i * i % 251), file);
    assert_int_equal(fclose(file), 0);
}

static void put_names(const char *name, int count)
{
    char text[1200] = "";
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "class%d\n", i);
    put_file(name, (const unsigned char *)text, size, size);
}

static const unsigned char idx_images[16] = {0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6};
static const unsigned char idx_labels[12] = {0, 0, 8, 1, 0, 0, 0, 4, 1, 0, 3, 2};

void make_folder(void)
{
    const unsigned char zero = 0;
    char name[] = "data_batch_1.bin";
    strcpy(folder, "/dev/shm/dirac-faults-XXXXXX"); /* in memory: thousands of flushes take no time */
    if (mkdtemp(folder) == NULL) {
        strcpy(folder, "/tmp/dirac-faults-XXXXXX");
        assert_non_null(mkdtemp(folder));
    }
    snprintf(saved_path, sizeof saved_path, "%s/saved", folder);
    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++)
        noise[i] = uniform(3, i, -1, 1);
    n_paths = 0;
    for (; name[11] < '6'; name[11]++)
        put_file(name, &zero, 1, 2 * 3073);
    put_file("train.bin", &zero, 1, 2 * 3074);
    put_names("batches.meta.txt", 10);
    put_names("fine_label_names.txt", 100);
    put_file("images", idx_images, 16, 16 + 4 * 30);
    put_file("labels", idx_labels, 12, 12);
}

void drop_folder(void)
{
    for (int i = 0; i < n_paths; i++)
        assert_int_equal(unlink(set_paths[i]), 0);
    unlink(saved_path);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- model files ---- */

int32_t with_saved_net(handles *base)
{
    ok(with_mixed_net(base));
    ok(dirac_net_save(base->net, saved_path));
    return dirac_net_save_memory(base->net, &base->data, &base->size);
}

int32_t with_saved_custom(handles *base)
{
    ok(with_training_net(base));
    return dirac_net_save(base->net, saved_path);
}

int32_t with_published(handles *base)
{
    ok(with_model(base));
    ok(dirac_net_save_as(base->net, saved_path, DIRAC_NAMES_PUBLISHED));
    return dirac_net_initialize(base->net, 77);
}

/* What lies at `saved_path`. */
static void see_file(floats *seen)
{
    FILE *file = fopen(saved_path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const size_t size = (size_t)ftell(file);
    unsigned char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    rewind(file);
    assert_int_equal(fread(bytes, 1, size, file), size);
    fclose(file);
    see_bytes(bytes, size, seen);
    free(bytes);
}

int32_t save_net(handles *base, handles *made)
{
    TRY(dirac_net_save(base->net, saved_path));
    see_file(&made->seen);
    return DIRAC_OK;
}

int32_t save_published(handles *base, handles *made)
{
    TRY(dirac_net_save_as(base->net, saved_path, DIRAC_NAMES_PUBLISHED));
    see_file(&made->seen);
    return DIRAC_OK;
}

int32_t save_net_memory(handles *base, handles *made)
{
    TRY(dirac_net_save_memory(base->net, &made->data, &made->size));
    return DIRAC_OK;
}

int32_t load_net(handles *base, handles *made)
{
    TRY(dirac_net_load(&made->net, base->context, saved_path));
    return DIRAC_OK;
}

int32_t load_net_memory(handles *base, handles *made)
{
    TRY(dirac_net_load_memory(&made->net, base->context, base->data, base->size));
    TRY(dirac_net_load_weights_memory(base->net, base->data, base->size, DIRAC_LOAD_STRICT));
    return DIRAC_OK;
}

int32_t load_published(handles *base, handles *made)
{
    (void)made;
    TRY(dirac_net_load_weights(base->net, saved_path, DIRAC_LOAD_STRICT));
    return DIRAC_OK;
}

/* A report of what did not fit: the file's classes are others. */
int32_t load_partly(handles *base, handles *made)
{
    TRY(dirac_net_create(&made->net, base->context));
    dirac_net_output(made->net, dirac_model_diracnet_cifar(made->net, dirac_net_input2d(made->net, 3, 12, 12), 16,
                                                           0.25, 9, DIRAC_FORM_NORMALIZED_DELTA));
    int32_t status = dirac_net_build(made->net);
    if (status == DIRAC_OK)
        TRY(dirac_net_load_weights(made->net, saved_path, DIRAC_LOAD_PARTIAL));
    const char *report = dirac_net_load_report(made->net);
    if (status == DIRAC_OK)
        see_bytes(report, strlen(report), &made->seen);
    return status;
}

/* ---- data sets ---- */

int32_t with_set(handles *base)
{
    ok(with_context(base));
    base->set = make_dataset(base->context, 10, 3, 8, 5);
    return DIRAC_OK;
}

static int32_t supply(void *user, int64_t index, float *values, int32_t *label)
{
    (void)user;
    memcpy(values, noise + index, 192 * sizeof *values);
    *label = (int32_t)(index % 5);
    return 0;
}

int32_t with_callback_set(handles *base)
{
    const int64_t dims[3] = {3, 8, 8};
    ok(with_context(base));
    return dirac_dataset_create_callback(&base->set, base->context, dims, 3, 10, supply, NULL);
}

/* One set after the other in the same place. */
static dirac_dataset **fresh(handles *made)
{
    dirac_dataset_destroy(made->set);
    made->set = NULL;
    return &made->set;
}

int32_t fill_sets(handles *base, handles *made)
{
    const int64_t dims[3] = {3, 8, 8};
    const int32_t labels[2] = {1, 0};
    const uint8_t pixels[2 * 12] = {1, 2, 3, 4, 5};
    TRY(dirac_dataset_create_callback(fresh(made), base->context, dims, 3, 10, supply, NULL));
    TRY(dirac_dataset_create_floats(fresh(made), base->context, dims, 3));
    for (int i = 0; i < 6; i++)
        TRY(dirac_dataset_add_floats(made->set, noise + i, labels, 2));
    TRY(dirac_dataset_set_class_name(made->set, 1, "one"));
    TRY(dirac_dataset_set_class_name(made->set, 30, "thirty"));
    TRY(dirac_dataset_set_class_name(made->set, 1, "another"));
    TRY(dirac_dataset_create_images(fresh(made), base->context, 3, 2, 2));
    for (int i = 0; i < 6; i++)
        TRY(dirac_dataset_add_images(made->set, pixels, DIRAC_LAYOUT_INTERLEAVED, labels, 2));
    return DIRAC_OK;
}

int32_t load_cifar10(handles *base, handles *made)
{
    TRY(dirac_dataset_load_cifar10(&made->set, base->context, folder, DIRAC_SPLIT_TRAIN));
    return DIRAC_OK;
}

int32_t load_cifar100(handles *base, handles *made)
{
    TRY(dirac_dataset_load_cifar100(&made->set, base->context, folder, DIRAC_SPLIT_TRAIN));
    return DIRAC_OK;
}

int32_t load_idx(handles *base, handles *made)
{
    char images[96];
    strcpy(images, path_of("images"));
    TRY(dirac_dataset_load_idx(&made->set, base->context, images, path_of("labels")));
    return DIRAC_OK;
}

int32_t load_sets_memory(handles *base, handles *made)
{
    unsigned char images[16 + 4 * 30] = {0}, records[2 * 3074] = {0};
    memcpy(images, idx_images, 16);
    TRY(dirac_dataset_load_idx_memory(fresh(made), base->context, images, sizeof images, idx_labels, 12));
    TRY(dirac_dataset_load_cifar_memory(fresh(made), base->context, records, 2 * 3073, 10));
    TRY(dirac_dataset_load_cifar_memory(fresh(made), base->context, records, sizeof records, 100));
    return DIRAC_OK;
}

/* ---- batches ---- */

static int32_t take(handles *base, handles *made, int32_t ahead)
{
    const float *samples;
    const int32_t *labels;
    int64_t n;
    TRY(dirac_batches_create(&made->batches, base->set));
    TRY(dirac_batches_set_size(made->batches, 4));
    TRY(dirac_batches_set_shuffle(made->batches, 1));
    TRY(dirac_batches_set_crop(made->batches, 2, DIRAC_PAD_REFLECT));
    TRY(dirac_batches_set_flip(made->batches, 1));
    TRY(dirac_batches_set_prefetch(made->batches, ahead));
    for (int i = 0; i < 6; i++) {
        TRY(dirac_batches_next(made->batches, &samples, &labels, &n));
        append_copy(&made->seen, samples, (size_t)n * 192);
        see_bytes(labels, (size_t)n * sizeof *labels, &made->seen);
    }
    return DIRAC_OK;
}

int32_t take_batches(handles *base, handles *made)
{
    return take(base, made, 0);
}

int32_t take_prefetched(handles *base, handles *made)
{
    return take(base, made, 3);
}
