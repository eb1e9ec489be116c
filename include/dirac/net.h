/* SPDX-License-Identifier: MIT */
/**
 * @file net.h  A net: a graph of layers, their parameters and their state; how to build, name, change and fold it.
 *
 * Building. Functions that add a layer take the node (value) it reads and return the node it makes. They fail by
 * sticky error: the first mistake is remembered, that call and all later ones return NULL, calls that get a NULL node
 * return NULL, and dirac_net_build() returns the first mistake's status and message. So a chain needs one check, at its
 * end. A net whose building failed can only be destroyed. Shapes are worked out, parameters allocated and initialised
 * at dirac_net_build(); after it the graph is fixed.
 *
 * Shapes are (N, C, spatial...): N images, C channels, then 0 (vectors), 1 (length), 2 (height, width) or 3 (depth,
 * height, width) spatial sizes. N is no part of a net. At this boundary arrays are contiguous float, C order.
 *
 * Writers and readers. Functions marked "Writer" need the net alone: while a session computes on it in another thread
 * they return DIRAC_ERR_BUSY. Functions marked "Reader" may run from any number of threads. A writer never waits.
 *
 * Ownership. A node belongs to its net and dies with it. Strings given are copied; strings returned live as long as the
 * net, or until the value is set anew. Every net function gives DIRAC_ERR_ARGUMENT for a NULL handle.
 *
 * "The paper" is S. Zagoruyko, N. Komodakis, "DiracNets: Training Very Deep Neural Networks Without Skip-Connections",
 * arXiv:1706.00388v2. Everything here: since 0.1.
 */
#ifndef DIRAC_NET_H
#define DIRAC_NET_H

#include <stddef.h>
#include <stdint.h>

#include "context.h"
#include "export.h"

DIRAC_BEGIN

typedef struct dirac_net dirac_net;
typedef struct dirac_node dirac_node;

/** The most dimensions a parameter has: out, in, and three of a kernel. */
enum { DIRAC_MAX_RANK = 5 };

/**
 * How a convolution or linear layer makes the weight it applies, What, from its parameters (attribute "form").
 * I is the identity of convolution: filter d of a group has a single 1, at input d and the centre tap (k/2 in each
 * dimension), for d < min(out/groups, in/groups); other filters have none.
 */
enum {
    DIRAC_FORM_PLAIN = 0,            /**< What = W */
    DIRAC_FORM_DELTA = 1,            /**< What = diag(alpha) I + W                      (eq. 4) */
    DIRAC_FORM_NORMALIZED_DELTA = 2, /**< What = diag(alpha) I + diag(beta) W/|W|       (eq. 5): a Dirac layer */
    DIRAC_FORM_FIXED_DELTA = 3       /**< What = I + W                                  (eq. 8) */
};

/** How a parameter starts. `a` and `b` are the numbers given to dirac_node_set_initializer(). */
enum {
    DIRAC_INIT_ZEROS = 0,
    DIRAC_INIT_CONSTANT = 1,       /**< all a */
    DIRAC_INIT_NORMAL = 2,         /**< normal, mean 0, standard deviation a */
    DIRAC_INIT_KAIMING_NORMAL = 3, /**< normal, mean 0, standard deviation a / sqrt(fan_in); a = sqrt(2) is He's for ReLU */
    DIRAC_INIT_UNIFORM = 4,        /**< uniform in [a, b) */
    DIRAC_INIT_ORTHOGONAL = 5,     /**< gain a times rows (or columns) orthonormal, the tensor seen as out x rest */
    DIRAC_INIT_DELTA = 6           /**< a times the identity I above */
};

enum {
    DIRAC_ROLE_TRAINED = 0, /**< has a gradient, changed by the optimizer */
    DIRAC_ROLE_STATE = 1    /**< running statistics and the like: saved, not trained, not counted as parameters */
};

/* ---- life ------------------------------------------------------------------------------------------------------ */

/**
 * Makes an empty net.
 * @param out receives the net, NULL on failure; release it with dirac_net_destroy(). @param context kept alive by it.
 * Errors: ARGUMENT, MEMORY. Any thread.
 */
DIRAC_API int32_t dirac_net_create(dirac_net **out, dirac_context *context);

