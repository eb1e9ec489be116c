/* SPDX-License-Identifier: MIT */
/* Public calls that save nets and load them: lists of tensors and texts to and from the file format. */
#include <string.h>

#include <dirac/file.h>

#include "api/check.h"
#include "base/json.h"
#include "graph/describe.h"
#include "io/names.h"
#include "io/safetensors.h"

/* ---- saving ---- */

/* Everything that goes into a file, as lists. */
typedef struct listing {
    const dirac__memory *memory;
    dirac__file_tensor *tensors;
    char (*names)[DIRAC__NAME_CAPACITY];
    dirac__file_text *texts;
    size_t n_texts;
    dirac__buffer graph;
} listing;

static void release_listing(listing *list)
{
    dirac__free(list->memory, list->tensors);
    dirac__free(list->memory, list->names);
    dirac__free(list->memory, list->texts);
    dirac__buffer_release(&list->graph);
}

static int32_t list_net(const dirac_net *net, int32_t names, listing *list)
{
    *list = (listing){.memory = net->memory, .graph = {.memory = net->memory}};
    list->tensors = dirac__alloc_zero(net->memory, net->n_tensors + 1, sizeof *list->tensors);
    list->names = dirac__alloc_zero(net->memory, net->n_tensors + 1, sizeof *list->names);
    list->texts = dirac__alloc_zero(net->memory, net->n_notes + 1, sizeof *list->texts);
    if (list->tensors == NULL || list->names == NULL || list->texts == NULL)
        return dirac__fail_memory("saving a net");
    for (size_t i = 0; i < net->n_tensors; i++) {
        const dirac__tensor *tensor = &net->tensors[i];
        dirac__file_tensor *item = &list->tensors[i];
        CHECK(dirac__names_to_file(names, tensor->name, list->names[i], &item->name));
        item->dtype = DIRAC__DTYPE_F32;
        item->rank = tensor->is.rank;
        memcpy(item->dims, tensor->is.dims, (size_t)tensor->is.rank * sizeof *item->dims);
        item->data = tensor->data;
        item->bytes = tensor->count * sizeof(float);
    }
    for (size_t i = 0; i < net->n_notes; i++)
        list->texts[list->n_texts++] = (dirac__file_text){net->notes[i].key, net->notes[i].value};
    if (names == DIRAC_NAMES_OWN) {
        dirac__graph_write(net, &list->graph);
        if (list->graph.failed)
            return dirac__fail_memory("saving a net");
        CHECK(dirac__json_check_written(list->graph.data, list->graph.size, "the description of the graph"));
        list->texts[list->n_texts++] = (dirac__file_text){"dirac.graph", list->graph.data};
    }
    return DIRAC_OK;
}

/* To a path, or to memory when that is NULL. */
static int32_t save(const dirac_net *net, const char *path, int32_t names, void **data, size_t *size)
{
    listing list;
    CHECK(dirac__net_begin_read(net));
    int32_t status = list_net(net, names, &list);
    if (status == DIRAC_OK && path != NULL)
        status = dirac__safetensors_write(net->memory, path, list.tensors, net->n_tensors, list.texts, list.n_texts,
                                          &net->context->progress);
    else if (status == DIRAC_OK)
        status = dirac__safetensors_write_memory(net->memory, data, size, list.tensors, net->n_tensors, list.texts,
                                                 list.n_texts);
    dirac__net_end_read(net);
    release_listing(&list);
    return status;
}

int32_t dirac_net_save_as(const dirac_net *net, const char *path, int32_t names)
{
    DIRAC__HOLD_FLOATS();
    CHECK(dirac__check_built(net, __func__));
    CHECK_HANDLE(path);
    if (names < DIRAC_NAMES_OWN || names > DIRAC_NAMES_FOLDED)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "dirac_net_save_as: no naming scheme %d", names);
    return save(net, path, names, NULL, NULL);
}

