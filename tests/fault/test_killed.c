/* SPDX-License-Identifier: MIT */
/*
 * A process killed at any moment of saving leaves a file that loads, the old one or the new one, whole. Killed before
 * each call of the system that a save makes, one after the other; and killed from outside at random moments while it
 * saves files of up to 40 MB again and again, until as many kills as are wanted have fallen inside a save. What a
 * killed process leaves beside the file is in nobody's way. Arguments: the number of kills inside a save (default 40).
 */
#define _DEFAULT_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault/shim.h"
#include "support/nets.h"

static int kills = 40;
/* What a killed process was at, in memory that outlives it: a call of the system, and whether a save. */
static struct moment {
    volatile int call;
    atomic_int saving;
} *moment;
static char folder[] = "/tmp/dirac-killed-XXXXXX", path[64];

/* ---- what is saved: every weight is the number of the version ---- */

enum { SIZES = 4 };
static const int64_t widths[SIZES] = {4, 256, 1448, 3200}; /* 64 bytes, 256 KB, 8 MB, 41 MB of weights */

typedef struct saver {
    dirac_context *context;
    dirac_net *net;
    dirac_checkpoint *checkpoint;
    float *weights;
    size_t count;
    int as_checkpoint;
} saver;

static int32_t open_saver(saver *s, int64_t width, int as_checkpoint)
{
    memset(s, 0, sizeof *s);
    s->as_checkpoint = as_checkpoint;
    s->count = (size_t)(width * width);
    s->weights = malloc(s->count * sizeof *s->weights);
    int32_t status = s->weights == NULL ? DIRAC_ERR_MEMORY : dirac_context_create(&s->context);
    if (status == DIRAC_OK)
        status = dirac_net_create(&s->net, s->context);
    if (status != DIRAC_OK)
        return status;
    dirac_node *x = dirac_net_linear(s->net, dirac_net_input(s->net, width), width);
    dirac_node_set_int(x, "bias", 0);
    dirac_node_set_initializer(x, "weight", DIRAC_INIT_ZEROS, 0, 0);
    dirac_net_output(s->net, x);
    status = dirac_net_build(s->net);
    if (status == DIRAC_OK)
        status = dirac_checkpoint_create(&s->checkpoint, s->context);
    if (status == DIRAC_OK)
        status = dirac_checkpoint_add_net(s->checkpoint, "net", s->net);
    return status;
}

static void close_saver(saver *s)
{
    dirac_checkpoint_destroy(s->checkpoint);
    dirac_net_destroy(s->net);
    dirac_context_destroy(s->context);
    free(s->weights);
}

static int32_t save_version(saver *s, int version)
{
    for (size_t i = 0; i < s->count; i++)
        s->weights[i] = (float)version;
    int32_t status = dirac_net_tensor_write(s->net, "linear.weight", s->weights, s->count);
    if (status == DIRAC_OK && s->as_checkpoint)
        status = dirac_checkpoint_set_blob(s->checkpoint, "version", &version, sizeof version);
    if (status != DIRAC_OK)
        return status;
    atomic_store(&moment->saving, 1);
    status = s->as_checkpoint ? dirac_checkpoint_save(s->checkpoint, path) : dirac_net_save(s->net, path);
    atomic_store(&moment->saving, 0);
    return status;
}

/* Loads the file and returns the version that all of it has. */
static int load_version(saver *s)
{
    const void *blob;
    size_t size;
    if (s->as_checkpoint)
        ok(dirac_checkpoint_load(s->checkpoint, path));
    else
        ok(dirac_net_load_weights(s->net, path, DIRAC_LOAD_STRICT));
    ok(dirac_net_tensor_read(s->net, "linear.weight", s->weights, s->count));
    const int version = (int)s->weights[0];
    for (size_t i = 0; i < s->count; i++)
        if (!(s->weights[i] >= (float)version && s->weights[i] <= (float)version))
            fail_msg("weight %zu is of another version", i);
    if (s->as_checkpoint) {
        ok(dirac_checkpoint_blob(s->checkpoint, "version", &blob, &size));
        assert_memory_equal(blob, &version, sizeof version);
    }
    return version;
}

/* ---- the folder ---- */

/* Counts the temporaries that killed saves have left, and removes them. */
static int sweep(void)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    int count = 0;
    char name[400];
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL)
        if (strncmp(entry->d_name, ".dirac-", 7) == 0) {
            snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
            assert_int_equal(unlink(name), 0);
            count++;
        }
    closedir(directory);
    return count;
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/saved", mkdtemp(folder) == NULL ? "" : folder);
    moment = mmap(NULL, sizeof *moment, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (moment == MAP_FAILED)
        return -1;
    shim_inside = &moment->call;
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    sweep();
    unlink(path);
    shim_inside = NULL;
    munmap(moment, sizeof *moment);
    return rmdir(folder);
}

/* ---- killed before each call ---- */

