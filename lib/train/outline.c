/* SPDX-License-Identifier: MIT */
/* The lists of tensors and texts that a checkpoint writes, and the memory of their names. */
#include <string.h>

#include "train/checkpoint.h"

/* Pieces put together in new memory; NULL when there is none. */
static char *join(const dirac__memory *memory, const char *const *pieces, size_t count)
{
    dirac__buffer text = {.memory = memory};
    for (size_t i = 0; i < count; i++)
        dirac__buffer_text(&text, pieces[i]);
    char *copy = text.failed ? NULL : dirac__copy_string(memory, text.data);
    dirac__buffer_release(&text);
    return copy;
}

char *dirac__outline_tensor_name(const dirac__memory *memory, const char *kind, const char *name, const char *rest)
{
    const char *const pieces[] = {kind, "/", name, rest == NULL ? "" : "/", rest == NULL ? "" : rest};
    return join(memory, pieces, 5);
}

char *dirac__outline_text_name(const dirac__memory *memory, const char *kind, const char *name)
{
    const char *const pieces[] = {"dirac.", kind, ".", name};
    return join(memory, pieces, 4);
}

/* Makes the outline own a string; NULL, and `failed`, when it cannot. */
static char *own(dirac__outline *outline, char *text)
{
    if (text == NULL || !dirac__grow(outline->memory, &outline->strings, &outline->strings_capacity,
                                     outline->n_strings + 1, sizeof *outline->strings)) {
        dirac__free(outline->memory, text);
        outline->failed = true;
        return NULL;
    }
    outline->strings[outline->n_strings++] = text;
    return text;
}

static dirac__file_tensor *add_tensor(dirac__outline *outline, const char *kind, const char *name, const char *rest)
{
    const char *full = own(outline, dirac__outline_tensor_name(outline->memory, kind, name, rest));
    if (full == NULL || !dirac__grow(outline->memory, &outline->tensors, &outline->tensors_capacity,
                                     outline->n_tensors + 1, sizeof *outline->tensors)) {
        outline->failed = true;
        return NULL;
    }
    dirac__file_tensor *tensor = &outline->tensors[outline->n_tensors++];
    tensor->name = full;
    return tensor;
}

void dirac__outline_floats(dirac__outline *outline, const char *kind, const char *name, const char *rest,
                           const int64_t *dims, int32_t rank, const float *values)
{
    dirac__file_tensor *tensor = add_tensor(outline, kind, name, rest);
    if (tensor == NULL)
        return;
    tensor->dtype = DIRAC__DTYPE_F32;
    tensor->rank = rank;
    tensor->data = values;
    tensor->bytes = sizeof(float);
    for (int32_t i = 0; i < rank; i++) {
        tensor->dims[i] = dims[i];
        tensor->bytes *= (size_t)dims[i];
    }
}

void dirac__outline_bytes(dirac__outline *outline, const char *name, const void *data, size_t size)
{
    dirac__file_tensor *tensor = add_tensor(outline, "blob", name, NULL);
    if (tensor == NULL)
        return;
    tensor->dtype = DIRAC__DTYPE_U8;
    tensor->rank = 1;
    tensor->dims[0] = (int64_t)size;
    tensor->data = data;
    tensor->bytes = size;
}

void dirac__outline_text(dirac__outline *outline, const char *kind, const char *name, dirac__buffer *value)
{
    const char *key = own(outline, dirac__outline_text_name(outline->memory, kind, name));
    const char *text = own(outline, value->failed ? NULL : dirac__copy_string(outline->memory, value->data));
    dirac__buffer_release(value);
    if (key == NULL || text == NULL ||
        !dirac__grow(outline->memory, &outline->texts, &outline->texts_capacity, outline->n_texts + 1,
                     sizeof *outline->texts)) {
        outline->failed = true;
        return;
    }
    outline->texts[outline->n_texts++] = (dirac__file_text){key, text};
}

void dirac__outline_release(dirac__outline *outline)
{
    for (size_t i = 0; i < outline->n_strings; i++)
        dirac__free(outline->memory, outline->strings[i]);
    dirac__free(outline->memory, outline->strings);
    dirac__free(outline->memory, outline->tensors);
    dirac__free(outline->memory, outline->texts);
}
