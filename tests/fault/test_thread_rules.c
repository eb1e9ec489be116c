/* SPDX-License-Identifier: MIT */
/*
 * The thread rules of the headers, call by call, meant for ThreadSanitizer: every two calls that the headers allow at the
 * same time are made at the same time on the same handles, many times from a common start. A call may end with DIRAC_ERR_BUSY
 * only where the other one has what it needs. thread_rules.py looks whether every call with such a rule is here.
 */
#define _POSIX_C_SOURCE 200809L /* posix_memalign */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "support/nets.h"

enum { TURNS = 6, BATCH = 2, CLASSES = 3, IMAGE = 2 * 6 * 6, SAMPLES = 4 };

/* What both threads see. Made once, but for what a call may use up: that is new for each pair. */
typedef struct world {
    dirac_context *context;
    dirac_net *net, *folded, *copy; /* `copy`: as `net` */
    dirac_dataset *dataset;
    void *file; /* of `net` */
    size_t file_size;
    /* new for each pair */
    dirac_context *young; /* nothing was made on it */
    dirac_session *serve, *train, *twin; /* inference; training twice */
    dirac_sgd *sgd;
    dirac_batches *batches;
    dirac_checkpoint *checkpoint;
} world;

static floats images;
static const int32_t labels[BATCH] = {2, 0};
static const float weights[CLASSES] = {1, 2, 1};

/* ---- a call and its rule ---- */

enum {
    READS = 1, /* `net` */
    WRITES = 2,
    ALONE = 4, /* any, while no writer has the net */
    CALLS_SERVE = 8, /* caller of the session */
    CALLS_TRAIN = 16,
    CALLS_TWIN = 32,
    ONE_SERVE = 64, /* one */
    ONE_TRAIN = 128,
    ONE_SGD = 256,
    ONE_BATCHES = 512,
    ONE_CHECKPOINT = 1024,
    CALLER = CALLS_SERVE | CALLS_TRAIN | CALLS_TWIN,
    ONE = ONE_SERVE | ONE_TRAIN | ONE_SGD | ONE_BATCHES | ONE_CHECKPOINT
};

typedef struct call {
    const char *name;
    int32_t (*make)(world *w, int32_t turn);
    unsigned rules;    /* 0: any */
    int32_t also, too; /* what it may end with besides DIRAC_OK */
} call;

/* The handles that a call must have for itself, as bits of ONE. */
static unsigned claims(const call *c)
{
    return (c->rules & ONE) | (c->rules & CALLS_SERVE ? ONE_SERVE : 0u) | (c->rules & CALLS_TRAIN ? ONE_TRAIN : 0u);
}

static int may_meet(const call *a, const call *b)
{
    const int quiet = !((a->rules & ALONE) && (b->rules & WRITES)) && !((b->rules & ALONE) && (a->rules & WRITES));
    return quiet && (a->rules & ONE & claims(b)) == 0 && (b->rules & ONE & claims(a)) == 0;
}

static int may_be_busy(const call *a, const call *b)
{
    return (a->rules & b->rules & CALLER) != 0 || ((a->rules & WRITES) && (b->rules & (READS | WRITES))) ||
           ((a->rules & READS) && (b->rules & WRITES));
}

/* ---- contexts ---- */

static int32_t context_look(world *w, int32_t turn)
{
    (void)turn;
    const char *kernels = dirac_context_kernels(w->young);
    return dirac_context_threads(w->young) >= 1 && kernels[0] != '\0' ? DIRAC_OK : DIRAC_ERR_FORMAT;
}

static int32_t context_set(world *w, int32_t turn)
{
    int32_t status = DIRAC_OK;
    switch (turn % 5) {
    case 0: status = dirac_context_set_threads(w->young, 1 + turn % 2); break;
    case 1: status = dirac_context_set_seed(w->young, (uint64_t)turn); break;
    case 2: status = dirac_context_set_kernels(w->young, "scalar"); break;
    case 3: status = dirac_context_set_load_limit(w->young, 1 << 20); break;
    default: status = dirac_context_set_blas(w->young, 0); break;
    }
    return status == DIRAC_OK ? dirac_context_set_runner(w->young, NULL, NULL, 0) : status;
}

static void *allocate(void *user, size_t size, size_t alignment)
{
    void *block;
    (void)user;
    return posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) == 0 ? block : NULL;
}

static void release(void *user, void *block, size_t size)
{
    (void)user, (void)size;
    free(block);
}

