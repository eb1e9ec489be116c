/* SPDX-License-Identifier: MIT */
/* Runs of a sweep. */
#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "../common/program.h"

/* A run at work. Its log is kept here and in the checkpoint, so that both always tell of the same batch. */
typedef struct {
    sweep *sweep;
    const paper_run *run;
    const sweep_watch *watch;
    dirac_net *net;
    feed data;
    training t;
    char *path, *checkpoint, *model; /* its files */
    json_log log;            /* in memory */
    char *text;
    size_t size;
    int lock;
    double test_accuracy;
} work;

static char *join(const char *folder, const char *name, const char *ending)
{
    size_t size = strlen(folder) + strlen(name) + strlen(ending) + 2;
    char *path = allocate(size, 1);
    snprintf(path, size, "%s/%s%s", folder, name, ending);
    return path;
}

/* ---- the log ---- */

static void begin_log(work *w)
{
    w->log = (json_log){.path = w->path, .file = open_memstream(&w->text, &w->size)};
    if (w->log.file == NULL)
        fail("out of memory");
}

/* The file is the old log or the new one at any moment, also if the power fails. */
static void write_log(work *w)
{
    char *beside = join(w->sweep->out, w->run->name, ".jsonl.new");
    FILE *file = fopen(beside, "w");
    if (fflush(w->log.file) != 0)
        fail("out of memory");
    if (file == NULL || fwrite(w->text, 1, w->size, file) != w->size || fflush(file) != 0 || fsync(fileno(file)) != 0 ||
        fclose(file) != 0 || rename(beside, w->path) != 0)
        fail("%s: %s", w->path, strerror(errno));
    free(beside);
}

/* What was renamed in the folder so far stays so. File systems that cannot promise it are asked in vain. */
static void sync_folder(const char *folder)
{
    int file = open(folder, O_RDONLY | O_DIRECTORY);
    if (file < 0 || (fsync(file) != 0 && errno != EINVAL && errno != EROFS))
        fail("%s: %s", folder, strerror(errno));
    close(file);
}

static void log_run(work *w)
{
    const recipe *how = &w->t.how;
    const paper_net *net = &w->run->net;
    char what[256];
    double drops[MOST_DROPS];
    paper_net_describe(net, what, sizeof what);
    for (int32_t i = 0; i < how->n_drops; i++)
        drops[i] = (double)how->drops[i];
    json_text(&w->log, "event", "run");
    json_text(&w->log, "name", w->run->name);
    json_text(&w->log, "net", what);
    json_text(&w->log, "kind", paper_net_kind(net));
    json_field(&w->log, "depth", net->depth, 9);
    json_field(&w->log, "width", net->width, 9);
    json_field(&w->log, "parameters", (double)dirac_net_trained_count(w->net), 15);
    json_field(&w->log, "seed", (double)w->run->seed, 15);
    json_field(&w->log, "epochs", (double)how->epochs, 9);
    json_numbers(&w->log, "drops", drops, how->n_drops, 9);
    json_field(&w->log, "lr", how->rate, 9);
    json_field(&w->log, "factor", how->factor, 9);
    json_field(&w->log, "momentum", how->momentum, 9);
    json_field(&w->log, "restart_momentum", how->restart_momentum, 9);
    json_field(&w->log, "weight_decay", how->decay, 9);
    json_field(&w->log, "batch", (double)how->batch, 9);
    json_field(&w->log, "classes", w->data.classes, 9);
    json_field(&w->log, "train_images", (double)w->data.train_images, 15);
    json_field(&w->log, "test_images", (double)w->data.test_images, 15);
    json_text(&w->log, "library", dirac_version_string());
    json_text(&w->log, "kernels", dirac_context_kernels(w->sweep->context));
    json_field(&w->log, "threads", w->sweep->threads, 9);
    json_end(&w->log);
}

static void log_end(work *w, bool diverged)
{
    json_text(&w->log, "event", "end");
    json_text(&w->log, "outcome", diverged ? "diverged" : "done");
    if (diverged)
        json_text(&w->log, "message", dirac_error_message());
    else
        json_field(&w->log, "test_accuracy", w->test_accuracy, 10);
    json_end(&w->log);
    write_log(w);
}

/* ---- what the training tells ---- */

static void on_epoch(void *user, const epoch_result *e)
{
    work *w = user;
    w->test_accuracy = e->test_accuracy;
    json_text(&w->log, "event", "epoch");
    json_field(&w->log, "epoch", (double)e->epoch, 15);
    json_field(&w->log, "lr", e->rate, 6);
    json_field(&w->log, "train_loss", e->loss, 10);
    json_field(&w->log, "train_accuracy", e->train_accuracy, 10);
    json_field(&w->log, "test_accuracy", e->test_accuracy, 10);
    json_field(&w->log, "seconds", e->seconds, 6);
    json_field(&w->log, "images_per_second", (double)w->data.train_images / e->train_seconds, 5);
    json_end(&w->log);
    printf("%s: epoch %2" PRId64 "/%" PRId64 "  loss %.4f  train %5.2f %%  test %5.2f %%  %.0f s\n", w->run->name,
           e->epoch, w->t.how.epochs, e->loss, e->train_accuracy, e->test_accuracy, e->seconds);
    fflush(stdout);
}

static void on_step(void *user, int64_t batches)
{
    work *w = user;
    if (w->watch != NULL && w->watch->step != NULL)
        w->watch->step(w->watch->user, batches, &w->log);
    if (w->sweep->stop_after > 0 && --w->sweep->stop_after == 0)
        training_ask_to_stop();
}