int32_t dirac_net_save(const dirac_net *net, const char *path)
{
    DIRAC__HOLD_FLOATS();
    CHECK(dirac__check_built(net, __func__));
    CHECK_HANDLE(path);
    return save(net, path, DIRAC_NAMES_OWN, NULL, NULL);
}

int32_t dirac_net_save_memory(const dirac_net *net, void **data, size_t *size)
{
    DIRAC__HOLD_FLOATS();
    CHECK(dirac__check_built(net, __func__));
    CHECK_HANDLE(data);
    CHECK_HANDLE(size);
    return save(net, NULL, DIRAC_NAMES_OWN, data, size);
}

/* ---- matching a file's tensors with a net's ---- */

static bool same_dims(const dirac__file_tensor *a, const dirac__parameter *b)
{
    if (a->rank != b->rank)
        return false;
    for (int32_t i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

/* Old files hold alpha and beta once a layer: such a value is spread. */
static bool is_spread(const dirac__file_tensor *a, const dirac__parameter *b)
{
    return a->rank == 1 && a->dims[0] == 1 && b->rank == 1 &&
           (strcmp(b->name, "alpha") == 0 || strcmp(b->name, "beta") == 0);
}

static void report_shape(dirac__buffer *report, const int64_t *dims, int32_t rank)
{
    dirac__buffer_text(report, "(");
    for (int32_t i = 0; i < rank; i++) {
        if (i > 0)
            dirac__buffer_text(report, ", ");
        dirac__buffer_integer(report, dims[i]);
    }
    dirac__buffer_text(report, ")");
}

/* A load of weights: values are made ready beside the net's and take their place when all is well. */
typedef struct load {
    dirac_net *net;
    const dirac__safetensors *file;
    const dirac__memory *memory; /* counts against the file's limit */
    const dirac__file_tensor *tensors;
    size_t n_tensors;
    const char **keys, **names;
    int64_t *match;  /* of each key */
    float *values;   /* what the net's values will be */
    bool *found;     /* by tensor of the net */
    dirac__buffer report;
    size_t missing, unused, misshapen;
} load;

static int32_t open_load(load *l, dirac_net *net, const dirac__safetensors *file)
{
    const dirac__memory *memory = dirac__safetensors_memory(file);
    *l = (load){.net = net, .file = file, .memory = memory, .report = {.memory = memory}};
    l->tensors = dirac__safetensors_tensors(file, &l->n_tensors);
    l->keys = dirac__alloc_zero(memory, l->n_tensors + 1, sizeof *l->keys);
    l->names = dirac__alloc_zero(memory, net->n_tensors + 1, sizeof *l->names);
    l->match = dirac__alloc_zero(memory, l->n_tensors + 1, sizeof *l->match);
    l->values = dirac__alloc_zero(memory, net->n_values + 1, sizeof *l->values);
    l->found = dirac__alloc_zero(memory, net->n_tensors + 1, sizeof *l->found);
    if (l->keys == NULL || l->names == NULL || l->match == NULL || l->values == NULL || l->found == NULL)
        return dirac__fail_memory("loading weights");
    for (size_t i = 0; i < l->n_tensors; i++)
        l->keys[i] = l->tensors[i].name;
    for (size_t i = 0; i < net->n_tensors; i++)
        l->names[i] = net->tensors[i].name;
    memcpy(l->values, net->values, net->n_values * sizeof *l->values);
    return dirac__names_match(memory, l->keys, l->n_tensors, l->names, net->n_tensors, l->match);
}

static void close_load(load *l)
{
    const dirac__memory *memory = l->memory;
    dirac__free(memory, (void *)l->keys);
    dirac__free(memory, (void *)l->names);
    dirac__free(memory, l->match);
    dirac__free(memory, l->values);
    dirac__free(memory, l->found);
    dirac__buffer_release(&l->report);
}

static int32_t take_tensor(load *l, size_t key)
{
    const dirac__file_tensor *from = &l->tensors[key];
    if (l->match[key] == DIRAC__NAME_IGNORED)
        return DIRAC_OK;
    if (l->match[key] < 0) {
        l->unused++;
        dirac__buffer_text(&l->report, "unused: ");
        dirac__buffer_text(&l->report, from->name);
        dirac__buffer_text(&l->report, "\n");
        return DIRAC_OK;
    }
    const dirac__tensor *to = &l->net->tensors[l->match[key]];
    float *values = l->values + to->offset;
    l->found[l->match[key]] = true;
    if (same_dims(from, &to->is))
        return dirac__safetensors_to_float(l->file, from, values);
    if (is_spread(from, &to->is)) {
        CHECK(dirac__safetensors_to_float(l->file, from, values));
        for (size_t i = 1; i < to->count; i++)
            values[i] = values[0];
        return DIRAC_OK;
    }
    l->misshapen++;
    dirac__buffer_text(&l->report, "wrong shape: ");
    dirac__buffer_text(&l->report, to->name);
    dirac__buffer_text(&l->report, " is ");
    report_shape(&l->report, to->is.dims, to->is.rank);
    dirac__buffer_text(&l->report, ", in the file ");
    report_shape(&l->report, from->dims, from->rank);
    dirac__buffer_text(&l->report, "\n");
    return DIRAC_OK;
}

static int32_t take_all(load *l)
{
    for (size_t i = 0; i < l->n_tensors; i++)
        CHECK(take_tensor(l, i));
    for (size_t i = 0; i < l->net->n_tensors; i++)
        if (!l->found[i]) {
            l->missing++;
            dirac__buffer_text(&l->report, "missing: ");
            dirac__buffer_text(&l->report, l->net->tensors[i].name);
            dirac__buffer_text(&l->report, "\n");
        }
    return l->report.failed ? dirac__fail_memory("the report of a load") : DIRAC_OK;
}

static int32_t judge(const load *l, int32_t mode)
{
    if (mode == DIRAC_LOAD_PARTIAL || l->missing + l->unused + l->misshapen == 0)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_MISMATCH,
                       "%s does not match the net: %zu tensors missing, %zu unused, %zu of another shape:\n%s",
                       dirac__safetensors_name(l->file), l->missing, l->unused, l->misshapen, l->report.data);
}

/* Takes a file's weights into a net that the caller has for writing. */
static int32_t load_tensors(dirac_net *net, const dirac__safetensors *file, int32_t mode)
{
    load l;
    int32_t status = open_load(&l, net, file);
    if (status == DIRAC_OK)
        status = take_all(&l);
    if (status == DIRAC_OK) {
        dirac__free(net->memory, net->load_report);
        net->load_report = dirac__copy_string(net->memory, l.report.data == NULL ? "" : l.report.data);
        status = net->load_report == NULL ? dirac__fail_memory("the report of a load") : judge(&l, mode);
    }
    if (status == DIRAC_OK)
        memcpy(net->values, l.values, net->n_values * sizeof *net->values);
    close_load(&l);
    return status;
}

/* ---- loading ---- */

static int32_t open_file(dirac__safetensors **file, dirac_context *context, const char *path, const void *data,
                         size_t size)
{
    const uint64_t limit = dirac__context_load_limit(context);
    if (path != NULL)
        return dirac__safetensors_open(file, &context->memory, path, limit, &context->progress);
    return dirac__safetensors_open_memory(file, &context->memory, data, size, limit);
}

static int32_t take_notes(dirac_net *net, const dirac__safetensors *file)
{
    size_t count;
    const dirac__file_text *texts = dirac__safetensors_texts(file, &count);
    for (size_t i = 0; i < count; i++)
        if (strncmp(texts[i].key, "dirac.", 6) != 0 && strcmp(texts[i].key, "format") != 0)
            CHECK(dirac__net_put_note(net, texts[i].key, texts[i].value));
    return DIRAC_OK;
}

/* Files of checkpoints hold graphs too, under names. */
static int32_t no_graph(const dirac__safetensors *file)
{
    size_t count;
    const dirac__file_text *texts = dirac__safetensors_texts(file, &count);
    for (size_t i = 0; i < count; i++)
        if (strncmp(texts[i].key, "dirac.net.", 10) == 0)
            return dirac__fail(DIRAC_ERR_FORMAT,
                               "%s is a checkpoint: add a net of the same graph to one and use dirac_checkpoint_load()",
                               dirac__safetensors_name(file));
    return dirac__fail(DIRAC_ERR_FORMAT, "%s holds no graph (\"dirac.graph\"): build the net and use dirac_net_load_weights()",
                       dirac__safetensors_name(file));
}

/* On failure too the net, if there is one, is the caller's. */
static int32_t read_net(dirac_net **net, dirac_context *context, const dirac__safetensors *file, const char *graph)
{
    int32_t status = dirac__graph_read(net, context, dirac__safetensors_memory(file), graph, strlen(graph),
                                       dirac__context_load_limit(context));
    if (status != DIRAC_OK) {
        dirac__fail_in(status, dirac__safetensors_name(file));
        return status;
    }
    CHECK(load_tensors(*net, file, DIRAC_LOAD_STRICT));
    return take_notes(*net, file);
}

static int32_t load_net(dirac_net **out, dirac_context *context, const char *path, const void *data, size_t size)
{
    dirac__safetensors *file = NULL;
    dirac_net *net = NULL;
    CHECK(open_file(&file, context, path, data, size));
    const char *graph = dirac__safetensors_text(file, "dirac.graph");
    int32_t status = graph == NULL ? no_graph(file) : read_net(&net, context, file, graph);
    status = dirac__safetensors_judge(file, status);
    if (net != NULL)
        net->memory = &context->memory; /* that of the file goes with it */
    dirac__safetensors_close(file);
    if (status == DIRAC_OK)
        *out = net;
    else
        dirac__net_release(net);
    return status;
}

int32_t dirac_net_load(dirac_net **out, dirac_context *context, const char *path)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(out);
    *out = NULL;
    CHECK_HANDLE(context);
    CHECK_HANDLE(path);
    return load_net(out, context, path, NULL, 0);
}

