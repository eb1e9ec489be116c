/* SPDX-License-Identifier: MIT */
/*
 * Files that somebody made to be wrong, each in one way that has a name, with a checksum that is right: names that occur
 * twice, offsets that overlap or overflow, huge shapes, JSON that nests deeply, graphs with cycles, dtypes that do not
 * belong, and weights that are NaNs with payloads. Each is refused by the message that says so, or keeps its bits.
 */
#include "fault/seal.h"
#include "support/nets.h"

enum { ROOM = 1 << 20 };
#define WITHOUT_DATA ",\"data_offsets\":[0,0]}"

static dirac_context *context;
static dirac_net *net;
static unsigned char *bytes; /* of a file that is being changed */
static size_t size;

static int setup(void **state)
{
    (void)state;
    ok(dirac_context_create(&context));
    ok(dirac_context_set_load_limit(context, 16 * ROOM));
    ok(dirac_net_create(&net, context));
    dirac_node *one = dirac_net_linear(net, dirac_net_input(net, 3), 5);
    dirac_node *two = dirac_net_linear(net, dirac_net_relu(net, one), 5);
    dirac_node_set_name(one, "one");
    dirac_node_set_name(two, "two");
    dirac_net_output(net, two);
    ok(dirac_net_build(net));
    bytes = malloc(ROOM);
    return bytes == NULL;
}

static int teardown(void **state)
{
    (void)state;
    free(bytes);
    dirac_net_destroy(net);
    dirac_context_destroy(context);
    return 0;
}

static void take_net(void)
{
    void *data;
    ok(dirac_net_save_memory(net, &data, &size));
    assert_true(size < ROOM / 2);
    memcpy(bytes, data, size);
    dirac_buffer_free(context, data, size);
}

/* A file without marks: a header and `data` zeros. */
static void make_file(const char *header, size_t data)
{
    const size_t length = strlen(header);
    assert_true(8 + length + data < ROOM);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    memset(bytes + 8 + length, 0, data);
    size = 8 + length + data;
}

/* Puts `new` in place of `old`, with the header's length and the checksum put right. */
static void change(const char *old, const char *new)
{
    unsigned char *place = find_text(bytes, size, old);
    uint64_t header = 0;
    assert_non_null(place);
    memmove(place + strlen(new), place + strlen(old), size - (size_t)(place - bytes) - strlen(old));
    memcpy(place, new, strlen(new));
    size = size - strlen(old) + strlen(new);
    for (int i = 0; i < 8; i++)
        header |= (uint64_t)bytes[i] << 8 * i;
    header = header - strlen(old) + strlen(new);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(header >> 8 * i);
    seal(bytes, size);
}

static void refuse(int32_t got, int32_t status, const char *reason)
{
    if (got != status || strstr(dirac_error_message(), reason) == NULL)
        fail_msg("%s: \"%s\", wanted %s: \"%s\"", dirac_status_name(got), dirac_error_message(),
                 dirac_status_name(status), reason);
}

static void refuse_net(int32_t status, const char *reason)
{
    dirac_net *loaded = net;
    refuse(dirac_net_load_memory(&loaded, context, bytes, size), status, reason);
    assert_null(loaded);
}

static void refuse_weights(int32_t status, const char *reason)
{
    const uint64_t version = dirac_net_version(net);
    refuse(dirac_net_load_weights_memory(net, bytes, size, DIRAC_LOAD_PARTIAL), status, reason);
    assert_true(dirac_net_version(net) == version);
}

/* ---- names ---- */

static void test_duplicate_names(void **state)
{
    (void)state;
    take_net();
    change("\\\"name\\\":\\\"two\\\"", "\\\"name\\\":\\\"one\\\""); /* two nodes */
    refuse_net(DIRAC_ERR_FORMAT, "one");
    take_net();
    change("\"two.weight\":{", "\"one.weight\":{"); /* two tensors */
    refuse_net(DIRAC_ERR_FORMAT, "one.weight");
    make_file("{\"two.bias\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,20]},"
              "\"two.bia\\u0073\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[20,40]}}", 40);
    refuse_weights(DIRAC_ERR_FORMAT, "two.bias");
}

