/* SPDX-License-Identifier: MIT */
/*
 * Every allocation fails once: for each scenario and each n, the n-th request is refused, or the n-th and all after it.
 * The call that met the refusal returns DIRAC_ERR_MEMORY and holds on to nothing; then either everything is destroyed and
 * every byte is back, or the same call is repeated, the act goes on with the same handles, and what it leaves is bit for
 * bit what it leaves without a fault.
 */
#include "fault/scenarios.h"
#include "support/sanitizers.h"

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

/* One act with one fault; returns the requests of its calls. */
static size_t act_once(const scenario *s, int way, size_t at, size_t from, floats *all)
{
    memset(&run, 0, sizeof run);
    run.flags = s->flags;
    run.way = way;
    run.first = at;
    run.from = from;
    const int32_t status = play(s, NULL, all);
    if (at + from > 0 && (memory.refused == 0 || run.met == 0))
        fail_msg("%s: request %zu was refused and nobody noticed", s->name, at + from);
    if (status != (at + from == 0 || way == REPEAT ? DIRAC_OK : DIRAC_ERR_MEMORY))
        fail_msg("%s, request %zu: %s after %s: %s", s->name, at + from, dirac_status_name(status), run.failed_call,
                 dirac_error_message());
    return run.counted;
}

/* Returns how many faults were injected. */
static size_t try_all(const scenario *s, const floats *want, size_t requests)
{
    const size_t step = ADDRESS_SANITIZER && quick ? 3 : 1; /* there a request takes long; the gate tries all of them */
    size_t faults = 0;
    for (int way = GIVE_UP; way <= REPEAT; way++)
        for (int all = 0; all < 2; all++)
            for (size_t n = 1; n <= requests && !(way == REPEAT && (s->flags & COSTLY)); n += step, faults++) {
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
