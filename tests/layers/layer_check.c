/* SPDX-License-Identifier: MIT */
/* The gradient check; see layer_check.h. First the reference is made with the twin, then every machine is compared. */
#include "layers/layer_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/layer_values.h"

enum { MOST_PORTS = 4, ALL_UP_TO = 240, SAMPLES = 20, DRAWS = 60 };

/* Nearer than this to a kink float may see the other side: a hundred roundings of numbers near 1. */
static const double KINK_MARGIN = 1e-5;
static const double STEP = 1e-5;

/* The gradient of one parameter or input by differences. */
typedef struct expected {
    const char *name; /* of the parameter; NULL for an input */
    size_t count;     /* of the tensor */
    size_t samples;
    size_t *entries;
    double *want; /* NAN: left out */
    double largest;
    double scale;
    float *first_seen; /* what the first machine said of all entries */
} expected;

typedef struct reference {
    const layer_case *c;
    twin *t;
    int64_t n;
    uint64_t seed;
    int32_t input_count, output_count;
    float *inputs[MOST_PORTS];
    float *output_gradients[MOST_PORTS];
    double *outputs[2][MOST_PORTS]; /* by mode */
    double loss;
    double tolerance;
    size_t expected_count;
    expected *all;
} reference;

static const struct machine {
    const char *kernels;
    int32_t threads, strict;
    int64_t spare; /* images that the batch has room for and the forward does not get */
    int32_t input_gradients;
} machines[] = {
    {NULL, 1, 0, 0, 1},        {NULL, 3, 1, 2, 1},        {"scalar", 1, 0, 1, 1},
    {"x86-64-v4", 1, 0, 0, 0}, {"x86-64-v3", 2, 0, 0, 1},
};

/* ---- reference ------------------------------------------------------------------------------- */

static dirac_net *build_net(const layer_case *c, dirac_context *context)
{
    dirac_net *net = NULL;
    if (c->attach)
        c->attach(context);
    OK(dirac_net_create(&net, context));
    c->build(net, c->user);
    OK(dirac_net_build(net));
    layer_fill(net, 7);
    for (const char *const *name = c->untrained; name && *name; name++)
        OK(dirac_net_set_trainable(net, *name, 0));
    return net;
}

static void copy_in(const reference *r)
{
    for (int32_t i = 0; i < r->input_count; i++) {
        twin_value *x = twin_input(r->t, i);
        for (size_t j = 0; j < twin_count(r->t, x); j++)
            x->data[j] = r->inputs[i][j];
    }
}

/* What dropout multiplies by is the library's to choose: it is read off as y / x. That it is 0 or 1 / (1 - rate) is
 * checked here, that it is well drawn in test_gradients_dropout.c. */
static void recover_masks(const reference *r, dirac_net *net)
{
    dirac_session *session = NULL;
    OK(dirac_session_create(&session, net, DIRAC_TRAIN));
    OK(dirac_session_set_batch(session, r->n));
    OK(dirac_session_set_seed(session, r->seed));
    for (int64_t i = 0; i < dirac_net_node_count(net); i++) {
        OK(dirac_session_keep(session, dirac_net_node(net, i)));
    }
    OK(dirac_session_prepare(session));
    OK(dirac_session_forward_inputs(session, (const float *const *)r->inputs, r->input_count,
                                    r->n));
    for (int32_t i = 0; i < r->t->value_count; i++) {
        twin_value *v = &r->t->values[i];
        if (strcmp(dirac_node_kind(v->node), "dropout") != 0)
            continue;
        const float *x, *y;
        const size_t count = twin_count(r->t, twin_read(r->t, v, 0));
        const double kept = 1 / (1 - twin_float(v, "rate"));
        OK(dirac_session_activation(session, dirac_node_input(v->node, 0), &x, NULL));
        OK(dirac_session_activation(session, v->node, &y, NULL));
        double *mask = malloc(count * sizeof *mask);
        assert_non_null(mask);
        for (size_t j = 0; j < count; j++) {
            mask[j] = y[j] != 0 || x[j] == 0 ? kept : 0;
            assert_true(fabs(y[j] - mask[j] * x[j]) <= 3 * 0x1p-24 * fabs(y[j]));
        }
        free((void *)v->mask);
        v->mask = mask;
    }
    dirac_session_destroy(session);
}

