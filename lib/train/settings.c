/* SPDX-License-Identifier: MIT */
/* The settings that a checkpoint keeps as JSON, and back. 64-bit numbers without a sign are kept as signed ones. */
#include <math.h>
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "base/number.h"
#include "train/checkpoint.h"

static void put_integer(dirac__buffer *b, const char *name, int64_t value)
{
    dirac__json_put_name(b, name);
    dirac__json_put_integer(b, value);
}

static void put_float(dirac__buffer *b, const char *name, float value)
{
    dirac__json_put_name(b, name);
    dirac__json_put_number(b, (double)value, 9); /* enough to read the same float back */
}

/* The getters leave `ok` false once something is missing; checked once, at the end. */
static int64_t get_integer(const dirac__json *from, const char *name, int64_t least, int64_t most, bool *ok)
{
    int64_t value = 0;
    *ok = *ok && dirac__json_integer(dirac__json_member(from, name), &value) && value >= least && value <= most;
    return value;
}

/* As a float at least 0, finite and below `below`. */
static float get_float(const dirac__json *value, double below, bool *ok)
{
    double number = 0;
    *ok = *ok && dirac__json_number(value, &number);
    const float nearest = dirac__nearest_float(number);
    *ok = *ok && nearest >= 0 && isfinite(nearest) && (double)nearest < below;
    return *ok ? nearest : 0;
}

/* A parameter's own decay; -1: the optimizer's. */
static float get_own_decay(const dirac__json *value, bool *ok)
{
    double number = 0;
    return dirac__json_number(value, &number) && number == -1 ? -1.0f : get_float(value, INFINITY, ok);
}

static int32_t verdict(bool ok, const char *what)
{
    return ok ? DIRAC_OK : dirac__fail(DIRAC_ERR_FORMAT, "the settings of %s are malformed", what);
}

/* ---- optimizer ---- */

static void write_schedule(const dirac__schedule *schedule, dirac__buffer *b)
{
    put_integer(b, "schedule", schedule->kind);
    dirac__json_put_name(b, "drops");
    dirac__json_open(b, '[');
    for (int32_t i = 0; i < schedule->n_drops; i++)
        dirac__json_put_integer(b, schedule->at[i]);
    dirac__json_close(b, ']');
    put_float(b, "factor", schedule->factor);
    put_integer(b, "restart_momentum", schedule->restart_momentum);
    put_integer(b, "cosine_steps", schedule->cosine_steps);
    put_float(b, "last", schedule->last);
    put_integer(b, "warmup_steps", schedule->warmup_steps);
    put_float(b, "first", schedule->first);
}

static void write_rules(const dirac_sgd *sgd, dirac__buffer *b)
{
    dirac__json_put_name(b, "rules");
    dirac__json_open(b, '[');
    for (size_t i = 0; i < sgd->net->n_tensors; i++) {
        dirac__json_open(b, '[');
        dirac__json_put_number(b, (double)sgd->rules[i].decay, 9);
        dirac__json_put_number(b, (double)sgd->rules[i].factor, 9);
        dirac__json_put_integer(b, sgd->rules[i].started);
        dirac__json_close(b, ']');
    }
    dirac__json_close(b, ']');
}

void dirac__sgd_write(const dirac_sgd *sgd, dirac__buffer *b)
{
    dirac__json_open(b, '{');
    put_integer(b, "steps", sgd->steps);
    put_float(b, "learning_rate", sgd->rate);
    put_float(b, "momentum", sgd->momentum);
    put_float(b, "weight_decay", sgd->decay);
    put_float(b, "clip_norm", sgd->clip_norm);
    put_integer(b, "nesterov", sgd->nesterov);
    write_schedule(&sgd->schedule, b);
    write_rules(sgd, b);
    dirac__json_close(b, '}');
}

