/* SPDX-License-Identifier: MIT */
/*
 * Times whole networks: dirac-bench [--threads N] [--runs R] [--kernels NAME] [--strict] [--lean] [--plain] [WORKLOAD...]
 * prints one JSON line a workload. A run is as many steps as take about half a second; the figure is the median of the
 * runs after a warm-up. gflops is the arithmetic of direct convolution (2 x multiply-adds; a training step counts three
 * times that of forward) over time. The peak is that of fused multiply-adds on registers, measured in the same process.
 * first_milliseconds is from nothing to the end of the first step: context, net, its initial values, session, step.
 *
 * Any other network is named the same way: train-cifar-DEPTH-WIDTH-bBATCH, infer-imagenet-DEPTH-WIDTH-bBATCH.
 * --plain: weights without the Dirac parameterization; --lean: inference that keeps no packed weights.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <dirac/dirac.h>

#include "bench/peak.h"

typedef struct workload {
    const char *name;
    int32_t training;
    int32_t imagenet;
    int32_t depth;
    double width;
    int64_t batch;
} workload;

static const workload workloads[] = {
    {"train-cifar-34-1", 1, 0, 34, 1, 128},     {"train-cifar-28-5", 1, 0, 28, 5, 32},
    {"train-cifar-28-10", 1, 0, 28, 10, 32},    {"infer-cifar-34-1", 0, 0, 34, 1, 128},
    {"infer-cifar-34-1-b1", 0, 0, 34, 1, 1},    {"infer-cifar-28-10", 0, 0, 28, 10, 32},
    {"infer-imagenet-18", 0, 1, 18, 1, 16},     {"infer-imagenet-18-b1", 0, 1, 18, 1, 1},
    {"infer-imagenet-34-b1", 0, 1, 34, 1, 1},
};
enum { WORKLOADS = sizeof workloads / sizeof workloads[0], MAX_RUNS = 101 };

typedef struct options {
    int32_t threads, runs, strict, lean, plain;
    const char *kernels;
} options;

typedef struct bench {
    dirac_context *context;
    dirac_net *net;
    dirac_session *session;
    dirac_sgd *sgd;
    float *images;
    int32_t *labels;
    int64_t batch;
    int64_t multiply_adds;
    double opened; /* when */
} bench;

