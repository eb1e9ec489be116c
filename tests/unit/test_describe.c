/* SPDX-License-Identifier: MIT */
/* Descriptions of graphs that are JSON but no graph: one place of a sound one is changed at a time, and the refusal
 * says which node and what is wrong with it. The sound one is written by hand, after the form in graph/describe.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/dirac.h>

#include "graph/describe.h"

static const char sound[] =
    "{\"nodes\":["
    "{\"kind\":\"input\",\"name\":\"x\",\"inputs\":[],\"shape\":[2,6],\"rank\":1},"
    "{\"kind\":\"conv\",\"name\":\"a\",\"inputs\":[0],\"rank\":1,\"attributes\":{\"channels\":2,\"kernel\":[3]},"
    "\"untrainable\":[\"weight\"]},"
    "{\"kind\":\"conv\",\"name\":\"b\",\"inputs\":[1],\"rank\":1,\"attributes\":{\"channels\":2,\"kernel\":[3]},"
    "\"parameters_of\":1},"
    "{\"kind\":\"batch_norm\",\"name\":\"n\",\"inputs\":[2],\"rank\":-1,\"attributes\":{\"epsilon\":1e-05}},"
    "{\"kind\":\"conv\",\"name\":\"c\",\"inputs\":[3],\"rank\":1,\"attributes\":{\"channels\":2,\"kernel\":[3]},"
    "\"parameters_of\":2}],"
    "\"outputs\":[3,4]}";

static int32_t read(dirac_net **net, const char *text)
{
    dirac_context *context = NULL;
    assert_int_equal(dirac_context_create(&context), DIRAC_OK);
    const int32_t status = dirac__graph_read(net, context, &context->memory, text, strlen(text), 1 << 20);
    dirac_context_destroy(context);
    return status;
}

/* Sharing is followed to the first owner, and what does not train is one parameter alone. */
static void test_sound(void **state)
{
    (void)state;
    dirac_net *net = NULL;
    if (read(&net, sound) != DIRAC_OK)
        fail_msg("%s", dirac_error_message());
    assert_int_equal(dirac_net_node_count(net), 5);
    assert_int_equal(dirac_net_output_count(net), 2);
    assert_int_equal(dirac_net_tensor_count(net), 1 + 4);
    assert_ptr_equal(net->nodes[4]->owner, net->nodes[1]);
    assert_false(dirac__net_find_tensor(net, "a.weight")->trainable);
    assert_true(dirac__net_find_tensor(net, "n.weight")->trainable);
    dirac_net_destroy(net);
}

