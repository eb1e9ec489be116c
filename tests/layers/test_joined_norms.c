/* SPDX-License-Identifier: MIT */
/* A batch norm between two convolutions, in every combination of what stands beside it and who else looks at the values in
 * between, against the twin. Convolutions of 16 channels and a 3x3 kernel can share passes with the norm (gather its
 * moments, read through it, correct its gradient), those of a 1x1 kernel cannot; whatever is shared, the numbers are
 * those of the formulas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/layer_check.h"
#include "layers/layer_values.h"

enum { CHANNELS = 16, SIZE = 4 };

/* Before the norm stands nothing but the input, or a convolution. */
enum { NOTHING, APART, JOINED, SIDES };

/* Who else is there. z is what the norm reads. */
enum {
    NOBODY,
    Z_READ,
    Z_OUTPUT,
    Z_NORMED_TWICE, /* by another norm */
    NORM_READ,
    NORM_OUTPUT,
    RELU_READ,
    RELU_OUTPUT,
    RELU_CONVOLVED_TWICE,
    NORM_CONVOLVED_TOO, /* without the ReLU */
    LOOKS
};

typedef struct join {
    int before, behind; /* APART or JOINED, before also NOTHING */
    int relu;           /* 0: the convolution behind reads the norm itself */
    int look;
    int frozen; /* the norm */
    int bias;   /* of the convolutions */
} join;

/* All cases take half a minute: without DIRAC_LONG in the environment it is every third, which meets every choice of every loop. */
static int is_taken(void)
{
    static int count;
    return getenv("DIRAC_LONG") != NULL || count++ % 3 == 0;
}

static dirac_node *named(dirac_node *node, const char *name)
{
    OK(dirac_node_set_name(node, name));
    return node;
}

static dirac_node *conv(dirac_net *net, dirac_node *x, const char *name, int side, int bias)
{
    if (side == NOTHING)
        return x;
    dirac_node *y = named(dirac_net_conv2d(net, x, CHANNELS, side == JOINED ? 3 : 1), name);
    OK(dirac_node_set_int(y, "bias", bias));
    return y;
}

/* A reader of its own kind, whose answer is a second output. */
static void read_too(dirac_net *net, dirac_node *x)
{
    dirac_net_output(net, dirac_net_global_average_pool(net, dirac_net_elu(net, x)));
}

static void look_at(dirac_net *net, const join *j, dirac_node *z, dirac_node *norm, dirac_node *relu)
{
    switch (j->look) {
    case Z_READ:
        read_too(net, z);
        break;
    case Z_OUTPUT:
        dirac_net_output(net, z);
        break;
    case Z_NORMED_TWICE:
        dirac_net_output(net, named(dirac_net_batch_norm(net, z), "second"));
        break;
    case NORM_READ:
        read_too(net, norm);
        break;
    case NORM_OUTPUT:
        dirac_net_output(net, norm);
        break;
    case RELU_READ:
        read_too(net, relu);
        break;
    case RELU_OUTPUT:
        dirac_net_output(net, relu);
        break;
    case RELU_CONVOLVED_TWICE:
        dirac_net_output(net, conv(net, relu, "twice", JOINED, 0));
        break;
    case NORM_CONVOLVED_TOO:
        dirac_net_output(net, conv(net, norm, "twice", JOINED, 0));
        break;
    default:
        break;
    }
}

static void build(dirac_net *net, const void *user)
{
    const join *j = user;
    dirac_node *z = conv(net, dirac_net_input2d(net, CHANNELS, SIZE, SIZE), "before", j->before, j->bias);
    dirac_node *norm = named(dirac_net_batch_norm(net, z), "norm");
    OK(dirac_node_set_int(norm, "frozen", j->frozen));
    dirac_node *relu = j->relu ? named(dirac_net_relu(net, norm), "relu") : norm;
    dirac_net_output(net, conv(net, relu, "behind", j->behind, j->bias));
    look_at(net, j, z, norm, relu);
}

static void check_join(const join *j, const char *const *keep, const char *const *untrained)
{
    static const char *const flat[] = {"before.bias", NULL};
    /* A constant that is added to all of a channel goes with the mean; not so where the norm is frozen or z is read. */
    const int no_effect = j->before != NOTHING && j->bias && !j->frozen && j->look != Z_READ && j->look != Z_OUTPUT;
    char what[128];
    if (!is_taken())
        return;
    snprintf(what, sizeof what, "before %d, behind %d, relu %d, look %d, frozen %d, bias %d", j->before, j->behind,
             j->relu, j->look, j->frozen, j->bias);
    check_layer(&(layer_case){.what = what, .build = build, .user = j, .n = 2, .keep = keep, .untrained = untrained,
                              .flat = no_effect ? flat : NULL});
}

/* Every combination of both sides, the ReLU and one who looks on, but for those of joined_on_both_sides(); frozen and with
 * a bias in turn. */
