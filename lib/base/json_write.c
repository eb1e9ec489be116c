/* SPDX-License-Identifier: MIT */
/* The JSON writer: pieces appended to a buffer, each with the comma it needs. */
#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/number.h"
#include "base/utf8.h"

/* A comma, if a complete value stands before: those end in a quote, a closing bracket, a digit or a letter. */
static void separate(dirac__buffer *buffer)
{
    if (buffer->failed || buffer->size == 0)
        return;
    char c = buffer->data[buffer->size - 1];
    if (c == '"' || c == ']' || c == '}' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'))
        dirac__buffer_append(buffer, ",", 1);
}

void dirac__json_open(dirac__buffer *buffer, char bracket)
{
    separate(buffer);
    dirac__buffer_append(buffer, &bracket, 1);
}

void dirac__json_close(dirac__buffer *buffer, char bracket)
{
    dirac__buffer_append(buffer, &bracket, 1);
}

static void put_escaped(dirac__buffer *buffer, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    const char *found = memchr(from, c, sizeof from - 1);
    if (found != NULL)
        text[1] = to[found - from];
    dirac__buffer_append(buffer, text, found != NULL ? 2 : 6);
}

void dirac__json_put_string(dirac__buffer *buffer, const char *text)
{
    const size_t size = strlen(text);
    separate(buffer);
    dirac__buffer_append(buffer, "\"", 1);
    for (size_t at = 0; at < size;) {
        const unsigned char c = (unsigned char)text[at];
        size_t length = dirac__utf8_character(text + at, size - at);
        if (length == 0)
            dirac__buffer_text(buffer, "\xEF\xBF\xBD"); /* U+FFFD */
        else if (c < 0x20 || c == '"' || c == '\\')
            put_escaped(buffer, c);
        else
            dirac__buffer_append(buffer, text + at, length);
        at += length == 0 ? 1 : length;
    }
    dirac__buffer_append(buffer, "\"", 1);
}

void dirac__json_put_name(dirac__buffer *buffer, const char *name)
{
    dirac__json_put_string(buffer, name);
    dirac__buffer_append(buffer, ":", 1);
}

void dirac__json_put_integer(dirac__buffer *buffer, int64_t value)
{
    separate(buffer);
    dirac__buffer_integer(buffer, value);
}

void dirac__json_put_number(dirac__buffer *buffer, double value, int32_t digits)
{
    char text[DIRAC__NUMBER_CAPACITY];
    dirac__format_number(text, value, digits);
    separate(buffer);
    /* "nan", "inf" and "-inf" have an 'n', numbers have none. */
    dirac__buffer_text(buffer, strchr(text, 'n') != NULL ? "null" : text);
}

void dirac__json_put_boolean(dirac__buffer *buffer, bool value)
{
    separate(buffer);
    dirac__buffer_text(buffer, value ? "true" : "false");
}

void dirac__json_put_null(dirac__buffer *buffer)
{
    separate(buffer);
    dirac__buffer_text(buffer, "null");
}

/* ---- what the reader takes ---- */

/* The place behind the string that begins with the quote at `at`. */
static size_t behind_string(const char *text, size_t at)
{
    for (at++; text[at] != '"'; at++)
        at += text[at] == '\\'; /* an escaped quote is none; what follows "\u" is no quote either */
    return at + 1;
}

/* A value is the root, the first in a container that is not empty, or behind a comma. */
static size_t count_values(const char *text, size_t size)
{
    size_t count = 1;
    for (size_t at = 0; at < size;) {
        const char c = text[at];
        if (c == '"') {
            at = behind_string(text, at);
            continue;
        }
        at++;
        count += c == ',' || (c == '[' && text[at] != ']') || (c == '{' && text[at] != '}');
    }
    return count;
}

int32_t dirac__json_check_written(const char *text, size_t size, const char *what)
{
    if (size > DIRAC__JSON_MAX_SIZE)
        return dirac__fail(DIRAC_ERR_LIMIT, "%s would have %zu bytes; at most %zu can be read", what, size,
                           DIRAC__JSON_MAX_SIZE);
    const size_t count = count_values(text, size);
    if (count > DIRAC__JSON_MAX_VALUES)
        return dirac__fail(DIRAC_ERR_LIMIT, "%s would have %zu JSON values; at most %zu can be read", what, count,
                           DIRAC__JSON_MAX_VALUES);
    return DIRAC_OK;
}
