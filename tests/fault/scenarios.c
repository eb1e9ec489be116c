/* SPDX-License-Identifier: MIT */
/* The list, and the acts on nets and sessions. */
#include "fault/scenario_parts.h"

const scenario scenarios[] = {
    {"context", with_nothing, create_context, KEEPS, 0},
    {"build", with_context, build_mixed, 0, 0},
    {"custom layer", with_context, build_custom, 0, 0},
    {"DiracNet", with_context, build_model, 0, 0},
    {"ResNet", with_context, build_model, 0, 1},
    {"bottleneck ResNet", with_context, build_model, 0, 2},
    {"ImageNet DiracNet", with_context, build_model, COSTLY, 3},
    {"ImageNet ResNet", with_context, build_model, COSTLY, 4},
    {"NIN", with_context, build_model, COSTLY, 5},
    {"ELU net", with_context, build_model, COSTLY, 6},
    {"VGG-16 for CIFAR", with_context, build_model, COSTLY, 7},
    {"VGG-16", with_context, build_model, COSTLY, 8},
    {"VGG-CNN-S", with_context, build_model, COSTLY, 9},
    {"notes and names", with_mixed_net, change_net, 0, 0},
    {"clone and fold", with_mixed_net, copy_net, 0, 0},
    {"sessions", with_mixed_net, open_sessions, 0, 0},
    {"deep session", with_deep_net, open_deep, 0, 0},
    {"forward", with_mixed_net, compute_mixed, THREADS, 0},
    {"lean forward", with_mixed_net, compute_lean, THREADS, 0},
    {"large layer", with_large_layer, train_large, COSTLY, 0},
    {"DiracNet's steps", with_built_model, train_model, COSTLY, 0},
    {"ResNet's steps", with_built_model, train_model, COSTLY, 1},
    {"bottleneck ResNet's steps", with_built_model, train_model, COSTLY, 2},
    {"ImageNet DiracNet's steps", with_built_model, train_model, COSTLY, 3},
    {"ImageNet ResNet's steps", with_built_model, train_model, COSTLY, 4},
    {"NIN's steps", with_built_model, train_model, COSTLY, 5},
    {"ELU net's steps", with_built_model, train_model, COSTLY, 6},
    {"compare", with_model, compare_nets, 0, 0},
    {"optimizer", with_training_net, open_sgd, 0, 0},
    {"training", with_training, train_steps, THREADS, 0},
    {"epoch", with_training, train_epoch, THREADS, 0},
    {"prefetched epoch", with_prefetch, train_epoch, THREADS | AHEAD, 0},
    {"evaluation", with_prefetch, evaluate, THREADS | AHEAD, 0},
    {"save", with_mixed_net, save_net, FILES | SAVES, 0},
    {"save published", with_model, save_published, FILES | SAVES, 0},
    {"save to memory", with_mixed_net, save_net_memory, 0, 0},
    {"load", with_saved_net, load_net, FILES, 0},
    {"load from memory", with_saved_net, load_net_memory, 0, 0},
    {"load weights", with_published, load_published, FILES, 0},
    {"load partly", with_published, load_partly, FILES, 0},
    {"load custom", with_saved_custom, load_net, FILES, 0},
    {"data sets", with_context, fill_sets, KEEPS, 0},
    {"CIFAR-10", with_context, load_cifar10, FILES, 0},
    {"CIFAR-100", with_context, load_cifar100, FILES, 0},
    {"IDX", with_context, load_idx, FILES, 0},
    {"data sets from memory", with_context, load_sets_memory, 0, 0},
    {"batches", with_set, take_batches, 0, 0},
    {"prefetched batches", with_set, take_prefetched, THREADS | AHEAD, 0},
    {"callback batches", with_callback_set, take_batches, 0, 0},
    {"prefetched callback", with_callback_set, take_prefetched, THREADS | AHEAD, 0},
    {"checkpoint", with_training, open_checkpoint, 0, 0},
    {"save checkpoint", with_training, save_checkpoint, FILES | SAVES, 0},
    {"save checkpoint to memory", with_training, save_checkpoint_memory, 0, 0},
    {"resume", with_saved_training, load_checkpoint, FILES, 0},
    {"resume from memory", with_saved_training, load_checkpoint_memory, 0, 0},
};
const size_t n_scenarios = sizeof scenarios / sizeof scenarios[0];

