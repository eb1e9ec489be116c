/* SPDX-License-Identifier: MIT */
/*
 * Saving where there is no room or no right to write: an error that says why, the old file whole, no temporary left, and
 * the next save succeeds once there is room. By a limit on the size of files, and by permissions of the file and of its
 * folder (any account); with --mounted on a real file system of 64 KB, full and then read-only, which any account may
 * mount in a user namespace of its own. Where the system allows none: 77, which counts as left out.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* No right to write, which root has everywhere: as another account then. */
static void test_permissions(void **state)
{
    (void)state;
    enum { NOBODY = 65534 };
    const int root = geteuid() == 0;
    if (root)
        assert_int_equal(chown(folder, NOBODY, (gid_t)-1), 0);
    if (root && seteuid(NOBODY) != 0) {
        print_message("another account cannot be taken on here: %s\n", strerror(errno));
        skip();
    }
    for (int as_checkpoint = 0; as_checkpoint < 2; as_checkpoint++) {
        ok(save(as_checkpoint));
        assert_int_equal(chmod(path, 0444), 0);
        expect_failure(as_checkpoint, "Permission denied");
        assert_int_equal(chmod(path, 0644), 0);
        assert_int_equal(chmod(folder, 0555), 0);
        expect_failure(as_checkpoint, "Permission denied");
        assert_int_equal(chmod(folder, 0755), 0);
        ok(save(as_checkpoint));
        ok(load(as_checkpoint));
        assert_int_equal(unlink(path), 0);
    }
    if (root)
        assert_int_equal(seteuid(0), 0);
}

static void test_small_disk(void **state)
{
    (void)state;
    assert_int_equal(mount("none", folder, "tmpfs", 0, "size=64k"), 0);
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

/* ---- mounts of our own ---- */

static int put(const char *file, const char *text)
{
    const int fd = open(file, O_WRONLY | O_CLOEXEC);
    const int done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return fd >= 0 && close(fd) == 0 && done;
}

/* A view of the mounts that ends with this process; without a right to one, as root of a user namespace. */
static int may_mount(void)
{
    const unsigned user = geteuid(), group = getegid();
    char users[40], groups[40];
    snprintf(users, sizeof users, "0 %u 1", user);
    snprintf(groups, sizeof groups, "0 %u 1", group);
    if (unshare(CLONE_NEWNS) != 0 &&
        (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !put("/proc/self/uid_map", users) ||
         !put("/proc/self/setgroups", "deny") || !put("/proc/self/gid_map", groups)))
        return 0;
    return mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", folder, "tmpfs", 0, "size=64k") == 0 && umount(folder) == 0;
}

static int run_mounted(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_small_disk)};
    if (setup(NULL) != 0)
        return 1;
    if (!may_mount()) {
        print_message("file systems may not be mounted here: %s\n", strerror(errno));
        return teardown(NULL) == 0 ? 77 : 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return teardown(NULL) == 0 ? failed : 1;
}

/* In a child, which has one thread, as a user namespace demands: OpenBLAS starts its own as it is loaded. */
static int run_mounted_in_child(void)
{
    int status = 0;
    const pid_t child = fork();
    if (child == 0)
        exit(run_mounted());
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_size_limit), cmocka_unit_test(test_permissions)};
    return argc > 1 && strcmp(argv[1], "--mounted") == 0 ? run_mounted_in_child()
                                                         : cmocka_run_group_tests(tests, setup, teardown);
}