/* ---- offsets and shapes ---- */

static void test_offsets(void **state)
{
    (void)state;
    make_file("{\"one.bias\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,20]},"
              "\"two.bias\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[16,36]}}", 36);
    refuse_weights(DIRAC_ERR_FORMAT, "overlaps");
    make_file("{\"one.bias\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":"
              "[9223372036854775788,9223372036854775807]}}", 20);
    refuse_weights(DIRAC_ERR_FORMAT, "data_offsets");
    make_file("{\"one.bias\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[18446744073709551596,0]}}", 20);
    refuse_weights(DIRAC_ERR_FORMAT, "data_offsets");
    make_file("{\"one.bias\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[20,0]}}", 20);
    refuse_weights(DIRAC_ERR_FORMAT, "data_offsets");
}

static void test_huge_shapes(void **state)
{
    (void)state;
    make_file("{\"one.bias\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296]" WITHOUT_DATA "}", 0);
    refuse_weights(DIRAC_ERR_FORMAT, "more bytes than can be addressed");
    make_file("{\"one.bias\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807]" WITHOUT_DATA "}", 0);
    refuse_weights(DIRAC_ERR_FORMAT, "more bytes than can be addressed");
    take_net(); /* a layer that needs more than the limit, though its file is small */
    change("\\\"channels\\\":5", "\\\"channels\\\":1000000000");
    refuse_net(DIRAC_ERR_LIMIT, "");
}

/* ---- JSON ---- */

static void nest(const char *open, const char *close, size_t levels)
{
    char *text = malloc(2 * levels * 8 + 64);
    assert_non_null(text);
    strcpy(text, "{\"x\":");
    char *at = text + strlen(text);
    for (size_t i = 0; i < levels; i++)
        at = strcpy(at, open) + strlen(open);
    for (size_t i = 0; i < levels; i++)
        at = strcpy(at, close) + strlen(close);
    strcpy(at, "}");
    make_file(text, 0);
    free(text);
}

static void test_deep_json(void **state)
{
    (void)state;
    dirac_net *loaded = net;
    nest("[", "]", 50000); /* a reader that calls itself would leave its stack at some number of these */
    refuse_net(DIRAC_ERR_LIMIT, "JSON");
    nest("{\"a\":[", "]}", 20000);
    refuse_net(DIRAC_ERR_LIMIT, "JSON");
    nest("[", "", 50000);
    assert_int_not_equal(dirac_net_load_memory(&loaded, context, bytes, size), DIRAC_OK);
    assert_null(loaded);
}

/* A text that opens `levels` brackets and closes them again. The caller frees it. */
static char *brackets(size_t levels)
{
    char *text = malloc(2 * levels + 1);
    assert_non_null(text);
    memset(text, '[', levels);
    memset(text + levels, ']', levels);
    text[2 * levels] = '\0';
    return text;
}

/* The graph is JSON inside a string of the header. */
static void test_deep_graph(void **state)
{
    (void)state;
    char *deep = brackets(50000);
    take_net();
    change("[0]", deep); /* the inputs of "one" */
    refuse_net(DIRAC_ERR_LIMIT, "JSON");
    free(deep);
}

/* ---- graphs ---- */

/* Nodes read only what stands before them: the numbers of the file's nodes are 0 to 3. */
static void test_cycles(void **state)
{
    (void)state;
    static const char *const inputs[] = {"1", "2", "3", "4", "-1", "9223372036854775807", "null", "0,0", ""};
    char text[80];
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        take_net();
        snprintf(text, sizeof text, "\\\"inputs\\\":[%s]", inputs[i]);
        change("\\\"inputs\\\":[0]", text); /* of "one", which is node 1 */
        dirac_net *loaded = net;
        const int32_t status = dirac_net_load_memory(&loaded, context, bytes, size);
        if ((status != DIRAC_ERR_FORMAT && status != DIRAC_ERR_ARGUMENT) || loaded != NULL)
            fail_msg("inputs %s: %s: %s", inputs[i], dirac_status_name(status), dirac_error_message());
    }
    take_net();
    change("\\\"inputs\\\":[2]", "\\\"inputs\\\":[3]"); /* "two" reads itself */
    refuse_net(DIRAC_ERR_FORMAT, "3");
}