/** Gives up the caller's hold on a net. NULL is accepted. Any thread. */
DIRAC_API void dirac_net_destroy(dirac_net *net);

/** The seed its parameters are drawn from at build; default the context's. Errors: ARGUMENT, STATE (after build). */
DIRAC_API int32_t dirac_net_set_seed(dirac_net *net, uint64_t seed);

/**
 * Ends building: infers every shape, allocates and initialises the parameters. Once.
 * @return DIRAC_OK, or the first mistake of the whole chain with its message: ARGUMENT, SHAPE (the message names the
 * node and both shapes), MEMORY, STATE (no input, no output, built already), LIMIT. One thread.
 */
DIRAC_API int32_t dirac_net_build(dirac_net *net);

/**
 * A copy of a built net: graph, parameters, state, trainable flags and metadata. Nothing is shared.
 * @param out NULL on failure. Errors: ARGUMENT, STATE (not built), MEMORY, BUSY. Reader.
 */
DIRAC_API int32_t dirac_net_clone(dirac_net **out, const dirac_net *net);

/**
 * Folds for inference (section 2.2 of the paper): a new net in which every weight form has become plain weights, and
 * every batch norm that follows a convolution or linear layer has gone into its weight and bias:
 *
 *     s = gamma / sqrt(running_var + eps)     W' = s[c] What[c]     b' = beta_bn + s (bias - running_mean)
 *
 * A batch norm is folded where it is the only reader of that layer, the layer is no output of the net and its weight
 * is not shared; others stay. Names do not change: "x.weight" holds W', "x.bias" b'. The arithmetic is done in double.
 * @param out NULL on failure. @param net is left as it is.
 * Errors: ARGUMENT, STATE (not built), MEMORY, BUSY. Reader.
 */
DIRAC_API int32_t dirac_net_fold(dirac_net **out, const dirac_net *net);

/** Receives one comparison: the largest absolute difference, and the largest absolute value in the first net. */
typedef void (*dirac_compare_fn)(void *user, const char *node, double difference, double largest);

/**
 * Runs a net and its folded form on the same inputs and reports, for every layer that both compute (a folded
 * convolution is compared with the batch norm it took in) and at the end for the outputs, how far apart they are.
 * @param folded made from `net` by dirac_net_fold(). @param input n images, contiguous (n, C, spatial...).
 * @param each called per layer in order, may be NULL. @param difference receives the largest absolute difference over
 * the outputs, may be NULL. Needs memory for all activations of n images, twice.
 * Errors: ARGUMENT, STATE, SHAPE (the nets do not match), MEMORY, BUSY. Reader of both.
 */
DIRAC_API int32_t dirac_net_compare(dirac_net *net, dirac_net *folded, const float *input, int64_t n,
                                    dirac_compare_fn each, void *user, double *difference);

/* ---- inputs, outputs, names ------------------------------------------------------------------------------------- */

/** An input of vectors (N, channels). The order in which inputs are added is their index. */
DIRAC_API dirac_node *dirac_net_input(dirac_net *net, int64_t channels);
/** An input of shape (N, channels, length). */
DIRAC_API dirac_node *dirac_net_input1d(dirac_net *net, int64_t channels, int64_t length);
/** An input of shape (N, channels, height, width). */
DIRAC_API dirac_node *dirac_net_input2d(dirac_net *net, int64_t channels, int64_t height, int64_t width);
/** An input of shape (N, channels, depth, height, width). */
DIRAC_API dirac_node *dirac_net_input3d(dirac_net *net, int64_t channels, int64_t depth, int64_t height,
                                        int64_t width);

/** Declares a value an output of the net and returns it. The order of the calls is the outputs' index. */
DIRAC_API dirac_node *dirac_net_output(dirac_net *net, dirac_node *x);

/**
 * Enters a scope: nodes made until the matching pop are named "scope.name". Scopes nest.
 * @param name of letters, digits, '_', '-' and '.'. A mistake is sticky. Returns ARGUMENT, STATE or MEMORY.
 */
DIRAC_API int32_t dirac_net_push_scope(dirac_net *net, const char *name);
/** Leaves the innermost scope. STATE if there is none. */
DIRAC_API int32_t dirac_net_pop_scope(dirac_net *net);

