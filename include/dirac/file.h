/* SPDX-License-Identifier: MIT */
/**
 * @file file.h  Model files and checkpoints.
 *
 * Both are safetensors files: an eight-byte length, a JSON header, then raw little-endian float32. Any safetensors
 * reader in any language reads the tensors. The header's __metadata__ holds the graph ("dirac.graph"), the notes of the
 * net and a checksum over everything else, so one file rebuilds the net. See docs/file-format.md.
 *
 * Files are written to a temporary beside the target, flushed and renamed: at any moment the target is the old file or
 * the new one, whole. Files are read as hostile: every size is checked, and dirac_context_set_load_limit() bounds
 * memory. What reading refuses at any load limit is not written: saving gives LIMIT, naming the number, for a header beyond
 * 100,000,000 bytes or 2^21 JSON values, a graph or other text in it beyond 2^21 JSON values, and a graph, note or name
 * beyond 2^24 bytes. dirac_context_set_progress() watches and stops reading and writing of files (CANCELLED). Everything here:
 * since 0.1.
 */
#ifndef DIRAC_FILE_H
#define DIRAC_FILE_H

#include "data.h"
#include "net.h"
#include "session.h"
#include "sgd.h"

DIRAC_BEGIN

/**
 * What is saved and restored as one: add the handles under names of the host's choice, then save or load. A checkpoint
 * keeps its handles alive. Training that is resumed from it is bit-identical to training that never stopped.
 */
typedef struct dirac_checkpoint dirac_checkpoint;

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

/* ---- nets -------------------------------------------------------------------------------------------------------- */

/**
 * Saves a built net: graph, parameters, state, notes.
 * @param path replaced atomically.
 * Errors: ARGUMENT, STATE (not built), IO (names the file and the system's reason; an old file stays), MEMORY, LIMIT (it
 * could not be read again: larger than what loading takes; an old file stays), CANCELLED, BUSY. Threads: reader. Since 0.1.
 */
DIRAC_API int32_t dirac_net_save(const dirac_net *net, const char *path);
/**
 * Saves a built net with names of a published scheme (and without the graph, which those files do not have).
 * @param path replaced atomically. @param names DIRAC_NAMES_*.
 * Errors: those of dirac_net_save(), and ARGUMENT if the net has tensors that the scheme has no name for (names one).
 * Threads: reader. Since 0.1.
 */
DIRAC_API int32_t dirac_net_save_as(const dirac_net *net, const char *path, int32_t names);
/**
 * Saves a built net to memory: the bytes that dirac_net_save() would write.
 * @param data receives the buffer; free it with dirac_buffer_free(). @param size receives its length.
 * Errors: ARGUMENT, STATE (not built), MEMORY, LIMIT (it could not be read again), BUSY. Threads: reader. Since 0.1.
 */
DIRAC_API int32_t dirac_net_save_memory(const dirac_net *net, void **data, size_t *size);
/**
 * Rebuilds a net from a file that dirac_net_save() wrote. It comes built.
 * @param out receives the net, NULL on failure; release it with dirac_net_destroy(). @param context kept alive by it.
 * @param path of the file.
 * Errors: ARGUMENT, IO, FORMAT (what and where), NOT_FOUND (a custom kind that is not registered, named), MISMATCH,
 * LIMIT, CALLBACK (setup of a custom kind), CANCELLED, MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_net_load(dirac_net **out, dirac_context *context, const char *path);
/**
 * Rebuilds a net from memory that holds such a file.
 * @param out receives the net, NULL on failure; release it with dirac_net_destroy(). @param context kept alive by it.
 * @param data read, not kept. @param size its length.
 * Errors: those of dirac_net_load() but IO and CANCELLED. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_net_load_memory(dirac_net **out, dirac_context *context, const void *data, size_t size);

/**
 * Reads weights into a built net from any safetensors file: one of ours, or one with the published names (training or
 * folded form, with and without "features.", "params." or "stats.", alpha and beta of one element, eye* and delta
 * buffers ignored), recognised by its keys. F32, F64, F16 and BF16 are read. On error no tensor is changed.
 * @param path of the file. @param mode DIRAC_LOAD_*.
 * Errors: ARGUMENT, STATE (not built), IO, FORMAT, MISMATCH (the message begins the list of every missing, unused and
 * wrong-shaped tensor; dirac_net_load_report() has all of it), LIMIT, CANCELLED, MEMORY, BUSY. Threads: writer. Since
 * 0.1.
 */
DIRAC_API int32_t dirac_net_load_weights(dirac_net *net, const char *path, int32_t mode);
/**
 * Reads weights into a built net from memory; otherwise as dirac_net_load_weights().
 * @param data a safetensors file; read, not kept. @param size its length. @param mode DIRAC_LOAD_*.
 * Errors: ARGUMENT, STATE (not built), FORMAT, MISMATCH, LIMIT, MEMORY, BUSY. Threads: writer. Since 0.1.
 */
DIRAC_API int32_t dirac_net_load_weights_memory(dirac_net *net, const void *data, size_t size, int32_t mode);
/**
 * What the last load of weights did not match: one line for every tensor.
 * @return text of the net's, valid until the next load; "" if all matched. Errors: none.
 * Threads: any, while no writer has the net. Since 0.1.
 */
