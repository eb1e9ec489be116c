/* SPDX-License-Identifier: MIT */
/*
 * Atomic files against what the file system then holds. The system calls that may fail are replaced by the functions
 * below, which this program defines before the C library's and which pass on to the kernel unless told to misbehave.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "base/mem.h"
#include "io/atomic_file.h"
#include "io/read_file.h"
#include "support/probe_memory.h"

/* ---- misbehaving system calls ---- */

static struct {
    bool on;
    size_t room; /* bytes that write() takes before `write_error` */
    int write_error;
    size_t most;        /* bytes that one write() takes */
    bool interrupt;     /* every second write() and fsync() is interrupted */
    int fsync_error[2]; /* of the file, of the directory */
    int rename_error;
    int full; /* a descriptor of /dev/full to write to instead, or -1 */
    int writes, fsyncs;
    int first_mode; /* what fchmod() found */
} fault;

static void faults_off(void)
{
    memset(&fault, 0, sizeof fault);
    fault.full = -1;
}

static void faults_on(void)
{
    faults_off();
    fault.on = true;
    fault.room = fault.most = SIZE_MAX;
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (fault.on) {
        if (fault.interrupt && fault.writes++ % 2 == 0) {
            errno = EINTR;
            return -1;
        }
        size = size < fault.most ? size : fault.most;
        size = size < fault.room ? size : fault.room;
        if (size == 0) {
            errno = fault.write_error;
            return -1;
        }
        fault.room -= size;
        fd = fault.full >= 0 ? fault.full : fd;
    }
    return (ssize_t)syscall(SYS_write, fd, data, size);
}

int fsync(int fd)
{
    if (fault.on) {
        if (fault.interrupt && fault.fsyncs++ % 2 == 0) {
            errno = EINTR;
            return -1;
        }
        struct stat found;
        int error = fstat(fd, &found) == 0 ? fault.fsync_error[S_ISDIR(found.st_mode)] : 0;
        if (error != 0) {
            errno = error;
            return -1;
        }
    }
    return (int)syscall(SYS_fsync, fd);
}

int fchmod(int fd, mode_t mode)
{
    struct stat found;
    fault.first_mode = fstat(fd, &found) == 0 ? (int)(found.st_mode & 07777) : -1;
    return (int)syscall(SYS_fchmod, fd, mode);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    if (fault.on && fault.rename_error != 0) {
        errno = fault.rename_error;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, 0);
}

/* ---- a directory of each test's own ---- */

static char home[4096];

static int set_up(void **state)
{
    char directory[] = "/tmp/dirac-atomic-XXXXXX";
    (void)state;
    faults_off();
    umask(022);
    return getcwd(home, sizeof home) == NULL || mkdtemp(directory) == NULL || chdir(directory) != 0;
}

/* Removes the directory, which is flat but for "sub". */
static void empty(const char *directory)
{
    DIR *list = opendir(directory);
    struct dirent *entry;
    while (list != NULL && (entry = readdir(list)) != NULL) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            remove(path) != 0) {
            empty(path);
            remove(path);
        }
    }
    if (list != NULL) {
        closedir(list);
    }
}

static int tear_down(void **state)
{
    char directory[4096];
    (void)state;
    faults_off();
    if (getcwd(directory, sizeof directory) == NULL || chdir(home) != 0) {
        return 1;
    }
    empty(directory);
    return rmdir(directory);
}

static int count_entries(const char *directory)
{
    DIR *list = opendir(directory);
    int count = -2; /* "." and ".." */
    assert_non_null(list);
    while (readdir(list) != NULL) {
        count++;
    }
    closedir(list);
    return count;
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *path, const char *text)
{
    char found[600];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(found, 1, sizeof found - 1, file);
    found[size] = '\0';
    fclose(file);
    assert_string_equal(found, text);
}

static int permissions(const char *path)
{
    struct stat found;
    assert_int_equal(lstat(path, &found), 0);
    return (int)(found.st_mode & 07777);
}

/* Writes `text` in two pieces. */
static int32_t save(const char *path, const char *text)
{
    dirac__atomic_file *file;
    size_t size = strlen(text), half = size / 2;
    int32_t status = dirac__atomic_open(&file, &dirac__default_memory, path);
    if (status != DIRAC_OK) {
        assert_null(file);
        return status;
    }
    status = dirac__atomic_write(file, text, half);
    if (status == DIRAC_OK) {
        status = dirac__atomic_write(file, text + half, size - half);
    }
    if (status != DIRAC_OK) {
        dirac__atomic_abandon(file);
        return status;
    }
    return dirac__atomic_commit(file);
}

