/* SPDX-License-Identifier: MIT */
/*
 * The optimizer against a twin in double: each rule of sgd.h written down from its formula, with the rounding errors of
 * float carried along as a bound. Gradients are put into the session's array, so that only the step is under test.
 */
#include "support/test_context.h"

#define ROUNDING 0x1p-24 /* the largest relative error of one rounding to float */

static const double pi = 3.14159265358979323846;
enum { STEPS = 9, BATCH = 4 };

/* Every kind of parameter: weights in plain and eq. 5 form, biases, alpha, beta, batch norm. */
static dirac_net *make_net(void)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 3, 7, 7), 5, 3);
    dirac_node_set_name(x, "stem");
    dirac_node_set_int(x, "bias", 1);
    x = dirac_net_batch_norm(net, x);
    dirac_node_set_name(x, "norm");
    x = dirac_net_dirac_conv2d(net, dirac_net_relu(net, x), 6, 3);
    dirac_node_set_name(x, "dirac");
    x = dirac_net_linear(net, dirac_net_global_average_pool(net, dirac_net_relu(net, x)), 4);
    dirac_node_set_name(x, "head");
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    return net;
}

/* ---- the twin ---- */

/* One rule of each kind; what is 0 or NULL is off. */
typedef struct rule {
    const char *name;
    float momentum, decay, clip;
    int32_t nesterov;
    void (*set)(dirac_sgd *sgd, dirac_net *net);                      /* further settings */
    double (*rate)(int64_t step);                                     /* NULL: 0.1 */
    int (*restarts)(int64_t step);                                    /* before this step */
    void (*override)(const char *tensor, double *decay, double *factor);
    int (*untrained)(const char *tensor);
} rule;

typedef struct twin {
    const char *name;
    size_t count, offset; /* in the array of gradients */
    int decays, trained;
    double *p, *v;        /* value and momentum */
    double *ep, *ev;      /* how far the library's may be off */
} twin;

enum { MOST = 16 };

typedef struct world {
    dirac_net *net;
    dirac_session *session;
    dirac_sgd *sgd;
    twin twins[MOST];
    int n_twins;
    size_t n_gradients;
} world;

static double *zeros(size_t count)
{
    double *x = calloc(count, sizeof *x);
    assert_non_null(x);
    return x;
}

static void open_twins(world *w, const rule *r)
{
    for (int64_t i = 0; i < dirac_net_tensor_count(w->net); i++) {
        const char *name = dirac_net_tensor_name(w->net, i);
        int64_t dims[DIRAC_MAX_RANK];
        int32_t rank, role;
        ok(dirac_net_tensor_shape(w->net, name, dims, &rank, &role));
        if (role != DIRAC_ROLE_TRAINED)
            continue;
        assert_true(w->n_twins < MOST);
        twin *t = &w->twins[w->n_twins++];
        *t = (twin){.name = name, .count = tensor_elements(w->net, name), .offset = w->n_gradients, .decays = rank > 1};
        t->trained = r->untrained == NULL || !r->untrained(name);
        t->p = zeros(t->count);
        t->v = zeros(t->count);
        t->ep = zeros(t->count);
        t->ev = zeros(t->count);
        w->n_gradients += t->count;
        floats now = {NULL, 0};
        append_tensor(&now, w->net, name);
        for (size_t j = 0; j < t->count; j++)
            t->p[j] = (double)now.at[j];
        drop_floats(&now);
    }
}

/* d = g + decay p; v = momentum v + d; p -= rate v, or Nesterov's rate (d + momentum v); g already scaled, with a
 * relative error of `eg`. Each line's bound is what its inputs are off by, plus one rounding an operation. */
static void twin_step(twin *t, const rule *r, const float *gradient, double scale, double rate, double decay)
{
    const double mu = (double)r->momentum, u = ROUNDING;
    const double eg = scale == 1 ? 0 : 3 * u; /* of scale as a float, and of the product */
    for (size_t j = 0; j < t->count; j++) {
        const double g = scale * (double)gradient[t->offset + j];
        const double d = g + decay * t->p[j];
        const double ed = fabs(g) * eg + decay * t->ep[j] + u * (fabs(decay * t->p[j]) + fabs(d));
        const double v = mu * t->v[j] + d;
        const double ev = mu * t->ev[j] + ed + u * (fabs(mu * t->v[j]) + fabs(v));
        const double q = r->nesterov ? d + mu * v : v;
        const double eq = r->nesterov ? ed + mu * ev + u * (fabs(mu * v) + fabs(q)) : ev;
        t->p[j] -= rate * q;
        t->ep[j] += rate * eq + u * (3 * fabs(rate * q) + fabs(t->p[j])); /* rate as a float, product, difference */
        t->v[j] = v;
        t->ev[j] = ev;
    }
}

