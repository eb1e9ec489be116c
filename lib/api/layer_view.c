/* SPDX-License-Identifier: MIT */
/* Public calls inside the callbacks of a host's layer. */
#include <string.h>

#include <dirac/layer.h>
#include <dirac/status.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "layers/custom.h"

int32_t dirac_layer_input_count(const dirac_layer *layer)
{
    return layer == NULL ? 0 : layer->layer->n_inputs;
}

static bool has_input(const dirac_layer *layer, int32_t index)
{
    return layer != NULL && index >= 0 && index < layer->layer->n_inputs;
}

int32_t dirac_layer_input_shape(const dirac_layer *layer, int32_t index, int64_t *dims, int32_t *rank)
{
    if (!has_input(layer, index) || dims == NULL || rank == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_layer_input_shape: no input %d, or nowhere to write", index);
    dirac__shape_dims(&layer->in[index], dims, rank);
    return DIRAC_OK;
}

static const dirac__value *attribute(const dirac_layer *layer, const char *name, int32_t type)
{
    const int32_t index = layer == NULL || name == NULL ? -1 : dirac__attribute_find(layer->layer->kind, name);
    if (index < 0 || layer->layer->kind->attributes[index].type != type)
        return NULL;
    return &layer->layer->values[index];
}

double dirac_layer_get_float(const dirac_layer *layer, const char *name)
{
    const dirac__value *value = attribute(layer, name, DIRAC__FLOAT);
    return value == NULL ? 0 : value->f;
}

int64_t dirac_layer_get_int(const dirac_layer *layer, const char *name)
{
    const dirac__value *value = attribute(layer, name, DIRAC__INT);
    return value == NULL ? 0 : value->i;
}

/* ---- setup ---- */

static int32_t check_dims(const dirac_layer *layer, const int64_t *dims, int32_t rank, int32_t most)
{
    if (layer == NULL || dims == NULL || rank < 1 || rank > most)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "a shape of rank %d, legal are 1 to %d", rank, most);
    if (layer->phase != DIRAC__SETUP)
        return dirac__fail(DIRAC_ERR_STATE, "shapes are declared in the setup callback alone");
    for (int32_t i = 0; i < rank; i++)
        if (dims[i] < 1 || dims[i] > DIRAC__MAX_DIMENSION)
            return dirac__fail(DIRAC_ERR_ARGUMENT, "dimension %d is %lld, legal are 1 to 2^30", i, (long long)dims[i]);
    return DIRAC_OK;
}

int32_t dirac_layer_set_output_shape(dirac_layer *layer, const int64_t *dims, int32_t rank)
{
    int32_t status = check_dims(layer, dims, rank, 4);
    if (status != DIRAC_OK)
        return status;
    layer->out = (dirac__shape){.c = dims[0], .rank = rank - 1, .size = {1, 1, 1}};
    for (int32_t i = 1; i < rank; i++)
        layer->out.size[3 - rank + i] = dims[i];
    layer->out_set = true;
    return DIRAC_OK;
}

/* A tensor is called "node.name", and a node's name may have dots: without one of its own every key of a file is unique. */
static int32_t check_parameter_name(const char *name, size_t capacity)
{
    const size_t length = name == NULL ? 0 : strlen(name);
    bool legal = length > 0 && length < capacity && strchr(name, '.') == NULL && dirac__utf8_valid(name, length);
    for (size_t i = 0; i < length; i++)
        legal = legal && (unsigned char)name[i] >= 0x20 && name[i] != 0x7F;
    if (legal)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_ARGUMENT, "a parameter's name has 1 to %zu bytes of UTF-8, no '.' and no control character",
                       capacity - 1);
}

static int32_t add_tensor(dirac_layer *layer, const char *name, const int64_t *dims, int32_t rank,
                          const dirac__parameter *is)
{
    int32_t status = check_dims(layer, dims, rank, DIRAC_MAX_RANK);
    if (status != DIRAC_OK)
        return status;
    status = check_parameter_name(name, sizeof layer->list->names[0]);
    if (status != DIRAC_OK)
        return status;
    if (layer->list->count == DIRAC__MAX_PARAMETERS)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "a layer has at most %d parameters and states", DIRAC__MAX_PARAMETERS);
    char *copy = layer->list->names[layer->list->count];
    memcpy(copy, name, strlen(name) + 1);
    dirac__parameter *item = &layer->list->items[layer->list->count++];
    *item = *is;
    item->name = copy;
    item->rank = rank;
    memcpy(item->dims, dims, (size_t)rank * sizeof *dims);
    return DIRAC_OK;
}

int32_t dirac_layer_add_parameter(dirac_layer *layer, const char *name, const int64_t *dims, int32_t rank,
                                  int32_t decay, int32_t init, double a, double b)
{
    if (init < DIRAC_INIT_ZEROS || init > DIRAC_INIT_DELTA || (init == DIRAC_INIT_DELTA && rank < 2))
        return dirac__fail(DIRAC_ERR_ARGUMENT, "no initialiser %d for a parameter of rank %d", init, rank);
    const dirac__parameter is = {.role = DIRAC_ROLE_TRAINED, .decay = decay != 0, .init = init, .a = a, .b = b};
    return add_tensor(layer, name, dims, rank, &is);
}

