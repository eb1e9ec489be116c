/* SPDX-License-Identifier: MIT */
/* Runs a host's layer: hands its callbacks (n, C, spatial) copies of what the kernels keep channels-last. */
#include "layers/custom.h"

#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "layers/planning.h"

static const struct dirac_layer_kind *kind_of(const dirac__layer *layer)
{
    return (const struct dirac_layer_kind *)layer->kind;
}

static int32_t call(dirac_layer_fn function, const char *what, const char *node, dirac_layer *view)
{
    const struct dirac_layer_kind *kind = kind_of(view->layer);
    const int32_t result = function(kind->user, view);
    if (result == 0)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_CALLBACK, "layer \"%s\": the %s callback of kind \"%s\" returned %d", node, what,
                       kind->kind.name, result);
}

static int32_t run_setup(dirac_layer *view, const char *node)
{
    view->phase = DIRAC__SETUP;
    view->list->count = 0;
    int32_t status = call(kind_of(view->layer)->setup, "setup", node, view);
    if (status == DIRAC_OK && !view->out_set)
        status = dirac__fail(DIRAC_ERR_CALLBACK, "layer \"%s\": the setup callback of kind \"%s\" set no output shape",
                             node, view->layer->kind->name);
    return status;
}

static size_t floats_of(const dirac__shape *shape, int64_t n)
{
    size_t count = (size_t)dirac__shape_count(shape);
    if (!dirac__multiply(count, (size_t)n, &count) || count > SIZE_MAX / 64)
        return SIZE_MAX / 64; /* beyond any memory; refused when blocks are placed */
    return (count + 15) & ~(size_t)15;
}

int32_t dirac__custom_plan(dirac__layer_plan *plan)
{
    dirac__parameter_list list;
    dirac_layer view = {.layer = plan->layer, .in = plan->in, .list = &list};
    int32_t status = run_setup(&view, plan->name);
    if (status != DIRAC_OK)
        return status;
    plan->out = view.out;
    status = dirac__check_output(plan);
    if (status != DIRAC_OK)
        return status;
    plan->keeps_input = plan->keeps_output = true;
    if (plan->batch == 0)
        return DIRAC_OK;
    size_t scratch = 2 * floats_of(&view.out, plan->batch), kept;
    for (int32_t i = 0; i < plan->layer->n_inputs; i++)
        scratch += 2 * floats_of(&plan->in[i], plan->batch);
    plan->scratch = scratch * sizeof(float);
    if (!dirac__multiply((size_t)view.kept_floats, (size_t)plan->batch, &kept) ||
        !dirac__add(kept, (size_t)view.kept_fixed, &kept) || !dirac__multiply(kept, sizeof(float), &kept))
        return dirac__fail(DIRAC_ERR_LIMIT, "layer \"%s\" keeps more than fits into memory", plan->name);
    plan->saved = plan->training ? kept : 0;
    return DIRAC_OK;
}

int32_t dirac__custom_parameters(const dirac__layer *layer, const dirac__shape *in, dirac__parameter_list *list)
{
    dirac_layer view = {.layer = layer, .in = in, .list = list};
    return run_setup(&view, layer->kind->name);
}

/* Cuts the scratch into the copies, and learns the parameters' names again. */
static int32_t open_view(dirac_layer *view, const dirac__pass *pass, dirac__parameter_list *list, int32_t phase)
{
    *view = (dirac_layer){.layer = pass->layer, .in = pass->in, .list = list};
    int32_t status = run_setup(view, pass->name);
    if (status != DIRAC_OK)
        return status;
    view->pass = pass; /* setup must not see it */
    view->phase = phase;
    float *next = pass->scratch;
    view->y = next;
    view->dy = view->y + floats_of(&pass->out, pass->n);
    next = view->dy + floats_of(&pass->out, pass->n);
    for (int32_t i = 0; i < pass->layer->n_inputs; i++) {
        view->x[i] = next;
        view->dx[i] = phase == DIRAC__BACKWARD && pass->dx[i] != NULL ? next + floats_of(&pass->in[i], pass->n) : NULL;
        next += 2 * floats_of(&pass->in[i], pass->n);
        pass->kernels->to_channels_first(view->x[i], pass->x[i], pass->n, pass->in[i].c,
                                         dirac__shape_positions(&pass->in[i]), pass->team);
    }
    return DIRAC_OK;
}