static double twin_norm(const world *w, const float *gradient)
{
    double squares = 0;
    for (int i = 0; i < w->n_twins; i++)
        for (size_t j = 0; j < w->twins[i].count && w->twins[i].trained; j++) {
            const double g = (double)gradient[w->twins[i].offset + j];
            squares += g * g;
        }
    return sqrt(squares);
}

static void twins_step(world *w, const rule *r, const float *gradient, int64_t step)
{
    const double norm = twin_norm(w, gradient), clip = (double)r->clip;
    const double scale = clip > 0 && norm > clip ? clip / norm : 1;
    for (int i = 0; i < w->n_twins; i++) {
        twin *t = &w->twins[i];
        double decay = t->decays ? (double)r->decay : 0, factor = 1;
        if (!t->trained)
            continue;
        if (r->override != NULL)
            r->override(t->name, &decay, &factor);
        for (size_t j = 0; r->restarts != NULL && r->restarts(step) && j < t->count; j++)
            t->v[j] = t->ev[j] = 0;
        twin_step(t, r, gradient, scale, factor * (r->rate != NULL ? r->rate(step) : (double)0.1f), decay);
    }
}

static void compare(const rule *r, const char *what, const twin *t, const floats *got, const double *want,
                    const double *bound)
{
    for (size_t j = 0; j < t->count; j++)
        if (!(fabs((double)got->at[j] - want[j]) <= bound[j]))
            fail_msg("%s: %s of %s at %zu is %.9g, not %.12g +- %.2g", r->name, what, t->name, j, (double)got->at[j],
                     want[j], bound[j]);
}

static void compare_twins(const world *w, const rule *r)
{
    for (int i = 0; i < w->n_twins; i++) {
        const twin *t = &w->twins[i];
        floats p = {NULL, 0}, v = {NULL, 0};
        append_tensor(&p, w->net, t->name);
        ok(dirac_sgd_momentum_read(w->sgd, t->name, append(&v, t->count), t->count));
        compare(r, "value", t, &p, t->p, t->ep);
        compare(r, "momentum", t, &v, t->v, t->ev);
        drop_floats(&p);
        drop_floats(&v);
    }
}

/* ---- a run ---- */

static void open_world(world *w, const rule *r)
{
    *w = (world){.net = make_net()};
    for (int64_t i = 0; i < dirac_net_tensor_count(w->net); i++)
        if (r->untrained != NULL && r->untrained(dirac_net_tensor_name(w->net, i)))
            ok(dirac_net_set_trainable(w->net, dirac_net_tensor_name(w->net, i), 0));
    open_twins(w, r);
    w->session = open_session(w->net, DIRAC_TRAIN, BATCH);
    ok(dirac_sgd_create(&w->sgd, w->net));
    ok(dirac_sgd_set_momentum(w->sgd, r->momentum));
    ok(dirac_sgd_set_nesterov(w->sgd, r->nesterov));
    ok(dirac_sgd_set_weight_decay(w->sgd, r->decay));
    ok(dirac_sgd_set_clip_norm(w->sgd, r->clip));
    if (r->set != NULL)
        r->set(w->sgd, w->net);
}

static void close_world(world *w)
{
    for (int i = 0; i < w->n_twins; i++) {
        free(w->twins[i].p);
        free(w->twins[i].v);
        free(w->twins[i].ep);
        free(w->twins[i].ev);
    }
    dirac_sgd_destroy(w->sgd);
    dirac_session_destroy(w->session);
    dirac_net_destroy(w->net);
}

