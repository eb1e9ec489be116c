/* SPDX-License-Identifier: MIT */
/* Whole files into memory, by open and read: no stdio buffers, every failure with its errno. Pipes and devices are
 * refused, for their size is not known beforehand and opening them may wait for ever. */
#include "io/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"

#define CHUNK ((size_t)1 << 22) /* one read: below every system's own limit, and how often progress is told */

static int32_t fail_errno(const char *what, const char *path, int error)
{
    char text[128];
    if (strerror_r(error, text, sizeof text) != 0)
        text[0] = '\0';
    return dirac__fail(DIRAC_ERR_IO, "cannot %s \"%s\": %s (errno %d)", what, path, text, error);
}

static int32_t check_regular(const struct stat *info, const char *path)
{
    if (!S_ISREG(info->st_mode) || info->st_size < 0)
        return dirac__fail(DIRAC_ERR_IO, "cannot read \"%s\": it is not a regular file", path);
    return DIRAC_OK;
}

bool dirac__file_missing(const char *path)
{
    struct stat info;
    return stat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

int32_t dirac__file_size(const char *path, uint64_t *size)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return fail_errno("open", path, errno);
    *size = (uint64_t)info.st_size;
    return check_regular(&info, path);
}

static int open_file(const char *path)
{
    int file;
    do
        file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (file < 0 && errno == EINTR);
    return file;
}

/* Reads `size` bytes and makes sure that nothing follows. */
static int32_t read_all(int file, const char *path, unsigned char *data, size_t size,
                        const dirac__progress *progress)
{
    size_t done = 0;
    for (;;) {
        unsigned char beyond;
        size_t left = size - done;
        ssize_t got = left ? read(file, data + done, left < CHUNK ? left : CHUNK)
                           : read(file, &beyond, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno("read", path, errno);
        if (got == 0 && left == 0)
            return DIRAC_OK;
        if (got == 0 || left == 0)
            return dirac__fail(DIRAC_ERR_IO, "cannot read \"%s\": it changed while it was read",
                               path);
        done += (size_t)got;
        int32_t status = dirac__progress_report(progress, path, done, size);
        if (status != DIRAC_OK)
            return status;
    }
}

static int32_t read_open(int file, const dirac__memory *memory, const char *path, uint64_t limit,
                         unsigned char **data, size_t *size, const dirac__progress *progress)
{
    struct stat info;
    if (fstat(file, &info) != 0)
        return fail_errno("read", path, errno);
    int32_t status = check_regular(&info, path);
    if (status != DIRAC_OK)
        return status;
    uint64_t bytes = (uint64_t)info.st_size;
    if (bytes > limit)
        return dirac__fail(DIRAC_ERR_LIMIT,
                           "%s: %" PRIu64 " bytes, at most %" PRIu64 " may be read", path, bytes,
                           limit);
    unsigned char *buffer = bytes <= PTRDIFF_MAX ? dirac__alloc(memory, (size_t)bytes) : NULL;
    if (!buffer)
        return dirac__fail_memory(path);
    status = read_all(file, path, buffer, (size_t)bytes, progress);
    if (status != DIRAC_OK) {
        dirac__free(memory, buffer);
        return status;
    }
    *data = buffer;
    *size = (size_t)bytes;
    return DIRAC_OK;
}

int32_t dirac__read_file(const dirac__memory *memory, const char *path, uint64_t limit,
                         unsigned char **data, size_t *size, const dirac__progress *progress)
{
    int file = open_file(path);
    *data = NULL;
    *size = 0;
    if (file < 0)
        return fail_errno("open", path, errno);
    int32_t status = read_open(file, memory, path, limit, data, size, progress);
    close(file);
    return status;
}

bool dirac__is_gzip(const unsigned char *data, size_t size)
{
    return size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}
