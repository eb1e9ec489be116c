/* SPDX-License-Identifier: MIT */
/*
 * Every allocation fails once: for each scenario and each n, the n-th request is refused, or the n-th and all after it.
 * The call that met the refusal returns DIRAC_ERR_MEMORY and holds on to nothing; then either everything is destroyed and
 * every byte is back, or the same call is repeated, the act goes on with the same handles, and what it leaves is bit for
 * bit what it leaves without a fault.
 */
#include "fault/scenarios.h"

enum { GIVE_UP, REPEAT };
static int quick;
static const char *only;

static struct {
    int flags, way, met, repeated;
    size_t alive;         /* before the call at hand */
    size_t first, from;   /* the requests to refuse, counted within the act's calls */
    size_t counted;       /* requests of the act's calls before the one at hand */
    size_t begun;         /* memory.requests when the call at hand began */
    char failed_call[200];
} run;

static void begin_call(void)
{
    run.alive = memory.alive;
    run.begun = memory.requests;
    if (run.repeated)
        return;
    memory.refuse_at = run.first > run.counted ? run.begun + run.first - run.counted : 0;
    memory.refuse_from = run.from == 0 ? 0 : run.begun + (run.from > run.counted ? run.from - run.counted : 1);
}

static void end_call(void)
{
    memory.refuse_at = memory.refuse_from = 0;
    run.counted += memory.requests - run.begun;
}

static int repeat_call(int32_t status, const char *call)
{
    if (memory.refused == 0 || run.repeated)
        return 0;
    snprintf(run.failed_call, sizeof run.failed_call, "%s", call);
    if (status != DIRAC_ERR_MEMORY || dirac_error_message()[0] == '\0')
        fail_msg("%s: %s: %s", call, dirac_status_name(status), dirac_error_message());
    if (memory.alive > run.alive && (run.flags & KEEPS) == 0) /* fewer: a plan that was only for asking */
        fail_msg("%s: %zu blocks before, %zu after it failed at request %zu", call, run.alive, (size_t)memory.alive,
                 run.first + run.from);
    run.met++;
    run.repeated = run.way == REPEAT;
    return run.repeated;
}

static void reset(int flags, int way, size_t at, size_t from)
{
    memset(&run, 0, sizeof run);
    run.flags = flags;
    run.way = way;
    run.first = at;
    run.from = from;
}

/* One act with one fault; returns the requests of its calls. */
static size_t act_once(const scenario *s, int way, size_t at, size_t from, floats *all)
{
    handles base = {.which = s->which, .threads = s->flags & THREADS ? 2 : 1}, made = {0};
    memset(&memory, 0, sizeof memory);
    ok(s->prepare(&base));
    reset(s->flags, way, at, from);
    const int32_t status = s->act(&base, &made);
    if (at + from == 0)
        ok(status);
    else if (memory.refused == 0 || run.met == 0)
        fail_msg("%s: request %zu was refused and nobody noticed (%zu refused, %zu requests)", s->name, at + from,
                 (size_t)memory.refused, run.counted);
    else if (status != (way == REPEAT ? DIRAC_OK : DIRAC_ERR_MEMORY))
        fail_msg("%s, request %zu: %s after %s: %s", s->name, at + from, dirac_status_name(status), run.failed_call,
                 dirac_error_message());
    dirac_context *context = base.context != NULL ? base.context : made.context;
    if (status == DIRAC_OK) {
        witness(&base, context, all);
        witness(&made, context, all);
    }
    made.context = base.context != NULL ? NULL : made.context;
    close_handles(&made, context);
    close_handles(&base, base.context);
    if (memory.alive != 0 || memory.bytes != 0 || memory.wrong != 0)
        fail_msg("%s, request %zu: %zu blocks are left, %d misuses", s->name, at + from, (size_t)memory.alive,
                 memory.wrong);
    return run.counted;
}

/* Returns how many faults were injected. */
static size_t try_all(const scenario *s, const floats *want, size_t requests)
{
    size_t faults = 0;
    for (int way = GIVE_UP; way <= REPEAT; way++)
        for (int all = 0; all < 2; all++)
            for (size_t n = 1; n <= requests && !(way == REPEAT && (s->flags & COSTLY)); n++, faults++) {
                floats got = {NULL, 0};
                act_once(s, way, all ? 0 : n, all ? n : 0, &got);
                if (way == REPEAT)
                    same_bits(s->name, *want, got);
                drop_floats(&got);
            }
    return faults;
}

static void test_every_allocation(void **state)
{
    (void)state;
    size_t sum = 0;
    faults_on = begin_call;
    faults_off = end_call;
    faults_retry = repeat_call;
    make_folder();
    for (size_t i = 0; i < n_scenarios; i++) {
        if (only != NULL ? strcmp(only, scenarios[i].name) != 0 : quick && (scenarios[i].flags & COSTLY) != 0)
            continue;
        floats want = {NULL, 0};
        const size_t requests = act_once(&scenarios[i], GIVE_UP, 0, 0, &want);
        const size_t faults = try_all(&scenarios[i], &want, requests);
        print_message("%s: %zu requests, %zu faults\n", scenarios[i].name, requests, faults);
        sum += faults;
        drop_floats(&want);
    }
    print_message("%zu faults in all\n", sum);
    assert_true(only != NULL || sum > 1000);
    drop_folder();
}

/* Arguments: --quick leaves out what takes long; a name runs that scenario alone. */
int main(int argc, char **argv)
{
    quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    only = argc > 1 && !quick ? argv[1] : NULL;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