/**
 * Names a node (inside the current scope). Unnamed nodes are called after their kind and a running number. Parameters
 * are named "node.weight" and so on, so names are what files and lookups use. Must be unique.
 * @return DIRAC_OK, or ARGUMENT (sticky), STATE (after build). NULL node: ARGUMENT.
 */
DIRAC_API int32_t dirac_node_set_name(dirac_node *node, const char *name);

/* ---- layers with weights ---------------------------------------------------------------------------------------- */

/**
 * Convolution of 1, 2 or 3 dimensions (cross-correlation, as everywhere in the field):
 *
 *     y[n,o,p] = bias[o] + sum_{i,t} What[o,i,t] x[n, i, p stride - padding + t dilation]
 *
 * @param x (N, C, spatial...) @param channels out channels O. @param kernel taps in each dimension.
 * Output size: floor((size + before + after - dilation (kernel - 1) - 1) / stride) + 1.
 * Parameters: weight (O, C/groups, kernel...), and as attributes say: bias (O), alpha (O), beta (O).
 * Attributes (dirac_node_set_int / _ints / _float):
 *   "kernel"   ints, 1..1024     "stride"  ints, 1..1024, default 1     "dilation" ints, 1..1024, default 1
 *   "padding"  ints, 0..1024, on both sides; -1, the default, is "same": dilation (k/2) before and dilation (k-1-k/2)
 *              after (integer division), which keeps the size at stride 1
 *   "channels" int, O         "groups" int, default 1; divides C and O        "bias" int 0 or 1, default 0
 *   "form"     int, DIRAC_FORM_*, default PLAIN
 * Initialisers: weight KAIMING_NORMAL sqrt(2); bias 0; alpha 1; beta 0.1 (the published code; the paper draws W from
 * N(0,1), of which only the direction enters eq. 5). alpha and beta are not weight-decayed. In eq. 5, |W| of a filter
 * is over all its inputs and taps, and the divisor is max(|W|, 1e-12).
 * @return the output value, or NULL (sticky error).
 */
DIRAC_API dirac_node *dirac_net_conv1d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);
/** As dirac_net_conv1d(), two spatial dimensions. */
DIRAC_API dirac_node *dirac_net_conv2d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);
/** As dirac_net_conv1d(), three spatial dimensions. */
DIRAC_API dirac_node *dirac_net_conv3d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);

/** A Dirac convolution (eq. 5 of the paper): dirac_net_conv1d() with "form" DIRAC_FORM_NORMALIZED_DELTA. */
DIRAC_API dirac_node *dirac_net_dirac_conv1d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);
/** As dirac_net_dirac_conv1d(), two spatial dimensions. */
DIRAC_API dirac_node *dirac_net_dirac_conv2d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);
/** As dirac_net_dirac_conv1d(), three spatial dimensions. */
DIRAC_API dirac_node *dirac_net_dirac_conv3d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);

/**
 * Linear layer y[n] = What x[n] + bias on vectors: x (N, C), y (N, O). Flatten or pool images first.
 * Parameters: weight (O, C), bias (O), alpha and beta as the form says; I is the identity matrix of min(O, C) ones.
 * Attributes: "bias" int, default 1; "form" as for convolution. Initialisers as for convolution.
 */
DIRAC_API dirac_node *dirac_net_linear(dirac_net *net, dirac_node *x, int64_t channels);

/** A Dirac linear layer (eq. 5): dirac_net_linear() with "form" DIRAC_FORM_NORMALIZED_DELTA and no bias. */
DIRAC_API dirac_node *dirac_net_dirac_linear(dirac_net *net, dirac_node *x, int64_t channels);

/**
 * Batch norm over N and space, per channel:  y = gamma (x - mean) / sqrt(var + eps) + beta.
 * A training session uses the batch's mean and biased variance and leaves running = (1 - m) running + m batch (with the
 * unbiased variance) pending; an inference session, or a frozen node, uses the running ones. Training with one value
 * per channel is an error of the forward call.
 * Parameters: weight (gamma) and bias (beta), state: running_mean, running_var; all (C). None is weight-decayed.
 * Attributes: "epsilon" float > 0, default 1e-5; "momentum" (m above) float 0..1, default 0.1; "frozen" int, default 0.
 * Initialisers: weight uniform [0, 1) as in the published code; bias 0; running_mean 0; running_var 1.
 */
