/* SPDX-License-Identifier: MIT */
/**
 * @file net.h  A net: a graph of layers, their parameters and their state; how to build, name, change and fold it.
 *
 * Building. Functions that add a layer take the node (value) it reads and return the node it makes. They fail by
 * sticky error: the first mistake is remembered, that call and all later ones return NULL, calls that get a NULL node
 * return NULL, and dirac_net_build() returns the first mistake's status and message. So a chain needs one check, at its
 * end. A net whose building failed can only be destroyed. Shapes are worked out, parameters allocated and initialised
 * at dirac_net_build(); after it the graph is fixed. Until that has returned, net and nodes are one thread's, for calls of
 * any rule.
 *
 * What every function that adds a layer may stick: ARGUMENT (a node is NULL or of another net, an option is out of
 * range), STATE (the net is built), MEMORY, LIMIT (more than 65536 nodes; a size above 2^30). Shapes are looked at by
 * dirac_net_build(). "Errors (sticky)" names what else there is to refuse.
 *
 * Shapes are (N, C, spatial...): N images, C channels, then 0 (vectors), 1 (length), 2 (height, width) or 3 (depth,
 * height, width) spatial sizes. N is no part of a net. At this boundary arrays are contiguous float, C order.
 *
 * Ownership. A node belongs to its net and dies with it. Strings given are copied; strings returned live as long as the
 * net, or until the value is set anew. Every net function gives DIRAC_ERR_ARGUMENT for a NULL handle.
 *
 * Writers and readers are told apart as dirac.h says. A writer never waits. Everything here: since 0.1.
 */
#ifndef DIRAC_NET_H
#define DIRAC_NET_H

#include <stddef.h>
#include <stdint.h>

#include "context.h"
#include "export.h"

DIRAC_BEGIN

/** A graph of layers with its parameters and state. */
typedef struct dirac_net dirac_net;
/** One value inside a net: what a layer or an input gives. It owns nothing. */
typedef struct dirac_node dirac_node;

/** Receives one comparison of dirac_net_compare(): the largest absolute difference, and the largest absolute value in the
 * first net. */
typedef void (*dirac_compare_fn)(void *user, const char *node, double difference, double largest);

/** The most dimensions a parameter has. */
enum {
    DIRAC_MAX_RANK = 5 /**< out, in, and three of a kernel */
};

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
    DIRAC_INIT_ZEROS = 0,          /**< all 0 */
    DIRAC_INIT_CONSTANT = 1,       /**< all a */
    DIRAC_INIT_NORMAL = 2,         /**< normal, mean 0, standard deviation a */
    DIRAC_INIT_KAIMING_NORMAL = 3, /**< normal, mean 0, deviation a / sqrt(fan_in); a = sqrt(2) is He's for ReLU */
    DIRAC_INIT_UNIFORM = 4,        /**< uniform in [a, b) */
    DIRAC_INIT_ORTHOGONAL = 5,     /**< gain a times rows (or columns) orthonormal, the tensor seen as out x rest */
    DIRAC_INIT_DELTA = 6           /**< a times the identity I above */
};

/** What a tensor of a net is for. */
enum {
    DIRAC_ROLE_TRAINED = 0, /**< has a gradient, changed by the optimizer */
    DIRAC_ROLE_STATE = 1    /**< running statistics and the like: saved, not trained, not counted as parameters */
};

/**
 * What dirac_node_filters() tells of a filter (an output channel of a convolution or linear layer), which applies
 * What = a I + r: a times its part of the identity, and the rest r made from W.
 */
enum {
    DIRAC_FILTER_ALPHA = 0,   /**< a: alpha in eq. 4 and 5, 1 in eq. 8; 0 where I has no one for it, and in the plain form */
    DIRAC_FILTER_BETA = 1,    /**< b: beta in eq. 5, otherwise 1 */
    DIRAC_FILTER_NORM = 2,    /**< |W|, over all its inputs and taps */
    DIRAC_FILTER_IDENTITY = 3 /**< the share of the identity, |a| / (|a| + |r|), 0 to 1; 0 if both are 0. |r| is |b| in
                                   eq. 5 (|b W| / 1e-12 where |W| is less than 1e-12), |W| in the other forms */
};

