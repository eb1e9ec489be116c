/* SPDX-License-Identifier: MIT */
/* What tests of layers share: reproducible numbers, parameters that show every mistake, comparison with the twin. */
#ifndef LAYERS_LAYER_VALUES_H
#define LAYERS_LAYER_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include <dirac/dirac.h>

/* Fails the test with the library's own message unless `call` returns DIRAC_OK. */
#define OK(call) layer_ok((call), #call, __FILE__, __LINE__)
void layer_ok(int32_t status, const char *call, const char *file, int line);

/* Uniform in [low, high), from (seed, name, index) alone. */
double layer_uniform(uint64_t seed, const char *name, size_t index, double low, double high);
/* `count` of them as floats, to be freed. */
float *layer_random(size_t count, uint64_t seed, const char *name, double low, double high);
/* Writes every parameter and state of a built net: no two alike, none at its default, of both signs where both are
 * legal, filters of unlike length, variances not 1; of a size that keeps activations near 1. */
void layer_fill(dirac_net *net, uint64_t seed);
/* All numbers of a tensor, to be freed; `count` may be NULL. */
float *layer_read(const dirac_net *net, const char *name, size_t *count);
/* The gradient of a parameter, to be freed. */
float *layer_gradient(const dirac_session *session, const dirac_net *net, const char *name,
                      size_t *count);

/* The largest |want|. */
double layer_largest(const double *want, size_t count);
/* Fails unless all |got - want| <= tolerance (a NaN fails); names the worst. */
void layer_close(const char *what, const char *part, const float *got, const double *want,
                 size_t count, double tolerance);
void layer_same_bits(const char *what, const float *got, const float *want, size_t count);

#endif
