/* SPDX-License-Identifier: MIT */
/* The context: its life, its options, its log, its memory; and what the CPU runs. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/context.h>
#include <dirac/status.h>
#include <dirac/version.h>

#include "base/context.h"
#include "base/cpu.h"
#include "kernels/kernels.h"
#include "support/probe_memory.h"

static dirac_context *create(probe *p)
{
    dirac_context *context = NULL;
    memset(p, 0, sizeof *p);
    assert_int_equal(
        dirac_context_create_with_allocator(&context, probe_allocate, probe_release, p), DIRAC_OK);
    assert_non_null(context);
    return context;
}

static void check_gone(const probe *p)
{
    assert_int_equal(p->alive, 0);
    assert_int_equal(p->bytes, 0);
    assert_int_equal(p->wrong, 0);
}

static void contexts_are_made_with_defaults(void **state)
{
    dirac_context *context = NULL;
    (void)state;
    assert_int_equal(dirac_context_create(&context), DIRAC_OK);
    assert_int_equal(dirac_context_threads(context), 1);
    assert_string_equal(dirac_context_kernels(context), dirac__kernels_best()->name);
    assert_true(context->seed == 0);
    assert_true(context->load_limit == UINT64_C(17179869184));
    assert_int_equal(context->blas, strstr(dirac_build_features(), "blas ") != NULL);
    dirac_context_destroy(context);
    dirac_context_destroy(NULL);
    assert_int_equal(dirac_context_threads(NULL), 0);
    assert_string_equal(dirac_context_kernels(NULL), "");
}

static void creation_checks_its_arguments_and_memory(void **state)
{
    probe p = {0};
    int mark;
    dirac_context *context = (dirac_context *)(void *)&mark;
    (void)state;
    assert_int_equal(dirac_context_create(NULL), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_create_with_allocator(NULL, probe_allocate, probe_release, &p),
                     DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_create_with_allocator(&context, NULL, probe_release, &p),
                     DIRAC_ERR_ARGUMENT);
    assert_null(context);
    assert_int_equal(dirac_context_create_with_allocator(&context, probe_allocate, NULL, &p),
                     DIRAC_ERR_ARGUMENT);
    assert_non_null(strstr(dirac_error_message(), "release is NULL"));
    context = (dirac_context *)(void *)&mark;
    p.refuse_at = 1;
    assert_int_equal(
        dirac_context_create_with_allocator(&context, probe_allocate, probe_release, &p),
        DIRAC_ERR_MEMORY);
    assert_null(context);
    check_gone(&p);
}

static void handles_keep_the_context_alive(void **state)
{
    probe p;
    (void)state;
    dirac_context *context = create(&p);
    assert_int_equal(dirac__context_use(context), DIRAC_OK);
    assert_int_equal(dirac__context_use(context), DIRAC_OK);
    dirac_context_destroy(context);
    assert_true(p.alive > 0);
    dirac__context_release(context);
    assert_true(p.alive > 0);
    dirac__context_release(context);
    check_gone(&p);
}

static void a_use_without_memory_changes_nothing(void **state)
{
    probe p;
    (void)state;
    dirac_context *context = create(&p);
    p.refuse_at = p.requests + 1;
    assert_int_equal(dirac__context_use(context), DIRAC_ERR_MEMORY);
    assert_int_equal(dirac_context_set_threads(context, 2), DIRAC_OK); /* still open */
    assert_int_equal(dirac__context_use(context), DIRAC_OK);
    assert_int_equal(dirac__team_lanes(context->team), 2);
    dirac__context_release(context);
    dirac_context_destroy(context);
    check_gone(&p);
}

static int32_t some_runner(void *user, dirac_task_fn task, void *task_data, int32_t count)
{
    (void)user;
    for (int32_t i = 0; i < count; i++)
        task(task_data, i);
    return 0;
}

