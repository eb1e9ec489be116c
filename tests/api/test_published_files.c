/* SPDX-License-Identifier: MIT */
/*
 * Weights from files that the library did not write, put together by hand under every naming of the published ones, in
 * every element type; and what is said of tensors that do not match.
 */
#include <unistd.h>

#include "support/tensor_file.h"

static dirac_context *context;
static char path[] = "/tmp/dirac-published-XXXXXX";

static int make_context(void **state)
{
    (void)state;
    const int file = mkstemp(path);
    if (file < 0 || close(file) != 0)
        return -1;
    return dirac_context_create(&context);
}

static int drop_context(void **state)
{
    (void)state;
    dirac_context_destroy(context);
    return unlink(path);
}

/* A DiracNet whose values are multiples of 2^-7 below 1: exact in all element types. `imagenet`: the other form. */
static dirac_net *make_net(uint64_t seed, int imagenet, int64_t classes)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    const int32_t form = DIRAC_FORM_NORMALIZED_DELTA;
    dirac_node *x = dirac_net_input2d(net, 3, imagenet ? 32 : 8, imagenet ? 32 : 8);
    x = imagenet ? dirac_model_diracnet_imagenet(net, x, 18, 1.0 / 32, classes, form)
                 : dirac_model_diracnet_cifar(net, x, 16, 0.25, classes, form);
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *name = dirac_net_tensor_name(net, i);
        const int var = strstr(name, "running_var") != NULL;
        floats x_of = random_numbers(tensor_elements(net, name), seed + (uint64_t)i, var ? 32 : -64, 64);
        for (size_t j = 0; j < x_of.count; j++)
            x_of.at[j] = floorf(x_of.at[j]) / 128;
        ok(dirac_net_tensor_write(net, name, x_of.at, x_of.count));
        drop_floats(&x_of);
    }
    return net;
}

static void same_tensors(const char *what, const dirac_net *a, const dirac_net *b)
{
    floats x = {NULL, 0}, y = {NULL, 0};
    append_net(&x, a);
    append_net(&y, b);
    same_bits(what, x, y);
    drop_floats(&x);
    drop_floats(&y);
}

/* ---- the published names ---- */

enum { TRAINING, TRAINING_IN_TWO, FOLDED, FOLDED_PLAIN, STYLES };

/* "group0.block0.conv.alpha" is "group0.block0.alpha" there, "conv.weight" of a layer "conv", and so on. */
static void published_name(char *to, size_t capacity, const char *own, int style)
{
    const char *conv = strstr(own, "conv."); /* the layer's own name is what stands before */
    const int state = strstr(own, "running_") != NULL, block = strncmp(own, "group", 5) == 0;
    if (style == FOLDED) {
        snprintf(to, capacity, "%s%s", strncmp(own, "fc.", 3) == 0 ? "" : "features.", own);
    } else if (style == FOLDED_PLAIN) {
        snprintf(to, capacity, "%s", own);
    } else {
        const char *prefix = style == TRAINING ? "" : state ? "stats." : "params.";
        if (conv == NULL)
            snprintf(to, capacity, "%s%s", prefix, own);
        else if (strcmp(conv, "conv.weight") == 0)
            snprintf(to, capacity, "%s%.*sconv", prefix, (int)(conv - own), own);
        else
            snprintf(to, capacity, "%s%.*s%s", prefix, (int)(conv - own), own, conv + 5);
        assert_true(conv == NULL || block || strcmp(conv, "conv.weight") == 0);
    }
}

static tensor_file *published_file(const dirac_net *net, int style, const char *kind)
{
    tensor_file *file = new_file();
    char name[128];
    const int64_t one = 1, eye[4] = {4, 4, 3, 3};
    const float zeros[144] = {0};
    for (int64_t i = dirac_net_tensor_count(net); i-- > 0;) { /* in another order than the net's */
        const char *own = dirac_net_tensor_name(net, i);
        published_name(name, sizeof name, own, style);
        put_from(file, net, own, name, kind);
        if (style <= TRAINING_IN_TWO && strcmp(own, "bn.weight") == 0) { /* derived: to be ignored */
            put_tensor(file, "eye4_4_3_3", kind, eye, 4, zeros);
            put_tensor(file, "params.eye16_8_3_3", kind, eye, 4, zeros);
            put_tensor(file, "group0.block0.delta", kind, eye, 4, zeros);
            put_tensor(file, "bn.num_batches_tracked", kind, &one, 1, zeros);
        }
    }
    finish_file(file);
    return file;
}