DIRAC_API const char *dirac_net_load_report(const dirac_net *net);

/* ---- checkpoints ------------------------------------------------------------------------------------------------- */

/**
 * Makes an empty checkpoint.
 * @param out receives it, NULL on failure; release it with dirac_checkpoint_destroy(). @param context kept alive by it.
 * Errors: ARGUMENT, MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_checkpoint_create(dirac_checkpoint **out, dirac_context *context);
/** Releases a checkpoint. @param checkpoint NULL is accepted. Errors: none. Threads: one. Since 0.1. */
DIRAC_API void dirac_checkpoint_destroy(dirac_checkpoint *checkpoint);
/**
 * Adds a net: parameters, state, and at saving its graph.
 * @param name 1 to 64 letters, digits, '_' and '-', unique among the nets; copied. @param net built; kept alive.
 * Errors: ARGUMENT (name, another context, added already), STATE (not built), MEMORY. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_checkpoint_add_net(dirac_checkpoint *checkpoint, const char *name, dirac_net *net);
/**
 * Adds an optimizer: momentum, steps taken, and all its settings and schedule.
 * @param name 1 to 64 letters, digits, '_' and '-', unique among the optimizers; copied. @param sgd kept alive.
 * Errors: ARGUMENT (name, another context, added already), MEMORY. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_checkpoint_add_sgd(dirac_checkpoint *checkpoint, const char *name, dirac_sgd *sgd);
/**
 * Adds a prepared training session: pending statistics, gradients added up so far, dropout's position.
 * @param name 1 to 64 letters, digits, '_' and '-', unique among the sessions; copied. @param session kept alive.
 * Errors: ARGUMENT (name, another context, added already), STATE (no prepared training session), MEMORY. Threads: one.
 * Since 0.1.
 */
DIRAC_API int32_t dirac_checkpoint_add_session(dirac_checkpoint *checkpoint, const char *name,
                                               dirac_session *session);
/**
 * Adds a stream of batches: seed and position.
 * @param name 1 to 64 letters, digits, '_' and '-', unique among the streams; copied. @param batches kept alive.
 * Errors: ARGUMENT (name, another context, added already), MEMORY. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_checkpoint_add_batches(dirac_checkpoint *checkpoint, const char *name,
                                               dirac_batches *batches);
/**
 * Sets bytes of the host's own, saved along; in place of those set before under that name.
 * @param name 1 to 64 letters, digits, '_' and '-'; copied. @param data copied; may be NULL if size is 0. @param size
 * bytes.
 * Errors: ARGUMENT, MEMORY. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_checkpoint_set_blob(dirac_checkpoint *checkpoint, const char *name, const void *data,
                                            size_t size);
/**
 * The bytes set or loaded under a name.
 * @param name of the blob. @param data receives the checkpoint's bytes, valid until set anew, loaded or destroyed.
 * @param size receives their number; may be NULL.
 * Errors: ARGUMENT, NOT_FOUND. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_checkpoint_blob(const dirac_checkpoint *checkpoint, const char *name, const void **data,
                                        size_t *size);
/**
 * Saves everything added.
 * @param path replaced atomically.
 * Errors: ARGUMENT, IO (an old file stays), MEMORY, LIMIT (it could not be read again; an old file stays), CANCELLED, BUSY
 * (a net or session in use).
 * Threads: one (of the optimizers and streams too), and reader of the nets, caller of the sessions. Since 0.1.
 */
DIRAC_API int32_t dirac_checkpoint_save(dirac_checkpoint *checkpoint, const char *path);
/**
 * Restores everything added, all or nothing. The handles must be like those of the run that saved: same graph, same names.
 * What the file has beyond them is passed over: a net added alone is taken out of a whole training. Blobs all come.
 * @param path of the file.
 * Errors: ARGUMENT, IO, FORMAT, MISMATCH (names what), LIMIT, CANCELLED, MEMORY, BUSY (a net or session in use).
 * Threads: one (of the optimizers and streams too), and writer of the nets, caller of the sessions. Since 0.1.
 */
DIRAC_API int32_t dirac_checkpoint_load(dirac_checkpoint *checkpoint, const char *path);
/**
 * Saves everything added to memory: the bytes that dirac_checkpoint_save() would write.
 * @param data receives the buffer; free it with dirac_buffer_free(). @param size receives its length.
 * Errors: ARGUMENT, MEMORY, LIMIT (it could not be read again), BUSY.
 * Threads: one (of the optimizers and streams too), and reader of the nets, caller of the sessions. Since 0.1.
 */
DIRAC_API int32_t dirac_checkpoint_save_memory(dirac_checkpoint *checkpoint, void **data, size_t *size);
/**
 * Restores everything added from memory, all or nothing.
 * @param data a checkpoint file; read, not kept. @param size its length.
 * Errors: ARGUMENT, FORMAT, MISMATCH (names what), LIMIT, MEMORY, BUSY.
 * Threads: one (of the optimizers and streams too), and writer of the nets, caller of the sessions. Since 0.1.
 */
DIRAC_API int32_t dirac_checkpoint_load_memory(dirac_checkpoint *checkpoint, const void *data, size_t size);

DIRAC_END

#endif
