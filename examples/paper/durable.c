/* SPDX-License-Identifier: MIT */
/* Files that outlive a kill, a power cut and a full disk. */
#include "durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/program.h"

static char *with_ending(const char *path, const char *ending)
{
    const size_t size = strlen(path) + strlen(ending) + 1;
    char *longer = allocate(size, 1);
    snprintf(longer, size, "%s%s", path, ending);
    return longer;
}

/* ---- writing ---- */

/* Ctrl-C, which asks a training to stop, may interrupt it. */
static bool flush(int file)
{
    int result;
    do
        result = fsync(file);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

static bool write_all(int file, const char *text, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(file, text, size);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            text += written;
            size -= (size_t)written;
        }
    }
    return true;
}

static bool write_file(const char *path, const char *text, size_t size)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        return false;
    const bool written = write_all(file, text, size) && flush(file);
    const int error = errno;
    const bool closed = close(file) == 0 || errno == EINTR;
    if (!written)
        errno = error;
    return written && closed;
}

void durable_replace(const char *path, const char *text, size_t size)
{
    char *beside = with_ending(path, ".new");
    if (!write_file(beside, text, size) || rename(beside, path) != 0) {
        const int error = errno;
        unlink(beside); /* a full disk has better use for it */
        fail("%s: %s", path, strerror(error));
    }
    free(beside);
    durable_sync_folder(path);
}

void durable_sync_folder(const char *path)
{
    char *folder = with_ending(path, ""), *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder ? 1 : 0] = '\0';
    const int file = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0 || (!flush(file) && errno != EINVAL && errno != ENOTSUP && errno != EROFS))
        fail("%s: its folder: %s", path, strerror(errno));
    close(file);
    free(folder);
}

void durable_remove(const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        fail("%s: it cannot be removed: %s", path, strerror(errno));
}

/* ---- reading ---- */

char *durable_read(const char *path, size_t *size)
{
    struct stat about;
    FILE *file = fopen(path, "r");
    if (file == NULL && errno == ENOENT)
        return NULL;
    if (file == NULL || fstat(fileno(file), &about) != 0)
        fail("%s: %s", path, strerror(errno));
    char *text = allocate((size_t)about.st_size + 1, 1);
    *size = fread(text, 1, (size_t)about.st_size, file);
    if (ferror(file))
        fail("%s: %s", path, strerror(errno));
    fclose(file);
    return text;
}

/* ---- locks ---- */

/* Whether the path still leads to the file: who gave the lock back removed it. */
static bool is_there(const char *path, int file)
{
    struct stat by_path, by_file;
    if (fstat(file, &by_file) != 0)
        fail("%s: %s", path, strerror(errno));
    return stat(path, &by_path) == 0 && by_path.st_dev == by_file.st_dev && by_path.st_ino == by_file.st_ino;
}

int durable_take(const char *path)
{
    char *name = with_ending(path, ".lock");
    int lock = -1;
    do {
        if (lock >= 0)
            close(lock);
        lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (lock < 0)
            fail("%s: %s", name, strerror(errno));
        if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK)
                fail("%s: %s", name, strerror(errno));
            close(lock);
            lock = -1;
        }
    } while (lock >= 0 && !is_there(name, lock));
    free(name);
    return lock;
}

void durable_give(const char *path, int lock)
{
    char *name = with_ending(path, ".lock");
    durable_remove(name); /* while it is held, so that it is nobody else's */
    close(lock);
    free(name);
}

bool durable_lock_left(const char *path)
{
    char *name = with_ending(path, ".lock");
    const bool left = access(name, F_OK) == 0;
    free(name);
    return left;
}