/* An input that reads a node: backward would find no gradient to add to. */
static void test_reading_input(void **state)
{
    (void)state;
    take_net();
    change("\\\"kind\\\":\\\"relu\\\"", "\\\"kind\\\":\\\"input\\\",\\\"shape\\\":[5]");
    refuse_net(DIRAC_ERR_FORMAT, "\"input\" reads 0 values, not 1");
}

/* What a host would be told of its building (SHAPE, STATE) is wrong with the file, which is named with the place. */
static void test_graphs_that_do_not_build(void **state)
{
    (void)state;
    take_net();
    change("\\\"outputs\\\":[3]", "\\\"outputs\\\":[]");
    refuse_net(DIRAC_ERR_FORMAT, "buffer: the graph description: the net has no output");
    take_net();
    change("\\\"shape\\\":[3]", "\\\"shape\\\":[3,7]");
    refuse_net(DIRAC_ERR_FORMAT, "buffer: the graph description: layer \"one\"");
}

/* ---- values ---- */

static void test_wrong_dtypes(void **state)
{
    (void)state;
    make_file("{\"one.bias\":{\"dtype\":\"I64\",\"shape\":[5],\"data_offsets\":[0,40]}}", 40);
    refuse_weights(DIRAC_ERR_FORMAT, "one.bias");
    make_file("{\"one.bias\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]}}", 5);
    refuse_weights(DIRAC_ERR_FORMAT, "one.bias");
    make_file("{\"one.bias\":{\"dtype\":\"C64\",\"shape\":[5],\"data_offsets\":[0,40]}}", 40);
    refuse_weights(DIRAC_ERR_FORMAT, "C64");
    make_file("{\"one.bias\":{\"dtype\":\"F64\",\"shape\":[5],\"data_offsets\":[0,20]}}", 20);
    refuse_weights(DIRAC_ERR_FORMAT, "need 40");
    take_net();
    change("\"dtype\":\"F32\"", "\"dtype\":\"I64\"");
    refuse_net(DIRAC_ERR_FORMAT, "need");
}

/* Weights are the host's: a NaN, quiet or signalling, goes through loading and saving with its sign and payload. */
static void test_nan_payloads(void **state)
{
    (void)state;
    static const uint32_t nans[] = {0x7FC12345, 0xFFC00001, 0x7F812345, 0xFFBFFFFF};
    for (size_t i = 0; i < sizeof nans / sizeof *nans; i++) {
        dirac_net *loaded;
        void *again;
        size_t again_size;
        take_net();
        for (int j = 0; j < 4; j++) /* the last value of the file */
            bytes[size - 4 + (size_t)j] = (unsigned char)(nans[i] >> 8 * j);
        seal(bytes, size);
        ok(dirac_net_load_memory(&loaded, context, bytes, size));
        ok(dirac_net_save_memory(loaded, &again, &again_size));
        assert_int_equal(again_size, size);
        assert_memory_equal(again, bytes, size);
        dirac_buffer_free(context, again, again_size);
        dirac_net_destroy(loaded);
    }
}

/* ---- checkpoints ---- */

/* What it holds, and a file of it in `bytes`. */
static struct {
    dirac_sgd *sgd;
    dirac_checkpoint *checkpoint;
    floats before;
} training;

static void see_training(floats *all)
{
    append_net(all, net);
    append_momentum(all, training.sgd, net);
}

static void take_checkpoint(void)
{
    void *data;
    ok(dirac_checkpoint_save_memory(training.checkpoint, &data, &size));
    memcpy(bytes, data, size);
    dirac_buffer_free(context, data, size);
}

