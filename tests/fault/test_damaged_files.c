/* SPDX-License-Identifier: MIT */
/*
 * Small files of ours, and one of another writer, with every byte changed in every way of damage.h, and cut at every
 * length. test_damaged_large.c samples large ones, test_hostile_files.c has ways to be wrong by name.
 */
#include "fault/damage.h"

enum { LIMIT = 160 * 1024 };

static dirac_net *make_net(void)
{
    dirac_net *made;
    ok(dirac_net_create(&made, victims.context));
    dirac_node *x = dirac_net_dirac_conv2d(made, dirac_net_input2d(made, 1, 3, 3), 2, 3);
    x = dirac_net_relu(made, dirac_net_batch_norm(made, x));
    dirac_net_output(made, dirac_net_linear(made, dirac_net_global_average_pool(made, x), 2));
    ok(dirac_net_build(made));
    ok(dirac_net_set_note(made, "n", "t"));
    return made;
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

static void damage(const char *name, load_fn load, const void *data, size_t size, int checksum)
{
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    memcpy(bytes, data, size);
    ok(try_load(load, bytes, size, checksum, 0, NULL));
    for (size_t length = 0; length < size; length++)
        try_load(load, bytes, length, checksum, length, "a cut");
    for (size_t at = 0; at < size; at++)
        for (int way = 0; way < CHANGES; way++)
            try_change(load, bytes, size, checksum, at, way);
    tell_damage(name, size, checksum);
    free(bytes);
}

static void test_model(void **state)
{
    (void)state;
    void *data;
    size_t size;
    ok(dirac_net_save_memory(victims.net, &data, &size));
    damage("model", load_net, data, size, KEPT);
    damage("model", load_net, data, size, SEALED);
    damage("weights of a model", load_weights, data, size, SEALED);
    dirac_buffer_free(victims.context, data, size);
}

static void test_checkpoint(void **state)
{
    (void)state;
    void *data;
    size_t size;
    ok(dirac_checkpoint_save_memory(victims.checkpoint, &data, &size));
    damage("checkpoint", load_checkpoint, data, size, KEPT);
    damage("checkpoint", load_checkpoint, data, size, SEALED);
    dirac_buffer_free(victims.context, data, size);
}

/* As other programs write it: no metadata, so nothing protects it. */
static void test_foreign(void **state)
{
    (void)state;
    static const char header[] = "{\"conv.weight\":{\"dtype\":\"F16\",\"shape\":[2,1,3,3],\"data_offsets\":[0,36]},"
                                 "\"conv.alpha\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[36,52]},"
                                 "\"linear.bias\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[52,56]}}";
    unsigned char file[8 + sizeof header - 1 + 56] = {0};
    file[0] = (unsigned char)(sizeof header - 1);
    memcpy(file + 8, header, sizeof header - 1);
    for (size_t i = 0; i < 56; i++)
        file[8 + sizeof header - 1 + i] = (unsigned char)(i * 5 % 64);
    assert_true(sizeof header - 1 < 256);
    damage("weights of another program", load_weights, file, sizeof file, NONE);
}

/* With every limit, a load needs more than that or keeps to it; LIMIT says the first, and nothing else fails. */
static void test_limits(void **state)
{
    (void)state;
    void *data;
    size_t size, least = 0;
    counting own = {0};
    dirac_context *small;
    dirac_net *loaded;
    ok(dirac_net_save_memory(victims.net, &data, &size));
    for (uint64_t limit = 4096; limit < 40000; limit += 64) {
        ok(dirac_context_create_with_allocator(&small, counting_allocate, counting_release, &own));
        ok(dirac_context_set_load_limit(small, limit));
        ok(dirac_net_create(&loaded, small)); /* makes what a context makes once */
        dirac_net_destroy(loaded);
        const size_t before = own.bytes;
        own.peak = before;
        const int32_t status = dirac_net_load_memory(&loaded, small, data, size);
        if (status != DIRAC_OK)
            assert_int_equal(status, DIRAC_ERR_LIMIT);
        if (own.peak - before > limit)
            fail_msg("%zu bytes with a limit of %zu: %s", (size_t)own.peak - before, (size_t)limit,
                     dirac_status_name(status));
        least = status == DIRAC_OK && least == 0 ? (size_t)limit : least;
        assert_true((status == DIRAC_OK) == (least > 0));
        dirac_net_destroy(loaded);
        dirac_context_destroy(small);
        assert_int_equal(own.alive, 0);
    }
    assert_true(least > 4096);
    print_message("a file of %zu bytes loads from a limit of %zu on\n", size, least);
    dirac_buffer_free(victims.context, data, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_checkpoint),
                                       cmocka_unit_test(test_foreign), cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
