/* SPDX-License-Identifier: MIT */
/*
 * What the parameterization costs. Training: the time of a step of DiracNet-34, of its twins with other weight forms,
 * taken in turn so that whatever else the machine does meets all of them; the least time of each counts. Inference: a
 * folded DiracNet beside a folded plain net, which must be the same layers with the same numbers of parameters and
 * multiply-adds.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirac/dirac.h>

#include "../common/json_line.h"
#include "../common/program.h"
#include "nets.h"

static const char help[] = "Usage: paper-costs [OPTION]...\n"
                           "\n"
                           "Times a training step and an inference of each weight form, in turn.\n"
                           "\n"
                           "  --depth D    (34)\n"
                           "  --width W    (1)\n"
                           "  --batch N    images of a step (128)\n"
                           "  --rounds R   (20)\n"
                           "  --threads T  (all processors)\n"
                           "  --log FILE   append a line of JSON a weight form\n";

static const struct option options[] = {
    {"depth", required_argument, NULL, 'D'},   {"width", required_argument, NULL, 'W'},
    {"batch", required_argument, NULL, 'b'},   {"rounds", required_argument, NULL, 'r'},
    {"threads", required_argument, NULL, 't'}, {"log", required_argument, NULL, 'L'},
    {"help", no_argument, NULL, 'h'},          {0},
};

typedef struct {
    int32_t depth, threads, rounds;
    int64_t batch;
    double width;
    const char *log;
} settings;

static settings parse(int argc, char **argv)
{
    settings s = {.depth = 34, .threads = processors(), .rounds = 20, .batch = 128, .width = 1};
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;)
        switch (option) {
        case 'D': s.depth = (int32_t)argument_integer("--depth", optarg, 10, 100000); break;
        case 'W': s.width = argument_number("--width", optarg, 0.001, 1e6); break;
        case 'b': s.batch = argument_integer("--batch", optarg, 2, 100000); break;
        case 'r': s.rounds = (int32_t)argument_integer("--rounds", optarg, 1, 100000); break;
        case 't': s.threads = (int32_t)argument_integer("--threads", optarg, 1, 64); break;
        case 'L': s.log = optarg; break;
        case 'h': fputs(help, stdout); exit(0);
        default: fail_usage("unknown option");
        }
    if (optind < argc)
        fail_usage("\"%s\" belongs to no option", argv[optind]);
    return s;
}

enum { FORMS = 4 };

/* One weight form: its net, folded and not, and the least times in seconds. */
typedef struct {
    paper_net is;
    dirac_net *net, *folded;
    dirac_session *training, *whole, *short_form;
    dirac_sgd *sgd;
    double step, unfolded, folded_time;
} candidate;

static dirac_session *open_session(dirac_net *net, int32_t mode, int64_t batch)
{
    dirac_session *session;
    check(dirac_session_create(&session, net, mode), "session");
    check(dirac_session_set_batch(session, batch), "session");
    check(dirac_session_prepare(session), "session");
    return session;
}

static candidate open_candidate(const settings *s, dirac_context *context, int32_t form)
{
    const int64_t dims[3] = {3, 32, 32};
    candidate c = {.is = {.model = MODEL_DIRACNET, .form = form, .depth = s->depth, .width = s->width},
                   .step = 1e30,
                   .unfolded = 1e30,
                   .folded_time = 1e30};
    c.net = paper_net_build(&c.is, context, dims, 10, 1);
    check(dirac_net_fold(&c.folded, c.net), "fold");
    c.training = open_session(c.net, DIRAC_TRAIN, s->batch);
    c.whole = open_session(c.net, DIRAC_INFER, s->batch);
    c.short_form = open_session(c.folded, DIRAC_INFER, s->batch);
    check(dirac_sgd_create(&c.sgd, c.net), "optimizer");
    check(dirac_sgd_set_momentum(c.sgd, 0.9f), "optimizer");
    check(dirac_sgd_set_learning_rate(c.sgd, 1e-3f), "optimizer");
    return c;
}

static void close_candidate(candidate *c)
{
    dirac_sgd_destroy(c->sgd);
    dirac_session_destroy(c->short_form);
    dirac_session_destroy(c->whole);
    dirac_session_destroy(c->training);
    dirac_net_destroy(c->folded);
    dirac_net_destroy(c->net);
}