/* ---- life ------------------------------------------------------------------------------------------------------ */

/**
 * Makes an empty net.
 * @param out receives the net, NULL on failure; release it with dirac_net_destroy(). @param context kept alive by it.
 * Errors: ARGUMENT, MEMORY. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_net_create(dirac_net **out, dirac_context *context);

/**
 * Gives up the caller's hold on a net; it goes when the last session, optimizer or checkpoint on it has gone.
 * @param net NULL is accepted. Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API void dirac_net_destroy(dirac_net *net);

/**
 * The seed its parameters are drawn from at build.
 * @param seed any number; default the context's.
 * Errors: ARGUMENT, STATE (after build: see dirac_net_initialize()). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_net_set_seed(dirac_net *net, uint64_t seed);

/**
 * Ends building: infers every shape, allocates and initialises the parameters. Once.
 * Errors: the first mistake of the whole chain with its message: ARGUMENT, SHAPE (the message names the node and both
 * shapes), NOT_FOUND (an initialiser of a parameter that the layer has not), MEMORY, STATE (no input, no output, a
 * scope not left, built already), LIMIT (sizes beyond what this machine can address; more multiply-adds for one image, or
 * elements of parameters, than can be counted), CALLBACK (setup of a custom layer). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_net_build(dirac_net *net);

/**
 * Copies a built net: graph, parameters, state, trainable flags and notes. Nothing is shared.
 * @param out receives the copy, NULL on failure; release it with dirac_net_destroy(). @param net is left as it is.
 * Errors: ARGUMENT, STATE (not built), MEMORY, BUSY. Threads: reader. Since 0.1.
 */
DIRAC_API int32_t dirac_net_clone(dirac_net **out, const dirac_net *net);

/**
 * Folds for inference: makes a new net in which every weight form has become plain weights, and every batch norm that
 * follows a convolution or linear layer has gone into its weight and bias:
 *
 *     s = gamma / sqrt(running_var + eps)     W' = s[c] What[c]     b' = beta_bn + s (bias - running_mean)
 *
 * A batch norm is folded where it is the only reader of that layer, the layer is no output of the net and its weight
 * is not shared; others stay. Names do not change: "x.weight" holds W', "x.bias" b'. The arithmetic is done in double.
 * @param out receives the new net, NULL on failure; release it with dirac_net_destroy(). @param net is left as it is.
 * Paper: section 2.2. Errors: ARGUMENT, STATE (not built), MEMORY, BUSY. Threads: reader. Since 0.1.
 */
DIRAC_API int32_t dirac_net_fold(dirac_net **out, const dirac_net *net);

/**
 * Runs a net and its folded form on the same inputs and reports, for every layer that both compute (a folded
 * convolution is compared with the batch norm it took in) and at the end for the outputs, how far apart they are.
 * It needs memory for all activations of n images, twice.
 * @param net of one input. @param folded made from `net` by dirac_net_fold().
 * @param input n images, contiguous (n, C, spatial...). @param n at least 1.
 * @param each called per layer in order, may be NULL. @param user passed to it.
 * @param difference receives the largest absolute difference over the outputs, may be NULL.
 * Errors: ARGUMENT, STATE, SHAPE (the nets do not match), MEMORY, LIMIT, CALLBACK, BUSY. Threads: reader (of both
 * nets). Since 0.1.
 */
DIRAC_API int32_t dirac_net_compare(dirac_net *net, dirac_net *folded, const float *input, int64_t n,
                                    dirac_compare_fn each, void *user, double *difference);

/* ---- inputs, outputs, names ------------------------------------------------------------------------------------- */

