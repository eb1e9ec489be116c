/* SPDX-License-Identifier: MIT */
/* A second implementation of a net's forward, in double, written naively from the formulas of <dirac/net.h>: what the
 * tests of the layers compare with. It knows the library by its public headers only: it walks a built net, reads
 * attributes and parameters, works out every shape itself, and computes in (N, C, spatial...) order. */
#ifndef LAYERS_TWIN_H
#define LAYERS_TWIN_H

#include <stddef.h>
#include <stdint.h>

#include <dirac/dirac.h>

/* Which of the two meanings of a net: as a training session computes it or as an inference session does. */
enum { TWIN_INFER = 0, TWIN_TRAIN = 1 };

/* The value of one node: (n, channels, size[0], size[1], size[2]); sizes that a value does not have are 1 and come
 * first, so an image is (1, height, width). */
typedef struct twin_value {
    const dirac_node *node;
    const char *owner;  /* name of the node whose parameters it uses */
    int32_t dimensions; /* spatial ones: 0 to 3 */
    int64_t channels;
    int64_t size[3];
    double *data;
    const double *mask; /* dropout: what each value is multiplied by in training; NULL: 1 */
} twin_value;

typedef struct twin_tensor {
    const char *name;
    int32_t role;
    size_t count;
    double *data;
    double *pending; /* state as the training forwards recorded so far leave it; NULL if trained */
} twin_tensor;

typedef struct twin twin;
typedef void (*twin_layer_fn)(twin *t, twin_value *y);

struct twin {
    const dirac_net *net;
    int64_t n;
    int32_t mode;
    int32_t record; /* 1: this forward's statistics go into `pending` */
    int32_t value_count, tensor_count;
    twin_value *values;
    twin_tensor *tensors;
    twin_layer_fn custom; /* computes kinds that are not the library's */
    /* What the last forward found out: */
    uint64_t choices; /* hash of what was decided at every kink: signs, places of largest values */
    double margin;    /* how far the nearest of these decisions was from another outcome */
    double terms;     /* over the layers, the longest sum in forward or backward, added up */
};

/* A twin of a built net for n images, with the net's parameters and state as they are now. Fails the test on error. */
twin *twin_create(const dirac_net *net, int64_t n);
void twin_destroy(twin *t);

/* Makes `node` use the parameters of `owner`. */
void twin_share(twin *t, const char *node, const char *owner);
/* Computes at another spatial size of the only input; `size` as in twin_value. */
void twin_set_input_size(twin *t, const int64_t size[3]);

/* The tensor of that name, or NULL. */
twin_tensor *twin_find(const twin *t, const char *name);
twin_value *twin_value_of(const twin *t, const dirac_node *node);
twin_value *twin_input(const twin *t, int32_t index);
twin_value *twin_output(const twin *t, int32_t index);
/* Spatial positions, and numbers of all n images. */
int64_t twin_area(const twin_value *v);
size_t twin_count(const twin *t, const twin_value *v);

/* Computes every value from the inputs' data. */
void twin_forward(twin *t, int32_t mode);
/* A training forward whose running statistics are added to those pending. */
void twin_forward_recorded(twin *t);

/* ---- for the files that compute layers ------------------------------------------------------- */

/* Value that `y` reads as its input `index`. */
const twin_value *twin_read(const twin *t, const twin_value *y, int32_t index);
/* Gives y a shape, and room if it has none; fails if the library says that it has another. */
void twin_shape(twin *t, twin_value *y, int32_t dimensions, int64_t channels,
                const int64_t size[3]);
/* A parameter of y's node that must have `count` numbers. */
double *twin_parameter(const twin *t, const twin_value *y, const char *parameter, int64_t count);
double *twin_pending(const twin *t, const twin_value *y, const char *state);
/* Attributes; without the attribute the test fails. */
int64_t twin_int(const twin_value *y, const char *attribute);
double twin_float(const twin_value *y, const char *attribute);
/* One number a dimension, in the places of twin_value's size; `missing` for dimensions that there are not. */
void twin_ints(const twin_value *y, const char *attribute, int64_t missing, int64_t values[3]);
/* Tells of a decision at a kink: what was decided, and how far it was from the other way (0: an exact tie, which
 * every arithmetic decides alike, so it does not count as near). */
void twin_decide(twin *t, uint64_t decision, double distance);
/* Tells how many numbers one sum of this layer adds up. */
void twin_sums(twin *t, double terms);

void twin_convolution(twin *t, twin_value *y);
void twin_linear(twin *t, twin_value *y);
void twin_max_pool(twin *t, twin_value *y);
void twin_average_pool(twin *t, twin_value *y);
void twin_global_average_pool(twin *t, twin_value *y);
void twin_batch_norm(twin *t, twin_value *y);
void twin_response_norm(twin *t, twin_value *y);
void twin_softmax(twin *t, twin_value *y);
void twin_relu(twin *t, twin_value *y);
void twin_ncrelu(twin *t, twin_value *y);
void twin_elu(twin *t, twin_value *y);
void twin_dropout(twin *t, twin_value *y);
void twin_add(twin *t, twin_value *y);
void twin_concat(twin *t, twin_value *y);
void twin_flatten(twin *t, twin_value *y);

#endif
