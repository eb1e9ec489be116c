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

void json_field(json_log *log, const char *name, double value, int digits)
{
    if (log->file == NULL)
        return;
    fprintf(log->file, "%s\"%s\": ", log->fields++ == 0 ? "{" : ", ", name);
    if (isfinite(value))
        fprintf(log->file, "%.*g", digits, value);
    else
        fputs("null", log->file);
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
