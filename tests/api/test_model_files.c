/* SPDX-License-Identifier: MIT */
/*
 * Model files: a net saved and loaded is the same net, bit for bit; damage of any kind is refused and changes nothing;
 * a file that needs more than the limit or a custom layer that is not there is refused by name. Files of other programs
 * are in test_published_files.c.
 */
#include <unistd.h>

#include "support/nets.h"

static dirac_context *context;
static char folder[] = "/tmp/dirac-files-XXXXXX";
static char path[64], other_path[64];

static int make_context(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/net.safetensors", folder);
    snprintf(other_path, sizeof other_path, "%s/other.safetensors", folder);
    return dirac_context_create(&context);
}

static int drop_context(void **state)
{
    (void)state;
    dirac_context_destroy(context);
    unlink(path);
    unlink(other_path);
    return rmdir(folder); /* fails if anything was left behind */
}

/* ---- nets to be saved ---- */

/* Two inputs of different rank, two outputs, every kind of layer, attributes away from their defaults, a shared weight,
 * a frozen batch norm, untrainable parameters, notes. */
static dirac_net *make_mixed(void)
{
    const int64_t rectangle[2] = {3, 5}, strides[2] = {2, 1}, two = 2;
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input2d(net, 4, 14, 13), *volume = dirac_net_input3d(net, 2, 3, 4, 5), *y, *parts[3];
    ok(dirac_net_push_scope(net, "body.one"));
    x = dirac_net_conv2d(net, x, 8, 3);
    ok(dirac_node_set_ints(x, "kernel", rectangle, 2));
    ok(dirac_node_set_ints(x, "stride", strides, 2));
    ok(dirac_node_set_int(x, "groups", 2));
    ok(dirac_node_set_int(x, "bias", 1));
    x = dirac_net_batch_norm(net, x);
    ok(dirac_node_set_float(x, "epsilon", 0.1));
    ok(dirac_node_set_float(x, "momentum", 0.03));
    ok(dirac_node_set_frozen(x, 1));
    ok(dirac_net_pop_scope(net));
    y = x = dirac_net_dirac_conv2d(net, dirac_net_relu(net, x), 8, 3);
    x = dirac_net_dirac_conv2d(net, dirac_net_elu(net, x), 8, 3);
    ok(dirac_node_share_parameters(x, y));
    x = dirac_net_dropout(net, dirac_net_local_response_norm(net, x, 3), 0.3f);
    parts[0] = dirac_net_max_pool2d(net, x, 3);
    ok(dirac_node_set_int(parts[0], "ceil", 1));
    ok(dirac_node_set_ints(parts[0], "stride", &two, 1));
    parts[1] = dirac_net_average_pool2d(net, x, 3);
    ok(dirac_node_set_int(parts[1], "count_padding", 0));
    ok(dirac_node_set_int(parts[1], "ceil", 1));
    ok(dirac_node_set_ints(parts[1], "stride", &two, 1));
    parts[2] = dirac_net_ncrelu(net, dirac_net_add(net, parts[0], parts[1]));
    x = dirac_net_global_average_pool(net, dirac_net_concat(net, parts, 3));
    volume = dirac_net_conv3d(net, volume, 3, 2);
    ok(dirac_node_set_int(volume, "form", DIRAC_FORM_DELTA));
    parts[0] = x;
    parts[1] = dirac_net_flatten(net, volume);
    x = dirac_net_output(net, dirac_net_linear(net, dirac_net_concat(net, parts, 2), 6));
    ok(dirac_node_set_name(x, "head-1"));
    dirac_net_output(net, dirac_net_softmax(net, dirac_net_dirac_linear(net, x, 6)));
    ok(dirac_net_build(net));
    stir_batch_norms(net, 2, 3);
    ok(dirac_net_set_trainable(net, "head-1.*", 0));
    ok(dirac_net_set_note(net, "classes", "cat\ndog\n\"quoted\"\\\tand more"));
    ok(dirac_net_set_note(net, "Gr\xC3\xB6\xC3\x9F" "e", "\xE2\x82\xAC \xF0\x9F\x98\x80"));
    ok(dirac_net_set_note(net, "gone", "soon"));
    ok(dirac_net_set_note(net, "gone", NULL));
    return net;
}

