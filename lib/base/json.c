/* SPDX-License-Identifier: MIT */
/*
 * The JSON reader. It makes one allocation: an array of values, as many as the text can hold at most, and the
 * bytes of its strings. Values that are read but whose container is still open are stacked at the array's front; when a
 * container closes, its own are moved to the array's back, side by side and for good. The root remains, at the front.
 */
#include "base/json.h"

#include <string.h>

#include "base/fail.h"
#include "base/number.h"
#include "base/utf8.h"

struct dirac__json {
    const char *name; /* of a member, else NULL */
    union {
        int64_t integer;
        double number;
        bool boolean;
        const char *string;
        dirac__json *items;
    } as;
    uint32_t name_size;
    uint32_t count;
    uint32_t sorted; /* in an object's item i: which item is the i-th by name */
    int32_t type;
};

typedef struct reader {
    const char *text;
    size_t size, at;
    dirac__json *values;
    size_t open, closed; /* values[0..open) and values[closed..limit) are in use */
    char *strings;       /* the next free byte */
    int32_t depth;
} reader;

/* ---- errors ---- */

static int32_t fail_at(size_t at, const char *what)
{
    return dirac__fail(DIRAC_ERR_FORMAT, "JSON at byte %zu: %s", at, what);
}

static int32_t fail_limit(size_t at, const char *what, size_t most)
{
    return dirac__fail(DIRAC_ERR_LIMIT, "JSON at byte %zu: %s (at most %zu)", at, what, most);
}

/* ---- strings ---- */

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xE0 | c >> 12);
        } else {
            *to++ = (char)(0xF0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
    }
    *to++ = (char)(0x80 | (c & 0x3F));
    return to;
}

