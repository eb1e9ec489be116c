/* SPDX-License-Identifier: MIT */
/**
 * @file session.h  One stream of work on a net: forward, loss, backward. A session owns the plan, the activations, the
 * gradients, the pending running statistics and the workspace; many sessions may work on one net at once.
 *
 * Life: create, set options, prepare, then compute. dirac_session_bytes() tells the memory between the two. Options are
 * fixed by dirac_session_prepare() (DIRAC_ERR_STATE afterwards). After it, forward, loss and backward allocate nothing.
 * One caller at a time: a second thread gets DIRAC_ERR_BUSY. Every function gives DIRAC_ERR_ARGUMENT for a NULL handle,
 * and those that compute DIRAC_ERR_BUSY while a writer has the net. Arrays are contiguous float in (N, C, spatial...)
 * order. No call keeps a pointer of the caller's. Everything here: since 0.1.
 */
#ifndef DIRAC_SESSION_H
#define DIRAC_SESSION_H

#include "data.h"
#include "net.h"

DIRAC_BEGIN

/** One stream of work on a net. */
typedef struct dirac_session dirac_session;

/** What a session is for. */
enum {
    DIRAC_INFER = 0, /**< running statistics, no dropout, memory reused as soon as a value has been read */
    DIRAC_TRAIN = 1  /**< batch statistics, dropout, backward possible */
};

/* ---- life -------------------------------------------------------------------------------------------------------- */

/**
 * Makes a session on a built net.
 * @param out receives it, NULL on failure; release it with dirac_session_destroy(). @param net kept alive by it.
 * @param mode DIRAC_INFER or DIRAC_TRAIN.
 * Errors: ARGUMENT, STATE (not built), MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_session_create(dirac_session **out, dirac_net *net, int32_t mode);
/**
 * Releases a session. Not while another thread computes on it.
 * @param session NULL is accepted. Errors: none. Threads: one. Since 0.1.
 */
DIRAC_API void dirac_session_destroy(dirac_session *session);

/* ---- options, before prepare ------------------------------------------------------------------------------------- */

/**
 * The most images of one forward.
 * @param n 1 to 2^30; default 1. Errors: ARGUMENT, STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_set_batch(dirac_session *session, int64_t n);
/**
 * Another spatial size for an input, with the same parameters. Whether every layer accepts it is answered by prepare.
 * @param index of the input, from 0. @param size one number a spatial dimension of that input, each 1 to 2^30; copied.
 * @param rank how many: the input's number of spatial dimensions.
 * Errors: ARGUMENT, STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_set_input_size(dirac_session *session, int32_t index, const int64_t *size,
                                               int32_t rank);
/**
 * Keeps the value of an inner node readable by dirac_session_activation() after each forward.
 * @param node of the session's net. Errors: ARGUMENT, STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_keep(dirac_session *session, const dirac_node *node);
/**
 * Whether backward also gives the gradients of the inputs.
 * @param wanted 1, or 0 (default). Errors: ARGUMENT, STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_set_input_gradients(dirac_session *session, int32_t wanted);
/**
 * The seed of dropout.
 * @param seed any number; default the context's. Errors: ARGUMENT, STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_set_seed(dirac_session *session, uint64_t seed);
/**
 * Whether convolutions use only arithmetic that sums products directly, no transformed convolution (Winograd).
 * @param strict 1, or 0 (default: the fastest). Errors: ARGUMENT, STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_set_strict(dirac_session *session, int32_t strict);
/**
 * Whether inference keeps no packed weights. Not lean: weights are kept in the layout of the kernels, once for each version
 * of the net, and read from there. Lean: each forward puts them into that layout, a layer or a part of a large one at a time
 * into the same memory; the session takes little more than the values between layers, and a forward of few images takes
 * longer. Same bits. Training always works so.
 * @param lean 1, or 0 (default). Errors: ARGUMENT, STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_set_lean(dirac_session *session, int32_t lean);

/**
 * The bytes that prepare will ask for (or did): activations, gradients, workspace.
 * @param bytes receives them.
 * Errors: ARGUMENT, SHAPE (a layer refuses the input size), MEMORY, LIMIT (sizes beyond what this machine can address,
 * or more multiply-adds for one image than int64_t can count),
 * UNSUPPORTED (training a custom layer without backward), CALLBACK (its setup), BUSY. Threads: caller, reader. Since 0.1.
 */
