/* SPDX-License-Identifier: MIT */
/* Public calls that make a layer kind of the host's own. */
#include <math.h>
#include <string.h>

#include <dirac/layer.h>
#include <dirac/status.h>

#include "api/check.h"
#include "layers/custom.h"

static bool is_word(const char *name)
{
    if (name == NULL || !((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z')))
        return false;
    return strlen(name) < 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(name);
}

int32_t dirac_layer_kind_create(dirac_layer_kind **out, dirac_context *context, const char *name, int32_t inputs)
{
    if (out != NULL)
        *out = NULL;
    if (out == NULL || context == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_layer_kind_create: a handle is NULL");
    if (!is_word(name) || dirac__kind_find(name) != NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT,
                           "a kind's name is a letter and up to 62 letters, digits or '_', and none of the library's: not \"%.64s\"",
                           name == NULL ? "(NULL)" : name);
    if (inputs < 0 || inputs > DIRAC__MAX_INPUTS)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "kind \"%s\": %d inputs, legal are 0 to %d", name, inputs,
                           DIRAC__MAX_INPUTS);
    int32_t status = dirac__context_use(context);
    if (status != DIRAC_OK)
        return status;
    dirac_layer_kind *kind = dirac__alloc_zero(&context->memory, 1, sizeof *kind);
    char *copy = dirac__copy_string(&context->memory, name);
    if (kind == NULL || copy == NULL) {
        dirac__free(&context->memory, kind);
        dirac__free(&context->memory, copy);
        dirac__context_release(context);
        return dirac__fail_memory("a layer kind");
    }
    kind->memory = context->memory;
    kind->context = context;
    atomic_init(&kind->references, 1);
    kind->kind = (dirac__kind){.name = copy, .attributes = kind->attributes, .whole = kind->whole, .inputs = inputs,
                               .traits = DIRAC__CUSTOM, .plan = dirac__custom_plan,
                               .parameters = dirac__custom_parameters, .forward = dirac__custom_forward};
    *out = kind;
    return DIRAC_OK;
}

void dirac_layer_kind_destroy(dirac_layer_kind *kind)
{
    dirac__kind_release(kind);
}

static int32_t check_open(const dirac_layer_kind *kind)
{
    if (kind == NULL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "the layer kind is NULL");
    if (kind->registered)
        return dirac__fail(DIRAC_ERR_STATE, "kind \"%s\" is registered and cannot be changed", kind->kind.name);
    return DIRAC_OK;
}

int32_t dirac_layer_kind_set_user(dirac_layer_kind *kind, void *user, dirac_destroy_fn destroy)
{
    int32_t status = check_open(kind);
    if (status == DIRAC_OK) {
        kind->user = user;
        kind->destroy_user = destroy;
    }
    return status;
}

static int32_t add_attribute(dirac_layer_kind *kind, const char *name, int32_t type, double least, double most,
                             double value)
{
    int32_t status = check_open(kind);
    if (status != DIRAC_OK)
        return status;
    if (!is_word(name) || dirac__attribute_find(&kind->kind, name) >= 0)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "kind \"%s\": an attribute's name is a new word, not \"%.64s\"",
                           kind->kind.name, name == NULL ? "(NULL)" : name);
    if (!(isfinite(value) && least <= value && value <= most)) /* a file holds no infinite number */
        return dirac__fail(DIRAC_ERR_ARGUMENT, "kind \"%s\": the default of attribute \"%s\" is not finite or outside its range",
                           kind->kind.name, name);
    if (kind->kind.n_attributes == DIRAC__MAX_ATTRIBUTES)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "kind \"%s\": a kind has at most %d attributes", kind->kind.name,
                           DIRAC__MAX_ATTRIBUTES);
    char *copy = dirac__copy_string(&kind->memory, name);
    if (copy == NULL)
        return dirac__fail_memory("an attribute");
    kind->attributes[kind->kind.n_attributes++] = (dirac__attribute){copy, type, least, most, value};
    return DIRAC_OK;
}

int32_t dirac_layer_kind_add_float(dirac_layer_kind *kind, const char *name, double least, double most, double value)
{
    DIRAC__HOLD_FLOATS();
    return add_attribute(kind, name, DIRAC__FLOAT, least, most, value);
}

int32_t dirac_layer_kind_add_int(dirac_layer_kind *kind, const char *name, int64_t least, int64_t most, int64_t value)
{
    DIRAC__HOLD_FLOATS();
    const bool inside = least <= value && value <= most; /* exactly: as double, neighbours may be equal */
    CHECK(add_attribute(kind, name, DIRAC__INT, (double)least, (double)most, inside ? (double)value : (double)NAN));
    kind->whole[kind->kind.n_attributes - 1] = (dirac__whole){least, most, value};
    return DIRAC_OK;
}

static int32_t set_callback(dirac_layer_kind *kind, dirac_layer_fn *slot, dirac_layer_fn callback)
{
    int32_t status = check_open(kind);
    if (status == DIRAC_OK && callback == NULL)
        status = dirac__fail(DIRAC_ERR_ARGUMENT, "kind \"%s\": the callback is NULL", kind->kind.name);
    if (status == DIRAC_OK)
        *slot = callback;
    return status;
}

int32_t dirac_layer_kind_set_setup(dirac_layer_kind *kind, dirac_layer_fn setup)
{
    return set_callback(kind, kind == NULL ? NULL : &kind->setup, setup);
}

int32_t dirac_layer_kind_set_forward(dirac_layer_kind *kind, dirac_layer_fn forward)
{
    return set_callback(kind, kind == NULL ? NULL : &kind->forward, forward);
}

int32_t dirac_layer_kind_set_backward(dirac_layer_kind *kind, dirac_layer_fn backward)
{
    int32_t status = set_callback(kind, kind == NULL ? NULL : &kind->backward, backward);
    if (status == DIRAC_OK)
        kind->kind.backward = dirac__custom_backward;
    return status;
}

int32_t dirac_layer_kind_register(dirac_layer_kind *kind)
{
    int32_t status = check_open(kind);
    if (status == DIRAC_OK && (kind->setup == NULL || kind->forward == NULL))
        status = dirac__fail(DIRAC_ERR_STATE, "kind \"%s\" needs a setup and a forward callback", kind->kind.name);
    return status != DIRAC_OK ? status : dirac__kind_register(kind);
}

dirac_node *dirac_net_custom(dirac_net *net, dirac_layer_kind *kind, dirac_node *const *inputs, int32_t count)
{
    if (net == NULL) {
        dirac__fail(DIRAC_ERR_ARGUMENT, "the net is NULL");
        return NULL;
    }
    if (kind == NULL || !kind->registered || (inputs == NULL && count != 0)) {
        dirac__net_stick(net, dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_net_custom: %s",
                                          kind == NULL         ? "the kind is NULL"
                                          : !kind->registered ? "the kind is not registered"
                                                              : "the inputs are NULL"));
        return NULL;
    }
    if (dirac__kind_lookup(net->context, kind->kind.name) != &kind->kind) {
        dirac__net_stick(net, dirac__fail(DIRAC_ERR_ARGUMENT, "kind \"%s\" is registered with another context",
                                          kind->kind.name));
        return NULL;
    }
    return dirac__net_add(net, &kind->kind, -1, inputs, count);
}