static void thread_options(void **state)
{
    probe p;
    (void)state;
    dirac_context *context = create(&p);
    static const int32_t bad[] = {0, -1, 65, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(dirac_context_set_threads(context, bad[i]), DIRAC_ERR_ARGUMENT);
        assert_int_equal(dirac_context_set_runner(context, some_runner, NULL, bad[i]),
                         DIRAC_ERR_ARGUMENT);
    }
    assert_int_equal(dirac_context_set_threads(context, 65), DIRAC_ERR_ARGUMENT);
    assert_string_equal(dirac_error_message(),
                        "dirac_context_set_threads: threads is 65, it must be 1 to 64");
    assert_int_equal(dirac_context_threads(context), 1);
    assert_int_equal(dirac_context_set_threads(context, 64), DIRAC_OK);
    assert_int_equal(dirac_context_threads(context), 64);
    assert_int_equal(dirac_context_set_runner(context, some_runner, &p, 3), DIRAC_OK);
    assert_int_equal(dirac_context_threads(context), 3);
    assert_int_equal(dirac_context_set_threads(context, 5), DIRAC_OK);
    assert_int_equal(dirac_context_threads(context), 3); /* the runner's, as long as there is one */
    assert_int_equal(dirac_context_set_runner(context, NULL, NULL, 0), DIRAC_OK);
    assert_int_equal(dirac_context_threads(context), 5);
    dirac_context_destroy(context);
    check_gone(&p);
}

static void kernel_options(void **state)
{
    probe p;
    (void)state;
    dirac_context *context = create(&p);
    assert_int_equal(dirac_context_set_kernels(context, "scalar"), DIRAC_OK);
    assert_string_equal(dirac_context_kernels(context), "scalar");
    assert_int_equal(dirac_context_set_kernels(context, "avx2"), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_set_kernels(context, ""), DIRAC_ERR_ARGUMENT);
    static const char *const names[] = {"x86-64-v3", "x86-64-v4", "aarch64"};
    for (size_t i = 0; i < 3; i++) {
        bool there = dirac__kernels_named(names[i]) != NULL;
        assert_int_equal(dirac_context_set_kernels(context, names[i]),
                         there ? DIRAC_OK : DIRAC_ERR_UNSUPPORTED);
        if (there)
            assert_string_equal(dirac_context_kernels(context), names[i]);
    }
    assert_int_equal(dirac_context_set_kernels(context, NULL), DIRAC_OK);
    assert_string_equal(dirac_context_kernels(context), dirac__kernels_best()->name);
    dirac_context_destroy(context);
    check_gone(&p);
}

static void other_options(void **state)
{
    probe p;
    (void)state;
    dirac_context *context = create(&p);
    int32_t with_blas =
        strstr(dirac_build_features(), "blas ") != NULL ? DIRAC_OK : DIRAC_ERR_UNSUPPORTED;
    assert_int_equal(dirac_context_set_seed(context, UINT64_MAX), DIRAC_OK);
    assert_true(context->seed == UINT64_MAX);
    assert_int_equal(dirac_context_set_blas(context, 0), DIRAC_OK);
    assert_false(context->blas);
    assert_int_equal(dirac_context_set_blas(context, 1), with_blas);
    assert_int_equal(context->blas, with_blas == DIRAC_OK);
    assert_int_equal(dirac_context_set_blas(context, 2), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_set_blas(context, -1), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_set_load_limit(context, 4096), DIRAC_OK);
    assert_true(context->load_limit == 4096);
    assert_int_equal(dirac_context_set_load_limit(context, 4095), DIRAC_ERR_ARGUMENT);
    assert_non_null(strstr(dirac_error_message(), "4095"));
    assert_true(context->load_limit == 4096);
    dirac_context_destroy(context);
    check_gone(&p);
}

static void options_need_a_context(void **state)
{
    (void)state;
    assert_int_equal(dirac_context_set_threads(NULL, 1), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_set_runner(NULL, NULL, NULL, 1), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_set_log(NULL, NULL, NULL, 1), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_set_seed(NULL, 1), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_set_kernels(NULL, NULL), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_set_blas(NULL, 0), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_set_load_limit(NULL, 4096), DIRAC_ERR_ARGUMENT);
    assert_string_equal(dirac_error_message(), "dirac_context_set_load_limit: context is NULL");
}

