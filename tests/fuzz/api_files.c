/* SPDX-License-Identifier: MIT */
/* Model files and checkpoints in memory, and calls on paths that cannot be. */
#include "api.h"

/* A net that keeps the context of a buffer alive as long as the buffer. */
static void take_buffer(machine *m, dirac_context *context, int32_t status, void *data, size_t size)
{
    api_buffer *buffer = &m->buffers[api_byte(m) % 2];
    fuzz_status(status);
    if (status != DIRAC_OK)
        return;
    api_drop_buffer(buffer);
    if (dirac_net_create(&buffer->holder, context) != DIRAC_OK) {
        dirac_buffer_free(context, data, size);
        return;
    }
    buffer->context = context;
    buffer->data = data;
    buffer->size = size;
}

/* A copy is saved, damaged at times, and loaded in both ways. */
static void save_net(machine *m)
{
    void *data = NULL;
    size_t size = 0;
    dirac_net *net = api_pick_net(m)->net;
    dirac_net *copy = NULL;
    fuzz_status(dirac_net_save(net, "/nowhere/at/all"));
    fuzz_status(dirac_net_save_as(net, "", api_option(m)));
    dirac_context *owner = m->contexts[0] != NULL ? m->contexts[0] : m->contexts[1]; /* all have one allocator */
    if (owner == NULL || dirac_net_clone(&copy, net) != DIRAC_OK)
        return;
    const int32_t status = dirac_net_save_memory(copy, &data, &size);
    fuzz_status(status);
    if (status == DIRAC_OK) {
        api_net *to = api_pick_net(m);
        api_drop_net(to);
        if (api_byte(m) > 200)
            ((uint8_t *)data)[api_byte(m) % size] ^= api_byte(m);
        fuzz_status(dirac_net_load_memory(&to->net, api_pick_context(m), data, size));
        fuzz_status(dirac_net_load_weights_memory(api_pick_net(m)->net, data, size, api_option(m)));
        for (int64_t i = 0; i < dirac_net_node_count(to->net) && i < NODES; i++)
            to->nodes[to->n_nodes++] = dirac_net_node(to->net, i);
        dirac_buffer_free(owner, data, size);
    }
    dirac_net_destroy(copy);
}

static void create(machine *m)
{
    const int32_t slot = api_byte(m) % 2;
    dirac_checkpoint_destroy(m->checkpoints[slot]);
    fuzz_status(dirac_checkpoint_create(&m->checkpoints[slot], m->contexts[0]));
}

static void destroy(machine *m)
{
    const int32_t slot = api_byte(m) % 2;
    dirac_checkpoint_destroy(m->checkpoints[slot]);
    m->checkpoints[slot] = NULL;
}

static void add(machine *m)
{
    dirac_checkpoint *c = m->checkpoints[api_byte(m) % 2];
    const char *name = api_name(m);
    const void *data;
    size_t size;
    switch (api_byte(m) % 5) {
    case 0: fuzz_status(dirac_checkpoint_add_net(c, name, api_pick_net(m)->net)); break;
    case 1: fuzz_status(dirac_checkpoint_add_sgd(c, name, m->sgds[api_byte(m) % 2])); break;
    case 2: fuzz_status(dirac_checkpoint_add_session(c, name, api_pick_session(m)->session)); break;
    case 3: fuzz_status(dirac_checkpoint_add_batches(c, name, m->batches[api_byte(m) % 2])); break;
    default:
        fuzz_status(dirac_checkpoint_set_blob(c, name, m->numbers, api_byte(m)));
        fuzz_status(dirac_checkpoint_blob(c, name, &data, &size));
        break;
    }
}

static void save(machine *m)
{
    dirac_checkpoint *c = m->checkpoints[api_byte(m) % 2];
    void *data = NULL;
    size_t size = 0;
    fuzz_status(dirac_checkpoint_save(c, "/nowhere/at/all"));
    if (m->contexts[0] == NULL)
        return;
    const int32_t status = dirac_checkpoint_save_memory(c, &data, &size); /* first: it sets the other arguments */
    take_buffer(m, m->contexts[0], status, data, size);
}

static void load(machine *m)
{
    const api_buffer *buffer = &m->buffers[api_byte(m) % 2];
    dirac_net *net = NULL;
    fuzz_status(dirac_checkpoint_load_memory(m->checkpoints[api_byte(m) % 2], buffer->data, buffer->size));
    fuzz_status(dirac_checkpoint_load(m->checkpoints[api_byte(m) % 2], "/nowhere/at/all"));
    fuzz_status(dirac_net_load(&net, m->contexts[0], api_byte(m) % 2 ? "/" : NULL));
    FUZZ_CHECK(net == NULL);
}

const operation api_file_operations[] = {save_net, create, destroy, add, add, add, save, load, NULL};