/* A forward and a backward, after which the session's gradients are replaced by random ones. */
static const float *put_gradients(world *w, uint64_t seed, double size)
{
    floats images = random_numbers(BATCH * image_floats(w->net), seed, -1, 1);
    const int32_t labels[BATCH] = {0, 3, 1, 2};
    float *gradients;
    size_t count;
    ok(dirac_session_forward(w->session, images.at, BATCH));
    ok(dirac_session_cross_entropy(w->session, labels, NULL));
    ok(dirac_session_backward(w->session));
    ok(dirac_session_gradients(w->session, &gradients, &count));
    assert_int_equal(count, w->n_gradients);
    for (size_t i = 0; i < count; i++)
        gradients[i] = uniform(seed + 100, i, -size, size);
    for (int i = 0; i < w->n_twins; i++) { /* the order of the array is that of the tensors */
        floats one = {NULL, 0};
        ok(dirac_session_gradient_read(w->session, w->twins[i].name, append(&one, w->twins[i].count),
                                       w->twins[i].count));
        assert_memory_equal(one.at, gradients + w->twins[i].offset, one.count * sizeof(float));
        drop_floats(&one);
    }
    drop_floats(&images);
    return gradients;
}

static void follow(const rule *r)
{
    world w;
    open_world(&w, r);
    for (int64_t step = 0; step < STEPS; step++) {
        float rate;
        int64_t taken;
        const double want = r->rate != NULL ? r->rate(step) : (double)0.1f;
        ok(dirac_sgd_learning_rate(w.sgd, &rate));
        assert_true(fabs((double)rate - want) <= 2 * ROUNDING * want);
        const float *gradients = put_gradients(&w, (uint64_t)step, 0.5 + (double)step / 4);
        twins_step(&w, r, gradients, step);
        ok(dirac_sgd_step(w.sgd, w.session));
        compare_twins(&w, r);
        for (size_t i = 0; i < w.n_gradients; i++)
            assert_true(gradients[i] == 0);
        ok(dirac_sgd_steps(w.sgd, &taken));
        assert_int_equal(taken, step + 1);
        refused(dirac_sgd_step(w.sgd, w.session), DIRAC_ERR_STATE); /* there is no new gradient */
    }
    close_world(&w);
}

/* ---- rules ---- */

static void per_parameter(dirac_sgd *sgd, dirac_net *net)
{
    (void)net;
    ok(dirac_sgd_set_parameter_decay(sgd, "*.alpha", 0.25f));
    ok(dirac_sgd_set_parameter_decay(sgd, "stem.*", 0.5f));
    ok(dirac_sgd_set_parameter_decay(sgd, "stem.weight", 0.0f)); /* later calls win */
    ok(dirac_sgd_set_parameter_rate(sgd, "*.bias", 2.0f));
    ok(dirac_sgd_set_parameter_rate(sgd, "head.bias", 0.0f));
    ok(dirac_sgd_set_parameter_rate(sgd, "dirac.weight", 0.5f));
    refused(dirac_sgd_set_parameter_rate(sgd, "nobody*", 1.0f), DIRAC_ERR_NOT_FOUND);
    refused(dirac_sgd_set_parameter_decay(sgd, "norm.running_mean", 1.0f), DIRAC_ERR_NOT_FOUND);
}

static void per_parameter_twin(const char *name, double *decay, double *factor)
{
    if (strcmp(name, "dirac.alpha") == 0)
        *decay = 0.25;
    if (strcmp(name, "stem.bias") == 0)
        *decay = 0.5;
    if (strcmp(name, "stem.weight") == 0)
        *decay = 0;
    if (strcmp(name, "stem.bias") == 0 || strcmp(name, "norm.bias") == 0)
        *factor = 2;
    if (strcmp(name, "head.bias") == 0)
        *factor = 0;
    if (strcmp(name, "dirac.weight") == 0)
        *factor = 0.5;
}

static const int64_t drops[3] = {0, 3, 7};

static void set_drops(dirac_sgd *sgd, dirac_net *net)
{
    (void)net;
    ok(dirac_sgd_schedule_cosine(sgd, 5, 0.0f)); /* replaced by the next */
    ok(dirac_sgd_schedule_drops(sgd, drops, 3, 0.2f, 0));
}

static void set_restarting_drops(dirac_sgd *sgd, dirac_net *net)
{
    (void)net;
    ok(dirac_sgd_schedule_drops(sgd, drops, 3, 0.2f, 1));
}

static double dropped_rate(int64_t step)
{
    return (double)0.1f * pow((double)0.2f, step >= 7 ? 3 : step >= 3 ? 2 : 1);
}

static int at_drop(int64_t step)
{
    return step == 0 || step == 3 || step == 7;
}

static void set_cosine(dirac_sgd *sgd, dirac_net *net)
{
    (void)net;
    ok(dirac_sgd_set_learning_rate(sgd, 0.3f));
    ok(dirac_sgd_schedule_drops(sgd, drops, 3, 0.2f, 1));
    ok(dirac_sgd_schedule_cosine(sgd, 7, 0.01f));
}

