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

/** A kind of layer made by the host. */
typedef struct dirac_layer_kind dirac_layer_kind;
/** What a callback is handed: one layer of a net at work. */
typedef struct dirac_layer dirac_layer;

/** A callback of a kind. `user` is what dirac_layer_kind_set_user() gave. */
typedef int32_t (*dirac_layer_fn)(void *user, dirac_layer *layer);

/** Frees the data that dirac_layer_kind_set_user() gave, when the kind goes; on the thread that lets it go. */
typedef void (*dirac_destroy_fn)(void *user);

/* ---- kinds ------------------------------------------------------------------------------------------------------ */

/**
 * Makes a kind.
 * @param out receives it, NULL on failure; release it with dirac_layer_kind_destroy(). @param context kept alive by it.
 * @param name a letter followed by up to 62 letters, digits, '_', unlike any built-in kind; copied.
 * @param inputs how many values a layer reads, 1 to 64; 0 for any number.
 * Errors: ARGUMENT, MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_kind_create(dirac_layer_kind **out, dirac_context *context, const char *name,
                                          int32_t inputs);
/**
 * Gives up the caller's hold; the context it is registered with keeps it, and so do nets that use it.
 * @param kind NULL is accepted. Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API void dirac_layer_kind_destroy(dirac_layer_kind *kind);

/**
 * Sets the data handed to the callbacks. Before register.
 * @param user the host's. @param destroy frees it when the kind goes; may be NULL.
 * Errors: ARGUMENT, STATE (registered). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_kind_set_user(dirac_layer_kind *kind, void *user, dirac_destroy_fn destroy);
/**
 * Adds a real attribute, set by dirac_node_set_float() and kept in files. At most 8 attributes in all. Before register.
 * @param name a new word, as a kind's name; copied. @param least, most its range, ends included. @param value its
 * default.
 * Errors: ARGUMENT, MEMORY, STATE (registered). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_kind_add_float(dirac_layer_kind *kind, const char *name, double least, double most,
                                             double value);
/**
 * Adds an integer attribute, set by dirac_node_set_int() and kept in files. At most 8 attributes in all. Before
 * register.
 * @param name a new word, as a kind's name; copied. @param least, most its range, ends included. @param value its
 * default.
 * Errors: ARGUMENT, MEMORY, STATE (registered). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_kind_add_int(dirac_layer_kind *kind, const char *name, int64_t least, int64_t most,
                                           int64_t value);
/**
 * Sets the callback that works out shapes. Required. It looks at dirac_layer_input_shape(), must call
 * dirac_layer_set_output_shape(), may call dirac_layer_add_parameter(), dirac_layer_add_state() and dirac_layer_keep().
 * It must depend on the attributes and shapes alone; parameters' shapes must not depend on the spatial size. It is
 * called more than once.
 * @param setup not NULL. Errors: ARGUMENT, STATE (registered). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_kind_set_setup(dirac_layer_kind *kind, dirac_layer_fn setup);
/**
 * Sets the callback that computes dirac_layer_output() from the inputs and parameters. Required.
 * @param forward not NULL. Errors: ARGUMENT, STATE (registered). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_kind_set_forward(dirac_layer_kind *kind, dirac_layer_fn forward);
/**
 * Sets the callback that, from dirac_layer_output_gradient(), adds to each dirac_layer_parameter_gradient() that is not
 * NULL and writes each dirac_layer_input_gradient() that is not NULL. Needed for training.
 * @param backward not NULL. Errors: ARGUMENT, STATE (registered). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_kind_set_backward(dirac_layer_kind *kind, dirac_layer_fn backward);
/**
 * Makes the kind known to its context, by name; its callbacks are fixed from here.
 * Errors: ARGUMENT (name taken), STATE (no setup or forward; registered already). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_kind_register(dirac_layer_kind *kind);

/**
 * Adds a layer of a registered kind of the net's context.
 * @param kind registered. @param inputs `count` values; the array is not kept. @param count as the kind says.
 * @return its value, of the shape that setup gives, or NULL.
 * Errors (sticky): ARGUMENT (kind not registered with this context), STATE, MEMORY, LIMIT; at build CALLBACK. Threads:
 * one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_custom(dirac_net *net, dirac_layer_kind *kind, dirac_node *const *inputs,
                                       int32_t count);

/* ---- inside callbacks ------------------------------------------------------------------------------------------- */

/** The number of inputs. @return 0 for NULL. Errors: none. Threads: inside a callback. Since 0.1. */
DIRAC_API int32_t dirac_layer_input_count(const dirac_layer *layer);
/**
 * The shape of an input without n: dims[0] = C, then space.
 * @param index from 0. @param dims room for 4. @param rank receives 1 to 4.
 * Errors: ARGUMENT. Threads: inside a callback. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_input_shape(const dirac_layer *layer, int32_t index, int64_t *dims, int32_t *rank);
/** A real attribute's value. @param attribute its name. @return 0 for an unknown name. Errors: none. Threads: inside a
 * callback. Since 0.1. */
DIRAC_API double dirac_layer_get_float(const dirac_layer *layer, const char *attribute);
/** An integer attribute's value. @param attribute its name. @return 0 for an unknown name. Errors: none. Threads:
 * inside a callback. Since 0.1. */
DIRAC_API int64_t dirac_layer_get_int(const dirac_layer *layer, const char *attribute);