DIRAC_API dirac_node *dirac_net_batch_norm(dirac_net *net, dirac_node *x);

/* ---- layers without weights ------------------------------------------------------------------------------------- */

/** y = max(x, 0); NaN stays NaN; the gradient at 0 is 0. */
DIRAC_API dirac_node *dirac_net_relu(dirac_net *net, dirac_node *x);

/** NCReLU (the paper's first version): the channels max(x, 0), then the channels min(x, 0). (N, C, ...) to (N, 2C, ...) */
DIRAC_API dirac_node *dirac_net_ncrelu(dirac_net *net, dirac_node *x);

/** y = x for x > 0, a (exp(x) - 1) otherwise. Attribute: "alpha" (a) float >= 0, default 1. */
DIRAC_API dirac_node *dirac_net_elu(dirac_net *net, dirac_node *x);

/**
 * Max-pool over windows: y = max of the window; padding never wins; NaN does; the gradient goes to the first largest.
 * @param kernel window in each dimension. Attributes: "kernel" ints; "stride" ints, default 0 = kernel; "padding" ints,
 * default 0, at most half the kernel; "ceil" int 0 or 1, default 0.
 * Output size: floor((size + 2 padding - kernel) / stride) + 1; with "ceil" rounded up, but a window must start inside
 * the image or its front padding (as in PyTorch).
 */
DIRAC_API dirac_node *dirac_net_max_pool1d(dirac_net *net, dirac_node *x, int64_t kernel);
/** As dirac_net_max_pool1d(), two spatial dimensions. */
DIRAC_API dirac_node *dirac_net_max_pool2d(dirac_net *net, dirac_node *x, int64_t kernel);
/** As dirac_net_max_pool1d(), three spatial dimensions. */
DIRAC_API dirac_node *dirac_net_max_pool3d(dirac_net *net, dirac_node *x, int64_t kernel);

/**
 * Average-pool over windows, attributes as max-pool's and "count_padding" int, default 1: whether padding counts in the
 * divisor (what a "ceil" window has beyond the padding never does, as in PyTorch).
 */
DIRAC_API dirac_node *dirac_net_average_pool1d(dirac_net *net, dirac_node *x, int64_t kernel);
/** As dirac_net_average_pool1d(), two spatial dimensions. */
DIRAC_API dirac_node *dirac_net_average_pool2d(dirac_net *net, dirac_node *x, int64_t kernel);
/** As dirac_net_average_pool1d(), three spatial dimensions. */
DIRAC_API dirac_node *dirac_net_average_pool3d(dirac_net *net, dirac_node *x, int64_t kernel);

/** The mean over all positions: (N, C, spatial...) to the vectors (N, C). */
DIRAC_API dirac_node *dirac_net_global_average_pool(dirac_net *net, dirac_node *x);

/**
 * In training each value is 0 with probability `rate`, otherwise x / (1 - rate); in inference y = x. The draw depends on
 * the session's seed, the node's name, the number of the training forward and the value's index alone.
 * Attribute: "rate" float, 0 <= rate < 1.
 */
DIRAC_API dirac_node *dirac_net_dropout(dirac_net *net, dirac_node *x, float rate);

/**
 * Local response norm across channels: y[c] = x[c] / (k + alpha/size sum x[j]^2)^beta, j over `size` channels centred on
 * c (size/2 before, (size-1)/2 after), as in PyTorch. Attributes: "size" int 1..4096; "alpha" float, default 1e-4;
 * "beta" float, default 0.75; "k" float, default 1.
 */
DIRAC_API dirac_node *dirac_net_local_response_norm(dirac_net *net, dirac_node *x, int64_t size);

/** y = a + b, equal shapes: an explicit skip connection. */
DIRAC_API dirac_node *dirac_net_add(dirac_net *net, dirac_node *a, dirac_node *b);

/** The channels of `count` (1 to 64) values of equal spatial size, one after the other. */
DIRAC_API dirac_node *dirac_net_concat(dirac_net *net, dirac_node *const *inputs, int32_t count);

