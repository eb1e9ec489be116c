/* SPDX-License-Identifier: MIT */
/**
 * @file data.h  Data sets in memory, and streams of shuffled, augmented, normalised batches from them.
 *
 * A data set holds samples of one shape (C, spatial...), as bytes (images) or float, and a label each. It is filled,
 * then only read: from the moment batches are made on it, it cannot be changed (DIRAC_ERR_STATE). Any number of threads
 * may read it. Every function that returns a status gives DIRAC_ERR_ARGUMENT for a NULL handle. Everything here: since
 * 0.1.
 */
#ifndef DIRAC_DATA_H
#define DIRAC_DATA_H

#include "context.h"
#include "export.h"

DIRAC_BEGIN

/** Samples of one shape with a label each. */
typedef struct dirac_dataset dirac_dataset;
/** A stream of batches over a data set. */
typedef struct dirac_batches dirac_batches;

/**
 * Supplies sample `index`: fills `values` (C * spatial floats, planar) and `label` (at least 0); returns 0, or
 * non-zero to fail the batch. Called on the library's prefetch thread if prefetching is on, otherwise on the caller's;
 * never concurrently for one dirac_batches. It must not call into the library.
 */
typedef int32_t (*dirac_sample_fn)(void *user, int64_t index, float *values, int32_t *label);

/** Which part of a published data set. */
enum {
    DIRAC_SPLIT_TRAIN = 0, /**< the training images */
    DIRAC_SPLIT_TEST = 1   /**< the test images */
};
/** How the bytes of images lie in memory. */
enum {
    DIRAC_LAYOUT_PLANAR = 0,     /**< (C, H, W) */
    DIRAC_LAYOUT_INTERLEAVED = 1 /**< (H, W, C), as decoders give it */
};
/** What is around an image that is cropped beyond its border. */
enum {
    DIRAC_PAD_ZERO = 0,   /**< the value 0 before normalisation */
    DIRAC_PAD_REFLECT = 1 /**< the image mirrored, without repeating the edge */
};

/* ---- data sets --------------------------------------------------------------------------------------------------- */

/**
 * Makes an empty set of byte images.
 * @param out receives it, NULL on failure; release it with dirac_dataset_destroy(). @param context kept alive by it.
 * @param channels, height, width at least 1.
 * Errors: ARGUMENT, MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_dataset_create_images(dirac_dataset **out, dirac_context *context, int64_t channels,
                                              int64_t height, int64_t width);
/**
 * Makes an empty set of float samples.
 * @param out receives it, NULL on failure; release it with dirac_dataset_destroy(). @param context kept alive by it.
 * @param dims a sample's shape: C, then space; each at least 1; copied. @param rank 1 to 4.
 * Errors: ARGUMENT, MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_dataset_create_floats(dirac_dataset **out, dirac_context *context, const int64_t *dims,
                                              int32_t rank);
/**
 * Makes a set of samples that a callback supplies when they are needed.
 * @param out receives it, NULL on failure; release it with dirac_dataset_destroy(). @param context kept alive by it.
 * @param dims a sample's shape: C, then space; each at least 1; copied. @param rank 1 to 4.
 * @param count the number of samples. @param sample the callback. @param user passed to it; must outlive the set.
 * Errors: ARGUMENT, MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_dataset_create_callback(dirac_dataset **out, dirac_context *context, const int64_t *dims,
                                                int32_t rank, int64_t count, dirac_sample_fn sample, void *user);
/**
 * Gives up the caller's hold; the set goes when the last batches on it have gone.
 * @param dataset NULL is accepted. Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API void dirac_dataset_destroy(dirac_dataset *dataset);

/**
 * Copies byte images and their labels in. On error nothing was added.
 * @param dataset made by dirac_dataset_create_images(), or loaded. @param pixels n * C * H * W bytes, 0 to 255.
 * @param layout DIRAC_LAYOUT_*. @param labels n, each 0 to 2^31 - 2. @param n the number of images, 0 or more.
 * Errors: ARGUMENT, STATE (batches were made on it), MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_dataset_add_images(dirac_dataset *dataset, const uint8_t *pixels, int32_t layout,
                                           const int32_t *labels, int64_t n);
/**
 * Copies float samples and their labels in. On error nothing was added.
 * @param dataset made by dirac_dataset_create_floats(). @param values (n, C, spatial...). @param labels n, each 0 to 2^31 - 2.
 * @param n the number of samples, 0 or more.
 * Errors: ARGUMENT, STATE (batches were made on it), MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_dataset_add_floats(dirac_dataset *dataset, const float *values, const int32_t *labels,
                                           int64_t n);
/**
 * Names a class, so that reports and model files can.
 * @param label 0 to 2^31 - 2. @param name copied.
 * Errors: ARGUMENT, STATE (batches were made on it), MEMORY. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_dataset_set_class_name(dirac_dataset *dataset, int32_t label, const char *name);

/**
 * Reads CIFAR-10's binary version: data_batch_1.bin to _5.bin, or test_batch.bin, and batches.meta.txt if there.
 * @param out receives it, NULL on failure; release it with dirac_dataset_destroy(). @param context kept alive by it.
 * @param directory that holds the files (or holds cifar-10-batches-bin). @param split DIRAC_SPLIT_*.
 * Errors: ARGUMENT, IO (names the file), FORMAT (names file and byte), MEMORY, LIMIT, CANCELLED. Threads: any. Since
 * 0.1.
 */