/* The save fails with IO, names path and reason, leaves `path` as it was and nothing else. */
static void assert_refused(const char *path, const char *reason)
{
    int before = count_entries(".");
    assert_int_equal(save(path, "new contents"), DIRAC_ERR_IO);
    assert_non_null(strstr(dirac__fail_text(), path));
    assert_non_null(strstr(dirac__fail_text(), reason));
    assert_int_equal(count_entries("."), before);
}

/* ---- what a save does ---- */

static void test_new(void **state)
{
    (void)state;
    umask(027);
    assert_int_equal(save("new", "contents"), DIRAC_OK);
    assert_file("new", "contents");
    assert_int_equal(permissions("new"), 0640); /* 0666 less the umask */
    assert_int_equal(save("empty", ""), DIRAC_OK);
    assert_file("empty", "");
    assert_int_equal(count_entries("."), 2);
}

static void test_replace(void **state)
{
    static const mode_t modes[] = {0600, 0640, 0666, 0755};
    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        put_file("old", "old");
        chmod("old", modes[i]);
        assert_int_equal(save("./old", "new, and longer than the old"), DIRAC_OK);
        assert_file("old", "new, and longer than the old");
        assert_int_equal(permissions("old"), modes[i]);
        assert_int_equal(fault.first_mode, 0600); /* at no time open to more than the old file */
    }
    assert_int_equal(count_entries("."), 1);
}

/* Until the commit the old file is there, whole, also for who has it open after that. */
static void test_old_until_commit(void **state)
{
    dirac__atomic_file *file;
    char text[8] = {0};
    (void)state;
    put_file("f", "old");
    int reader = open("f", O_RDONLY);
    assert_true(reader >= 0);
    assert_int_equal(dirac__atomic_open(&file, &dirac__default_memory, "f"), DIRAC_OK);
    assert_int_equal(dirac__atomic_write(file, "new", 3), DIRAC_OK);
    assert_file("f", "old");
    assert_int_equal(count_entries("."), 2);
    assert_int_equal(dirac__atomic_commit(file), DIRAC_OK);
    assert_file("f", "new");
    assert_int_equal(read(reader, text, sizeof text), 3);
    assert_string_equal(text, "old");
    close(reader);
    assert_int_equal(count_entries("."), 1);
}

static void test_abandon(void **state)
{
    dirac__atomic_file *file;
    (void)state;
    put_file("f", "old");
    assert_int_equal(dirac__atomic_open(&file, &dirac__default_memory, "f"), DIRAC_OK);
    assert_int_equal(dirac__atomic_write(file, "new", 3), DIRAC_OK);
    dirac__atomic_abandon(file);
    dirac__atomic_abandon(NULL);
    assert_file("f", "old");
    assert_int_equal(count_entries("."), 1);
}

/* Two at once use two temporaries; the last commit stays. */
static void test_two_writers(void **state)
{
    dirac__atomic_file *a, *b;
    (void)state;
    assert_int_equal(dirac__atomic_open(&a, &dirac__default_memory, "f"), DIRAC_OK);
    assert_int_equal(dirac__atomic_open(&b, &dirac__default_memory, "f"), DIRAC_OK);
    assert_int_equal(dirac__atomic_write(a, "a", 1), DIRAC_OK);
    assert_int_equal(dirac__atomic_write(b, "b", 1), DIRAC_OK);
    assert_int_equal(dirac__atomic_commit(b), DIRAC_OK);
    assert_file("f", "b");
    assert_int_equal(dirac__atomic_commit(a), DIRAC_OK);
    assert_file("f", "a");
    assert_int_equal(count_entries("."), 1);
}

static void test_changed_directory(void **state)
{
    dirac__atomic_file *file;
    (void)state;
    assert_int_equal(mkdir("sub", 0777), 0);
    assert_int_equal(dirac__atomic_open(&file, &dirac__default_memory, "f"), DIRAC_OK);
    assert_int_equal(chdir("sub"), 0);
    assert_int_equal(dirac__atomic_commit(file), DIRAC_OK);
    assert_int_equal(chdir(".."), 0);
    assert_int_equal(count_entries("sub"), 0);
    assert_file("f", "");
    assert_int_equal(save("sub/f", "below"), DIRAC_OK);
    assert_file("sub/f", "below");
    assert_int_equal(count_entries("sub"), 1);
}

