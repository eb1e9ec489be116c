/* SPDX-License-Identifier: MIT */
/**
 * @file layer.h  Layers the library does not have, written by the host.
 *
 * A kind is made on a context, given callbacks, registered, and then used by any net of that context through
 * dirac_net_custom(). Callbacks run on the thread that called the library, may run for several sessions at once (so
 * they must not keep state outside what they are handed), return 0 or, on failure, anything else (the call then ends
 * with DIRAC_ERR_CALLBACK and names the node), and must not call the library except for the dirac_layer_* functions
 * below on the dirac_layer they were handed, which is valid during the callback only.
 *
 * Arrays are contiguous float in (n, C, spatial...) order. A net file names the kind; loading it needs the kind
 * registered first (DIRAC_ERR_NOT_FOUND names it otherwise). Everything here: since 0.1.
 */
#ifndef DIRAC_LAYER_H
#define DIRAC_LAYER_H

#include "net.h"

DIRAC_BEGIN

typedef struct dirac_layer_kind dirac_layer_kind;
typedef struct dirac_layer dirac_layer;

/** A callback of a kind. `user` is what dirac_layer_kind_set_user() gave. */
typedef int32_t (*dirac_layer_fn)(void *user, dirac_layer *layer);

/** Frees the data that dirac_layer_kind_set_user() gave, when the kind goes; on the thread that lets it go. */
typedef void (*dirac_destroy_fn)(void *user);

/**
 * Makes a kind. @param name a letter followed by letters, digits, '_', unlike any built-in kind.
 * @param inputs how many values it reads, 1 to 64; 0 for any number.
 * Errors: ARGUMENT, MEMORY. Any thread.
 */
DIRAC_API int32_t dirac_layer_kind_create(dirac_layer_kind **out, dirac_context *context, const char *name,
                                          int32_t inputs);
/** Gives up the caller's hold; nets that use it, and the context it is registered with, keep it. NULL is accepted. */
DIRAC_API void dirac_layer_kind_destroy(dirac_layer_kind *kind);

/** Data handed to the callbacks. @param destroy frees it when the kind goes, may be NULL. Before register. */
DIRAC_API int32_t dirac_layer_kind_set_user(dirac_layer_kind *kind, void *user, dirac_destroy_fn destroy);
/** A real attribute, set by dirac_node_set_float(), kept in files. Before register. Errors: ARGUMENT, MEMORY, STATE. */
DIRAC_API int32_t dirac_layer_kind_add_float(dirac_layer_kind *kind, const char *name, double least, double most,
                                             double value);
/** An integer attribute, set by dirac_node_set_int(). Before register. At most 8 attributes in all. */
DIRAC_API int32_t dirac_layer_kind_add_int(dirac_layer_kind *kind, const char *name, int64_t least, int64_t most,
                                           int64_t value);
/**
 * Required. Called when shapes are worked out: looks at dirac_layer_input_shape(), must call
 * dirac_layer_set_output_shape(), may call dirac_layer_add_parameter(), _add_state() and _keep(). Must depend on the
 * attributes and shapes alone; parameters' shapes must not depend on the spatial size.
 */
DIRAC_API int32_t dirac_layer_kind_set_setup(dirac_layer_kind *kind, dirac_layer_fn setup);
/** Required. Computes dirac_layer_output() from the inputs and parameters. */
DIRAC_API int32_t dirac_layer_kind_set_forward(dirac_layer_kind *kind, dirac_layer_fn forward);
/**
 * Needed for training. Adds to each dirac_layer_parameter_gradient(), and writes each dirac_layer_input_gradient() that
 * is not NULL, from dirac_layer_output_gradient().
 */
DIRAC_API int32_t dirac_layer_kind_set_backward(dirac_layer_kind *kind, dirac_layer_fn backward);
/** Makes the kind known to its context, by name; its callbacks are fixed from here. Errors: ARGUMENT (name taken), STATE. */
DIRAC_API int32_t dirac_layer_kind_register(dirac_layer_kind *kind);

/** Adds a layer of a registered kind of the net's context. @return its value, or NULL (sticky). */
DIRAC_API dirac_node *dirac_net_custom(dirac_net *net, dirac_layer_kind *kind, dirac_node *const *inputs,
                                       int32_t count);