/* A log is written only together with a checkpoint: both or neither have seen a batch. */
static void on_saving(void *user, dirac_checkpoint *checkpoint)
{
    work *w = user;
    fflush(w->log.file);
    check(dirac_checkpoint_set_blob(checkpoint, "log", w->text, w->size), "checkpoint");
    write_log(w);
}

/* Of the last epoch in the log, 0 if there is none: a run may have been stopped between its last epoch and its end. */
static double last_test_accuracy(const char *log)
{
    const char *const name = "\"test_accuracy\": ";
    double last = 0;
    for (const char *at = log; (at = strstr(at, name)) != NULL;) {
        at += strlen(name);
        last = strtod(at, NULL);
    }
    return last;
}

static void on_resumed(void *user, const dirac_checkpoint *checkpoint)
{
    work *w = user;
    const void *text;
    size_t size;
    check(dirac_checkpoint_blob(checkpoint, "log", &text, &size), w->checkpoint);
    if (fwrite(text, 1, size, w->log.file) != size || fflush(w->log.file) != 0)
        fail("out of memory");
    w->test_accuracy = last_test_accuracy(w->text); /* ends with a zero byte once flushed */
}

/* ---- a run ---- */

/* Whether the log's last line says that the run has ended. */
static bool finished(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    if (file == NULL)
        return false;
    while (getline(&line, &room, file) > 0)
        found = strncmp(line, "{\"event\": \"end\"", 15) == 0;
    free(line);
    fclose(file);
    return found;
}

static void open_work(work *w, const sweep *s, const paper_run *run)
{
    recipe how = s->how;
    char what[256];
    how.seed = run->seed;
    begin_log(w);
    w->data = s->tree != NULL ? image_tree_feed(s->tree, how.batch, run->seed)
                              : feed_from_source(&s->images, how.batch, run->seed);
    w->net = paper_net_build(&run->net, s->context, w->data.dims, w->data.classes, run->seed);
    paper_net_describe(&run->net, what, sizeof what);
    training_open(&w->t, s->context, w->net, &w->data, &how, what,
                  (training_watch){.user = w,
                                   .epoch = on_epoch,
                                   .step = on_step,
                                   .saving = on_saving,
                                   .resumed = on_resumed});
    if (run->net.scale_decay > 0) {
        check(dirac_sgd_set_parameter_decay(w->t.sgd, "*.alpha", (float)run->net.scale_decay), "decay");
        check(dirac_sgd_set_parameter_decay(w->t.sgd, "*.beta", (float)run->net.scale_decay), "decay");
    }
}

/* From the checkpoint, if there is one. */
static void start(work *w)
{
    bool resumed = access(w->checkpoint, F_OK) == 0;
    if (resumed)
        training_resume(&w->t, w->checkpoint);
    else
        log_run(w);
    if (w->watch != NULL && w->watch->begin != NULL)
        w->watch->begin(w->watch->user, w->net, dirac_batches_per_epoch(w->data.train), resumed, &w->log);
}

static void do_run(work *w)
{
    start(w);
    int end = training_run(&w->t, w->checkpoint);
    if (end == TRAINING_STOPPED) {
        training_save(&w->t, w->checkpoint);
        fail("stopped in epoch %" PRId64 " of %s; the same command goes on", w->t.so_far.epoch + 1, w->run->name);
    }
    check(dirac_net_save(w->net, w->model), "saving the model");
    if (w->watch != NULL && w->watch->end != NULL)
        w->watch->end(w->watch->user, &w->log);
    log_end(w, end == TRAINING_DIVERGED);
    sync_folder(w->sweep->out); /* before the only other copy of the log goes */
    unlink(w->checkpoint);
}

static void close_work(work *w)
{
    training_close(&w->t);
    feed_close(&w->data);
    dirac_net_destroy(w->net);
    fclose(w->log.file);
    free(w->text);
}

/* Holds the run against other programs of this sweep; false if one of them has it. */
static bool take(work *w)
{
    char *path = join(w->sweep->state, w->run->name, ".lock");
    w->lock = open(path, O_RDWR | O_CREAT, 0666);
    if (w->lock < 0)
        fail("%s: %s", path, strerror(errno));
    free(path);
    return flock(w->lock, LOCK_EX | LOCK_NB) == 0;
}

void sweep_do(sweep *s, const paper_run *runs, int32_t count, const sweep_watch *watch)
{
    for (int32_t i = 0; i < count; i++) {
        work w = {.sweep = s, .run = &runs[i], .watch = watch};
        if (!name_wanted(s->only, runs[i].name))
            continue;
        w.path = join(s->out, runs[i].name, ".jsonl");
        w.checkpoint = join(s->state, runs[i].name, ".checkpoint");
        w.model = join(s->state, runs[i].name, ".safetensors");
        bool done = finished(w.path);
        if (s->list)
            printf("%-40s %s\n", runs[i].name, done ? "finished" : "-");
        else if (done)
            unlink(w.checkpoint); /* killed between the end of the log and this */
        else if (take(&w) && !finished(w.path)) { /* asked again: another program may just have ended it */
            open_work(&w, s, &runs[i]);
            do_run(&w);
            close_work(&w);
        }
        if (w.lock > 0)
            close(w.lock);
        free(w.model);
        free(w.checkpoint);
        free(w.path);
    }
}