/* The longest name a directory takes: the temporary's may not be made from it. */
static void test_long_name(void **state)
{
    char name[256];
    (void)state;
    memset(name, 'n', 255);
    name[255] = '\0';
    assert_int_equal(save(name, "contents"), DIRAC_OK);
    assert_file(name, "contents");
}

static void test_killed(void **state)
{
    (void)state;
    put_file("f", "old");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dirac__atomic_file *file;
        if (dirac__atomic_open(&file, &dirac__default_memory, "f") == DIRAC_OK) {
            dirac__atomic_write(file, "half of the new", 15);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_file("f", "old");
    assert_int_equal(save("f", "new"), DIRAC_OK);
    assert_file("f", "new");
}

/* ---- links ---- */

static void assert_link(const char *path, const char *to)
{
    char text[64] = {0};
    assert_int_equal(readlink(path, text, sizeof text - 1), strlen(to));
    assert_string_equal(text, to);
}

static void test_links(void **state)
{
    char directory[2048], absolute[2100];
    (void)state;
    assert_int_equal(mkdir("sub", 0777), 0);
    put_file("sub/f", "old");
    chmod("sub/f", 0604);
    assert_int_equal(symlink("sub/f", "near"), 0);
    assert_int_equal(symlink("../near", "sub/chain"), 0);
    assert_int_equal(save("near", "through one"), DIRAC_OK);
    assert_file("sub/f", "through one");
    assert_int_equal(save("./sub/chain", "through two"), DIRAC_OK);
    assert_file("sub/f", "through two");
    assert_int_equal(permissions("sub/f"), 0604);
    assert_link("near", "sub/f");
    assert_link("sub/chain", "../near");
    assert_non_null(getcwd(directory, sizeof directory));
    snprintf(absolute, sizeof absolute, "%s/made", directory);
    assert_int_equal(symlink(absolute, "sub/dangling"), 0);
    assert_int_equal(save("sub/dangling", "now there"), DIRAC_OK);
    assert_file("made", "now there");
    assert_link("sub/dangling", absolute);
    assert_int_equal(count_entries("."), 3);
    assert_int_equal(count_entries("sub"), 3);
}

static void test_link_loop(void **state)
{
    (void)state;
    assert_int_equal(symlink("b", "a"), 0);
    assert_int_equal(symlink("a", "b"), 0);
    assert_refused("a", strerror(ELOOP));
}

/* ---- refusals ---- */

static void test_bad_targets(void **state)
{
    (void)state;
    put_file("f", "old");
    assert_int_equal(mkdir("sub", 0777), 0);
    assert_int_equal(mkfifo("pipe", 0666), 0);
    assert_refused("missing/f", strerror(ENOENT));
    assert_refused("f/g", strerror(ENOTDIR)); /* cannot be made by root either */
    assert_refused("sub", "not a regular file");
    assert_refused("sub/", strerror(EISDIR));
    assert_refused(".", "not a regular file");
    assert_refused("/", strerror(EISDIR));
    assert_refused("", strerror(ENOENT));
    assert_refused("pipe", "not a regular file");
    assert_refused("/dev/null", "not a regular file");
    assert_refused("/dev/full", "not a regular file");
    assert_file("f", "old");
}

/* Write protection holds, though the directory would allow a rename. Root may write all. */
static void test_protected(void **state)
{
    (void)state;
    put_file("f", "old");
    chmod("f", 0444);
    if (geteuid() == 0) {
        assert_int_equal(save("f", "new"), DIRAC_OK);
        assert_int_equal(permissions("f"), 0444);
    } else {
        assert_refused("f", strerror(EACCES));
        assert_file("f", "old");
    }
}

/* ---- faults ---- */

static void test_interrupted(void **state)
{
    (void)state;
    faults_on();
    fault.interrupt = true;
    fault.most = 1;
    assert_int_equal(save("f", "one byte at a time, interrupted"), DIRAC_OK);
    faults_off();
    assert_file("f", "one byte at a time, interrupted");
}

/* A full disk after each number of bytes. */
static void test_no_space(void **state)
{
    (void)state;
    put_file("f", "old");
    for (size_t room = 0; room < strlen("new contents"); room++) {
        faults_on();
        fault.room = room;
        fault.write_error = room % 2 == 0 ? ENOSPC : EIO;
        assert_refused("f", strerror(fault.write_error));
        assert_refused("g", strerror(fault.write_error));
        faults_off();
        assert_file("f", "old");
    }
}

static void test_dev_full(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY);
    if (full < 0) {
        skip();
    }
    put_file("f", "old");
    faults_on();
    fault.full = full;
    assert_refused("f", strerror(ENOSPC));
    faults_off();
    close(full);
    assert_file("f", "old");
}

