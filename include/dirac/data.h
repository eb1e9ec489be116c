/* SPDX-License-Identifier: MIT */
/**
 * @file data.h  Data sets in memory, and streams of shuffled, augmented, normalised batches from them.
 *
 * A data set holds samples of one shape (C, spatial...), as bytes (images) or float, and a label each. It is filled,
 * then only read: from the moment batches are made on it, it cannot be changed (DIRAC_ERR_STATE). Any number of threads
 * may read it. Every function gives DIRAC_ERR_ARGUMENT for a NULL handle. Everything here: since 0.1.
 */
#ifndef DIRAC_DATA_H
#define DIRAC_DATA_H

#include "context.h"
#include "export.h"

DIRAC_BEGIN

typedef struct dirac_dataset dirac_dataset;
typedef struct dirac_batches dirac_batches;

enum { DIRAC_SPLIT_TRAIN = 0, DIRAC_SPLIT_TEST = 1 };
enum { DIRAC_LAYOUT_PLANAR = 0, /**< (C, H, W) */ DIRAC_LAYOUT_INTERLEAVED = 1 /**< (H, W, C), as decoders give it */ };
enum { DIRAC_PAD_ZERO = 0, /**< the value 0 before normalisation */ DIRAC_PAD_REFLECT = 1 /**< without repeating the edge */ };

/* ---- data sets --------------------------------------------------------------------------------------------------- */

/** An empty set of byte images of (channels, height, width). @param out NULL on failure. Errors: ARGUMENT, MEMORY. */
DIRAC_API int32_t dirac_dataset_create_images(dirac_dataset **out, dirac_context *context, int64_t channels,
                                              int64_t height, int64_t width);
/** An empty set of float samples of shape dims[0..rank), rank 1 to 4: C, then space. Errors: ARGUMENT, MEMORY. */
DIRAC_API int32_t dirac_dataset_create_floats(dirac_dataset **out, dirac_context *context, const int64_t *dims,
                                              int32_t rank);
/**
 * Supplies sample `index`: fills `values` (C * spatial floats, planar) and `label`; returns 0, or non-zero to fail the
 * batch. Called on the library's prefetch thread if prefetching is on, otherwise on the caller's; never concurrently
 * for one dirac_batches.
 */
typedef int32_t (*dirac_sample_fn)(void *user, int64_t index, float *values, int32_t *label);
/** A set of `count` samples that a callback supplies when they are needed. `user` must outlive the set. */
DIRAC_API int32_t dirac_dataset_create_callback(dirac_dataset **out, dirac_context *context, const int64_t *dims,
                                                int32_t rank, int64_t count, dirac_sample_fn sample, void *user);
/** Gives up the caller's hold. NULL is accepted. Any thread. */
DIRAC_API void dirac_dataset_destroy(dirac_dataset *dataset);

/**
 * Copies n byte images and their labels in. @param pixels n * C * H * W. @param layout DIRAC_LAYOUT_*.
 * @param labels n, each >= 0. Errors: ARGUMENT, STATE, MEMORY, LIMIT; on error nothing was added.
 */
DIRAC_API int32_t dirac_dataset_add_images(dirac_dataset *dataset, const uint8_t *pixels, int32_t layout,
                                           const int32_t *labels, int64_t n);
/** Copies n float samples and their labels in. Errors: as dirac_dataset_add_images(). */
DIRAC_API int32_t dirac_dataset_add_floats(dirac_dataset *dataset, const float *values, const int32_t *labels,
                                           int64_t n);
/** Names class `label`, so that reports and model files can. Errors: ARGUMENT, STATE, MEMORY. */
DIRAC_API int32_t dirac_dataset_set_class_name(dirac_dataset *dataset, int32_t label, const char *name);

/**
 * Reads CIFAR-10's binary version: data_batch_1.bin to _5.bin, or test_batch.bin, and batches.meta.txt if there.
 * @param directory that holds them (or holds cifar-10-batches-bin). @param split DIRAC_SPLIT_*.
 * Errors: ARGUMENT, IO (names the file), FORMAT (names file and byte), MEMORY, LIMIT.
 */
DIRAC_API int32_t dirac_dataset_load_cifar10(dirac_dataset **out, dirac_context *context, const char *directory,
                                             int32_t split);
/** Reads CIFAR-100's binary version with fine labels: train.bin or test.bin, and fine_label_names.txt if there. */
DIRAC_API int32_t dirac_dataset_load_cifar100(dirac_dataset **out, dirac_context *context, const char *directory,
                                              int32_t split);
/**
 * Reads IDX files (MNIST's format), uncompressed: images of unsigned bytes (n, H, W) or (n, C, H, W), and labels (n).
 * Errors: as dirac_dataset_load_cifar10().
 */
DIRAC_API int32_t dirac_dataset_load_idx(dirac_dataset **out, dirac_context *context, const char *images,
                                         const char *labels);
/** The same from memory. The buffers are copied. */
DIRAC_API int32_t dirac_dataset_load_idx_memory(dirac_dataset **out, dirac_context *context, const void *images,
                                                size_t images_size, const void *labels, size_t labels_size);