/**
 * Adds an input of vectors (N, channels). The order in which inputs are added is their index.
 * @param channels 1 to 2^30. @return the input's value, or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_input(dirac_net *net, int64_t channels);
/**
 * Adds an input of shape (N, channels, length).
 * @param channels, length 1 to 2^30. @return the input's value, or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_input1d(dirac_net *net, int64_t channels, int64_t length);
/**
 * Adds an input of shape (N, channels, height, width).
 * @param channels, height, width 1 to 2^30. @return the input's value, or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_input2d(dirac_net *net, int64_t channels, int64_t height, int64_t width);
/**
 * Adds an input of shape (N, channels, depth, height, width).
 * @param channels, depth, height, width 1 to 2^30. @return the input's value, or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_input3d(dirac_net *net, int64_t channels, int64_t depth, int64_t height,
                                        int64_t width);

/**
 * Declares a value an output of the net. The order of the calls is the outputs' index.
 * @param x any value of the net. @return x, or NULL.
 * Errors (sticky): ARGUMENT (an output already), STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_output(dirac_net *net, dirac_node *x);

/**
 * Enters a scope: nodes made until the matching pop are named "scope.name". Scopes nest.
 * @param name 1 to 200 letters, digits, '_', '-' and inner '.'; copied.
 * Errors (sticky, and returned): ARGUMENT, STATE (built), MEMORY. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_net_push_scope(dirac_net *net, const char *name);
/**
 * Leaves the innermost scope.
 * Errors (sticky, and returned): ARGUMENT, STATE (there is none). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_net_pop_scope(dirac_net *net);

/**
 * Names a node (inside the current scope). Unnamed nodes are called after their kind: the first free one of "conv",
 * "conv2", "conv3" and so on. Parameters are named "node.weight" and so on, so names are what files and lookups use.
 * @param name unique in the net, as for dirac_net_push_scope(); copied.
 * Errors (sticky, and returned): ARGUMENT (NULL node, no legal name, taken), STATE (after build), MEMORY. Threads: one.
 * Since 0.1.
 */
DIRAC_API int32_t dirac_node_set_name(dirac_node *node, const char *name);

/* ---- layers with weights ---------------------------------------------------------------------------------------- */

/**
 * Adds a convolution of 1 dimension (cross-correlation, as everywhere in the field); 2 and 3 dimensions likewise.
 *
 *     y[n,o,p] = bias[o] + sum_{i,t} What[o,i,t] x[n, i, p stride - padding + t dilation]
 *
 * Output size: floor((size + before + after - dilation (kernel - 1) - 1) / stride) + 1.
 * Parameters: weight (O, C/groups, kernel...), and as attributes say: bias (O), alpha (O), beta (O).
 * Attributes (dirac_node_set_int(), dirac_node_set_ints(), dirac_node_set_float()):
 *
 *     "kernel"   ints, 1..1024     "stride"  ints, 1..1024, default 1     "dilation" ints, 1..1024, default 1
 *     "padding"  ints, 0..1024, on both sides; -1, the default, is "same": dilation (k/2) before and
 *                dilation (k-1-k/2) after (integer division), which keeps the size at stride 1
 *     "channels" int, O         "groups" int, default 1; divides C and O        "bias" int 0 or 1, default 0
 *     "form"     int, DIRAC_FORM_*, default PLAIN
 *
 * Initialisers: weight KAIMING_NORMAL sqrt(2); bias 0; alpha 1; beta 0.1 (the published code; the paper draws W from
 * N(0,1), of which only the direction enters eq. 5). alpha and beta are not weight-decayed. In eq. 5, |W| of a filter
 * is over all its inputs and taps, and the divisor is max(|W|, 1e-12).
 * @param x (N, C, length). @param channels out channels O, 1 to 2^30. @param kernel taps in each dimension, 1 to 1024.
 * @return (N, O, spatial...), or NULL.
 * Paper: equations 1 (what I is), 4, 5 and 8, as "form" says.
 * Errors (sticky): SHAPE (x of other dimensions, groups, a kernel larger than its input). Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_conv1d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);
/**
 * As dirac_net_conv1d() in two dimensions: x and the result are (N, C, height, width).
 * NULL, errors and attributes are as there.
 */
DIRAC_API dirac_node *dirac_net_conv2d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);
/**
 * As dirac_net_conv1d() in three dimensions: x and the result are (N, C, depth, height, width).
 * NULL, errors and attributes are as there.
 */
DIRAC_API dirac_node *dirac_net_conv3d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);