/* Contexts of a thread's own. */
static int32_t context_make(world *w, int32_t turn)
{
    dirac_context *context = NULL;
    (void)w;
    const int32_t status = turn % 2 == 0 ? dirac_context_create(&context)
                                         : dirac_context_create_with_allocator(&context, allocate, release, NULL);
    dirac_context_destroy(context);
    return status;
}

static int32_t net_of_young(world *w, int32_t turn)
{
    dirac_net *net = NULL;
    (void)turn;
    int32_t status = dirac_net_create(&net, w->young);
    if (status == DIRAC_OK) {
        dirac_net_output(net, dirac_model_elu(net, dirac_net_input2d(net, 1, 1, 1), 2));
        status = dirac_net_build(net) == DIRAC_ERR_SHAPE ? DIRAC_OK : DIRAC_ERR_FORMAT; /* too small, said in its words */
    }
    dirac_net_destroy(net);
    return status;
}

static int32_t load_on_young(world *w, int32_t turn)
{
    dirac_net *net = NULL;
    (void)turn;
    const int32_t status = dirac_net_load_memory(&net, w->young, w->file, w->file_size);
    dirac_net_destroy(net);
    return status;
}

static int32_t load_path_on_young(world *w, int32_t turn)
{
    dirac_net *net;
    dirac_dataset *set;
    (void)turn;
    const int32_t status = dirac_net_load(&net, w->young, "/nowhere/net");
    return dirac_dataset_load_cifar10(&set, w->young, "/nowhere", DIRAC_SPLIT_TEST) == status &&
                   dirac_dataset_load_cifar100(&set, w->young, "/nowhere", DIRAC_SPLIT_TEST) == status &&
                   dirac_dataset_load_idx(&set, w->young, "/nowhere/a", "/nowhere/b") == status
               ? status
               : DIRAC_ERR_FORMAT;
}

static int32_t data_on_young(world *w, int32_t turn)
{
    static const unsigned char pictures[17] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7};
    static const unsigned char names[9] = {0, 0, 8, 1, 0, 0, 0, 1, 3}, record[3073] = {1};
    dirac_dataset *a = NULL, *b = NULL;
    (void)turn;
    int32_t status = dirac_dataset_load_idx_memory(&a, w->young, pictures, sizeof pictures, names, sizeof names);
    if (status == DIRAC_OK)
        status = dirac_dataset_load_cifar_memory(&b, w->young, record, sizeof record, 10);
    dirac_dataset_destroy(a);
    dirac_dataset_destroy(b);
    return status;
}

static int32_t sample(void *user, int64_t index, float *values, int32_t *label)
{
    (void)user;
    values[0] = (float)index;
    *label = 0;
    return 0;
}

static int32_t data_made(world *w, int32_t turn)
{
    const int64_t dims[1] = {1};
    dirac_dataset *set[3] = {NULL};
    (void)turn;
    int32_t status = dirac_dataset_create_images(&set[0], w->young, 1, 2, 2);
    if (status == DIRAC_OK)
        status = dirac_dataset_create_floats(&set[1], w->young, dims, 1);
    if (status == DIRAC_OK)
        status = dirac_dataset_create_callback(&set[2], w->young, dims, 1, 3, sample, NULL);
    for (int i = 0; i < 3; i++)
        dirac_dataset_destroy(set[i]);
    return status;
}

static int32_t nothing(void *user, dirac_layer *layer)
{
    (void)user, (void)layer;
    return 0;
}

/* A kind of its own each time, registered with the context that others use. */
static int32_t kind_on_young(world *w, int32_t turn)
{
    static atomic_int number;
    dirac_layer_kind *kind = NULL;
    char name[24];
    (void)turn;
    snprintf(name, sizeof name, "kind%d", atomic_fetch_add(&number, 1));
    int32_t status = dirac_layer_kind_create(&kind, w->young, name, 1);
    if (status == DIRAC_OK)
        status = dirac_layer_kind_set_setup(kind, nothing);
    if (status == DIRAC_OK)
        status = dirac_layer_kind_set_forward(kind, nothing);
    if (status == DIRAC_OK)
        status = dirac_layer_kind_register(kind);
    dirac_layer_kind_destroy(kind);
    return status;
}

