/* SPDX-License-Identifier: MIT */
/* What the tests of the public interface share: checked calls, all numbers of nets, optimizers and sessions as one
 * array that can be compared bit for bit, random numbers, and small data sets. Public headers only. */
#ifndef SUPPORT_NETS_H
#define SUPPORT_NETS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/dirac.h>

/* ---- calls ---- */

#define ok(call) check_status((call), DIRAC_OK, #call, __FILE__, __LINE__)
#define refused(call, status) check_status((call), (status), #call, __FILE__, __LINE__)
#define message_has(part) check_text(dirac_error_message(), (part), __FILE__, __LINE__)

static inline void check_status(int32_t got, int32_t want, const char *call, const char *file, int line)
{
    if (got == want)
        return;
    print_error("%s: %s, not %s: %s\n", call, dirac_status_name(got), dirac_status_name(want),
                dirac_error_message());
    _fail(file, line);
}

static inline void check_text(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part) != NULL)
        return;
    print_error("\"%s\" is not in \"%s\"\n", part, text);
    _fail(file, line);
}

static inline dirac_net *new_net(dirac_context *owner)
{
    dirac_net *net;
    ok(dirac_net_create(&net, owner));
    return net;
}

/* ---- numbers ---- */

/* Uniform in [low, high), a function of (seed, index): the mixing function of splitmix64. */
static inline float uniform(uint64_t seed, uint64_t index, double low, double high)
{
    uint64_t z = (seed + 1) * 0xD1342543DE82EF95u + (index + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (float)(low + (high - low) * (double)(z >> 11) * 0x1p-53);
}

/* Numbers gathered one after the other. Release with free(list.at). */
typedef struct floats {
    float *at;
    size_t count;
} floats;

static inline float *append(floats *list, size_t count)
{
    list->at = realloc(list->at, (list->count + count + 1) * sizeof *list->at);
    assert_non_null(list->at);
    list->count += count;
    return list->at + list->count - count;
}

static inline void append_copy(floats *list, const float *values, size_t count)
{
    float *to = append(list, count);
    if (count > 0)
        memcpy(to, values, count * sizeof *values);
}

static inline floats random_numbers(size_t count, uint64_t seed, double low, double high)
{
    floats list = {NULL, 0};
    float *x = append(&list, count);
    for (size_t i = 0; i < count; i++)
        x[i] = uniform(seed, i, low, high);
    return list;
}

/* Fails the test unless both hold the same bits. */
#define same_bits(what, a, b) check_same_bits((what), (a), (b), __FILE__, __LINE__)

static inline void check_same_bits(const char *what, floats a, floats b, const char *file, int line)
{
    if (a.count == b.count && memcmp(a.at, b.at, a.count * sizeof *a.at) == 0)
        return;
    print_error("%s: %zu and %zu numbers", what, a.count, b.count);
    for (size_t i = 0; i < a.count && i < b.count; i++)
        if (memcmp(&a.at[i], &b.at[i], sizeof a.at[i]) != 0) {
            print_error(", first different at %zu: %.9g and %.9g", i, (double)a.at[i], (double)b.at[i]);
            break;
        }
    print_error("\n");
    _fail(file, line);
}

static inline void drop_floats(floats *list)
{
    free(list->at);
    *list = (floats){NULL, 0};
}

/* ---- nets ---- */

static inline size_t tensor_elements(const dirac_net *net, const char *name)
{
    int64_t dims[DIRAC_MAX_RANK];
    int32_t rank;
    size_t count = 1;
    ok(dirac_net_tensor_shape(net, name, dims, &rank, NULL));
    for (int32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    return count;
}

static inline int is_trained(const dirac_net *net, const char *name)
{
    int64_t dims[DIRAC_MAX_RANK];
    int32_t role;
    ok(dirac_net_tensor_shape(net, name, dims, NULL, &role));
    return role == DIRAC_ROLE_TRAINED;
}

static inline void append_tensor(floats *list, const dirac_net *net, const char *name)
{
    const size_t count = tensor_elements(net, name);
    ok(dirac_net_tensor_read(net, name, append(list, count), count));
}

/* Parameters and state. */
static inline void append_net(floats *list, const dirac_net *net)
{
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++)
        append_tensor(list, net, dirac_net_tensor_name(net, i));
}

static inline void append_momentum(floats *list, const dirac_sgd *sgd, const dirac_net *net)
{
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *name = dirac_net_tensor_name(net, i);
        const size_t count = tensor_elements(net, name);
        if (is_trained(net, name))
            ok(dirac_sgd_momentum_read(sgd, name, append(list, count), count));
    }
}

static inline void append_gradients(floats *list, dirac_session *session)
{
    float *values;
    size_t count;
    ok(dirac_session_gradients(session, &values, &count));
    append_copy(list, values, count);
}