/**
 * Adds a Dirac convolution: dirac_net_conv1d() with "form" DIRAC_FORM_NORMALIZED_DELTA.
 *
 *     What = diag(alpha) I + diag(beta) W/|W|
 *
 * @param x (N, C, length). @param channels out channels O, 1 to 2^30. @param kernel taps in each dimension, 1 to 1024.
 * @return (N, O, spatial...), or NULL.
 * Paper: equation 5. Errors (sticky): SHAPE, as dirac_net_conv1d(). Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_dirac_conv1d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);
/**
 * As dirac_net_dirac_conv1d() in two dimensions: x and the result are (N, C, height, width).
 * NULL, errors and attributes are as there.
 */
DIRAC_API dirac_node *dirac_net_dirac_conv2d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);
/**
 * As dirac_net_dirac_conv1d() in three dimensions: x and the result are (N, C, depth, height, width).
 * NULL, errors and attributes are as there.
 */
DIRAC_API dirac_node *dirac_net_dirac_conv3d(dirac_net *net, dirac_node *x, int64_t channels, int64_t kernel);

/**
 * Adds a linear layer y[n] = What x[n] + bias on vectors. Flatten or pool images first.
 * Parameters: weight (O, C), bias (O), alpha and beta as the form says; I is the identity matrix of min(O, C) ones.
 * Attributes: "channels" int, O; "bias" int, default 1; "form" as for convolution. Initialisers as for convolution.
 * @param x (N, C). @param channels O, 1 to 2^30. @return (N, O), or NULL.
 * Errors (sticky): SHAPE (x is no vector). Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_linear(dirac_net *net, dirac_node *x, int64_t channels);

/**
 * Adds a Dirac linear layer: dirac_net_linear() with "form" DIRAC_FORM_NORMALIZED_DELTA and no bias.
 * @param x (N, C). @param channels O, 1 to 2^30. @return (N, O), or NULL.
 * Paper: equation 5, for a matrix. Errors (sticky): SHAPE (x is no vector). Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_dirac_linear(dirac_net *net, dirac_node *x, int64_t channels);

/**
 * Adds batch norm over N and space, per channel:  y = gamma (x - mean) / sqrt(var + eps) + beta.
 * A training session uses the batch's mean and biased variance and leaves running = (1 - m) running + m batch (with the
 * unbiased variance) pending; an inference session, or a frozen node, uses the running ones. Training with one value
 * per channel is an error of the forward call.
 * Parameters: weight (gamma) and bias (beta), state: running_mean, running_var; all (C). None is weight-decayed.
 * Attributes: "epsilon" float, at least the least normal one (1.17549435e-38), default 1e-5; "momentum" (m above) float
 * 0..1, default 0.1; "frozen" int 0 or 1, default 0.
 * Initialisers: weight uniform [0, 1) as in the published code; bias 0; running_mean 0; running_var 1.
 * @param x (N, C, spatial...). @return the same shape, or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_batch_norm(dirac_net *net, dirac_node *x);

/* ---- layers without weights ------------------------------------------------------------------------------------- */

/**
 * Adds y = max(x, 0); NaN stays NaN; the gradient at 0 is 0.
 * @param x (N, C, spatial...). @return the same shape, or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_relu(dirac_net *net, dirac_node *x);

/**
 * Adds NCReLU: the channels max(x, 0), then the channels min(x, 0).
 * @param x (N, C, spatial...). @return (N, 2C, spatial...), or NULL.
 * Paper: the activation of its version 1. Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_ncrelu(dirac_net *net, dirac_node *x);

/**
 * Adds y = x for x > 0, a (exp(x) - 1) otherwise. Attribute: "alpha" (a) float >= 0, default 1.
 * @param x (N, C, spatial...). @return the same shape, or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_elu(dirac_net *net, dirac_node *x);

/**
 * Adds max-pool over windows: y = max of the window; padding never wins; NaN does; the gradient goes to the first
 * largest.
 * Attributes: "kernel" ints 1..1024; "stride" ints, default 0 = kernel; "padding" ints, default 0, at most half the
 * kernel; "ceil" int 0 or 1, default 0.
 * Output size: floor((size + 2 padding - kernel) / stride) + 1; with "ceil" rounded up, but a window must start inside
 * the image or its front padding (as in PyTorch).
 * @param x (N, C, length). @param kernel window in each dimension, 1 to 1024. @return (N, C, spatial...), or NULL.
 * Errors (sticky): SHAPE (x of other dimensions, a window larger than its input). Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_max_pool1d(dirac_net *net, dirac_node *x, int64_t kernel);
/**
 * As dirac_net_max_pool1d() in two dimensions: x and the result are (N, C, height, width).
 * NULL, errors and attributes are as there.
 */
