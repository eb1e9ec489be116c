/* SPDX-License-Identifier: MIT */
/*
 * Every call of the system fails once: for each scenario that touches files or starts threads, each kind of call, each
 * error that kind may have, and each n, the n-th call fails, or the n-th and all after it. What only interrupts or cuts
 * short must go unnoticed, with the same bits. Anything else is an error of the call that met it, with the old file whole
 * at its place, no temporary, no descriptor and no byte left over; the same call repeated then succeeds.
 */
#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "fault/scenarios.h"
#include "fault/shim.h"

enum { GIVE_UP, REPEAT };
enum { UNNOTICED = 1, MAYBE = 2 }; /* must succeed; may succeed, with the same bits */

/* How each kind of call may fail. */
static const struct failure {
    const char *name;
    int kind, error, expect;
} failures[] = {
    {"open EIO", SHIM_OPEN, EIO, 0},
    {"open EMFILE", SHIM_OPEN, EMFILE, 0},
    {"open EINTR", SHIM_OPEN, EINTR, UNNOTICED},
    {"read EIO", SHIM_READ, EIO, 0},
    {"read EINTR", SHIM_READ, EINTR, UNNOTICED},
    {"read of one byte", SHIM_READ, SHIM_SHORT, UNNOTICED},
    {"read of nothing", SHIM_READ, SHIM_NOTHING, MAYBE}, /* the end, to the last read */
    {"write EIO", SHIM_WRITE, EIO, 0},
    {"write ENOSPC", SHIM_WRITE, ENOSPC, 0},
    {"write EINTR", SHIM_WRITE, EINTR, UNNOTICED},
    {"write of one byte", SHIM_WRITE, SHIM_SHORT, UNNOTICED},
    {"write of nothing", SHIM_WRITE, SHIM_NOTHING, 0},
    {"fsync EIO", SHIM_FSYNC, EIO, 0},
    {"fsync ENOSPC", SHIM_FSYNC, ENOSPC, 0},
    {"fsync EINTR", SHIM_FSYNC, EINTR, UNNOTICED},
    {"close EIO", SHIM_CLOSE, EIO, MAYBE}, /* after reading it does not matter */
    {"close EINTR", SHIM_CLOSE, EINTR, UNNOTICED},
    {"rename EIO", SHIM_RENAME, EIO, 0},
    {"rename ENOSPC", SHIM_RENAME, ENOSPC, 0},
    {"stat EIO", SHIM_STAT, EIO, MAYBE}, /* of what is opened next anyway */
    {"fchmod EPERM", SHIM_CHMOD, EPERM, 0},
    {"faccessat EACCES", SHIM_ACCESS, EACCES, 0},
    {"readlink EIO", SHIM_READLINK, EIO, MAYBE}, /* no link, as far as can be seen */
    {"pthread_create EAGAIN", SHIM_THREAD, EAGAIN, MAYBE}, /* workers are not needed for the result */
    {"pthread_mutex_init ENOMEM", SHIM_LOCK, ENOMEM, 0},
};

static const char old_text[] = "the old file";
static struct {
    const struct failure *failure;
    const char *scenario;
    size_t at, from, alive;
    int way, saves, met, repeated, files;
} run;

/* ---- what must not be left ---- */

static int count_entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static int open_files(void)
{
    return count_entries("/proc/self/fd");
}

static void put_old(void)
{
    FILE *file = fopen(saved_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(old_text, 1, sizeof old_text, file), sizeof old_text);
    assert_int_equal(fclose(file), 0);
}

static int is_old(void)
{
    char text[64] = "";
    FILE *file = fopen(saved_path, "rb");
    if (file == NULL)
        return 0;
    const size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    return size == sizeof old_text && memcmp(text, old_text, size) == 0;
}

/* ---- one act ---- */

static void begin_act(void)
{
    if (run.saves)
        put_old();
    run.files = count_entries(folder);
    shim_arm(run.failure == NULL ? 0 : run.failure->kind, run.failure == NULL ? 0 : run.failure->error, run.at, run.from);
}