/* In the child: saves versions without end; the shim kills at call `at`, if that is not 0. */
static void save_for_ever(int64_t width, int as_checkpoint, int version, size_t at, int ready)
{
    saver s;
    if (open_saver(&s, width, as_checkpoint) != DIRAC_OK)
        _exit(1);
    shim_arm(SHIM_ALL, SHIM_KILL, at, 0);
    if (write(ready, "", 1) != 1)
        _exit(2);
    shim.on = at > 0;
    do {
        if (save_version(&s, version++) != DIRAC_OK)
            _exit(3);
    } while (at == 0);
    _exit(0);
}

/* Starts the child and waits until it is about to save. */
static pid_t start(int64_t width, int as_checkpoint, int version, size_t at)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        save_for_ever(width, as_checkpoint, version, at, ends[1]);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return child;
}

/* Whether the child was killed (1) or came to its end (0). */
static int was_killed(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return 1;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return 0;
}

static void test_before_each_call(void **state)
{
    (void)state;
    for (int as_checkpoint = 0; as_checkpoint < 2; as_checkpoint++) {
        saver s;
        size_t at = 1;
        int old = 0, renamed = 0, left = 0;
        ok(open_saver(&s, 64, as_checkpoint));
        ok(save_version(&s, 1));
        while (was_killed(start(64, as_checkpoint, 2, at))) {
            const int version = load_version(&s);
            assert_true(version == 1 || version == 2);
            assert_true(!renamed || version == 2); /* once a call is behind the renaming, so are those after it */
            renamed = version == 2;
            old += version == 1;
            left += sweep();
            ok(save_version(&s, 1));
            at++;
        }
        assert_int_equal(load_version(&s), 2);
        print_message("%s: killed before each of %zu calls, %d times the old file, %d temporaries left\n",
                      as_checkpoint ? "checkpoint" : "model", at - 1, old, left);
        assert_true(at > 6 && old > 4 && left > 2);
        close_saver(&s);
    }
}

/* ---- killed at any moment ---- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void rest(double time)
{
    nanosleep(&(struct timespec){(time_t)time, (long)((time - (double)(time_t)time) * 1e9)}, NULL);
}

/* Kills outside a save; and those inside: where in it, how often the file was new, how many temporaries were left. */
static struct {
    int outside, inside, in_write, in_fsync, in_rename, fresh, left;
} seen;

static saver savers[SIZES][2];
static double times[SIZES][2]; /* of one version */

static void open_savers(void)
{
    for (int size = 0; size < SIZES; size++)
        for (int kind = 0; kind < 2; kind++) {
            ok(open_saver(&savers[size][kind], widths[size], kind));
            const double from = seconds();
            ok(save_version(&savers[size][kind], 1));
            times[size][kind] = seconds() - from;
        }
}

/* One kill, `delay` after the child began. Returns whether it fell inside a save. */
static int kill_once(int size, int kind, double delay)
{
    saver *s = &savers[size][kind];
    ok(save_version(s, 1));
    moment->call = 0;
    const pid_t child = start(widths[size], kind, 2, 0);
    rest(delay);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(was_killed(child), 1);
    const int call = moment->call, inside = atomic_exchange(&moment->saving, 0);
    const int version = load_version(s), left = sweep();
    assert_true(version >= 1);
    assert_true(left <= inside); /* a save that came to its end leaves nothing */
    seen.outside += !inside;
    if (!inside)
        return 0;
    seen.inside++;
    seen.in_write += call == SHIM_WRITE;
    seen.in_fsync += call == SHIM_FSYNC;
    seen.in_rename += call == SHIM_RENAME;
    seen.fresh += version > 1;
    seen.left += left;
    return 1;
}

/* Each size and kind in turn, each until a kill has fallen inside a save of it. */
static void test_at_any_moment(void **state)
{
    (void)state;
    const double begun = seconds();
    memset(&seen, 0, sizeof seen);
    open_savers();
    for (int i = 0; i < kills; i++) {
        const int size = i % SIZES, kind = i / SIZES % 2;
        uint64_t tries = 0;
        double delay;
        do {
            assert_true(tries < 100);
            delay = (double)uniform(11, 100 * (uint64_t)i + tries++, 0, 2) * times[size][kind];
        } while (!kill_once(size, kind, delay));
    }
    print_message("%d kills inside a save: %d in write(), %d in fsync(), %d in rename(), %d between; %d files new, %d "
                  "old; %d temporaries; %d more kills outside; %.0f s\n",
                  seen.inside, seen.in_write, seen.in_fsync, seen.in_rename,
                  seen.inside - seen.in_write - seen.in_fsync - seen.in_rename, seen.fresh, seen.inside - seen.fresh,
                  seen.left, seen.outside, seconds() - begun);
    assert_int_equal(seen.inside, kills);
    for (int size = 0; size < SIZES; size++)
        for (int kind = 0; kind < 2; kind++)
            close_saver(&savers[size][kind]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_before_each_call), cmocka_unit_test(test_at_any_moment)};
    if (argc > 1)
        kills = atoi(argv[1]);
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