static void draw_inputs(reference *r, dirac_net *net, int has_dropout)
{
    const double low = r->c->low < r->c->high ? r->c->low : -1,
                 high = r->c->low < r->c->high ? r->c->high : 1;
    for (r->seed = 1;; r->seed++) {
        if (r->seed > DRAWS)
            fail_msg("%s: no inputs without a near kink; make the case smaller", r->c->what);
        for (int32_t i = 0; i < r->input_count; i++) {
            free(r->inputs[i]);
            r->inputs[i] = layer_random(twin_count(r->t, twin_input(r->t, i)),
                                        r->seed + 100u * (unsigned)i, "input", low, high);
        }
        copy_in(r);
        if (has_dropout) {
            /* Shapes first. */
            twin_forward(r->t, TWIN_TRAIN);
            recover_masks(r, net);
        }
        twin_forward(r->t, TWIN_INFER);
        if (r->t->margin < KINK_MARGIN)
            continue;
        twin_forward(r->t, TWIN_TRAIN);
        if (r->t->margin >= KINK_MARGIN)
            return;
    }
}

static double *copy_output(const twin *t, int32_t index)
{
    const twin_value *y = twin_output(t, index);
    double *copy = malloc(twin_count(t, y) * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, y->data, twin_count(t, y) * sizeof *copy);
    return copy;
}

static double loss_of(const layer_case *c, const twin *t, float *const *output_gradients)
{
    if (c->loss)
        return c->loss(t, c->user);
    double sum = 0;
    for (int32_t i = 0; i < dirac_net_output_count(t->net); i++) {
        const twin_value *y = twin_output(t, i);
        for (size_t j = 0; j < twin_count(t, y); j++)
            sum += output_gradients[i][j] * y->data[j];
    }
    return sum;
}

/* Changes one number and computes: the loss, and the outputs if `outputs` are given. */
static double loss_with(twin *t, const layer_case *c, float *const *output_gradients, double *at,
                        double value, double **outputs)
{
    *at = value;
    twin_forward(t, TWIN_TRAIN);
    for (int32_t i = 0; outputs && i < dirac_net_output_count(t->net); i++)
        outputs[i] = copy_output(t, i);
    return loss_of(c, t, output_gradients);
}

int central_difference(twin *t, const layer_case *c, float *const *output_gradients, double *at,
                       double *gradient, double *size)
{
    const double before = *at;
    const uint64_t choices = t->choices;
    double *upper[MOST_PORTS] = {NULL}, squares = 0;
    const double up = loss_with(t, c, output_gradients, at, before + STEP, upper);
    int smooth = t->choices == choices;
    const double down = loss_with(t, c, output_gradients, at, before - STEP, NULL);
    smooth = smooth && t->choices == choices;
    *at = before;
    t->choices = choices;
    *gradient = (up - down) / (2 * STEP);
    for (int32_t i = 0; i < dirac_net_output_count(t->net); i++) {
        const twin_value *y = twin_output(t, i);
        for (size_t j = 0; !c->loss && j < twin_count(t, y); j++) {
            const double term = output_gradients[i][j] * (upper[i][j] - y->data[j]) / (2 * STEP);
            squares += term * term;
        }
        free(upper[i]);
    }
    *size = fmax(sqrt(squares), fabs(*gradient));
    return smooth;
}

/* A sum of K floats rounds K times, each by at most 2^-24 of the partial sum, which for terms of both signs is of the
 * order of the sums themselves, of which the largest is the scale: one such sum a layer. 64 for the few operations
 * around the sums and for convolution by transformed tiles (F(4x4) multiplies rounding by less than 30). */
double layer_tolerance(const twin *t, const layer_case *c)
{
    return 0x1p-24 * (64 + t->terms) * (c->slack > 0 ? c->slack : 1);
}