static bool read_hex(const reader *r, size_t at, uint32_t *out)
{
    *out = 0;
    if (r->size - at < 4)
        return false;
    for (size_t i = at; i < at + 4; i++) {
        char c = r->text[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            digit = (uint32_t)(c - 'A' + 10);
        else
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

/* Behind "\u": one code point, of two escapes if the first is a high surrogate. */
static int32_t read_unicode_escape(reader *r)
{
    const size_t start = r->at - 2;
    uint32_t c, low;
    if (!read_hex(r, r->at, &c))
        return fail_at(start, "\\u needs four hexadecimal digits");
    r->at += 4;
    if (c == 0)
        return fail_at(start, "\\u0000 is not accepted in strings");
    if (c >= 0xDC00 && c <= 0xDFFF)
        return fail_at(start, "a low surrogate without a high one before it");
    if (c >= 0xD800 && c <= 0xDBFF) {
        if (r->size - r->at < 6 || memcmp(r->text + r->at, "\\u", 2) != 0 ||
            !read_hex(r, r->at + 2, &low) || low < 0xDC00 || low > 0xDFFF)
            return fail_at(start, "a high surrogate without a low one behind it");
        r->at += 6;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    r->strings = put_utf8(r->strings, c);
    return DIRAC_OK;
}

static int32_t read_escape(reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const size_t start = r->at++;
    if (r->at == r->size)
        return fail_at(start, "the text ends inside a string");
    char c = r->text[r->at++];
    if (c == 'u')
        return read_unicode_escape(r);
    const char *found = memchr(from, c, sizeof from - 1);
    if (found == NULL)
        return fail_at(start, "no such escape");
    *r->strings++ = to[found - from];
    return DIRAC_OK;
}

/* At a quote. The decoded string is never longer than its source, and the quotes make room for the 0 behind it. */
static int32_t read_string(reader *r, const char **out, uint32_t *size)
{
    const size_t start = r->at++;
    char *first = r->strings;
    for (;;) {
        if (r->at == r->size)
            return fail_at(start, "a string without an end");
        unsigned char c = (unsigned char)r->text[r->at];
        if (c == '"')
            break;
        if (c < 0x20)
            return fail_at(r->at, "a control character in a string (it must be escaped)");
        if (c == '\\') {
            int32_t status = read_escape(r);
            if (status != DIRAC_OK)
                return status;
            continue;
        }
        size_t length = dirac__utf8_character(r->text + r->at, r->size - r->at);
        if (length == 0)
            return fail_at(r->at, "not UTF-8");
        memcpy(r->strings, r->text + r->at, length);
        r->strings += length;
        r->at += length;
    }
    r->at++;
    if ((size_t)(r->strings - first) > DIRAC__JSON_MAX_STRING)
        return fail_limit(start, "a string of too many bytes", DIRAC__JSON_MAX_STRING);
    *out = first;
    *size = (uint32_t)(r->strings - first);
    *r->strings++ = 0;
    return DIRAC_OK;
}

/* ---- objects by name ---- */

static int32_t compare_names(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    if (order != 0)
        return order;
    return (a_size > b_size) - (a_size < b_size);
}

/* Compares the items that are i-th and j-th by name so far. */
static int32_t compare_sorted(const dirac__json *items, size_t i, size_t j)
{
    const dirac__json *a = &items[items[i].sorted], *b = &items[items[j].sorted];
    return compare_names(a->name, a->name_size, b->name, b->name_size);
}

static void swap_sorted(dirac__json *items, size_t i, size_t j)
{
    uint32_t kept = items[i].sorted;
    items[i].sorted = items[j].sorted;
    items[j].sorted = kept;
}

static void sift_down(dirac__json *items, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare_sorted(items, child, child + 1) < 0)
            child++;
        if (compare_sorted(items, at, child) >= 0)
            return;
        swap_sorted(items, at, child);
    }
}

/* Heap sort: n log n for every text, in place, and unlike qsort() without memory of its own. */
static void sort_members(dirac__json *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        items[i].sorted = (uint32_t)i;
    for (size_t i = count / 2; i-- > 0;)
        sift_down(items, i, count);
    for (size_t i = count; i-- > 1;) {
        swap_sorted(items, 0, i);
        sift_down(items, 0, i);
    }
}

/* ---- values ---- */

static void skip_space(reader *r)
{
    while (r->at < r->size && r->text[r->at] != 0 && strchr(" \t\n\r", r->text[r->at]) != NULL)
        r->at++;
}

/* Skips space; whether the next byte is `c`, which is then skipped. */
static bool take(reader *r, char c)
{
    skip_space(r);
    if (r->at == r->size || r->text[r->at] != c)
        return false;
    r->at++;
    return true;
}

static size_t count_digits(const reader *r, size_t at)
{
    size_t end = at;
    while (end < r->size && r->text[end] >= '0' && r->text[end] <= '9')
        end++;
    return end - at;
}

/* Integers, the usual case, are read as such; what is not one in int64_t becomes a double. */
static int32_t read_number(reader *r, dirac__json *value)
{
    const char *text = r->text + r->at;
    const size_t sign = text[0] == '-' ? 1 : 0, digits = count_digits(r, r->at + sign),
                 left = r->size - r->at;
    size_t used = sign + digits;
    if (digits > 1 && text[sign] == '0')
        return fail_at(r->at, "a number with a leading zero");
    bool plain = used == left || (text[used] != '.' && text[used] != 'e' && text[used] != 'E');
    bool minus_zero = sign == 1 && digits == 1 && text[1] == '0';
    if (plain && !minus_zero && dirac__parse_integer(text, used, &value->as.integer)) {
        value->type = DIRAC__JSON_INTEGER;
    } else if (dirac__parse_number(text, left, &value->as.number, &used)) {
        value->type = DIRAC__JSON_NUMBER;
    } else {
        return fail_at(r->at, "not a number, or beyond the range of a double");
    }
    r->at += used;
    return DIRAC_OK;
}

static int32_t read_word(reader *r, dirac__json *value)
{
    static const struct {
        const char *text;
        size_t size;
        int32_t type;
        bool boolean;
    } words[] = {{"null", 4, DIRAC__JSON_NULL, false},
                 {"true", 4, DIRAC__JSON_BOOLEAN, true},
                 {"false", 5, DIRAC__JSON_BOOLEAN, false}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (r->size - r->at >= words[i].size &&
            memcmp(r->text + r->at, words[i].text, words[i].size) == 0) {
            r->at += words[i].size;
            value->type = words[i].type;
            value->as.boolean = words[i].boolean;
            return DIRAC_OK;
        }
    return fail_at(r->at, "expected a value");
}

static int32_t read_container(reader *r, dirac__json *value);

/* Reads a value onto the stack, with the name it has as a member. */
static int32_t read_value(reader *r, const char *name, uint32_t name_size)
{
    dirac__json value = {.name = name, .name_size = name_size};
    int32_t status;
    skip_space(r);
    if (r->at == r->size)
        return fail_at(r->at, "the text ends where a value is expected");
    char c = r->text[r->at];
    if (c == '{' || c == '[') {
        status = read_container(r, &value);
    } else if (c == '"') {
        value.type = DIRAC__JSON_STRING;
        status = read_string(r, &value.as.string, &value.count);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        status = read_number(r, &value);
    } else {
        status = read_word(r, &value);
    }
    if (status != DIRAC_OK)
        return status;
    if (r->open == r->closed)
        return fail_limit(r->at, "too many values", DIRAC__JSON_MAX_VALUES);
    r->values[r->open++] = value;
    return DIRAC_OK;
}

static int32_t read_member(reader *r)
{
    const char *name;
    uint32_t size;
    skip_space(r);
    if (r->at == r->size || r->text[r->at] != '"')
        return fail_at(r->at, "expected a member's name in quotes");
    int32_t status = read_string(r, &name, &size);
    if (status != DIRAC_OK)
        return status;
    if (!take(r, ':'))
        return fail_at(r->at, "expected ':' behind a member's name");
    return read_value(r, name, size);
}

/* Moves the values stacked since `first` to the back: they are complete. */
static void settle_items(reader *r, size_t first, dirac__json *value)
{
    const size_t count = r->open - first;
    r->open = first;
    r->closed -= count;
    memmove(&r->values[r->closed], &r->values[first], count * sizeof *r->values);
    value->as.items = &r->values[r->closed];
    value->count = (uint32_t)count;
}

static int32_t check_names(size_t start, dirac__json *object)
{
    dirac__json *items = object->as.items;
    sort_members(items, object->count);
    for (size_t i = 1; i < object->count; i++)
        if (compare_sorted(items, i - 1, i) == 0) {
            const char *name = items[items[i].sorted].name;
            return dirac__fail(DIRAC_ERR_FORMAT,
                               "JSON at byte %zu: the object has the name \"%.200s\" twice", start,
                               name);
        }
    return DIRAC_OK;
}

static int32_t read_container(reader *r, dirac__json *value)
{
    const size_t start = r->at, first = r->open;
    const bool object = r->text[r->at++] == '{';
    const char end = object ? '}' : ']';
    if (r->depth == DIRAC__JSON_MAX_DEPTH)
        return fail_limit(start, "arrays and objects too deep inside each other",
                          DIRAC__JSON_MAX_DEPTH);
    r->depth++;
    if (!take(r, end)) {
        do {
            int32_t status = object ? read_member(r) : read_value(r, NULL, 0);
            if (status != DIRAC_OK)
                return status;
        } while (take(r, ','));
        if (!take(r, end))
            return fail_at(r->at, object ? "expected ',' or '}' behind a member"
                                         : "expected ',' or ']' behind a value");
    }
    r->depth--;
    value->type = object ? DIRAC__JSON_OBJECT : DIRAC__JSON_ARRAY;
    settle_items(r, first, value);
    return object ? check_names(start, value) : DIRAC_OK;
}

/* Every value but the first stands right behind one of '[', ',' and ':'. */
static size_t most_values(const char *text, size_t size)
{
    size_t count = 1;
    for (size_t i = 0; i < size; i++)
        count += text[i] == '[' || text[i] == ',' || text[i] == ':';
    return count < DIRAC__JSON_MAX_VALUES ? count : DIRAC__JSON_MAX_VALUES;
}

int32_t dirac__json_parse(const dirac__memory *memory, const char *text, size_t size,
                          dirac__json **out)
{
    *out = NULL;
    if (size > DIRAC__JSON_MAX_SIZE)
        return fail_limit(DIRAC__JSON_MAX_SIZE, "a text of too many bytes", DIRAC__JSON_MAX_SIZE);
    size_t limit = most_values(text, size), bytes;
    if (!dirac__multiply(limit, sizeof(dirac__json), &bytes) || !dirac__add(bytes, size, &bytes))
        return dirac__fail_memory("JSON text");
    dirac__json *values = dirac__alloc(memory, bytes);
    if (values == NULL)
        return dirac__fail_memory("JSON text");

    reader r = {.text = text,
                .size = size,
                .values = values,
                .closed = limit,
                .strings = (char *)(values + limit)};
    int32_t status = read_value(&r, NULL, 0);
    skip_space(&r);
    if (status == DIRAC_OK && r.at < size)
        status = fail_at(r.at, "something stands behind the value");
    if (status != DIRAC_OK)
        dirac__free(memory, values);
    else
        *out = values;
    return status;
}

void dirac__json_free(const dirac__memory *memory, dirac__json *root)
{
    dirac__free(memory, root);
}

/* ---- questions ---- */

int32_t dirac__json_type(const dirac__json *value)
{
    return value == NULL ? DIRAC__JSON_NONE : value->type;
}

size_t dirac__json_count(const dirac__json *value)
{
    int32_t type = dirac__json_type(value);
    return type == DIRAC__JSON_ARRAY || type == DIRAC__JSON_OBJECT ? value->count : 0;
}

const dirac__json *dirac__json_item(const dirac__json *value, size_t index)
{
    return index < dirac__json_count(value) ? &value->as.items[index] : NULL;
}

const char *dirac__json_name(const dirac__json *member)
{
    return member == NULL ? NULL : member->name;
}

const dirac__json *dirac__json_member(const dirac__json *object, const char *name)
{
    if (dirac__json_type(object) != DIRAC__JSON_OBJECT)
        return NULL;
    const dirac__json *items = object->as.items;
    size_t low = 0, high = object->count, size = strlen(name);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const dirac__json *item = &items[items[middle].sorted];
        int32_t order = compare_names(name, size, item->name, item->name_size);
        if (order == 0)
            return item;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool dirac__json_integer(const dirac__json *value, int64_t *out)
{
    if (dirac__json_type(value) != DIRAC__JSON_INTEGER)
        return false;
    *out = value->as.integer;
    return true;
}

bool dirac__json_number(const dirac__json *value, double *out)
{
    int32_t type = dirac__json_type(value);
    if (type != DIRAC__JSON_INTEGER && type != DIRAC__JSON_NUMBER)
        return false;
    *out = type == DIRAC__JSON_INTEGER ? dirac__nearest_double(value->as.integer) : value->as.number;
    return true;
}

bool dirac__json_boolean(const dirac__json *value, bool *out)
{
    if (dirac__json_type(value) != DIRAC__JSON_BOOLEAN)
        return false;
    *out = value->as.boolean;
    return true;
}

const char *dirac__json_string(const dirac__json *value)
{
    return dirac__json_type(value) == DIRAC__JSON_STRING ? value->as.string : NULL;
}
