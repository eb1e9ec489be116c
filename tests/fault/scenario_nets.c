/* SPDX-License-Identifier: MIT */
/* The nets of the scenarios, a layer of the host's, and what can be read from handles. No test macro stands inside a
 * function that runs with faults: failures are statuses here. */
#include "fault/scenario_parts.h"

/* ---- a layer of the host's: y = scale[c] x + shift, keeps x, counts its forwards ---- */

static int32_t scale_setup(void *user, dirac_layer *layer)
{
    int64_t dims[4];
    int32_t rank;
    const int64_t one = 1;
    (void)user;
    if (dirac_layer_input_shape(layer, 0, dims, &rank) != DIRAC_OK)
        return 1;
    int64_t count = 1;
    for (int32_t i = 0; i < rank; i++)
        count *= dims[i];
    return dirac_layer_add_parameter(layer, "scale", dims, 1, 0, DIRAC_INIT_UNIFORM, 1, 2) ||
           dirac_layer_add_state(layer, "forwards", &one, 1, 0) || dirac_layer_keep(layer, count, 0) ||
           dirac_layer_set_output_shape(layer, dims, rank);
}

static int64_t plane_of(const dirac_layer *layer, int64_t *channels)
{
    int64_t dims[4] = {1, 1, 1, 1};
    int32_t rank = 0;
    dirac_layer_input_shape(layer, 0, dims, &rank);
    *channels = dims[0];
    int64_t plane = 1;
    for (int32_t i = 1; i < rank; i++)
        plane *= dims[i];
    return plane;
}

static int32_t scale_forward(void *user, dirac_layer *layer)
{
    int64_t channels;
    const int64_t plane = plane_of(layer, &channels), count = dirac_layer_batch(layer) * channels * plane;
    const float *x = dirac_layer_input(layer, 0), *scale = dirac_layer_parameter(layer, "scale");
    const float shift = (float)dirac_layer_get_float(layer, "shift");
    float *y = dirac_layer_output(layer), *kept = dirac_layer_kept(layer);
    float *forwards = dirac_layer_new_state(layer, "forwards");
    (void)user;
    for (int64_t i = 0; i < count; i++) {
        y[i] = scale[i / plane % channels] * x[i] + shift;
        if (kept != NULL)
            kept[i] = x[i];
    }
    if (forwards != NULL)
        forwards[0] += 1;
    return 0;
}

static int32_t scale_backward(void *user, dirac_layer *layer)
{
    int64_t channels;
    const int64_t plane = plane_of(layer, &channels), count = dirac_layer_batch(layer) * channels * plane;
    const float *dy = dirac_layer_output_gradient(layer), *scale = dirac_layer_parameter(layer, "scale");
    const float *kept = dirac_layer_kept(layer);
    float *dx = dirac_layer_input_gradient(layer, 0), *dscale = dirac_layer_parameter_gradient(layer, "scale");
    (void)user;
    for (int64_t i = 0; i < count; i++) {
        if (dscale != NULL)
            dscale[i / plane % channels] += dy[i] * kept[i];
        if (dx != NULL)
            dx[i] = dy[i] * scale[i / plane % channels];
    }
    return 0;
}

int32_t make_kind(dirac_layer_kind **out, dirac_context *context)
{
    int32_t status = dirac_layer_kind_create(out, context, "host_scale", 1);
    if (status == DIRAC_OK)
        status = dirac_layer_kind_add_float(*out, "shift", -10, 10, 0);
    if (status == DIRAC_OK)
        status = dirac_layer_kind_add_int(*out, "unused", 0, 9, 3);
    if (status == DIRAC_OK)
        status = dirac_layer_kind_set_setup(*out, scale_setup);
    if (status == DIRAC_OK)
        status = dirac_layer_kind_set_forward(*out, scale_forward);
    if (status == DIRAC_OK)
        status = dirac_layer_kind_set_backward(*out, scale_backward);
    if (status == DIRAC_OK)
        status = dirac_layer_kind_register(*out);
    if (status != DIRAC_OK) {
        dirac_layer_kind_destroy(*out);
        *out = NULL;
    }
    return status;
}

