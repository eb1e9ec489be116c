/* SPDX-License-Identifier: MIT */
/* Shapes, and the attributes of a layer: defaults and checked setters. */
#include "layers/layer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

/* ---- shapes ---- */

int64_t dirac__shape_positions(const dirac__shape *shape)
{
    return shape->size[0] * shape->size[1] * shape->size[2];
}

int64_t dirac__shape_count(const dirac__shape *shape)
{
    return shape->c * dirac__shape_positions(shape);
}

bool dirac__shape_equal(const dirac__shape *a, const dirac__shape *b)
{
    return a->c == b->c && a->rank == b->rank && a->size[0] == b->size[0] &&
           a->size[1] == b->size[1] && a->size[2] == b->size[2];
}

void dirac__shape_dims(const dirac__shape *shape, int64_t *dims, int32_t *rank)
{
    dims[0] = shape->c;
    for (int32_t i = 0; i < shape->rank; i++)
        dims[1 + i] = shape->size[3 - shape->rank + i];
    *rank = 1 + shape->rank;
}

char *dirac__shape_text(char out[64], const dirac__shape *shape)
{
    int used = snprintf(out, 64, "(%" PRId64, shape->c);
    for (int32_t i = 3 - shape->rank; i < 3 && used >= 0 && used < 64; i++)
        used += snprintf(out + used, (size_t)(64 - used), ", %" PRId64, shape->size[i]);
    if (used >= 0 && used < 63)
        memcpy(out + used, ")", 2);
    return out;
}

/* ---- attributes: defaults ---- */

int32_t dirac__attribute_find(const dirac__kind *kind, const char *name)
{
    for (int32_t i = 0; i < kind->n_attributes; i++)
        if (strcmp(kind->attributes[i].name, name) == 0)
            return i;
    return -1;
}

/* Every dimension gets `value`; those the layer does not have get what makes them vanish: 1 where it is a size or step,
 * 0 where it is a padding (or a step that follows the kernel). */
static void fill_dimensions(dirac__value *to, const dirac__attribute *attribute, int32_t rank,
                            int64_t value)
{
    for (int32_t i = 0; i < 3; i++)
        to->v[i] = i >= 3 - rank ? value : attribute->value >= 1;
}

static dirac__whole whole_of(const dirac__kind *kind, int32_t index)
{
    const dirac__attribute *a = &kind->attributes[index];
    if (kind->whole != NULL)
        return kind->whole[index];
    return (dirac__whole){(int64_t)a->least, (int64_t)a->most, (int64_t)a->value};
}

void dirac__layer_defaults(dirac__layer *layer, const dirac__kind *kind, int32_t rank)
{
    layer->kind = kind;
    layer->rank = rank;
    memset(layer->values, 0, sizeof layer->values);
    for (int32_t i = 0; i < kind->n_attributes; i++) {
        const dirac__attribute *attribute = &kind->attributes[i];
        if (attribute->type == DIRAC__FLOAT)
            layer->values[i].f = attribute->value;
        else if (attribute->type == DIRAC__INT)
            layer->values[i].i = whole_of(kind, i).value;
        else
            fill_dimensions(&layer->values[i], attribute, rank, (int64_t)attribute->value);
    }
}

/* ---- attributes: what is refused ---- */

static int32_t fail_unknown(const dirac__kind *kind, const char *node, const char *name)
{
    char list[512];
    int used = 0;
    list[0] = '\0';
    for (int32_t i = 0; i < kind->n_attributes && used >= 0 && used < (int)sizeof list; i++)
        used += snprintf(list + used, sizeof list - (size_t)used, "%s\"%s\"", i > 0 ? ", " : "",
                         kind->attributes[i].name);
    if (kind->n_attributes == 0)
        return dirac__fail(
            DIRAC_ERR_ARGUMENT,
            "layer \"%s\": there is no attribute \"%s\", a layer of kind \"%s\" has none", node,
            name, kind->name);
    return dirac__fail(DIRAC_ERR_ARGUMENT,
                       "layer \"%s\": there is no attribute \"%s\", a layer of kind \"%s\" has %s",
                       node, name, kind->name, list);
}

