/* SPDX-License-Identifier: MIT */
/* Writing a checkpoint, and reading one in two passes: the first may refuse and changes nothing, the second takes it all
 * and cannot fail. */
#include "train/checkpoint.h"

#include <string.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "graph/describe.h"

static const char *const kind_names[] = {"net", "sgd", "session", "batches"};

dirac__blob *dirac__checkpoint_find_blob(const dirac_checkpoint *c, const char *name)
{
    const size_t *number = dirac__name_index_find(&c->blob_names, name, strlen(name));
    return number == NULL ? NULL : &c->blobs[*number];
}

int32_t dirac__checkpoint_put_blob(dirac_checkpoint *c, const char *name, const void *data, size_t size)
{
    dirac__blob *blob = dirac__checkpoint_find_blob(c, name);
    void *copy = dirac__alloc(c->memory, size);
    char *name_copy = blob == NULL ? dirac__copy_string(c->memory, name) : NULL;
    if (copy == NULL ||
        (blob == NULL &&
         (name_copy == NULL || !dirac__name_index_reserve(&c->blob_names, c->memory, 1) ||
          !dirac__grow(c->memory, &c->blobs, &c->blobs_capacity, c->n_blobs + 1, sizeof *c->blobs)))) {
        dirac__name_index_trim(&c->blob_names, c->memory);
        dirac__free(c->memory, copy);
        dirac__free(c->memory, name_copy);
        return dirac__fail_memory("a blob");
    }
    if (blob == NULL) {
        blob = &c->blobs[c->n_blobs];
        blob->name = name_copy;
        dirac__name_index_put(&c->blob_names, name_copy, c->n_blobs++);
    }
    if (size > 0)
        memcpy(copy, data, size);
    dirac__free(c->memory, blob->data);
    blob->data = copy;
    blob->size = size;
    return DIRAC_OK;
}

/* ---- holding everything still ---- */

static int32_t hold(const dirac__item *item, bool writing)
{
    switch (item->kind) {
    case DIRAC__ITEM_NET:
        return writing ? dirac__net_begin_write(item->is.net) : dirac__net_begin_read(item->is.net);
    case DIRAC__ITEM_SESSION:
        return dirac__session_enter(item->is.session);
    default:
        return DIRAC_OK;
    }
}

static void let_go(const dirac__item *item, bool writing, bool changed)
{
    if (item->kind == DIRAC__ITEM_NET && writing)
        dirac__net_end_write(item->is.net, changed);
    else if (item->kind == DIRAC__ITEM_NET)
        dirac__net_end_read(item->is.net);
    else if (item->kind == DIRAC__ITEM_SESSION)
        dirac__session_leave(item->is.session);
}

static void let_all_go(const dirac_checkpoint *c, size_t count, bool writing, bool changed)
{
    while (count-- > 0)
        let_go(&c->items[count], writing, changed);
}

static int32_t hold_all(const dirac_checkpoint *c, bool writing)
{
    for (size_t i = 0; i < c->n_items; i++) {
        int32_t status = hold(&c->items[i], writing);
        if (status != DIRAC_OK) {
            let_all_go(c, i, writing, false);
            return status;
        }
    }
    return DIRAC_OK;
}

/* ---- writing ---- */

static void list_tensors(dirac__outline *outline, const dirac__item *item, const dirac_net *net, const float *values,
                         bool state)
{
    for (size_t i = 0; i < net->n_tensors; i++) {
        const dirac__tensor *tensor = &net->tensors[i];
        if (state || tensor->is.role == DIRAC_ROLE_TRAINED)
            dirac__outline_floats(outline, kind_names[item->kind], item->name, tensor->name, tensor->is.dims,
                                  tensor->is.rank, values + tensor->offset);
    }
}

static void list_session(dirac__outline *outline, const dirac__item *item)
{
    const dirac_session *s = item->is.session;
    const int64_t n_trained = (int64_t)s->net->n_trained;
    const int64_t n_pending = 2 * (int64_t)(s->net->n_values - s->net->n_trained);
    dirac__outline_floats(outline, "session", item->name, "gradients", &n_trained, 1,
                          dirac__block_at(s, s->plan.gradients));
    if (n_pending > 0)
        dirac__outline_floats(outline, "session", item->name, "pending", &n_pending, 1,
                              dirac__block_at(s, s->plan.pending));
}