static void test_names_by_hand(void **state)
{
    (void)state;
    static const char *const kinds[] = {"F32", "F64", "F16", "BF16"};
    for (int imagenet = 0; imagenet < 2; imagenet++)
        for (int style = 0; style < STYLES; style++)
            for (size_t kind = 0; kind < (imagenet ? 1 : 4); kind++) {
                dirac_net *source = make_net(1, imagenet, 10), *target = make_net(500, imagenet, 10), *folded[2];
                if (style >= FOLDED) { /* a folded net; its values again exact */
                    ok(dirac_net_fold(&folded[0], source));
                    ok(dirac_net_fold(&folded[1], target));
                    dirac_net_destroy(source);
                    dirac_net_destroy(target);
                    source = folded[0];
                    target = folded[1];
                }
                const char *type = style >= FOLDED && kind > 1 ? "F32" : kinds[kind];
                tensor_file *file = published_file(source, style, type);
                ok(dirac_net_load_weights_memory(target, file->bytes, file->total, DIRAC_LOAD_STRICT));
                assert_string_equal(dirac_net_load_report(target), "");
                same_tensors("by hand", source, target);
                floats a = {NULL, 0}, b = {NULL, 0};
                append_logits(&a, source, 2, 1);
                append_logits(&b, target, 2, 1);
                same_bits("logits", a, b);
                drop_floats(&a);
                drop_floats(&b);
                release_file(file);
                dirac_net_destroy(source);
                dirac_net_destroy(target);
            }
}

/* Old files hold one alpha and one beta a layer. */
static void test_one_alpha(void **state)
{
    (void)state;
    dirac_net *source = make_net(1, 0, 10), *target = make_net(900, 0, 10);
    tensor_file *file = new_file();
    const int64_t one = 1;
    char name[128];
    for (int64_t i = 0; i < dirac_net_tensor_count(source); i++) {
        const char *own = dirac_net_tensor_name(source, i);
        const int spread = strstr(own, ".alpha") != NULL || strstr(own, ".beta") != NULL;
        floats x = {NULL, 0};
        published_name(name, sizeof name, own, TRAINING_IN_TWO);
        if (!spread) {
            put_from(file, source, own, name, "F32");
            continue;
        }
        const float value = uniform(4, (uint64_t)i, 0, 2);
        put_tensor(file, name, "F32", &one, 1, &value);
        append_tensor(&x, source, own);
        for (size_t j = 0; j < x.count; j++)
            x.at[j] = value;
        ok(dirac_net_tensor_write(source, own, x.at, x.count));
        drop_floats(&x);
    }
    finish_file(file);
    ok(dirac_net_load_weights_memory(target, file->bytes, file->total, DIRAC_LOAD_STRICT));
    same_tensors("one alpha a layer", source, target);
    release_file(file);
    dirac_net_destroy(source);
    dirac_net_destroy(target);
}

/* What dirac_net_save_as() writes can be loaded, and has exactly the keys above. */
static void test_save_as(void **state)
{
    (void)state;
    for (int folded = 0; folded < 2; folded++) {
        dirac_net *source = make_net(1, folded, 10), *target = make_net(500, folded, 10), *of[2];
        char name[128], quoted[160], *text = calloc(1, 1 << 20);
        assert_non_null(text);
        if (folded) {
            ok(dirac_net_fold(&of[0], source));
            ok(dirac_net_fold(&of[1], target));
            refused(dirac_net_save_as(source, path, DIRAC_NAMES_FOLDED), DIRAC_ERR_ARGUMENT);
            dirac_net_destroy(source);
            dirac_net_destroy(target);
            source = of[0];
            target = of[1];
        }
        ok(dirac_net_save_as(source, path, folded ? DIRAC_NAMES_FOLDED : DIRAC_NAMES_PUBLISHED));
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        assert_true(fseek(file, 8, SEEK_SET) == 0 && fread(text, 1, (1 << 20) - 1, file) > 100);
        fclose(file);
        for (int64_t i = 0; i < dirac_net_tensor_count(source); i++) {
            published_name(name, sizeof name, dirac_net_tensor_name(source, i), folded ? FOLDED : TRAINING);
            snprintf(quoted, sizeof quoted, "\"%s\":", name);
            check_text(text, quoted, __FILE__, __LINE__);
        }
        assert_null(strstr(text, "dirac.graph"));
        refused(dirac_net_load(&of[0], context, path), DIRAC_ERR_FORMAT); /* there is no graph */
        message_has("dirac.graph");
        ok(dirac_net_load_weights(target, path, DIRAC_LOAD_STRICT));
        same_tensors("saved as published", source, target);
        free(text);
        dirac_net_destroy(source);
        dirac_net_destroy(target);
    }
}

/* ---- what does not match ---- */

static void has_line(const char *report, const char *line)
{
    char whole[256];
    snprintf(whole, sizeof whole, "%s\n", line);
    check_text(report, whole, __FILE__, __LINE__);
}

