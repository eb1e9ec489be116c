/* SPDX-License-Identifier: MIT */
/* Training in full swing, and a checkpoint of it: what the checkpoints of the corpus were made from. */
#ifndef FUZZ_TRAINING_H
#define FUZZ_TRAINING_H

#include "fuzz.h"

typedef struct training {
    dirac_net *net;
    dirac_session *session;
    dirac_sgd *sgd;
    dirac_dataset *dataset;
    dirac_batches *batches;
    dirac_checkpoint *checkpoint;
} training;

static inline void make_net(training *t, dirac_context *context)
{
    FUZZ_CHECK(dirac_net_create(&t->net, context) == DIRAC_OK);
    dirac_node *x = dirac_net_dirac_conv2d(t->net, dirac_net_input2d(t->net, 1, 3, 3), 2, 3);
    x = dirac_net_dropout(t->net, dirac_net_batch_norm(t->net, x), 0.25f);
    dirac_net_output(t->net, dirac_net_linear(t->net, dirac_net_global_average_pool(t->net, x), 2));
    FUZZ_CHECK(dirac_net_build(t->net) == DIRAC_OK);
}

static inline void make_batches(training *t, dirac_context *context)
{
    static const int32_t labels[5] = {0, 1, 0, 1, 1};
    uint8_t pixels[5 * 9];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 37);
    FUZZ_CHECK(dirac_dataset_create_images(&t->dataset, context, 1, 3, 3) == DIRAC_OK);
    FUZZ_CHECK(dirac_dataset_add_images(t->dataset, pixels, DIRAC_LAYOUT_PLANAR, labels, 5) == DIRAC_OK);
    FUZZ_CHECK(dirac_batches_create(&t->batches, t->dataset) == DIRAC_OK);
    FUZZ_CHECK(dirac_batches_set_size(t->batches, 2) == DIRAC_OK);
    FUZZ_CHECK(dirac_batches_set_shuffle(t->batches, 1) == DIRAC_OK);
}

static inline void make_training(training *t, dirac_context *context)
{
    make_net(t, context);
    make_batches(t, context);
    FUZZ_CHECK(dirac_session_create(&t->session, t->net, DIRAC_TRAIN) == DIRAC_OK);
    FUZZ_CHECK(dirac_session_set_batch(t->session, 2) == DIRAC_OK);
    FUZZ_CHECK(dirac_session_prepare(t->session) == DIRAC_OK);
    FUZZ_CHECK(dirac_sgd_create(&t->sgd, t->net) == DIRAC_OK);
    FUZZ_CHECK(dirac_sgd_schedule_drops(t->sgd, (const int64_t[]){3, 9}, 2, 0.5f, 1) == DIRAC_OK);
    FUZZ_CHECK(dirac_sgd_epoch(t->sgd, t->session, t->batches, NULL, NULL, NULL, NULL) == DIRAC_OK);
    FUZZ_CHECK(dirac_checkpoint_create(&t->checkpoint, context) == DIRAC_OK);
    FUZZ_CHECK(dirac_checkpoint_add_net(t->checkpoint, "n", t->net) == DIRAC_OK);
    FUZZ_CHECK(dirac_checkpoint_add_sgd(t->checkpoint, "o", t->sgd) == DIRAC_OK);
    FUZZ_CHECK(dirac_checkpoint_add_session(t->checkpoint, "s", t->session) == DIRAC_OK);
    FUZZ_CHECK(dirac_checkpoint_add_batches(t->checkpoint, "b", t->batches) == DIRAC_OK);
    FUZZ_CHECK(dirac_checkpoint_set_blob(t->checkpoint, "x", "host", 4) == DIRAC_OK);
}

static inline void destroy_training(training *t)
{
    dirac_checkpoint_destroy(t->checkpoint);
    dirac_batches_destroy(t->batches);
    dirac_dataset_destroy(t->dataset);
    dirac_sgd_destroy(t->sgd);
    dirac_session_destroy(t->session);
    dirac_net_destroy(t->net);
}

#endif