DIRAC_API dirac_node *dirac_net_max_pool2d(dirac_net *net, dirac_node *x, int64_t kernel);
/**
 * As dirac_net_max_pool1d() in three dimensions: x and the result are (N, C, depth, height, width).
 * NULL, errors and attributes are as there.
 */
DIRAC_API dirac_node *dirac_net_max_pool3d(dirac_net *net, dirac_node *x, int64_t kernel);

/**
 * Adds average-pool over windows: attributes and output size as dirac_net_max_pool1d(), and "count_padding" int,
 * default 1: whether padding counts in the divisor (what a "ceil" window has beyond the padding never does, as in
 * PyTorch).
 * @param x (N, C, length). @param kernel window in each dimension, 1 to 1024. @return (N, C, spatial...), or NULL.
 * Errors (sticky): SHAPE (x of other dimensions, a window larger than its input). Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_average_pool1d(dirac_net *net, dirac_node *x, int64_t kernel);
/**
 * As dirac_net_average_pool1d() in two dimensions: x and the result are (N, C, height, width).
 * NULL, errors and attributes are as there.
 */
DIRAC_API dirac_node *dirac_net_average_pool2d(dirac_net *net, dirac_node *x, int64_t kernel);
/**
 * As dirac_net_average_pool1d() in three dimensions: x and the result are (N, C, depth, height, width).
 * NULL, errors and attributes are as there.
 */
DIRAC_API dirac_node *dirac_net_average_pool3d(dirac_net *net, dirac_node *x, int64_t kernel);

/**
 * Adds the mean over all positions.
 * @param x (N, C, spatial...). @return the vectors (N, C), or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_global_average_pool(dirac_net *net, dirac_node *x);

/**
 * Adds dropout: in training each value is 0 with probability `rate`, otherwise x / (1 - rate); in inference y = x. The
 * draw depends on the session's seed, the node's name, the number of the training forward and the value's index alone.
 * @param x (N, C, spatial...). @param rate 0 <= rate < 1; also the attribute "rate". @return the same shape, or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_dropout(dirac_net *net, dirac_node *x, float rate);

/**
 * Adds local response norm across channels: y[c] = x[c] / (k + alpha/size sum x[j]^2)^beta, j over `size` channels
 * centred on c (size/2 before, (size-1)/2 after), as in PyTorch. Attributes: "size" int 1..4096; "alpha" float >= 0,
 * default 1e-4; "beta" float >= 0, default 0.75; "k" float >= 0, default 1.
 * @param x (N, C, spatial...). @param size 1 to 4096. @return the same shape, or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_local_response_norm(dirac_net *net, dirac_node *x, int64_t size);

/**
 * Adds y = a + b: an explicit skip connection.
 * @param a, b of equal shape. @return the same shape, or NULL.
 * Errors (sticky): SHAPE. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_add(dirac_net *net, dirac_node *a, dirac_node *b);

/**
 * Adds the channels of several values, one after the other.
 * @param inputs `count` values (N, C_i, spatial...) of equal spatial size; the array is not kept. @param count 1 to 64.
 * @return (N, sum of C_i, spatial...), or NULL.
 * Errors (sticky): SHAPE. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_concat(dirac_net *net, dirac_node *const *inputs, int32_t count);

/**
 * Adds a flattening, in C order.
 * @param x (N, C, spatial...). @return the vectors (N, C * size), or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_flatten(dirac_net *net, dirac_node *x);

/**
 * Adds softmax over channels: y[c] = exp(x[c] - max x) / sum exp(x[j] - max x). For training use the session's loss
 * calls.
 * @param x (N, C, spatial...). @return the same shape, or NULL.
 * Errors (sticky): ARGUMENT, STATE, MEMORY, LIMIT. Threads: one. Since 0.1.
 */
DIRAC_API dirac_node *dirac_net_softmax(dirac_net *net, dirac_node *x);

/* ---- options of a layer ----------------------------------------------------------------------------------------- */

