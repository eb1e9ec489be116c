/* SPDX-License-Identifier: MIT */
/* Files for calls that take a path: they are in one folder of the process, in memory where the system has such a place,
 * which goes when the process ends. */
#ifndef FUZZ_DISK_H
#define FUZZ_DISK_H

#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

/* The only files that are ever there, so that they can be removed by name. */
#define FUZZ_FILES                                                                                                    \
    "a", "b", "test_batch.bin", "test.bin", "train.bin", "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",   \
        "data_batch_4.bin", "data_batch_5.bin", "batches.meta.txt", "fine_label_names.txt"

enum { FUZZ_PATH = 256 };

static char fuzz_folder[FUZZ_PATH];

static inline void fuzz_empty_folder(void)
{
    static const char *const names[] = {FUZZ_FILES};
    char path[2 * FUZZ_PATH];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", fuzz_folder, names[i]);
        unlink(path);
    }
}

static inline void fuzz_remove_folder(void)
{
    fuzz_empty_folder();
    rmdir(fuzz_folder);
}

static inline void fuzz_make_folder(void)
{
    const char *const places[] = {getenv("TMPDIR"), "/dev/shm", "/tmp", "."};
    for (size_t i = 0; i < sizeof places / sizeof places[0] && fuzz_folder[0] == '\0'; i++) {
        if (places[i] == NULL)
            continue;
        snprintf(fuzz_folder, sizeof fuzz_folder, "%s/dirac-fuzz-XXXXXX", places[i]);
        if (mkdtemp(fuzz_folder) == NULL)
            fuzz_folder[0] = '\0';
    }
    FUZZ_CHECK(fuzz_folder[0] != '\0' && atexit(fuzz_remove_folder) == 0);
}

/* The path of a file of FUZZ_FILES, or of the folder for "". The text is valid until the eighth call after. */
static inline const char *fuzz_path(const char *name)
{
    static char paths[8][2 * FUZZ_PATH];
    static size_t turn;
    if (fuzz_folder[0] == '\0')
        fuzz_make_folder();
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", fuzz_folder, name);
    return path;
}

/* Writes a file and returns its path. */
static inline const char *fuzz_put(const char *name, const void *data, size_t size)
{
    const char *path = fuzz_path(name);
    FILE *file = fopen(path, "wb");
    FUZZ_CHECK(file != NULL);
    FUZZ_CHECK(size == 0 || fwrite(data, 1, size, file) == size);
    FUZZ_CHECK(fclose(file) == 0);
    return path;
}

#endif
