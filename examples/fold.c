/* SPDX-License-Identifier: MIT */
/*
 * Folds a trained model for inference: every weight form becomes plain weights, every batch norm after a convolution
 * goes into it. Shows how far apart the two are on random input.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirac/dirac.h>

#include "common/program.h"

enum { IMAGES = 4 };

/* Numbers in [-1, 1) from a counter (Knuth's multiplicative sequence): the comparison needs them different, not random. */
static float *make_input(const dirac_net *net, size_t *count)
{
    int64_t dims[4];
    int32_t rank;
    check(dirac_node_shape(dirac_net_input_node(net, 0), dims, &rank), "the model's input");
    *count = IMAGES;
    for (int32_t i = 0; i < rank; i++)
        *count *= (size_t)dims[i];
    float *values = allocate(*count, sizeof *values);
    uint32_t state = 1;
    for (size_t i = 0; i < *count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
    return values;
}

static void compare(dirac_net *net, dirac_net *folded)
{
    if (dirac_net_input_count(net) != 1) {
        puts("not compared: the model has several inputs");
        return;
    }
    size_t count;
    float *input = make_input(net, &count);
    double difference;
    check(dirac_net_compare(net, folded, input, IMAGES, NULL, NULL, &difference), "comparing");
    printf("fold difference %.1e\n", difference);
    free(input);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    program_name = "fold";
    int option = getopt_long(argc, argv, "h", options, NULL);
    if (option == 'h') {
        puts("Usage: fold IN OUT\n\nFolds the model file IN for inference and writes it to OUT.");
        return 0;
    }
    if (option != -1 || argc - optind != 2)
        fail_usage("two files are needed, IN and OUT");

    dirac_context *context;
    dirac_net *net, *folded;
    check(dirac_context_create(&context), "context");
    check(dirac_context_set_threads(context, processors()), "threads");
    check(dirac_net_load(&net, context, argv[optind]), "loading the model");
    check(dirac_net_fold(&folded, net), "folding");
    printf("parameters %lld, folded %lld\n", (long long)dirac_net_trained_count(net),
           (long long)dirac_net_trained_count(folded));
    compare(net, folded);
    check(dirac_net_save(folded, argv[optind + 1]), "saving");
    dirac_net_destroy(folded);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return 0;
}