/* Both outputs at inference and, for dropout and the frozen batch norm, in training; and the gradients. */
static floats answers(dirac_net *net)
{
    floats all = {NULL, 0}, images = random_numbers(3 * 4 * 14 * 13, 1, -1, 1);
    floats volumes = random_numbers(3 * 120, 2, -1, 1);
    const float *const inputs[2] = {images.at, volumes.at};
    const int32_t labels[3] = {5, 0, 2};
    for (int32_t mode = DIRAC_INFER; mode <= DIRAC_TRAIN; mode++) {
        dirac_session *session = open_session(net, mode, 3);
        ok(dirac_session_forward_inputs(session, inputs, 2, 3));
        for (int32_t i = 0; i < 2; i++) {
            const float *values;
            size_t count;
            ok(dirac_session_output(session, i, &values, &count));
            append_copy(&all, values, count);
        }
        ok(dirac_session_cross_entropy(session, labels, append(&all, 1)));
        if (mode == DIRAC_TRAIN) {
            ok(dirac_session_backward(session));
            append_gradients(&all, session);
        }
        dirac_session_destroy(session);
    }
    drop_floats(&images);
    drop_floats(&volumes);
    return all;
}

static void same_net(dirac_net *a, dirac_net *b)
{
    floats x = {NULL, 0}, y = {NULL, 0};
    assert_int_equal(dirac_net_tensor_count(a), dirac_net_tensor_count(b));
    for (int64_t i = 0; i < dirac_net_tensor_count(a); i++)
        assert_string_equal(dirac_net_tensor_name(a, i), dirac_net_tensor_name(b, i));
    append_net(&x, a);
    append_net(&y, b);
    same_bits("tensors", x, y);
    drop_floats(&x);
    drop_floats(&y);
    assert_int_equal(dirac_net_node_count(a), dirac_net_node_count(b));
    for (int64_t i = 0; i < dirac_net_node_count(a); i++) {
        assert_string_equal(dirac_node_name(dirac_net_node(a, i)), dirac_node_name(dirac_net_node(b, i)));
        assert_string_equal(dirac_node_kind(dirac_net_node(a, i)), dirac_node_kind(dirac_net_node(b, i)));
    }
    x = answers(a);
    y = answers(b);
    same_bits("answers", x, y);
    drop_floats(&x);
    drop_floats(&y);
    assert_string_equal(dirac_net_note(b, "classes"), dirac_net_note(a, "classes"));
    assert_string_equal(dirac_net_note(b, "Gr\xC3\xB6\xC3\x9F" "e"), "\xE2\x82\xAC \xF0\x9F\x98\x80");
    assert_null(dirac_net_note(b, "gone"));
}

/* ---- there and back ---- */

static void test_round_trip(void **state)
{
    (void)state;
    dirac_net *net = make_mixed(), *loaded, *again;
    void *data, *second;
    size_t size, second_size;
    ok(dirac_net_save(net, path));
    ok(dirac_net_load(&loaded, context, path));
    same_net(net, loaded);
    dirac_net_destroy(loaded);
    ok(dirac_net_save_memory(net, &data, &size));
    ok(dirac_net_load_memory(&loaded, context, data, size));
    same_net(net, loaded);
    ok(dirac_net_save_memory(loaded, &second, &second_size)); /* frozen and untrainable too: all that a file says */
    assert_int_equal(size, second_size);
    assert_memory_equal(data, second, size);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(second, 1, size, file), size);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    assert_memory_equal(data, second, size);
    ok(dirac_net_clone(&again, loaded));
    ok(dirac_net_initialize(again, 99));
    ok(dirac_net_load_weights(again, path, DIRAC_LOAD_STRICT)); /* weights alone, into a net that is there */
    assert_string_equal(dirac_net_load_report(again), "");
    same_net(net, again);
    dirac_buffer_free(context, data, size);
    dirac_buffer_free(context, second, second_size);
    dirac_net_destroy(again);
    dirac_net_destroy(loaded);
    dirac_net_destroy(net);
}