static void options_are_fixed_by_the_first_handle(void **state)
{
    probe p;
    (void)state;
    dirac_context *context = create(&p);
    assert_int_equal(dirac__context_use(context), DIRAC_OK);
    dirac__context_release(context); /* gone again: they stay fixed */
    assert_int_equal(dirac_context_set_threads(context, 2), DIRAC_ERR_STATE);
    assert_int_equal(dirac_context_set_runner(context, some_runner, NULL, 2), DIRAC_ERR_STATE);
    assert_int_equal(dirac_context_set_seed(context, 1), DIRAC_ERR_STATE);
    assert_int_equal(dirac_context_set_kernels(context, "scalar"), DIRAC_ERR_STATE);
    assert_int_equal(dirac_context_set_blas(context, 0), DIRAC_ERR_STATE);
    assert_int_equal(dirac_context_set_load_limit(context, 5000), DIRAC_ERR_STATE);
    assert_int_equal(dirac_context_set_log(context, NULL, NULL, DIRAC_LOG_INFO), DIRAC_OK);
    assert_int_equal(dirac_context_threads(context), 1);
    dirac_context_destroy(context);
    check_gone(&p);
}

struct message {
    int count;
    int32_t level;
    char text[2000];
};

static void keep_message(void *user, int32_t level, const char *text)
{
    struct message *message = user;
    message->count++;
    message->level = level;
    snprintf(message->text, sizeof message->text, "%s", text);
}

static void messages_reach_the_log(void **state)
{
    struct message message = {0};
    probe p;
    (void)state;
    dirac_context *context = create(&p);
    dirac__log(context, DIRAC_LOG_WARNING, "to nowhere");
    assert_int_equal(dirac_context_set_log(context, keep_message, &message, 0), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_set_log(context, keep_message, &message, 4), DIRAC_ERR_ARGUMENT);
    assert_int_equal(dirac_context_set_log(context, keep_message, &message, DIRAC_LOG_INFO),
                     DIRAC_OK);
    dirac__log(context, DIRAC_LOG_INFO, "%d of %s", 3, "four");
    assert_int_equal(message.count, 1);
    assert_int_equal(message.level, DIRAC_LOG_INFO);
    assert_string_equal(message.text, "3 of four");
    dirac__log(context, DIRAC_LOG_DEBUG, "too much");
    assert_int_equal(message.count, 1);

    char text[1500] = "";
    for (int i = 0; i < 400; i++)
        strcat(text, "\xE2\x82\xAC"); /* 1200 bytes of three-byte characters */
    dirac__log(context, DIRAC_LOG_WARNING, "%s", text);
    assert_int_equal(strlen(message.text), 1023); /* 341 of them */
    dirac__log(context, DIRAC_LOG_WARNING, "x%s", text);
    assert_int_equal(strlen(message.text), 1021); /* 1 and 340 */
    assert_int_equal(dirac_context_set_log(context, NULL, NULL, 0), DIRAC_OK);
    dirac__log(context, DIRAC_LOG_WARNING, "to nowhere");
    assert_int_equal(message.count, 3);
    dirac_context_destroy(context);
    check_gone(&p);
}

static void buffers_are_given_back(void **state)
{
    probe p;
    (void)state;
    dirac_context *context = create(&p);
    size_t before = p.alive;
    void *buffer = dirac__alloc(&context->memory, 100);
    assert_int_equal(p.alive, before + 1);
    dirac_buffer_free(context, buffer, 100);
    assert_int_equal(p.alive, before);
    dirac_buffer_free(context, NULL, 0);
    dirac_buffer_free(NULL, NULL, 0);
    dirac_context_destroy(context);
    check_gone(&p);
}

static int kinds_released;

static void count_release(struct dirac_layer_kind *kinds)
{
    assert_null(kinds);
    kinds_released++;
}

