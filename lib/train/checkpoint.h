/* SPDX-License-Identifier: MIT */
/*
 * A checkpoint: a list of handles that are saved and restored as one. In the file (docs/file-format.md) each has a text
 * of settings, "dirac.<kind>.<name>", and tensors "<kind>/<name>/...".
 */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include <dirac/file.h>

#include "base/context.h"
#include "base/json.h"
#include "data/batches.h"
#include "io/safetensors.h"
#include "plan/session.h"
#include "train/sgd.h"

enum { DIRAC__ITEM_NET, DIRAC__ITEM_SGD, DIRAC__ITEM_SESSION, DIRAC__ITEM_BATCHES };

typedef struct dirac__item {
    int32_t kind;
    char *name;
    union {
        void *handle;
        dirac_net *net;
        dirac_sgd *sgd;
        dirac_session *session;
        dirac_batches *batches;
    } is;
} dirac__item;

typedef struct dirac__blob {
    char *name;
    void *data;
    size_t size;
} dirac__blob;

struct dirac_checkpoint {
    dirac_context *context;
    const dirac__memory *memory;
    dirac__item *items;
    size_t n_items, items_capacity;
    dirac__blob *blobs;
    size_t n_blobs, blobs_capacity;
    dirac__name_index blob_names; /* places in blobs */
};

/* ---- checkpoint.c ---- */

dirac__blob *dirac__checkpoint_find_blob(const dirac_checkpoint *checkpoint, const char *name);
/* Replaces or adds a blob with a copy of `data`. Errors: MEMORY. */
int32_t dirac__checkpoint_put_blob(dirac_checkpoint *checkpoint, const char *name, const void *data, size_t size);
/* Writes to `path`, or to memory when that is NULL. */
int32_t dirac__checkpoint_write(const dirac_checkpoint *checkpoint, const char *path, void **data, size_t *size);
/* Checks a whole file against the handles, then takes all of it. */
int32_t dirac__checkpoint_read(dirac_checkpoint *checkpoint, const dirac__safetensors *file);

/* ---- outline.c: lists of a file in the making ---- */

typedef struct dirac__outline {
    const dirac__memory *memory;
    dirac__file_tensor *tensors;
    size_t n_tensors, tensors_capacity;
    dirac__file_text *texts;
    size_t n_texts, texts_capacity;
    char **strings; /* owned names, keys and texts */
    size_t n_strings, strings_capacity;
    bool failed;
} dirac__outline;

/* Adds float values called "<prefix>/<name>/<rest>". */
void dirac__outline_floats(dirac__outline *outline, const char *kind, const char *name, const char *rest,
                           const int64_t *dims, int32_t rank, const float *values);
/* Adds bytes called "blob/<name>". */
void dirac__outline_bytes(dirac__outline *outline, const char *name, const void *data, size_t size);
/* Adds the text "dirac.<kind>.<name>" and releases the buffer. */
void dirac__outline_text(dirac__outline *outline, const char *kind, const char *name, dirac__buffer *value);
void dirac__outline_release(dirac__outline *outline);
/* "<kind>/<name>/<rest>" or "dirac.<kind>.<name>" in new memory, NULL when there is none. */
char *dirac__outline_tensor_name(const dirac__memory *memory, const char *kind, const char *name, const char *rest);
char *dirac__outline_text_name(const dirac__memory *memory, const char *kind, const char *name);

/* ---- settings.c: what the texts say ---- */

void dirac__sgd_write(const dirac_sgd *sgd, dirac__buffer *buffer);
/* Reads settings into *settings (a copy of the optimizer) and rules (n_tensors). FORMAT or MISMATCH when they are not of
 * such an optimizer. */
int32_t dirac__sgd_read(const dirac__json *from, dirac_sgd *settings, dirac__rule *rules);

void dirac__session_write(const dirac_session *session, dirac__buffer *buffer);
typedef struct dirac__session_settings {
    uint64_t seed, draws;
    bool statistics, backward_done, spoiled;
} dirac__session_settings;
int32_t dirac__session_read(const dirac__json *from, dirac__session_settings *settings);

void dirac__batches_write(const dirac_batches *batches, dirac__buffer *buffer);
int32_t dirac__batches_read(const dirac__json *from, uint64_t state[4]);

#endif
