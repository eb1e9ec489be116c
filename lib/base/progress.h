/* SPDX-License-Identifier: MIT */
/* The host's progress callback, which can stop a long call. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdint.h>

#include <dirac/context.h>

typedef struct dirac__progress {
    dirac_progress_fn report; /* NULL: nobody wants to know */
    void *user;
} dirac__progress;

/* Tells the host; CANCELLED when it asks to stop. `progress` may be NULL. `what` names the call in the message. */
int32_t dirac__progress_report(const dirac__progress *progress, const char *what, uint64_t done, uint64_t total);

#endif