static int is_listed(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (name && strcmp(*list, name) == 0)
            return 1;
    return 0;
}

static int is_flat(const layer_case *c, const char *name)
{
    return is_listed(c->flat, name);
}

static int is_idle(const layer_case *c, const char *name)
{
    return is_listed(c->untrained, name) || is_listed(c->idle, name);
}

static void differentiate(reference *r, expected *e, const char *name, double *data, size_t count)
{
    size_t left_out = 0;
    e->name = name;
    e->count = count;
    e->samples = count <= ALL_UP_TO ? count : SAMPLES;
    e->entries = calloc(e->samples, sizeof *e->entries);
    e->want = calloc(e->samples, sizeof *e->want);
    e->first_seen = calloc(count, sizeof *e->first_seen);
    assert_true(e->entries && e->want && e->first_seen);
    for (size_t i = 0; i < e->samples; i++) {
        e->entries[i] = count == e->samples
                            ? i
                            : (size_t)layer_uniform(3, name ? name : "", i, 0, (double)count);
        if (i == 0 || i + 1 == e->samples)
            e->entries[i] = i == 0 ? 0 : count - 1;
        double size;
        if (!central_difference(r->t, r->c, r->output_gradients, &data[e->entries[i]], &e->want[i],
                                &size)) {
            e->want[i] = NAN;
            left_out++;
        } else {
            e->largest = fmax(e->largest, fabs(e->want[i]));
            e->scale = fmax(e->scale, size);
        }
    }
    if (left_out > e->samples / 2)
        fail_msg("%s, %s: kinks leave too little to compare", r->c->what, name ? name : "input");
    if (!is_flat(r->c, name) && !(e->largest > 1e-4))
        fail_msg("%s, %s: gradients too small to show anything", r->c->what, name ? name : "input");
}

static void differentiate_all(reference *r)
{
    twin *t = r->t;
    r->all = calloc((size_t)(t->tensor_count + r->input_count), sizeof *r->all);
    assert_non_null(r->all);
    for (int32_t i = 0; i < t->tensor_count; i++)
        if (t->tensors[i].role == DIRAC_ROLE_TRAINED && !is_idle(r->c, t->tensors[i].name))
            differentiate(r, &r->all[r->expected_count++], t->tensors[i].name, t->tensors[i].data,
                          t->tensors[i].count);
    for (int32_t i = 0; i < r->input_count && !r->c->plain_inputs; i++) {
        twin_value *x = twin_input(t, i);
        differentiate(r, &r->all[r->expected_count++], NULL, x->data, twin_count(t, x));
    }
}

static void make_reference(reference *r, dirac_net *net)
{
    const layer_case *c = r->c;
    int has_dropout = 0;
    r->n = c->n ? c->n : 3;
    r->t = twin_create(net, r->n);
    r->t->custom = c->custom;
    for (const char *const *pair = c->share; pair && *pair; pair += 2)
        twin_share(r->t, pair[0], pair[1]);
    for (int64_t i = 0; i < dirac_net_node_count(net); i++)
        has_dropout |= strcmp(dirac_node_kind(dirac_net_node(net, i)), "dropout") == 0;
    r->input_count = dirac_net_input_count(net);
    r->output_count = dirac_net_output_count(net);
    assert_in_range(r->input_count, 1, MOST_PORTS);
    assert_in_range(r->output_count, 1, MOST_PORTS);
    draw_inputs(r, net, has_dropout);
    for (int32_t i = 0; i < r->output_count; i++) {
        r->output_gradients[i] =
            layer_random(twin_count(r->t, twin_output(r->t, i)), (uint64_t)i, "r", -1, 1);
        r->outputs[TWIN_TRAIN][i] = copy_output(r->t, i);
    }
    r->tolerance = layer_tolerance(r->t, c);
    r->loss = loss_of(c, r->t, r->output_gradients);
    differentiate_all(r);
    twin_forward(r->t, TWIN_INFER);
    for (int32_t i = 0; i < r->output_count; i++)
        r->outputs[TWIN_INFER][i] = copy_output(r->t, i);
    twin_forward_recorded(r->t);
}

