/* SPDX-License-Identifier: MIT */
/*
 * Tables 2 and 3: every network is built, its parameters are counted and held against the network's exact number, and
 * it takes one step of SGD on random images, after which their loss must be lower. Ends with 1 if one does not.
 *
 * Both losses are those of training, with the batch's own means and variances: the running ones are of no use after one
 * step, and activations of a very deep residual net overflow under them. And the step is not tiny: the first loss of
 * ResNet-1001 is so steep (in double precision too, its gradient's norm is 35,000) that it follows the gradient for
 * steps below 1e-10 only, which single precision cannot show.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <dirac/dirac.h>

#include "../common/json_line.h"
#include "../common/program.h"
#include "sweep.h"
#include "tables.h"

static const char help[] =
    "Usage: paper-networks [OPTION]...\n"
    "\n"
    "Tables 2 and 3: builds and counts each network and runs one training step of it.\n"
    "\n"
    "  --only LIST    only the networks whose names are in the list; '*' stands for any text\n"
    "  --list         only print the names\n"
    "  --batch N      images of the step (4)\n"
    "  --threads T    (all processors)\n"
    "  --log FILE     append a line of JSON a network\n";

static const struct option options[] = {
    {"only", required_argument, NULL, 'n'},  {"list", no_argument, NULL, 'l'},
    {"batch", required_argument, NULL, 'b'}, {"threads", required_argument, NULL, 't'},
    {"log", required_argument, NULL, 'L'},   {"help", no_argument, NULL, 'h'},
    {0},
};

typedef struct {
    const char *only, *log;
    int64_t batch;
    int32_t threads;
    bool list;
} settings;

static settings parse(int argc, char **argv)
{
    settings s = {.batch = 4, .threads = processors()};
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;)
        switch (option) {
        case 'n': s.only = optarg; break;
        case 'l': s.list = true; break;
        case 'b': s.batch = argument_integer("--batch", optarg, 2, 100000); break;
        case 't': s.threads = (int32_t)argument_integer("--threads", optarg, 1, 64); break;
        case 'L': s.log = optarg; break;
        case 'h': fputs(help, stdout); exit(0);
        default: fail_usage("unknown option");
        }
    if (optind < argc)
        fail_usage("\"%s\" belongs to no option", argv[optind]);
    return s;
}

/* Normalised images have mean 0 and deviation 1; these are uniform with that. */
static float *random_images(size_t count)
{
    float *values = allocate(count, sizeof *values);
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)((double)(state >> 8) * 0x1p-24 - 0.5) * 3.4641016f;
    }
    return values;
}

typedef struct {
    double loss, again, seconds;
    size_t bytes;
} step_result;

/* For training, at its first forward: the same draw of dropout each time. */
static dirac_session *open_session(dirac_net *net, int64_t batch)
{
    dirac_session *session;
    check(dirac_session_create(&session, net, DIRAC_TRAIN), "session");
    check(dirac_session_set_batch(session, batch), "session");
    check(dirac_session_prepare(session), "session");
    return session;
}

static double loss_of(dirac_session *session, const float *images, const int32_t *labels, int64_t batch)
{
    float loss;
    check(dirac_session_forward(session, images, batch), "forward");
    check(dirac_session_cross_entropy(session, labels, &loss), "loss");
    return (double)loss;
}

/* Without batch norm the first gradients are large. */
static float learning_rate(const paper_net *net)
{
    switch (net->model) {
    case MODEL_NIN:
    case MODEL_ELU:
    case MODEL_VGG_CNN_S:
    case MODEL_VGG16_IMAGENET: return 1e-4f;
    default: return 1e-2f;
    }
}

/* One step, and the loss of its images once more. */
static step_result step(dirac_net *net, float rate, const float *images, const int32_t *labels, int64_t batch)
{
    step_result result;
    dirac_session *session = open_session(net, batch);
    dirac_sgd *sgd;
    check(dirac_session_bytes(session, &result.bytes), "session");
    check(dirac_sgd_create(&sgd, net), "optimizer");
    check(dirac_sgd_set_momentum(sgd, 0.9f), "optimizer");
    check(dirac_sgd_set_weight_decay(sgd, 5e-4f), "optimizer");
    check(dirac_sgd_set_learning_rate(sgd, rate), "optimizer");
    double begun = seconds_now();
    result.loss = loss_of(session, images, labels, batch);
    check(dirac_session_backward(session), "backward");
    check(dirac_sgd_step(sgd, session), "step");
    result.seconds = seconds_now() - begun;
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    session = open_session(net, batch);
    result.again = loss_of(session, images, labels, batch);
    dirac_session_destroy(session);
    return result;
}

static bool try_network(const settings *s, dirac_context *context, const paper_entry *e, json_log *log)
{
    const int64_t side = e->table == 3 ? 224 : 32, dims[3] = {3, side, side};
    dirac_net *net = paper_net_build(&e->net, context, dims, e->classes, 1);
    const int64_t parameters = dirac_net_trained_count(net);
    float *images = random_images((size_t)(s->batch * 3 * side * side));
    int32_t *labels = allocate((size_t)s->batch, sizeof *labels);
    for (int64_t i = 0; i < s->batch; i++)
        labels[i] = (int32_t)(i * 7 % e->classes);
    step_result r = step(net, learning_rate(&e->net), images, labels, s->batch);
    bool counted = parameters == e->parameters, learned = isfinite(r.loss) && r.again < r.loss;
    printf("%-20s %11lld parameters %s  loss %.4f, then %.4f  %s  %.1f MB  %.2f s\n", e->name, (long long)parameters,
           counted ? "as it must" : "WRONG", r.loss, r.again, learned ? "learns" : "DOES NOT LEARN",
           (double)r.bytes / 1e6, r.seconds);
    fflush(stdout);
    json_text(log, "name", e->name);
    json_field(log, "table", e->table, 9);
    json_field(log, "classes", (double)e->classes, 9);
    json_field(log, "parameters", (double)parameters, 15);
    json_field(log, "multiply_adds", (double)dirac_net_multiply_adds(net), 15);
    json_field(log, "batch", (double)s->batch, 9);
    json_field(log, "loss", r.loss, 6);
    json_field(log, "loss_after_the_step", r.again, 6);
    json_field(log, "bytes", (double)r.bytes, 15);
    json_field(log, "published_error", e->error, 6);
    json_end(log);
    free(labels);
    free(images);
    dirac_net_destroy(net);
    return counted && learned;
}

int main(int argc, char **argv)
{
    dirac_context *context;
    json_log log;
    bool well = true;
    program_name = "paper-networks";
    settings s = parse(argc, argv);
    json_open(&log, s.log);
    check(dirac_context_create(&context), "context");
    check(dirac_context_set_threads(context, s.threads), "--threads");
    for (int32_t i = 0; i < paper_entry_count; i++) {
        if (!name_wanted(s.only, paper_entries[i].name))
            continue;
        if (s.list)
            puts(paper_entries[i].name);
        else
            well = try_network(&s, context, &paper_entries[i], &log) && well;
    }
    dirac_context_destroy(context);
    json_close(&log);
    return well ? 0 : 1;
}