int32_t dirac_layer_add_state(dirac_layer *layer, const char *name, const int64_t *dims, int32_t rank, double value)
{
    const dirac__parameter is = {.role = DIRAC_ROLE_STATE, .init = DIRAC_INIT_CONSTANT, .a = value};
    return add_tensor(layer, name, dims, rank, &is);
}

int32_t dirac_layer_keep(dirac_layer *layer, int64_t floats, int64_t fixed)
{
    if (layer == NULL || floats < 0 || fixed < 0)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_layer_keep: a count is negative");
    if (layer->phase != DIRAC__SETUP)
        return dirac__fail(DIRAC_ERR_STATE, "dirac_layer_keep is for the setup callback alone");
    layer->kept_floats = floats;
    layer->kept_fixed = fixed;
    return DIRAC_OK;
}

/* ---- forward and backward ---- */

int64_t dirac_layer_batch(const dirac_layer *layer)
{
    return layer == NULL || layer->pass == NULL ? 0 : layer->pass->n;
}

int32_t dirac_layer_is_training(const dirac_layer *layer)
{
    return layer != NULL && layer->pass != NULL && layer->pass->training;
}

const float *dirac_layer_input(const dirac_layer *layer, int32_t index)
{
    return has_input(layer, index) ? layer->x[index] : NULL;
}

int32_t dirac_layer_output_shape(const dirac_layer *layer, int64_t *dims, int32_t *rank)
{
    if (layer == NULL || dims == NULL || rank == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_layer_output_shape: an argument is NULL");
    if (!layer->out_set)
        return dirac__fail(DIRAC_ERR_STATE, "dirac_layer_output_shape: setup has given no output shape yet");
    dirac__shape_dims(&layer->out, dims, rank);
    return DIRAC_OK;
}

float *dirac_layer_output(dirac_layer *layer)
{
    return layer == NULL ? NULL : layer->y;
}

const float *dirac_layer_output_gradient(const dirac_layer *layer)
{
    return layer == NULL || layer->phase != DIRAC__BACKWARD ? NULL : layer->dy;
}

float *dirac_layer_input_gradient(dirac_layer *layer, int32_t index)
{
    return has_input(layer, index) && layer->phase == DIRAC__BACKWARD ? layer->dx[index] : NULL;
}

/* The place of a tensor among the layer's, or -1; only while there is a pass. */
static int32_t find(const dirac_layer *layer, const char *name)
{
    if (layer == NULL || layer->pass == NULL || name == NULL)
        return -1;
    for (int32_t i = 0; i < layer->list->count; i++)
        if (strcmp(layer->list->items[i].name, name) == 0)
            return i;
    return -1;
}

const float *dirac_layer_parameter(const dirac_layer *layer, const char *name)
{
    const int32_t index = find(layer, name);
    return index < 0 ? NULL : layer->pass->parameters[index];
}

int32_t dirac_layer_parameter_shape(const dirac_layer *layer, const char *name, int64_t *dims, int32_t *rank)
{
    if (layer == NULL || name == NULL || dims == NULL || rank == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_layer_parameter_shape: an argument is NULL");
    const int32_t index = find(layer, name);
    if (index < 0)
        return dirac__fail(DIRAC_ERR_NOT_FOUND, "the layer has no parameter or state \"%.64s\" here", name);
    const dirac__parameter *item = &layer->list->items[index];
    memcpy(dims, item->dims, (size_t)item->rank * sizeof *dims);
    *rank = item->rank;
    return DIRAC_OK;
}

float *dirac_layer_parameter_gradient(dirac_layer *layer, const char *name)
{
    const int32_t index = find(layer, name);
    return index < 0 || layer->phase != DIRAC__BACKWARD ? NULL : layer->pass->gradients[index];
}

float *dirac_layer_new_state(dirac_layer *layer, const char *name)
{
    const int32_t index = find(layer, name);
    if (index < 0 || layer->phase != DIRAC__FORWARD || !layer->pass->training ||
        layer->pass->pending[2 * index] == NULL)
        return NULL;
    float *decay = layer->pass->pending[2 * index], *addend = layer->pass->pending[2 * index + 1];
    const float *state = layer->pass->parameters[index];
    const int64_t count = dirac__parameter_count(&layer->list->items[index]);
    for (int64_t i = 0; i < count; i++) {
        addend[i] = decay[i] * state[i] + addend[i];
        decay[i] = 0;
    }
    return addend;
}

float *dirac_layer_kept(dirac_layer *layer)
{
    return layer == NULL || layer->pass == NULL ? NULL : layer->pass->saved;
}

int64_t dirac_layer_kept_count(const dirac_layer *layer)
{
    if (layer == NULL || layer->pass == NULL || layer->pass->saved == NULL)
        return 0;
    return layer->pass->n * layer->kept_floats + layer->kept_fixed;
}
