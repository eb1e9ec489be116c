/* SPDX-License-Identifier: MIT */
/* A custom kind whose attribute "mode" says what its callbacks do: right, wrong, or failing. */
#include "api.h"

enum { RIGHT = 0, FAILS_SETUP, FAILS_FORWARD, FAILS_BACKWARD, NO_SHAPE, MANY_PARAMETERS, ODD_SHAPE, MODES };

static size_t count_input(const dirac_layer *layer)
{
    int64_t dims[4];
    int32_t rank = 0;
    size_t count = (size_t)dirac_layer_batch(layer);
    FUZZ_CHECK(dirac_layer_input_shape(layer, 0, dims, &rank) == DIRAC_OK);
    for (int32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    return count;
}

/* What a layer says of itself in a call, where its shapes are known. */
static void look_at_layer(const dirac_layer *layer)
{
    int64_t in[4], out[4], dims[DIRAC_MAX_RANK];
    int32_t in_rank, out_rank, rank;
    FUZZ_CHECK(dirac_layer_input_count(layer) >= 1);
    FUZZ_CHECK(dirac_layer_input_shape(layer, 0, in, &in_rank) == DIRAC_OK);
    FUZZ_CHECK(dirac_layer_output_shape(layer, out, &out_rank) == DIRAC_OK);
    FUZZ_CHECK(out_rank == in_rank && memcmp(in, out, (size_t)in_rank * sizeof in[0]) == 0);
    FUZZ_CHECK(dirac_layer_parameter_shape(layer, "p", dims, &rank) == DIRAC_OK && rank == 1 && dims[0] == 1);
    FUZZ_CHECK(dirac_layer_parameter_shape(layer, "none", dims, &rank) == DIRAC_ERR_NOT_FOUND);
    FUZZ_CHECK(isfinite(dirac_layer_get_float(layer, "slope")) && dirac_layer_get_float(layer, "none") == 0);
}

/* y = p x with a parameter p, a state that counts, and x kept. */
static int32_t set_up(void *user, dirac_layer *layer)
{
    int64_t dims[4], one = 1;
    int32_t rank;
    const int64_t mode = dirac_layer_get_int(layer, "mode");
    (void)user;
    fuzz_status(dirac_layer_input_shape(layer, 77, dims, &rank));
    fuzz_status(dirac_layer_output_shape(layer, dims, &rank));
    FUZZ_CHECK(dirac_layer_parameter_shape(layer, "p", dims, &rank) == DIRAC_ERR_NOT_FOUND);
    FUZZ_CHECK(dirac_layer_kept_count(layer) == 0);
    fuzz_status(dirac_layer_set_output_shape(layer, NULL, 3));
    FUZZ_CHECK(dirac_layer_input_shape(layer, 0, dims, &rank) == DIRAC_OK);
    if (mode == ODD_SHAPE)
        dims[0] = -3;
    if (mode != NO_SHAPE)
        fuzz_status(dirac_layer_set_output_shape(layer, dims, rank));
    fuzz_status(dirac_layer_add_parameter(layer, "p", &one, 1, 1, DIRAC_INIT_CONSTANT, 0.5, 0));
    fuzz_status(dirac_layer_add_state(layer, "calls", &one, 1, 0));
    for (int32_t i = 0; mode == MANY_PARAMETERS && i < 9; i++)
        fuzz_status(dirac_layer_add_parameter(layer, "q", &one, 1, 0, 99, NAN, 0));
    fuzz_status(dirac_layer_keep(layer, (int64_t)1, 2));
    return mode == FAILS_SETUP;
}

static int32_t forward(void *user, dirac_layer *layer)
{
    const float *x = dirac_layer_input(layer, 0), *p = dirac_layer_parameter(layer, "p");
    float *y = dirac_layer_output(layer), *calls = dirac_layer_new_state(layer, "calls");
    float *kept = dirac_layer_kept(layer);
    (void)user;
    FUZZ_CHECK(x != NULL && p != NULL && y != NULL && dirac_layer_parameter(layer, "none") == NULL);
    look_at_layer(layer);
    FUZZ_CHECK(dirac_layer_kept_count(layer) == (kept != NULL ? dirac_layer_batch(layer) + 2 : 0));
    FUZZ_CHECK(dirac_layer_input(layer, -1) == NULL && dirac_layer_parameter_gradient(layer, "p") == NULL);
    FUZZ_CHECK((calls != NULL) == (dirac_layer_is_training(layer) == 1));
    fuzz_status(dirac_layer_keep(layer, 1, 1));
    for (size_t i = count_input(layer); i-- > 0;)
        y[i] = p[0] * x[i];
    if (calls != NULL)
        calls[0] += 1;
    for (int64_t i = 0; i < dirac_layer_kept_count(layer); i++)
        kept[i] = 7;
    return dirac_layer_get_int(layer, "mode") == FAILS_FORWARD;
}

static int32_t backward(void *user, dirac_layer *layer)
{
    const float *dy = dirac_layer_output_gradient(layer), *x = dirac_layer_input(layer, 0);
    const float *p = dirac_layer_parameter(layer, "p"), *kept = dirac_layer_kept(layer);
    float *dx = dirac_layer_input_gradient(layer, 0), *dp = dirac_layer_parameter_gradient(layer, "p");
    (void)user;
    look_at_layer(layer);
    FUZZ_CHECK(dy != NULL && x != NULL && p != NULL && kept != NULL && kept[0] == 7);
    for (size_t i = count_input(layer); i-- > 0;) {
        if (dp != NULL)
            dp[0] += dy[i] * x[i];
        if (dx != NULL)
            dx[i] = dy[i] * p[0];
    }
    return dirac_layer_get_int(layer, "mode") == FAILS_BACKWARD;
}

void api_fill_kind(machine *m, dirac_layer_kind *kind)
{
    fuzz_status(dirac_layer_kind_add_int(kind, "mode", 0, MODES - 1, RIGHT));
    fuzz_status(dirac_layer_kind_add_float(kind, api_name(m), api_real(m), api_real(m), api_real(m)));
    fuzz_status(dirac_layer_kind_set_user(kind, m, NULL));
    fuzz_status(dirac_layer_kind_set_setup(kind, set_up));
    fuzz_status(dirac_layer_kind_set_forward(kind, forward));
    if (api_byte(m) % 8 != 0)
        fuzz_status(dirac_layer_kind_set_backward(kind, backward));
    fuzz_status(dirac_layer_kind_register(kind));
}
