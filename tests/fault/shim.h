/* SPDX-License-Identifier: MIT */
/*
 * Calls of the system that fail on demand. A program that links shim.c defines open(), write(), fsync(), pthread_create()
 * and their kin itself, so the library's calls come here; they are counted, and the n-th of the chosen kinds fails.
 * Nothing is counted while the shim is off. For any number of threads.
 */
#ifndef FAULT_SHIM_H
#define FAULT_SHIM_H

#include <stdatomic.h>
#include <stddef.h>

enum {
    SHIM_OPEN = 1 << 0,     /* open, openat */
    SHIM_READ = 1 << 1,     /* read */
    SHIM_WRITE = 1 << 2,    /* write */
    SHIM_FSYNC = 1 << 3,    /* fsync */
    SHIM_CLOSE = 1 << 4,    /* close: closes, then fails */
    SHIM_RENAME = 1 << 5,   /* renameat */
    SHIM_STAT = 1 << 6,     /* stat, fstat, fstatat */
    SHIM_CHMOD = 1 << 7,    /* fchmod */
    SHIM_ACCESS = 1 << 8,   /* faccessat */
    SHIM_READLINK = 1 << 9, /* readlink */
    SHIM_UNLINK = 1 << 10,  /* unlinkat */
    SHIM_THREAD = 1 << 11,  /* pthread_create */
    SHIM_LOCK = 1 << 12,    /* pthread_mutex_init, pthread_cond_init */
    SHIM_ALL = (1 << 13) - 1
};

/* For `error`: a read or write moves one byte, or (SHIM_NOTHING) none, and does not fail. */
#define SHIM_SHORT (-1)
#define SHIM_NOTHING (-2)
/* The process is killed on the spot, as by SIGKILL from outside, before the call. */
#define SHIM_KILL (-3)

typedef struct shim_state {
    atomic_int on;
    int kinds, error;      /* which calls are counted, and how the chosen one fails: an errno, or as above */
    size_t at, from;       /* the call that fails; that one and all that follow; 0: none */
    atomic_size_t calls;   /* of those kinds, while on */
    atomic_size_t failed;  /* so far */
    atomic_size_t by_kind[13]; /* calls of every kind, while on */
} shim_state;

extern shim_state shim;
/* If it is set: the kind of call that is going on right now (SHIM_WRITE, SHIM_FSYNC, SHIM_RENAME), or 0. */
extern volatile int *shim_inside;

/* Counts anew, with these faults to come. */
void shim_arm(int kinds, int error, size_t at, size_t from);

#endif
