/* SPDX-License-Identifier: MIT */
/* Public calls on checkpoints. */
#include <string.h>

#include "api/check.h"
#include "train/checkpoint.h"

int32_t dirac_checkpoint_create(dirac_checkpoint **out, dirac_context *context)
{
    CHECK_HANDLE(out);
    *out = NULL;
    CHECK_HANDLE(context);
    CHECK(dirac__context_use(context));
    dirac_checkpoint *checkpoint = dirac__alloc_zero(&context->memory, 1, sizeof *checkpoint);
    if (checkpoint == NULL) {
        dirac__context_release(context);
        return dirac__fail_memory("a checkpoint");
    }
    checkpoint->context = context;
    checkpoint->memory = &context->memory;
    *out = checkpoint;
    return DIRAC_OK;
}

static void release_item(dirac__item *item)
{
    switch (item->kind) {
    case DIRAC__ITEM_NET:
        dirac__net_release(item->is.net);
        break;
    case DIRAC__ITEM_SGD:
        dirac__sgd_release(item->is.sgd);
        break;
    case DIRAC__ITEM_SESSION:
        dirac__session_release(item->is.session);
        break;
    default:
        dirac__batches_release(item->is.batches);
        break;
    }
}

void dirac_checkpoint_destroy(dirac_checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    dirac_context *context = checkpoint->context;
    for (size_t i = 0; i < checkpoint->n_items; i++) {
        dirac__free(checkpoint->memory, checkpoint->items[i].name);
        release_item(&checkpoint->items[i]);
    }
    for (size_t i = 0; i < checkpoint->n_blobs; i++) {
        dirac__free(checkpoint->memory, checkpoint->blobs[i].name);
        dirac__free(checkpoint->memory, checkpoint->blobs[i].data);
    }
    dirac__free(checkpoint->memory, checkpoint->items);
    dirac__name_index_release(&checkpoint->blob_names, checkpoint->memory);
    dirac__free(checkpoint->memory, checkpoint->blobs);
    dirac__free(checkpoint->memory, checkpoint);
    dirac__context_release(context);
}

/* ---- what is saved ---- */

static int32_t check_word(const char *name)
{
    const size_t length = name == NULL ? 0 : strlen(name);
    if (length == 0 || length > 64 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != length)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "a name in a checkpoint is 1 to 64 letters, digits, '_' and '-', not \"%.64s\"",
                           name == NULL ? "(NULL)" : name);
    return DIRAC_OK;
}

/* Adds a handle; `item` has kind and handle. The caller takes the reference when it went well. */
static int32_t add_item(dirac_checkpoint *c, const char *name, dirac__item item, const dirac_context *context)
{
    CHECK(check_word(name));
    if (context != c->context)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "\"%s\" belongs to another context than the checkpoint", name);
    for (size_t i = 0; i < c->n_items; i++)
        if (c->items[i].is.handle == item.is.handle ||
            (c->items[i].kind == item.kind && strcmp(c->items[i].name, name) == 0))
            return dirac__fail(DIRAC_ERR_ARGUMENT, "the handle or the name \"%s\" was added already", name);
    item.name = dirac__copy_string(c->memory, name);
    if (item.name == NULL ||
        !dirac__grow(c->memory, &c->items, &c->items_capacity, c->n_items + 1, sizeof *c->items)) {
        dirac__free(c->memory, item.name);
        return dirac__fail_memory("a checkpoint");
    }
    c->items[c->n_items++] = item;
    return DIRAC_OK;
}

int32_t dirac_checkpoint_add_net(dirac_checkpoint *checkpoint, const char *name, dirac_net *net)
{
    CHECK_HANDLE(checkpoint);
    CHECK(dirac__check_built(net, __func__));
    CHECK(add_item(checkpoint, name, (dirac__item){.kind = DIRAC__ITEM_NET, .is.net = net}, net->context));
    dirac__net_hold(net);
    return DIRAC_OK;
}