static void check(int32_t status)
{
    if (status == DIRAC_OK)
        return;
    fprintf(stderr, "dirac-bench: %s: %s\n", dirac_status_name(status), dirac_error_message());
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static dirac_net *build(dirac_context *context, const workload *w, const options *o)
{
    const int32_t form = o->plain ? DIRAC_FORM_PLAIN : DIRAC_FORM_NORMALIZED_DELTA;
    dirac_net *net;
    check(dirac_net_create(&net, context));
    const int64_t side = w->imagenet ? 224 : 32;
    dirac_node *x = dirac_net_input2d(net, 3, side, side);
    x = w->imagenet ? dirac_model_diracnet_imagenet(net, x, w->depth, w->width, 1000, form)
                    : dirac_model_diracnet_cifar(net, x, w->depth, w->width, 10, form);
    dirac_net_output(net, x);
    check(dirac_net_build(net));
    if (w->training)
        return net;
    dirac_net *folded;
    check(dirac_net_fold(&folded, net));
    dirac_net_destroy(net);
    return folded;
}

static void fill(bench *b, const workload *w)
{
    const int64_t side = w->imagenet ? 224 : 32;
    const size_t count = (size_t)(w->batch * 3 * side * side);
    b->images = malloc(count * sizeof *b->images);
    b->labels = malloc((size_t)w->batch * sizeof *b->labels);
    if (b->images == NULL || b->labels == NULL)
        exit(1);
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        b->images[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
    for (int64_t i = 0; i < w->batch; i++)
        b->labels[i] = (int32_t)(i % 10);
}

static void open_bench(bench *b, const workload *w, const options *o)
{
    *b = (bench){.batch = w->batch};
    fill(b, w);
    b->opened = now();
    check(dirac_context_create(&b->context));
    check(dirac_context_set_threads(b->context, o->threads));
    if (o->kernels != NULL)
        check(dirac_context_set_kernels(b->context, o->kernels));
    b->net = build(b->context, w, o);
    check(dirac_session_create(&b->session, b->net, w->training ? DIRAC_TRAIN : DIRAC_INFER));
    check(dirac_session_set_batch(b->session, w->batch));
    check(dirac_session_set_strict(b->session, o->strict));
    check(dirac_session_set_lean(b->session, o->lean));
    check(dirac_session_prepare(b->session));
    check(dirac_session_multiply_adds(b->session, &b->multiply_adds));
    if (w->training) {
        check(dirac_sgd_create(&b->sgd, b->net));
        check(dirac_sgd_set_learning_rate(b->sgd, 0.01f));
        check(dirac_sgd_set_momentum(b->sgd, 0.9f));
        check(dirac_sgd_set_weight_decay(b->sgd, 5e-4f));
    }
}

static void close_bench(bench *b)
{
    dirac_sgd_destroy(b->sgd);
    dirac_session_destroy(b->session);
    dirac_net_destroy(b->net);
    dirac_context_destroy(b->context);
    free(b->images);
    free(b->labels);
}

static void step(bench *b)
{
    check(dirac_session_forward(b->session, b->images, b->batch));
    if (b->sgd == NULL)
        return;
    check(dirac_session_cross_entropy(b->session, b->labels, NULL));
    check(dirac_session_backward(b->session));
    check(dirac_sgd_step(b->sgd, b->session));
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of one step: the median over runs. */
static double time_steps(bench *b, int32_t runs)
{
    double seconds[MAX_RUNS];
    double start = now();
    step(b);
    int64_t steps = (int64_t)(0.5 / (now() - start));
    steps = steps < 1 ? 1 : steps;
    for (int32_t i = 0; i < runs; i++) {
        start = now();
        for (int64_t j = 0; j < steps; j++)
            step(b);
        seconds[i] = (now() - start) / (double)steps;
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
    return seconds[runs / 2];
}

static void run(const workload *w, const options *o)
{
    bench b;
    open_bench(&b, w, o);
    step(&b);
    const double first = now() - b.opened;
    const double seconds = time_steps(&b, o->runs);
    const double peak = measure_peak(dirac_session_kernels(b.session), o->threads);
    const double flops = 2.0 * (double)b.multiply_adds * (double)w->batch * (w->training ? 3 : 1);
    struct rusage usage;
    size_t planned;
    getrusage(RUSAGE_SELF, &usage);
    check(dirac_session_bytes(b.session, &planned));
    printf("{\"workload\": \"%s\", \"kernels\": \"%s\", \"threads\": %d, \"images_per_second\": %.2f, "
           "\"milliseconds\": %.3f, \"first_milliseconds\": %.1f, \"gflops\": %.1f, \"percent_of_peak\": %.1f, \"session_bytes\": %zu, "
           "\"peak_bytes\": %lld}\n",
           w->name, dirac_session_kernels(b.session), o->threads, (double)w->batch / seconds, 1e3 * seconds, 1e3 * first,
           flops / seconds * 1e-9, 100.0 * flops / seconds / peak, planned, 1024LL * usage.ru_maxrss);
    fflush(stdout);
    close_bench(&b);
}

static void usage(FILE *to)
{
    fputs("Usage: dirac-bench [--threads N] [--runs R] [--kernels NAME] [--strict] [--lean] [--plain] [WORKLOAD...]\n"
          "Workloads:\n", to);
    for (int i = 0; i < WORKLOADS; i++)
        fprintf(to, "  %s\n", workloads[i].name);
    fputs("  and others of the form train-cifar-DEPTH-WIDTH-bBATCH\n", to);
}

/* From the table, or from what the name says. */
static int find_workload(workload *w, const char *name)
{
    char how[6], what[9];
    long long batch;
    for (int i = 0; i < WORKLOADS; i++)
        if (strcmp(workloads[i].name, name) == 0) {
            *w = workloads[i];
            return 1;
        }
    *w = (workload){.name = name};
    if (sscanf(name, "%5[a-z]-%8[a-z]-%d-%lf-b%lld", how, what, &w->depth, &w->width, &batch) != 5 || batch < 1)
        return 0;
    w->batch = batch;
    w->training = strcmp(how, "train") == 0;
    w->imagenet = strcmp(what, "imagenet") == 0;
    return (w->training || strcmp(how, "infer") == 0) && (w->imagenet || strcmp(what, "cifar") == 0);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"threads", required_argument, NULL, 't'}, {"runs", required_argument, NULL, 'r'},
        {"kernels", required_argument, NULL, 'k'}, {"strict", no_argument, NULL, 's'},
        {"lean", no_argument, NULL, 'l'},          {"plain", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    options o = {.threads = 2, .runs = 5};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (c == 't')
            o.threads = atoi(optarg);
        else if (c == 'r')
            o.runs = atoi(optarg);
        else if (c == 'k')
            o.kernels = optarg;
        else if (c == 's')
            o.strict = 1;
        else if (c == 'l')
            o.lean = 1;
        else if (c == 'p')
            o.plain = 1;
        else {
            usage(c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    if (o.runs < 1 || o.runs > MAX_RUNS || o.threads < 1) {
        usage(stderr);
        return 2;
    }
    for (int i = 0; optind == argc && i < WORKLOADS; i++)
        run(&workloads[i], &o);
    for (int i = optind; i < argc; i++) {
        workload w;
        if (!find_workload(&w, argv[i])) {
            usage(stderr);
            return 2;
        }
        run(&w, &o);
    }
    return 0;
}