static double cosine_rate(int64_t step)
{
    const double rate = (double)0.3f, last = (double)0.01f;
    return step >= 7 ? last : last + (rate - last) * (1 + cos(pi * (double)step / 7)) / 2;
}

static void set_warm_cosine(dirac_sgd *sgd, dirac_net *net)
{
    ok(dirac_sgd_schedule_warmup(sgd, 4, 0.25f));
    set_cosine(sgd, net);
}

static double warm_cosine_rate(int64_t step)
{
    return cosine_rate(step) * (step < 4 ? 0.25 + 0.75 * (double)step / 4 : 1);
}

static void set_warm_drops(dirac_sgd *sgd, dirac_net *net)
{
    set_restarting_drops(sgd, net);
    ok(dirac_sgd_schedule_warmup(sgd, 5, 0.0f));
}

static double warm_dropped_rate(int64_t step)
{
    return dropped_rate(step) * (step < 5 ? (double)step / 5 : 1);
}

static int some_untrained(const char *name)
{
    return strcmp(name, "dirac.alpha") == 0 || strcmp(name, "stem.weight") == 0 || strcmp(name, "norm.bias") == 0;
}

static void test_rules(void **state)
{
    (void)state;
    static const rule rules[] = {
        {.name = "plain"},
        {.name = "momentum", .momentum = 0.9f},
        {.name = "nesterov", .momentum = 0.9f, .nesterov = 1},
        {.name = "decay", .momentum = 0.5f, .decay = 0.125f},
        {.name = "decay, nesterov", .momentum = 0.9f, .decay = 5e-4f, .nesterov = 1},
        {.name = "per parameter", .momentum = 0.9f, .decay = 0.1f, .set = per_parameter,
         .override = per_parameter_twin},
        {.name = "clip", .momentum = 0.9f, .decay = 0.01f, .clip = 1.0f},
        {.name = "clip that never happens", .clip = 1e6f},
        {.name = "drops", .momentum = 0.9f, .set = set_drops, .rate = dropped_rate},
        {.name = "drops that restart", .momentum = 0.9f, .nesterov = 1, .set = set_restarting_drops,
         .rate = dropped_rate, .restarts = at_drop},
        {.name = "cosine", .momentum = 0.9f, .set = set_cosine, .rate = cosine_rate},
        {.name = "warm-up, cosine", .momentum = 0.9f, .set = set_warm_cosine, .rate = warm_cosine_rate},
        {.name = "warm-up, drops", .momentum = 0.9f, .set = set_warm_drops, .rate = warm_dropped_rate,
         .restarts = at_drop},
        {.name = "untrained", .momentum = 0.9f, .decay = 0.1f, .clip = 2.0f, .untrained = some_untrained},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        follow(&rules[i]);
}

/* ---- what a step leaves alone ---- */

static void test_untrainable(void **state)
{
    (void)state;
    const rule r = {.name = "untrainable", .momentum = 0.9f, .decay = 0.1f, .clip = 2.0f, .untrained = some_untrained};
    world w;
    open_world(&w, &r);
    floats before = {NULL, 0}, after = {NULL, 0};
    append_tensor(&before, w.net, "dirac.alpha");
    append_tensor(&before, w.net, "stem.weight");
    for (int step = 0; step < 2; step++) {
        float *gradients = (float *)put_gradients(&w, 1, 1);
        for (int i = 0; i < w.n_twins; i++) /* what stands in their places does not matter, not even to the clipping */
            for (size_t j = 0; j < w.twins[i].count && !w.twins[i].trained; j++)
                gradients[w.twins[i].offset + j] = NAN;
        twins_step(&w, &r, gradients, step);
        ok(dirac_sgd_step(w.sgd, w.session));
        compare_twins(&w, &r);
    }
    append_tensor(&after, w.net, "dirac.alpha");
    append_tensor(&after, w.net, "stem.weight");
    same_bits("untrainable parameters", before, after);
    put_gradients(&w, 2, 1);
    ok(dirac_net_set_trainable(w.net, "*.alpha", 1)); /* the session was prepared without it */
    refused(dirac_sgd_step(w.sgd, w.session), DIRAC_ERR_STATE);
    message_has("dirac.alpha");
    refused(dirac_net_set_trainable(w.net, "nothing.*", 1), DIRAC_ERR_NOT_FOUND);
    drop_floats(&before);
    drop_floats(&after);
    close_world(&w);
}

static void test_momentum_by_hand(void **state)
{
    (void)state;
    const rule r = {.name = "by hand", .momentum = 0.75f};
    world w;
    open_world(&w, &r);
    for (int64_t step = 0; step < 3; step++) {
        twins_step(&w, &r, put_gradients(&w, (uint64_t)step, 1), step);
        ok(dirac_sgd_step(w.sgd, w.session));
    }
    floats momentum = random_numbers(w.twins[0].count, 6, -1, 1);
    ok(dirac_sgd_momentum_write(w.sgd, w.twins[0].name, momentum.at, momentum.count));
    refused(dirac_sgd_momentum_write(w.sgd, w.twins[0].name, momentum.at, momentum.count - 1), DIRAC_ERR_SHAPE);
    refused(dirac_sgd_momentum_write(w.sgd, "norm.running_var", momentum.at, 5), DIRAC_ERR_NOT_FOUND);
    for (size_t j = 0; j < momentum.count; j++) {
        w.twins[0].v[j] = (double)momentum.at[j];
        w.twins[0].ev[j] = 0;
    }
    twins_step(&w, &r, put_gradients(&w, 3, 1), 3);
    ok(dirac_sgd_step(w.sgd, w.session));
    compare_twins(&w, &r);
    ok(dirac_sgd_restart_momentum(w.sgd));
    for (int i = 0; i < w.n_twins; i++)
        for (size_t j = 0; j < w.twins[i].count; j++)
            w.twins[i].v[j] = w.twins[i].ev[j] = 0;
    compare_twins(&w, &r);
    twins_step(&w, &r, put_gradients(&w, 4, 1), 4);
    ok(dirac_sgd_step(w.sgd, w.session));
    compare_twins(&w, &r);
    drop_floats(&momentum);
    close_world(&w);
}

/* Momentum from elsewhere counts before the first step, and before the first one behind a restart. */
static void test_momentum_before_steps(void **state)
{
    (void)state;
    const rule r = {.name = "from elsewhere", .momentum = 0.75f};
    world w;
    open_world(&w, &r);
    twin *t = &w.twins[0];
    for (uint64_t round = 0; round < 2; round++) {
        floats momentum = random_numbers(t->count, 8 + round, -1, 1);
        ok(dirac_sgd_restart_momentum(w.sgd));
        for (int i = 0; i < w.n_twins; i++)
            memset(w.twins[i].v, 0, w.twins[i].count * sizeof(double));
        for (int i = 0; i < w.n_twins; i++)
            memset(w.twins[i].ev, 0, w.twins[i].count * sizeof(double));
        ok(dirac_sgd_momentum_write(w.sgd, t->name, momentum.at, momentum.count));
        for (size_t j = 0; j < t->count; j++)
            t->v[j] = (double)momentum.at[j];
        twins_step(&w, &r, put_gradients(&w, round, 1), (int64_t)round);
        ok(dirac_sgd_step(w.sgd, w.session));
        compare_twins(&w, &r);
        drop_floats(&momentum);
    }
    close_world(&w);
}

static void test_settings_refused(void **state)
{
    (void)state;
    dirac_net *net = make_net();
    dirac_sgd *sgd;
    const int64_t twice[2] = {4, 4}, negative[1] = {-1};
    ok(dirac_sgd_create(&sgd, net));
    refused(dirac_sgd_set_learning_rate(sgd, -0.1f), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_set_learning_rate(sgd, NAN), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_set_learning_rate(sgd, INFINITY), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_set_momentum(sgd, 1.0f), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_set_weight_decay(sgd, -1.0f), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_set_clip_norm(sgd, -1.0f), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_schedule_drops(sgd, twice, 2, 0.1f, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_schedule_drops(sgd, negative, 1, 0.1f, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_schedule_drops(sgd, twice, 65, 0.1f, 0), DIRAC_ERR_ARGUMENT);
    refused(dirac_sgd_schedule_cosine(sgd, 0, 0.1f), DIRAC_ERR_ARGUMENT);
    float rate;
    ok(dirac_sgd_learning_rate(sgd, &rate));
    assert_true(rate == 0.1f);
    dirac_sgd_destroy(sgd);
    dirac_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_untrainable),
        cmocka_unit_test(test_momentum_by_hand),
        cmocka_unit_test(test_momentum_before_steps),
        cmocka_unit_test(test_settings_refused),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