static int32_t words(world *w, int32_t turn)
{
    char want[32];
    (void)w;
    snprintf(want, sizeof want, "kernels are called \"%d\"", turn);
    dirac_context_set_kernels(w->context, strchr(want, '"'));
    const int own = strstr(dirac_error_message(), strchr(want, '"')) != NULL; /* the other thread's mistakes are its own */
    const int told = dirac_version_number() > 0 && dirac_abi_version() >= 0 && dirac_version_string()[0] != '\0' &&
                     dirac_build_features() != NULL && dirac_status_name(0)[0] == 'D' && dirac_status_string(0)[0] != '\0';
    return own && told ? DIRAC_OK : DIRAC_ERR_FORMAT;
}

/* ---- nets ---- */

static int32_t net_look(world *w, int32_t turn)
{
    const dirac_net *net = w->net;
    int64_t dims[DIRAC_MAX_RANK], kernel[3], value;
    int32_t rank, count;
    double real;
    (void)turn;
    const dirac_node *norm = dirac_net_find(net, "norm"), *conv = dirac_net_find(net, "conv");
    const int sound = dirac_net_node_count(net) > 4 && dirac_net_node(net, 0) == dirac_net_input_node(net, 0) &&
                      dirac_net_input_count(net) == 1 && dirac_net_output_count(net) == 1 &&
                      dirac_net_output_node(net, 0) != NULL && strcmp(dirac_node_name(norm), "norm") == 0 &&
                      strcmp(dirac_node_kind(norm), "batch_norm") == 0 && dirac_node_input_count(norm) == 1 &&
                      dirac_node_input(norm, 0) == conv && dirac_node_trained_count(norm) == 8 &&
                      dirac_node_multiply_adds(conv) > 0 && dirac_net_multiply_adds(net) > 0 &&
                      dirac_net_trained_count(net) > 8 && dirac_net_version(net) > 0;
    int32_t status = dirac_node_shape(norm, dims, &rank);
    if (status == DIRAC_OK)
        status = dirac_node_get_int(norm, "frozen", &value);
    if (status == DIRAC_OK)
        status = dirac_node_get_ints(conv, "kernel", kernel, &count);
    if (status == DIRAC_OK)
        status = dirac_node_get_float(norm, "momentum", &real);
    for (int64_t i = 0; i < dirac_net_tensor_count(net) && status == DIRAC_OK; i++)
        status = dirac_net_tensor_shape(net, dirac_net_tensor_name(net, i), dims, &rank, NULL);
    return sound ? status : DIRAC_ERR_FORMAT;
}

static int32_t net_texts(world *w, int32_t turn)
{
    (void)turn;
    const char *note = dirac_net_note(w->net, "note");
    return note != NULL && note[0] == 'n' && dirac_net_load_report(w->net) != NULL ? DIRAC_OK : DIRAC_ERR_FORMAT;
}

static int32_t net_clone(world *w, int32_t turn)
{
    dirac_net *made = NULL;
    const int32_t status = turn % 2 == 0 ? dirac_net_clone(&made, w->net) : dirac_net_fold(&made, w->net);
    dirac_net_destroy(made);
    return status;
}

static int32_t net_compare(world *w, int32_t turn)
{
    double difference;
    (void)turn;
    return dirac_net_compare(w->net, w->folded, images.at, 1, NULL, NULL, &difference);
}

static int32_t net_save_memory(world *w, int32_t turn)
{
    void *data;
    size_t size;
    (void)turn;
    const int32_t status = dirac_net_save_memory(w->net, &data, &size);
    if (status == DIRAC_OK)
        dirac_buffer_free(w->context, data, size);
    return status;
}

static int32_t net_save(world *w, int32_t turn)
{
    return turn % 2 == 0 ? dirac_net_save(w->net, "/nowhere/net") : dirac_net_save_as(w->net, "/nowhere/net", DIRAC_NAMES_OWN);
}

static int32_t node_filters(world *w, int32_t turn)
{
    float values[4];
    double mean;
    const dirac_node *conv = dirac_net_find(w->net, "conv");
    return turn % 2 == 0 ? dirac_node_filters(conv, DIRAC_FILTER_NORM, values, 4)
                         : dirac_node_filter_summary(conv, DIRAC_FILTER_BETA, &mean, NULL, NULL, NULL);
}

static int32_t tensor_read(world *w, int32_t turn)
{
    float values[CLASSES];
    (void)turn;
    return dirac_net_tensor_read(w->net, "fc.bias", values, CLASSES);
}

static int32_t tensor_write(world *w, int32_t turn)
{
    (void)turn;
    return dirac_net_tensor_write(w->net, "fc.bias", weights, CLASSES);
}