static size_t lines_of(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void test_report(void **state)
{
    (void)state;
    dirac_net *source = make_net(1, 0, 10), *target = make_net(500, 0, 10);
    tensor_file *file = new_file();
    const int64_t dims[3] = {2, 3, 4}, seven = 7;
    const float values[24] = {0};
    for (int64_t i = 0; i < dirac_net_tensor_count(source); i++) {
        const char *own = dirac_net_tensor_name(source, i);
        if (strcmp(own, "group1.block2.conv.weight") == 0 || strcmp(own, "bn.running_var") == 0)
            continue;
        if (strcmp(own, "fc.bias") == 0)
            put_tensor(file, own, "F32", &seven, 1, values);
        else if (strcmp(own, "conv.weight") == 0)
            put_tensor(file, own, "F32", dims, 3, values);
        else
            put_from(file, source, own, NULL, "F32");
    }
    put_tensor(file, "stranger", "F32", dims, 2, values);
    put_tensor(file, "optimizer.step", "F32", &seven, 0, values);
    finish_file(file);
    floats before = {NULL, 0}, after = {NULL, 0};
    append_net(&before, target);
    const uint64_t version = dirac_net_version(target);
    refused(dirac_net_load_weights_memory(target, file->bytes, file->total, DIRAC_LOAD_STRICT), DIRAC_ERR_MISMATCH);
    append_net(&after, target);
    same_bits("a mismatch changed the net", before, after);
    assert_true(dirac_net_version(target) == version);
    static const char *const lines[6] = {
        "missing: group1.block2.conv.weight",
        "missing: bn.running_var",
        "unused: stranger",
        "unused: optimizer.step",
        "wrong shape: fc.bias is (10), in the file (7)",
        "wrong shape: conv.weight is (4, 3, 3, 3), in the file (2, 3, 4)",
    };
    const char *report = dirac_net_load_report(target);
    assert_int_equal(lines_of(report), 6);
    for (int i = 0; i < 6; i++) {
        has_line(report, lines[i]);
        message_has(lines[i]); /* six fit */
    }
    ok(dirac_net_load_weights_memory(target, file->bytes, file->total, DIRAC_LOAD_PARTIAL));
    assert_int_equal(lines_of(dirac_net_load_report(target)), 6);
    assert_true(dirac_net_version(target) > version);
    for (int64_t i = 0; i < dirac_net_tensor_count(target); i++) { /* those that match were taken, the others left */
        const char *name = dirac_net_tensor_name(target, i);
        floats a = {NULL, 0}, b = {NULL, 0};
        int left = 0;
        for (int j = 0; j < 6; j++)
            left += strstr(lines[j], name) != NULL && (strstr(lines[j], "missing") || strstr(lines[j], "wrong"));
        append_tensor(&a, target, name);
        append_tensor(&b, source, name);
        if (left)
            assert_memory_not_equal(a.at, b.at, a.count * sizeof *a.at);
        else
            same_bits(name, a, b);
        drop_floats(&a);
        drop_floats(&b);
    }
    drop_floats(&before);
    drop_floats(&after);
    release_file(file);
    dirac_net_destroy(source);
    dirac_net_destroy(target);
}

/* Each fault alone is one. */
static void test_single_faults(void **state)
{
    (void)state;
    dirac_net *source = make_net(1, 0, 10), *target = make_net(500, 0, 10);
    const int64_t seven = 7;
    const float values[7] = {0};
    for (int fault = 0; fault < 4; fault++) {
        tensor_file *file = new_file();
        for (int64_t i = 0; i < dirac_net_tensor_count(source); i++) {
            const char *own = dirac_net_tensor_name(source, i);
            if (fault == 1 && strcmp(own, "fc.bias") == 0)
                continue;
            if (fault == 2 && strcmp(own, "fc.bias") == 0)
                put_tensor(file, own, "F32", &seven, 1, values);
            else
                put_from(file, source, own, NULL, "F32");
        }
        if (fault == 3)
            put_tensor(file, "stranger", "F32", &seven, 1, values);
        finish_file(file);
        refused(dirac_net_load_weights_memory(target, file->bytes, file->total, DIRAC_LOAD_STRICT),
                fault == 0 ? DIRAC_OK : DIRAC_ERR_MISMATCH);
        assert_int_equal(lines_of(dirac_net_load_report(target)), fault > 0);
        if (fault > 0)
            message_has(fault == 1 ? "missing: fc.bias" : fault == 2 ? "wrong shape: fc.bias" : "unused: stranger");
        release_file(file);
    }
    dirac_net_destroy(source);
    dirac_net_destroy(target);
}

/* A net with nothing in common: the report has every tensor of both, the message as many as there is room for. */
static void test_long_report(void **state)
{
    (void)state;
    dirac_net *target = make_net(500, 0, 10);
    tensor_file *file = new_file();
    const int64_t one = 1;
    const float value = 1;
    char name[64];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "module.layer%d.kernel", i);
        put_tensor(file, name, "F32", &one, 1, &value);
    }
    finish_file(file);
    refused(dirac_net_load_weights_memory(target, file->bytes, file->total, DIRAC_LOAD_STRICT), DIRAC_ERR_MISMATCH);
    const char *report = dirac_net_load_report(target);
    assert_int_equal(lines_of(report), 300 + (size_t)dirac_net_tensor_count(target));
    has_line(report, "unused: module.layer0.kernel");
    has_line(report, "unused: module.layer299.kernel");
    for (int64_t i = 0; i < dirac_net_tensor_count(target); i++) {
        snprintf(name, sizeof name, "missing: %s", dirac_net_tensor_name(target, i));
        has_line(report, name);
    }
    message_has("unused: module.layer0.kernel");
    message_has("300 unused");
    release_file(file);
    dirac_net_destroy(target);
}

