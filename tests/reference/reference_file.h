/* SPDX-License-Identifier: MIT */
/* Reads the files that generate.py wrote: safetensors, of which only what that program writes is understood. Whatever
 * is wrong with a file fails the test. */
#ifndef REFERENCE_FILE_H
#define REFERENCE_FILE_H

#include <stddef.h>
#include <stdint.h>

typedef struct reference_tensor {
    char *name; /* "case/grad/conv.weight" */
    int32_t rank;
    int64_t dims[8];
    size_t count;
    double *values; /* whatever the type in the file: all are exact in double */
} reference_tensor;

typedef struct reference_note {
    char *name; /* "case/chain" */
    char *text;
} reference_note;

typedef struct reference_file {
    reference_tensor *tensors;
    size_t n_tensors;
    reference_note *notes;
    size_t n_notes;
} reference_file;

/* Where the files are; set by main() before any test runs. */
extern const char *reference_directory;

reference_file *reference_open(const char *name);
void reference_close(reference_file *file);

/* "case/name"; NULL if there is none. */
const reference_tensor *reference_find(const reference_file *file, const char *a_case, const char *name);
/* The same; fails the test if there is none. */
const reference_tensor *reference_get(const reference_file *file, const char *a_case, const char *name);
/* The text of a note; fails the test if there is none. */
const char *reference_text(const reference_file *file, const char *a_case, const char *name);

/* Floats first..first+count of a tensor, to be freed with free(). Fails the test if a value is no float. */
float *reference_floats(const reference_tensor *tensor, size_t first, size_t count);

/* "key=value key=value": the number behind key, or `otherwise`. */
double reference_number(const char *text, const char *key, double otherwise);
/* The word behind key, up to a space, into out. Empty if there is none. */
void reference_word(const char *text, const char *key, char *out, size_t size);

#endif