/**
 * Sets an integer attribute. Before build.
 * @param attribute a name that the layer's documentation gives. @param value within the range given there.
 * Errors (sticky, and returned): ARGUMENT (NULL node, no such attribute, wrong type, out of range: the message gives
 * what is legal), STATE (after build). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_node_set_int(dirac_node *node, const char *attribute, int64_t value);
/**
 * Sets an attribute with one value a spatial dimension. Before build.
 * @param attribute a name that the layer's documentation gives. @param values copied.
 * @param count 1 (all dimensions the same) or the number of spatial dimensions.
 * Errors (sticky, and returned): ARGUMENT, STATE, as dirac_node_set_int(). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_node_set_ints(dirac_node *node, const char *attribute, const int64_t *values, int32_t count);
/**
 * Sets a real attribute. Before build.
 * @param attribute a name that the layer's documentation gives. @param value finite, within the range given there.
 * Errors (sticky, and returned): ARGUMENT, STATE, as dirac_node_set_int(). Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_node_set_float(dirac_node *node, const char *attribute, double value);

/**
 * How a parameter of this node starts. Before build.
 * @param parameter "weight", "bias", "alpha", ...; one that the layer does not have is NOT_FOUND at build.
 * @param init DIRAC_INIT_*. @param a, b its numbers, finite (0 where unused).
 * Errors (sticky, and returned): ARGUMENT (NULL, unknown init, a number that is not finite), STATE, MEMORY. Threads:
 * one. Since 0.1.
 */
DIRAC_API int32_t dirac_node_set_initializer(dirac_node *node, const char *parameter, int32_t init, double a, double b);

/**
 * Makes `node` use the parameters of `owner`; gradients add up. Before build.
 * @param owner an earlier node of the same net and kind; at build, of the same attributes and parameter shapes.
 * Errors (sticky, and returned): ARGUMENT, STATE; at build also SHAPE. Threads: one. Since 0.1.
 */
DIRAC_API int32_t dirac_node_share_parameters(dirac_node *node, dirac_node *owner);

/**
 * Freezes or thaws a batch norm: frozen, training uses the running statistics and leaves them alone; its weight and
 * bias still train unless made untrainable. Before or after build.
 * @param frozen 1 or 0.
 * Errors: ARGUMENT (NULL, no batch norm), BUSY. Threads: writer. Since 0.1.
 */
DIRAC_API int32_t dirac_node_set_frozen(dirac_node *node, int32_t frozen);

/* ---- looking at a net ------------------------------------------------------------------------------------------- */

/** The number of nodes. @return 0 for NULL. Errors: none. Threads: any, once built. Since 0.1. */
DIRAC_API int64_t dirac_net_node_count(const dirac_net *net);
/** A node by its place. @param index from 0, in the order of building. @return NULL if there is none. Errors: none.
 * Threads: any, once built. Since 0.1. */
DIRAC_API dirac_node *dirac_net_node(const dirac_net *net, int64_t index);
/** A node by its name. @param name the full one. @return NULL if there is none. Errors: none. Threads: any, once built.
 * Since 0.1. */
DIRAC_API dirac_node *dirac_net_find(const dirac_net *net, const char *name);
/** The number of inputs of the net. @return 0 for NULL. Errors: none. Threads: any, once built. Since 0.1. */
DIRAC_API int32_t dirac_net_input_count(const dirac_net *net);
/** An input of the net. @param index from 0. @return NULL if there is none. Errors: none. Threads: any, once built.
 * Since 0.1. */
DIRAC_API dirac_node *dirac_net_input_node(const dirac_net *net, int32_t index);
/** The number of outputs of the net. @return 0 for NULL. Errors: none. Threads: any, once built. Since 0.1. */
DIRAC_API int32_t dirac_net_output_count(const dirac_net *net);
/** An output of the net. @param index from 0. @return NULL if there is none. Errors: none. Threads: any, once built.
 * Since 0.1. */
DIRAC_API dirac_node *dirac_net_output_node(const dirac_net *net, int32_t index);

/** The full name of a node. @return "" for NULL; valid until renamed. Errors: none. Threads: any, once built. Since
 * 0.1. */