static void list_item(dirac__outline *outline, const dirac__item *item)
{
    dirac__buffer text = {.memory = outline->memory};
    switch (item->kind) {
    case DIRAC__ITEM_NET:
        list_tensors(outline, item, item->is.net, item->is.net->values, true);
        dirac__graph_write(item->is.net, &text);
        break;
    case DIRAC__ITEM_SGD:
        list_tensors(outline, item, item->is.sgd->net, item->is.sgd->velocity, false);
        dirac__sgd_write(item->is.sgd, &text);
        break;
    case DIRAC__ITEM_SESSION:
        list_session(outline, item);
        dirac__session_write(item->is.session, &text);
        break;
    default:
        dirac__batches_write(item->is.batches, &text);
        break;
    }
    dirac__outline_text(outline, kind_names[item->kind], item->name, &text);
}

/* All texts of a checkpoint are JSON that loading reads. */
static int32_t check_texts(const dirac__outline *outline)
{
    int32_t status = DIRAC_OK;
    for (size_t i = 0; i < outline->n_texts && status == DIRAC_OK; i++)
        status = dirac__json_check_written(outline->texts[i].value, strlen(outline->texts[i].value), outline->texts[i].key);
    return status;
}

int32_t dirac__checkpoint_write(const dirac_checkpoint *c, const char *path, void **data, size_t *size)
{
    dirac__outline outline = {.memory = c->memory};
    int32_t status = hold_all(c, false);
    if (status != DIRAC_OK)
        return status;
    for (size_t i = 0; i < c->n_items; i++)
        list_item(&outline, &c->items[i]);
    for (size_t i = 0; i < c->n_blobs; i++)
        dirac__outline_bytes(&outline, c->blobs[i].name, c->blobs[i].data, c->blobs[i].size);
    if (outline.failed)
        status = dirac__fail_memory("saving a checkpoint");
    else
        status = check_texts(&outline);
    if (status == DIRAC_OK && path != NULL)
        status = dirac__safetensors_write(c->memory, path, outline.tensors, outline.n_tensors, outline.texts,
                                          outline.n_texts, &c->context->progress);
    else if (status == DIRAC_OK)
        status = dirac__safetensors_write_memory(c->memory, data, size, outline.tensors, outline.n_tensors,
                                                 outline.texts, outline.n_texts);
    let_all_go(c, c->n_items, false, false);
    dirac__outline_release(&outline);
    return status;
}

/* ---- reading, first pass: check everything, and note what is to be done ---- */

/* A tensor to be copied to `to`. */
typedef struct copying {
    const dirac__file_tensor *from;
    float *to;
} copying;

/* What the text of an item says. */
typedef struct settings {
    dirac_sgd sgd;
    dirac__rule *rules;
    dirac__session_settings session;
    uint64_t batches[4];
} settings;

typedef struct reading {
    const dirac_checkpoint *checkpoint;
    const dirac__safetensors *file;
    copying *copies;
    size_t n_copies, copies_capacity;
    settings *settings; /* of each item */
} reading;

static int32_t lacks(const reading *r, const dirac__item *item, const char *what)
{
    return dirac__fail(DIRAC_ERR_MISMATCH, "%s: %s \"%s\": %s", dirac__safetensors_name(r->file),
                       kind_names[item->kind], item->name, what);
}

static int32_t note_tensor(reading *r, const dirac__item *item, const char *rest, size_t count, float *to)
{
    const dirac__memory *memory = dirac__safetensors_memory(r->file);
    char *full = dirac__outline_tensor_name(memory, kind_names[item->kind], item->name, rest);
    if (full == NULL || !dirac__grow(memory, &r->copies, &r->copies_capacity, r->n_copies + 1, sizeof *r->copies)) {
        dirac__free(memory, full);
        return dirac__fail_memory("loading a checkpoint");
    }
    const dirac__file_tensor *tensor = dirac__safetensors_find(r->file, full);
    int32_t status = DIRAC_OK;
    if (tensor == NULL || tensor->dtype != DIRAC__DTYPE_F32 || tensor->bytes != count * sizeof(float))
        status = dirac__fail(DIRAC_ERR_MISMATCH, "%s: tensor \"%s\" is %s", dirac__safetensors_name(r->file), full,
                             tensor == NULL ? "missing" : "of another type or size");
    else
        r->copies[r->n_copies++] = (copying){tensor, to};
    dirac__free(memory, full);
    return status;
}

