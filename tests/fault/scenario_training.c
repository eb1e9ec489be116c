/* SPDX-License-Identifier: MIT */
/* Acts on optimizers, epochs and checkpoints. */
#include "fault/scenario_parts.h"

enum { BATCH = 4, CLASSES = 5 };

/* ---- beginnings ---- */

static int32_t add_images(dirac_dataset *set, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        uint8_t pixels[192];
        const int32_t label = i % CLASSES;
        for (int j = 0; j < 192; j++)
            pixels[j] = (uint8_t)(100 + 100 * noise[(i * 37 + j) % 4096]);
        const int32_t status = dirac_dataset_add_images(set, pixels, DIRAC_LAYOUT_PLANAR, &label, 1);
        if (status != DIRAC_OK)
            return status;
    }
    return DIRAC_OK;
}

static int32_t open_batches(handles *h, int32_t ahead)
{
    ok(dirac_dataset_create_images(&h->set, h->context, 3, 8, 8));
    ok(add_images(h->set, 10));
    ok(dirac_batches_create(&h->batches, h->set));
    ok(dirac_batches_set_size(h->batches, BATCH));
    ok(dirac_batches_set_shuffle(h->batches, 1));
    ok(dirac_batches_set_crop(h->batches, 2, DIRAC_PAD_REFLECT));
    ok(dirac_batches_set_flip(h->batches, 1));
    return dirac_batches_set_prefetch(h->batches, ahead);
}

static int32_t open_training(handles *h, int32_t ahead)
{
    const int64_t drops[2] = {3, 6};
    ok(with_training_net(h));
    ok(open_batches(h, ahead));
    h->session = open_session(h->net, DIRAC_TRAIN, BATCH);
    ok(dirac_sgd_create(&h->sgd, h->net));
    ok(dirac_sgd_set_momentum(h->sgd, 0.9f));
    ok(dirac_sgd_schedule_drops(h->sgd, drops, 2, 0.3f, 1));
    ok(dirac_checkpoint_create(&h->checkpoint, h->context));
    ok(dirac_checkpoint_add_net(h->checkpoint, "net", h->net));
    ok(dirac_checkpoint_add_sgd(h->checkpoint, "sgd", h->sgd));
    ok(dirac_checkpoint_add_session(h->checkpoint, "session", h->session));
    ok(dirac_checkpoint_add_batches(h->checkpoint, "batches", h->batches));
    return dirac_checkpoint_set_blob(h->checkpoint, "blob", "of the host", 12);
}

int32_t with_training(handles *base)
{
    return open_training(base, 0);
}

int32_t with_prefetch(handles *base)
{
    return open_training(base, 2);
}

int32_t with_saved_training(handles *base)
{
    ok(open_training(base, 0));
    ok(dirac_sgd_epoch(base->sgd, base->session, base->batches, NULL, NULL, NULL, NULL));
    ok(dirac_checkpoint_save(base->checkpoint, saved_path));
    ok(dirac_checkpoint_save_memory(base->checkpoint, &base->data, &base->size));
    ok(dirac_checkpoint_set_blob(base->checkpoint, "blob", "another", 8));
    return dirac_sgd_epoch(base->sgd, base->session, base->batches, NULL, NULL, NULL, NULL);
}

/* ---- training ---- */

int32_t open_sgd(handles *base, handles *made)
{
    const int64_t drops[2] = {3, 6};
    float number;
    TRY(dirac_sgd_create(&made->sgd, base->net));
    TRY(dirac_sgd_set_learning_rate(made->sgd, 0.05f));
    TRY(dirac_sgd_set_parameter_decay(made->sgd, "*.alpha", 0.0123f));
    TRY(dirac_sgd_set_parameter_rate(made->sgd, "conv*.weight", 1.7f));
    TRY(dirac_sgd_schedule_drops(made->sgd, drops, 2, 0.3f, 1));
    TRY(dirac_sgd_schedule_cosine(made->sgd, 30, 0.01f));
    TRY(dirac_sgd_schedule_drops(made->sgd, drops, 1, 0.3f, 1));
    TRY(dirac_sgd_schedule_warmup(made->sgd, 5, 0.2f));
    TRY(dirac_sgd_learning_rate(made->sgd, &number));
    *append(&made->seen, 1) = number;
    return DIRAC_OK;
}

