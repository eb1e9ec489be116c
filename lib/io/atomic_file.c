/* SPDX-License-Identifier: MIT */
/*
 * Atomic replacement of files. Everything after the first look at the path goes through a descriptor of the directory,
 * so neither a chdir() in another thread nor a renamed parent can send the file elsewhere.
 */
#define _POSIX_C_SOURCE 200809L

#include "io/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"

#define LINK_HOPS 40       /* as many as Linux follows */
#define LINK_CAPACITY 4096 /* a link's text; Linux's PATH_MAX */
#define NAME_ATTEMPTS 100
#define PIECE ((size_t)1 << 30) /* the most for one write(): Linux cuts at 2^31 - 4096 anyway */

struct dirac__atomic_file {
    const dirac__memory *memory;
    char *path;       /* as the caller gave it, for messages */
    char *target;     /* where the links lead to */
    const char *name; /* the last component of target */
    int directory;    /* descriptors, or -1 */
    int fd;
    bool exists; /* the temporary */
    char temporary[32];
};

static int32_t fail_system(const char *path, const char *what, int error)
{
    char reason[160];
    if (strerror_r(error, reason, sizeof reason) != 0) {
        snprintf(reason, sizeof reason, "system error %d", error);
    }
    return dirac__fail(DIRAC_ERR_IO, "\"%s\" %s: %s", path, what, reason);
}

/* ---- finding the target ---- */

/* The text `link`, found in the symbolic link `path`, as a path from where `path` starts. */
static char *join(const dirac__memory *memory, const char *path, const char *link, size_t length)
{
    const char *slash = strrchr(path, '/');
    size_t kept = link[0] == '/' || slash == NULL ? 0 : (size_t)(slash - path) + 1;
    char *joined = dirac__alloc(memory, kept + length + 1);
    if (joined != NULL) {
        memcpy(joined, path, kept);
        memcpy(joined + kept, link, length);
        joined[kept + length] = '\0';
    }
    return joined;
}

/* Follows symbolic links at the end of file->path, also one that points to nothing yet (realpath() would refuse it). */
static int32_t follow_links(dirac__atomic_file *file)
{
    char link[LINK_CAPACITY];
    file->target = dirac__copy_string(file->memory, file->path);
    for (int32_t hops = 0; file->target != NULL; hops++) {
        ssize_t length = readlink(file->target, link, sizeof link);
        if (length <= 0) {
            return DIRAC_OK; /* no link; whatever else is wrong shows when it is opened */
        }
        if (hops == LINK_HOPS || (size_t)length == sizeof link) {
            return fail_system(file->path, "cannot be written",
                               hops == LINK_HOPS ? ELOOP : ENAMETOOLONG);
        }
        char *next = join(file->memory, file->target, link, (size_t)length);
        dirac__free(file->memory, file->target);
        file->target = next;
    }
    return dirac__fail_memory("path of a file");
}

static int32_t open_directory(dirac__atomic_file *file)
{
    char *slash = strrchr(file->target, '/');
    const char *directory = ".";
    char *copy = NULL;
    file->name = slash == NULL ? file->target : slash + 1;
    if (slash != NULL) {
        copy = dirac__copy_string(file->memory, file->target);
        if (copy == NULL) {
            return dirac__fail_memory("path of a file");
        }
        copy[slash == file->target ? 1 : slash - file->target] = '\0'; /* "/name" is in "/" */
        directory = copy;
    }
    do {
        file->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } while (file->directory < 0 && errno == EINTR);
    int32_t status = DIRAC_OK;
    if (file->directory < 0) {
        status = fail_system(file->path, "cannot be written, its directory cannot be opened",
                             errno);
    }
    dirac__free(file->memory, copy);
    return status;
}

/* What is at the target now: *mode becomes its permissions, or -1 if there is nothing. */
static int32_t look_at_target(const dirac__atomic_file *file, int32_t *mode)
{
    struct stat found;
    *mode = -1;
    if (file->name[0] == '\0') {
        return fail_system(file->path, "cannot be written",
                           file->path[0] == '\0' ? ENOENT : EISDIR);
    }
    if (fstatat(file->directory, file->name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? DIRAC_OK : fail_system(file->path, "cannot be written", errno);
    }
    if (!S_ISREG(found.st_mode)) {
        return dirac__fail(DIRAC_ERR_IO,
                           "\"%s\" cannot be written: it exists and is not a regular file",
                           file->path);
    }
    if (faccessat(file->directory, file->name, W_OK, AT_EACCESS) != 0) {
        return fail_system(file->path, "cannot be replaced", errno);
    }
    *mode = (int32_t)(found.st_mode & 0777);
    return DIRAC_OK;
}

/* ---- the temporary ---- */

/* A name that is probably free: the time, the process and this file's address, well mixed (Stafford's variant 13). */
static void draw_name(dirac__atomic_file *file, uint64_t attempt)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t x = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    x += attempt * UINT64_C(0x9e3779b97f4a7c15);
    x ^= (uint64_t)getpid() << 40 ^ (uint64_t)(uintptr_t)file << 8;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    snprintf(file->temporary, sizeof file->temporary, ".dirac-%016" PRIx64 ".tmp", x);
}

