/* SPDX-License-Identifier: MIT */
/* Messages to the host's log callback. */
#include <stdarg.h>
#include <stdio.h>

#include "base/context.h"
#include "base/utf8.h"

void dirac__log(const dirac_context *context, int32_t level, const char *format, ...)
{
    if (context->log == NULL || level > context->log_level)
        return;
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    if ((size_t)length >= sizeof text)
        text[dirac__utf8_cut(text, sizeof text - 1)] = 0;
    context->log(context->log_user, level, text);
}
