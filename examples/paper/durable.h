/* SPDX-License-Identifier: MIT */
/*
 * Files of a run that outlive a kill, a power cut and a full disk, and the right to write them. What fails ends the program
 * with the file's path and the system's reason.
 */
#ifndef PAPER_DURABLE_H
#define PAPER_DURABLE_H

#include <stdbool.h>
#include <stddef.h>

/* The file is the old one or the new one at any moment, and on the disk when this returns. `path`.new is used beside it. */
void durable_replace(const char *path, const char *text, size_t size);
/* What was renamed and removed so far in the folder of `path` stays so. File systems that cannot promise it are not asked. */
void durable_sync_folder(const char *path);
/* Removes the file, if there is one. */
void durable_remove(const char *path);
/* The whole file, with a zero byte behind it, for free(); NULL if there is none. */
char *durable_read(const char *path, size_t *size);

/*
 * The right to write the file `path`, held by the file `path`.lock as long as the program lives or until it is given back.
 * Returns a descriptor to give back, or -1 if another program has it.
 */
int durable_take(const char *path);
void durable_give(const char *path, int lock);
/* Whether there is a lock, be it held or left by a program that was killed. */
bool durable_lock_left(const char *path);

#endif
