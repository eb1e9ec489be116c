/* SPDX-License-Identifier: MIT */
/* Optimizers. */
#include "api.h"

static dirac_sgd *pick(machine *m)
{
    return m->sgds[api_byte(m) % 2];
}

static void create(machine *m)
{
    const int32_t slot = api_byte(m) % 2;
    dirac_sgd_destroy(m->sgds[slot]);
    fuzz_status(dirac_sgd_create(&m->sgds[slot], api_pick_net(m)->net));
}

static void destroy(machine *m)
{
    const int32_t slot = api_byte(m) % 2;
    dirac_sgd_destroy(m->sgds[slot]);
    m->sgds[slot] = NULL;
}

static void set(machine *m)
{
    dirac_sgd *sgd = pick(m);
    switch (api_byte(m) % 7) {
    case 0: fuzz_status(dirac_sgd_set_learning_rate(sgd, (float)api_real(m))); break;
    case 1: fuzz_status(dirac_sgd_set_momentum(sgd, (float)api_real(m))); break;
    case 2: fuzz_status(dirac_sgd_set_nesterov(sgd, api_option(m))); break;
    case 3: fuzz_status(dirac_sgd_set_weight_decay(sgd, (float)api_real(m))); break;
    case 4: fuzz_status(dirac_sgd_set_parameter_decay(sgd, api_name(m), (float)api_real(m))); break;
    case 5: fuzz_status(dirac_sgd_set_parameter_rate(sgd, api_name(m), (float)api_real(m))); break;
    default: fuzz_status(dirac_sgd_set_clip_norm(sgd, (float)api_real(m))); break;
    }
}

static void schedule(machine *m)
{
    dirac_sgd *sgd = pick(m);
    const int64_t at[3] = {api_size(m), api_size(m), api_size(m)};
    switch (api_byte(m) % 3) {
    case 0: fuzz_status(dirac_sgd_schedule_drops(sgd, at, api_byte(m) % 4, (float)api_real(m), api_option(m))); break;
    case 1: fuzz_status(dirac_sgd_schedule_cosine(sgd, at[0], (float)api_real(m))); break;
    default: fuzz_status(dirac_sgd_schedule_warmup(sgd, at[0], (float)api_real(m))); break;
    }
}

static void step(machine *m)
{
    dirac_sgd *sgd = pick(m);
    float rate;
    int64_t before = 0, after = 0;
    fuzz_status(dirac_sgd_learning_rate(sgd, &rate));
    fuzz_status(dirac_sgd_steps(sgd, &before));
    const int32_t status = dirac_sgd_step(sgd, api_pick_session(m)->session);
    fuzz_status(status);
    fuzz_status(dirac_sgd_steps(sgd, &after));
    FUZZ_CHECK(after - before == (status == DIRAC_OK));
}

static void momentum(machine *m)
{
    dirac_sgd *sgd = pick(m);
    const char *name = api_name(m);
    const uint8_t count = api_byte(m);
    fuzz_status(dirac_sgd_restart_momentum(sgd));
    fuzz_status(dirac_sgd_momentum_read(sgd, name, m->numbers + NUMBERS / 2, count));
    fuzz_status(dirac_sgd_momentum_write(sgd, name, m->numbers, count));
}

static int32_t stop(void *user, int64_t done, int64_t total)
{
    FUZZ_CHECK(done > 0 && done <= total);
    return api_byte(user) > 200;
}

static void epoch(machine *m)
{
    dirac_batches *batches = m->batches[api_byte(m) % 2];
    api_session *s = api_pick_session(m);
    double loss, accuracy;
    int64_t cost = 0;
    if (dirac_batches_per_epoch(batches) > 64 ||
        (dirac_session_multiply_adds(s->session, &cost) == DIRAC_OK && cost > 1 << 14))
        return;
    if (api_byte(m) % 2)
        fuzz_status(dirac_sgd_epoch(pick(m), s->session, batches, stop, m, &loss, &accuracy));
    else
        fuzz_status(dirac_session_evaluate(s->session, batches, NULL, NULL, &loss, NULL));
}

const operation api_sgd_operations[] = {create, create, destroy, set, set, schedule, step, step, step, momentum, epoch, NULL};