/* Finds an attribute that takes `type`, or, for a single integer, one a dimension. */
static int32_t find_typed(const dirac__layer *layer, const char *node, const char *name,
                          int32_t type, int32_t *index)
{
    static const char *const takes[] = {"takes one integer", "takes a real number (use set_float)",
                                        "takes integers, one a spatial dimension"};
    if (name == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "layer \"%s\": the name of an attribute is NULL", node);
    *index = dirac__attribute_find(layer->kind, name);
    if (*index < 0)
        return fail_unknown(layer->kind, node, name);
    const int32_t is = layer->kind->attributes[*index].type;
    if (is == type || (is == DIRAC__INTS && type == DIRAC__INT))
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_ARGUMENT, "layer \"%s\": attribute \"%s\" %s", node, name,
                       takes[is]);
}

/* Whole numbers are written in full: a format of real numbers may make 1e+03 of 1000. */
static const char *number_text(char out[DIRAC__NUMBER_CAPACITY], double value)
{
    if (fabs(value) > 1e15 || (double)(int64_t)value != value)
        return dirac__format_number(out, value, 9);
    snprintf(out, DIRAC__NUMBER_CAPACITY, "%" PRId64, (int64_t)value);
    return out;
}

static int32_t check_real(const dirac__attribute *attribute, const char *node, double value)
{
    if (isfinite(value) && value >= attribute->least && value <= attribute->most)
        return DIRAC_OK;
    char is[DIRAC__NUMBER_CAPACITY], least[DIRAC__NUMBER_CAPACITY], most[DIRAC__NUMBER_CAPACITY];
    const char *text = isfinite(value) ? number_text(is, value) : isnan(value) ? "NaN" : "infinite";
    return dirac__fail(DIRAC_ERR_ARGUMENT,
                       "layer \"%s\": attribute \"%s\" is %s, legal are %s to %s", node,
                       attribute->name, text, number_text(least, attribute->least),
                       number_text(most, attribute->most));
}

static int32_t check_integer(const dirac__kind *kind, int32_t index, const char *node, int64_t value)
{
    const dirac__whole range = whole_of(kind, index);
    if (value >= range.least && value <= range.most)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_ARGUMENT,
                       "layer \"%s\": attribute \"%s\" is %" PRId64 ", legal are %" PRId64 " to %" PRId64, node,
                       kind->attributes[index].name, value, range.least, range.most);
}

/* ---- attributes: setters ---- */

int32_t dirac__layer_set_int(dirac__layer *layer, const char *node, const char *attribute,
                             int64_t value)
{
    int32_t index;
    int32_t status = find_typed(layer, node, attribute, DIRAC__INT, &index);
    if (status != DIRAC_OK)
        return status;
    if (layer->kind->attributes[index].type == DIRAC__INTS)
        return dirac__layer_set_ints(layer, node, attribute, &value, 1);
    status = check_integer(layer->kind, index, node, value);
    if (status == DIRAC_OK)
        atomic_store_explicit(&layer->values[index].shared, value, memory_order_relaxed);
    return status;
}

int32_t dirac__layer_set_ints(dirac__layer *layer, const char *node, const char *attribute,
                              const int64_t *values, int32_t count)
{
    int32_t index;
    int32_t status = find_typed(layer, node, attribute, DIRAC__INTS, &index);
    if (status != DIRAC_OK)
        return status;
    const dirac__attribute *is = &layer->kind->attributes[index];
    const int32_t rank = layer->rank;
    if (values == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "layer \"%s\": the values for attribute \"%s\" are NULL", node, attribute);
    if (rank < 1 || (count != 1 && count != rank))
        return dirac__fail(DIRAC_ERR_ARGUMENT,
                           "layer \"%s\": attribute \"%s\" is given %d values, legal are 1 (for "
                           "every dimension) and %d",
                           node, attribute, (int)count, (int)rank);
    for (int32_t i = 0; i < count; i++) {
        status = check_integer(layer->kind, index, node, values[i]);
        if (status != DIRAC_OK)
            return status;
    }
    fill_dimensions(&layer->values[index], is, rank, values[0]);
    for (int32_t i = 0; count > 1 && i < count; i++)
        layer->values[index].v[3 - rank + i] = values[i];
    return DIRAC_OK;
}

int32_t dirac__layer_set_float(dirac__layer *layer, const char *node, const char *attribute,
                               double value)
{
    int32_t index;
    int32_t status = find_typed(layer, node, attribute, DIRAC__FLOAT, &index);
    if (status == DIRAC_OK)
        status = check_real(&layer->kind->attributes[index], node, value);
    if (status == DIRAC_OK)
        layer->values[index].f = value;
    return status;
}
