/* SPDX-License-Identifier: MIT */
/* What every fold must keep: folded weights are compared with the formula in double, names, kinds and which batch norms
 * are gone with what the graph says, outputs with those of the net before. Public headers only. */
#ifndef SUPPORT_FOLDING_H
#define SUPPORT_FOLDING_H

#include "support/nets.h"

/* ---- which batch norms must go, from what can be seen of the graph ---- */

static inline int is_kind(const dirac_node *node, const char *kind)
{
    return strcmp(dirac_node_kind(node), kind) == 0;
}

static inline int has_weights(const dirac_node *node)
{
    return is_kind(node, "conv") || is_kind(node, "linear");
}

/* The batch norm that a layer with weights takes in, or NULL. `owner_of_others`: a name whose weight is shared. */
static inline dirac_node *taken_in(const dirac_net *net, const dirac_node *node, const char *owner_of_others)
{
    dirac_node *reader = NULL;
    int readers = 0;
    if (!has_weights(node) || is_shared(net, node) ||
        (owner_of_others != NULL && strcmp(owner_of_others, dirac_node_name(node)) == 0))
        return NULL;
    for (int64_t i = 0; i < dirac_net_node_count(net); i++)
        for (int32_t j = 0; j < dirac_node_input_count(dirac_net_node(net, i)); j++)
            if (dirac_node_input(dirac_net_node(net, i), j) == node) {
                reader = dirac_net_node(net, i);
                readers++;
            }
    for (int32_t i = 0; i < dirac_net_output_count(net); i++)
        readers += dirac_net_output_node(net, i) == node;
    return readers == 1 && is_kind(reader, "batch_norm") ? reader : NULL;
}

/* ---- the formula, in double ---- */

/* A tensor of a node; no numbers if there is none. */
static inline floats read_of(const dirac_net *net, const dirac_node *node, const char *tensor)
{
    char name[256];
    int64_t dims[DIRAC_MAX_RANK];
    floats x = {NULL, 0};
    snprintf(name, sizeof name, "%s.%s", dirac_node_name(node), tensor);
    if (dirac_net_tensor_shape(net, name, dims, NULL, NULL) == DIRAC_OK)
        append_tensor(&x, net, name);
    return x;
}

/* Where filter `o` has the identity's one among its `per` weights, or -1. */
static inline int64_t delta_at(const dirac_net *net, const dirac_node *node, int64_t o)
{
    char name[256];
    int64_t dims[DIRAC_MAX_RANK], groups = 1, at;
    int32_t rank;
    snprintf(name, sizeof name, "%s.weight", dirac_node_name(node));
    ok(dirac_net_tensor_shape(net, name, dims, &rank, NULL));
    if (is_kind(node, "conv"))
        ok(dirac_node_get_int(node, "groups", &groups));
    at = o % (dims[0] / groups);
    if (at >= dims[1])
        return -1;
    for (int32_t i = 2; i < rank; i++)
        at = at * dims[i] + dims[i] / 2;
    return at;
}

/* W' = s What and b' = beta + s (bias - mean) of one layer, as it should be in the folded net. */
static inline void check_layer(const dirac_net *net, const dirac_net *folded, const dirac_node *node,
                               const dirac_node *norm)
{
    const dirac_node *to = dirac_net_find(folded, dirac_node_name(node));
    assert_non_null(to);
    floats w = read_of(net, node, "weight"), bias = read_of(net, node, "bias"), alpha = read_of(net, node, "alpha");
    floats beta = read_of(net, node, "beta"), got = read_of(folded, to, "weight"), b = read_of(folded, to, "bias");
    floats of[4] = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    static const char *const parts[4] = {"weight", "bias", "running_mean", "running_var"};
    int64_t dims[4], form;
    double epsilon = 0;
    int32_t rank;
    for (int i = 0; i < 4 && norm != NULL; i++)
        of[i] = read_of(net, norm, parts[i]);
    if (norm != NULL)
        ok(dirac_node_get_float(norm, "epsilon", &epsilon));
    ok(dirac_node_get_int(node, "form", &form));
    ok(dirac_node_shape(node, dims, &rank));
    const size_t filters = (size_t)dims[0], per = w.count / filters;
    assert_int_equal(got.count, w.count);
    assert_int_equal(b.count, norm != NULL || bias.count > 0 ? filters : 0);
    for (size_t o = 0; o < filters; o++) {
        const double s = norm == NULL ? 1 : (double)of[0].at[o] / sqrt((double)of[3].at[o] + epsilon);
        const int64_t one = form == DIRAC_FORM_PLAIN ? -1 : delta_at(net, node, (int64_t)o);
        double squares = 0;
        for (size_t i = 0; i < per; i++)
            squares += (double)w.at[o * per + i] * (double)w.at[o * per + i];
        for (size_t i = 0; i < per; i++) {
            double what = (double)w.at[o * per + i];
            if (form == DIRAC_FORM_NORMALIZED_DELTA)
                what *= (double)beta.at[o] / fmax(sqrt(squares), 1e-12);
            if ((int64_t)i == one)
                what += alpha.count > 0 ? (double)alpha.at[o] : 1;
            /* computed in double, rounded once */
            if (!(fabs((double)got.at[o * per + i] - s * what) <= fabs(s * what) * 0x1.01p-24 + 1e-45))
                fail_msg("%s: weight %zu of filter %zu is %.9g, not %.12g", dirac_node_name(node), i, o,
                         (double)got.at[o * per + i], s * what);
        }
        if (b.count == 0)
            continue;
        const double old = bias.count > 0 ? (double)bias.at[o] : 0;
        const double want = norm == NULL ? old : (double)of[1].at[o] + s * (old - (double)of[2].at[o]);
        assert_true(fabs((double)b.at[o] - want) <= fabs(want) * 0x1.01p-24 + 1e-14);
    }
    floats *const lists[] = {&w, &bias, &alpha, &beta, &got, &b, &of[0], &of[1], &of[2], &of[3]};
    for (size_t i = 0; i < 10; i++)
        drop_floats(lists[i]);
}

