/* SPDX-License-Identifier: MIT */
/* The reader of reference files. The header's JSON has no escapes and no spaces between tokens: so it was written. */
#include "reference_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char *reference_directory = "tests/reference/data";

typedef struct reader {
    const char *at, *end; /* the header */
    const unsigned char *body;
    size_t body_size;
} reader;

static void *allocate(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    assert_non_null(memory);
    return memory;
}

static unsigned char *read_all(const char *name, size_t *size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", reference_directory, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *data = allocate(*size);
    assert_int_equal(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

static void expect(reader *r, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, text, length) != 0)
        fail_msg("reference file: expected %s before \"%.20s\"", text, r->at);
    r->at += length;
}

static int next_is(reader *r, char c)
{
    return r->at < r->end && *r->at == c ? (r->at++, 1) : 0;
}

static char *read_string(reader *r)
{
    expect(r, "\"");
    const char *close = memchr(r->at, '"', (size_t)(r->end - r->at));
    assert_non_null(close);
    size_t length = (size_t)(close - r->at);
    assert_null(memchr(r->at, '\\', length));
    char *text = allocate(length + 1);
    memcpy(text, r->at, length);
    r->at = close + 1;
    return text;
}

static int64_t read_integer(reader *r)
{
    char *after = NULL;
    int64_t value = strtoll(r->at, &after, 10);
    assert_true(after > r->at && after < r->end && value >= 0);
    r->at = after;
    return value;
}

/* Values in files are little-endian, whatever this machine is. */
static double element(const unsigned char *data, const char *dtype)
{
    const int size = strcmp(dtype, "F32") == 0 ? 4 : 8;
    uint64_t bits = 0;
    for (int i = size - 1; i >= 0; i--)
        bits = bits << 8 | data[i];
    if (strcmp(dtype, "I64") == 0)
        return (double)(int64_t)bits;
    if (strcmp(dtype, "F64") == 0) {
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    assert_string_equal(dtype, "F32");
    const uint32_t word = (uint32_t)bits;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* {"dtype":"F64","shape":[2,3],"data_offsets":[0,48]} */
static void read_entry(reader *r, reference_tensor *tensor)
{
    expect(r, ":{\"dtype\":");
    char *dtype = read_string(r);
    expect(r, ",\"shape\":[");
    tensor->count = 1;
    while (!next_is(r, ']')) {
        next_is(r, ',');
        assert_true(tensor->rank < 8);
        tensor->dims[tensor->rank] = read_integer(r);
        tensor->count *= (size_t)tensor->dims[tensor->rank++];
    }
    expect(r, ",\"data_offsets\":[");
    size_t first = (size_t)read_integer(r), size = strcmp(dtype, "F32") == 0 ? 4 : 8;
    expect(r, ",");
    size_t last = (size_t)read_integer(r);
    expect(r, "]}");
    assert_true(first <= last && last <= r->body_size && last - first == tensor->count * size);
    tensor->values = allocate(tensor->count * sizeof *tensor->values);
    for (size_t i = 0; i < tensor->count; i++)
        tensor->values[i] = element(r->body + first + i * size, dtype);
    free(dtype);
}

static void *grown(void *array, size_t count, size_t size)
{
    if (count % 256 != 0)
        return array;
    array = realloc(array, (count + 256) * size);
    assert_non_null(array);
    return array;
}

static void read_notes(reader *r, reference_file *file)
{
    expect(r, "{\"__metadata__\":{");
    while (!next_is(r, '}')) {
        next_is(r, ',');
        file->notes = grown(file->notes, file->n_notes, sizeof *file->notes);
        reference_note *note = &file->notes[file->n_notes++];
        note->name = read_string(r);
        expect(r, ":");
        note->text = read_string(r);
    }
}

reference_file *reference_open(const char *name)
{
    size_t size = 0;
    unsigned char *data = read_all(name, &size);
    uint64_t header = 0;
    assert_true(size > 8);
    for (int i = 7; i >= 0; i--)
        header = header << 8 | data[i];
    assert_true(header <= size - 8);
    reader r = {(const char *)data + 8, (const char *)data + 8 + header, data + 8 + header, size - 8 - header};
    reference_file *file = allocate(sizeof *file);
    read_notes(&r, file);
    while (!next_is(&r, '}')) {
        expect(&r, ",");
        file->tensors = grown(file->tensors, file->n_tensors, sizeof *file->tensors);
        reference_tensor *tensor = &file->tensors[file->n_tensors++];
        memset(tensor, 0, sizeof *tensor);
        tensor->name = read_string(&r);
        read_entry(&r, tensor);
    }
    free(data);
    return file;
}

void reference_close(reference_file *file)
{
    for (size_t i = 0; i < file->n_tensors; i++) {
        free(file->tensors[i].name);
        free(file->tensors[i].values);
    }
    for (size_t i = 0; i < file->n_notes; i++) {
        free(file->notes[i].name);
        free(file->notes[i].text);
    }
    free(file->tensors);
    free(file->notes);
    free(file);
}

/* Whether whole is "a_case/name". */
static int is_name(const char *whole, const char *a_case, const char *name)
{
    size_t length = strlen(a_case);
    return strncmp(whole, a_case, length) == 0 && whole[length] == '/' && strcmp(whole + length + 1, name) == 0;
}

const reference_tensor *reference_find(const reference_file *file, const char *a_case, const char *name)
{
    for (size_t i = 0; i < file->n_tensors; i++)
        if (is_name(file->tensors[i].name, a_case, name))
            return &file->tensors[i];
    return NULL;
}

const reference_tensor *reference_get(const reference_file *file, const char *a_case, const char *name)
{
    const reference_tensor *tensor = reference_find(file, a_case, name);
    if (tensor == NULL)
        fail_msg("%s/%s: no such reference tensor", a_case, name);
    return tensor;
}

const char *reference_text(const reference_file *file, const char *a_case, const char *name)
{
    for (size_t i = 0; i < file->n_notes; i++)
        if (is_name(file->notes[i].name, a_case, name))
            return file->notes[i].text;
    fail_msg("%s/%s: no such note", a_case, name);
    return "";
}

float *reference_floats(const reference_tensor *tensor, size_t first, size_t count)
{
    assert_true(first <= tensor->count && count <= tensor->count - first);
    float *values = allocate(count * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)tensor->values[first + i];
        assert_true((double)values[i] == tensor->values[first + i]);
    }
    return values;
}

void reference_word(const char *text, const char *key, char *out, size_t size)
{
    size_t length = strlen(key);
    out[0] = '\0';
    for (const char *at = text; at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, key, length) == 0 && at[length] == '=') {
            size_t n = strcspn(at + length + 1, " ");
            assert_true(n < size);
            memcpy(out, at + length + 1, n);
            out[n] = '\0';
            return;
        }
    }
}

double reference_number(const char *text, const char *key, double otherwise)
{
    char word[64];
    reference_word(text, key, word, sizeof word);
    return word[0] != '\0' ? strtod(word, NULL) : otherwise;
}