/** (N, C, spatial...) to the vectors (N, C * size), in C order. */
DIRAC_API dirac_node *dirac_net_flatten(dirac_net *net, dirac_node *x);

/** Softmax over channels: y[c] = exp(x[c] - max x) / sum exp(x[j] - max x). For training use the session's loss calls. */
DIRAC_API dirac_node *dirac_net_softmax(dirac_net *net, dirac_node *x);

/* ---- options of a layer ----------------------------------------------------------------------------------------- */

/**
 * Sets an attribute by the name its layer's documentation gives. Before build.
 * @return DIRAC_OK, or, sticky: ARGUMENT (no such attribute, wrong type, out of range: the message gives what is legal),
 * STATE (after build).
 */
DIRAC_API int32_t dirac_node_set_int(dirac_node *node, const char *attribute, int64_t value);
/** The same for an attribute with one value a spatial dimension; `count` is 1 (all the same) or that number. */
DIRAC_API int32_t dirac_node_set_ints(dirac_node *node, const char *attribute, const int64_t *values, int32_t count);
/** The same for a real attribute. */
DIRAC_API int32_t dirac_node_set_float(dirac_node *node, const char *attribute, double value);

/**
 * How a parameter of this node starts. Before build; mistakes are sticky.
 * @param parameter "weight", "bias", "alpha", ... @param init DIRAC_INIT_*. @param a, b its numbers (0 where unused).
 * Errors: ARGUMENT (unknown init, or a number that is not finite), STATE. A parameter the layer does not have: NOT_FOUND
 * at build.
 */
DIRAC_API int32_t dirac_node_set_initializer(dirac_node *node, const char *parameter, int32_t init, double a, double b);

/**
 * Makes `node` use the parameters of `owner`, an earlier node of the same kind and attributes; gradients add up. Before
 * build; mistakes are sticky. Errors: ARGUMENT, STATE.
 */
DIRAC_API int32_t dirac_node_share_parameters(dirac_node *node, dirac_node *owner);

/**
 * Freezes (1) or thaws (0) a batch norm: frozen, training uses the running statistics and leaves them alone; its weight
 * and bias still train unless made untrainable. Before or after build. Errors: ARGUMENT (no batch norm), BUSY. Writer.
 */
DIRAC_API int32_t dirac_node_set_frozen(dirac_node *node, int32_t frozen);

/* ---- looking at a net (Reader) ---------------------------------------------------------------------------------- */

/** The number of nodes, in the order of building; 0 for NULL. */
DIRAC_API int64_t dirac_net_node_count(const dirac_net *net);
/** Node `index`, or NULL. */
DIRAC_API dirac_node *dirac_net_node(const dirac_net *net, int64_t index);
/** The node of that full name, or NULL. */
DIRAC_API dirac_node *dirac_net_find(const dirac_net *net, const char *name);
/** The number of inputs of the net; 0 for NULL. */
DIRAC_API int32_t dirac_net_input_count(const dirac_net *net);
/** Input `index` of the net, or NULL. */
DIRAC_API dirac_node *dirac_net_input_node(const dirac_net *net, int32_t index);
/** The number of outputs of the net; 0 for NULL. */
DIRAC_API int32_t dirac_net_output_count(const dirac_net *net);
/** Output `index` of the net, or NULL. */
DIRAC_API dirac_node *dirac_net_output_node(const dirac_net *net, int32_t index);

/** The full name; "" for NULL. */
DIRAC_API const char *dirac_node_name(const dirac_node *node);
/** The kind: "conv", "linear", "batch_norm", "relu", ..., or the name of a custom kind; "" for NULL. */
DIRAC_API const char *dirac_node_kind(const dirac_node *node);
/** The number of values it reads; 0 for NULL. */
DIRAC_API int32_t dirac_node_input_count(const dirac_node *node);
/** The node it reads as input `index`, or NULL. */
DIRAC_API dirac_node *dirac_node_input(const dirac_node *node, int32_t index);
/**
 * The shape of its value without N: dims[0] = C, then the spatial sizes. Built nets only.
 * @param dims room for 4. @param rank receives 1 to 4. Errors: ARGUMENT, STATE.
 */