/* Names and kinds stay; the right batch norms are gone, with every weight form; weights are what the formula says. */
static inline void check_graph(const dirac_net *net, const dirac_net *folded, const char *owner_of_others)
{
    int64_t gone = 0, form;
    for (int64_t i = 0; i < dirac_net_node_count(net); i++) {
        const dirac_node *node = dirac_net_node(net, i);
        const dirac_node *norm = taken_in(net, node, owner_of_others);
        gone += norm != NULL;
        if (norm != NULL)
            assert_null(dirac_net_find(folded, dirac_node_name(norm)));
        if (has_weights(node) && !is_shared(net, node))
            check_layer(net, folded, node, norm);
    }
    assert_int_equal(dirac_net_node_count(folded), dirac_net_node_count(net) - gone);
    for (int64_t i = 0; i < dirac_net_node_count(folded); i++) {
        const dirac_node *node = dirac_net_node(folded, i);
        const dirac_node *before = dirac_net_find(net, dirac_node_name(node));
        assert_non_null(before);
        assert_string_equal(dirac_node_kind(node), dirac_node_kind(before));
        if (has_weights(node)) {
            ok(dirac_node_get_int(node, "form", &form));
            assert_int_equal(form, DIRAC_FORM_PLAIN);
        }
    }
}

/* ---- the logits ---- */

static inline floats outputs_of(dirac_net *net, const floats *images, int64_t n)
{
    floats all = {NULL, 0};
    dirac_session *session;
    ok(dirac_session_create(&session, net, DIRAC_INFER));
    ok(dirac_session_set_batch(session, n));
    ok(dirac_session_prepare(session));
    ok(dirac_session_forward(session, images->at, n));
    for (int32_t i = 0; i < dirac_net_output_count(net); i++) {
        const float *values;
        size_t count;
        ok(dirac_session_output(session, i, &values, &count));
        append_copy(&all, values, count);
    }
    dirac_session_destroy(session);
    return all;
}

static inline double largest_of(const floats *x)
{
    double largest = 0;
    for (size_t i = 0; i < x->count; i++) {
        assert_true(isfinite(x->at[i]));
        const double size = fabs((double)x->at[i]);
        largest = size > largest ? size : largest; /* not fmax(): GCC 12 for arm64 falls over it */
    }
    return largest;
}

static inline double distance(const floats *a, const floats *b)
{
    double most = 0;
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const double off = fabs((double)a->at[i] - (double)b->at[i]);
        most = off > most ? off : most;
    }
    return most;
}

typedef struct comparison {
    int64_t layers;
    double worst; /* relative to the layer's largest */
    char node[128];
} comparison;

static inline void note_layer(void *user, const char *node, double difference, double largest)
{
    comparison *c = user;
    c->layers++;
    if (!(difference <= c->worst * largest)) {
        c->worst = difference / largest;
        snprintf(c->node, sizeof c->node, "%s", node);
    }
}

/* Folds a net and checks all that is promised. Returns the folded net. */
static inline dirac_net *check_fold(const char *what, dirac_net *net, floats images, double bound,
                                    const char *owner_of_others)
{
    const int64_t n = (int64_t)(images.count / image_floats(net));
    floats values = {NULL, 0}, now = {NULL, 0};
    floats before = outputs_of(net, &images, n);
    const uint64_t version = dirac_net_version(net);
    const int64_t nodes = dirac_net_node_count(net);
    dirac_net *folded;
    append_net(&values, net);
    ok(dirac_net_fold(&folded, net));
    append_net(&now, net);
    same_bits("the net that was folded", values, now);
    assert_true(dirac_net_version(net) == version && dirac_net_node_count(net) == nodes);
    floats again = outputs_of(net, &images, n), after = outputs_of(folded, &images, n);
    same_bits("its outputs", before, again);
    check_graph(net, folded, owner_of_others);

    const double largest = largest_of(&before), difference = distance(&before, &after);
    double reported;
    comparison c = {0};
    if (!(largest > 1e-3 && difference <= bound * largest))
        fail_msg("%s: folded outputs are off by %.3g of the largest, %.3g", what, difference / largest, largest);
    ok(dirac_net_compare(net, folded, images.at, n, note_layer, &c, &reported));
    if (!(fabs(reported - difference) <= bound * largest / 10))
        fail_msg("%s: dirac_net_compare() reports %.3g, the sessions differ by %.3g", what, reported, difference);
    assert_int_equal(c.layers, dirac_net_node_count(folded));
    if (!(c.worst <= 100 * bound)) /* a channel of tiny variance is far off, and weighs little later */
        fail_msg("%s: layer %s is off by %.3g of its largest", what, c.node, c.worst);
    floats *const lists[] = {&values, &now, &before, &again, &after};
    for (size_t i = 0; i < 5; i++)
        drop_floats(lists[i]);
    return folded;
}

#endif