static void test_fold_and_save(void **state)
{
    (void)state;
    dirac_net *net, *folded, *loaded;
    floats a = {NULL, 0}, b = {NULL, 0};
    ok(dirac_net_create(&net, context));
    dirac_net_output(net, dirac_model_diracnet_cifar(net, dirac_net_input2d(net, 3, 12, 12), 16, 0.5, 7,
                                                     DIRAC_FORM_NORMALIZED_DELTA));
    ok(dirac_net_build(net));
    stir_batch_norms(net, 1, 5);
    ok(dirac_net_set_note(net, "mean", "0.5"));
    ok(dirac_net_fold(&folded, net));
    ok(dirac_net_save(folded, path));
    ok(dirac_net_load(&loaded, context, path));
    append_logits(&a, folded, 4, 1);
    append_logits(&b, loaded, 4, 1);
    same_bits("logits of a folded net", a, b);
    assert_string_equal(dirac_net_note(loaded, "mean"), "0.5");
    drop_floats(&a);
    drop_floats(&b);
    dirac_net_destroy(loaded);
    dirac_net_destroy(folded);
    dirac_net_destroy(net);
}

static void test_paths(void **state)
{
    (void)state;
    dirac_net *net = make_mixed(), *loaded = net;
    refused(dirac_net_load(&loaded, context, "/nowhere/net.safetensors"), DIRAC_ERR_IO);
    message_has("/nowhere/net.safetensors");
    assert_null(loaded);
    refused(dirac_net_save(net, "/nowhere/net.safetensors"), DIRAC_ERR_IO);
    message_has("/nowhere/net.safetensors");
    refused(dirac_net_load(&loaded, context, folder), DIRAC_ERR_IO);
    refused(dirac_net_load_weights(net, "/nowhere/net.safetensors", DIRAC_LOAD_STRICT), DIRAC_ERR_IO);
    refused(dirac_net_save_as(net, path, 3), DIRAC_ERR_ARGUMENT);
    refused(dirac_net_save_as(net, path, -1), DIRAC_ERR_ARGUMENT);
    refused(dirac_net_save_as(net, path, DIRAC_NAMES_PUBLISHED), DIRAC_ERR_ARGUMENT);
    message_has("body.one.");
    dirac_net_destroy(net);
}

/* ---- damage ---- */

/* A small net, so that every byte of its file can be tried. */
static dirac_net *make_small(void)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_dirac_conv2d(net, dirac_net_input2d(net, 2, 4, 4), 3, 3);
    x = dirac_net_relu(net, dirac_net_batch_norm(net, x));
    dirac_net_output(net, dirac_net_linear(net, dirac_net_global_average_pool(net, x), 2));
    ok(dirac_net_build(net));
    ok(dirac_net_set_note(net, "note", "kept"));
    return net;
}

/* A damaged copy is no net, and no weights either; the net it is loaded into stays as it is. */
static void expect_refused(dirac_net *net, const void *data, size_t size, const char *what, size_t at)
{
    dirac_net *loaded = net;
    const int32_t load = dirac_net_load_memory(&loaded, context, data, size);
    const int32_t weights = dirac_net_load_weights_memory(net, data, size, DIRAC_LOAD_PARTIAL);
    if (load == DIRAC_OK || weights == DIRAC_OK || loaded != NULL || dirac_error_message()[0] == '\0')
        fail_msg("%s at %zu was taken: %d, %d", what, at, (int)load, (int)weights);
}