static const struct {
    const char *old, *new;
    int32_t status;
    const char *says;
} changes[] = {
    {"\"kind\":\"input\"", "\"kind\":7", DIRAC_ERR_FORMAT, "node 0: kind, name, inputs or rank"},
    {"\"name\":\"a\"", "\"name\":[]", DIRAC_ERR_FORMAT, "node 1: kind, name, inputs or rank"},
    {"\"rank\":1,", "\"rank\":4,", DIRAC_ERR_FORMAT, "node 1: kind, name, inputs or rank"},
    {"\"rank\":-1,", "\"rank\":-2,", DIRAC_ERR_FORMAT, "node 3: kind, name, inputs or rank"},
    {"\"rank\":1,", "\"rank\":\"1\",", DIRAC_ERR_FORMAT, "node 1: kind, name, inputs or rank"},
    {"\"rank\":1,", "\"rank\":0,", DIRAC_ERR_FORMAT, "node 1: its kind needs a rank of 1 to 3"},
    {"\"rank\":1,", "\"rank\":-1,", DIRAC_ERR_FORMAT, "node 1: its kind needs a rank of 1 to 3"},
    {"\"kind\":\"conv\"", "\"kind\":\"mine\"", DIRAC_ERR_NOT_FOUND, "layer \"a\" is of kind \"mine\""},
    {"\"inputs\":[0]", "\"inputs\":[1]", DIRAC_ERR_FORMAT, "node 1: an input is no earlier node"},
    {"\"inputs\":[0]", "\"inputs\":[-1]", DIRAC_ERR_FORMAT, "node 1: an input is no earlier node"},
    {"\"inputs\":[0]", "\"inputs\":[\"x\"]", DIRAC_ERR_FORMAT, "node 1: an input is no earlier node"},
    {"\"inputs\":[0]", "\"inputs\":[0,0]", DIRAC_ERR_FORMAT, "reads 1 values, not 2"},
    {"\"name\":\"b\"", "\"name\":\"a\"", DIRAC_ERR_FORMAT, "\"a\""},
    {"\"shape\":[2,6]", "\"shape\":[2,0]", DIRAC_ERR_FORMAT, "node 0: its shape"},
    {"\"shape\":[2,6]", "\"shape\":[2,1073741825]", DIRAC_ERR_FORMAT, "node 0: its shape"},
    {"\"shape\":[2,6]", "\"shape\":[2,1,1,1,6]", DIRAC_ERR_FORMAT, "node 0: its shape"},
    {"\"shape\":[2,6]", "\"shape\":[2,0.5]", DIRAC_ERR_FORMAT, "node 0: its shape"},
    {"\"shape\":[2,6]", "\"shape\":[]", DIRAC_ERR_FORMAT, "node 0: an input has no shape"},
    {"\"kernel\":[3]", "\"kernel\":[3,3,3,3]", DIRAC_ERR_FORMAT, "node 1: an attribute is no list of up to three"},
    {"\"kernel\":[3]", "\"kernel\":[3.5]", DIRAC_ERR_FORMAT, "node 1: an attribute is no list of up to three"},
    {"\"kernel\":[3]", "\"kernel\":[3,3]", DIRAC_ERR_FORMAT, "kernel"},
    {"\"channels\":2", "\"channels\":{}", DIRAC_ERR_FORMAT, "node 1: an attribute is neither a number nor a list"},
    {"\"channels\":2", "\"colour\":2", DIRAC_ERR_FORMAT, "colour"},
    {"1e-05", "true", DIRAC_ERR_FORMAT, "node 3: an attribute is neither a number nor a list"},
    {"1e-05", "-1.5", DIRAC_ERR_FORMAT, "epsilon"},
    {"\"parameters_of\":1", "\"parameters_of\":2", DIRAC_ERR_FORMAT, "node 2: \"parameters_of\" is no earlier node"},
    {"\"parameters_of\":1", "\"parameters_of\":0", DIRAC_ERR_FORMAT, "node 2: \"parameters_of\" is no earlier node"},
    {"\"parameters_of\":1", "\"parameters_of\":null", DIRAC_ERR_FORMAT, "node 2: \"parameters_of\" is no earlier node"},
    {"},\"parameters_of\":1", ",\"bias\":1},\"parameters_of\":1", DIRAC_ERR_FORMAT, "theirs have other shapes"},
    {"[\"weight\"]", "[\"bias\"]", DIRAC_ERR_FORMAT, "node 1: \"untrainable\" names no parameter"},
    {"[\"weight\"]", "[1]", DIRAC_ERR_FORMAT, "node 1: \"untrainable\" names no parameter"},
    {"[3,4]", "[3,5]", DIRAC_ERR_FORMAT, "output 1 is no node"},
    {"[3,4]", "[4,4]", DIRAC_ERR_FORMAT, "node 4 is an output twice"},
    {"[3,4]", "[]", DIRAC_ERR_FORMAT, "the net has no output"},
};

static void test_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char text[sizeof sound + 64];
        dirac_net *net = NULL;
        const char *at = strstr(sound, changes[i].old);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - sound), sound, changes[i].new, at + strlen(changes[i].old));
        const int32_t status = read(&net, text);
        assert_null(net);
        if (status != changes[i].status || strstr(dirac_error_message(), changes[i].says) == NULL)
            fail_msg("%s for %s: %d, %s", changes[i].new, changes[i].old, (int)status, dirac_error_message());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests_name("describe", tests, NULL, NULL);
}