counting memory;
dirac_alloc_fn scenario_allocate = counting_allocate;
dirac_free_fn scenario_release = counting_release;
int scenario_blas = 1, scenario_threads;
int scenario_environment = 2; /* rounds towards zero, flushes, has one flag raised */
void (*faults_on)(void), (*faults_off)(void);
int (*faults_retry)(int32_t status, const char *call);

/* ---- beginnings ---- */

int32_t with_nothing(handles *base)
{
    (void)base;
    return DIRAC_OK;
}

int32_t with_context(handles *base)
{
    int32_t status = scenario_allocate == NULL ? dirac_context_create(&base->context)
                                               : dirac_context_create_with_allocator(&base->context, scenario_allocate,
                                                                                     scenario_release, &memory);
    if (status == DIRAC_OK)
        status = dirac_context_set_threads(base->context, base->threads);
    if (status == DIRAC_OK && !scenario_blas)
        status = dirac_context_set_blas(base->context, 0);
    if (status == DIRAC_OK) /* the first handle makes the thread team, which stays */
        status = dirac_net_create(&base->net, base->context);
    dirac_net_destroy(base->net);
    base->net = NULL;
    return status;
}

int32_t with_mixed_net(handles *base)
{
    int32_t status = with_context(base);
    if (status == DIRAC_OK)
        status = make_mixed_net(&base->net, base->context);
    return status != DIRAC_OK ? status : dirac_net_set_note(base->net, "note", "from the beginning");
}

int32_t with_training_net(handles *base)
{
    int32_t status = with_context(base);
    if (status == DIRAC_OK)
        status = make_kind(&base->kind, base->context);
    return status != DIRAC_OK ? status : make_training_net(&base->net, base->context, base->kind);
}

static int32_t small_model(dirac_net **out, dirac_context *context)
{
    int32_t status = dirac_net_create(out, context);
    if (status != DIRAC_OK)
        return status;
    dirac_net_output(*out, dirac_model_diracnet_cifar(*out, dirac_net_input2d(*out, 3, 12, 12), 10, 0.25, 5,
                                                      DIRAC_FORM_NORMALIZED_DELTA));
    return finish_net(out);
}

int32_t with_model(handles *base)
{
    const int32_t status = with_context(base);
    return status != DIRAC_OK ? status : small_model(&base->net, base->context);
}

/* Its session has some hundred arrays. */
int32_t with_deep_net(handles *base)
{
    int32_t status = with_context(base);
    if (status == DIRAC_OK)
        status = dirac_net_create(&base->net, base->context);
    if (status != DIRAC_OK)
        return status;
    dirac_net_output(base->net, dirac_model_resnet_cifar(base->net, dirac_net_input2d(base->net, 3, 8, 8), 40, 0.25, 5,
                                                         0, DIRAC_FORM_PLAIN));
    return finish_net(&base->net);
}

/* ---- nets ---- */

int32_t create_context(handles *base, handles *made)
{
    (void)base;
    TRY(dirac_context_create_with_allocator(&made->context, scenario_allocate, scenario_release, &memory));
    TRY(dirac_context_set_threads(made->context, 2));
    if (!scenario_blas)
        TRY(dirac_context_set_blas(made->context, 0));
    TRY(dirac_net_create(&made->net, made->context));
    dirac_net_destroy(made->net); /* not built: nothing to see */
    made->net = NULL;
    return DIRAC_OK;
}

int32_t build_mixed(handles *base, handles *made)
{
    TRY(make_mixed_net(&made->net, base->context));
    return DIRAC_OK;
}

int32_t build_custom(handles *base, handles *made)
{
    TRY(make_kind(&base->kind, base->context));
    TRY(make_training_net(&made->net, base->context, base->kind));
    return DIRAC_OK;
}

