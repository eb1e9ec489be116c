/* SPDX-License-Identifier: MIT */
/* The command line of the program `train`. */
#include "train_options.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirac/dirac.h>

#include "common/program.h"

static const struct {
    const char *name;
    int32_t resnet;
    int32_t form;
} kinds[] = {
    {"dirac", 0, DIRAC_FORM_NORMALIZED_DELTA},
    {"plain", 0, DIRAC_FORM_PLAIN},
    {"resnet", 1, DIRAC_FORM_PLAIN},
    {"dirac-resnet", 1, DIRAC_FORM_FIXED_DELTA},
};

static const char help[] =
    "Usage: train --data SOURCE [OPTION]...\n"
    "\n"
    "Trains a network on small images; prints a line an epoch.\n"
    "\n"
    "SOURCE is cifar10:DIR or cifar100:DIR (the binary versions), idx:DIR (MNIST's files,\n"
    "uncompressed), or images:DIR (DIR/train/CLASS/*.jpg and DIR/test/CLASS/*.jpg, or .png).\n"
    "\n"
    "  --kind KIND         dirac (default): DiracNet; plain: the same with plain convolutions;\n"
    "                      resnet: with skip connections; dirac-resnet: resnet with I + W (eq. 8)\n"
    "  --depth D           6 N + 4 (34)             --width W      times 16, 32, 64 channels (1)\n"
    "  --epochs E          (200)                    --batch N      images a step (128)\n"
    "  --lr R              learning rate (0.1)      --drops A,B,C  epochs after which it is\n"
    "  --factor F          multiplied by F (0.2)                   (60,120,160)\n"
    "  --momentum M        (0.9)                    --weight-decay D  (0.0005)\n"
    "  --restart-momentum  forget the momentum at drops, as the paper's program did\n"
    "  --strict            convolutions by their definition, without Winograd's transforms\n"
    "  --size N            images: bring them to N x N (default: the size of the first one)\n"
    "  --seed S            (1)                      --threads T    (all processors)\n"
    "  --save FILE         write the trained model\n"
    "  --checkpoint FILE   write a checkpoint after every epoch\n"
    "  --resume FILE       go on from a checkpoint; give the other options as before\n"
    "  --log FILE          append a line of JSON an epoch: epoch, lr, train_loss, train_accuracy,\n"
    "                      test_accuracy (in percent), seconds\n"
    "\n"
    "Ctrl-C ends the run after the batch at hand, with a checkpoint.\n";

static const struct option options[] = {
    {"data", required_argument, NULL, 'd'},
    {"kind", required_argument, NULL, 'k'},
    {"depth", required_argument, NULL, 'D'},
    {"width", required_argument, NULL, 'W'},
    {"epochs", required_argument, NULL, 'e'},
    {"batch", required_argument, NULL, 'b'},
    {"lr", required_argument, NULL, 'l'},
    {"drops", required_argument, NULL, 'p'},
    {"factor", required_argument, NULL, 'f'},
    {"momentum", required_argument, NULL, 'm'},
    {"weight-decay", required_argument, NULL, 'w'},
    {"restart-momentum", no_argument, NULL, 'M'},
    {"strict", no_argument, NULL, 'x'},
    {"size", required_argument, NULL, 'z'},
    {"seed", required_argument, NULL, 's'},
    {"threads", required_argument, NULL, 't'},
    {"save", required_argument, NULL, 'S'},
    {"checkpoint", required_argument, NULL, 'c'},
    {"resume", required_argument, NULL, 'r'},
    {"log", required_argument, NULL, 'L'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static void set_kind(settings *s, const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            s->kind = kinds[i].name;
            s->resnet = kinds[i].resnet;
            s->form = kinds[i].form;
            return;
        }
    fail_usage("--kind: \"%s\" is not dirac, plain, resnet or dirac-resnet", name);
}

/* The options that are texts and switches; false if it is another. */
static bool parse_text(settings *s, int option)
{
    switch (option) {
    case 'd': s->data = optarg; return true;
    case 'k': set_kind(s, optarg); return true;
    case 'S': s->save = optarg; return true;
    case 'c': s->checkpoint = optarg; return true;
    case 'r': s->resume = optarg; return true;
    case 'L': s->log = optarg; return true;
    case 'M': s->how.restart_momentum = 1; return true;
    case 'x': s->how.strict = 1; return true;
    case 'h': fputs(help, stdout); exit(0);
    default: return false;
    }
}

static void parse_number(settings *s, int option)
{
    switch (option) {
    case 'D': s->depth = (int32_t)argument_integer("--depth", optarg, 1, 100000); break;
    case 'W': s->width = argument_number("--width", optarg, 0.001, 1e6); break;
    case 'e': s->how.epochs = argument_integer("--epochs", optarg, 1, 1000000); break;
    case 'b': s->how.batch = argument_integer("--batch", optarg, 1, 1000000); break;
    case 'l': s->how.rate = argument_number("--lr", optarg, 0, 1e6); break;
    case 'p': s->how.n_drops = argument_integers("--drops", optarg, 1, s->how.drops, MOST_DROPS); break;
    case 'f': s->how.factor = argument_number("--factor", optarg, 0, 1); break;
    case 'm': s->how.momentum = argument_number("--momentum", optarg, 0, 0.9999999); break;
    case 'w': s->how.decay = argument_number("--weight-decay", optarg, 0, 1e6); break;
    case 'z': s->size = (int32_t)argument_integer("--size", optarg, 4, 4096); break;
    case 's': s->how.seed = (uint64_t)argument_integer("--seed", optarg, 0, INT64_MAX); break;
    case 't': s->threads = (int32_t)argument_integer("--threads", optarg, 1, 64); break;
    default: fail_usage("unknown option");
    }
}

settings settings_parse(int argc, char **argv)
{
    settings s = {.depth = 34, .width = 1, .threads = processors(), .how = recipe_cifar()};
    set_kind(&s, "dirac");
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;)
        if (!parse_text(&s, option))
            parse_number(&s, option);
    if (optind < argc)
        fail_usage("\"%s\" belongs to no option", argv[optind]);
    if (s.data == NULL)
        fail_usage("--data is needed");
    check_writable(s.save);
    check_writable(s.checkpoint);
    return s;
}
