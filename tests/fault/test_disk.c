/* SPDX-License-Identifier: MIT */
/*
 * Saving where there is no room or no right to write: an error that says why, the old file whole, no temporary left, and
 * the next save succeeds once there is room. By a limit on the size of files (any account), and on a real file system of
 * 64 KB, full and then read-only (where mounting is allowed).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/nets.h"

static char folder[] = "/tmp/dirac-disk-XXXXXX", path[64];
static dirac_context *context;
static dirac_net *net;
static dirac_checkpoint *checkpoint;

static int setup(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN); /* a host that sets limits does so */
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/saved", folder);
    ok(dirac_context_create(&context));
    ok(dirac_net_create(&net, context));
    dirac_net_output(net, dirac_net_linear(net, dirac_net_input(net, 100), 100)); /* 40 KB */
    ok(dirac_net_build(net));
    ok(dirac_checkpoint_create(&checkpoint, context));
    return dirac_checkpoint_add_net(checkpoint, "net", net);
}

static int teardown(void **state)
{
    (void)state;
    dirac_checkpoint_destroy(checkpoint);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return rmdir(folder);
}

static int32_t save(int as_checkpoint)
{
    return as_checkpoint ? dirac_checkpoint_save(checkpoint, path) : dirac_net_save(net, path);
}

static int32_t load(int as_checkpoint)
{
    return as_checkpoint ? dirac_checkpoint_load(checkpoint, path)
                         : dirac_net_load_weights(net, path, DIRAC_LOAD_STRICT);
}

static int entries(void)
{
    DIR *directory = opendir(folder);
    int count = 0;
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 2;
}

/* A save that must fail: the net differs from what lies at `path`, which must stay. */
static void expect_failure(int as_checkpoint, const char *reason)
{
    floats old = {NULL, 0}, now = {NULL, 0};
    ok(load(as_checkpoint));
    append_net(&old, net);
    ok(dirac_net_initialize(net, 99));
    refused(save(as_checkpoint), DIRAC_ERR_IO);
    message_has(path);
    message_has(reason);
    assert_int_equal(entries(), 1);
    ok(load(as_checkpoint));
    append_net(&now, net);
    same_bits("the old file", old, now);
    drop_floats(&old), drop_floats(&now);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_size_limit(void **state)
{
    (void)state;
    for (int as_checkpoint = 0; as_checkpoint < 2; as_checkpoint++) {
        ok(save(as_checkpoint));
        for (rlim_t bytes = 0; bytes < 40000; bytes += bytes < 16 ? 1 : 1999) {
            limit_files(bytes);
            expect_failure(as_checkpoint, "File too large");
        }
        limit_files(RLIM_INFINITY);
        ok(dirac_net_initialize(net, 5));
        ok(save(as_checkpoint));
        ok(load(as_checkpoint));
        assert_int_equal(unlink(path), 0);
    }
}

static void test_small_disk(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 || /* ends with us */
        mount("none", folder, "tmpfs", 0, "size=64k") != 0) {
        print_message("file systems may not be mounted here: left out\n");
        skip();
    }
    for (int as_checkpoint = 0; as_checkpoint < 2; as_checkpoint++) {
        ok(save(as_checkpoint)); /* one fits, two do not */
        expect_failure(as_checkpoint, "No space left on device");
        assert_int_equal(mount("none", folder, "none", MS_REMOUNT | MS_RDONLY, "size=64k"), 0);
        expect_failure(as_checkpoint, "Read-only file system");
        assert_int_equal(mount("none", folder, "none", MS_REMOUNT, "size=256k"), 0);
        ok(save(as_checkpoint)); /* room again */
        ok(load(as_checkpoint));
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mount("none", folder, "none", MS_REMOUNT, "size=64k"), 0);
    }
    assert_int_equal(umount(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_size_limit), cmocka_unit_test(test_small_disk)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