static void test_damage(void **state)
{
    (void)state;
    dirac_net *net = make_small(), *target = make_small();
    void *data;
    size_t size;
    floats before = {NULL, 0}, after = {NULL, 0};
    ok(dirac_net_save_memory(net, &data, &size));
    ok(dirac_net_initialize(target, 31));
    append_net(&before, target);
    const uint64_t version = dirac_net_version(target);
    for (size_t length = 0; length < size; length++) {
        unsigned char *cut = malloc(length + 1); /* of its own, so that a sanitizer sees a read beyond */
        assert_non_null(cut);
        memcpy(cut, data, length);
        expect_refused(target, cut, length, "a cut", length);
        free(cut);
    }
    unsigned char *bytes = data;
    for (size_t at = 0; at < size; at++)
        for (int bit = 0; bit < 8; bit += 1 + (int)(at % 3)) {
            bytes[at] ^= (unsigned char)(1u << bit);
            expect_refused(target, data, size, "a flipped bit", at);
            bytes[at] ^= (unsigned char)(1u << bit);
        }
    unsigned char *longer = malloc(size + 8);
    assert_non_null(longer);
    memcpy(longer, data, size);
    memset(longer + size, 0, 8);
    expect_refused(target, longer, size + 8, "eight bytes more", size);
    expect_refused(target, longer, size + 1, "one byte more", size);
    free(longer);
    append_net(&after, target);
    same_bits("a refused load changed the net", before, after);
    assert_true(dirac_net_version(target) == version);
    assert_string_equal(dirac_net_note(target, "note"), "kept");
    ok(dirac_net_load_weights_memory(target, data, size, DIRAC_LOAD_STRICT)); /* and the whole one is fine */
    drop_floats(&before);
    drop_floats(&after);
    dirac_buffer_free(context, data, size);
    dirac_net_destroy(net);
    dirac_net_destroy(target);
}

/* The same through the disk: a few hundred lengths of the large net's file. */
static void test_cut_on_disk(void **state)
{
    (void)state;
    dirac_net *net = make_mixed(), *loaded;
    void *data;
    size_t size;
    floats before = {NULL, 0}, after = {NULL, 0};
    ok(dirac_net_save_memory(net, &data, &size));
    append_net(&before, net);
    for (size_t i = 0; i < 200; i++) {
        const size_t length = i < 20 ? i : i < 40 ? size - (i - 19) : size * (i - 40) / 160;
        FILE *file = fopen(other_path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, length, file), length);
        fclose(file);
        refused(dirac_net_load(&loaded, context, other_path), DIRAC_ERR_FORMAT);
        message_has(other_path);
        refused(dirac_net_load_weights(net, other_path, DIRAC_LOAD_PARTIAL), DIRAC_ERR_FORMAT);
    }
    append_net(&after, net);
    same_bits("a cut file changed the net", before, after);
    drop_floats(&before);
    drop_floats(&after);
    dirac_buffer_free(context, data, size);
    dirac_net_destroy(net);
}

/* ---- what a context has to have ---- */

static int32_t copy_setup(void *user, dirac_layer *layer)
{
    int64_t dims[4];
    int32_t rank;
    (void)user;
    if (dirac_layer_input_shape(layer, 0, dims, &rank) != DIRAC_OK)
        return 1;
    if (dirac_layer_add_parameter(layer, "scale", dims, 1, 0, DIRAC_INIT_UNIFORM, 1, 2) != DIRAC_OK)
        return 1;
    return dirac_layer_set_output_shape(layer, dims, rank);
}

/* y = scale[c] x + shift, for vectors. */
static int32_t copy_forward(void *user, dirac_layer *layer)
{
    int64_t dims[4];
    int32_t rank;
    (void)user;
    if (dirac_layer_input_shape(layer, 0, dims, &rank) != DIRAC_OK)
        return 1;
    const float *x = dirac_layer_input(layer, 0), *scale = dirac_layer_parameter(layer, "scale");
    for (int64_t i = 0; i < dirac_layer_batch(layer) * dims[0]; i++)
        dirac_layer_output(layer)[i] = scale[i % dims[0]] * x[i] + (float)dirac_layer_get_float(layer, "shift");
    return 0;
}

