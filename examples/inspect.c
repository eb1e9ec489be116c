/* SPDX-License-Identifier: MIT */
/* Prints the layers of a model file, or of one of the paper's networks: shapes, parameters, multiply-adds. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <dirac/dirac.h>

#include "common/program.h"

/* ---- the networks by name ---- */

typedef struct {
    int32_t depth;
    double width;
    int64_t classes;
} choice;

static dirac_node *diracnet_cifar(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_diracnet_cifar(net, x, of.depth, of.width, of.classes,
                                      DIRAC_FORM_NORMALIZED_DELTA);
}

static dirac_node *plain_cifar(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_diracnet_cifar(net, x, of.depth, of.width, of.classes, DIRAC_FORM_PLAIN);
}

static dirac_node *resnet_cifar(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_resnet_cifar(net, x, of.depth, of.width, of.classes, 0, DIRAC_FORM_PLAIN);
}

static dirac_node *dirac_resnet_cifar(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_resnet_cifar(net, x, of.depth, of.width, of.classes, 0,
                                    DIRAC_FORM_FIXED_DELTA);
}

static dirac_node *resnet_bottleneck_cifar(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_resnet_cifar(net, x, of.depth, of.width, of.classes, 1, DIRAC_FORM_PLAIN);
}

static dirac_node *diracnet_imagenet(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_diracnet_imagenet(net, x, of.depth, of.width, of.classes,
                                         DIRAC_FORM_NORMALIZED_DELTA);
}

static dirac_node *resnet_imagenet(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_resnet_imagenet(net, x, of.depth, of.width, of.classes, DIRAC_FORM_PLAIN);
}

static dirac_node *vgg16_cifar(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_vgg16_cifar(net, x, of.classes);
}

static dirac_node *vgg16_imagenet(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_vgg16_imagenet(net, x, of.classes);
}

static dirac_node *vgg_cnn_s(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_vgg_cnn_s(net, x, of.classes);
}

static dirac_node *nin(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_nin(net, x, of.classes);
}

static dirac_node *elu(dirac_net *net, dirac_node *x, choice of)
{
    return dirac_model_elu(net, x, of.classes);
}

static const struct {
    const char *name;
    dirac_node *(*build)(dirac_net *net, dirac_node *x, choice of);
    choice standard; /* depth 0: it has one depth only */
    int64_t size;
} models[] = {
    {"diracnet-cifar", diracnet_cifar, {34, 1, 10}, 32},
    {"plain-cifar", plain_cifar, {34, 1, 10}, 32},
    {"resnet-cifar", resnet_cifar, {28, 10, 10}, 32},
    {"dirac-resnet-cifar", dirac_resnet_cifar, {28, 10, 10}, 32},
    {"resnet-bottleneck-cifar", resnet_bottleneck_cifar, {1001, 1, 10}, 32},
    {"diracnet-imagenet", diracnet_imagenet, {18, 1, 1000}, 224},
    {"resnet-imagenet", resnet_imagenet, {18, 1, 1000}, 224},
    {"vgg16-cifar", vgg16_cifar, {0, 0, 10}, 32},
    {"vgg16-imagenet", vgg16_imagenet, {0, 0, 1000}, 224},
    {"vgg-cnn-s", vgg_cnn_s, {0, 0, 1000}, 224},
    {"nin", nin, {0, 0, 10}, 32},
    {"elu", elu, {0, 0, 10}, 32},
};

enum { MODELS = sizeof models / sizeof models[0] };

static int find_model(const char *name)
{
    for (int i = 0; i < MODELS; i++)
        if (strcmp(models[i].name, name) == 0)
            return i;
    fail_usage("--model: there is no \"%s\"; --help lists the names", name);
}

/* Nobody computes with this net: its weights need no random draw. */
static void start_at_zero(dirac_net *net)
{
    for (int64_t i = 0; i < dirac_net_node_count(net); i++) {
        dirac_node *node = dirac_net_node(net, i);
        const char *kind = dirac_node_kind(node);
        if (strcmp(kind, "conv") == 0 || strcmp(kind, "linear") == 0)
            check(dirac_node_set_initializer(node, "weight", DIRAC_INIT_ZEROS, 0, 0),
                  "initialiser");
    }
}

static dirac_net *make_model(dirac_context *context, int model, choice of, const int64_t *input)
{
    dirac_net *net;
    if (models[model].standard.depth == 0 && of.depth != 0)
        fail_usage("--depth and --width: %s has one size only", models[model].name);
    check(dirac_net_create(&net, context), "net");
    dirac_node *x = dirac_net_input2d(net, input[0], input[1], input[2]);
    dirac_net_output(net, models[model].build(net, x, of));
    start_at_zero(net);
    check(dirac_net_build(net), models[model].name);
    return net;
}

/* ---- the table ---- */

/* "16 x 32 x 32" */
static void write_shape(const dirac_node *node, char out[96])
{
    int64_t dims[4];
    int32_t rank = 0;
    check(dirac_node_shape(node, dims, &rank), dirac_node_name(node));
    for (int used = 0, i = 0; i < rank; i++)
        used += snprintf(out + used, 96 - (size_t)used, "%s%lld", i > 0 ? " x " : "",
                         (long long)dims[i]);
}