static int32_t note_tensors(reading *r, const dirac__item *item, const dirac_net *net, float *values, bool state)
{
    for (size_t i = 0; i < net->n_tensors; i++) {
        const dirac__tensor *tensor = &net->tensors[i];
        if (!state && tensor->is.role != DIRAC_ROLE_TRAINED)
            continue;
        int32_t status = note_tensor(r, item, tensor->name, tensor->count, values + tensor->offset);
        if (status != DIRAC_OK)
            return status;
    }
    return DIRAC_OK;
}

static int32_t check_net(reading *r, const dirac__item *item, const char *text)
{
    dirac_net *net = item->is.net;
    dirac__buffer graph = {.memory = dirac__safetensors_memory(r->file)};
    int32_t status = DIRAC_OK;
    dirac__graph_write(net, &graph);
    if (graph.failed)
        status = dirac__fail_memory("loading a checkpoint");
    else if (strcmp(graph.data, text) != 0)
        status = lacks(r, item, "its graph is not that of the net that was saved");
    dirac__buffer_release(&graph);
    return status != DIRAC_OK ? status : note_tensors(r, item, net, net->values, true);
}

static int32_t check_sgd(reading *r, const dirac__item *item, const dirac__json *json, settings *into)
{
    const dirac_sgd *sgd = item->is.sgd;
    into->sgd.net = sgd->net;
    into->rules = dirac__alloc_zero(dirac__safetensors_memory(r->file), sgd->net->n_tensors + 1, sizeof *into->rules);
    if (into->rules == NULL)
        return dirac__fail_memory("loading a checkpoint");
    int32_t status = dirac__sgd_read(json, &into->sgd, into->rules);
    return status != DIRAC_OK ? status : note_tensors(r, item, sgd->net, sgd->velocity, false);
}

static int32_t check_session(reading *r, const dirac__item *item, const dirac__json *json, settings *into)
{
    const dirac_session *s = item->is.session;
    const size_t n_pending = 2 * (s->net->n_values - s->net->n_trained);
    int32_t status = dirac__session_read(json, &into->session);
    if (status == DIRAC_OK)
        status = note_tensor(r, item, "gradients", s->net->n_trained, dirac__block_at(s, s->plan.gradients));
    if (status == DIRAC_OK && n_pending > 0)
        status = note_tensor(r, item, "pending", n_pending, dirac__block_at(s, s->plan.pending));
    return status;
}

static int32_t check_settings(reading *r, const dirac__item *item, const dirac__json *json, settings *into)
{
    if (item->kind == DIRAC__ITEM_SGD)
        return check_sgd(r, item, json, into);
    if (item->kind == DIRAC__ITEM_SESSION)
        return check_session(r, item, json, into);
    int32_t status = dirac__batches_read(json, into->batches);
    return status != DIRAC_OK ? status : dirac__batches_check_state(item->is.batches, into->batches);
}

static int32_t check_item(reading *r, const dirac__item *item, settings *into)
{
    const dirac__memory *memory = dirac__safetensors_memory(r->file);
    char *key = dirac__outline_text_name(memory, kind_names[item->kind], item->name);
    if (key == NULL)
        return dirac__fail_memory("loading a checkpoint");
    const char *text = dirac__safetensors_text(r->file, key);
    dirac__free(memory, key);
    if (text == NULL)
        return lacks(r, item, dirac__safetensors_text(r->file, "dirac.graph") != NULL
                                  ? "this is the file of a net, not a checkpoint; dirac_net_load() reads it"
                                  : "the file has none of that name");
    if (item->kind == DIRAC__ITEM_NET)
        return check_net(r, item, text);
    dirac__json *json = NULL;
    int32_t status = dirac__json_parse(memory, text, strlen(text), &json);
    if (status == DIRAC_OK)
        status = check_settings(r, item, json, into);
    dirac__json_free(memory, json);
    return status;
}

/* ---- second pass: nothing in it can fail ---- */

static void take_sgd(dirac_sgd *sgd, const settings *from)
{
    sgd->rate = from->sgd.rate;
    sgd->momentum = from->sgd.momentum;
    sgd->decay = from->sgd.decay;
    sgd->clip_norm = from->sgd.clip_norm;
    sgd->nesterov = from->sgd.nesterov;
    sgd->steps = from->sgd.steps;
    sgd->schedule = from->sgd.schedule;
    memcpy(sgd->rules, from->rules, sgd->net->n_tensors * sizeof *sgd->rules);
}