static void begin_call(void)
{
    run.alive = memory.alive;
    shim.on = !run.repeated;
}

static void end_call(void)
{
    shim.on = 0;
}

static int expected(int32_t status, int kind)
{
    if (kind == SHIM_LOCK)
        return status == DIRAC_ERR_MEMORY || status == DIRAC_ERR_THREAD;
    return status == (kind == SHIM_THREAD ? DIRAC_ERR_THREAD : DIRAC_ERR_IO);
}

static int repeat_call(int32_t status, const char *call)
{
    if (shim.failed == 0 || run.repeated)
        return 0;
    if (!expected(status, run.failure->kind) || dirac_error_message()[0] == '\0')
        fail_msg("%s, %s %zu: %s: %s: %s", run.scenario, run.failure->name, run.at + run.from, call,
                 dirac_status_name(status), dirac_error_message());
    if (run.saves && !is_old() && strstr(dirac_error_message(), "is in place") == NULL)
        fail_msg("%s, %s %zu: the old file is gone: %s", run.scenario, run.failure->name, run.at + run.from,
                 dirac_error_message());
    assert_int_equal(count_entries(folder), run.files);
    assert_true(memory.alive <= run.alive);
    run.met++;
    run.repeated = run.way == REPEAT;
    return run.repeated;
}

static void check_end(int32_t status)
{
    const struct failure *f = run.failure;
    if (shim.failed == 0)
        fail_msg("%s, %s: call %zu never came", run.scenario, f->name, run.at + run.from);
    if (run.met > 0 ? f->expect == UNNOTICED : f->expect == 0)
        fail_msg("%s, %s %zu: %s: %s", run.scenario, f->name, run.at + run.from,
                 run.met ? "was noticed" : "was not noticed", dirac_error_message());
    if (run.met == 0 || run.way == REPEAT)
        assert_int_equal(status, DIRAC_OK);
}

/* Returns how many calls of the kind there were. */
static size_t act_once(const scenario *s, const struct failure *f, int way, size_t at, size_t from, floats *all)
{
    memset(&run, 0, sizeof run);
    run.scenario = s->name;
    run.saves = (s->flags & SAVES) != 0;
    run.failure = f;
    run.way = way;
    run.at = at;
    run.from = from;
    const int descriptors = open_files();
    const int32_t status = play(s, begin_act, all);
    assert_int_equal(open_files(), descriptors);
    if (at + from > 0)
        check_end(status);
    else
        ok(status);
    return shim.calls;
}

static size_t try_failure(const scenario *s, const struct failure *f, const floats *want)
{
    floats got = {NULL, 0};
    size_t faults = 0;
    const size_t calls = act_once(s, f, GIVE_UP, 0, 0, &got);
    drop_floats(&got);
    for (int way = GIVE_UP; way <= REPEAT; way++)
        for (int all = 0; all < (f->error == EINTR ? 1 : 2); all++) /* interrupted for ever is not a fault */
            for (size_t n = 1; n <= calls; n++, faults++) {
                act_once(s, f, way, all ? 0 : n, all ? n : 0, &got);
                if (got.count > 0)
                    same_bits(s->name, *want, got);
                drop_floats(&got);
            }
    return faults;
}

static void test_every_call(void **state)
{
    (void)state;
    size_t sum = 0;
    faults_on = begin_call;
    faults_off = end_call;
    faults_retry = repeat_call;
    make_folder();
    for (size_t i = 0; i < n_scenarios; i++) {
        const scenario *s = &scenarios[i];
        floats want = {NULL, 0};
        size_t faults = 0;
        if ((s->flags & (FILES | THREADS | KEEPS)) == 0)
            continue;
        act_once(s, NULL, GIVE_UP, 0, 0, &want);
        for (size_t j = 0; j < sizeof failures / sizeof *failures; j++)
            faults += try_failure(s, &failures[j], &want);
        print_message("%s: %zu faults\n", s->name, faults);
        sum += faults;
        drop_floats(&want);
    }
    print_message("%zu faults in all\n", sum);
    assert_true(sum > 500);
    drop_folder();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