int32_t dirac__custom_forward(const dirac__pass *pass)
{
    dirac__parameter_list list;
    dirac_layer view;
    int32_t status = open_view(&view, pass, &list, DIRAC__FORWARD);
    if (status == DIRAC_OK)
        status = call(kind_of(pass->layer)->forward, "forward", pass->name, &view);
    if (status == DIRAC_OK)
        pass->kernels->to_channels_last(pass->y, view.y, pass->n, pass->out.c, dirac__shape_positions(&pass->out),
                                        pass->team);
    return status;
}

int32_t dirac__custom_backward(const dirac__pass *pass)
{
    dirac__parameter_list list;
    dirac_layer view;
    int32_t status = open_view(&view, pass, &list, DIRAC__BACKWARD);
    if (status != DIRAC_OK)
        return status;
    const int64_t positions = dirac__shape_positions(&pass->out);
    pass->kernels->to_channels_first(view.y, pass->y, pass->n, pass->out.c, positions, pass->team);
    pass->kernels->to_channels_first(view.dy, pass->dy, pass->n, pass->out.c, positions, pass->team);
    status = call(kind_of(pass->layer)->backward, "backward", pass->name, &view);
    for (int32_t i = 0; i < pass->layer->n_inputs && status == DIRAC_OK; i++)
        if (view.dx[i] != NULL)
            pass->kernels->to_channels_last(pass->dx[i], view.dx[i], pass->n, pass->in[i].c,
                                            dirac__shape_positions(&pass->in[i]), pass->team);
    return status;
}

/* ---- the kinds of a context ---- */

static const dirac__kind *find_registered(const dirac_context *context, const char *name)
{
    for (const struct dirac_layer_kind *kind = context->kinds; kind != NULL; kind = kind->next)
        if (strcmp(kind->kind.name, name) == 0)
            return &kind->kind;
    return NULL;
}

const dirac__kind *dirac__kind_lookup(dirac_context *context, const char *name)
{
    const dirac__kind *kind = dirac__kind_find(name);
    if (kind != NULL)
        return kind;
    pthread_mutex_lock(&context->mutex);
    kind = find_registered(context, name);
    pthread_mutex_unlock(&context->mutex);
    return kind;
}

void dirac__kind_release(struct dirac_layer_kind *kind)
{
    if (kind == NULL || atomic_fetch_sub_explicit(&kind->references, 1, memory_order_acq_rel) != 1)
        return;
    dirac_context *context = kind->context;
    const dirac__memory memory = kind->memory;
    if (kind->destroy_user != NULL)
        kind->destroy_user(kind->user);
    for (int32_t i = 0; i < kind->kind.n_attributes; i++)
        dirac__free(&memory, (void *)kind->attributes[i].name);
    dirac__free(&memory, (void *)kind->kind.name);
    dirac__free(&memory, kind);
    dirac__context_release(context);
}

static void release_all(struct dirac_layer_kind *list)
{
    while (list != NULL) {
        struct dirac_layer_kind *next = list->next;
        dirac__kind_release(list);
        list = next;
    }
}

int32_t dirac__kind_register(struct dirac_layer_kind *kind)
{
    dirac_context *context = kind->context;
    int32_t status = DIRAC_OK;
    pthread_mutex_lock(&context->mutex);
    if (find_registered(context, kind->kind.name) != NULL) {
        status = dirac__fail(DIRAC_ERR_ARGUMENT, "the context has a kind called \"%s\" already", kind->kind.name);
    } else {
        atomic_fetch_add_explicit(&kind->references, 1, memory_order_relaxed);
        kind->next = context->kinds;
        context->kinds = kind;
        context->release_kinds = release_all;
        kind->registered = true;
        kind->context = NULL;
    }
    pthread_mutex_unlock(&context->mutex);
    if (status == DIRAC_OK)
        dirac__context_release(context); /* the context holds the kind now; both ways would be for ever */
    return status;
}