static int32_t net_initialize(world *w, int32_t turn)
{
    return dirac_net_initialize(w->net, (uint64_t)turn);
}

static int32_t set_trainable(world *w, int32_t turn)
{
    return dirac_net_set_trainable(w->net, "fc.*", turn % 2);
}

static int32_t set_frozen(world *w, int32_t turn)
{
    return dirac_node_set_frozen(dirac_net_find(w->net, "norm"), turn % 2);
}

static int32_t set_note(world *w, int32_t turn)
{
    return dirac_net_set_note(w->net, "note", turn % 2 == 0 ? "n0" : "n1");
}

static int32_t load_weights(world *w, int32_t turn)
{
    (void)turn;
    return dirac_net_load_weights_memory(w->net, w->file, w->file_size, DIRAC_LOAD_STRICT);
}

static int32_t load_weights_path(world *w, int32_t turn)
{
    (void)turn;
    return dirac_net_load_weights(w->net, "/nowhere/net", DIRAC_LOAD_STRICT);
}

/* ---- sessions ---- */

static int32_t session_make(world *w, int32_t turn)
{
    dirac_session *session = NULL;
    const int32_t status = dirac_session_create(&session, w->net, turn % 2 == 0 ? DIRAC_INFER : DIRAC_TRAIN);
    dirac_session_destroy(session);
    return status;
}

static int32_t session_of_its_own(world *w, int32_t turn)
{
    dirac_session *session = NULL;
    size_t bytes;
    int32_t status = dirac_session_create(&session, w->net, turn % 2 == 0 ? DIRAC_INFER : DIRAC_TRAIN);
    if (status == DIRAC_OK)
        status = dirac_session_bytes(session, &bytes);
    if (status == DIRAC_OK)
        status = dirac_session_prepare(session);
    if (status == DIRAC_OK)
        status = dirac_session_forward(session, images.at, 1);
    dirac_session_destroy(session);
    return status;
}

static int32_t session_look(world *w, int32_t turn)
{
    int64_t dims[4], multiply_adds;
    int32_t rank;
    const int sound = dirac_session_batch(w->serve) == BATCH && dirac_session_kernels(w->serve)[0] != '\0';
    int32_t status = dirac_session_shape(w->serve, dirac_net_find(turn % 2 == 0 ? w->net : w->copy, "norm"), dims, &rank);
    if (status == DIRAC_ERR_ARGUMENT) /* of the other net */
        status = DIRAC_OK;
    if (status == DIRAC_OK)
        status = dirac_session_multiply_adds(w->serve, &multiply_adds);
    return sound ? status : DIRAC_ERR_FORMAT;
}

static int32_t serve_bytes(world *w, int32_t turn)
{
    size_t bytes;
    (void)turn;
    return dirac_session_bytes(w->serve, &bytes);
}

static int32_t serve_prepare(world *w, int32_t turn)
{
    (void)turn;
    return dirac_session_prepare(w->serve);
}

static int32_t serve_forward(world *w, int32_t turn)
{
    const float *const inputs[1] = {images.at};
    return turn % 2 == 0 ? dirac_session_forward(w->serve, images.at, BATCH)
                         : dirac_session_forward_inputs(w->serve, inputs, 1, BATCH);
}

static int32_t serve_set_net(world *w, int32_t turn)
{
    return dirac_session_set_net(w->serve, turn % 2 == 0 ? w->copy : w->net);
}

static int32_t serve_count(world *w, int32_t turn)
{
    int64_t correct;
    (void)turn;
    return dirac_session_count_correct(w->serve, labels, &correct);
}

static int32_t serve_evaluate(world *w, int32_t turn)
{
    (void)turn;
    return dirac_session_evaluate(w->serve, w->batches, NULL, NULL, NULL, NULL);
}

static int32_t serve_weights(world *w, int32_t turn)
{
    return dirac_session_set_class_weights(w->serve, turn % 2 == 0 ? weights : NULL, CLASSES);
}

static int32_t serve_output(world *w, int32_t turn)
{
    const float *values;
    (void)turn;
    return dirac_session_output(w->serve, 0, &values, NULL);
}

static int32_t serve_options(world *w, int32_t turn)
{
    const int32_t status = dirac_session_set_label_smoothing(w->serve, 0.1f);
    return status != DIRAC_OK     ? status
           : turn % 2 == 0 ? dirac_session_set_batch(w->serve, BATCH)
                           : dirac_session_set_lean(w->serve, 1);
}