/** CIFAR-10 (classes 10) or CIFAR-100 (100) records from memory: label byte(s), then 3072 bytes of pixels, repeated. */
DIRAC_API int32_t dirac_dataset_load_cifar_memory(dirac_dataset **out, dirac_context *context, const void *records,
                                                  size_t size, int32_t classes);

/** The number of samples; 0 for NULL. */
DIRAC_API int64_t dirac_dataset_count(const dirac_dataset *dataset);
/** One more than the largest label or named class; 0 for NULL or unknown (callback sets). */
DIRAC_API int32_t dirac_dataset_classes(const dirac_dataset *dataset);
/** The name of a class, or NULL; valid as long as the set. */
DIRAC_API const char *dirac_dataset_class_name(const dirac_dataset *dataset, int32_t label);
/** The label of sample `index`, or -1 (out of range, callback sets). */
DIRAC_API int32_t dirac_dataset_label(const dirac_dataset *dataset, int64_t index);
/** Shape of a sample: C, then space. @param dims room for 4. Errors: ARGUMENT. */
DIRAC_API int32_t dirac_dataset_shape(const dirac_dataset *dataset, int64_t *dims, int32_t *rank);
/** Copies sample `index` out, planar, bytes as 0..255. Errors: ARGUMENT, SHAPE (count), CALLBACK. */
DIRAC_API int32_t dirac_dataset_read(const dirac_dataset *dataset, int64_t index, float *values, size_t count);

/* ---- batches ----------------------------------------------------------------------------------------------------- */

/**
 * A stream of batches over a data set, which it keeps alive. Set options, then call dirac_batches_next(); the first call
 * fixes them. The stream depends on the data, the options and the seed alone: not on threads or timing.
 * Errors: ARGUMENT, STATE (empty set), MEMORY. One caller at a time.
 */
DIRAC_API int32_t dirac_batches_create(dirac_batches **out, dirac_dataset *dataset);
/** Releases it, waiting for a batch in the making. NULL is accepted. */
DIRAC_API void dirac_batches_destroy(dirac_batches *batches);

/** Images a batch; default 128. */
DIRAC_API int32_t dirac_batches_set_size(dirac_batches *batches, int64_t n);
/** The seed of shuffling and augmentation; default the context's. */
DIRAC_API int32_t dirac_batches_set_seed(dirac_batches *batches, uint64_t seed);
/** 1: a new random order each epoch; 0, default: the set's order. */
DIRAC_API int32_t dirac_batches_set_shuffle(dirac_batches *batches, int32_t shuffle);
/** 1: an epoch ends before an incomplete batch; 0, default: the last batch may be smaller. */
DIRAC_API int32_t dirac_batches_set_drop_last(dirac_batches *batches, int32_t drop);
/**
 * Random crop: pads by `pixels` on each side of the last two dimensions, then cuts the original size at a random place
 * (section 3 of the paper: reflect, 4). @param mode DIRAC_PAD_*; reflection needs pixels < size. 0 pixels: off (default).
 * Errors: ARGUMENT, STATE, SHAPE (samples without two spatial dimensions).
 */
DIRAC_API int32_t dirac_batches_set_crop(dirac_batches *batches, int64_t pixels, int32_t mode);
/** Mirrors each sample left to right with probability 1/2 (1) or not (0, default). Errors: as dirac_batches_set_crop(). */
DIRAC_API int32_t dirac_batches_set_flip(dirac_batches *batches, int32_t flip);
/**
 * x = (x - mean[c]) / deviation[c], in the units of the data (bytes: 0..255). Default: bytes / 255, floats as they are.
 * @param channels must equal C. @param deviation > 0. Errors: ARGUMENT, SHAPE, STATE.
 */
DIRAC_API int32_t dirac_batches_set_normalization(dirac_batches *batches, const float *mean, const float *deviation,
                                                  int64_t channels);
/** How many batches a background thread prepares ahead, 0 (default: none, no thread) to 16. */
DIRAC_API int32_t dirac_batches_set_prefetch(dirac_batches *batches, int32_t batches_ahead);

/**
 * The next batch. At the end of an epoch it gives n = 0 once; the call after that begins the next epoch.
 * @param samples receives (n, C, spatial...). @param labels n labels. Both valid until the next call or destroy.
 * @param n receives the number of samples.
 * Errors: ARGUMENT, MEMORY, CALLBACK (the stream stays before that batch), THREAD.
 */
DIRAC_API int32_t dirac_batches_next(dirac_batches *batches, const float **samples, const int32_t **labels, int64_t *n);
/** Goes to batch `batch` (0 for the first) of epoch `epoch` (from 0). Errors: ARGUMENT. */
DIRAC_API int32_t dirac_batches_seek(dirac_batches *batches, int64_t epoch, int64_t batch);
/** The epoch and the number of batches of it consumed; prefetched ones do not count. Errors: ARGUMENT. */
DIRAC_API int32_t dirac_batches_position(const dirac_batches *batches, int64_t *epoch, int64_t *batch);
/** The number of batches an epoch; 0 for NULL. */
DIRAC_API int64_t dirac_batches_per_epoch(const dirac_batches *batches);

DIRAC_END

#endif