static void time_forward(dirac_session *session, const float *images, int64_t n, double *least)
{
    double begun = seconds_now();
    check(dirac_session_forward(session, images, n), "forward");
    double seconds = seconds_now() - begun;
    *least = seconds < *least ? seconds : *least;
}

static void time_step(candidate *c, const float *images, const int32_t *labels, int64_t n)
{
    double begun = seconds_now();
    check(dirac_session_forward(c->training, images, n), "forward");
    check(dirac_session_cross_entropy(c->training, labels, NULL), "loss");
    check(dirac_session_backward(c->training), "backward");
    check(dirac_sgd_step(c->sgd, c->training), "step");
    double seconds = seconds_now() - begun;
    c->step = seconds < c->step ? seconds : c->step;
}

/* Folded nets of all forms are the same nets. */
static void compare_folded(const candidate *a, const candidate *b)
{
    if (dirac_net_node_count(a->folded) != dirac_net_node_count(b->folded) ||
        dirac_net_trained_count(a->folded) != dirac_net_trained_count(b->folded) ||
        dirac_net_multiply_adds(a->folded) != dirac_net_multiply_adds(b->folded))
        fail("folded, %s and %s differ", paper_net_kind(&a->is), paper_net_kind(&b->is));
    for (int64_t i = 0; i < dirac_net_node_count(a->folded); i++)
        if (strcmp(dirac_node_kind(dirac_net_node(a->folded, i)), dirac_node_kind(dirac_net_node(b->folded, i))) != 0)
            fail("folded, %s and %s differ at layer %lld", paper_net_kind(&a->is), paper_net_kind(&b->is),
                 (long long)i);
}

static void report(const settings *s, const candidate *c, const candidate *plain, json_log *log)
{
    printf("%-12s %9lld parameters  step %8.2f ms (x %.3f)  inference %8.2f ms, folded %8.2f ms (x %.3f)\n",
           paper_net_kind(&c->is), (long long)dirac_net_trained_count(c->net), 1e3 * c->step, c->step / plain->step,
           1e3 * c->unfolded, 1e3 * c->folded_time, c->folded_time / plain->folded_time);
    json_text(log, "kind", paper_net_kind(&c->is));
    json_field(log, "depth", s->depth, 9);
    json_field(log, "width", s->width, 9);
    json_field(log, "batch", (double)s->batch, 9);
    json_field(log, "threads", s->threads, 9);
    json_field(log, "step_ms", 1e3 * c->step, 5);
    json_field(log, "inference_ms", 1e3 * c->unfolded, 5);
    json_field(log, "folded_ms", 1e3 * c->folded_time, 5);
    json_field(log, "folded_layers", (double)dirac_net_node_count(c->folded), 9);
    json_field(log, "folded_parameters", (double)dirac_net_trained_count(c->folded), 15);
    json_end(log);
}

int main(int argc, char **argv)
{
    dirac_context *context;
    candidate all[FORMS];
    json_log log;
    program_name = "paper-costs";
    settings s = parse(argc, argv);
    json_open(&log, s.log);
    check(dirac_context_create(&context), "context");
    check(dirac_context_set_threads(context, s.threads), "--threads");
    float *images = allocate((size_t)s.batch * 3 * 32 * 32, sizeof *images);
    int32_t *labels = allocate((size_t)s.batch, sizeof *labels);
    for (int64_t i = 0; i < s.batch * 3 * 32 * 32; i++)
        images[i] = (float)((double)(i * 7919 % 1009) / 504.5 - 1);
    for (int64_t i = 0; i < s.batch; i++)
        labels[i] = (int32_t)(i % 10);
    for (int32_t form = 0; form < FORMS; form++)
        all[form] = open_candidate(&s, context, form);
    for (int32_t round = 0; round < s.rounds; round++)
        for (int32_t form = 0; form < FORMS; form++) {
            time_step(&all[form], images, labels, s.batch);
            time_forward(all[form].whole, images, s.batch, &all[form].unfolded);
            time_forward(all[form].short_form, images, s.batch, &all[form].folded_time);
        }
    for (int32_t form = 0; form < FORMS; form++) {
        compare_folded(&all[DIRAC_FORM_PLAIN], &all[form]);
        report(&s, &all[form], &all[DIRAC_FORM_PLAIN], &log);
    }
    for (int32_t form = 0; form < FORMS; form++)
        close_candidate(&all[form]);
    free(labels);
    free(images);
    dirac_context_destroy(context);
    json_close(&log);
    return 0;
}