DIRAC_API int32_t dirac_node_shape(const dirac_node *node, int64_t *dims, int32_t *rank);
/** Reads an integer attribute (for one with a value a dimension, the first). Errors: ARGUMENT, NOT_FOUND. */
DIRAC_API int32_t dirac_node_get_int(const dirac_node *node, const char *attribute, int64_t *value);
/** Reads an attribute with one value a spatial dimension. @param values room for 3. @param count receives how many. */
DIRAC_API int32_t dirac_node_get_ints(const dirac_node *node, const char *attribute, int64_t *values, int32_t *count);
/** Reads a real attribute. Errors: ARGUMENT, NOT_FOUND. */
DIRAC_API int32_t dirac_node_get_float(const dirac_node *node, const char *attribute, double *value);
/** Trained numbers of this node, 0 if they are another node's (shared), not built, or NULL. */
DIRAC_API int64_t dirac_node_trained_count(const dirac_node *node);
/** Multiply-adds of convolution and linear arithmetic for one image (bias not counted); 0 if not built or NULL. */
DIRAC_API int64_t dirac_node_multiply_adds(const dirac_node *node);

/* ---- parameters and state, by name ------------------------------------------------------------------------------ */

/** The number of named tensors (parameters and state); 0 if not built. */
DIRAC_API int64_t dirac_net_tensor_count(const dirac_net *net);
/** The name of tensor `index` ("group0.block0.conv.weight"), or NULL. */
DIRAC_API const char *dirac_net_tensor_name(const dirac_net *net, int64_t index);
/**
 * The shape of a tensor. @param dims room for DIRAC_MAX_RANK. @param rank, @param role (DIRAC_ROLE_*) may be NULL.
 * Errors: ARGUMENT, STATE, NOT_FOUND. Reader.
 */
DIRAC_API int32_t dirac_net_tensor_shape(const dirac_net *net, const char *name, int64_t *dims, int32_t *rank,
                                         int32_t *role);
/**
 * Copies a tensor out. @param count must be its number of elements.
 * Errors: ARGUMENT, STATE, NOT_FOUND, SHAPE (count), BUSY. Reader.
 */
DIRAC_API int32_t dirac_net_tensor_read(const dirac_net *net, const char *name, float *values, size_t count);
/** Copies a tensor in. Errors: as dirac_net_tensor_read(). Writer. */
DIRAC_API int32_t dirac_net_tensor_write(dirac_net *net, const char *name, const float *values, size_t count);
/**
 * Draws all parameters and state anew from `seed`, by their initialisers. The draw of a tensor depends on the seed and
 * its name alone. Errors: ARGUMENT, STATE, MEMORY, BUSY. Writer.
 */
DIRAC_API int32_t dirac_net_initialize(dirac_net *net, uint64_t seed);
/**
 * Lets the optimizer change a parameter (1, default) or not (0). @param pattern a name, or a name with '*' for any text
 * ("*.alpha"). Errors: ARGUMENT, STATE, NOT_FOUND (nothing matches), BUSY. Writer.
 */
DIRAC_API int32_t dirac_net_set_trainable(dirac_net *net, const char *pattern, int32_t trainable);
/** Trained numbers in all: what is called "parameters" of a net; 0 if not built. */
DIRAC_API int64_t dirac_net_trained_count(const dirac_net *net);
/** Multiply-adds of convolution and linear layers for one image; 0 if not built. */
DIRAC_API int64_t dirac_net_multiply_adds(const dirac_net *net);
/** A number that grows with every change of a parameter or state; 0 for NULL. */
DIRAC_API uint64_t dirac_net_version(const dirac_net *net);

/* ---- notes kept with the net and in its file --------------------------------------------------------------------- */

/**
 * Keeps a text with the net, saved with it ("classes", one name a line; "mean"; whatever the host needs).
 * @param key not starting with "dirac.". @param value UTF-8; NULL removes. Errors: ARGUMENT, MEMORY, BUSY. Writer.
 */
DIRAC_API int32_t dirac_net_set_note(dirac_net *net, const char *key, const char *value);
/** The text, or NULL; valid until it is set anew. Reader. */
DIRAC_API const char *dirac_net_note(const dirac_net *net, const char *key);

DIRAC_END

#endif