DIRAC_API int32_t dirac_dataset_load_cifar10(dirac_dataset **out, dirac_context *context, const char *directory,
                                             int32_t split);
/**
 * Reads CIFAR-100's binary version with fine labels: train.bin or test.bin, and fine_label_names.txt if there.
 * @param out receives it, NULL on failure; release it with dirac_dataset_destroy(). @param context kept alive by it.
 * @param directory that holds the files (or holds cifar-100-binary). @param split DIRAC_SPLIT_*.
 * Errors: ARGUMENT, IO (names the file), FORMAT (names file and byte), MEMORY, LIMIT, CANCELLED. Threads: any. Since
 * 0.1.
 */
DIRAC_API int32_t dirac_dataset_load_cifar100(dirac_dataset **out, dirac_context *context, const char *directory,
                                              int32_t split);
/**
 * Reads IDX files (MNIST's format), uncompressed.
 * @param out receives it, NULL on failure; release it with dirac_dataset_destroy(). @param context kept alive by it.
 * @param images path of unsigned bytes (n, H, W) or (n, C, H, W). @param labels path of unsigned bytes (n).
 * Errors: ARGUMENT, IO (names the file), FORMAT (names file and byte), MEMORY, LIMIT, CANCELLED. Threads: any. Since
 * 0.1.
 */
DIRAC_API int32_t dirac_dataset_load_idx(dirac_dataset **out, dirac_context *context, const char *images,
                                         const char *labels);
/**
 * Reads what IDX files hold from memory.
 * @param out receives it, NULL on failure; release it with dirac_dataset_destroy(). @param context kept alive by it.
 * @param images a whole file of images, copied. @param images_size its bytes. @param labels a whole file of labels,
 * copied.
 * @param labels_size its bytes.
 * Errors: ARGUMENT, FORMAT (names byte), MEMORY, LIMIT. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_dataset_load_idx_memory(dirac_dataset **out, dirac_context *context, const void *images,
                                                size_t images_size, const void *labels, size_t labels_size);
/**
 * Reads CIFAR records from memory: label byte(s), then 3072 bytes of pixels, repeated.
 * @param out receives it, NULL on failure; release it with dirac_dataset_destroy(). @param context kept alive by it.
 * @param records copied. @param size their bytes. @param classes 10 (one label byte) or 100 (two: coarse, fine).
 * Errors: ARGUMENT, FORMAT (names byte), MEMORY, LIMIT. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_dataset_load_cifar_memory(dirac_dataset **out, dirac_context *context, const void *records,
                                                  size_t size, int32_t classes);

/** The number of samples. @return 0 for NULL. Errors: none. Threads: any, once filled. Since 0.1. */
DIRAC_API int64_t dirac_dataset_count(const dirac_dataset *dataset);
/** One more than the largest label or named class. @return 0 for NULL or unknown (callback sets). Errors: none.
 * Threads: any, once filled. Since 0.1. */
DIRAC_API int32_t dirac_dataset_classes(const dirac_dataset *dataset);
/** The name of a class. @param label of the class. @return text valid as long as the set, or NULL. Errors: none.
 * Threads: any, once filled. Since 0.1. */
DIRAC_API const char *dirac_dataset_class_name(const dirac_dataset *dataset, int32_t label);
/** The label of a sample. @param index from 0. @return -1 for out of range and for callback sets. Errors: none.
 * Threads: any, once filled. Since 0.1. */
DIRAC_API int32_t dirac_dataset_label(const dirac_dataset *dataset, int64_t index);
/**
 * The shape of a sample: C, then space.
 * @param dims room for 4. @param rank receives 1 to 4. Errors: ARGUMENT. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_dataset_shape(const dirac_dataset *dataset, int64_t *dims, int32_t *rank);
/**
 * Copies a sample out, planar, bytes as 0 to 255.
 * @param index from 0. @param values room for it. @param count must be its number of values.
 * Errors: ARGUMENT, SHAPE (count), CALLBACK. Threads: any, once filled (callback sets: as the callback allows). Since
 * 0.1.
 */