static int32_t train_forward(world *w, int32_t turn)
{
    (void)turn;
    return dirac_session_forward(w->train, images.at, BATCH);
}

static int32_t train_loss(world *w, int32_t turn)
{
    const float targets[BATCH * CLASSES] = {1, 0, 0, 0, 1, 0};
    return turn % 2 == 0 ? dirac_session_cross_entropy(w->train, labels, NULL)
                         : dirac_session_cross_entropy_soft(w->train, targets, NULL);
}

static int32_t train_give(world *w, int32_t turn)
{
    const float gradient[BATCH * CLASSES] = {1, 0, -1};
    (void)turn;
    return dirac_session_set_output_gradient(w->train, 0, gradient, BATCH * CLASSES);
}

static int32_t train_backward(world *w, int32_t turn)
{
    (void)turn;
    return dirac_session_backward(w->train);
}

static int32_t train_clear(world *w, int32_t turn)
{
    (void)turn;
    return dirac_session_clear_gradients(w->train);
}

static int32_t train_commit(world *w, int32_t turn)
{
    (void)turn;
    return dirac_session_commit_statistics(w->train);
}

static int32_t train_check(world *w, int32_t turn)
{
    (void)turn;
    return dirac_session_check_gradients(w->train, images.at, BATCH, 1, 0, NULL);
}

/* Both ways round, so that two threads would wait for each other if they waited at all. */
static int32_t train_add(world *w, int32_t turn)
{
    return turn % 2 == 0 ? dirac_session_add_gradients(w->train, w->twin) : dirac_session_add_gradients(w->twin, w->train);
}

static int32_t train_set_net(world *w, int32_t turn)
{
    return dirac_session_set_net(w->train, turn % 2 == 0 ? w->copy : w->net);
}

static int32_t train_read(world *w, int32_t turn)
{
    float values[CLASSES], *all;
    (void)turn;
    const int32_t status = dirac_session_gradients(w->train, &all, NULL);
    return status == DIRAC_OK ? dirac_session_gradient_read(w->train, "fc.bias", values, CLASSES) : status;
}

/* ---- optimizers, batches, checkpoints ---- */

static int32_t sgd_make(world *w, int32_t turn)
{
    dirac_sgd *sgd = NULL;
    (void)turn;
    const int32_t status = dirac_sgd_create(&sgd, w->net);
    dirac_sgd_destroy(sgd);
    return status;
}

static int32_t sgd_step(world *w, int32_t turn)
{
    (void)turn;
    return dirac_sgd_step(w->sgd, w->train);
}

static int32_t sgd_epoch(world *w, int32_t turn)
{
    (void)turn;
    return dirac_sgd_epoch(w->sgd, w->train, w->batches, NULL, NULL, NULL, NULL);
}

static int32_t sgd_options(world *w, int32_t turn)
{
    (void)turn;
    return dirac_sgd_set_learning_rate(w->sgd, 0.01f);
}

static int32_t dataset_look(world *w, int32_t turn)
{
    float values[IMAGE];
    int64_t dims[4];
    int32_t rank;
    const dirac_dataset *set = w->dataset;
    const int sound = dirac_dataset_count(set) == SAMPLES && dirac_dataset_classes(set) == CLASSES &&
                      strcmp(dirac_dataset_class_name(set, 1), "one") == 0 && dirac_dataset_label(set, 1) == 1;
    const int32_t status = dirac_dataset_shape(set, dims, &rank);
    return !sound ? DIRAC_ERR_FORMAT : status != DIRAC_OK ? status : dirac_dataset_read(set, turn % SAMPLES, values, IMAGE);
}

static int32_t batches_of_its_own(world *w, int32_t turn)
{
    dirac_batches *batches = NULL;
    const float *samples;
    const int32_t *names;
    int64_t n;
    int32_t status = dirac_batches_create(&batches, w->dataset);
    if (status == DIRAC_OK)
        status = dirac_batches_set_prefetch(batches, turn % 4 == 0);
    if (status == DIRAC_OK)
        status = dirac_batches_next(batches, &samples, &names, &n);
    dirac_batches_destroy(batches);
    return status;
}

