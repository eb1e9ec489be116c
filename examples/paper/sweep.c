/* SPDX-License-Identifier: MIT */
/* Runs of a sweep. */
#include "sweep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/program.h"
#include "durable.h"

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
    int log_lock, state_lock;
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

static void write_log(work *w)
{
    if (fflush(w->log.file) != 0)
        fail("out of memory");
    durable_replace(w->path, w->text, w->size);
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

/* The log is on the disk before the checkpoint, which holds it too: whoever goes on from the checkpoint writes that one. */
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

/* The size of a finished log, up to its "end" line's last brace; 0 if that line is not there, or not whole. */
static size_t finished_size(const char *log)
{
    const char *line = log;
    while (line != NULL) {
        const size_t size = strcspn(line, "\n");
        if (strncmp(line, "{\"event\": \"end\"", 15) == 0 && line[size - 1] == '}')
            return (size_t)(line - log) + size;
        line = line[size] == '\n' ? line + size + 1 : NULL;
    }
    return 0;
}

static bool finished(const char *path)
{
    size_t size;
    char *log = durable_read(path, &size);
    const bool found = log != NULL && finished_size(log) > 0;
    free(log);
    return found;
}

/* Whether the run is finished and nothing is left to tidy, so that its folders need not even be writable. */
static bool settled(const work *w)
{
    size_t size;
    char *log = durable_read(w->path, &size);
    const size_t whole = log != NULL ? finished_size(log) : 0;
    free(log);
    return whole > 0 && size == whole + 1 && access(w->checkpoint, F_OK) != 0 && !durable_lock_left(w->path);
}

/* What a kill or a hand may have left of a finished run: something behind the log's end, and the checkpoint. */
static void tidy(const work *w)
{
    size_t size;
    char *log = durable_read(w->path, &size);
    const size_t whole = finished_size(log);
    if (size != whole + 1 || log[whole] != '\n') {
        log[whole] = '\n'; /* there is a zero byte more than the file has */
        durable_replace(w->path, log, whole + 1);
    }
    free(log);
    durable_sync_folder(w->path); /* before the only other copy of the log goes */
    durable_remove(w->checkpoint);
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

/* From the checkpoint, if there is one. What the log has that the checkpoint has not goes: those batches come again. */
static void start(work *w)
{
    bool resumed = access(w->checkpoint, F_OK) == 0;
    if (!resumed && errno != ENOENT)
        fail("%s: %s", w->checkpoint, strerror(errno));
    if (resumed)
        training_resume(&w->t, w->checkpoint);
    else
        log_run(w);
    if (w->watch != NULL && w->watch->begin != NULL)
        w->watch->begin(w->watch->user, w->net, dirac_batches_per_epoch(w->data.train), resumed, &w->log);
    write_log(w);
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
    durable_remove(w->checkpoint);
}

static void close_work(work *w)
{
    training_close(&w->t);
    feed_close(&w->data);
    dirac_net_destroy(w->net);
    fclose(w->log.file);
    free(w->text);
}

/* ---- one program a run ---- */

/* Holds the run's log and its state against other programs; false if one of them has either. */
static bool take(work *w)
{
    w->log_lock = durable_take(w->path);
    w->state_lock = w->log_lock < 0 ? -1 : durable_take(w->checkpoint);
    if (w->state_lock >= 0)
        return true;
    if (w->log_lock >= 0)
        durable_give(w->path, w->log_lock);
    return false;
}

static void give(const work *w)
{
    durable_give(w->checkpoint, w->state_lock);
    durable_give(w->path, w->log_lock);
}

static void do_if_free(work *w)
{
    if (!take(w)) {
        printf("%s: another program is at it; left to that one\n", w->run->name);
        return;
    }
    if (finished(w->path)) { /* looked at now: another program may just have ended it */
        tidy(w);
    } else {
        open_work(w, w->sweep, w->run);
        do_run(w);
        close_work(w);
    }
    give(w);
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
        if (s->list)
            printf("%-40s %s\n", runs[i].name, finished(w.path) ? "finished" : "-");
        else if (!settled(&w))
            do_if_free(&w);
        free(w.model);
        free(w.checkpoint);
        free(w.path);
    }
}