/**
 * Setup: the output's shape without n.
 * @param dims C, then space, each 1 to 2^30; copied. @param rank 1 to 4.
 * Errors: ARGUMENT, STATE (not in setup). Threads: inside a callback. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_set_output_shape(dirac_layer *layer, const int64_t *dims, int32_t rank);
/**
 * Setup: declares a parameter. At most 8 parameters and states in all.
 * @param name 1 to 63 bytes of UTF-8 without '.' and control characters (below U+0020, and U+007F), unlike the layer's others
 * (or building the net fails); copied. @param dims each 1 to 2^30; copied. @param rank 1 to DIRAC_MAX_RANK.
 * @param decay 1 if weight decay applies by default. @param init DIRAC_INIT_*. @param a, b its numbers.
 * Errors: ARGUMENT, STATE (not in setup). Threads: inside a callback. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_add_parameter(dirac_layer *layer, const char *name, const int64_t *dims, int32_t rank,
                                            int32_t decay, int32_t init, double a, double b);
/**
 * Setup: declares state: saved, not trained. In training, forward may change it through dirac_layer_new_state().
 * @param name 1 to 63 bytes of UTF-8 without '.' and control characters (below U+0020, and U+007F), unlike the layer's others
 * (or building the net fails); copied. @param dims each 1 to 2^30; copied. @param rank 1 to DIRAC_MAX_RANK.
 * @param value what every element starts as.
 * Errors: ARGUMENT, STATE (not in setup). Threads: inside a callback. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_add_state(dirac_layer *layer, const char *name, const int64_t *dims, int32_t rank,
                                        double value);
/**
 * Setup: keeps numbers from forward to backward; see dirac_layer_kept().
 * @param floats how many an image, 0 or more. @param fixed how many besides, 0 or more.
 * Errors: ARGUMENT, STATE (not in setup). Threads: inside a callback. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_keep(dirac_layer *layer, int64_t floats, int64_t fixed);

/** The number of images n in this call. @return 0 in setup. Errors: none. Threads: inside a callback. Since 0.1. */
DIRAC_API int64_t dirac_layer_batch(const dirac_layer *layer);
/** Whether this is a training session. @return 1, or 0 in inference and setup. Errors: none. Threads: inside a
 * callback. Since 0.1. */
DIRAC_API int32_t dirac_layer_is_training(const dirac_layer *layer);
/** An input, (n, C, spatial...). In backward it is what forward saw. @param index from 0. @return NULL in setup or if
 * there is none. Errors: none. Threads: inside a callback. Since 0.1. */
DIRAC_API const float *dirac_layer_input(const dirac_layer *layer, int32_t index);
/**
 * The shape of the output without n, as setup gave it: dims[0] = C, then space.
 * @param dims room for 4. @param rank receives 1 to 4.
 * Errors: ARGUMENT, STATE (setup has not given it yet). Threads: inside a callback. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_output_shape(const dirac_layer *layer, int64_t *dims, int32_t *rank);
/** The output, (n, C, spatial...); written by forward, read by backward. @return NULL in setup. Errors: none.
 * Threads: inside a callback. Since 0.1. */
DIRAC_API float *dirac_layer_output(dirac_layer *layer);
/** Backward: the gradient of the output, (n, C, spatial...). @return NULL outside backward. Errors: none. Threads:
 * inside a callback. Since 0.1. */
DIRAC_API const float *dirac_layer_output_gradient(const dirac_layer *layer);
/** Backward: where to write the gradient of an input. @param index from 0. @return NULL if nobody needs it, and outside
 * backward. Errors: none. Threads: inside a callback. Since 0.1. */
DIRAC_API float *dirac_layer_input_gradient(dirac_layer *layer, int32_t index);
/** A parameter or state. @param name as declared. @return NULL for an unknown name, and in setup. Errors: none.
 * Threads: inside a callback. Since 0.1. */
DIRAC_API const float *dirac_layer_parameter(const dirac_layer *layer, const char *name);
/**
 * The shape of a parameter or state.
 * @param name as declared. @param dims room for DIRAC_MAX_RANK. @param rank receives how many.
 * Errors: ARGUMENT, NOT_FOUND (an unknown name; in setup, every name). Threads: inside a callback. Since 0.1.
 */
DIRAC_API int32_t dirac_layer_parameter_shape(const dirac_layer *layer, const char *name, int64_t *dims,
                                              int32_t *rank);
/** Backward: the gradient of a parameter, to add into. @param name as declared. @return NULL if it is not trained, and
 * outside backward. Errors: none. Threads: inside a callback. Since 0.1. */
DIRAC_API float *dirac_layer_parameter_gradient(dirac_layer *layer, const char *name);
/**
 * Training forward: a copy of the state as the pending forwards left it, to be changed; it takes the state's place when
 * the step is committed.
 * @param name as declared. @return NULL outside a training forward. Errors: none. Threads: inside a callback. Since
 * 0.1.
 */
DIRAC_API float *dirac_layer_new_state(dirac_layer *layer, const char *name);
/** The kept numbers: n times `floats`, then `fixed`. @return NULL in inference, in setup, or if none were asked for.
 * Errors: none. Threads: inside a callback. Since 0.1. */
DIRAC_API float *dirac_layer_kept(dirac_layer *layer);
/** How many numbers dirac_layer_kept() has in this call. @return 0 where it is NULL. Errors: none. Threads: inside a
 * callback. Since 0.1. */
DIRAC_API int64_t dirac_layer_kept_count(const dirac_layer *layer);

DIRAC_END

#endif