static void free_reference(reference *r)
{
    for (size_t i = 0; i < r->expected_count; i++) {
        free(r->all[i].entries);
        free(r->all[i].want);
        free(r->all[i].first_seen);
    }
    free(r->all);
    for (int i = 0; i < MOST_PORTS; i++) {
        free(r->inputs[i]);
        free(r->output_gradients[i]);
        free(r->outputs[0][i]);
        free(r->outputs[1][i]);
    }
    for (int32_t i = 0; i < r->t->value_count; i++)
        free((void *)r->t->values[i].mask);
    twin_destroy(r->t);
}

/* ---- comparison ------------------------------------------------------------------------------ */

static dirac_session *run_session(const reference *r, dirac_net *net, int32_t mode,
                                  const struct machine *m, const char *const *keep)
{
    dirac_session *session = NULL;
    OK(dirac_session_create(&session, net, mode));
    OK(dirac_session_set_batch(session, r->n + m->spare));
    OK(dirac_session_set_seed(session, r->seed));
    OK(dirac_session_set_strict(session, m->strict));
    if (mode == DIRAC_TRAIN)
        OK(dirac_session_set_input_gradients(session, m->input_gradients && !r->c->plain_inputs));
    for (; keep && *keep; keep++)
        OK(dirac_session_keep(session, dirac_net_find(net, *keep)));
    OK(dirac_session_prepare(session));
    OK(dirac_session_forward_inputs(session, (const float *const *)r->inputs, r->input_count,
                                    r->n));
    return session;
}

static void compare_outputs(const reference *r, const dirac_session *session, int mode,
                            const char *part)
{
    for (int32_t i = 0; i < r->output_count; i++) {
        const float *got;
        size_t count;
        const double *want = r->outputs[mode][i];
        OK(dirac_session_output(session, i, &got, &count));
        assert_int_equal(count, twin_count(r->t, twin_output(r->t, i)));
        const double largest = layer_largest(want, count);
        assert_true(largest > 1e-3);
        layer_close(r->c->what, part, got, want, count, r->tolerance * largest);
    }
}

/* Of the nodes that are kept; the twin's last forward is of that mode. */
static void compare_kept(const reference *r, const dirac_net *net, const dirac_session *session)
{
    for (const char *const *name = r->c->keep; name && *name; name++) {
        const float *got;
        size_t count;
        const dirac_node *node = dirac_net_find(net, *name);
        const twin_value *want = NULL;
        for (int32_t i = 0; i < r->t->value_count && !want; i++)
            if (strcmp(dirac_node_name(r->t->values[i].node), *name) == 0)
                want = &r->t->values[i];
        assert_non_null(want);
        OK(dirac_session_activation(session, node, &got, &count));
        assert_int_equal(count, twin_count(r->t, want));
        const double largest = layer_largest(want->data, count);
        assert_true(largest > 1e-3);
        layer_close(r->c->what, *name, got, want->data, count, r->tolerance * largest);
    }
}

static void compare_inference(const reference *r, dirac_net *net, const struct machine *m)
{
    dirac_net *folded = NULL;
    dirac_session *session = run_session(r, net, DIRAC_INFER, m, r->c->keep);
    compare_outputs(r, session, TWIN_INFER, "inference");
    twin_forward(r->t, TWIN_INFER);
    compare_kept(r, net, session);
    dirac_session_destroy(session);
    OK(dirac_net_fold(&folded, net));
    session = run_session(r, folded, DIRAC_INFER, m, NULL);
    compare_outputs(r, session, TWIN_INFER, "folded inference");
    dirac_session_destroy(session);
    dirac_net_destroy(folded);
}

