/* SPDX-License-Identifier: MIT */
/* A log of one JSON object a line, appended to: what plots and scripts read. */
#ifndef COMMON_JSON_LINE_H
#define COMMON_JSON_LINE_H

#include <stdint.h>
#include <stdio.h>

typedef struct {
    const char *path;
    FILE *file;
    int fields;
} json_log;

/* Opens `path` to append to; ends the program when it cannot. A NULL path makes a log that goes nowhere. */
void json_open(json_log *log, const char *path);
/* One field of the line; the first one begins it. Numbers that JSON does not have (nan, inf) are written as null. */
void json_field(json_log *log, const char *name, double value, int digits);
void json_text(json_log *log, const char *name, const char *value);
/* Fields that are arrays. */
void json_texts(json_log *log, const char *name, const char *const *values, int64_t count);
void json_numbers(json_log *log, const char *name, const double *values, int64_t count, int digits);
/* Ends the line and hands it to the system. */
void json_end(json_log *log);
void json_close(json_log *log);

#endif