static void combinations(void **state)
{
    int turn = 0;
    (void)state;
    for (int before = NOTHING; before < SIDES; before++)
        for (int behind = APART; behind < SIDES; behind++)
            for (int relu = 0; relu < 2; relu++)
                for (int look = 0; look < LOOKS; look++, turn++) {
                    const int same = !relu && (look == RELU_READ || look == RELU_OUTPUT || look == RELU_CONVOLVED_TWICE);
                    if (same || (relu && before == JOINED && behind == JOINED))
                        continue;
                    const join j = {before, behind, relu, look, turn % 3 == 0, turn % 2};
                    check_join(&j, NULL, NULL);
                }
}

/* The norm joined on both sides: what is frozen, biased and read in every combination of its own. */
static void joined_on_both_sides(void **state)
{
    (void)state;
    for (int look = 0; look < LOOKS; look++)
        for (int which = 0; which < 4; which++) {
            const join j = {JOINED, JOINED, 1, look, which & 1, which >> 1};
            check_join(&j, NULL, NULL);
        }
}

/* Kept values exist, whatever is shared around them. */
static void kept(void **state)
{
    static const char *const nodes[] = {"before", "norm", "relu"};
    (void)state;
    for (int which = 1; which < 8; which++) {
        const char *keep[4] = {NULL};
        int count = 0;
        for (int i = 0; i < 3; i++)
            if (which >> i & 1)
                keep[count++] = nodes[i];
        const join j = {JOINED, JOINED, 1, NOBODY, 0, 0};
        check_join(&j, keep, NULL);
    }
}

/* Which of the three layers are trained. */
static void untrained(void **state)
{
    static const char *const names[] = {"before.weight", "norm.weight", "norm.bias", "behind.weight"};
    (void)state;
    for (int which = 1; which < 16; which++) {
        const char *list[5] = {NULL};
        int count = 0;
        for (int i = 0; i < 4; i++)
            if (which >> i & 1)
                list[count++] = names[i];
        for (int frozen = 0; frozen < 2; frozen++) {
            const join both = {JOINED, JOINED, 1, NOBODY, frozen, 0}, one = {JOINED, APART, 0, NOBODY, frozen, 0};
            check_join(&both, NULL, list);
            check_join(&one, NULL, list);
        }
    }
}

/* ---- chains ---------------------------------------------------------------------------------- */

/* One set of parameters for both norms of a chain. */
static void shared(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = dirac_net_input2d(net, CHANNELS, SIZE, SIZE);
    dirac_node *first = named(dirac_net_batch_norm(net, conv(net, x, "a", JOINED, 0)), "first");
    x = conv(net, dirac_net_relu(net, first), "b", JOINED, 0);
    dirac_node *second = named(dirac_net_batch_norm(net, x), "second");
    OK(dirac_node_share_parameters(second, first));
    dirac_net_output(net, conv(net, dirac_net_relu(net, second), "c", JOINED, 0));
}

/* Norms upon norms, of which one convolution alone can serve one. */
static void stacked(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = conv(net, dirac_net_input2d(net, CHANNELS, SIZE, SIZE), "a", JOINED, 0);
    x = named(dirac_net_batch_norm(net, named(dirac_net_batch_norm(net, x), "lower")), "upper");
    dirac_net_output(net, conv(net, dirac_net_relu(net, x), "b", JOINED, 0));
}

/* The ReLU's value behind other layers than a convolution. */
static void through_a_pool(dirac_net *net, const void *user)
{
    (void)user;
    dirac_node *x = conv(net, dirac_net_input2d(net, CHANNELS, 2 * SIZE, SIZE), "a", JOINED, 0);
    x = dirac_net_relu(net, dirac_net_batch_norm(net, x));
    x = conv(net, dirac_net_max_pool2d(net, x, 2), "b", JOINED, 0);
    x = dirac_net_relu(net, dirac_net_batch_norm(net, dirac_net_dropout(net, x, 0.5f)));
    dirac_net_output(net, conv(net, x, "c", JOINED, 0));
}

static void chains(void **state)
{
    static const char *const same[] = {"second", "first", NULL};
    /* The upper norm takes out again what these do, but for epsilon. */
    static const char *const flat[] = {"lower.weight", "lower.bias", NULL};
    (void)state;
    check_layer(&(layer_case){.what = "one norm for two values", .build = shared, .n = 2, .share = same});
    check_layer(&(layer_case){.what = "norm upon norm", .build = stacked, .n = 2, .flat = flat});
    check_layer(&(layer_case){.what = "through pool and dropout", .build = through_a_pool, .n = 2});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(combinations), cmocka_unit_test(joined_on_both_sides), cmocka_unit_test(kept),
        cmocka_unit_test(untrained),    cmocka_unit_test(chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