/* A gradient that is 0 by the formula is still a sum of roundings in float, as large as its terms: compared with 1. */
static void compare_gradient(const reference *r, expected *e, const float *got, int first)
{
    const char *part = e->name ? e->name : "input gradient";
    const double tolerance = r->tolerance * (is_flat(r->c, e->name) ? 1 : e->scale);
    for (size_t i = 0; i < e->samples; i++)
        if (!isnan(e->want[i]))
            layer_close(r->c->what, part, &got[e->entries[i]], &e->want[i], 1, tolerance);
    for (size_t i = 0; i < e->count; i++) {
        const double seen = e->first_seen[i];
        /* Samples may have missed the largest entry. */
        if (!first)
            layer_close(r->c->what, "between kernels", &got[i], &seen, 1,
                        2 * fmax(tolerance, r->tolerance * fabs(seen)));
        else
            e->first_seen[i] = got[i];
    }
}

static void compare_gradients(reference *r, dirac_net *net, dirac_session *session, int with_inputs,
                              int first)
{
    int32_t input = 0;
    for (size_t i = 0; i < r->expected_count; i++) {
        expected *e = &r->all[i];
        size_t count = 0;
        if (e->name) {
            float *got = layer_gradient(session, net, e->name, &count);
            assert_int_equal(count, e->count);
            compare_gradient(r, e, got, first);
            free(got);
        } else if (with_inputs) {
            const float *got;
            OK(dirac_session_input_gradient(session, input++, &got, &count));
            assert_int_equal(count, e->count);
            compare_gradient(r, e, got, first);
        }
    }
}

/* Nothing was ever added to what nobody computes. */
static void compare_idle(const reference *r, const dirac_net *net, const dirac_session *session)
{
    for (int32_t i = 0; i < r->t->tensor_count; i++) {
        const twin_tensor *tensor = &r->t->tensors[i];
        if (!is_idle(r->c, tensor->name))
            continue;
        float *got = layer_gradient(session, net, tensor->name, NULL);
        for (size_t j = 0; j < tensor->count; j++)
            if (got[j] != 0)
                fail_msg("%s, %s [%zu]: %.9g, want 0", r->c->what, tensor->name, j, (double)got[j]);
        free(got);
    }
}

static void compare_state(const reference *r, const dirac_net *net)
{
    for (int32_t i = 0; i < r->t->tensor_count; i++) {
        const twin_tensor *tensor = &r->t->tensors[i];
        if (tensor->role != DIRAC_ROLE_STATE)
            continue;
        float *got = layer_read(net, tensor->name, NULL);
        layer_close(r->c->what, tensor->name, got, tensor->pending, tensor->count,
                    r->tolerance * layer_largest(tensor->pending, tensor->count));
        free(got);
    }
}

static void compare_machine(reference *r, const struct machine *m, int first)
{
    dirac_context *context = NULL;
    OK(dirac_context_create(&context));
    const int32_t status = dirac_context_set_kernels(context, m->kernels);
    if (status == DIRAC_ERR_UNSUPPORTED) {
        dirac_context_destroy(context);
        return;
    }
    OK(status);
    OK(dirac_context_set_threads(context, m->threads));
    dirac_net *net = build_net(r->c, context);
    compare_inference(r, net, m);
    dirac_session *session = run_session(r, net, DIRAC_TRAIN, m, r->c->keep);
    compare_outputs(r, session, TWIN_TRAIN, "training");
    twin_forward(r->t, TWIN_TRAIN);
    compare_kept(r, net, session);
    if (r->c->apply)
        r->c->apply(session, r->loss, r->c->user);
    else
        for (int32_t i = 0; i < r->output_count; i++)
            OK(dirac_session_set_output_gradient(session, i, r->output_gradients[i],
                                                 twin_count(r->t, twin_output(r->t, i))));
    OK(dirac_session_backward(session));
    compare_gradients(r, net, session, m->input_gradients && !r->c->plain_inputs, first);
    compare_idle(r, net, session);
    OK(dirac_session_commit_statistics(session));
    compare_state(r, net);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

void check_layer(const layer_case *c)
{
    reference r = {.c = c};
    dirac_context *context = NULL;
    OK(dirac_context_create(&context));
    dirac_net *net = build_net(c, context);
    make_reference(&r, net);
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        compare_machine(&r, &machines[i], i == 0);
    free_reference(&r);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}