/* Output 0 of the last forward. */
static inline void append_output(floats *list, const dirac_session *session)
{
    const float *values;
    size_t count;
    ok(dirac_session_output(session, 0, &values, &count));
    append_copy(list, values, count);
}

static inline dirac_session *open_session(dirac_net *net, int32_t mode, int64_t batch)
{
    dirac_session *session;
    ok(dirac_session_create(&session, net, mode));
    ok(dirac_session_set_batch(session, batch));
    ok(dirac_session_prepare(session));
    return session;
}

/* Values of one image of input 0. */
static inline size_t image_floats(const dirac_net *net)
{
    int64_t dims[4];
    int32_t rank;
    size_t count = 1;
    ok(dirac_node_shape(dirac_net_input_node(net, 0), dims, &rank));
    for (int32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    return count;
}

/* What a net of one input answers to n random images, at inference. */
static inline void append_logits(floats *list, dirac_net *net, int64_t n, uint64_t seed)
{
    dirac_session *session = open_session(net, DIRAC_INFER, n);
    floats images = random_numbers((size_t)n * image_floats(net), seed, -1, 1);
    ok(dirac_session_forward(session, images.at, n));
    append_output(list, session);
    drop_floats(&images);
    dirac_session_destroy(session);
}

static inline int is_shared(const dirac_net *net, const dirac_node *node)
{
    char name[256];
    int64_t dims[DIRAC_MAX_RANK];
    snprintf(name, sizeof name, "%s.weight", dirac_node_name(node));
    return dirac_net_tensor_shape(net, name, dims, NULL, NULL) != DIRAC_OK; /* it uses another's */
}

/* Gives batch norms biases in [-0.5, 0.5) and weights of size [0.5, 1.5), one in `one_in` negative. */
static inline void stir_batch_norms(dirac_net *net, uint64_t seed, size_t one_in)
{
    size_t channel = 0;
    for (int64_t i = 0; i < dirac_net_node_count(net); i++) {
        const char *node = dirac_node_name(dirac_net_node(net, i));
        char name[256];
        if (strcmp(dirac_node_kind(dirac_net_node(net, i)), "batch_norm") != 0 || is_shared(net, dirac_net_node(net, i)))
            continue;
        for (int bias = 0; bias < 2; bias++) {
            snprintf(name, sizeof name, "%s.%s", node, bias ? "bias" : "weight");
            floats x = random_numbers(tensor_elements(net, name), seed + (uint64_t)i, bias ? -0.5 : 0.5,
                                      bias ? 0.5 : 1.5);
            for (size_t j = 0; j < x.count && !bias; j++)
                if (++channel % one_in == 0)
                    x.at[j] = -x.at[j];
            ok(dirac_net_tensor_write(net, name, x.at, x.count));
            drop_floats(&x);
        }
    }
}

/* Sums of images of 2 channels and `size` x `size`, by `outputs` classes. */
static inline dirac_net *net_of_images(dirac_context *context, int64_t size, int64_t outputs)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 2, size, size), 3, 1);
    dirac_net_output(net, dirac_net_linear(net, dirac_net_global_average_pool(net, dirac_net_relu(net, x)), outputs));
    ok(dirac_net_build(net));
    return net;
}

/* The sum of two images of 2 channels and 4x4, by 3 classes. */
static inline dirac_net *net_of_two_inputs(dirac_context *context)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *a = dirac_net_input2d(net, 2, 4, 4), *b = dirac_net_input2d(net, 2, 4, 4);
    dirac_net_output(net, dirac_net_linear(net, dirac_net_global_average_pool(net, dirac_net_add(net, a, b)), 3));
    ok(dirac_net_build(net));
    return net;
}

/* ---- data ---- */

/* `count` byte images of `classes` classes: noise, and a pattern of the class on top. */
static inline dirac_dataset *make_dataset(dirac_context *context, int32_t count, int64_t channels, int64_t size,
                                          int32_t classes)
{
    dirac_dataset *set;
    const size_t pixels = (size_t)(channels * size * size);
    uint8_t *image = malloc(pixels);
    assert_non_null(image);
    ok(dirac_dataset_create_images(&set, context, channels, size, size));
    for (int32_t i = 0; i < count; i++) {
        const int32_t label = i % classes;
        for (size_t j = 0; j < pixels; j++) {
            const double pattern = (double)uniform((uint64_t)label, j, 0, 160);
            image[j] = (uint8_t)(pattern + (double)uniform(1000 + (uint64_t)i, j, 0, 90));
        }
        ok(dirac_dataset_add_images(set, image, DIRAC_LAYOUT_PLANAR, &label, 1));
    }
    free(image);
    return set;
}

#endif