DIRAC_API const char *dirac_node_name(const dirac_node *node);
/** The kind of a node: "conv", "linear", "batch_norm", "relu", ..., or the name of a custom kind. @return "" for NULL.
 * Errors: none. Threads: any. Since 0.1. */
DIRAC_API const char *dirac_node_kind(const dirac_node *node);
/** The number of values a node reads. @return 0 for NULL. Errors: none. Threads: any. Since 0.1. */
DIRAC_API int32_t dirac_node_input_count(const dirac_node *node);
/** A node that a node reads. @param index from 0. @return NULL if there is none. Errors: none. Threads: any. Since
 * 0.1. */
DIRAC_API dirac_node *dirac_node_input(const dirac_node *node, int32_t index);
/**
 * The shape of a node's value without N: dims[0] = C, then the spatial sizes. Built nets only.
 * @param dims room for 4. @param rank receives 1 to 4.
 * Errors: ARGUMENT, STATE (not built). Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_node_shape(const dirac_node *node, int64_t *dims, int32_t *rank);
/**
 * Reads an integer attribute (for one with a value a dimension, the first).
 * @param attribute its name. @param value receives it.
 * Errors: ARGUMENT (NULL, another type), NOT_FOUND. Threads: any, once built. Since 0.1.
 */
DIRAC_API int32_t dirac_node_get_int(const dirac_node *node, const char *attribute, int64_t *value);
/**
 * Reads an integer attribute with one value a spatial dimension (or one value in all).
 * @param attribute its name. @param values room for 3. @param count receives how many.
 * Errors: ARGUMENT (NULL, another type), NOT_FOUND. Threads: any, once built. Since 0.1.
 */
DIRAC_API int32_t dirac_node_get_ints(const dirac_node *node, const char *attribute, int64_t *values, int32_t *count);
/**
 * Reads a real attribute.
 * @param attribute its name. @param value receives it.
 * Errors: ARGUMENT (NULL, another type), NOT_FOUND. Threads: any, once built. Since 0.1.
 */
DIRAC_API int32_t dirac_node_get_float(const dirac_node *node, const char *attribute, double *value);
/** The trained numbers of a node. @return 0 if they are another node's (shared), not built, or NULL. Errors: none.
 * Threads: any, once built. Since 0.1. */
DIRAC_API int64_t dirac_node_trained_count(const dirac_node *node);
/** Multiply-adds of a node's convolution or linear arithmetic for one image (bias not counted). @return 0 if not built
 * or NULL. Errors: none. Threads: any, once built. Since 0.1. */
DIRAC_API int64_t dirac_node_multiply_adds(const dirac_node *node);

/* ---- how much of a layer is identity (Reader) --------------------------------------------------------------------- */

/**
 * One number a filter of a convolution or linear layer: what figure 2 of the paper follows during training, and what
 * tells filters that have become mere copies (share 1) or have lost their shortcut (share 0).
 * @param node of a built net; one that shares parameters gives the owner's. @param quantity DIRAC_FILTER_*.
 * @param values receives `count` numbers. @param count the layer's channels: dims[0] of dirac_node_shape().
 * Computed in double. Errors: ARGUMENT (unknown quantity; a layer without filters), STATE (not built), SHAPE (count),
 * BUSY. Threads: reader. Since 0.1.
 */
DIRAC_API int32_t dirac_node_filters(const dirac_node *node, int32_t quantity, float *values, size_t count);
/**
 * The same over a layer: mean, least and largest value, in double. ALPHA and IDENTITY are over the filters that have a one
 * in I (of a layer with more outputs than inputs the others have none, and their alpha does nothing); BETA and NORM are
 * over all.
 * @param node as of dirac_node_filters(). @param quantity DIRAC_FILTER_*.
 * @param mean receives the mean, 0 if there is no filter to count; may be NULL. @param least the least; may be NULL.
 * @param largest the largest; may be NULL. @param filters how many filters were counted; may be NULL.
 * Errors: ARGUMENT (unknown quantity; a layer without filters), STATE (not built), BUSY. Threads: reader. Since 0.1.
 */
DIRAC_API int32_t dirac_node_filter_summary(const dirac_node *node, int32_t quantity, double *mean, double *least,
                                            double *largest, int64_t *filters);

