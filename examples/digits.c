/* SPDX-License-Identifier: MIT */
/*
 * The whole story of libdirac on small images: build a DiracNet layer by layer, train it to read handwritten digits,
 * test it, fold it into plain convolutions, compare the two, save, load, classify. Start reading at main().
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirac/dirac.h>

#include "common/program.h"
#include "common/progress.h"

#ifndef DIGITS_CSV
#define DIGITS_CSV "examples/data/digits.csv"
#endif

enum { SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 10, BATCH = 32, EPOCHS = 30, HELD_OUT = 5 };

/* One line: 64 grey values 0 to 16, row by row, then the digit. False when it is anything else. */
static bool parse_digit(char *line, uint8_t *pixels, int32_t *label)
{
    for (int i = 0; i <= PIXELS; i++) {
        char *end;
        long value = strtol(line, &end, 10);
        if (end == line || value < 0 || value > (i < PIXELS ? 16 : CLASSES - 1) ||
            *end != (i < PIXELS ? ',' : '\n'))
            return false;
        if (i < PIXELS)
            pixels[i] = (uint8_t)value;
        *label = (int32_t)value;
        line = end + 1;
    }
    return true;
}

/* Every fifth digit goes to the test set; the others are for training. */
static void read_digits(const char *path, dirac_dataset *training, dirac_dataset *test)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail("%s: %s", path, strerror(errno));
    char line[512];
    for (int number = 0; fgets(line, sizeof line, file) != NULL; number++) {
        uint8_t pixels[PIXELS];
        int32_t label;
        if (!parse_digit(line, pixels, &label))
            fail("%s, line %d: not 64 grey values from 0 to 16 and a digit", path, number + 1);
        dirac_dataset *set = number % HELD_OUT == 0 ? test : training;
        check(dirac_dataset_add_images(set, pixels, DIRAC_LAYOUT_PLANAR, &label, 1), path);
    }
    fclose(file);
    if (dirac_dataset_count(training) == 0)
        fail("%s: fewer than two digits", path);
}

/* A stream of the set's images, their grey values brought to mean 0 and deviation 1. */
static dirac_batches *make_batches(dirac_dataset *set, int64_t size)
{
    const float mean = 4.88f, deviation = 6.02f;
    dirac_batches *batches;
    check(dirac_batches_create(&batches, set), "batches");
    check(dirac_batches_set_size(batches, size), "batches");
    check(dirac_batches_set_normalization(batches, &mean, &deviation, 1), "batches");
    return batches;
}

/*
 * Eleven layers without a single skip connection. A Dirac convolution applies diag(alpha) I + diag(beta) W/|W|: it
 * starts near the identity, so that depth does no harm. A failed call returns NULL, which later calls pass on:
 * dirac_net_build() tells the first mistake.
 */
static dirac_net *build(dirac_context *context)
{
    dirac_net *net;
    check(dirac_net_create(&net, context), "net");
    dirac_node *x = dirac_net_input2d(net, 1, SIDE, SIDE);
    x = dirac_net_batch_norm(net, dirac_net_conv2d(net, x, 16, 3));
    for (int group = 0; group < 3; group++) {
        if (group > 0)
            x = dirac_net_max_pool2d(net, x, 2);
        for (int block = 0; block < 3; block++) {
            x = dirac_net_relu(net, x);
            x = dirac_net_dirac_conv2d(net, x, 16 << group, 3);
            x = dirac_net_batch_norm(net, x);
        }
    }
    x = dirac_net_global_average_pool(net, dirac_net_relu(net, x));
    dirac_net_output(net, dirac_net_linear(net, x, CLASSES));
    check(dirac_net_build(net), "building the net");
    return net;
}

static dirac_session *make_session(dirac_net *net, int32_t mode, int64_t batch)
{
    dirac_session *session;
    check(dirac_session_create(&session, net, mode), "session");
    check(dirac_session_set_batch(session, batch), "session");
    check(dirac_session_prepare(session), "preparing the session");
    return session;
}