DIRAC_API int32_t dirac_session_bytes(dirac_session *session, size_t *bytes);
/**
 * Plans and allocates. Once.
 * Errors: ARGUMENT, STATE (prepared already), SHAPE, MEMORY, LIMIT, UNSUPPORTED, CALLBACK as dirac_session_bytes(),
 * BUSY.
 * Threads: caller, reader. Since 0.1.
 */
DIRAC_API int32_t dirac_session_prepare(dirac_session *session);

/* ---- forward ----------------------------------------------------------------------------------------------------- */

/**
 * Computes every output for n images. In a training session this also makes the batch's statistics pending (see
 * dirac_session_commit_statistics()) and uses the next draw of dropout. In an inference session the logits of an image
 * do not depend on the other images or on n. (Sessions of different batch may use different algorithms, unless strict:
 * docs/numerics.md.)
 * @param input (n, C, spatial...) of the net's only input: so many floats are read, and a shorter array cannot be seen.
 * @param n 1 to the batch.
 * Errors: ARGUMENT (n out of range, several inputs), STATE (not prepared), SHAPE (batch norm in training with one value
 * a channel), CALLBACK, BUSY. Threads: caller, reader. Since 0.1.
 */
DIRAC_API int32_t dirac_session_forward(dirac_session *session, const float *input, int64_t n);
/**
 * Computes every output for n images of a net of several inputs; otherwise as dirac_session_forward().
 * @param inputs `count` arrays (n, C, spatial...) in the order of the inputs. @param count the net's number of inputs.
 * @param n 1 to the batch.
 * Errors: ARGUMENT, STATE, SHAPE, CALLBACK, BUSY. Threads: caller, reader. Since 0.1.
 */
DIRAC_API int32_t dirac_session_forward_inputs(dirac_session *session, const float *const *inputs, int32_t count,
                                               int64_t n);
/**
 * An output of the last forward.
 * @param index of the output, from 0. @param values receives an array (n, C, spatial...) of the session's, valid until
 * the next forward, dirac_session_set_net() or destroy. @param count receives its length; may be NULL.
 * Errors: ARGUMENT, STATE (no forward yet, or the last one failed). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_output(const dirac_session *session, int32_t index, const float **values,
                                       size_t *count);
/**
 * The value of an inner node in the last forward.
 * @param node declared by dirac_session_keep(); after dirac_session_set_net(), the one of the same name in the new net.
 * @param values receives an array (n, C, spatial...), valid as that of
 * dirac_session_output(). @param count receives its length; may be NULL.
 * Errors: ARGUMENT (not kept, of another net), STATE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_activation(const dirac_session *session, const dirac_node *node, const float **values,
                                           size_t *count);

/* ---- loss -------------------------------------------------------------------------------------------------------- */

/**
 * Smooths hard labels: the target is (1 - epsilon) on the label plus epsilon / classes on every class. Any time.
 * @param epsilon 0 (default) to 1. Errors: ARGUMENT. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_set_label_smoothing(dirac_session *session, float epsilon);
/**
 * Weighs the classes in the loss. Any time.
 * @param weights one a class, finite, not negative; copied. NULL for none (default).
 * @param classes must equal the channels of output 0; ignored for NULL.
 * Errors: ARGUMENT, SHAPE, MEMORY, BUSY. Threads: caller. Since 0.1.
 */
DIRAC_API int32_t dirac_session_set_class_weights(dirac_session *session, const float *weights, int64_t classes);
/**
 * Softmax cross-entropy of output 0 (vectors of logits z) with hard labels, averaged over the batch:
 *
 *     loss = sum_n w[y_n] (-log softmax(z_n)[y_n]) / sum_n w[y_n]
 *
 * and, in a training session, its gradient at that output for dirac_session_backward(). Label smoothing and class
 * weights as in PyTorch. Computed in double. A loss that is not finite is returned as it is; once backward has taken it in
 * dirac_sgd_step() refuses it.
 * @param labels n of the last forward, each 0 to classes - 1. @param loss receives the loss; may be NULL.
 * Errors: ARGUMENT (a label out of range: the message gives image and label; all weights zero), STATE (no forward),
 * SHAPE (output 0 is not a vector), BUSY. Threads: caller. Since 0.1.
 */