/* ---- nets ---- */

/* Building is sticky: the first failure is the status of build, whatever stands between. */
int32_t finish_net(dirac_net **net)
{
    int32_t status = dirac_net_build(*net);
    if (status != DIRAC_OK) {
        dirac_net_destroy(*net);
        *net = NULL;
    }
    return status;
}

static dirac_node *mixed_body(dirac_net *net, dirac_node *x)
{
    const int64_t rectangle[2] = {3, 5}, strides[2] = {2, 1}, two = 2;
    dirac_node *parts[3], *y;
    dirac_net_push_scope(net, "body.one");
    x = dirac_net_conv2d(net, x, 8, 3);
    dirac_node_set_ints(x, "kernel", rectangle, 2);
    dirac_node_set_ints(x, "stride", strides, 2);
    dirac_node_set_int(x, "groups", 2);
    dirac_node_set_int(x, "bias", 1);
    dirac_node_set_initializer(x, "weight", DIRAC_INIT_ORTHOGONAL, 1, 0);
    x = dirac_net_batch_norm(net, x);
    dirac_node_set_float(x, "epsilon", 0.1);
    dirac_node_set_frozen(x, 1);
    dirac_net_pop_scope(net);
    y = x = dirac_net_dirac_conv2d(net, dirac_net_relu(net, x), 8, 3);
    x = dirac_net_dirac_conv2d(net, dirac_net_elu(net, x), 8, 3);
    dirac_node_share_parameters(x, y);
    x = dirac_net_dropout(net, dirac_net_local_response_norm(net, x, 3), 0.3f);
    parts[0] = dirac_net_max_pool2d(net, x, 3);
    dirac_node_set_int(parts[0], "ceil", 1);
    dirac_node_set_ints(parts[0], "stride", &two, 1);
    parts[1] = dirac_net_average_pool2d(net, x, 3);
    dirac_node_set_int(parts[1], "ceil", 1);
    dirac_node_set_ints(parts[1], "stride", &two, 1);
    parts[2] = dirac_net_ncrelu(net, dirac_net_add(net, parts[0], parts[1]));
    return dirac_net_global_average_pool(net, dirac_net_concat(net, parts, 3));
}

int32_t make_mixed_net(dirac_net **out, dirac_context *context)
{
    int32_t status = dirac_net_create(out, context);
    if (status != DIRAC_OK)
        return status;
    dirac_net *net = *out;
    dirac_node *x = dirac_net_input2d(net, 4, 14, 13), *volume = dirac_net_input3d(net, 2, 3, 4, 5), *parts[2];
    parts[0] = mixed_body(net, x);
    volume = dirac_net_conv3d(net, volume, 3, 2);
    dirac_node_set_int(volume, "form", DIRAC_FORM_DELTA);
    parts[1] = dirac_net_flatten(net, volume);
    x = dirac_net_output(net, dirac_net_linear(net, dirac_net_concat(net, parts, 2), 6));
    dirac_node_set_name(x, "head-1");
    dirac_net_output(net, dirac_net_softmax(net, dirac_net_dirac_linear(net, x, 6)));
    return finish_net(out);
}

int32_t make_training_net(dirac_net **out, dirac_context *context, dirac_layer_kind *kind)
{
    int32_t status = dirac_net_create(out, context);
    if (status != DIRAC_OK)
        return status;
    dirac_net *net = *out;
    dirac_node *x = dirac_net_conv2d(net, dirac_net_input2d(net, 3, 8, 8), 8, 3);
    x = dirac_net_dropout(net, dirac_net_relu(net, dirac_net_batch_norm(net, x)), 0.25f);
    x = dirac_net_custom(net, kind, &x, 1);
    dirac_node_set_float(x, "shift", 0.125);
    x = dirac_net_batch_norm(net, dirac_net_dirac_conv2d(net, x, 8, 3));
    x = dirac_net_max_pool2d(net, dirac_net_relu(net, x), 2);
    dirac_net_output(net, dirac_net_linear(net, dirac_net_flatten(net, x), 5));
    return finish_net(out);
}

/* ---- what there is to see ---- */

