/* SPDX-License-Identifier: MIT */
/*
 * Watches the C library's allocator. A program that links libc_memory.c defines malloc(), free() and their kin itself, so
 * every call of them in the process, by whichever library, comes here and goes on to glibc. While the watch is on, each
 * that allocates is noted with the object it came from ("libdirac.so.0", "libc.so.6", ...). Not for sanitizers, which
 * put their own functions there. For any number of threads.
 */
#ifndef FAULT_LIBC_MEMORY_H
#define FAULT_LIBC_MEMORY_H

#include <stddef.h>

void libc_memory_watch(int on);
/* Calls of this thread between the two are not noted: the host's own. */
void libc_memory_pause(void);
void libc_memory_resume(void);
/* How many calls were noted since the watch was put on. */
size_t libc_memory_calls(void);
/* Who made call `index`: the file name of the object, and the function there if it is known. `text` has 128 bytes. */
void libc_memory_caller(size_t index, char *text);

#endif