static dirac_layer_kind *register_kind(dirac_context *on)
{
    dirac_layer_kind *kind;
    ok(dirac_layer_kind_create(&kind, on, "my_scaling", 1));
    ok(dirac_layer_kind_add_float(kind, "shift", -10, 10, 0));
    ok(dirac_layer_kind_set_setup(kind, copy_setup));
    ok(dirac_layer_kind_set_forward(kind, copy_forward));
    ok(dirac_layer_kind_register(kind));
    return kind;
}

static void test_custom_kind(void **state)
{
    (void)state;
    dirac_context *first, *second;
    dirac_net *net, *loaded;
    void *data;
    size_t size;
    floats a = {NULL, 0}, b = {NULL, 0};
    ok(dirac_context_create(&first));
    ok(dirac_context_create(&second));
    dirac_layer_kind *kind = register_kind(first);
    ok(dirac_net_create(&net, first));
    dirac_node *x = dirac_net_input(net, 5);
    x = dirac_net_custom(net, kind, &x, 1);
    ok(dirac_node_set_float(x, "shift", 0.125));
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    ok(dirac_net_save_memory(net, &data, &size));
    refused(dirac_net_load_memory(&loaded, second, data, size), DIRAC_ERR_NOT_FOUND);
    message_has("my_scaling");
    dirac_layer_kind_destroy(register_kind(second));
    ok(dirac_net_load_memory(&loaded, second, data, size));
    append_logits(&a, net, 3, 4);
    append_logits(&b, loaded, 3, 4);
    same_bits("a custom layer", a, b);
    drop_floats(&a);
    drop_floats(&b);
    dirac_buffer_free(first, data, size);
    dirac_layer_kind_destroy(kind);
    dirac_net_destroy(net);
    dirac_net_destroy(loaded);
    dirac_context_destroy(first);
    dirac_context_destroy(second);
}

static void test_load_limit(void **state)
{
    (void)state;
    dirac_net *net, *loaded;
    dirac_context *small, *enough;
    floats before = {NULL, 0}, after = {NULL, 0};
    ok(dirac_net_create(&net, context));
    dirac_net_output(net, dirac_net_linear(net, dirac_net_input(net, 100), 200)); /* 80,800 bytes of weights */
    ok(dirac_net_build(net));
    ok(dirac_net_save(net, path));
    ok(dirac_context_create(&small));
    refused(dirac_context_set_load_limit(small, 4095), DIRAC_ERR_ARGUMENT);
    ok(dirac_context_set_load_limit(small, 64 * 1024));
    refused(dirac_net_load(&loaded, small, path), DIRAC_ERR_LIMIT);
    message_has(path);
    dirac_net *target;
    ok(dirac_net_create(&target, small));
    dirac_net_output(target, dirac_net_linear(target, dirac_net_input(target, 100), 200));
    ok(dirac_net_build(target));
    append_net(&before, target);
    refused(dirac_net_load_weights(target, path, DIRAC_LOAD_STRICT), DIRAC_ERR_LIMIT);
    append_net(&after, target);
    same_bits("beyond the limit", before, after);
    ok(dirac_context_create(&enough));
    ok(dirac_context_set_load_limit(enough, 1024 * 1024));
    ok(dirac_net_load(&loaded, enough, path));
    refused(dirac_context_set_load_limit(enough, 1 << 20), DIRAC_ERR_STATE);
    drop_floats(&before);
    drop_floats(&after);
    dirac_net_destroy(loaded);
    dirac_net_destroy(target);
    dirac_net_destroy(net);
    dirac_context_destroy(small);
    dirac_context_destroy(enough);
}

/* ---- what could not be loaded is not saved ---- */

static char *letters(size_t count)
{
    char *text = malloc(count + 1);
    assert_non_null(text);
    memset(text, 'n', count);
    text[count] = '\0';
    return text;
}