/* ---- parameters and state, by name ------------------------------------------------------------------------------ */

/** The number of named tensors (parameters and state). @return 0 if not built or NULL. Errors: none. Threads: any, once
 * built. Since 0.1. */
DIRAC_API int64_t dirac_net_tensor_count(const dirac_net *net);
/** The name of a tensor ("group0.block0.conv.weight"). @param index from 0. @return NULL if there is none. Errors:
 * none.
 * Threads: any, once built. Since 0.1. */
DIRAC_API const char *dirac_net_tensor_name(const dirac_net *net, int64_t index);
/**
 * The shape of a tensor.
 * @param name its name. @param dims room for DIRAC_MAX_RANK. @param rank receives how many; may be NULL.
 * @param role receives DIRAC_ROLE_*; may be NULL.
 * Errors: ARGUMENT, STATE (not built), NOT_FOUND. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_net_tensor_shape(const dirac_net *net, const char *name, int64_t *dims, int32_t *rank,
                                         int32_t *role);
/**
 * Copies a tensor out.
 * @param name its name. @param values room for it, C order. @param count must be its number of elements.
 * Errors: ARGUMENT, STATE (not built), NOT_FOUND, SHAPE (count), BUSY. Threads: reader. Since 0.1.
 */
DIRAC_API int32_t dirac_net_tensor_read(const dirac_net *net, const char *name, float *values, size_t count);
/**
 * Copies a tensor in.
 * @param name its name. @param values all of it, C order; read, not kept. @param count must be its number of elements.
 * Errors: ARGUMENT, STATE (not built), NOT_FOUND, SHAPE (count), BUSY. Threads: writer. Since 0.1.
 */
DIRAC_API int32_t dirac_net_tensor_write(dirac_net *net, const char *name, const float *values, size_t count);
/**
 * Draws all parameters and state anew, by their initialisers. The draw of a tensor depends on the seed and its name
 * alone.
 * @param seed any number.
 * Errors: ARGUMENT, STATE (not built), MEMORY, BUSY. Threads: writer. Since 0.1.
 */
DIRAC_API int32_t dirac_net_initialize(dirac_net *net, uint64_t seed);
/**
 * Lets the optimizer change parameters or not. A session prepared before has no gradients for those it could not train.
 * @param pattern a name, or a name with '*' for any text ("*.alpha"). @param trainable 1 (default) or 0.
 * Errors: ARGUMENT, STATE (not built), NOT_FOUND (nothing matches), BUSY. Threads: writer. Since 0.1.
 */
DIRAC_API int32_t dirac_net_set_trainable(dirac_net *net, const char *pattern, int32_t trainable);
/** Trained numbers in all: what is called "parameters" of a net. @return 0 if not built or NULL. Errors: none.
 * Threads: any, once built. Since 0.1. */
DIRAC_API int64_t dirac_net_trained_count(const dirac_net *net);
/** Multiply-adds of convolution and linear layers for one image. @return 0 if not built or NULL. Errors: none.
 * Threads: any, once built. Since 0.1. */
DIRAC_API int64_t dirac_net_multiply_adds(const dirac_net *net);
/** A number that grows with every change of a parameter or state. @return 0 for NULL. Errors: none. Threads: any.
 * Since 0.1. */
DIRAC_API uint64_t dirac_net_version(const dirac_net *net);

/* ---- notes kept with the net and in its file --------------------------------------------------------------------- */

/**
 * Keeps a text with the net, saved with it ("classes", one name a line; "mean"; whatever the host needs).
 * @param key UTF-8, not empty, not "format", not starting with "dirac."; copied.
 * @param value UTF-8, copied; NULL removes the note.
 * Errors: ARGUMENT, MEMORY, BUSY. Threads: writer. Since 0.1.
 */
DIRAC_API int32_t dirac_net_set_note(dirac_net *net, const char *key, const char *value);
/**
 * Reads a note.
 * @param key its key. @return the text, valid until it is set anew or the net goes; NULL if there is none.
 * Errors: none. Threads: any, while no writer has the net. Since 0.1.
 */
DIRAC_API const char *dirac_net_note(const dirac_net *net, const char *key);

DIRAC_END

#endif