static void see_net(const dirac_net *net, floats *all)
{
    if (net == NULL)
        return;
    append_net(all, net);
    float *numbers = append(all, 2);
    numbers[0] = (float)dirac_net_node_count(net);
    numbers[1] = (float)dirac_net_tensor_count(net);
    for (int64_t i = 0; i < dirac_net_node_count(net); i++)
        see_bytes(dirac_node_name(dirac_net_node(net, i)), strlen(dirac_node_name(dirac_net_node(net, i))), all);
    const char *note = dirac_net_note(net, "note");
    see_bytes(note == NULL ? "" : note, note == NULL ? 0 : strlen(note), all);
}

void see_bytes(const void *data, size_t size, floats *all)
{
    const unsigned char *bytes = data;
    float *to = append(all, size + 1);
    to[0] = (float)size;
    for (size_t i = 0; i < size; i++)
        to[i + 1] = bytes[i];
}

static void see_set(const dirac_dataset *set, floats *all)
{
    int64_t dims[4];
    int32_t rank;
    size_t length = 1;
    ok(dirac_dataset_shape(set, dims, &rank));
    for (int32_t i = 0; i < rank; i++)
        length *= (size_t)dims[i];
    float *numbers = append(all, 2);
    numbers[0] = (float)dirac_dataset_count(set);
    numbers[1] = (float)dirac_dataset_classes(set);
    for (int64_t i = 0; i < dirac_dataset_count(set); i++) {
        *append(all, 1) = (float)dirac_dataset_label(set, i);
        ok(dirac_dataset_read(set, i, append(all, length), length));
    }
    for (int32_t i = 0; i < dirac_dataset_classes(set); i++) {
        const char *name = dirac_dataset_class_name(set, i);
        see_bytes(name == NULL ? "" : name, name == NULL ? 0 : strlen(name), all);
    }
}

void witness(const handles *h, dirac_context *context, floats *all)
{
    void *data;
    size_t size;
    append_copy(all, h->seen.at, h->seen.count);
    see_net(h->net, all);
    see_net(h->other, all);
    if (h->sgd != NULL && h->net != NULL)
        append_momentum(all, h->sgd, h->net);
    if (h->set != NULL)
        see_set(h->set, all);
    if (h->data != NULL)
        see_bytes(h->data, h->size, all);
    if (h->checkpoint != NULL) { /* sessions, optimizers, streams and blobs are all in it */
        ok(dirac_checkpoint_save_memory(h->checkpoint, &data, &size));
        see_bytes(data, size, all);
        dirac_buffer_free(context, data, size);
    }
}

void close_handles(handles *h, dirac_context *context)
{
    drop_floats(&h->seen);
    dirac_buffer_free(context, h->data, h->size);
    dirac_checkpoint_destroy(h->checkpoint);
    dirac_batches_destroy(h->batches);
    dirac_dataset_destroy(h->set);
    dirac_sgd_destroy(h->sgd);
    dirac_session_destroy(h->session);
    dirac_net_destroy(h->net);
    dirac_net_destroy(h->other);
    dirac_layer_kind_destroy(h->kind);
    dirac_context_destroy(h->context);
    memset(h, 0, sizeof *h);
}

int32_t play(const scenario *s, void (*begin)(void), floats *all)
{
    handles base = {.which = s->which, .threads = s->flags & THREADS ? 2 : 1}, made = {0};
    if (scenario_threads > 0)
        base.threads = scenario_threads;
    memset(&memory, 0, sizeof memory);
    ok(s->prepare(&base));
    if (begin != NULL)
        begin();
    const int32_t status = s->act(&base, &made);
    dirac_context *context = base.context != NULL ? base.context : made.context;
    if (status == DIRAC_OK) {
        witness(&base, context, all);
        witness(&made, context, all);
    }
    made.context = base.context != NULL ? NULL : made.context;
    close_handles(&made, context);
    close_handles(&base, base.context);
    if (memory.alive != 0 || memory.bytes != 0 || memory.wrong != 0)
        fail_msg("%s: %zu blocks are left, %d misuses", s->name, (size_t)memory.alive, memory.wrong);
    return status;
}
