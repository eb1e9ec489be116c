/* SPDX-License-Identifier: MIT */
/*
 * Says what is on images: the five likeliest classes of each, by a model file that the program `train` has saved. The
 * file holds the classes' names and the normalisation beside the net.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <dirac/dirac.h>

#include "common/image.h"
#include "common/notes.h"
#include "common/program.h"

enum { SHOWN = 5, CHANNELS = 3 };

typedef struct {
    dirac_net *net;
    dirac_session *session;
    int64_t dims[4]; /* channels, height, width of the input */
    int64_t classes;
    float mean[CHANNELS], deviation[CHANNELS];
} classifier;

static void open_classifier(classifier *out, dirac_context *context, const char *path)
{
    int32_t rank = 0, out_rank = 0;
    int64_t out_dims[4];
    check(dirac_net_load(&out->net, context, path), "loading the model");
    if (dirac_net_input_count(out->net) == 1)
        check(dirac_node_shape(dirac_net_input_node(out->net, 0), out->dims, &rank), path);
    check(dirac_node_shape(dirac_net_output_node(out->net, 0), out_dims, &out_rank), path);
    if (rank != 3 || (out->dims[0] != 1 && out->dims[0] != CHANNELS) || out_rank != 1)
        fail("%s: is no classifier of images with 1 or 3 channels", path);
    if (out->dims[1] > 8192 || out->dims[2] > 8192)
        fail("%s: its images are %lld x %lld, at most 8192 x 8192", path, (long long)out->dims[2],
             (long long)out->dims[1]);
    out->classes = out_dims[0];
    for (int c = 0; c < CHANNELS; c++)
        out->mean[c] = 0, out->deviation[c] = 255;
    if (!notes_numbers(out->net, "mean", out->mean, out->dims[0]) ||
        !notes_numbers(out->net, "std", out->deviation, out->dims[0]))
        fprintf(stderr, "%s: %s does not say how images were normalised: using 0 to 1\n",
                program_name, path);
    check(dirac_session_create(&out->session, out->net, DIRAC_INFER), "session");
    check(dirac_session_prepare(out->session), "preparing the session");
}

/* The image as the net wants it: planar, normalised, of its size, grey if it has one channel. */
static void prepare_image(const classifier *by, const image *picture, float *input)
{
    size_t area = (size_t)(by->dims[1] * by->dims[2]);
    uint8_t *pixels = allocate(3 * area, 1);
    image_fit(picture, (int32_t)by->dims[2], (int32_t)by->dims[1], pixels);
    for (size_t i = 0; i < area; i++) {
        const uint8_t *rgb = pixels + 3 * i;
        for (int c = 0; by->dims[0] == CHANNELS && c < CHANNELS; c++)
            input[(size_t)c * area + i] = (rgb[c] - by->mean[c]) / by->deviation[c];
        if (by->dims[0] == 1) { /* luma of ITU-R BT.601 */
            float grey = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
            input[i] = (grey - by->mean[0]) / by->deviation[0];
        }
    }
    free(pixels);
}

/* Turns logits into probabilities, in place. */
static void softmax(double *values, int64_t n)
{
    double largest = values[0], sum = 0;
    for (int64_t i = 1; i < n; i++)
        largest = fmax(largest, values[i]);
    for (int64_t i = 0; i < n; i++)
        sum += values[i] = exp(values[i] - largest);
    for (int64_t i = 0; i < n; i++)
        values[i] /= sum;
}

static void print_best(const classifier *by, double *probabilities)
{
    for (int shown = 0; shown < SHOWN && shown < by->classes; shown++) {
        int64_t best = 0;
        for (int64_t i = 1; i < by->classes; i++)
            if (probabilities[i] > probabilities[best])
                best = i;
        char name[128];
        notes_class(by->net, (int32_t)best, name);
        printf("  %6.2f %%  %s\n", 100 * probabilities[best], name);
        probabilities[best] = -1; /* shown */
    }
}

/* False when the image cannot be read; the reason has been printed. */
static bool classify(const classifier *by, const char *path, float *input, double *probabilities)
{
    image picture;
    char why[256];
    const float *logits;
    if (!image_read(&picture, path, why)) {
        fprintf(stderr, "%s: %s: %s\n", program_name, path, why);
        return false;
    }
    prepare_image(by, &picture, input);
    image_free(&picture);
    check(dirac_session_forward(by->session, input, 1), path);
    check(dirac_session_output(by->session, 0, &logits, NULL), path);
    for (int64_t i = 0; i < by->classes; i++)
        probabilities[i] = (double)logits[i];
    softmax(probabilities, by->classes);
    printf("%s\n", path);
    print_best(by, probabilities);
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    program_name = "classify";
    int option = getopt_long(argc, argv, "h", options, NULL);
    if (option == 'h') {
        puts("Usage: classify MODEL IMAGE...\n\nPrints the five likeliest classes of each image "
             "(JPEG or "
             "PNG), which is scaled and cut\nto the model's size.");
        return 0;
    }
    if (option != -1 || argc - optind < 2)
        fail_usage("a model file and at least one image are needed");

    dirac_context *context;
    classifier by;
    check(dirac_context_create(&context), "context");
    check(dirac_context_set_threads(context, processors()), "threads");
    open_classifier(&by, context, argv[optind]);
    float *input = allocate((size_t)(by.dims[0] * by.dims[1] * by.dims[2]), sizeof *input);
    double *probabilities = allocate((size_t)by.classes, sizeof *probabilities);
    bool good = true;
    for (int i = optind + 1; i < argc; i++)
        good = classify(&by, argv[i], input, probabilities) && good;
    free(probabilities);
    free(input);
    dirac_session_destroy(by.session);
    dirac_net_destroy(by.net);
    dirac_context_destroy(context);
    return good ? 0 : 1;
}
