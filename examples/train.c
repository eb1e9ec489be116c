/* SPDX-License-Identifier: MIT */
/*
 * Trains one of the paper's CIFAR networks, with the paper's recipe, on any set of small images. Can be stopped at any
 * batch and gone on with later: the result is the same, bit for bit. The training itself is common/training.c.
 */
#include <inttypes.h>
#include <stdio.h>

#include <dirac/dirac.h>

#include "common/json_line.h"
#include "common/notes.h"
#include "common/program.h"
#include "common/source.h"
#include "common/training.h"
#include "train_options.h"

static dirac_node *add_model(dirac_net *net, const settings *s, dirac_node *x, int32_t classes)
{
    if (s->resnet)
        return dirac_model_resnet_cifar(net, x, s->depth, s->width, classes, 0, s->form);
    return dirac_model_diracnet_cifar(net, x, s->depth, s->width, classes, s->form);
}

static dirac_net *make_net(dirac_context *context, const settings *s, const source *data)
{
    dirac_net *net;
    check(dirac_net_create(&net, context), "net");
    check(dirac_net_set_seed(net, s->how.seed), "seed");
    dirac_node *x = dirac_net_input2d(net, data->dims[0], data->dims[1], data->dims[2]);
    dirac_net_output(net, add_model(net, s, x, data->classes));
    check(dirac_net_build(net), "building the net");
    notes_set_classes(net, data->training);
    notes_set_numbers(net, "mean", data->mean, data->dims[0]);
    notes_set_numbers(net, "std", data->deviation, data->dims[0]);
    return net;
}

/* The line of an epoch, on the screen and in the log. */
static void report(void *user, const epoch_result *e)
{
    json_log *log = user;
    printf("epoch %3" PRId64 "  lr %-8.3g loss %.4f  train %5.2f %%  test %5.2f %%  %.1f s\n",
           e->epoch, e->rate, e->loss, e->train_accuracy, e->test_accuracy, e->seconds);
    fflush(stdout);
    json_field(log, "epoch", (double)e->epoch, 15);
    json_field(log, "lr", e->rate, 6);
    json_field(log, "train_loss", e->loss, 10);
    json_field(log, "train_accuracy", e->train_accuracy, 10);
    json_field(log, "test_accuracy", e->test_accuracy, 10);
    json_field(log, "seconds", e->seconds, 6);
    json_end(log);
}

/* Where Ctrl-C leaves the checkpoint. */
static const char *stop_path(const settings *s)
{
    return s->checkpoint != NULL ? s->checkpoint
           : s->resume != NULL   ? s->resume
                                 : "train.checkpoint";
}

/* Trains; true when the last epoch is done. */
static bool train(const settings *s, dirac_context *context, dirac_net *net, const source *data)
{
    char what[128];
    json_log log;
    training t;
    feed batches = feed_from_source(data, s->how.batch, s->how.seed);
    snprintf(what, sizeof what, "--kind %s --depth %d --width %.9g", s->kind, (int)s->depth,
             s->width);
    json_open(&log, s->log);
    training_open(&t, context, net, &batches, &s->how, what,
                  (training_watch){.user = &log, .epoch = report});
    if (s->resume != NULL)
        training_resume(&t, s->resume);
    printf("%s %d-%g: %lld parameters; %lld images to train on, %lld to test, %d classes\n",
           s->kind, (int)s->depth, s->width, (long long)dirac_net_trained_count(net),
           (long long)dirac_dataset_count(data->training),
           (long long)dirac_dataset_count(data->test), (int)data->classes);
    training_listen();
    int end = training_run(&t, s->checkpoint);
    if (end == TRAINING_DIVERGED)
        fail("step: %s", dirac_error_message());
    if (end == TRAINING_STOPPED) {
        training_save(&t, stop_path(s));
        printf("stopped in epoch %" PRId64 "; to go on, add --resume %s\n", t.so_far.epoch + 1,
               stop_path(s));
    }
    training_close(&t);
    feed_close(&batches);
    json_close(&log);
    return end == TRAINING_DONE;
}

int main(int argc, char **argv)
{
    dirac_context *context;
    source data;
    program_name = "train";
    settings s = settings_parse(argc, argv);
    check(dirac_context_create(&context), "context");
    check(dirac_context_set_threads(context, s.threads), "--threads");
    check(dirac_context_set_seed(context, s.how.seed), "--seed");
    source_open(&data, context, s.data, s.size);
    dirac_net *net = make_net(context, &s, &data);
    if (train(&s, context, net, &data) && s.save != NULL) {
        check(dirac_net_save(net, s.save), "saving the model");
        printf("saved %s\n", s.save);
    }
    dirac_net_destroy(net);
    source_close(&data);
    dirac_context_destroy(context);
    return 0;
}