/* An input and 84 layers inside 1003 scopes: about 2^24 bytes of graph. `spare` bytes more, by names of layers. */
static dirac_net *make_deep(size_t spare)
{
    char *scope = letters(198);
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_input(net, 1);
    for (int i = 0; i < 1003; i++)
        ok(dirac_net_push_scope(net, scope));
    for (int i = 0; i < 84; i++) {
        const size_t more = spare < 190 ? spare : 190;
        char name[201];
        snprintf(name, sizeof name, "%02d%.*s", i, (int)more, scope);
        spare -= more;
        x = dirac_net_relu(net, x);
        ok(dirac_node_set_name(x, name));
    }
    for (int i = 0; i < 1003; i++)
        ok(dirac_net_pop_scope(net));
    free(scope);
    assert_int_equal(spare, 0);
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    return net;
}

/* The bytes of the graph's text in a file, as they are read back. */
static size_t graph_bytes(dirac_net *net)
{
    static const char key[] = "\"dirac.graph\":\"";
    void *data;
    size_t size, count = 0;
    ok(dirac_net_save_memory(net, &data, &size));
    const char *bytes = data, *at = bytes;
    while (memcmp(at, key, sizeof key - 1) != 0)
        assert_true((size_t)(++at - bytes) + sizeof key <= size);
    for (at += sizeof key - 1; *at != '"'; at++, count++)
        at += *at == '\\';
    dirac_buffer_free(context, data, size);
    return count;
}

/* `fits` comes back; `over` is refused, in files, memory and checkpoints, and the old file stays. */
static void check_edge(dirac_net *fits, dirac_net *over, const char *number)
{
    dirac_net *loaded;
    dirac_checkpoint *checkpoint;
    void *data;
    size_t size;
    ok(dirac_net_save(fits, path));
    refused(dirac_net_save(over, path), DIRAC_ERR_LIMIT);
    message_has(number);
    refused(dirac_net_save_memory(over, &data, &size), DIRAC_ERR_LIMIT);
    ok(dirac_checkpoint_create(&checkpoint, context));
    ok(dirac_checkpoint_add_net(checkpoint, "net", over));
    refused(dirac_checkpoint_save_memory(checkpoint, &data, &size), DIRAC_ERR_LIMIT);
    message_has(number);
    ok(dirac_net_load(&loaded, context, path));
    assert_int_equal(dirac_net_node_count(loaded), dirac_net_node_count(fits));
    dirac_checkpoint_destroy(checkpoint);
    dirac_net_destroy(loaded);
    dirac_net_destroy(fits);
    dirac_net_destroy(over);
}

static void test_longest_graph(void **state)
{
    (void)state;
    dirac_net *net = make_deep(0);
    const size_t bytes = graph_bytes(net), most = (size_t)1 << 24;
    dirac_net_destroy(net);
    assert_true(bytes < most && most - bytes < (size_t)84 * 190);
    check_edge(make_deep(most - bytes), make_deep(most - bytes + 1), "16777216");
}

/* 11 values of the root, the lists and the input; 5 of each layer and 1 of each value it reads. */
static dirac_net *make_wide(int32_t rest)
{
    dirac_node *parts[64];
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    for (int i = 0; i < 64; i++)
        parts[i] = i == 0 ? dirac_net_input(net, 1) : parts[0];
    for (int i = 0; i < 30393; i++)
        dirac_net_concat(net, parts, 64);
    dirac_net_output(net, dirac_net_concat(net, parts, rest));
    ok(dirac_net_build(net));
    return net;
}

static void test_most_values(void **state)
{
    (void)state;
    assert_int_equal(11 + 30393 * (5 + 64) + 5 + 19, 1 << 21);
    check_edge(make_wide(19), make_wide(20), "2097152");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_fold_and_save), cmocka_unit_test(test_paths),
        cmocka_unit_test(test_damage),      cmocka_unit_test(test_cut_on_disk),   cmocka_unit_test(test_custom_kind),
        cmocka_unit_test(test_load_limit),  cmocka_unit_test(test_longest_graph), cmocka_unit_test(test_most_values),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
