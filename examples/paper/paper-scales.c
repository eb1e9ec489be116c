/* SPDX-License-Identifier: MIT */
/*
 * Figure 2: alpha and beta of every Dirac layer of DiracNet-34 while it trains, and what the text says of them: whether
 * any layer, or how many feature planes, lose the identity or become nothing but it. The log of a run gets
 *
 *     {"event": "layers", "names": [...]}
 *     {"event": "scales", "batches": n, "epoch": n / batches an epoch, "alpha": [mean of each layer], "beta": ...,
 *      "norm": ..., "identity": [mean share], "identity_least": ..., "identity_largest": ..., "lost": [filters],
 *      "copies": [filters]}
 *     {"event": "filters", "layer": name, "identity": [share of each filter]}      at the end
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/program.h"
#include "sweep.h"

static const char about[] = "Figure 2: follows alpha and beta of DiracNet-34 through its training.\n";

enum { QUICK_EPOCHS = 8, MOST_LAYERS = 128, LOOKS = 8 /* an epoch */ };

/* A filter counts as having lost the identity, or as a copy, when the lesser part is below this share. */
static const double degraded = 0.05;

typedef struct {
    int64_t per_epoch;
    int32_t layers;
    const dirac_node *layer[MOST_LAYERS];
    int64_t filters[MOST_LAYERS];
    float *values; /* of the largest layer */
    double *numbers;
} scales;

static void find_layers(scales *s, const dirac_net *net)
{
    int64_t form, dims[4], most = 0;
    int32_t rank;
    for (int64_t i = 0; i < dirac_net_node_count(net) && s->layers < MOST_LAYERS; i++) {
        const dirac_node *node = dirac_net_node(net, i);
        if (strcmp(dirac_node_kind(node), "conv") != 0)
            continue;
        check(dirac_node_get_int(node, "form", &form), "form");
        if (form != DIRAC_FORM_NORMALIZED_DELTA)
            continue;
        check(dirac_node_shape(node, dims, &rank), "shape");
        s->filters[s->layers] = dims[0];
        s->layer[s->layers++] = node;
        most = dims[0] > most ? dims[0] : most;
    }
    s->values = allocate((size_t)most, sizeof *s->values);
    s->numbers = allocate((size_t)most, sizeof *s->numbers);
}

static void log_summary(const scales *s, const char *name, int32_t quantity, int which, json_log *log)
{
    double numbers[MOST_LAYERS], summary[3];
    for (int32_t i = 0; i < s->layers; i++) {
        check(dirac_node_filter_summary(s->layer[i], quantity, &summary[0], &summary[1], &summary[2], NULL), "summary");
        numbers[i] = summary[which];
    }
    json_numbers(log, name, numbers, s->layers, 6);
}

/* How many filters have a share of the identity from `least` to `most`; those without a one in I do not count. */
static void log_counts(const scales *s, const char *name, double least, double most, json_log *log)
{
    double numbers[MOST_LAYERS];
    for (int32_t i = 0; i < s->layers; i++) {
        int64_t with_one;
        check(dirac_node_filters(s->layer[i], DIRAC_FILTER_IDENTITY, s->values, (size_t)s->filters[i]), "filters");
        check(dirac_node_filter_summary(s->layer[i], DIRAC_FILTER_IDENTITY, NULL, NULL, NULL, &with_one), "summary");
        numbers[i] = 0;
        for (int64_t f = 0; f < with_one; f++) /* one group: the first filters have the ones */
            numbers[i] += (double)s->values[f] >= least && (double)s->values[f] <= most;
    }
    json_numbers(log, name, numbers, s->layers, 6);
}

static void look(void *user, int64_t batches, json_log *log)
{
    const scales *s = user;
    /* the first epoch is where most happens; later a few times an epoch */
    const int64_t every = s->per_epoch < LOOKS ? 1 : s->per_epoch / LOOKS;
    if (batches % every != 0 && batches % s->per_epoch != 0)
        return;
    json_text(log, "event", "scales");
    json_field(log, "batches", (double)batches, 15);
    json_field(log, "epoch", (double)batches / (double)s->per_epoch, 6);
    log_summary(s, "alpha", DIRAC_FILTER_ALPHA, 0, log);
    log_summary(s, "beta", DIRAC_FILTER_BETA, 0, log);
    log_summary(s, "norm", DIRAC_FILTER_NORM, 0, log);
    log_summary(s, "identity", DIRAC_FILTER_IDENTITY, 0, log);
    log_summary(s, "identity_least", DIRAC_FILTER_IDENTITY, 1, log);
    log_summary(s, "identity_largest", DIRAC_FILTER_IDENTITY, 2, log);
    log_counts(s, "lost", 0, degraded, log);
    log_counts(s, "copies", 1 - degraded, 1, log);
    json_end(log);
}

static void begin(void *user, const dirac_net *net, int64_t per_epoch, bool resumed, json_log *log)
{
    scales *s = user;
    const char *names[MOST_LAYERS];
    *s = (scales){.per_epoch = per_epoch};
    find_layers(s, net);
    if (resumed)
        return;
    for (int32_t i = 0; i < s->layers; i++)
        names[i] = dirac_node_name(s->layer[i]);
    json_text(log, "event", "layers");
    json_texts(log, "names", names, s->layers);
    json_end(log);
    look(user, 0, log);
}

static void end(void *user, json_log *log)
{
    scales *s = user;
    for (int32_t i = 0; i < s->layers; i++) {
        check(dirac_node_filters(s->layer[i], DIRAC_FILTER_IDENTITY, s->values, (size_t)s->filters[i]), "filters");
        for (int64_t f = 0; f < s->filters[i]; f++)
            s->numbers[f] = (double)s->values[f];
        json_text(log, "event", "filters");
        json_text(log, "layer", dirac_node_name(s->layer[i]));
        json_numbers(log, "identity", s->numbers, s->filters[i], 4);
        json_end(log);
    }
    free(s->numbers);
    free(s->values);
}

int main(int argc, char **argv)
{
    scales state = {0};
    sweep s;
    const sweep_watch watch = {.user = &state, .begin = begin, .step = look, .end = end};
    const paper_run runs[] = {
        {.name = "scales-dirac-34-1-seed1",
         .net = {.model = MODEL_DIRACNET, .form = DIRAC_FORM_NORMALIZED_DELTA, .depth = 34, .width = 1},
         .seed = 1},
        {.name = "scales-dirac-10-1-seed1",
         .net = {.model = MODEL_DIRACNET, .form = DIRAC_FORM_NORMALIZED_DELTA, .depth = 10, .width = 1},
         .seed = 1},
    };
    program_name = "paper-scales";
    sweep_open(&s, argc, argv, sweep_cifar(about, QUICK_EPOCHS));
    sweep_do(&s, runs, sizeof runs / sizeof runs[0], &watch);
    sweep_close(&s);
    return 0;
}