static void kinds_go_with_the_context(void **state)
{
    probe p;
    (void)state;
    dirac_context *context = create(&p);
    context->release_kinds = count_release;
    assert_int_equal(dirac__context_use(context), DIRAC_OK);
    dirac_context_destroy(context);
    assert_int_equal(kinds_released, 0);
    dirac__context_release(context);
    assert_int_equal(kinds_released, 1);
    check_gone(&p);
}

#if defined(__x86_64__)
/* Whether the kernel lists a feature of the first CPU; 1 or 0, or -1 where it does not say. */
static int kernel_lists(const char *feature)
{
    static char line[1 << 16];
    int found = -1;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && found < 0 && fgets(line, sizeof line - 1, file) != NULL)
        if (strncmp(line, "flags", 5) == 0) {
            char word[64];
            snprintf(word, sizeof word, " %s ", feature);
            line[strcspn(line, "\n")] = ' ';
            found = strstr(line, word) != NULL;
        }
    if (file != NULL)
        fclose(file);
    return found;
}
#endif

static void the_cpus_levels(void **state)
{
    (void)state;
    assert_true(dirac__cpu_runs("scalar"));
    assert_false(dirac__cpu_runs(""));
    assert_false(dirac__cpu_runs("x86-64-v9"));
#if defined(__x86_64__)
    static const struct {
        const char *level, *features[12];
    } levels[] = {
        {"x86-64-v2", {"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"}},
        {"x86-64-v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}},
        {"x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}}};
    /* An emulator may offer less than the CPU below it, never more. */
    bool same = (__builtin_cpu_supports("avx2") != 0) == (kernel_lists("avx2") == 1) &&
                (__builtin_cpu_supports("avx512f") != 0) == (kernel_lists("avx512f") == 1);
    bool expected = true; /* each level includes the one before */
    assert_false(dirac__cpu_runs("aarch64"));
    for (size_t i = 0; i < 3 && kernel_lists("fpu") == 1; i++) {
        for (size_t k = 0; k < 12 && levels[i].features[k] != NULL; k++)
            expected = expected && kernel_lists(levels[i].features[k]) == 1;
        bool runs = dirac__cpu_runs(levels[i].level);
        assert_true(runs == expected || (!same && !runs));
    }
#elif defined(__aarch64__)
    assert_true(dirac__cpu_runs("aarch64"));
    assert_false(dirac__cpu_runs("x86-64-v2"));
#endif
}

static void the_library_knows_its_release(void **state)
{
    char text[64];
    (void)state;
    snprintf(text, sizeof text, "%d.%d.%d", DIRAC_VERSION_MAJOR, DIRAC_VERSION_MINOR,
             DIRAC_VERSION_PATCH);
    assert_string_equal(dirac_version_string(), text);
    assert_true(
        DIRAC_VERSION_AT_LEAST(DIRAC_VERSION_MAJOR, DIRAC_VERSION_MINOR, DIRAC_VERSION_PATCH));
    assert_int_equal(dirac_version_number() % 1000, DIRAC_VERSION_PATCH);
    assert_int_equal(dirac_version_number() / 1000 % 1000, DIRAC_VERSION_MINOR);
    assert_int_equal(dirac_version_number() / 1000000, DIRAC_VERSION_MAJOR);
    assert_int_equal(dirac_abi_version(), DIRAC_ABI_VERSION);
    assert_non_null(strstr(dirac_build_features(), "kernels:"));
    assert_non_null(strstr(dirac_build_features(), "scalar"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_are_made_with_defaults),
        cmocka_unit_test(creation_checks_its_arguments_and_memory),
        cmocka_unit_test(handles_keep_the_context_alive),
        cmocka_unit_test(a_use_without_memory_changes_nothing),
        cmocka_unit_test(thread_options),
        cmocka_unit_test(kernel_options),
        cmocka_unit_test(other_options),
        cmocka_unit_test(options_need_a_context),
        cmocka_unit_test(options_are_fixed_by_the_first_handle),
        cmocka_unit_test(messages_reach_the_log),
        cmocka_unit_test(buffers_are_given_back),
        cmocka_unit_test(kinds_go_with_the_context),
        cmocka_unit_test(the_cpus_levels),
        cmocka_unit_test(the_library_knows_its_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