int32_t dirac_net_load_memory(dirac_net **out, dirac_context *context, const void *data, size_t size)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(out);
    *out = NULL;
    CHECK_HANDLE(context);
    CHECK_HANDLE(data);
    return load_net(out, context, NULL, data, size);
}

static int32_t load_weights(dirac_net *net, const char *path, const void *data, size_t size, int32_t mode)
{
    dirac__safetensors *file = NULL;
    if (mode != DIRAC_LOAD_STRICT && mode != DIRAC_LOAD_PARTIAL)
        return dirac__fail(DIRAC_ERR_ARGUMENT, "mode %d is neither DIRAC_LOAD_STRICT nor DIRAC_LOAD_PARTIAL", mode);
    CHECK(open_file(&file, net->context, path, data, size));
    int32_t status = dirac__net_begin_write(net);
    if (status == DIRAC_OK) {
        status = load_tensors(net, file, mode);
        dirac__net_end_write(net, status == DIRAC_OK);
    }
    status = dirac__safetensors_judge(file, status);
    dirac__safetensors_close(file);
    return status;
}

int32_t dirac_net_load_weights(dirac_net *net, const char *path, int32_t mode)
{
    DIRAC__HOLD_FLOATS();
    CHECK(dirac__check_built(net, __func__));
    CHECK_HANDLE(path);
    return load_weights(net, path, NULL, 0, mode);
}

int32_t dirac_net_load_weights_memory(dirac_net *net, const void *data, size_t size, int32_t mode)
{
    DIRAC__HOLD_FLOATS();
    CHECK(dirac__check_built(net, __func__));
    CHECK_HANDLE(data);
    return load_weights(net, NULL, data, size, mode);
}

const char *dirac_net_load_report(const dirac_net *net)
{
    return net == NULL || net->load_report == NULL ? "" : net->load_report;
}
