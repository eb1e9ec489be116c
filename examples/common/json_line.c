/* SPDX-License-Identifier: MIT */
/* A log of one JSON object a line. */
#include "json_line.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "program.h"

void json_open(json_log *log, const char *path)
{
    *log = (json_log){.path = path};
    if (path == NULL)
        return;
    log->file = fopen(path, "a");
    if (log->file == NULL)
        fail("%s: %s", path, strerror(errno));
}

static void begin_field(json_log *log, const char *name)
{
    fprintf(log->file, "%s\"%s\": ", log->fields++ == 0 ? "{" : ", ", name);
}

static void write_number(json_log *log, double value, int digits)
{
    if (isfinite(value))
        fprintf(log->file, "%.*g", digits, value);
    else
        fputs("null", log->file);
}

void json_field(json_log *log, const char *name, double value, int digits)
{
    if (log->file == NULL)
        return;
    begin_field(log, name);
    write_number(log, value, digits);
}

static void write_text(json_log *log, const char *value)
{
    fputc('"', log->file);
    for (const char *c = value; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20)
            fprintf(log->file, "\\u%04x", (unsigned)*c);
        else
            fprintf(log->file, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    fputc('"', log->file);
}

void json_text(json_log *log, const char *name, const char *value)
{
    if (log->file == NULL)
        return;
    begin_field(log, name);
    write_text(log, value);
}

void json_texts(json_log *log, const char *name, const char *const *values, int64_t count)
{
    if (log->file == NULL)
        return;
    begin_field(log, name);
    fputc('[', log->file);
    for (int64_t i = 0; i < count; i++) {
        fputs(i == 0 ? "" : ", ", log->file);
        write_text(log, values[i]);
    }
    fputc(']', log->file);
}

void json_numbers(json_log *log, const char *name, const double *values, int64_t count, int digits)
{
    if (log->file == NULL)
        return;
    begin_field(log, name);
    fputc('[', log->file);
    for (int64_t i = 0; i < count; i++) {
        fputs(i == 0 ? "" : ", ", log->file);
        write_number(log, values[i], digits);
    }
    fputc(']', log->file);
}

void json_end(json_log *log)
{
    if (log->file == NULL)
        return;
    fputs("}\n", log->file);
    log->fields = 0;
    if (fflush(log->file) != 0)
        fail("%s: %s", log->path, strerror(errno));
}

void json_close(json_log *log)
{
    if (log->file != NULL && fclose(log->file) != 0)
        fail("%s: %s", log->path, strerror(errno));
    log->file = NULL;
}
