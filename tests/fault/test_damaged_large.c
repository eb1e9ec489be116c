/* SPDX-License-Identifier: MIT */
/*
 * Files of several megabytes, a DiracNet-34 and a checkpoint of its training, damaged in places drawn at random: a byte
 * changed in one of the ways of damage.h, half of them in the header, which is small beside the numbers; and cut at
 * lengths drawn likewise. Arguments: the number of places (default 32); a quarter as many lengths.
 */
#include "fault/damage.h"

enum { LIMIT = 32 << 20 };
static size_t places = 32;

/* The ImageNet net of 34 layers at a quarter of its width: 5.7 MB. */
static dirac_net *make_net(void)
{
    dirac_net *net;
    ok(dirac_net_create(&net, victims.context));
    dirac_net_output(net, dirac_model_diracnet_imagenet(net, dirac_net_input2d(net, 3, 32, 32), 34, 0.25, 1000,
                                                        DIRAC_FORM_NORMALIZED_DELTA));
    ok(dirac_net_build(net));
    return net;
}

static int setup(void **state)
{
    (void)state;
    open_victims(LIMIT, make_net);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_victims();
    return 0;
}

/* The n-th place of `size` bytes, the first of which are a header: each second one is there. */
static size_t place(const unsigned char *bytes, size_t size, uint64_t n, uint64_t seed)
{
    size_t header = 0;
    for (int i = 0; i < 8; i++)
        header |= (size_t)bytes[i] << 8 * i;
    return (size_t)uniform(seed, n, 0, (double)(n % 2 == 0 ? header + 8 : size - 1));
}

static void damage(const char *name, load_fn load, const void *data, size_t size, int checksum)
{
    const uint64_t seed = 10 + (uint64_t)checksum;
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    memcpy(bytes, data, size);
    ok(try_load(load, bytes, size, checksum, 0, NULL));
    for (size_t n = 0; n < places / 4; n++) {
        const size_t length = n == 0 ? size - 1 : place(bytes, size, n, seed);
        try_load(load, bytes, length, checksum, length, "a cut");
    }
    for (size_t n = 0; n < places; n++) {
        const size_t at = place(bytes, size, n, seed + 10);
        try_change(load, bytes, size, checksum, at, (int)(n / 2 % CHANGES));
    }
    assert_memory_equal(bytes, data, size);
    tell_damage(name, size, checksum);
    free(bytes);
}

static void test_model(void **state)
{
    (void)state;
    void *data;
    size_t size;
    ok(dirac_net_save_memory(victims.net, &data, &size));
    assert_true(size > 5000000);
    damage("DiracNet-34", load_net, data, size, KEPT);
    damage("DiracNet-34", load_net, data, size, SEALED);
    damage("its weights, into a net", load_weights, data, size, SEALED);
    dirac_buffer_free(victims.context, data, size);
}

static void test_checkpoint(void **state)
{
    (void)state;
    void *data;
    size_t size;
    floats before = {NULL, 0}, after = {NULL, 0};
    ok(dirac_checkpoint_save_memory(victims.checkpoint, &data, &size));
    append_net(&before, victims.net), append_momentum(&before, victims.sgd, victims.net);
    damage("checkpoint", load_checkpoint, data, size, KEPT);
    append_net(&after, victims.net), append_momentum(&after, victims.sgd, victims.net);
    same_bits("after refusals", before, after);
    damage("checkpoint", load_checkpoint, data, size, SEALED);
    dirac_buffer_free(victims.context, data, size);
    drop_floats(&before), drop_floats(&after);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_checkpoint)};
    if (argc > 1)
        places = (size_t)atoi(argv[1]);
    return cmocka_run_group_tests(tests, setup, teardown);
}