DIRAC_API int32_t dirac_session_cross_entropy(dirac_session *session, const int32_t *labels, float *loss);
/**
 * Softmax cross-entropy with soft labels; otherwise as dirac_session_cross_entropy():
 *
 *     loss = -1/n sum_n sum_c w[c] t[n,c] log softmax(z_n)[c]
 *
 * @param targets t, (n, classes). @param loss receives the loss; may be NULL.
 * Errors: ARGUMENT, STATE, SHAPE, BUSY. Threads: caller. Since 0.1.
 */
DIRAC_API int32_t dirac_session_cross_entropy_soft(dirac_session *session, const float *targets, float *loss);
/**
 * How many of the n images have their label as the largest logit of output 0; NaN is never right.
 * @param labels n of the last forward, each 0 to classes - 1. @param correct receives 0 to n.
 * Errors: ARGUMENT, STATE (no forward), SHAPE (output 0 is not a vector), BUSY. Threads: caller. Since 0.1.
 */
DIRAC_API int32_t dirac_session_count_correct(const dirac_session *session, const int32_t *labels, int64_t *correct);
/**
 * Runs the rest of the stream's epoch and adds up, without learning: meant for inference sessions and test sets.
 * @param batches its samples fit the net's one input, its batches the session's batch.
 * @param progress told after each batch (`done` of `total` batches of the epoch), may be NULL; when it stops, the
 * stream stays behind the batch at hand, and a later call goes on there. @param user passed to it.
 * @param loss, accuracy receive the mean loss and the share of right answers (0 to 1) over the images of this call; may
 * be NULL. Both are written on failure too.
 * Errors: those of the calls it makes; SHAPE (samples and input differ, output 0 is no vector), ARGUMENT (batches larger
 * than the session's), CANCELLED.
 * Threads: caller from the first batch to the last, reader for each batch; one for the stream. Since 0.1.
 */
DIRAC_API int32_t dirac_session_evaluate(dirac_session *session, dirac_batches *batches, dirac_progress_fn progress,
                                         void *user, double *loss, double *accuracy);
/**
 * A loss of the host's own: sets the gradient at an output. Outputs not set (and given no loss) count as zero. Training
 * sessions.
 * @param index of the output, from 0. @param values dL/doutput, (n, C, spatial...). @param count must be their number.
 * Errors: ARGUMENT, STATE (no forward since the last backward), SHAPE (count), BUSY. Threads: caller. Since 0.1.
 */
DIRAC_API int32_t dirac_session_set_output_gradient(dirac_session *session, int32_t index, const float *values,
                                                    size_t count);

/* ---- backward and gradients -------------------------------------------------------------------------------------- */

/**
 * Adds the gradients of the last loss (or of the output gradients set) to the session's gradients. Once a forward.
 * For eq. 5, with G = dL/dWhat and u = W/|W|:
 *
 *     dalpha = G at the delta     dbeta = <G, u>     dW = (beta/|W|) (G - u <u, G>)
 *
 * Paper: equation 5. Errors: ARGUMENT, STATE (inference session; no forward or no loss since the last backward; the net
 * was changed since the forward), CALLBACK (the gradients are then incomplete: clear them), BUSY.
 * Threads: caller, reader. Since 0.1.
 */
DIRAC_API int32_t dirac_session_backward(dirac_session *session);
/**
 * Sets all parameter gradients to zero (a step does so too). Pending statistics stay, unless one of them or a loss is
 * not finite: then they are dropped, so that training goes on as if the batch had not been.
 * Errors: ARGUMENT, STATE (no prepared training session), BUSY. Threads: caller. Since 0.1.
 */