/* The kind, and of layers with weights what there is to say of it: "conv 3x3/2 eq. 5". */
static void write_kind(const dirac_node *node, char out[96])
{
    static const char *const forms[] = {"", " eq. 4", " eq. 5", " eq. 8"};
    int64_t kernel[3], stride[3], form = 0;
    int32_t count = 0;
    int used = snprintf(out, 96, "%s", dirac_node_kind(node));
    if (dirac_node_get_ints(node, "kernel", kernel, &count) == DIRAC_OK)
        for (int32_t i = 0; i < count; i++)
            used += snprintf(out + used, 96 - (size_t)used, "%s%lld", i > 0 ? "x" : " ",
                             (long long)kernel[i]);
    if (dirac_node_get_ints(node, "stride", stride, &count) == DIRAC_OK && stride[0] > 1)
        used += snprintf(out + used, 96 - (size_t)used, "/%lld", (long long)stride[0]);
    if (dirac_node_get_int(node, "form", &form) == DIRAC_OK && form > 0 && form <= 3)
        snprintf(out + used, 96 - (size_t)used, "%s", forms[form]);
}

static void print_table(const dirac_net *net)
{
    int name_width = 5;
    int64_t nodes = dirac_net_node_count(net);
    for (int64_t i = 0; i < nodes; i++) {
        int length = (int)strlen(dirac_node_name(dirac_net_node(net, i)));
        name_width = length > name_width ? length : name_width;
    }
    printf("%-*s  %-20s  %-18s  %12s  %15s\n", name_width, "layer", "kind", "output", "parameters",
           "multiply-adds");
    for (int64_t i = 0; i < nodes; i++) {
        const dirac_node *node = dirac_net_node(net, i);
        char kind[96] = "", shape[96] = "";
        write_kind(node, kind);
        write_shape(node, shape);
        printf("%-*s  %-20s  %-18s  %12lld  %15lld\n", name_width, dirac_node_name(node), kind,
               shape, (long long)dirac_node_trained_count(node),
               (long long)dirac_node_multiply_adds(node));
    }
    printf("multiply-adds %lld\nparameters %lld\n", (long long)dirac_net_multiply_adds(net),
           (long long)dirac_net_trained_count(net));
}

/* ---- the command line ---- */

static void print_help(void)
{
    puts("Usage: inspect FILE\n"
         "       inspect --model NAME [--depth D] [--width W] [--classes N] [--input CxHxW]\n\n"
         "Prints the layers of a model file, or of a network of the paper.\n\n"
         "NAME           depth, width, classes, input if not given");
    for (int i = 0; i < MODELS; i++) {
        const choice *of = &models[i].standard;
        printf("  %-24s", models[i].name);
        if (of->depth > 0)
            printf("%d, %g, ", (int)of->depth, of->width);
        printf("%lld, 3x%lldx%lld\n", (long long)of->classes, (long long)models[i].size,
               (long long)models[i].size);
    }
}

static void parse_input(const char *text, int64_t *input)
{
    int used = 0;
    long long c, h, w;
    /* NOLINTNEXTLINE(cert-err34-c): nine digits always fit */
    if (sscanf(text, "%9lldx%9lldx%9lld%n", &c, &h, &w, &used) != 3 || text[used] != '\0' ||
        c < 1 || h < 1 || w < 1)
        fail_usage("--input: \"%s\" is not channels x height x width, like 3x32x32", text);
    input[0] = c;
    input[1] = h;
    input[2] = w;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"model", required_argument, NULL, 'm'},
        {"depth", required_argument, NULL, 'd'},
        {"width", required_argument, NULL, 'w'},
        {"classes", required_argument, NULL, 'c'},
        {"input", required_argument, NULL, 'i'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *model = NULL;
    choice of = {0};
    int64_t input[3] = {0};
    program_name = "inspect";
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;)
        switch (option) {
        case 'm': model = optarg; break;
        case 'd': of.depth = (int32_t)argument_integer("--depth", optarg, 1, 100000); break;
        case 'w': of.width = argument_number("--width", optarg, 0.001, 1e6); break;
        case 'c': of.classes = argument_integer("--classes", optarg, 1, 1000000); break;
        case 'i': parse_input(optarg, input); break;
        case 'h': print_help(); return 0;
        default: fail_usage("unknown option");
        }
    if ((model == NULL) != (argc - optind == 1) || argc - optind > 1)
        fail_usage("give one model file, or --model");

    dirac_context *context;
    dirac_net *net;
    check(dirac_context_create(&context), "context");
    if (model == NULL) {
        if (of.depth != 0 || of.width != 0 || of.classes != 0 || input[0] != 0)
            fail_usage("--depth, --width, --classes and --input go with --model");
        check(dirac_net_load(&net, context, argv[optind]), "loading the model");
    } else {
        int index = find_model(model);
        const choice *standard = &models[index].standard;
        choice full = {of.depth != 0 ? of.depth : standard->depth,
                       of.width != 0 ? of.width : standard->width,
                       of.classes != 0 ? of.classes : standard->classes};
        if (input[0] == 0)
            input[0] = 3, input[1] = input[2] = models[index].size;
        net = make_model(context, index, full, input);
    }
    print_table(net);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return 0;
}
