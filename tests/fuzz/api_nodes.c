/* SPDX-License-Identifier: MIT */
/* Options of nodes, tensors by name, notes, and looking at nets. */
#include "api.h"

static void set_attribute(machine *m)
{
    api_net *net = api_pick_net(m);
    dirac_node *node = api_pick_node(m, net);
    int64_t sizes[8];
    switch (api_byte(m) % 4) {
    case 0: fuzz_status(dirac_node_set_int(node, api_name(m), api_byte(m) % 4 ? api_option(m) : api_size(m))); break;
    case 1: fuzz_status(dirac_node_set_float(node, api_name(m), api_real(m))); break;
    default: fuzz_status(dirac_node_set_ints(node, api_name(m), sizes, api_sizes(m, sizes) % 8)); break;
    }
}

/* The legal ones, so that strides, groups and dilations come about. */
static void set_likely(machine *m)
{
    static const char *const names[6] = {"stride", "dilation", "groups", "bias", "form", "padding"};
    api_net *net = api_pick_net(m);
    const char *name = names[api_byte(m) % 6];
    fuzz_status(dirac_node_set_int(api_pick_node(m, net), name, api_byte(m) % 4));
}

static void set_node(machine *m)
{
    api_net *net = api_pick_net(m);
    dirac_node *node = api_pick_node(m, net);
    switch (api_byte(m) % 4) {
    case 0: fuzz_status(dirac_node_set_name(node, api_name(m))); break;
    case 1: fuzz_status(dirac_node_set_frozen(node, api_option(m))); break;
    case 2: fuzz_status(dirac_node_share_parameters(node, api_pick_node(m, net))); break;
    default:
        fuzz_status(dirac_node_set_initializer(node, api_name(m), api_byte(m) % 8, api_real(m), api_real(m)));
        break;
    }
}

static void look_at_filters(const dirac_node *node)
{
    int64_t dims[4] = {0}, counted;
    int32_t rank;
    float values[64];
    double mean;
    fuzz_status(dirac_node_shape(node, dims, &rank));
    for (int32_t quantity = -1; quantity < 5; quantity++) {
        fuzz_status(dirac_node_filters(node, quantity, values, dims[0] <= 64 ? (size_t)dims[0] : 64));
        fuzz_status(dirac_node_filter_summary(node, quantity, &mean, NULL, NULL, &counted));
    }
}

static void look_at_node(machine *m)
{
    api_net *net = api_pick_net(m);
    const dirac_node *node = api_pick_node(m, net);
    int64_t values[4];
    int32_t count;
    double real;
    fuzz_status(dirac_node_shape(node, values, &count));
    fuzz_status(dirac_node_get_int(node, api_name(m), values));
    fuzz_status(dirac_node_get_ints(node, api_name(m), values, &count));
    fuzz_status(dirac_node_get_float(node, api_name(m), &real));
    look_at_filters(node);
    FUZZ_CHECK((dirac_node_name(node)[0] == '\0') == (node == NULL));
    FUZZ_CHECK((dirac_node_kind(node)[0] == '\0') == (node == NULL));
    FUZZ_CHECK(dirac_node_input(node, dirac_node_input_count(node)) == NULL);
    FUZZ_CHECK(dirac_node_trained_count(node) >= 0 && dirac_node_multiply_adds(node) >= 0);
}

static void look_at_net(machine *m)
{
    const dirac_net *net = api_pick_net(m)->net;
    const int64_t index = api_size(m) - 1, nodes = dirac_net_node_count(net);
    const dirac_node *node = dirac_net_node(net, index);
    FUZZ_CHECK((node != NULL) == (index >= 0 && index < nodes));
    FUZZ_CHECK(node == NULL || dirac_net_find(net, dirac_node_name(node)) == node);
    FUZZ_CHECK(dirac_net_output_node(net, dirac_net_output_count(net)) == NULL);
    FUZZ_CHECK(dirac_net_input_node(net, -1) == NULL && dirac_net_tensor_name(net, -1) == NULL);
    FUZZ_CHECK(dirac_net_trained_count(net) >= 0 && dirac_net_multiply_adds(net) >= 0);
    FUZZ_CHECK(dirac_net_tensor_count(net) >= 0);
    FUZZ_CHECK(dirac_net_tensor_name(net, dirac_net_tensor_count(net)) == NULL);
    (void)dirac_net_version(net);
    (void)dirac_net_load_report(net);
}

/* Reads a tensor and writes it back, with a wrong count at times. */
static void pass_tensor(machine *m)
{
    dirac_net *net = api_pick_net(m)->net;
    const char *name = dirac_net_tensor_name(net, api_byte(m) % 8);
    int64_t dims[DIRAC_MAX_RANK];
    int32_t rank = 0, role;
    size_t count = 1;
    if (name == NULL)
        name = api_name(m);
    if (dirac_net_tensor_shape(net, name, dims, &rank, &role) != DIRAC_OK)
        rank = 0;
    for (int32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    count += api_byte(m) > 250;
    if (count > NUMBERS / 2)
        return;
    fuzz_status(dirac_net_tensor_read(net, name, m->numbers + NUMBERS / 2, count));
    fuzz_status(dirac_net_tensor_write(net, name, api_byte(m) > 128 ? m->numbers + NUMBERS / 2 : m->numbers, count));
}

static void change_net(machine *m)
{
    static const char *const texts[4] = {"text", "", NULL, "caf\xc3\xa9 \xff"};
    dirac_net *net = api_pick_net(m)->net;
    switch (api_byte(m) % 3) {
    case 0: fuzz_status(dirac_net_initialize(net, api_seed(m))); break;
    case 1: fuzz_status(dirac_net_set_trainable(net, api_name(m), api_option(m))); break;
    default: fuzz_status(dirac_net_set_note(net, api_name(m), texts[api_byte(m) % 4])); break;
    }
    (void)dirac_net_note(net, api_name(m));
}

const operation api_node_operations[] = {set_attribute, set_likely, set_likely, set_node, look_at_node, look_at_net,
                                         pass_tensor, change_net, NULL};