static void read_schedule(const dirac__json *from, dirac__schedule *schedule, bool *ok)
{
    const dirac__json *drops = dirac__json_member(from, "drops");
    memset(schedule, 0, sizeof *schedule);
    schedule->kind = (int32_t)get_integer(from, "schedule", DIRAC__SCHEDULE_NONE, DIRAC__SCHEDULE_COSINE, ok);
    *ok = *ok && dirac__json_count(drops) <= DIRAC__MAX_DROPS;
    for (size_t i = 0; *ok && i < dirac__json_count(drops); i++) {
        *ok = dirac__json_integer(dirac__json_item(drops, i), &schedule->at[i]) && schedule->at[i] >= 0 &&
              (i == 0 || schedule->at[i] > schedule->at[i - 1]);
        schedule->n_drops++;
    }
    schedule->factor = get_float(dirac__json_member(from, "factor"), INFINITY, ok);
    schedule->restart_momentum = get_integer(from, "restart_momentum", 0, 1, ok) != 0;
    schedule->cosine_steps = get_integer(from, "cosine_steps", 0, INT64_MAX, ok);
    schedule->last = get_float(dirac__json_member(from, "last"), INFINITY, ok);
    schedule->warmup_steps = get_integer(from, "warmup_steps", 0, INT64_MAX, ok);
    schedule->first = get_float(dirac__json_member(from, "first"), INFINITY, ok);
    *ok = *ok && (schedule->kind != DIRAC__SCHEDULE_COSINE || schedule->cosine_steps > 0);
}

int32_t dirac__sgd_read(const dirac__json *from, dirac_sgd *settings, dirac__rule *rules)
{
    const dirac__json *list = dirac__json_member(from, "rules");
    bool ok = true;
    settings->steps = get_integer(from, "steps", 0, INT64_MAX / 2, &ok); /* so that there is room to count on */
    settings->rate = get_float(dirac__json_member(from, "learning_rate"), INFINITY, &ok);
    settings->momentum = get_float(dirac__json_member(from, "momentum"), 1, &ok);
    settings->decay = get_float(dirac__json_member(from, "weight_decay"), INFINITY, &ok);
    settings->clip_norm = get_float(dirac__json_member(from, "clip_norm"), INFINITY, &ok);
    settings->nesterov = get_integer(from, "nesterov", 0, 1, &ok) != 0;
    read_schedule(from, &settings->schedule, &ok);
    ok = ok && dirac__json_count(list) == settings->net->n_tensors;
    for (size_t i = 0; ok && i < settings->net->n_tensors; i++) {
        const dirac__json *rule = dirac__json_item(list, i);
        int64_t started = 0;
        rules[i].decay = get_own_decay(dirac__json_item(rule, 0), &ok);
        rules[i].factor = get_float(dirac__json_item(rule, 1), INFINITY, &ok);
        ok = ok && dirac__json_integer(dirac__json_item(rule, 2), &started);
        rules[i].started = started != 0;
    }
    return verdict(ok, "the optimizer");
}

/* ---- session ---- */

void dirac__session_write(const dirac_session *s, dirac__buffer *b)
{
    dirac__json_open(b, '{');
    put_integer(b, "seed", (int64_t)s->seed);
    put_integer(b, "forwards", (int64_t)s->draws);
    put_integer(b, "statistics_pending", s->statistics);
    put_integer(b, "gradients_added", s->backward_done);
    if (s->spoiled.what != DIRAC__FINITE)
        put_integer(b, "loss_not_finite", 1);
    dirac__json_close(b, '}');
}

int32_t dirac__session_read(const dirac__json *from, dirac__session_settings *settings)
{
    bool ok = true;
    settings->seed = (uint64_t)get_integer(from, "seed", INT64_MIN, INT64_MAX, &ok);
    settings->draws = (uint64_t)get_integer(from, "forwards", 0, INT64_MAX, &ok);
    settings->statistics = get_integer(from, "statistics_pending", 0, 1, &ok) != 0;
    settings->backward_done = get_integer(from, "gradients_added", 0, 1, &ok) != 0;
    settings->spoiled = dirac__json_member(from, "loss_not_finite") != NULL &&
                        get_integer(from, "loss_not_finite", 0, 1, &ok) != 0;
    return verdict(ok, "the session");
}

/* ---- batches ---- */

static const char *const batch_names[4] = {"seed", "epoch", "batch", "options"};

void dirac__batches_write(const dirac_batches *batches, dirac__buffer *b)
{
    uint64_t state[4];
    dirac__batches_state(batches, state);
    dirac__json_open(b, '{');
    for (int i = 0; i < 4; i++)
        put_integer(b, batch_names[i], (int64_t)state[i]);
    dirac__json_close(b, '}');
}

int32_t dirac__batches_read(const dirac__json *from, uint64_t state[4])
{
    bool ok = true;
    for (int i = 0; i < 4; i++)
        state[i] = (uint64_t)get_integer(from, batch_names[i], INT64_MIN, INT64_MAX, &ok);
    return verdict(ok, "the batches");
}
