/* SPDX-License-Identifier: MIT */
/**
 * @file file.h  Model files and checkpoints.
 *
 * Both are safetensors files: an eight-byte length, a JSON header, then raw little-endian float32. Any safetensors
 * reader in any language reads the tensors. The header's __metadata__ holds the graph ("dirac.graph"), the notes of the
 * net and a checksum over everything else, so one file rebuilds the net. See docs/file-format.md.
 *
 * Files are written to a temporary beside the target, flushed and renamed: at any moment the target is the old file or
 * the new one, whole. Files are read as hostile: every size is checked, and dirac_context_set_load_limit() bounds memory.
 * Everything here: since 0.1.
 */
#ifndef DIRAC_FILE_H
#define DIRAC_FILE_H

#include "data.h"
#include "net.h"
#include "session.h"
#include "sgd.h"

DIRAC_BEGIN

/** What tensors are called in a file. */
enum {
    DIRAC_NAMES_OWN = 0,       /**< as dirac_net_tensor_name() */
    DIRAC_NAMES_PUBLISHED = 1, /**< the paper's code, training form: conv, bn.weight, group0.block0.conv, .alpha, ... */
    DIRAC_NAMES_FOLDED = 2     /**< the paper's code, folded form: features.conv.weight, ..., fc.bias */
};

/** What dirac_net_load_weights() does about tensors that do not match. */
enum {
    DIRAC_LOAD_STRICT = 0, /**< any missing, unused or wrong-shaped tensor fails the load, and nothing is changed */
    DIRAC_LOAD_PARTIAL = 1 /**< those that match are taken, the rest left: a new head on an old body */
};

/**
 * Saves a built net. @param path replaced atomically. Errors: ARGUMENT, STATE, IO (names the file and the system's
 * reason; an old file stays), MEMORY, BUSY. Reader.
 */
DIRAC_API int32_t dirac_net_save(const dirac_net *net, const char *path);
/**
 * The same with names of a published scheme (and without the graph, which those files do not have).
 * @param names DIRAC_NAMES_*. Errors: and ARGUMENT if the net has tensors that the scheme has no name for (names one).
 */
DIRAC_API int32_t dirac_net_save_as(const dirac_net *net, const char *path, int32_t names);
/** Saves to memory. @param data receives the buffer; free it with dirac_buffer_free(). @param size its length. */
DIRAC_API int32_t dirac_net_save_memory(const dirac_net *net, void **data, size_t *size);
/**
 * Rebuilds a net from a file that dirac_net_save() wrote. @param out NULL on failure.
 * Errors: ARGUMENT, IO, FORMAT (what and where), NOT_FOUND (a custom kind that is not registered, named), MISMATCH,
 * LIMIT, MEMORY.
 */
DIRAC_API int32_t dirac_net_load(dirac_net **out, dirac_context *context, const char *path);
/** The same from memory. The buffer is not kept. */
DIRAC_API int32_t dirac_net_load_memory(dirac_net **out, dirac_context *context, const void *data, size_t size);

/**
 * Reads weights into a built net from any safetensors file: one of ours, or one with the published names (training or
 * folded form, with and without "features.", "params." or "stats.", alpha and beta of one element, eye* and delta
 * buffers ignored), recognised by its keys. F32, F64, F16 and BF16 are read.
 * @param mode DIRAC_LOAD_*.
 * Errors: ARGUMENT, STATE, IO, FORMAT, MISMATCH (the message begins the list of every missing, unused and wrong-shaped
 * tensor; dirac_net_load_report() has all of it), LIMIT, MEMORY, BUSY. On error nothing is changed. Writer.
 */
DIRAC_API int32_t dirac_net_load_weights(dirac_net *net, const char *path, int32_t mode);
/** The same from memory. */
DIRAC_API int32_t dirac_net_load_weights_memory(dirac_net *net, const void *data, size_t size, int32_t mode);
/** One line for every tensor that the last load of weights did not match; "" if all did. Valid until the next load. */
DIRAC_API const char *dirac_net_load_report(const dirac_net *net);

/* ---- checkpoints -------------------------------------------------------------------------------------------------- */

/**
 * What is saved and restored as one: add the handles under names of the host's choice, then save or load. A checkpoint
 * keeps its handles alive. Training that is resumed from it is bit-identical to training that never stopped.
 */
typedef struct dirac_checkpoint dirac_checkpoint;

/** Makes an empty checkpoint. Errors: ARGUMENT, MEMORY. One caller at a time. */
DIRAC_API int32_t dirac_checkpoint_create(dirac_checkpoint **out, dirac_context *context);
/** Releases it. NULL is accepted. */
DIRAC_API void dirac_checkpoint_destroy(dirac_checkpoint *checkpoint);
/** Adds a net: parameters, state, and at saving its graph. @param name unique in the checkpoint, [A-Za-z0-9_-]+. */
DIRAC_API int32_t dirac_checkpoint_add_net(dirac_checkpoint *checkpoint, const char *name, dirac_net *net);
/** Adds an optimizer: momentum, steps taken, and all its settings and schedule. */
DIRAC_API int32_t dirac_checkpoint_add_sgd(dirac_checkpoint *checkpoint, const char *name, dirac_sgd *sgd);
/** Adds a prepared training session: pending statistics, gradients added up so far, dropout's position. */
DIRAC_API int32_t dirac_checkpoint_add_session(dirac_checkpoint *checkpoint, const char *name,
                                               dirac_session *session);
/** Adds a stream of batches: seed and position. */
DIRAC_API int32_t dirac_checkpoint_add_batches(dirac_checkpoint *checkpoint, const char *name,
                                               dirac_batches *batches);
/** Sets bytes of the host's own, saved along. Copied. Errors: ARGUMENT, MEMORY. */
DIRAC_API int32_t dirac_checkpoint_set_blob(dirac_checkpoint *checkpoint, const char *name, const void *data,
                                            size_t size);
/** The bytes set or loaded; valid until set anew, loaded or destroyed. Errors: ARGUMENT, NOT_FOUND. */
DIRAC_API int32_t dirac_checkpoint_blob(const dirac_checkpoint *checkpoint, const char *name, const void **data,
                                        size_t *size);
/** Saves everything added. @param path replaced atomically. Errors: ARGUMENT, IO, MEMORY, BUSY. */
DIRAC_API int32_t dirac_checkpoint_save(dirac_checkpoint *checkpoint, const char *path);
/**
 * Restores everything added, all or nothing. The handles must be those of the run that saved: same graph, same names.
 * Errors: ARGUMENT, IO, FORMAT, MISMATCH (names what), LIMIT, MEMORY, BUSY.
 */
DIRAC_API int32_t dirac_checkpoint_load(dirac_checkpoint *checkpoint, const char *path);
/** Saves to memory; free the buffer with dirac_buffer_free(). */
DIRAC_API int32_t dirac_checkpoint_save_memory(dirac_checkpoint *checkpoint, void **data, size_t *size);
/** Restores from memory. */
DIRAC_API int32_t dirac_checkpoint_load_memory(dirac_checkpoint *checkpoint, const void *data, size_t size);

DIRAC_END

#endif
