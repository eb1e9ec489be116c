/* SPDX-License-Identifier: MIT */
/* The record of the last failure: one fixed array a thread, so that recording cannot itself fail. */
#include "base/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static _Thread_local char record[DIRAC__FAIL_CAPACITY];

/* Formats aside first: an argument may be the record itself. */
__attribute__((format(printf, 1, 0))) static void write_record(const char *format,
                                                               va_list arguments)
{
    char text[DIRAC__FAIL_CAPACITY];
    int length = vsnprintf(text, sizeof text, format, arguments);
    size_t size = length < 0 ? 0 : (size_t)length;
    if (size >= sizeof text)
        size = dirac__utf8_cut(text, sizeof text - 1);
    memcpy(record, text, size);
    record[size] = 0;
}

int32_t(dirac__fail)(int32_t status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_record(format, arguments);
    va_end(arguments);
    return status;
}

int32_t(dirac__fail_memory)(const char *what)
{
    return dirac__fail(DIRAC_ERR_MEMORY, "out of memory: %s", what);
}

int32_t(dirac__fail_in)(int32_t status, const char *prefix)
{
    return dirac__fail(status, "%s: %s", prefix, record);
}

const char *dirac__fail_text(void)
{
    return record;
}