/* Only looks whether the handles may be added, whatever others do with them. */
static int32_t checkpoint_make(world *w, int32_t turn)
{
    dirac_checkpoint *c = NULL;
    (void)turn;
    int32_t status = dirac_checkpoint_create(&c, w->context);
    if (status == DIRAC_OK)
        status = dirac_checkpoint_add_net(c, "net", w->net);
    if (status == DIRAC_OK)
        status = dirac_checkpoint_add_session(c, "session", w->train);
    if (status == DIRAC_OK)
        status = dirac_checkpoint_add_sgd(c, "sgd", w->sgd);
    if (status == DIRAC_OK)
        status = dirac_checkpoint_add_batches(c, "batches", w->batches);
    if (status == DIRAC_OK && dirac_checkpoint_add_session(c, "serve", w->serve) != DIRAC_ERR_STATE)
        status = DIRAC_ERR_FORMAT;
    dirac_checkpoint_destroy(c);
    return status;
}

static int32_t checkpoint_save(world *w, int32_t turn)
{
    void *data;
    size_t size;
    if (turn % 2 == 1)
        return dirac_checkpoint_save(w->checkpoint, "/nowhere/checkpoint") == DIRAC_ERR_BUSY ? DIRAC_ERR_BUSY : DIRAC_OK;
    const int32_t status = dirac_checkpoint_save_memory(w->checkpoint, &data, &size);
    if (status == DIRAC_OK)
        dirac_buffer_free(w->context, data, size);
    return status;
}

static int32_t checkpoint_load(world *w, int32_t turn)
{
    void *data;
    size_t size;
    if (turn % 2 == 1)
        return dirac_checkpoint_load(w->checkpoint, "/nowhere/checkpoint") == DIRAC_ERR_IO ? DIRAC_OK : DIRAC_ERR_FORMAT;
    int32_t status = dirac_checkpoint_save_memory(w->checkpoint, &data, &size);
    if (status != DIRAC_OK)
        return status;
    status = dirac_checkpoint_load_memory(w->checkpoint, data, size);
    dirac_buffer_free(w->context, data, size);
    return status;
}

/* ---- all of them ---- */

#define STATE DIRAC_ERR_STATE
#define CHECKPOINT (ONE_CHECKPOINT | ONE_SGD | ONE_BATCHES | CALLS_TRAIN)
#define ROW(name, ...) {#name, name, __VA_ARGS__}

static const call calls[] = {
    ROW(context_look, 0, 0, 0),
    ROW(context_set, 0, STATE, 0),
    ROW(context_make, 0, 0, 0),
    ROW(net_of_young, 0, 0, 0),
    ROW(load_on_young, 0, 0, 0),
    ROW(load_path_on_young, 0, DIRAC_ERR_IO, 0),
    ROW(data_on_young, 0, 0, 0),
    ROW(data_made, 0, 0, 0),
    ROW(kind_on_young, 0, 0, 0),
    ROW(words, 0, 0, 0),
    ROW(net_look, 0, 0, 0),
    ROW(net_texts, ALONE, 0, 0),
    ROW(net_clone, READS, 0, 0),
    ROW(net_compare, READS, 0, 0),
    ROW(net_save_memory, READS, 0, 0),
    ROW(net_save, READS, DIRAC_ERR_IO, 0),
    ROW(node_filters, READS, 0, 0),
    ROW(tensor_read, READS, 0, 0),
    ROW(tensor_write, WRITES, 0, 0),
    ROW(net_initialize, WRITES, 0, 0),
    ROW(set_trainable, WRITES, 0, 0),
    ROW(set_frozen, WRITES, 0, 0),
    ROW(set_note, WRITES, 0, 0),
    ROW(load_weights, WRITES, 0, 0),
    ROW(load_weights_path, WRITES, DIRAC_ERR_IO, 0),
    ROW(session_make, 0, 0, 0),
    ROW(session_of_its_own, READS, 0, 0),
    ROW(session_look, 0, STATE, 0),
    ROW(serve_bytes, CALLS_SERVE | READS, 0, 0),
    ROW(serve_prepare, CALLS_SERVE | READS, STATE, 0),
    ROW(serve_forward, CALLS_SERVE | READS, STATE, 0),
    ROW(serve_set_net, CALLS_SERVE | READS, DIRAC_ERR_SHAPE, 0), /* where only one of the nets is frozen */
    ROW(serve_count, CALLS_SERVE, STATE, 0),
    ROW(serve_evaluate, CALLS_SERVE | READS | ONE_BATCHES, STATE, 0),
    ROW(serve_weights, CALLS_SERVE, 0, 0),
    ROW(serve_output, ONE_SERVE, STATE, 0),
    ROW(serve_options, ONE_SERVE, STATE, 0),
    ROW(train_forward, CALLS_TRAIN | READS, 0, 0),
    ROW(train_loss, CALLS_TRAIN, STATE, 0),
    ROW(train_give, CALLS_TRAIN, STATE, 0),
    ROW(train_backward, CALLS_TRAIN | READS, STATE, 0),
    ROW(train_clear, CALLS_TRAIN, 0, 0),
    ROW(train_commit, CALLS_TRAIN | WRITES, 0, 0),
    ROW(train_check, CALLS_TRAIN | WRITES, 0, 0),
    ROW(train_add, CALLS_TRAIN | CALLS_TWIN, DIRAC_ERR_ARGUMENT, 0), /* of another net by now */
    ROW(train_set_net, CALLS_TRAIN | READS, DIRAC_ERR_SHAPE, 0),
    ROW(train_read, ONE_TRAIN, 0, 0),
    ROW(sgd_make, 0, 0, 0),
    ROW(sgd_step, ONE_SGD | CALLS_TRAIN | WRITES, STATE, DIRAC_ERR_ARGUMENT),
    ROW(sgd_epoch, ONE_SGD | ONE_BATCHES | CALLS_TRAIN | WRITES, STATE, DIRAC_ERR_ARGUMENT),
    ROW(sgd_options, ONE_SGD, 0, 0),
    ROW(dataset_look, 0, 0, 0),
    ROW(batches_of_its_own, 0, 0, 0),
    ROW(checkpoint_make, 0, 0, 0),
    ROW(checkpoint_save, CHECKPOINT | READS, 0, 0),
    ROW(checkpoint_load, CHECKPOINT | WRITES, DIRAC_ERR_MISMATCH, 0), /* of a net that is frozen by now */
};
enum { CALLS = sizeof calls / sizeof calls[0] };