/* ---- inside callbacks ------------------------------------------------------------------------------------------- */

/** The number of inputs. */
DIRAC_API int32_t dirac_layer_input_count(const dirac_layer *layer);
/** Shape of input `index` without n: dims[0] = C, then space; room for 4. Errors: ARGUMENT. */
DIRAC_API int32_t dirac_layer_input_shape(const dirac_layer *layer, int32_t index, int64_t *dims, int32_t *rank);
/** An attribute's value; 0 for an unknown name. */
DIRAC_API double dirac_layer_get_float(const dirac_layer *layer, const char *attribute);
/** An attribute's value; 0 for an unknown name. */
DIRAC_API int64_t dirac_layer_get_int(const dirac_layer *layer, const char *attribute);

/** Setup: the output's shape without n, rank 1 to 4. Errors: ARGUMENT, STATE (not in setup). */
DIRAC_API int32_t dirac_layer_set_output_shape(dirac_layer *layer, const int64_t *dims, int32_t rank);
/**
 * Setup: declares a parameter. @param decay 1 if weight decay applies by default. @param init, a, b as in net.h.
 * At most 8 parameters and states in all. Errors: ARGUMENT, STATE.
 */
DIRAC_API int32_t dirac_layer_add_parameter(dirac_layer *layer, const char *name, const int64_t *dims, int32_t rank,
                                            int32_t decay, int32_t init, double a, double b);
/** Setup: declares state: saved, not trained. In training, forward may change it through dirac_layer_new_state(). */
DIRAC_API int32_t dirac_layer_add_state(dirac_layer *layer, const char *name, const int64_t *dims, int32_t rank,
                                        double value);
/** Setup: keeps `floats` numbers an image, and `fixed` more, from forward to backward: dirac_layer_kept(). */
DIRAC_API int32_t dirac_layer_keep(dirac_layer *layer, int64_t floats, int64_t fixed);

/** The number of images n in this call. */
DIRAC_API int64_t dirac_layer_batch(const dirac_layer *layer);
/** 1 in a training session, 0 in inference. */
DIRAC_API int32_t dirac_layer_is_training(const dirac_layer *layer);
/** Input `index`, (n, C, ...). In backward it is what forward saw. */
DIRAC_API const float *dirac_layer_input(const dirac_layer *layer, int32_t index);
/** Shape of the output without n, as setup gave it; room for 4. Errors: ARGUMENT, STATE (setup has not given it yet). */
DIRAC_API int32_t dirac_layer_output_shape(const dirac_layer *layer, int64_t *dims, int32_t *rank);
/** The output; written by forward, read by backward. */
DIRAC_API float *dirac_layer_output(dirac_layer *layer);
/** Backward: gradient of the output. */
DIRAC_API const float *dirac_layer_output_gradient(const dirac_layer *layer);
/** Backward: where to write the gradient of input `index`; NULL if nobody needs it. */
DIRAC_API float *dirac_layer_input_gradient(dirac_layer *layer, int32_t index);
/** A parameter or state, or NULL for an unknown name. */
DIRAC_API const float *dirac_layer_parameter(const dirac_layer *layer, const char *name);
/**
 * Shape of a parameter or state. @param dims room for DIRAC_MAX_RANK. Errors: ARGUMENT, NOT_FOUND (an unknown name; in
 * setup, every name).
 */
DIRAC_API int32_t dirac_layer_parameter_shape(const dirac_layer *layer, const char *name, int64_t *dims,
                                              int32_t *rank);
/** Backward: the gradient of a parameter, to add into; NULL if it is not trained. */
DIRAC_API float *dirac_layer_parameter_gradient(dirac_layer *layer, const char *name);
/**
 * Training forward: a copy of the state as the pending forwards left it, to be changed; it takes the state's place
 * when the step is committed. NULL otherwise.
 */
DIRAC_API float *dirac_layer_new_state(dirac_layer *layer, const char *name);
/** The kept numbers: n times `floats`, then `fixed`. NULL in inference, or if none were asked for. */
DIRAC_API float *dirac_layer_kept(dirac_layer *layer);
/** How many numbers dirac_layer_kept() has in this call; 0 where it is NULL. */
DIRAC_API int64_t dirac_layer_kept_count(const dirac_layer *layer);

DIRAC_END

#endif