DIRAC_API int32_t dirac_session_clear_gradients(dirac_session *session);
/**
 * All parameter gradients as one array, in the order of the trained tensors. The host may change it (all-reduce).
 * @param values receives the session's array, valid until destroy. @param count receives its length; may be NULL.
 * Errors: ARGUMENT, STATE (no prepared training session). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_gradients(dirac_session *session, float **values, size_t *count);
/**
 * Copies the gradient of one parameter out.
 * @param name of the parameter. @param values room for it, C order. @param count must be its number of elements.
 * Errors: ARGUMENT, STATE (no prepared training session), NOT_FOUND, SHAPE (count). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_gradient_read(const dirac_session *session, const char *name, float *values,
                                              size_t count);
/**
 * Adds the gradients of another session to this one's.
 * @param other a session on the same net, left as it is.
 * Errors: ARGUMENT (the same session, another net), STATE (no prepared training session), BUSY. Threads: caller (of
 * both). Since 0.1.
 */
DIRAC_API int32_t dirac_session_add_gradients(dirac_session *session, const dirac_session *other);
/**
 * The gradient of an input, if asked for before prepare: there from a successful backward until the outputs of its forward
 * go (see dirac_session_output()), steps and clearing in between or not.
 * @param index of the input, from 0. @param values receives an array (n, C, spatial...) of the session's, valid as that of
 * dirac_session_output(). @param count receives its length; may be NULL.
 * Errors: ARGUMENT, STATE (not asked for; no backward since the last forward, or it failed). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_session_input_gradient(const dirac_session *session, int32_t index, const float **values,
                                               size_t *count);
/**
 * Writes the pending running statistics of all training forwards since the last commit into the net, in their order.
 * dirac_sgd_step() does so too.
 * Errors: ARGUMENT, STATE (no prepared training session), BUSY, NOT_FINITE (nothing is written; names the layer).
 * Threads: caller, writer. Since 0.1.
 */
DIRAC_API int32_t dirac_session_commit_statistics(dirac_session *session);

/**
 * Compares backward with central differences: of L = sum r y over all outputs with random r, at up to `samples` random
 * entries of every parameter (and, if input gradients are on, of every input). Parameters, gradients and statistics are
 * afterwards what they were; the last forward's outputs are gone.
 * @param session training, prepared. @param input n images (n, C, spatial...) of a net of one input.
 * @param n 1 to the batch. @param samples at least 1. @param step the difference's half width, 0 for the default
 * (0.01).
 * @param worst receives the largest of |a - b| / max(|a|, |b|, scale) where scale is that tensor's largest gradient;
 * about 1e-2 is what float32 differences can tell. Kinks (ReLU, max) may show as outliers. It may be NULL.
 * Errors: ARGUMENT, STATE, SHAPE, MEMORY, CALLBACK, BUSY. Threads: caller, writer. Since 0.1.
 */
DIRAC_API int32_t dirac_session_check_gradients(dirac_session *session, const float *input, int64_t n, int32_t samples,
                                                double step, double *worst);

/* ---- serving and looking ----------------------------------------------------------------------------------------- */

/**
 * Moves a session to another net of the same graph and shapes (a newly folded copy, say), between two calls.
 * @param net built, on the same context. The session keeps it alive and lets the old one go.
 * Errors: ARGUMENT, STATE (not built), SHAPE (the graphs or contexts differ), BUSY. Threads: caller, reader (of both nets).
 * Since 0.1.
 */
DIRAC_API int32_t dirac_session_set_net(dirac_session *session, dirac_net *net);
/**
 * The shape of a node's value in this session without N, dims[0] = C, then the spatial sizes: dirac_node_shape()'s, or
 * another one after dirac_session_set_input_size().
 * @param node of the session's net. @param dims room for 4. @param rank receives 1 to 4.
 * Errors: ARGUMENT, STATE (not prepared). Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_session_shape(const dirac_session *session, const dirac_node *node, int64_t *dims,
                                      int32_t *rank);
/** The most images of one forward. @return 0 for NULL. Errors: none. Threads: any. Since 0.1. */
DIRAC_API int64_t dirac_session_batch(const dirac_session *session);
/**
 * Multiply-adds of one image at this session's input size.
 * @param multiply_adds receives them. Errors: ARGUMENT, STATE (not prepared). Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_session_multiply_adds(const dirac_session *session, int64_t *multiply_adds);
/** The name of the kernels a session uses. @return static text; "" for NULL. Errors: none. Threads: any. Since 0.1. */
DIRAC_API const char *dirac_session_kernels(const dirac_session *session);

DIRAC_END

#endif
