/* SPDX-License-Identifier: MIT */
/*
 * Files replaced as one. A file is written to a temporary beside its target, flushed and renamed
 * over it: at any moment, a crash included, the target is the old file or the new one, whole.
 */
#ifndef IO_ATOMIC_FILE_H
#define IO_ATOMIC_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

typedef struct dirac__atomic_file dirac__atomic_file;

/*
 * Begins to replace `path`, or to make it. A symbolic link is followed: the file it points to is replaced, the link
 * stays. A new file gets the permissions that the umask leaves of 0666; one that replaces another gets the other's. What
 * exists and is no regular file, or may not be written by this process, is refused. The temporary is called
 * ".dirac-<16 hex digits>.tmp" and stays behind only if the process is killed.
 * *out is NULL on failure. Errors: IO (names path and reason), MEMORY.
 */
int32_t dirac__atomic_open(dirac__atomic_file **out, const dirac__memory *memory, const char *path);

/* Appends to the temporary. After a failure only dirac__atomic_abandon() makes sense. Errors: IO. */
int32_t dirac__atomic_write(dirac__atomic_file *file, const void *data, size_t size);

/*
 * Flushes the file, renames it over the target and flushes the directory. Frees `file`, whatever it returns. On failure
 * the target is what it was and the temporary is gone; with one exception, which the message tells: when the last of the
 * three failed, the new file is in place, but a power cut might still bring back the old one. Errors: IO.
 */
int32_t dirac__atomic_commit(dirac__atomic_file *file);

/* Removes the temporary and frees `file`; the target is what it was. NULL is accepted. */
void dirac__atomic_abandon(dirac__atomic_file *file);

#endif