DIRAC_API int32_t dirac_dataset_read(const dirac_dataset *dataset, int64_t index, float *values, size_t count);

/* ---- batches ----------------------------------------------------------------------------------------------------- */

/**
 * Makes a stream of batches over a data set. Set options, then call dirac_batches_next(); the first call fixes them.
 * The stream depends on the data, the options and the seed alone: not on threads or timing.
 * @param out receives the stream, NULL on failure; release it with dirac_batches_destroy(). @param dataset kept alive
 * by it, and from here unchangeable.
 * Errors: ARGUMENT, STATE (empty set), MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_batches_create(dirac_batches **out, dirac_dataset *dataset);
/**
 * Releases a stream, waiting for a batch in the making.
 * @param batches NULL is accepted. Errors: none. Threads: one. Since 0.1.
 */
DIRAC_API void dirac_batches_destroy(dirac_batches *batches);

/** Images a batch. @param n at least 1; default 128. Errors: ARGUMENT, STATE. Threads: one. Since 0.1. */
DIRAC_API int32_t dirac_batches_set_size(dirac_batches *batches, int64_t n);
/**
 * The seed of shuffling and augmentation.
 * @param seed any number; default the context's. Errors: ARGUMENT, STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_batches_set_seed(dirac_batches *batches, uint64_t seed);
/**
 * Whether each epoch has a new random order.
 * @param shuffle 1, or 0 (default: the set's order). Errors: ARGUMENT, STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_batches_set_shuffle(dirac_batches *batches, int32_t shuffle);
/**
 * Whether an epoch ends before an incomplete batch.
 * @param drop 1, or 0 (default: the last batch may be smaller). Errors: ARGUMENT, STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_batches_set_drop_last(dirac_batches *batches, int32_t drop);
/**
 * Random crop: pads by `pixels` on each side of the last two dimensions, then cuts the original size at a random place.
 * @param pixels 0 to 2^30; 0 (default): off. @param mode DIRAC_PAD_*; reflection needs pixels < height and width.
 * Paper: section 3 (reflection, 4). Errors: ARGUMENT, STATE, SHAPE (samples without two spatial dimensions).
 * Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_batches_set_crop(dirac_batches *batches, int64_t pixels, int32_t mode);
/**
 * Mirrors each sample left to right with probability 1/2.
 * @param flip 1, or 0 (default). Paper: section 3.
 * Errors: ARGUMENT, STATE, SHAPE (samples without two spatial dimensions). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_batches_set_flip(dirac_batches *batches, int32_t flip);
/**
 * Normalises x = (x - mean[c]) / deviation[c], in the units of the data (bytes: 0 to 255). Default: bytes / 255,
 * floats as they are.
 * @param mean finite, one a channel; copied. @param deviation finite, > 0, one a channel; copied.
 * @param channels must equal C.
 * Errors: ARGUMENT, SHAPE (channels), STATE, MEMORY. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_batches_set_normalization(dirac_batches *batches, const float *mean, const float *deviation,
                                                  int64_t channels);
/**
 * How many batches a background thread prepares ahead, in the floating-point environment of who takes them: when
 * rounding or flushing has changed at the next call, those that are ready are made again.
 * @param batches_ahead 0 (default: none, no thread) to 16. Errors: ARGUMENT, STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_batches_set_prefetch(dirac_batches *batches, int32_t batches_ahead);

/**
 * The next batch. At the end of an epoch it gives n = 0 once; the call after that begins the next epoch.
 * @param samples receives (n, C, spatial...), normalised. @param labels receives n labels. Both are the stream's, valid
 * until the next call or destroy. @param n receives the number of samples.
 * Errors: ARGUMENT, MEMORY, CALLBACK (the stream stays before that batch), THREAD. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_batches_next(dirac_batches *batches, const float **samples, const int32_t **labels, int64_t *n);
/**
 * Goes to a batch.
 * @param epoch 0 to 2^62 - 1. @param batch of that epoch, 0 for the first, to the number of batches of an epoch.
 * Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_batches_seek(dirac_batches *batches, int64_t epoch, int64_t batch);
/**
 * Where the stream is.
 * @param epoch receives the epoch, from 0. @param batch receives the number of batches of it consumed; prefetched ones
 * do not count.
 * Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_batches_position(const dirac_batches *batches, int64_t *epoch, int64_t *batch);
/** The number of batches an epoch. @return 0 for NULL. Errors: none. Threads: one. Since 0.1. */
DIRAC_API int64_t dirac_batches_per_epoch(const dirac_batches *batches);

DIRAC_END

#endif
