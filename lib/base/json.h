/* SPDX-License-Identifier: MIT */
/*
 * JSON over memory, for the headers of model files and for graph descriptions.
 *
 * The reader is strict and expects hostile text: RFC 8259 and nothing else (no comments, no trailing commas, no byte
 * order mark, no NaN), valid UTF-8, no name twice in an object, nothing behind the value. It also refuses the escape
 * \u0000, so that every string is a C string. It gives a tree in one allocation:
 *
 *     dirac__json *root;
 *     status = dirac__json_parse(memory, text, size, &root);
 *     const dirac__json *shape = dirac__json_member(root, "shape");
 *     for (size_t i = 0; i < dirac__json_count(shape); i++)
 *         if (!dirac__json_integer(dirac__json_item(shape, i), &dims[i])) ...
 *     dirac__json_free(memory, root);
 *
 * All questions may be asked of NULL and of a value of another type: the answer is then NULL, 0 or false, so chains need
 * one check at their end.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem.h"
#include "utf8.h"

#define DIRAC__JSON_MAX_DEPTH 32                 /* arrays and objects inside each other */
#define DIRAC__JSON_MAX_VALUES ((size_t)1 << 21) /* values of all kinds in one text */
#define DIRAC__JSON_MAX_SIZE ((size_t)1 << 30)   /* bytes of one text */
#define DIRAC__JSON_MAX_STRING ((size_t)1 << 24) /* bytes of one string or name */

enum {
    DIRAC__JSON_NONE = 0, /* the type of NULL */
    DIRAC__JSON_NULL = 1,
    DIRAC__JSON_BOOLEAN = 2,
    DIRAC__JSON_INTEGER = 3, /* written without '.', 'e' and within int64_t; "-0" is a NUMBER */
    DIRAC__JSON_NUMBER = 4,
    DIRAC__JSON_STRING = 5,
    DIRAC__JSON_ARRAY = 6,
    DIRAC__JSON_OBJECT = 7
};

typedef struct dirac__json dirac__json;

/* ---- reading ---- */

/* Reads one value that fills `text`. The tree takes at most 32 bytes a value plus `size`, and keeps no pointer into
 * `text`. *out is NULL on failure. Errors, recorded with the byte offset: FORMAT, LIMIT (the numbers above), MEMORY. */
int32_t dirac__json_parse(const dirac__memory *memory, const char *text, size_t size,
                          dirac__json **out);
/* Frees a tree, given its root; NULL is accepted. */
void dirac__json_free(const dirac__memory *memory, dirac__json *root);

int32_t dirac__json_type(const dirac__json *value);
/* The number of elements or members. */
size_t dirac__json_count(const dirac__json *value);
/* Element or member number `index`, in the order of the text. Constant time. */
const dirac__json *dirac__json_item(const dirac__json *value, size_t index);
/* The name of a member (a value that dirac__json_item() or _member() got from an object). */
const char *dirac__json_name(const dirac__json *member);
/* The member of that name. Logarithmic time. */
const dirac__json *dirac__json_member(const dirac__json *object, const char *name);

bool dirac__json_integer(const dirac__json *value, int64_t *out);
/* An INTEGER is accepted too. */
bool dirac__json_number(const dirac__json *value, double *out);
bool dirac__json_boolean(const dirac__json *value, bool *out);
/* A string; valid as long as the tree. */
const char *dirac__json_string(const dirac__json *value);

/* ---- writing ---- */

/*
 * Each call appends one piece to a dirac__buffer, with the comma it needs before it, known from the last byte there: so
 * begin in an empty buffer, or behind a byte that is no letter, digit, quote or closing bracket. Nothing is indented.
 *
 *     dirac__json_open(b, '{');
 *     dirac__json_put_name(b, "shape");
 *     dirac__json_open(b, '[');
 *     dirac__json_put_integer(b, 16);
 *     dirac__json_close(b, ']');
 *     dirac__json_close(b, '}');
 */
void dirac__json_open(dirac__buffer *buffer, char bracket);
void dirac__json_close(dirac__buffer *buffer, char bracket);
void dirac__json_put_name(dirac__buffer *buffer, const char *name);
/* What is not UTF-8 is written as U+FFFD: callers who mind check dirac__utf8_valid() before. */
void dirac__json_put_string(dirac__buffer *buffer, const char *text);
void dirac__json_put_integer(dirac__buffer *buffer, int64_t value);
/* As dirac__format_number(); NaN and infinity, which JSON does not have, as null. */
void dirac__json_put_number(dirac__buffer *buffer, double value, int32_t digits);
void dirac__json_put_boolean(dirac__buffer *buffer, bool value);
void dirac__json_put_null(dirac__buffer *buffer);
/* Whether the reader takes as many values and bytes as `text` has, which the calls above wrote. `what` is for the message.
 * Errors: LIMIT. */
int32_t dirac__json_check_written(const char *text, size_t size, const char *what);

#endif
