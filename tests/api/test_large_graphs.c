/* SPDX-License-Identifier: MIT */
/* Graphs of many nodes: what is done to them takes time in proportion to their number, and automatic names are the first
 * free ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include <dirac/dirac.h>

enum { FEW = 4000, MANY = 8 * FEW, MOST = 65536, TRIES = 4 };

#define OK(call) assert_int_equal(call, DIRAC_OK)

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Every second convolution has a name of its own, the others keep theirs. */
static dirac_net *build(dirac_context *context, int nodes)
{
    dirac_net *net;
    OK(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input2d(net, 1, 1, 1);
    for (int i = 1; i < nodes; i++) {
        char name[32];
        x = dirac_net_conv2d(net, x, 1, 1);
        snprintf(name, sizeof name, "stage%d", i);
        if (i % 2 == 0)
            OK(dirac_node_set_name(x, name));
    }
    dirac_net_output(net, x);
    OK(dirac_net_build(net));
    return net;
}

/* Everything that looks for names, once. */
static double live(dirac_context *context, int nodes)
{
    const double start = seconds();
    dirac_net *net = build(context, nodes), *folded, *copy, *loaded;
    void *data;
    size_t size;
    char note[32];
    for (int i = 0; i < nodes; i++) {
        snprintf(note, sizeof note, "note%d", i);
        OK(dirac_net_set_note(net, note, "text"));
    }
    OK(dirac_net_clone(&copy, net));
    OK(dirac_net_fold(&folded, net));
    OK(dirac_net_save_memory(net, &data, &size));
    OK(dirac_net_load_memory(&loaded, context, data, size));
    assert_non_null(dirac_net_find(loaded, "stage2"));
    assert_string_equal(dirac_net_note(loaded, note), "text");
    OK(dirac_net_load_weights_memory(copy, data, size, DIRAC_LOAD_STRICT));
    dirac_buffer_free(context, data, size);
    dirac_net_destroy(loaded);
    dirac_net_destroy(folded);
    dirac_net_destroy(copy);
    dirac_net_destroy(net);
    return seconds() - start;
}

/* Eight times the nodes: eight times the time, and as much again for caches that they no longer fit and the steps in which
 * tables grow. Were it quadratic, 64 times. The least of some tries is what the machine's other work disturbed least. */
static void proportional(void **state)
{
    dirac_context *context;
    double few = 1e9, many = 1e9;
    (void)state;
    OK(dirac_context_create(&context));
    for (int i = 0; i < TRIES; i++) {
        const double a = live(context, FEW), b = live(context, MANY);
        few = a < few ? a : few;
        many = b < many ? b : many;
        if (many < 16 * few)
            break;
    }
    if (many >= 16 * few)
        fail_msg("%d nodes take %.3f s, %d take %.3f s", FEW, few, MANY, many);
    dirac_context_destroy(context);
}

static void check_next(dirac_net *net, dirac_node *x, const char *name)
{
    assert_string_equal(dirac_node_name(dirac_net_relu(net, x)), name);
}

static void first_free_names(void **state)
{
    dirac_context *context;
    dirac_net *net;
    (void)state;
    OK(dirac_context_create(&context));
    OK(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input2d(net, 1, 1, 1), *first = dirac_net_relu(net, x), *second = dirac_net_relu(net, x);
    check_next(net, x, "relu3");
    OK(dirac_node_set_name(first, "head"));
    check_next(net, x, "relu");
    OK(dirac_node_set_name(second, "relu5")); /* gives "relu2" back, takes one to come */
    check_next(net, x, "relu2");
    check_next(net, x, "relu4");
    check_next(net, x, "relu6");
    OK(dirac_net_push_scope(net, "relu")); /* another beginning */
    check_next(net, x, "relu.relu");
    check_next(net, x, "relu.relu2");
    OK(dirac_net_pop_scope(net));
    OK(dirac_node_set_name(second, "relu007")); /* not a number that is given */
    check_next(net, x, "relu5");
    check_next(net, x, "relu7");
    OK(dirac_node_set_name(second, "relu123456789")); /* greater than any number that is given */
    OK(dirac_node_set_name(second, "relu-1"));
    OK(dirac_node_set_name(second, "1")); /* a number without a stem */
    OK(dirac_node_set_name(second, "2"));
    check_next(net, x, "relu8");
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

static void most_nodes(void **state)
{
    dirac_context *context;
    dirac_net *net;
    (void)state;
    OK(dirac_context_create(&context));
    OK(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input(net, 1);
    for (int i = 1; i < MOST; i++)
        x = dirac_net_relu(net, x);
    assert_non_null(x);
    assert_null(dirac_net_relu(net, x));
    assert_int_equal(dirac_net_build(net), DIRAC_ERR_LIMIT);
    assert_string_equal(dirac_error_message(), "a net has at most 65536 nodes");
    dirac_net_destroy(net);
    dirac_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proportional),
        cmocka_unit_test(first_free_names),
        cmocka_unit_test(most_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