/* ---- the world ---- */

static dirac_net *make_net(dirac_context *context)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_dirac_conv2d(net, dirac_net_input2d(net, 2, 6, 6), 4, 3);
    ok(dirac_node_set_name(x, "conv"));
    x = dirac_net_batch_norm(net, x);
    ok(dirac_node_set_name(x, "norm"));
    x = dirac_net_linear(net, dirac_net_global_average_pool(net, dirac_net_relu(net, x)), CLASSES);
    ok(dirac_node_set_name(x, "fc"));
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    ok(dirac_net_set_note(net, "note", "n0"));
    return net;
}

static void make_world(world *w)
{
    const int32_t names[SAMPLES] = {0, 1, 2, 0};
    *w = (world){.context = NULL};
    images = random_numbers(SAMPLES * IMAGE, 1, -1, 1);
    ok(dirac_context_create(&w->context));
    ok(dirac_context_set_threads(w->context, 2));
    w->net = make_net(w->context);
    ok(dirac_net_fold(&w->folded, w->net));
    ok(dirac_net_clone(&w->copy, w->net));
    ok(dirac_net_save_memory(w->net, &w->file, &w->file_size));
    ok(dirac_dataset_create_floats(&w->dataset, w->context, (const int64_t[3]){2, 6, 6}, 3));
    ok(dirac_dataset_add_floats(w->dataset, images.at, names, SAMPLES));
    ok(dirac_dataset_set_class_name(w->dataset, 1, "one"));
}

static void drop_world(world *w)
{
    dirac_buffer_free(w->context, w->file, w->file_size);
    dirac_dataset_destroy(w->dataset);
    dirac_net_destroy(w->net), dirac_net_destroy(w->folded), dirac_net_destroy(w->copy);
    dirac_context_destroy(w->context);
    drop_floats(&images);
}

static dirac_session *trained(dirac_net *net)
{
    dirac_session *session = open_session(net, DIRAC_TRAIN, BATCH);
    ok(dirac_session_forward(session, images.at, BATCH));
    ok(dirac_session_cross_entropy(session, labels, NULL));
    ok(dirac_session_backward(session));
    ok(dirac_session_forward(session, images.at, BATCH));
    ok(dirac_session_cross_entropy(session, labels, NULL));
    return session;
}