static void take_session(dirac_session *s, const settings *from)
{
    s->seed = from->session.seed;
    s->draws = from->session.draws;
    s->statistics = from->session.statistics;
    s->backward_done = from->session.backward_done;
    s->spoiled = (dirac__origin){.what = from->session.spoiled ? DIRAC__FROM_CHECKPOINT : DIRAC__FINITE};
    s->forward_done = false;
    dirac__losses_forget(s);
    s->n = 0;
}

static void take_all(const reading *r)
{
    for (size_t i = 0; i < r->n_copies; i++)
        dirac__safetensors_copy(r->copies[i].from, r->copies[i].to);
    for (size_t i = 0; i < r->checkpoint->n_items; i++) {
        const dirac__item *item = &r->checkpoint->items[i];
        if (item->kind == DIRAC__ITEM_SGD)
            take_sgd(item->is.sgd, &r->settings[i]);
        else if (item->kind == DIRAC__ITEM_SESSION)
            take_session(item->is.session, &r->settings[i]);
        else if (item->kind == DIRAC__ITEM_BATCHES)
            (void)dirac__batches_restore(item->is.batches, r->settings[i].batches); /* checked: it accepts the state */
    }
}

/* The file's blobs, into a list of their own, and room for them in the checkpoint's. */
static int32_t read_blobs(dirac_checkpoint *c, const dirac__safetensors *file, dirac_checkpoint *fresh)
{
    size_t count;
    const dirac__file_tensor *tensors = dirac__safetensors_tensors(file, &count);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(tensors[i].name, "blob/", 5) != 0 || tensors[i].dtype != DIRAC__DTYPE_U8)
            continue;
        int32_t status = dirac__checkpoint_put_blob(fresh, tensors[i].name + 5, tensors[i].data, tensors[i].bytes);
        if (status != DIRAC_OK)
            return status;
    }
    if (!dirac__name_index_reserve(&c->blob_names, c->memory, fresh->n_blobs) ||
        !dirac__grow(c->memory, &c->blobs, &c->blobs_capacity, c->n_blobs + fresh->n_blobs + 1, sizeof *c->blobs))
        return dirac__fail_memory("a blob");
    return DIRAC_OK;
}

/* Moves them in; there is room. */
static void take_blobs(dirac_checkpoint *c, dirac_checkpoint *fresh)
{
    for (size_t i = 0; i < fresh->n_blobs; i++) {
        dirac__blob *blob = dirac__checkpoint_find_blob(c, fresh->blobs[i].name);
        if (blob == NULL) {
            dirac__name_index_put(&c->blob_names, fresh->blobs[i].name, c->n_blobs);
            c->blobs[c->n_blobs++] = fresh->blobs[i];
        } else {
            dirac__free(c->memory, blob->data);
            blob->data = fresh->blobs[i].data;
            blob->size = fresh->blobs[i].size;
            dirac__free(c->memory, fresh->blobs[i].name);
        }
        fresh->blobs[i] = (dirac__blob){0};
    }
}

int32_t dirac__checkpoint_read(dirac_checkpoint *c, const dirac__safetensors *file)
{
    const dirac__memory *memory = dirac__safetensors_memory(file);
    reading r = {.checkpoint = c, .file = file};
    dirac_checkpoint fresh = {.memory = memory}; /* holds blobs alone */
    int32_t status = hold_all(c, true);
    if (status != DIRAC_OK)
        return status;
    r.settings = dirac__alloc_zero(memory, c->n_items + 1, sizeof *r.settings);
    if (r.settings == NULL)
        status = dirac__fail_memory("loading a checkpoint");
    for (size_t i = 0; i < c->n_items && status == DIRAC_OK; i++)
        status = check_item(&r, &c->items[i], &r.settings[i]);
    if (status == DIRAC_OK)
        status = read_blobs(c, file, &fresh);
    if (status == DIRAC_OK) {
        take_all(&r);
        take_blobs(c, &fresh);
    }
    for (size_t i = 0; i < fresh.n_blobs; i++) {
        dirac__free(memory, fresh.blobs[i].name);
        dirac__free(memory, fresh.blobs[i].data);
    }
    dirac__name_index_release(&fresh.blob_names, memory);
    dirac__free(memory, fresh.blobs);
    for (size_t i = 0; i < c->n_items && r.settings != NULL; i++)
        dirac__free(memory, r.settings[i].rules);
    dirac__free(memory, r.settings);
    dirac__free(memory, r.copies);
    let_all_go(c, c->n_items, true, status == DIRAC_OK);
    return status;
}