/* A checkpoint with `new` in place of the first `old`, refused by a message with `reason`; nothing changes. */
static void refuse_checkpoint(const char *old, const char *new, int32_t status, const char *reason)
{
    floats after = {NULL, 0};
    take_checkpoint();
    change(old, new);
    refuse(dirac_checkpoint_load_memory(training.checkpoint, bytes, size), status, reason);
    see_training(&after);
    same_bits("after a refusal", training.before, after);
    drop_floats(&after);
}

static void test_checkpoints(void **state)
{
    (void)state;
    char *deep = brackets(50000);
    char *drops = malloc(strlen(deep) + 40);
    assert_non_null(drops);
    sprintf(drops, "\\\"drops\\\":%s", deep);
    ok(dirac_sgd_create(&training.sgd, net));
    ok(dirac_checkpoint_create(&training.checkpoint, context));
    ok(dirac_checkpoint_add_net(training.checkpoint, "main", net));
    ok(dirac_checkpoint_add_sgd(training.checkpoint, "opt", training.sgd));
    see_training(&training.before);
    refuse_checkpoint("\"sgd/opt/one.weight\"", "\"net/main/one.weight\"", DIRAC_ERR_FORMAT, "net/main/one.weight");
    refuse_checkpoint("\"data_offsets\":[60,", "\"data_offsets\":[56,", DIRAC_ERR_FORMAT, "net/main/one.bias");
    refuse_checkpoint("\"data_offsets\":[0,60]", "\"data_offsets\":[9223372036854775788,9223372036854775807]",
                      DIRAC_ERR_FORMAT, "data_offsets");
    refuse_checkpoint("\"shape\":[5,3]", "\"shape\":[4294967296,4294967296]", DIRAC_ERR_FORMAT,
                      "more bytes than can be addressed");
    refuse_checkpoint("\"dtype\":\"F32\"", "\"dtype\":\"I32\"", DIRAC_ERR_FORMAT, "net/main/one.weight");
    refuse_checkpoint("\\\"drops\\\":[]", drops, DIRAC_ERR_LIMIT, "JSON");
    refuse_checkpoint("\\\"inputs\\\":[0]", "\\\"inputs\\\":[1]", DIRAC_ERR_MISMATCH, "main"); /* a cycle */
    take_checkpoint();
    ok(dirac_checkpoint_load_memory(training.checkpoint, bytes, size));
    dirac_checkpoint_destroy(training.checkpoint);
    dirac_sgd_destroy(training.sgd);
    drop_floats(&training.before);
    free(drops), free(deep);
}

/* The same NaN in the weights of a checkpoint: the net gets its bits. */
static void test_nan_in_checkpoint(void **state)
{
    (void)state;
    static const unsigned char nan[4] = {0x45, 0x23, 0x81, 0xFF}; /* signalling, negative */
    dirac_checkpoint *checkpoint;
    float bias[5];
    void *data;
    ok(dirac_checkpoint_create(&checkpoint, context));
    ok(dirac_checkpoint_add_net(checkpoint, "main", net));
    ok(dirac_checkpoint_save_memory(checkpoint, &data, &size));
    memcpy(bytes, data, size);
    memcpy(bytes + size - 4, nan, 4); /* the last of "two.bias", which stands last */
    seal(bytes, size);
    ok(dirac_checkpoint_load_memory(checkpoint, bytes, size));
    ok(dirac_net_tensor_read(net, "two.bias", bias, 5));
    assert_memory_equal(bias + 4, nan, 4);
    ok(dirac_checkpoint_load_memory(checkpoint, data, size));
    dirac_buffer_free(context, data, size);
    dirac_checkpoint_destroy(checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_duplicate_names), cmocka_unit_test(test_offsets),
                                       cmocka_unit_test(test_huge_shapes), cmocka_unit_test(test_deep_json),
                                       cmocka_unit_test(test_cycles), cmocka_unit_test(test_reading_input),
                                       cmocka_unit_test(test_graphs_that_do_not_build),
                                       cmocka_unit_test(test_wrong_dtypes),
                                       cmocka_unit_test(test_nan_payloads), cmocka_unit_test(test_deep_graph),
                                       cmocka_unit_test(test_checkpoints), cmocka_unit_test(test_nan_in_checkpoint)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