static void renew(world *w, int prepared)
{
    ok(dirac_net_set_trainable(w->net, "*", 1));
    ok(dirac_node_set_frozen(dirac_net_find(w->net, "norm"), 0));
    ok(dirac_context_create(&w->young));
    ok(dirac_session_create(&w->serve, w->net, DIRAC_INFER));
    ok(dirac_session_set_batch(w->serve, BATCH));
    if (prepared)
        ok(dirac_session_prepare(w->serve));
    w->train = trained(w->net);
    w->twin = trained(w->net);
    ok(dirac_sgd_create(&w->sgd, w->net));
    ok(dirac_batches_create(&w->batches, w->dataset));
    ok(dirac_batches_set_size(w->batches, BATCH));
    ok(dirac_checkpoint_create(&w->checkpoint, w->context));
    ok(dirac_checkpoint_add_net(w->checkpoint, "net", w->net));
    ok(dirac_checkpoint_add_session(w->checkpoint, "session", w->train));
    ok(dirac_checkpoint_add_sgd(w->checkpoint, "sgd", w->sgd));
    ok(dirac_checkpoint_add_batches(w->checkpoint, "batches", w->batches));
}

static void use_up(world *w)
{
    dirac_checkpoint_destroy(w->checkpoint);
    dirac_batches_destroy(w->batches);
    dirac_sgd_destroy(w->sgd);
    dirac_session_destroy(w->twin), dirac_session_destroy(w->train), dirac_session_destroy(w->serve);
    dirac_context_destroy(w->young);
}

/* ---- two at a time ---- */

typedef struct side {
    world *world;
    const call *call, *other; /* call NULL: no more */
    pthread_barrier_t *start, *end; /* two, so that who comes late to one does not learn what the other has done since */
    atomic_int *running;
    int32_t wrong; /* the first status that may not be */
    int failures;
} side;

static int may_end(const side *s, int32_t status)
{
    return status == DIRAC_OK || status == s->call->also || status == s->call->too ||
           (status == DIRAC_ERR_BUSY && may_be_busy(s->call, s->other));
}

static void make_calls(side *s)
{
    s->failures = 0;
    atomic_fetch_add_explicit(s->running, 1, memory_order_relaxed); /* orders nothing: ThreadSanitizer would believe it */
    while (atomic_load_explicit(s->running, memory_order_relaxed) < 2)
        sched_yield();
    for (int32_t turn = 0; turn < TURNS; turn++) {
        const int32_t status = s->call->make(s->world, turn);
        if (!may_end(s, status) && s->failures++ == 0)
            s->wrong = status;
    }
    pthread_barrier_wait(s->end);
}

static void *second(void *argument)
{
    side *s = argument;
    for (;;) {
        pthread_barrier_wait(s->start);
        if (s->call == NULL)
            return NULL;
        make_calls(s);
    }
}

static int complain(const side *s)
{
    if (s->failures > 0)
        print_error("%s beside %s: %s\n", s->call->name, s->other->name, dirac_status_name(s->wrong));
    return s->failures;
}

/* One pair, with the inference session prepared before or not. */
static int meet(side *a, side *b, const call *x, const call *y, int prepared)
{
    a->call = b->other = x;
    b->call = a->other = y;
    renew(a->world, prepared);
    atomic_store(a->running, 0);
    pthread_barrier_wait(a->start);
    make_calls(a);
    use_up(a->world);
    return complain(a) + complain(b);
}

static int serves(const call *c)
{
    return (c->rules & (CALLS_SERVE | ONE_SERVE)) != 0 || c->make == session_look;
}

static void test_pairs(void **state)
{
    (void)state;
    world w;
    pthread_t thread;
    pthread_barrier_t start, end;
    atomic_int running = 0;
    int failures = 0, pairs = 0;
    make_world(&w);
    pthread_barrier_init(&start, NULL, 2);
    pthread_barrier_init(&end, NULL, 2);
    side a = {.world = &w, .start = &start, .end = &end, .running = &running}, b = a;
    assert_int_equal(pthread_create(&thread, NULL, second, &b), 0);
    for (int i = 0; i < CALLS; i++) {
        for (int j = i; j < CALLS; j++) {
            const call *x = &calls[i], *y = &calls[j];
            for (int prepared = !(serves(x) && serves(y)); prepared < 2 && may_meet(x, y); prepared++, pairs++)
                failures += meet(&a, &b, x, y, prepared);
        }
    }
    b.call = NULL;
    pthread_barrier_wait(&start);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&start);
    pthread_barrier_destroy(&end);
    drop_world(&w);
    assert_int_equal(failures, 0);
    assert_true(pairs > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
