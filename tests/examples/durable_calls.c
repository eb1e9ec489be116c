/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a program: writes what it flushes, renames and removes, one line a call, to the file CALLS, and kills it
 * before the KILL_AT-th of these calls. Temporary names of the library are written as "temporary".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    return strncmp(name, ".dirac-", 7) == 0 ? "temporary" : name;
}

static void note(const char *call, const char *path)
{
    static int calls;
    const char *kill_at = getenv("KILL_AT"), *log = getenv("CALLS");
    if (kill_at != NULL && ++calls == atoi(kill_at))
        raise(SIGKILL);
    FILE *file = log == NULL ? NULL : fopen(log, "a");
    if (file != NULL) {
        fprintf(file, "%s %s\n", call, last_part(path));
        fclose(file);
    }
}

/* The C library's own. */
static void find(void *next, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(next, &found, sizeof found);
}

int fsync(int fd)
{
    char link[64], path[PATH_MAX] = "";
    int (*next)(int);
    find(&next, "fsync");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) < 0)
        abort();
    note("fsync", path);
    return next(fd);
}

int rename(const char *from, const char *to)
{
    int (*next)(const char *, const char *);
    find(&next, "rename");
    note("rename", to);
    return next(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    int (*next)(int, const char *, int, const char *);
    find(&next, "renameat");
    note("rename", to);
    return next(from_folder, from, to_folder, to);
}

int unlink(const char *path)
{
    int (*next)(const char *);
    find(&next, "unlink");
    note("unlink", path);
    return next(path);
}
