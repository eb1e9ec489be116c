/* SPDX-License-Identifier: MIT */
/*
 * Trains one of the paper's CIFAR networks, with the paper's recipe, on any set of small images. Can be stopped at any
 * batch and gone on with later: the result is the same, bit for bit.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirac/dirac.h>

#include "common/json_line.h"
#include "common/notes.h"
#include "common/program.h"
#include "common/progress.h"
#include "common/source.h"
#include "train_options.h"

/* ---- the run ---- */

/* What has happened so far in the epoch at hand; saved with a checkpoint, so that its line comes out whole. */
typedef struct {
    int64_t epoch, seen, correct;
    double loss, seconds; /* the sum over images, and the time of earlier parts of the epoch */
} tally;

typedef struct {
    const settings *s;
    dirac_context *context;
    source data;
    dirac_net *net;
    dirac_session *session, *tester;
    dirac_sgd *sgd;
    dirac_batches *batches, *test_batches;
    dirac_checkpoint *checkpoint;
    char *
        signature; /* the settings that a checkpoint's run and the one going on with it must share */
    tally so_far;
    double begun; /* when this part of the epoch began */
    progress bar;
    json_log log;
} run;

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

/* The first Ctrl-C asks; a second one ends the program in the usual way. */
static void listen_for_stop(void)
{
    struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static dirac_node *add_model(const run *r, dirac_node *x)
{
    const settings *s = r->s;
    int32_t classes = r->data.classes, form = s->form;
    if (s->resnet)
        return dirac_model_resnet_cifar(r->net, x, s->depth, s->width, classes, 0, form);
    return dirac_model_diracnet_cifar(r->net, x, s->depth, s->width, classes, form);
}

static void make_net(run *r)
{
    check(dirac_net_create(&r->net, r->context), "net");
    check(dirac_net_set_seed(r->net, r->s->seed), "seed");
    dirac_node *x = dirac_net_input2d(r->net, r->data.dims[0], r->data.dims[1], r->data.dims[2]);
    dirac_net_output(r->net, add_model(r, x));
    check(dirac_net_build(r->net), "building the net");
    notes_set_classes(r->net, r->data.training);
    notes_set_numbers(r->net, "mean", r->data.mean, r->data.dims[0]);
    notes_set_numbers(r->net, "std", r->data.deviation, r->data.dims[0]);
}

static dirac_session *make_session(const run *r, int32_t mode)
{
    dirac_session *session;
    check(dirac_session_create(&session, r->net, mode), "session");
    check(dirac_session_set_batch(session, r->s->batch), "session");
    check(dirac_session_set_seed(session, r->s->seed), "session");
    check(dirac_session_prepare(session), "preparing the session");
    return session;
}

/* Section 3 of the paper: pad by 4 with the image's reflection, cut at random, mirror half of them. */
static void make_batches(run *r)
{
    int64_t shorter = r->data.dims[1] < r->data.dims[2] ? r->data.dims[1] : r->data.dims[2];
    r->batches = source_batches(&r->data, r->data.training, r->s->batch);
    check(dirac_batches_set_seed(r->batches, r->s->seed), "seed");
    check(dirac_batches_set_shuffle(r->batches, 1), "shuffling");
    check(dirac_batches_set_crop(r->batches, shorter >= 32 ? 4 : shorter / 8, DIRAC_PAD_REFLECT),
          "cropping");
    check(dirac_batches_set_flip(r->batches, r->data.mirror), "mirroring");
    check(dirac_batches_set_prefetch(r->batches, 4), "prefetching");
    r->test_batches = source_batches(&r->data, r->data.test, r->s->batch);
}

static void make_sgd(run *r)
{
    const settings *s = r->s;
    int64_t steps[MOST_DROPS];
    for (int32_t i = 0; i < s->n_drops; i++)
        steps[i] = s->drops[i] * dirac_batches_per_epoch(r->batches);
    check(dirac_sgd_create(&r->sgd, r->net), "optimizer");
    check(dirac_sgd_set_learning_rate(r->sgd, (float)s->rate), "--lr");
    check(dirac_sgd_set_momentum(r->sgd, (float)s->momentum), "--momentum");
    check(dirac_sgd_set_weight_decay(r->sgd, (float)s->decay), "--weight-decay");
    check(
        dirac_sgd_schedule_drops(r->sgd, steps, s->n_drops, (float)s->factor, s->restart_momentum),
        "--drops");
}

/* ---- checkpoints ---- */

static void make_checkpoint(run *r)
{
    check(dirac_checkpoint_create(&r->checkpoint, r->context), "checkpoint");
    check(dirac_checkpoint_add_net(r->checkpoint, "net", r->net), "checkpoint");
    check(dirac_checkpoint_add_sgd(r->checkpoint, "sgd", r->sgd), "checkpoint");
    check(dirac_checkpoint_add_session(r->checkpoint, "session", r->session), "checkpoint");
    check(dirac_checkpoint_add_batches(r->checkpoint, "batches", r->batches), "checkpoint");
}

static char *make_signature(const run *r)
{
    const settings *s = r->s;
    size_t size = 512 + 24 * (size_t)s->n_drops;
    char *text = allocate(size, 1);
    int used = snprintf(text, size,
                        "--kind %s --depth %d --width %.9g --batch %" PRId64 " --seed %" PRIu64
                        " --lr %.9g --factor "
                        "%.9g --momentum %.9g --weight-decay %.9g%s, %" PRId64 " images of %" PRId64
                        "x%" PRId64 "x%" PRId64 ", %d classes, --drops ",
                        s->kind, (int)s->depth, s->width, s->batch, s->seed, s->rate, s->factor,
                        s->momentum, s->decay, s->restart_momentum ? " --restart-momentum" : "",
                        dirac_dataset_count(r->data.training), r->data.dims[0], r->data.dims[1],
                        r->data.dims[2], (int)r->data.classes);
    for (int32_t i = 0; i < s->n_drops; i++)
        used +=
            snprintf(text + used, size - (size_t)used, "%s%" PRId64, i > 0 ? "," : "", s->drops[i]);
    return text;
}

static void save_checkpoint(run *r, const char *path)
{
    char text[256]; /* numbers in hexadecimal, so that they come back exactly */
    tally now = r->so_far;
    now.seconds += seconds_now() - r->begun;
    int size = snprintf(text, sizeof text, "%" PRId64 " %" PRId64 " %" PRId64 " %a %a", now.epoch,
                        now.seen, now.correct, now.loss, now.seconds);
    check(dirac_checkpoint_set_blob(r->checkpoint, "tally", text, (size_t)size + 1), "checkpoint");
    check(dirac_checkpoint_set_blob(r->checkpoint, "settings", r->signature,
                                    strlen(r->signature) + 1),
          "checkpoint");
    check(dirac_checkpoint_save(r->checkpoint, path), "saving the checkpoint");
}

/* A blob that holds a text with its end. */
static const char *text_blob(const dirac_checkpoint *checkpoint, const char *path, const char *name)
{
    const void *data;
    size_t size;
    check(dirac_checkpoint_blob(checkpoint, name, &data, &size), path);
    if (size == 0 || ((const char *)data)[size - 1] != '\0')
        fail("%s: \"%s\" is no text", path, name);
    return data;
}

/* Before anything is restored: a difference in settings says more than the tensor that does not fit because of it. */
static void compare_settings(const run *r, const char *path)
{
    dirac_checkpoint *blobs;
    check(dirac_checkpoint_create(&blobs, r->context), "checkpoint");
    check(dirac_checkpoint_load(blobs, path), "going on from the checkpoint");
    const char *then = text_blob(blobs, path, "settings");
    if (strcmp(then, r->signature) != 0)
        fail("%s is of a run with other settings\nthen: %s\nnow:  %s", path, then, r->signature);
    dirac_checkpoint_destroy(blobs);
}

static void resume(run *r)
{
    const char *path = r->s->resume;
    tally *t = &r->so_far;
    compare_settings(r, path);
    check(dirac_checkpoint_load(r->checkpoint, path), "going on from the checkpoint");
    /* NOLINTNEXTLINE(cert-err34-c): this program wrote it */
    if (sscanf(text_blob(r->checkpoint, path, "tally"),
               "%" SCNd64 " %" SCNd64 " %" SCNd64 " %la %la", &t->epoch, &t->seen, &t->correct,
               &t->loss, &t->seconds) != 5)
        fail("%s: its tally cannot be read", path);
}

/* ---- training ---- */

static void show(run *r, int64_t seen, const char *what)
{
    const tally *t = &r->so_far;
    int64_t images = dirac_dataset_count(r->data.training);
    if (t->seen == 0)
        return;
    char title[48], detail[64];
    snprintf(title, sizeof title, "epoch %" PRId64 "/%" PRId64 " %s", t->epoch + 1, r->s->epochs,
             what);
    snprintf(detail, sizeof detail, "loss %.4f  accuracy %5.2f %%", t->loss / (double)t->seen,
             100.0 * (double)t->correct / (double)t->seen);
    progress_show(&r->bar, title, (double)seen / (double)images, detail,
                  t->epoch * images + t->seen, r->s->epochs * images, "images");
}

static void train_batch(run *r)
{
    const float *images;
    const int32_t *labels;
    int64_t n, correct;
    float loss;
    check(dirac_batches_next(r->batches, &images, &labels, &n), "next batch");
    if (n == 0)
        return; /* the end of the epoch before; the next call begins this one */
    check(dirac_session_forward(r->session, images, n), "forward");
    check(dirac_session_cross_entropy(r->session, labels, &loss), "loss");
    check(dirac_session_count_correct(r->session, labels, &correct), "counting");
    check(dirac_session_backward(r->session), "backward");
    check(dirac_sgd_step(r->sgd, r->session), "step");
    r->so_far.seen += n;
    r->so_far.correct += correct;
    r->so_far.loss += (double)loss * (double)n;
}

/* Accuracy on the test set, in percent; less than 0 if asked to stop. */
static double test(run *r)
{
    int64_t all = 0;
    check(dirac_batches_seek(r->test_batches, 0, 0), "test set");
    for (int64_t seen = 0, images = dirac_dataset_count(r->data.test); seen < images;) {
        const float *samples;
        const int32_t *labels;
        int64_t n, correct;
        if (stop_asked)
            return -1;
        check(dirac_batches_next(r->test_batches, &samples, &labels, &n), "test batch");
        check(dirac_session_forward(r->tester, samples, n), "test forward");
        check(dirac_session_count_correct(r->tester, labels, &correct), "counting");
        seen += n;
        all += correct;
    }
    return 100.0 * (double)all / (double)dirac_dataset_count(r->data.test);
}

static void report(run *r, float rate, double tested)
{
    const tally *t = &r->so_far;
    double loss = t->loss / (double)t->seen, trained = 100.0 * (double)t->correct / (double)t->seen;
    double seconds = t->seconds + seconds_now() - r->begun;
    progress_clear(&r->bar);
    printf("epoch %3" PRId64 "  lr %-8.3g loss %.4f  train %5.2f %%  test %5.2f %%  %.1f s\n",
           t->epoch + 1, (double)rate, loss, trained, tested, seconds);
    fflush(stdout);
    json_field(&r->log, "epoch", (double)(t->epoch + 1), 15);
    json_field(&r->log, "lr", (double)rate, 6);
    json_field(&r->log, "train_loss", loss, 10);
    json_field(&r->log, "train_accuracy", trained, 10);
    json_field(&r->log, "test_accuracy", tested, 10);
    json_field(&r->log, "seconds", seconds, 6);
    json_end(&r->log);
}

/* The rate the epoch at hand is trained with: drops are at the ends of epochs. */
static float rate_of_epoch(const run *r)
{
    float rate = (float)r->s->rate;
    for (int32_t i = 0; i < r->s->n_drops && r->s->drops[i] <= r->so_far.epoch; i++)
        rate *= (float)r->s->factor;
    return rate;
}

/* One epoch, or what is left of it; false if asked to stop before its end. */
static bool train_epoch(run *r)
{
    int64_t images = dirac_dataset_count(r->data.training);
    r->begun = seconds_now();
    while (r->so_far.seen < images) {
        if (stop_asked)
            return false;
        train_batch(r);
        show(r, r->so_far.seen, "");
    }
    double tested = test(r);
    if (tested < 0)
        return false;
    report(r, rate_of_epoch(r), tested);
    r->so_far = (tally){.epoch = r->so_far.epoch + 1};
    r->begun = seconds_now();
    return true;
}

/* Where Ctrl-C leaves the checkpoint. */
static const char *stop_path(const settings *s)
{
    return s->checkpoint != NULL ? s->checkpoint
           : s->resume != NULL   ? s->resume
                                 : "train.checkpoint";
}

static void train(run *r)
{
    int64_t images = dirac_dataset_count(r->data.training);
    listen_for_stop();
    progress_begin(&r->bar, r->so_far.epoch * images + r->so_far.seen);
    while (r->so_far.epoch < r->s->epochs) {
        if (!train_epoch(r)) {
            progress_clear(&r->bar);
            save_checkpoint(r, stop_path(r->s));
            printf("stopped in epoch %" PRId64 "; to go on, add --resume %s\n", r->so_far.epoch + 1,
                   stop_path(r->s));
            return;
        }
        if (r->s->checkpoint != NULL)
            save_checkpoint(r, r->s->checkpoint);
    }
    if (r->s->save != NULL) {
        check(dirac_net_save(r->net, r->s->save), "saving the model");
        printf("saved %s\n", r->s->save);
    }
}

/* ---- all of it ---- */

static void open_run(run *r, const settings *s)
{
    *r = (run){.s = s};
    json_open(&r->log, s->log);
    check(dirac_context_create(&r->context), "context");
    check(dirac_context_set_threads(r->context, s->threads), "--threads");
    check(dirac_context_set_seed(r->context, s->seed), "--seed");
    source_open(&r->data, r->context, s->data, s->size);
    make_net(r);
    make_batches(r);
    make_sgd(r);
    r->session = make_session(r, DIRAC_TRAIN);
    r->tester = make_session(r, DIRAC_INFER);
    r->signature = make_signature(r);
    make_checkpoint(r);
    if (s->resume != NULL)
        resume(r);
    printf("%s %d-%g: %lld parameters; %lld images to train on, %lld to test, %d classes\n",
           s->kind, (int)s->depth, s->width, (long long)dirac_net_trained_count(r->net),
           (long long)dirac_dataset_count(r->data.training),
           (long long)dirac_dataset_count(r->data.test), (int)r->data.classes);
}

static void close_run(run *r)
{
    dirac_checkpoint_destroy(r->checkpoint);
    dirac_session_destroy(r->tester);
    dirac_session_destroy(r->session);
    dirac_batches_destroy(r->test_batches);
    dirac_batches_destroy(r->batches);
    dirac_sgd_destroy(r->sgd);
    dirac_net_destroy(r->net);
    source_close(&r->data);
    dirac_context_destroy(r->context);
    json_close(&r->log);
    free(r->signature);
}

int main(int argc, char **argv)
{
    run r;
    program_name = "train";
    settings s = settings_parse(argc, argv);
    open_run(&r, &s);
    train(&r);
    close_run(&r);
    return 0;
}
