/* SPDX-License-Identifier: MIT */
/* Watches what a program writes to its standard output and error while the library is called: nothing may come. */
#ifndef SUPPORT_QUIET_H
#define SUPPORT_QUIET_H

#include <stdio.h>
#include <unistd.h>

typedef struct quiet {
    int kept[2]; /* the descriptors 1 and 2 of before */
    FILE *file;  /* what takes their place */
} quiet;

static inline int quiet_begin(quiet *q)
{
    fflush(stdout);
    fflush(stderr);
    q->file = tmpfile();
    if (q->file == NULL)
        return -1;
    for (int i = 0; i < 2; i++) {
        q->kept[i] = dup(1 + i);
        if (q->kept[i] < 0 || dup2(fileno(q->file), 1 + i) < 0)
            return -1;
    }
    return 0;
}

/* Returns how many bytes were written, and passes them on to the standard error. */
static inline long quiet_end(quiet *q)
{
    char text[4096];
    size_t size;
    long all = 0;
    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 2; i++) {
        dup2(q->kept[i], 1 + i);
        close(q->kept[i]);
    }
    rewind(q->file);
    while ((size = fread(text, 1, sizeof text, q->file)) > 0) {
        fwrite(text, 1, size, stderr);
        all += (long)size;
    }
    fclose(q->file);
    return all;
}

#endif
