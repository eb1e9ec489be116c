/* SPDX-License-Identifier: MIT */
/* Contexts and custom kinds. */
#include "api.h"

static void create(machine *m)
{
    const int32_t slot = api_byte(m) % 2;
    dirac_context *plain = NULL;
    fuzz_status(dirac_context_create(&plain));
    dirac_context_destroy(plain);
    dirac_context_destroy(m->contexts[slot]);
    fuzz_status(dirac_context_create_with_allocator(&m->contexts[slot], fuzz_allocate, fuzz_release, &m->memory));
    fuzz_status(dirac_context_create_with_allocator(NULL, fuzz_allocate, NULL, &m->memory));
    fuzz_status(dirac_context_create(NULL));
    FUZZ_CHECK(dirac_abi_version() == DIRAC_ABI_VERSION && dirac_version_number() >= 0);
    FUZZ_CHECK(dirac_version_string()[0] != '\0' && dirac_build_features()[0] != '\0');
}

static void destroy(machine *m)
{
    const int32_t slot = api_byte(m) % 2;
    dirac_context_destroy(m->contexts[slot]);
    m->contexts[slot] = NULL;
}

static int32_t run_tasks(void *user, dirac_task_fn task, void *task_data, int32_t count)
{
    for (int32_t i = count; user == NULL && i-- > 0;)
        task(task_data, i);
    return user != NULL; /* refuses */
}

static void take_message(void *user, int32_t level, const char *message)
{
    (void)user;
    FUZZ_CHECK(level >= DIRAC_LOG_WARNING && level <= DIRAC_LOG_DEBUG && message[0] != '\0');
}

static int32_t stop_sometimes(void *user, int64_t done, int64_t total)
{
    machine *m = user;
    FUZZ_CHECK(done >= 0 && done <= total);
    return api_byte(m) > 240;
}

static void set_threads(machine *m)
{
    dirac_context *context = api_pick_context(m);
    fuzz_status(dirac_context_set_threads(context, api_option(m)));
    FUZZ_CHECK(context == NULL || dirac_context_threads(context) >= 1);
}

static void set_runner(machine *m)
{
    dirac_context *context = api_pick_context(m);
    fuzz_status(dirac_context_set_runner(context, api_byte(m) % 4 == 0 ? NULL : run_tasks, api_byte(m) % 2 ? m : NULL,
                                         api_option(m)));
}

static void set_callbacks(machine *m)
{
    dirac_context *context = api_pick_context(m);
    fuzz_status(dirac_context_set_log(context, api_byte(m) % 2 ? take_message : NULL, m, api_option(m)));
    fuzz_status(dirac_context_set_progress(context, api_byte(m) % 2 ? stop_sometimes : NULL, m));
}

static void set_options(machine *m)
{
    static const char *const kernels[8] = {NULL, "scalar", "x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64", "", "x87"};
    static const uint64_t limits[4] = {0, 4096, 1 << 20, UINT64_MAX};
    dirac_context *context = api_pick_context(m);
    switch (api_byte(m) % 4) {
    case 0: fuzz_status(dirac_context_set_kernels(context, kernels[api_byte(m) % 8])); break;
    case 1: fuzz_status(dirac_context_set_blas(context, api_option(m))); break;
    case 2: fuzz_status(dirac_context_set_load_limit(context, limits[api_byte(m) % 4])); break;
    default: fuzz_status(dirac_context_set_seed(context, api_seed(m))); break;
    }
    FUZZ_CHECK((dirac_context_kernels(context)[0] != '\0') == (context != NULL));
}

/* Memory runs out for a while. */
static void fail_allocations(machine *m)
{
    m->memory.fail_at = api_byte(m);
}

static void make_kind(machine *m)
{
    static const char *const names[4] = {"mine", "yours", "conv", "0"};
    const int32_t slot = api_byte(m) % 2;
    dirac_layer_kind_destroy(m->kinds[slot]);
    fuzz_status(dirac_layer_kind_create(&m->kinds[slot], api_pick_context(m), names[api_byte(m) % 4], api_option(m)));
    if (api_byte(m) % 8 != 0)
        api_fill_kind(m, m->kinds[slot]);
}

static void drop_kind(machine *m)
{
    const int32_t slot = api_byte(m) % 2;
    dirac_layer_kind_destroy(m->kinds[slot]);
    m->kinds[slot] = NULL;
}

const operation api_context_operations[] = {create, destroy, set_threads, set_runner, set_callbacks, set_options,
                                            fail_allocations, make_kind, drop_kind, NULL};