static void test_no_flush(void **state)
{
    (void)state;
    put_file("f", "old");
    faults_on();
    fault.fsync_error[0] = EIO;
    assert_refused("f", strerror(EIO));
    faults_on();
    fault.rename_error = EACCES;
    assert_refused("f", strerror(EACCES));
    faults_off();
    assert_file("f", "old");
    /* After the rename there is no way back: the new file stays and the message says so. */
    faults_on();
    fault.fsync_error[1] = EIO;
    assert_int_equal(save("f", "new"), DIRAC_ERR_IO);
    assert_non_null(strstr(dirac__fail_text(), "in place"));
    /* A file system that cannot flush directories is no error. */
    fault.fsync_error[1] = EINVAL;
    assert_int_equal(save("f", "newer"), DIRAC_OK);
    faults_off();
    assert_file("f", "newer");
    assert_int_equal(count_entries("."), 1);
}

/* ---- memory ---- */

/* Every allocation fails once: no leak, no file. */
static void test_no_memory(void **state)
{
    probe p;
    const dirac__memory memory = probe_memory(&p);
    (void)state;
    assert_int_equal(mkdir("sub", 0777), 0);
    assert_int_equal(symlink("sub/f", "link"), 0);
    int32_t status = DIRAC_ERR_MEMORY;
    for (size_t n = 1; status == DIRAC_ERR_MEMORY; n++) {
        dirac__atomic_file *file;
        p.requests = 0;
        p.refuse_at = n;
        status = dirac__atomic_open(&file, &memory, "link");
        assert_true((status == DIRAC_OK) == (p.requests < n));
        if (status == DIRAC_OK) {
            dirac__atomic_abandon(file);
        }
        assert_int_equal(p.alive, 0);
        assert_int_equal(count_entries("sub"), 0);
    }
    assert_int_equal(status, DIRAC_OK);
    unsigned char *data;
    size_t size;
    put_file("sub/f", "text");
    p.requests = 0;
    p.refuse_at = 1;
    assert_int_equal(dirac__read_file(&memory, "link", 100, &data, &size, NULL), DIRAC_ERR_MEMORY);
    assert_null(data);
    assert_int_equal(p.alive, 0);
    assert_int_equal(p.wrong, 0);
}

/* ---- reading ---- */

static void test_read(void **state)
{
    unsigned char *data;
    size_t size;
    (void)state;
    put_file("f", "contents");
    assert_int_equal(dirac__read_file(&dirac__default_memory, "f", 8, &data, &size, NULL), DIRAC_OK);
    assert_int_equal(size, 8);
    assert_memory_equal(data, "contents", 8);
    dirac__free(&dirac__default_memory, data);
    assert_int_equal(dirac__read_file(&dirac__default_memory, "f", 7, &data, &size, NULL),
                     DIRAC_ERR_LIMIT);
    assert_null(data);
    assert_non_null(strstr(dirac__fail_text(), "f: 8 bytes, at most 7"));
    put_file("empty", "");
    assert_int_equal(dirac__read_file(&dirac__default_memory, "empty", 0, &data, &size, NULL), DIRAC_OK);
    assert_int_equal(size, 0);
    dirac__free(&dirac__default_memory, data);
}

static void test_read_refused(void **state)
{
    static const char *const paths[] = {"missing", "missing/f", "f/g", ".",
                                        "pipe",    "/dev/zero", ""};
    unsigned char *data;
    size_t size;
    (void)state;
    put_file("f", "contents");
    assert_int_equal(mkfifo("pipe", 0666), 0);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(
            dirac__read_file(&dirac__default_memory, paths[i], UINT64_MAX, &data, &size, NULL),
            DIRAC_ERR_IO);
        assert_null(data);
        assert_non_null(strstr(dirac__fail_text(), paths[i]));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_new),          TEST(test_replace),     TEST(test_old_until_commit),
        TEST(test_abandon),      TEST(test_two_writers), TEST(test_changed_directory),
        TEST(test_long_name),    TEST(test_killed),      TEST(test_links),
        TEST(test_link_loop),    TEST(test_bad_targets), TEST(test_protected),
        TEST(test_interrupted),  TEST(test_no_space),    TEST(test_dev_full),
        TEST(test_no_flush),     TEST(test_no_memory),   TEST(test_read),
        TEST(test_read_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