static int32_t create_temporary(dirac__atomic_file *file, int32_t mode)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    mode_t first = mode < 0 ? 0666 : 0600; /* the system applies the umask to a new file's */
    for (uint64_t attempt = 0; attempt < NAME_ATTEMPTS && file->fd < 0; attempt++) {
        draw_name(file, attempt);
        file->fd = openat(file->directory, file->temporary, flags, first);
        if (file->fd < 0 && errno != EEXIST && errno != EINTR) {
            break;
        }
    }
    if (file->fd < 0) {
        return fail_system(file->path, "cannot be written, no temporary file can be made beside it",
                           errno);
    }
    file->exists = true;
    if (mode >= 0 && fchmod(file->fd, (mode_t)mode) != 0) {
        return fail_system(file->path, "cannot be written with the permissions it had", errno);
    }
    return DIRAC_OK;
}

int32_t dirac__atomic_open(dirac__atomic_file **out, const dirac__memory *memory, const char *path)
{
    *out = NULL;
    dirac__atomic_file *file = dirac__alloc_zero(memory, 1, sizeof *file);
    if (file == NULL) {
        return dirac__fail_memory("file to write");
    }
    int32_t mode = -1;
    file->memory = memory;
    file->directory = file->fd = -1;
    file->path = dirac__copy_string(memory, path);
    int32_t status = file->path != NULL ? follow_links(file) : dirac__fail_memory("path of a file");
    if (status == DIRAC_OK) {
        status = open_directory(file);
    }
    if (status == DIRAC_OK) {
        status = look_at_target(file, &mode);
    }
    if (status == DIRAC_OK) {
        status = create_temporary(file, mode);
    }
    if (status != DIRAC_OK) {
        dirac__atomic_abandon(file);
        return status;
    }
    *out = file;
    return DIRAC_OK;
}

int32_t dirac__atomic_write(dirac__atomic_file *file, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    while (size > 0) {
        ssize_t written = write(file->fd, bytes, size < PIECE ? size : PIECE);
        if (written < 0 && errno != EINTR) {
            return fail_system(file->path, "cannot be written", errno);
        }
        if (written == 0) { /* no system does it for a regular file; do not loop for ever if one does */
            return fail_system(file->path, "cannot be written", ENOSPC);
        }
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return DIRAC_OK;
}

/* ---- the end ---- */

/* fsync(), also when signals arrive: 0 or the error's number. */
static int flush(int fd)
{
    int result;
    do {
        result = fsync(fd);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

static int32_t replace(dirac__atomic_file *file)
{
    int error = flush(file->fd);
    if (error != 0) {
        return fail_system(file->path, "cannot be written, flushing it failed", error);
    }
    int closed = close(file->fd);
    file->fd = -1; /* gone also when close() fails */
    if (closed != 0 && errno != EINTR) {
        return fail_system(file->path, "cannot be written, closing it failed", errno);
    }
    if (renameat(file->directory, file->temporary, file->directory, file->name) != 0) {
        return fail_system(file->path, "cannot be replaced", errno);
    }
    file->exists = false;
    error = flush(file->directory);
    /* Some file systems cannot flush directories, and need not. */
    if (error != 0 && error != EINVAL && error != ENOTSUP && error != EROFS) {
        return fail_system(file->path,
                           "was written and is in place, but flushing its directory failed", error);
    }
    return DIRAC_OK;
}

int32_t dirac__atomic_commit(dirac__atomic_file *file)
{
    int32_t status = replace(file);
    dirac__atomic_abandon(file);
    return status;
}

void dirac__atomic_abandon(dirac__atomic_file *file)
{
    if (file == NULL) {
        return;
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    if (file->exists) {
        unlinkat(file->directory, file->temporary, 0);
    }
    if (file->directory >= 0) {
        close(file->directory);
    }
    dirac__free(file->memory, file->target);
    dirac__free(file->memory, file->path);
    dirac__free(file->memory, file);
}