static void train(dirac_net *net, dirac_dataset *training)
{
    dirac_batches *batches = make_batches(training, BATCH);
    check(dirac_batches_set_shuffle(batches, 1), "shuffling");
    check(dirac_batches_set_crop(batches, 1, DIRAC_PAD_ZERO), "cropping");
    dirac_session *session = make_session(net, DIRAC_TRAIN, BATCH);

    int64_t per_epoch = dirac_batches_per_epoch(batches);
    int64_t drops[] = {per_epoch * EPOCHS * 6 / 10, per_epoch * EPOCHS * 85 / 100};
    dirac_sgd *sgd;
    check(dirac_sgd_create(&sgd, net), "optimizer");
    check(dirac_sgd_set_learning_rate(sgd, 0.1f), "learning rate");
    check(dirac_sgd_set_momentum(sgd, 0.9f), "momentum");
    check(dirac_sgd_set_weight_decay(sgd, 5e-4f), "weight decay");
    check(dirac_sgd_schedule_drops(sgd, drops, 2, 0.2f, 0), "schedule");

    int64_t count = dirac_dataset_count(training), done = 0;
    progress bar;
    progress_begin(&bar, 0);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        const float *images;
        const int32_t *labels;
        float loss = 0;
        for (int64_t n;;) {
            check(dirac_batches_next(batches, &images, &labels, &n), "next batch");
            if (n == 0) /* the epoch's end */
                break;
            check(dirac_session_forward(session, images, n), "forward");
            check(dirac_session_cross_entropy(session, labels, &loss), "loss");
            check(dirac_session_backward(session), "backward");
            check(dirac_sgd_step(sgd, session), "step");

            char title[32], detail[32];
            done += n;
            snprintf(title, sizeof title, "epoch %d/%d", epoch + 1, (int)EPOCHS);
            snprintf(detail, sizeof detail, "loss %.4f", (double)loss);
            progress_show(&bar, title, (double)done / (double)(count * EPOCHS), detail, done,
                          count * EPOCHS, "images");
        }
    }
    progress_clear(&bar);
    printf("trained %d epochs in %.1f s\n", (int)EPOCHS, seconds_now() - bar.begun);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    dirac_batches_destroy(batches);
}

/* The part of the images, in percent, whose largest logit is their label's. */
static double accuracy(dirac_net *net, const float *images, const int32_t *labels, int64_t n)
{
    int64_t correct;
    dirac_session *session = make_session(net, DIRAC_INFER, n);
    check(dirac_session_forward(session, images, n), "forward");
    check(dirac_session_count_correct(session, labels, &correct), "counting");
    dirac_session_destroy(session);
    return 100.0 * (double)correct / (double)n;
}

/* The class of one image, from a model file alone. */
static int classify(dirac_context *context, const char *path, const float *image)
{
    dirac_net *net;
    const float *logits;
    check(dirac_net_load(&net, context, path), "loading the model");
    dirac_session *session = make_session(net, DIRAC_INFER, 1);
    check(dirac_session_forward(session, image, 1), "forward");
    check(dirac_session_output(session, 0, &logits, NULL), "output");
    int best = 0;
    for (int c = 1; c < CLASSES; c++)
        if (logits[c] > logits[best])
            best = c;
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    return best;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    program_name = "digits";
    int option = getopt_long(argc, argv, "h", options, NULL);
    if (option == 'h') {
        puts("Usage: digits [DIGITS.csv [MODEL]]\n\nTrains a small DiracNet on 8x8 digits, tests "
             "and "
             "folds it, and saves it as MODEL\n(default: digits.safetensors).");
        return 0;
    }
    if (option != -1 || argc - optind > 2)
        fail_usage("at most two arguments, and no options but --help");
    const char *csv = argc > optind ? argv[optind] : DIGITS_CSV;
    const char *model = argc > optind + 1 ? argv[optind + 1] : "digits.safetensors";

    dirac_context *context;
    check(dirac_context_create(&context), "context");
    check(dirac_context_set_threads(context, processors()), "threads");
    check(dirac_context_set_seed(context, 1), "seed");
    dirac_dataset *training, *test;
    check(dirac_dataset_create_images(&training, context, 1, SIDE, SIDE), "training set");
    check(dirac_dataset_create_images(&test, context, 1, SIDE, SIDE), "test set");
    read_digits(csv, training, test);

    dirac_net *net = build(context), *folded;
    printf("%lld parameters, %lld digits to train on, %lld to test\n",
           (long long)dirac_net_trained_count(net), (long long)dirac_dataset_count(training),
           (long long)dirac_dataset_count(test));
    train(net, training);

    const float *images;
    const int32_t *labels;
    int64_t n;
    dirac_batches *held_out = make_batches(test, dirac_dataset_count(test)); /* all at once */
    check(dirac_batches_next(held_out, &images, &labels, &n), "test images");
    double difference;
    check(dirac_net_fold(&folded, net), "folding");
    check(dirac_net_compare(net, folded, images, n, NULL, NULL, &difference), "comparing");
    check(dirac_net_save(folded, model), "saving");
    printf("saved %s; it takes the first test image, a %d, for a %d\n", model, (int)labels[0],
           classify(context, model, images));
    printf("test accuracy %.2f %%\n", accuracy(net, images, labels, n));
    printf("folded accuracy %.2f %%\n", accuracy(folded, images, labels, n));
    printf("fold difference %.1e\n", difference);

    dirac_batches_destroy(held_out);
    dirac_net_destroy(folded);
    dirac_net_destroy(net);
    dirac_dataset_destroy(test);
    dirac_dataset_destroy(training);
    dirac_context_destroy(context);
    return 0;
}