int32_t build_model(handles *base, handles *made)
{
    TRY(make_model(&made->net, base->context, base->which));
    return DIRAC_OK;
}

int32_t change_net(handles *base, handles *made)
{
    (void)made;
    TRY(dirac_net_set_note(base->net, "note", "another text"));
    TRY(dirac_net_set_note(base->net, "more", "text"));
    TRY(dirac_net_set_note(base->net, "more", NULL));
    TRY(dirac_net_set_trainable(base->net, "head-1.*", 0));
    TRY(dirac_net_initialize(base->net, 12));
    return DIRAC_OK;
}

int32_t copy_net(handles *base, handles *made)
{
    TRY(dirac_net_clone(&made->net, base->net));
    TRY(dirac_net_fold(&made->other, base->net));
    return DIRAC_OK;
}

/* ---- sessions ---- */

static int32_t open_one(handles *base, handles *made, int32_t mode)
{
    const int64_t size[2] = {16, 15};
    size_t bytes;
    dirac_session_destroy(made->session);
    made->session = NULL;
    TRY(dirac_session_create(&made->session, base->net, mode));
    TRY(dirac_session_set_batch(made->session, 3));
    TRY(dirac_session_set_input_size(made->session, 0, size, 2));
    TRY(dirac_session_keep(made->session, dirac_net_find(base->net, "body.one.conv")));
    TRY(dirac_session_set_input_gradients(made->session, mode == DIRAC_TRAIN));
    TRY(dirac_session_bytes(made->session, &bytes));
    TRY(dirac_session_prepare(made->session));
    *append(&made->seen, 1) = (float)bytes;
    return DIRAC_OK;
}

int32_t open_sessions(handles *base, handles *made)
{
    const int32_t status = open_one(base, made, DIRAC_INFER);
    return status != DIRAC_OK ? status : open_one(base, made, DIRAC_TRAIN);
}

int32_t open_deep(handles *base, handles *made)
{
    TRY(dirac_session_create(&made->session, base->net, DIRAC_TRAIN));
    TRY(dirac_session_prepare(made->session));
    return DIRAC_OK;
}

static int32_t compute_one(handles *base, handles *made, int32_t mode)
{
    const int32_t labels[3] = {5, 0, 2};
    const float *const inputs[2] = {noise, noise + 3 * 4 * 14 * 13};
    const float weights[6] = {1, 2, 3, 1, 2, 3};
    float number;
    dirac_session_destroy(made->session);
    made->session = NULL;
    TRY(dirac_session_create(&made->session, base->net, mode));
    TRY(dirac_session_set_batch(made->session, 3));
    TRY(dirac_session_prepare(made->session));
    TRY(dirac_session_set_class_weights(made->session, weights, 6));
    TRY(dirac_session_forward_inputs(made->session, inputs, 2, 3));
    TRY(dirac_session_cross_entropy(made->session, labels, &number));
    *append(&made->seen, 1) = number;
    append_output(&made->seen, made->session);
    if (mode == DIRAC_INFER)
        return DIRAC_OK;
    TRY(dirac_session_backward(made->session));
    append_gradients(&made->seen, made->session);
    return DIRAC_OK;
}

int32_t compute_mixed(handles *base, handles *made)
{
    const int32_t status = compute_one(base, made, DIRAC_INFER);
    return status != DIRAC_OK ? status : compute_one(base, made, DIRAC_TRAIN);
}

int32_t compare_nets(handles *base, handles *made)
{
    double numbers[2];
    TRY(dirac_net_fold(&made->other, base->net));
    TRY(dirac_net_compare(base->net, made->other, noise, 2, NULL, NULL, &numbers[0]));
    TRY(dirac_session_create(&made->session, base->net, DIRAC_TRAIN));
    TRY(dirac_session_set_batch(made->session, 2));
    TRY(dirac_session_prepare(made->session));
    TRY(dirac_session_check_gradients(made->session, noise, 2, 1, 0, &numbers[1]));
    see_bytes(numbers, sizeof numbers, &made->seen);
    return DIRAC_OK;
}