int32_t dirac_checkpoint_add_sgd(dirac_checkpoint *checkpoint, const char *name, dirac_sgd *sgd)
{
    CHECK_HANDLE(checkpoint);
    CHECK_HANDLE(sgd);
    CHECK(add_item(checkpoint, name, (dirac__item){.kind = DIRAC__ITEM_SGD, .is.sgd = sgd}, sgd->net->context));
    dirac__sgd_hold(sgd);
    return DIRAC_OK;
}

int32_t dirac_checkpoint_add_session(dirac_checkpoint *checkpoint, const char *name, dirac_session *session)
{
    CHECK_HANDLE(checkpoint);
    CHECK_HANDLE(session);
    if (session->mode != DIRAC_TRAIN || !session->prepared)
        return dirac__fail(DIRAC_ERR_STATE, "a checkpoint keeps prepared training sessions");
    CHECK(add_item(checkpoint, name, (dirac__item){.kind = DIRAC__ITEM_SESSION, .is.session = session},
                   session->context));
    dirac__session_hold(session);
    return DIRAC_OK;
}

int32_t dirac_checkpoint_add_batches(dirac_checkpoint *checkpoint, const char *name, dirac_batches *batches)
{
    CHECK_HANDLE(checkpoint);
    CHECK_HANDLE(batches);
    CHECK(add_item(checkpoint, name, (dirac__item){.kind = DIRAC__ITEM_BATCHES, .is.batches = batches},
                   batches->dataset->context));
    dirac__batches_hold(batches);
    return DIRAC_OK;
}

/* ---- the host's bytes ---- */

int32_t dirac_checkpoint_set_blob(dirac_checkpoint *checkpoint, const char *name, const void *data, size_t size)
{
    CHECK_HANDLE(checkpoint);
    CHECK(check_word(name));
    if (data == NULL && size > 0)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "the data of blob \"%s\" are NULL", name);
    return dirac__checkpoint_put_blob(checkpoint, name, data, size);
}

int32_t dirac_checkpoint_blob(const dirac_checkpoint *checkpoint, const char *name, const void **data, size_t *size)
{
    CHECK_HANDLE(checkpoint);
    CHECK_HANDLE(name);
    CHECK_HANDLE(data);
    const dirac__blob *blob = dirac__checkpoint_find_blob(checkpoint, name);
    if (blob == NULL)
        return dirac__fail(DIRAC_ERR_NOT_FOUND, "the checkpoint has no blob \"%s\"", name);
    *data = blob->data;
    if (size != NULL)
        *size = blob->size;
    return DIRAC_OK;
}

/* ---- saving and loading ---- */

int32_t dirac_checkpoint_save(dirac_checkpoint *checkpoint, const char *path)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(checkpoint);
    CHECK_HANDLE(path);
    return dirac__checkpoint_write(checkpoint, path, NULL, NULL);
}

int32_t dirac_checkpoint_save_memory(dirac_checkpoint *checkpoint, void **data, size_t *size)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(checkpoint);
    CHECK_HANDLE(data);
    CHECK_HANDLE(size);
    return dirac__checkpoint_write(checkpoint, NULL, data, size);
}

static int32_t load(dirac_checkpoint *checkpoint, const char *path, const void *data, size_t size)
{
    dirac__safetensors *file = NULL;
    const uint64_t limit = checkpoint->context->load_limit;
    if (path != NULL)
        CHECK(dirac__safetensors_open(&file, checkpoint->memory, path, limit, &checkpoint->context->progress));
    else
        CHECK(dirac__safetensors_open_memory(&file, checkpoint->memory, data, size, limit));
    int32_t status = dirac__safetensors_judge(file, dirac__checkpoint_read(checkpoint, file));
    dirac__safetensors_close(file);
    return status;
}

int32_t dirac_checkpoint_load(dirac_checkpoint *checkpoint, const char *path)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(checkpoint);
    CHECK_HANDLE(path);
    return load(checkpoint, path, NULL, 0);
}

int32_t dirac_checkpoint_load_memory(dirac_checkpoint *checkpoint, const void *data, size_t size)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(checkpoint);
    CHECK_HANDLE(data);
    return load(checkpoint, NULL, data, size);
}
