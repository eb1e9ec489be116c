/* SPDX-License-Identifier: MIT */
/* Waits until every other thread of the process sleeps. A thread that is just starting or ending may hold locks of the
 * C library or of AddressSanitizer, which does not free them in a forked child. Linux; wants _GNU_SOURCE. */
#ifndef SUPPORT_OTHER_THREADS_H
#define SUPPORT_OTHER_THREADS_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The letter of proc(5): 'S', 'R', ...; 'S' too of one that has ended. */
static inline char state_of_thread(long thread)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%ld/stat", thread);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 'S';
    const char *got = fgets(line, sizeof line, file);
    fclose(file);
    const char *name_end = got == NULL ? NULL : strrchr(line, ')');
    return name_end != NULL && name_end[1] == ' ' ? name_end[2] : 'S';
}

static inline int other_threads_sleep(void)
{
    int sleeping = 1;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *e; tasks != NULL && sleeping && (e = readdir(tasks)) != NULL;) {
        const long thread = atol(e->d_name);
        sleeping = thread == 0 || thread == gettid() || state_of_thread(thread) == 'S';
    }
    if (tasks != NULL)
        closedir(tasks);
    return sleeping;
}

/* Seen asleep three times, a millisecond apart. */
static inline void wait_until_other_threads_sleep(void)
{
    for (int seen = 0; seen < 3;) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        seen = other_threads_sleep() ? seen + 1 : 0;
    }
}

#endif
