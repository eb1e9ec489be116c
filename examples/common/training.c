/* SPDX-License-Identifier: MIT */
/* Training runs. */
#include "training.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

static const double seconds_between_checkpoints = 300;

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

void training_listen(void)
{
    struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void training_ask_to_stop(void)
{
    stop_asked = 1;
}

recipe recipe_cifar(void)
{
    return (recipe){.epochs = 200,
                    .batch = 128,
                    .n_drops = 3,
                    .drops = {60, 120, 160},
                    .seed = 1,
                    .rate = 0.1,
                    .factor = 0.2,
                    .momentum = 0.9,
                    .decay = 5e-4};
}

/* ---- the parts ---- */

static dirac_session *make_session(const training *t, int32_t mode)
{
    dirac_session *session;
    check(dirac_session_create(&session, t->net, mode), "session");
    check(dirac_session_set_batch(session, t->how.batch), "session");
    check(dirac_session_set_seed(session, t->how.seed), "session");
    check(dirac_session_set_strict(session, t->how.strict), "--strict");
    check(dirac_session_prepare(session), "preparing the session");
    return session;
}

static void make_sgd(training *t)
{
    const recipe *how = &t->how;
    int64_t steps[MOST_DROPS];
    for (int32_t i = 0; i < how->n_drops; i++)
        steps[i] = how->drops[i] * dirac_batches_per_epoch(t->data.train);
    check(dirac_sgd_create(&t->sgd, t->net), "optimizer");
    check(dirac_sgd_set_learning_rate(t->sgd, (float)how->rate), "--lr");
    check(dirac_sgd_set_momentum(t->sgd, (float)how->momentum), "--momentum");
    check(dirac_sgd_set_weight_decay(t->sgd, (float)how->decay), "--weight-decay");
    check(dirac_sgd_schedule_drops(t->sgd, steps, how->n_drops, (float)how->factor,
                                   how->restart_momentum),
          "--drops");
}

static void make_checkpoint(training *t)
{
    check(dirac_checkpoint_create(&t->checkpoint, t->context), "checkpoint");
    check(dirac_checkpoint_add_net(t->checkpoint, "net", t->net), "checkpoint");
    check(dirac_checkpoint_add_sgd(t->checkpoint, "sgd", t->sgd), "checkpoint");
    check(dirac_checkpoint_add_session(t->checkpoint, "session", t->session), "checkpoint");
    check(dirac_checkpoint_add_batches(t->checkpoint, "batches", t->data.train), "checkpoint");
}

static char *make_signature(const training *t, const char *what)
{
    const recipe *how = &t->how;
    size_t size = strlen(what) + 512 + 24 * (size_t)how->n_drops;
    char *text = allocate(size, 1);
    int used = snprintf(text, size,
                        "%s --batch %" PRId64 " --seed %" PRIu64 " --lr %.9g --factor "
                        "%.9g --momentum %.9g --weight-decay %.9g%s%s, %" PRId64 " images of %" PRId64
                        "x%" PRId64 "x%" PRId64 ", %d classes, --drops ",
                        what, how->batch, how->seed, how->rate, how->factor, how->momentum,
                        how->decay, how->restart_momentum ? " --restart-momentum" : "", how->strict ? " --strict" : "",
                        t->data.train_images, t->data.dims[0], t->data.dims[1],
                        t->data.dims[2], (int)t->data.classes);
    for (int32_t i = 0; i < how->n_drops; i++)
        used += snprintf(text + used, size - (size_t)used, "%s%" PRId64, i > 0 ? "," : "",
                         how->drops[i]);
    return text;
}

void training_open(training *t, dirac_context *context, dirac_net *net, const feed *data,
                   const recipe *how, const char *what, training_watch watch)
{
    *t = (training){.how = *how, .data = *data, .context = context, .net = net, .watch = watch};
    make_sgd(t);
    t->session = make_session(t, DIRAC_TRAIN);
    t->tester = make_session(t, DIRAC_INFER);
    t->signature = make_signature(t, what);
    make_checkpoint(t);
}

void training_close(training *t)
{
    dirac_checkpoint_destroy(t->checkpoint);
    dirac_session_destroy(t->tester);
    dirac_session_destroy(t->session);
    dirac_sgd_destroy(t->sgd);
    free(t->signature);
}

/* ---- checkpoints ---- */

void training_save(training *t, const char *path)
{
    char text[256]; /* numbers in hexadecimal, so that they come back exactly */
    tally now = t->so_far;
    now.seconds += seconds_now() - t->begun;
    int size = snprintf(text, sizeof text, "%" PRId64 " %" PRId64 " %" PRId64 " %a %a", now.epoch,
                        now.seen, now.correct, now.loss, now.seconds);
    check(dirac_checkpoint_set_blob(t->checkpoint, "tally", text, (size_t)size + 1), "checkpoint");
    check(dirac_checkpoint_set_blob(t->checkpoint, "settings", t->signature,
                                    strlen(t->signature) + 1),
          "checkpoint");
    if (t->watch.saving != NULL)
        t->watch.saving(t->watch.user, t->checkpoint);
    check(dirac_checkpoint_save(t->checkpoint, path), "saving the checkpoint");
    t->saved = seconds_now();
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
static void compare_settings(const training *t, const char *path)
{
    dirac_checkpoint *blobs;
    check(dirac_checkpoint_create(&blobs, t->context), "checkpoint");
    check(dirac_checkpoint_load(blobs, path), "going on from the checkpoint");
    const char *then = text_blob(blobs, path, "settings");
    if (strcmp(then, t->signature) != 0)
        fail("%s is of a run with other settings\nthen: %s\nnow:  %s", path, then, t->signature);
    dirac_checkpoint_destroy(blobs);
}

void training_resume(training *t, const char *path)
{
    tally *so_far = &t->so_far;
    compare_settings(t, path);
    check(dirac_checkpoint_load(t->checkpoint, path), "going on from the checkpoint");
    /* NOLINTNEXTLINE(cert-err34-c): this program wrote it */
    if (sscanf(text_blob(t->checkpoint, path, "tally"),
               "%" SCNd64 " %" SCNd64 " %" SCNd64 " %la %la", &so_far->epoch, &so_far->seen,
               &so_far->correct, &so_far->loss, &so_far->seconds) != 5)
        fail("%s: its tally cannot be read", path);
    if (t->watch.resumed != NULL)
        t->watch.resumed(t->watch.user, t->checkpoint);
}

/* ---- training ---- */

static void show(training *t)
{
    const tally *now = &t->so_far;
    int64_t images = t->data.train_images;
    char title[48], detail[64];
    if (now->seen == 0)
        return;
    snprintf(title, sizeof title, "epoch %" PRId64 "/%" PRId64 " ", now->epoch + 1, t->how.epochs);
    snprintf(detail, sizeof detail, "loss %.4f  accuracy %5.2f %%", now->loss / (double)now->seen,
             100.0 * (double)now->correct / (double)now->seen);
    progress_show(&t->bar, title, (double)now->seen / (double)images, detail,
                  now->epoch * images + now->seen, t->how.epochs * images, "images");
}

/* One batch; false if the step was refused because a number was not finite. */
static bool train_batch(training *t)
{
    const float *images;
    const int32_t *labels;
    int64_t n, correct, per_epoch = dirac_batches_per_epoch(t->data.train);
    float loss;
    feed_next(&t->data, true, &images, &labels, &n);
    if (n == 0)
        return true; /* the end of the epoch before; the next call begins this one */
    check(dirac_session_forward(t->session, images, n), "forward");
    check(dirac_session_cross_entropy(t->session, labels, &loss), "loss");
    check(dirac_session_count_correct(t->session, labels, &correct), "counting");
    check(dirac_session_backward(t->session), "backward");
    int32_t status = dirac_sgd_step(t->sgd, t->session);
    if (status == DIRAC_ERR_NOT_FINITE)
        return false;
    check(status, "step");
    t->so_far.seen += n;
    t->so_far.correct += correct;
    t->so_far.loss += (double)loss * (double)n;
    if (t->watch.step != NULL)
        t->watch.step(t->watch.user, t->so_far.epoch * per_epoch +
                                         (t->so_far.seen + t->how.batch - 1) / t->how.batch);
    return true;
}

/* Accuracy on the test set, in percent; less than 0 if asked to stop. */
static double test(training *t)
{
    int64_t all = 0;
    check(dirac_batches_seek(t->data.test, 0, 0), "test set");
    for (int64_t seen = 0, images = t->data.test_images; seen < images;) {
        const float *samples;
        const int32_t *labels;
        int64_t n, correct;
        if (stop_asked)
            return -1;
        feed_next(&t->data, false, &samples, &labels, &n);
        check(dirac_session_forward(t->tester, samples, n), "test forward");
        check(dirac_session_count_correct(t->tester, labels, &correct), "counting");
        seen += n;
        all += correct;
    }
    return 100.0 * (double)all / (double)t->data.test_images;
}

/* The rate the epoch at hand is trained with: drops are at the ends of epochs. */
static float rate_of_epoch(const training *t)
{
    float rate = (float)t->how.rate;
    for (int32_t i = 0; i < t->how.n_drops && t->how.drops[i] <= t->so_far.epoch; i++)
        rate *= (float)t->how.factor;
    return rate;
}

static void finish_epoch(training *t, double train_seconds, double tested)
{
    const tally *now = &t->so_far;
    epoch_result result = {.epoch = now->epoch + 1,
                           .rate = (double)rate_of_epoch(t),
                           .loss = now->loss / (double)now->seen,
                           .train_accuracy = 100.0 * (double)now->correct / (double)now->seen,
                           .test_accuracy = tested,
                           .seconds = now->seconds + seconds_now() - t->begun,
                           .train_seconds = train_seconds};
    progress_clear(&t->bar);
    if (t->watch.epoch != NULL)
        t->watch.epoch(t->watch.user, &result);
    t->so_far = (tally){.epoch = now->epoch + 1};
    t->begun = seconds_now();
}

/* One epoch, or what is left of it. */
static int train_epoch(training *t, const char *path)
{
    int64_t images = t->data.train_images;
    t->begun = seconds_now();
    while (t->so_far.seen < images) {
        if (stop_asked)
            return TRAINING_STOPPED;
        if (!train_batch(t))
            return TRAINING_DIVERGED;
        show(t);
        if (path != NULL && seconds_now() - t->saved > seconds_between_checkpoints)
            training_save(t, path);
    }
    double train_seconds = t->so_far.seconds + seconds_now() - t->begun, tested = test(t);
    if (tested < 0)
        return TRAINING_STOPPED;
    finish_epoch(t, train_seconds, tested);
    return TRAINING_DONE;
}

int training_run(training *t, const char *path)
{
    int64_t images = t->data.train_images;
    progress_begin(&t->bar, t->so_far.epoch * images + t->so_far.seen);
    t->saved = seconds_now();
    while (t->so_far.epoch < t->how.epochs) {
        int end = train_epoch(t, path);
        progress_clear(&t->bar);
        if (end != TRAINING_DONE)
            return end;
        if (path != NULL)
            training_save(t, path);
    }
    return TRAINING_DONE;
}
