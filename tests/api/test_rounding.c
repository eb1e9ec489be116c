/* SPDX-License-Identifier: MIT */
/* What files hold is read and written alike under every rounding of the caller's: floats of checkpoints, weights in F64.
 * Batches have the rounding of who takes them, made ahead or not. */
#include <fenv.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "support/nets.h"

static const int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
enum { MODES = 8 }; /* each rounding, without and with flushing to zero */

static void enter(int mode)
{
    fesetround(roundings[mode % 4]);
#if defined(__x86_64__)
    if (mode >= 4)
        _mm_setcsr(_mm_getcsr() | 0x8040); /* flush to zero, denormals are zero */
#endif
}

static void leave(void)
{
    fesetenv(FE_DFL_ENV);
}

static dirac_net *small_net(dirac_context *context)
{
    dirac_net *net;
    ok(dirac_net_create(&net, context));
    dirac_node *fc = dirac_net_linear(net, dirac_net_input(net, 3), 2);
    ok(dirac_node_set_name(fc, "fc"));
    dirac_net_output(net, fc);
    ok(dirac_net_build(net));
    return net;
}

/* ---- checkpoints ---- */

/* The text is that of the default mode, and is read back as the same float, whatever each side rounds to. */
static void check_rate(dirac_context *context, dirac_sgd *sgd, dirac_checkpoint *checkpoint, float rate)
{
    void *data, *plain;
    size_t size, plain_size;
    float back;
    ok(dirac_sgd_set_learning_rate(sgd, rate));
    ok(dirac_checkpoint_save_memory(checkpoint, &plain, &plain_size));
    for (int mode = 0; mode < MODES; mode++) {
        enter(mode);
        const int32_t saved = dirac_checkpoint_save_memory(checkpoint, &data, &size);
        const int32_t loaded = dirac_checkpoint_load_memory(checkpoint, data, size);
        leave();
        ok(saved);
        ok(loaded);
        ok(dirac_sgd_learning_rate(sgd, &back));
        assert_memory_equal(&back, &rate, sizeof rate);
        assert_int_equal(size, plain_size);
        assert_memory_equal(data, plain, size);
        dirac_buffer_free(context, data, size);
    }
    dirac_buffer_free(context, plain, plain_size);
}

static void test_checkpoints(void **state)
{
    dirac_context *context;
    dirac_sgd *sgd;
    dirac_checkpoint *checkpoint;
    const float rates[] = {0.1f, 0.01f, 0.02f, 0.001f, 0.3f, 0.9f, 5e-4f, 0.123457f, 3.4028235e38f, 1.17549449e-38f};
    (void)state;
    ok(dirac_context_create(&context));
    dirac_net *net = small_net(context);
    ok(dirac_sgd_create(&sgd, net));
    ok(dirac_checkpoint_create(&checkpoint, context));
    ok(dirac_checkpoint_add_sgd(checkpoint, "sgd", sgd));
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        check_rate(context, sgd, checkpoint, rates[i]);
    dirac_checkpoint_destroy(checkpoint), dirac_sgd_destroy(sgd), dirac_net_destroy(net), dirac_context_destroy(context);
}

/* ---- weights in F64 ---- */

static size_t make_file(unsigned char *file, const double values[8])
{
    const char header[] = "{\"fc.weight\":{\"dtype\":\"F64\",\"shape\":[2,3],\"data_offsets\":[0,48]},"
                          "\"fc.bias\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[48,64]}}";
    const size_t length = sizeof header - 1;
    for (size_t i = 0; i < 8; i++)
        file[i] = (unsigned char)(length >> 8 * i);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < 8; i++) {
        uint64_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (size_t j = 0; j < 8; j++)
            file[8 + length + 8 * i + j] = (unsigned char)(bits >> 8 * j);
    }
    return 8 + length + 64;
}

static void test_weights(void **state)
{
    dirac_context *context;
    unsigned char file[512];
    const double wide[8] = {0.1, -0.3, 1e-41, -1e-46, 1 + 0x1p-24, -(1 + 0x1.8p-23), 0x1.ffffffp-127, 0x1.fffffefp127};
    const double beyond[8] = {1, 2, 3, 0x1.ffffffp127, 5, 6, 7, 8}; /* the first that rounds to infinity */
    float want[8];
    const floats wanted = {want, 8};
    (void)state;
    for (int i = 0; i < 8; i++)
        want[i] = (float)wide[i]; /* to nearest, here */
    ok(dirac_context_create(&context));
    dirac_net *net = small_net(context);
    for (int mode = 0; mode < MODES; mode++) {
        floats got = {NULL, 0};
        const size_t size = make_file(file, wide);
        enter(mode);
        const int32_t status = dirac_net_load_weights_memory(net, file, size, DIRAC_LOAD_STRICT);
        leave();
        ok(status);
        append_tensor(&got, net, "fc.weight");
        append_tensor(&got, net, "fc.bias");
        same_bits("weights", got, wanted);
        drop_floats(&got);
        enter(mode);
        const int32_t refusal = dirac_net_load_weights_memory(net, file, make_file(file, beyond), DIRAC_LOAD_STRICT);
        leave();
        refused(refusal, DIRAC_ERR_FORMAT);
    }
    dirac_net_destroy(net), dirac_context_destroy(context);
}

/* ---- batches ---- */

/* Batches of bytes / 255, each taken under another mode; what is made ahead has time to be made. */
static void take_batches(dirac_dataset *set, int32_t ahead, floats *out)
{
    dirac_batches *batches;
    const float *samples;
    const int32_t *labels;
    int64_t n = 0;
    ok(dirac_batches_create(&batches, set));
    ok(dirac_batches_set_size(batches, 4));
    ok(dirac_batches_set_prefetch(batches, ahead));
    for (int i = 0; i < 2 * MODES + 3; i++) { /* and over the end of an epoch */
        enter(i / 2 % MODES);
        const int32_t status = dirac_batches_next(batches, &samples, &labels, &n);
        leave();
        ok(status);
        append_copy(out, samples, (size_t)n * 3 * 8 * 8);
    }
    dirac_batches_destroy(batches);
}

static void test_batches(void **state)
{
    dirac_context *context;
    floats plain = {NULL, 0};
    (void)state;
    ok(dirac_context_create(&context));
    dirac_dataset *set = make_dataset(context, 36, 3, 8, 4);
    take_batches(set, 0, &plain);
    for (int32_t ahead = 1; ahead <= 4; ahead += 3) {
        floats fetched = {NULL, 0};
        take_batches(set, ahead, &fetched);
        same_bits("batches", fetched, plain);
        drop_floats(&fetched);
    }
    drop_floats(&plain);
    dirac_dataset_destroy(set), dirac_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