/* A new head on an old body. */
static void test_new_head(void **state)
{
    (void)state;
    dirac_net *old = make_net(1, 0, 10), *fresh = make_net(500, 0, 3);
    floats head = {NULL, 0}, kept = {NULL, 0}, body = {NULL, 0}, taken = {NULL, 0};
    append_tensor(&head, fresh, "fc.weight");
    append_tensor(&head, fresh, "fc.bias");
    ok(dirac_net_save(old, path));
    refused(dirac_net_load_weights(fresh, path, DIRAC_LOAD_STRICT), DIRAC_ERR_MISMATCH);
    refused(dirac_net_load_weights(fresh, path, 2), DIRAC_ERR_ARGUMENT);
    ok(dirac_net_load_weights(fresh, path, DIRAC_LOAD_PARTIAL));
    assert_int_equal(lines_of(dirac_net_load_report(fresh)), 2);
    has_line(dirac_net_load_report(fresh), "wrong shape: fc.bias is (3), in the file (10)");
    append_tensor(&kept, fresh, "fc.weight");
    append_tensor(&kept, fresh, "fc.bias");
    same_bits("the new head", head, kept);
    for (int64_t i = 0; i < dirac_net_tensor_count(old); i++)
        if (strncmp(dirac_net_tensor_name(old, i), "fc.", 3) != 0) {
            append_tensor(&body, old, dirac_net_tensor_name(old, i));
            append_tensor(&taken, fresh, dirac_net_tensor_name(old, i));
        }
    same_bits("the old body", body, taken);
    floats *const lists[] = {&head, &kept, &body, &taken};
    for (size_t i = 0; i < 4; i++)
        drop_floats(lists[i]);
    dirac_net_destroy(old);
    dirac_net_destroy(fresh);
}

/* Element types and values that cannot be weights. */
static void test_other_elements(void **state)
{
    (void)state;
    dirac_net *net;
    floats before = {NULL, 0}, after = {NULL, 0};
    ok(dirac_net_create(&net, context));
    dirac_node *x = dirac_net_linear(net, dirac_net_input(net, 2), 3);
    ok(dirac_node_set_name(x, "fc"));
    ok(dirac_node_set_int(x, "bias", 0));
    dirac_net_output(net, x);
    ok(dirac_net_build(net));
    append_net(&before, net);
    static const char header[] = "{\"fc.weight\":{\"dtype\":\"I64\",\"shape\":[3,2],\"data_offsets\":[0,48]}}";
    unsigned char bytes[8 + sizeof header - 1 + 48] = {sizeof header - 1};
    memcpy(bytes + 8, header, sizeof header - 1);
    refused(dirac_net_load_weights_memory(net, bytes, sizeof bytes, DIRAC_LOAD_STRICT), DIRAC_ERR_FORMAT);
    message_has("fc.weight");
    char *type = strstr((char *)bytes + 8, "I64");
    memcpy(type, "F64", 3);
    ok(dirac_net_load_weights_memory(net, bytes, sizeof bytes, DIRAC_LOAD_STRICT)); /* zeros */
    drop_floats(&before);
    append_net(&before, net);
    for (int i = 0; i < 8; i++) /* 1e39, little-endian: beyond float */
        bytes[sizeof bytes - 8 + (size_t)i] = (unsigned char)(0x48078287F49C4A1Du >> (8 * i));
    refused(dirac_net_load_weights_memory(net, bytes, sizeof bytes, DIRAC_LOAD_STRICT), DIRAC_ERR_FORMAT);
    append_net(&after, net);
    same_bits("a refused element changed the net", before, after);
    drop_floats(&before);
    drop_floats(&after);
    dirac_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_by_hand), cmocka_unit_test(test_one_alpha),    cmocka_unit_test(test_save_as),
        cmocka_unit_test(test_report),        cmocka_unit_test(test_long_report),  cmocka_unit_test(test_new_head),
        cmocka_unit_test(test_single_faults), cmocka_unit_test(test_other_elements),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
