/* SPDX-License-Identifier: MIT */
/* The progress bar. */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "program.h"

void progress_begin(progress *bar, int64_t done)
{
    double now = seconds_now();
    *bar = (progress){
        .terminal = isatty(STDERR_FILENO) != 0, .begun = now, .drawn = now, .first = done};
}

/* "2:34", "1:02:34" */
static void write_time(char *out, size_t size, double seconds)
{
    long long all = seconds < 3e9 ? (long long)seconds : 3000000000LL;
    if (all < 3600)
        snprintf(out, size, "%lld:%02lld", all / 60, all % 60);
    else
        snprintf(out, size, "%lld:%02lld:%02lld", all / 3600, all / 60 % 60, all % 60);
}

static void write_bar(char out[23], double part)
{
    int full = part <= 0 ? 0 : part >= 1 ? 20 : (int)(20 * part);
    out[0] = '[';
    for (int i = 0; i < 20; i++)
        out[1 + i] = i < full ? '=' : i == full ? '>' : ' ';
    out[21] = ']';
    out[22] = '\0';
}

void progress_show(progress *bar, const char *title, double part, const char *detail, int64_t done,
                   int64_t total, const char *unit)
{
    double now = seconds_now(), pause = bar->terminal ? 0.1 : 30.0;
    if (now - bar->drawn < pause)
        return;
    bar->drawn = now;
    double speed = (double)(done - bar->first) / (now - bar->begun);
    char left[32] = "?", picture[23];
    if (speed > 0)
        write_time(left, sizeof left, (double)(total - done) / speed);
    write_bar(picture, part);
    if (!bar->terminal) {
        fprintf(stderr, "%s %.0f %%  %s  %.0f %s/s  %s left\n", title, 100 * part, detail, speed,
                unit, left);
        return;
    }
    int width = fprintf(stderr, "\r%s %s %3.0f %%  %s  %.0f %s/s  %s left", title, picture,
                        100 * part, detail, speed, unit, left);
    for (int i = width; i < bar->width; i++)
        fputc(' ', stderr);
    bar->width = width;
    fflush(stderr);
}

void progress_clear(progress *bar)
{
    if (bar->terminal && bar->width > 0)
        fprintf(stderr, "\r%*s\r", bar->width, "");
    bar->width = 0;
    fflush(stderr);
}
