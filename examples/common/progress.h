/* SPDX-License-Identifier: MIT */
/*
 * A progress bar on stderr: one line drawn over and over on a terminal, now and then a plain line elsewhere.
 */
#ifndef COMMON_PROGRESS_H
#define COMMON_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool terminal;
    double begun, drawn; /* seconds_now() */
    int64_t first;       /* what was done already when the clock began */
    int width;           /* of the line on the screen */
} progress;

/* Starts the clock; `done` units were done before (when going on from a checkpoint). */
void progress_begin(progress *bar, int64_t done);
/*
 * Shows `done` of `total` units, "title [====>    ]  45 %  detail  1234 images/s  2:34 left". The speed and the time left
 * are those since progress_begin(). `part` (0 to 1) is how full the bar is. Draws only when it is time to.
 */
void progress_show(progress *bar, const char *title, double part, const char *detail, int64_t done,
                   int64_t total, const char *unit);
/* Takes the bar off the screen, so that a line can be printed. */
void progress_clear(progress *bar);

#endif