int32_t train_steps(handles *base, handles *made)
{
    const int32_t labels[BATCH] = {1, 0, 4, 2};
    float number;
    for (int i = 0; i < 3; i++) {
        TRY(dirac_session_forward(base->session, noise + 100 * i, BATCH));
        TRY(dirac_session_cross_entropy(base->session, labels, &number));
        *append(&made->seen, 1) = number;
        TRY(dirac_session_backward(base->session));
        TRY(dirac_sgd_step(base->sgd, base->session));
    }
    return DIRAC_OK;
}

int32_t train_epoch(handles *base, handles *made)
{
    double numbers[2];
    for (int i = 0; i < 2; i++) {
        TRY(dirac_sgd_epoch(base->sgd, base->session, base->batches, NULL, NULL, &numbers[0], &numbers[1]));
        see_bytes(numbers, sizeof numbers, &made->seen);
    }
    return DIRAC_OK;
}

int32_t evaluate(handles *base, handles *made)
{
    double numbers[2];
    TRY(dirac_session_create(&made->session, base->net, DIRAC_INFER));
    TRY(dirac_session_set_batch(made->session, BATCH));
    TRY(dirac_session_prepare(made->session));
    TRY(dirac_session_evaluate(made->session, base->batches, NULL, NULL, &numbers[0], &numbers[1]));
    see_bytes(numbers, sizeof numbers, &made->seen);
    return DIRAC_OK;
}

/* ---- checkpoints ---- */

int32_t open_checkpoint(handles *base, handles *made)
{
    const char text[] = "a blob of the host's own, longer than a name";
    TRY(dirac_checkpoint_create(&made->checkpoint, base->context));
    TRY(dirac_checkpoint_add_net(made->checkpoint, "n", base->net));
    TRY(dirac_checkpoint_add_sgd(made->checkpoint, "o", base->sgd));
    TRY(dirac_checkpoint_add_session(made->checkpoint, "s", base->session));
    TRY(dirac_checkpoint_add_batches(made->checkpoint, "b", base->batches));
    TRY(dirac_checkpoint_set_blob(made->checkpoint, "blob", text, 5));
    TRY(dirac_checkpoint_set_blob(made->checkpoint, "blob", text, sizeof text));
    for (char name[] = "a"; name[0] < 'g'; name[0]++)
        TRY(dirac_checkpoint_set_blob(made->checkpoint, name, text, 3));
    return DIRAC_OK;
}

int32_t save_checkpoint(handles *base, handles *made)
{
    (void)made;
    TRY(dirac_checkpoint_save(base->checkpoint, saved_path));
    return DIRAC_OK;
}

int32_t save_checkpoint_memory(handles *base, handles *made)
{
    TRY(dirac_checkpoint_save_memory(base->checkpoint, &made->data, &made->size));
    return DIRAC_OK;
}

static void see_blob(const dirac_checkpoint *checkpoint, floats *seen)
{
    const void *blob;
    size_t size;
    ok(dirac_checkpoint_blob(checkpoint, "blob", &blob, &size));
    see_bytes(blob, size, seen);
}

int32_t load_checkpoint(handles *base, handles *made)
{
    TRY(dirac_checkpoint_load(base->checkpoint, saved_path));
    see_blob(base->checkpoint, &made->seen);
    return train_epoch(base, made);
}

int32_t load_checkpoint_memory(handles *base, handles *made)
{
    TRY(dirac_checkpoint_load_memory(base->checkpoint, base->data, base->size));
    see_blob(base->checkpoint, &made->seen);
    return DIRAC_OK;
}
