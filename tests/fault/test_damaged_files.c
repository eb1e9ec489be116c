/* SPDX-License-Identifier: MIT */
/*
 * Small files of ours, and one of another writer, with every byte changed in every way that matters: each of its bits
 * flipped, and a dozen other values that mean something in JSON or in a number; and cut at every length. With the
 * checksum that was there each one is refused. With the checksum computed anew, or none, each is refused or loads: no
 * crash, nothing kept after a refusal, what was there before unchanged by it, and never more memory than the context's
 * limit of loading. Larger files are sampled. (test_hostile_files.c has ways to be wrong by name.)
 */
#include "fault/seal.h"
#include "support/counting_memory.h"
#include "support/nets.h"

enum { LIMIT = 160 * 1024 };
static const unsigned char values[] = {0, 1, 0x20, '"', ',', '0', '9', ':', '[', ']', '{', '}', '\\', 0x7F, 0x80, 0xFF};

static counting memory;
static dirac_context *context;
static dirac_net *net;             /* what weights are loaded into */
static dirac_session *session;
static dirac_sgd *sgd;
static dirac_checkpoint *checkpoint;
static size_t tried, refusals, loads;

static dirac_net *make_net(void)
{
    dirac_net *made;
    ok(dirac_net_create(&made, context));
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
    ok(dirac_context_create_with_allocator(&context, counting_allocate, counting_release, &memory));
    ok(dirac_context_set_load_limit(context, LIMIT));
    net = make_net();
    session = open_session(net, DIRAC_TRAIN, 2);
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_checkpoint_create(&checkpoint, context));
    ok(dirac_checkpoint_add_net(checkpoint, "n", net));
    ok(dirac_checkpoint_add_sgd(checkpoint, "o", sgd));
    ok(dirac_checkpoint_add_session(checkpoint, "s", session));
    return dirac_checkpoint_set_blob(checkpoint, "b", "blob", 4);
}

static int teardown(void **state)
{
    (void)state;
    dirac_checkpoint_destroy(checkpoint);
    dirac_sgd_destroy(sgd);
    dirac_session_destroy(session);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return memory.alive != 0 || memory.wrong != 0;
}

/* ---- one try ---- */

typedef int32_t (*load_fn)(const void *data, size_t size);

static int32_t load_net(const void *data, size_t size)
{
    dirac_net *loaded = net;
    const int32_t status = dirac_net_load_memory(&loaded, context, data, size);
    assert_true((status == DIRAC_OK) == (loaded != NULL));
    dirac_net_destroy(loaded);
    return status;
}

static int32_t load_weights(const void *data, size_t size)
{
    return dirac_net_load_weights_memory(net, data, size, DIRAC_LOAD_PARTIAL);
}

static int32_t load_checkpoint(const void *data, size_t size)
{
    return dirac_checkpoint_load_memory(checkpoint, data, size);
}

/* The bytes in memory of their own, so that a sanitizer sees a read beyond. */
static int32_t try_load(load_fn load, const unsigned char *bytes, size_t size)
{
    unsigned char *copy = malloc(size + (size == 0));
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    const size_t alive = memory.alive, before = memory.bytes;
    const uint64_t version = dirac_net_version(net);
    memory.peak = before;
    const int32_t status = load(copy, size);
    free(copy);
    tried++;
    loads += status == DIRAC_OK;
    refusals += status != DIRAC_OK;
    if (memory.peak - before > LIMIT)
        fail_msg("%zu bytes were asked for, the limit is %d", (size_t)memory.peak - before, LIMIT);
    if (status != DIRAC_OK && (memory.alive > alive + 1 || dirac_error_message()[0] == '\0')) /* a report may stay */
        fail_msg("%zu blocks before, %zu after a refusal: %s", alive, (size_t)memory.alive, dirac_error_message());
    if (status != DIRAC_OK && dirac_net_version(net) != version)
        fail_msg("a refused load changed the net: %s", dirac_error_message());
    return status;
}

/* ---- every byte ---- */

enum { KEPT, SEALED, NONE }; /* the checksum */

static void try_one(load_fn load, unsigned char *bytes, size_t size, int checksum, size_t at, const char *what)
{
    unsigned char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    if (checksum == SEALED)
        seal(copy, size);
    const int32_t status = try_load(load, copy, size);
    free(copy);
    if (checksum == KEPT && status == DIRAC_OK)
        fail_msg("%s at %zu was taken", what, at);
    if (checksum == KEPT && status != DIRAC_ERR_FORMAT && status != DIRAC_ERR_LIMIT)
        fail_msg("%s at %zu: %s: %s", what, at, dirac_status_name(status), dirac_error_message());
}

/* Steps of `step` bytes: 1 for every one. */
static void damage(const char *name, load_fn load, const void *data, size_t size, int checksum, size_t step)
{
    unsigned char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    memcpy(bytes, data, size);
    tried = refusals = loads = 0;
    if (checksum != NONE || step == 1)
        ok(try_load(load, bytes, size));
    for (size_t length = 0; length < size; length += step)
        try_one(load, bytes, length, checksum, length, "a cut");
    for (size_t at = 0; at < size; at += step) {
        const unsigned char was = bytes[at];
        for (int bit = 0; bit < 8; bit++) {
            bytes[at] = (unsigned char)(was ^ 1u << bit);
            try_one(load, bytes, size, checksum, at, "a flipped bit");
        }
        for (size_t i = 0; i < sizeof values; i++) {
            bytes[at] = values[i];
            if (values[i] != was)
                try_one(load, bytes, size, checksum, at, "another byte");
        }
        bytes[at] = was;
    }
    print_message("%s, %zu bytes, %s checksum: %zu files tried, %zu refused, %zu loaded\n", name, size,
                  checksum == KEPT ? "the old" : checksum == SEALED ? "a right" : "no", tried, refusals, loads);
    free(bytes);
}

static void test_model(void **state)
{
    (void)state;
    void *data;
    size_t size;
    ok(dirac_net_save_memory(net, &data, &size));
    damage("model", load_net, data, size, KEPT, 1);
    damage("model", load_net, data, size, SEALED, 1);
    damage("weights of a model", load_weights, data, size, SEALED, 1);
    dirac_buffer_free(context, data, size);
}

static void test_checkpoint(void **state)
{
    (void)state;
    void *data;
    size_t size;
    ok(dirac_checkpoint_save_memory(checkpoint, &data, &size));
    damage("checkpoint", load_checkpoint, data, size, KEPT, 1);
    damage("checkpoint", load_checkpoint, data, size, SEALED, 1);
    dirac_buffer_free(context, data, size);
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
    damage("weights of another program", load_weights, file, sizeof file, NONE, 1);
}

/* A larger one, every 97th byte. */
static void test_large(void **state)
{
    (void)state;
    dirac_net *large;
    void *data;
    size_t size;
    ok(dirac_net_create(&large, context));
    dirac_net_output(large, dirac_model_diracnet_cifar(large, dirac_net_input2d(large, 3, 8, 8), 10, 0.25, 5,
                                                       DIRAC_FORM_NORMALIZED_DELTA));
    ok(dirac_net_build(large));
    ok(dirac_net_save_memory(large, &data, &size));
    dirac_net_destroy(large);
    damage("larger model", load_net, data, size, KEPT, 97);
    damage("larger model", load_net, data, size, SEALED, 97);
    dirac_buffer_free(context, data, size);
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
    ok(dirac_net_save_memory(net, &data, &size));
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
    dirac_buffer_free(context, data, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_checkpoint),
                                       cmocka_unit_test(test_foreign), cmocka_unit_test(test_large),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
