/* SPDX-License-Identifier: MIT */
/* How near float32 results must come to the float64 ones, and why. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reference_nets.h"

#define ROUNDING 0x1p-24 /* the largest relative error of one rounding to float */

/*
 * Tolerance of a tensor = factor * err32 + roundings * 2^-24 * its largest value.
 *
 * err32 stands in the file beside each tensor: the largest error of six ordinary float32 computations of that very
 * tensor by PyTorch, each from inputs moved by at most one unit in the last place, in two kinds: sums of products done
 * directly (asked of strict sessions), and with 3x3 stride-1 convolutions and their gradients by Winograd's F(4x4, 3x3)
 * (asked of the others). So err32 follows each tensor's own conditioning: cancellation, division by small deviations,
 * depth, the number of steps. Another order of summation draws its roundings from the same distribution; the largest of
 * them over a whole tensor seldom doubles, but a tensor of few elements (a scalar at the extreme) can have been lucky
 * six times, hence the factor of 4. A wrong formula, a missed term or a tap out of place is off by 1e-3 and more.
 */
typedef struct rule {
    const char *prefix;
    double factor, roundings;
    int each; /* roundings of each element's own value, not of the tensor's largest */
    const char *reason;
} rule;

static const rule rules[] = {
    {"y", 4, 4, 0, "sums of K products and at most three more roundings an element (bias, scale, shift)"},
    {"dx", 4, 4, 0, "as y: sums over output channels and taps"},
    {"grad/", 4, 4, 0, "sums over images and positions; one rounding each for the form's factors"},
    {"new/", 4, 4, 0, "mean and variance of a batch: sums, then one product and sum with the old value"},
    {"logits", 4, 8, 0, "errors of every layer below, each normalised anew; then the head's mean and sum of products"},
    {"loss", 4, 8, 0, "follows the logits with slope at most 2, then one rounding to float"},
    {"step1/", 4, 4, 0, "p - rate d: gradient's error times rate, and three roundings"},
    {"step5/", 4, 8, 0, "five times that, and what five forwards and backwards make of it (in err32)"},
    {"end/", 4, 8, 0, "as step5/, for six steps"},
    {"momentum/", 4, 8, 0, "a sum of six gradients with factors up to 1"},
    {"rates", 0, 2, 0, "computed from floats in float or double: one rounding each for product and result"},
    {"folded/", 0, 1.001, 1, "the fold is done in double from float parameters, then rounded once"},
};
enum { RULES = sizeof rules / sizeof *rules };

static double nearest[RULES]; /* the largest part of its tolerance that any comparison of this rule has used */
static char nearest_name[RULES][160];
static int compared, too_far;

static int rule_for(const char *name)
{
    for (int i = RULES - 1; i >= 0; i--)
        if (strncmp(name, rules[i].prefix, strlen(rules[i].prefix)) == 0)
            return i;
    fail_msg("no rule for \"%s\"", name);
    return 0;
}

/* The part of the tolerance that all elements share. */
static double tolerance(const reference_way *way, const reference_file *file, const char *a_case,
                        const reference_tensor *want, const char *name, const rule *r)
{
    char error_name[256];
    double largest = 0;
    snprintf(error_name, sizeof error_name, "err32/%s", name);
    const double *error = reference_get(file, a_case, error_name)->values;
    for (size_t i = 0; i < want->count && !r->each; i++)
        largest = fmax(largest, fabs(want->values[i]));
    return r->factor * (way->strict ? error[0] : fmax(error[0], error[1])) + r->roundings * ROUNDING * largest;
}

static void report(const reference_way *way, const char *a_case, const char *name, size_t i, double got, double want,
                   double allowed)
{
    print_error("%s/%s[%zu] (%s%s): %.9g, must be %.17g: off by %.3g, allowed %.3g\n", a_case, name, i,
                dirac_context_kernels(way->context), way->strict ? ", strict" : "", got, want, fabs(got - want),
                allowed);
    too_far++;
}

void compare(const reference_way *way, const reference_file *file, const char *a_case, const char *name, size_t first,
             const float *got, size_t count)
{
    const reference_tensor *want = reference_get(file, a_case, name);
    int which = rule_for(name);
    const rule *r = &rules[which];
    double common = tolerance(way, file, a_case, want, name, r), worst = 0, worst_allowed = 0;
    size_t at = 0;
    assert_true(first <= want->count && count <= want->count - first && count > 0);
    for (size_t i = 0; i < count; i++) {
        double value = want->values[first + i], difference = fabs((double)got[i] - value);
        double allowed = common + (r->each ? r->roundings * ROUNDING * fabs(value) : 0);
        double part = difference > 0 ? difference / allowed : difference; /* NaN stays NaN, no tolerance is infinity */
        if (!(part <= worst)) {
            worst = part;
            worst_allowed = allowed;
            at = i;
        }
        if (isnan(worst))
            break;
    }
    compared++;
    if (!(worst <= 1))
        report(way, a_case, name, first + at, (double)got[at], want->values[first + at], worst_allowed);
    if (!(worst <= nearest[which])) {
        nearest[which] = worst;
        snprintf(nearest_name[which], sizeof nearest_name[which], "%s/%s", a_case, name);
    }
}

void compare_output(const reference_way *way, const reference_file *file, const char *a_case, const char *name,
                    const dirac_session *session)
{
    const float *values = NULL;
    size_t count = 0;
    must(a_case, dirac_session_output(session, 0, &values, &count));
    assert_int_equal(count, reference_get(file, a_case, name)->count);
    compare(way, file, a_case, name, 0, values, count);
}

void compare_net(const reference_way *way, const reference_file *file, const char *a_case, const char *prefix,
                 const dirac_net *net, int32_t only_state)
{
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *own = dirac_net_tensor_name(net, i);
        char name[256];
        int64_t dims[DIRAC_MAX_RANK];
        int32_t role = 0;
        must(own, dirac_net_tensor_shape(net, own, dims, NULL, &role));
        snprintf(name, sizeof name, "%s/%s", prefix, own);
        if (only_state && role == DIRAC_ROLE_TRAINED)
            continue;
        size_t count = reference_get(file, a_case, name)->count;
        float *values = calloc(count, sizeof *values);
        assert_non_null(values);
        must(own, dirac_net_tensor_read(net, own, values, count));
        compare(way, file, a_case, name, 0, values, count);
        free(values);
    }
}

void compare_gradients(const reference_way *way, const reference_file *file, const char *a_case, const dirac_net *net,
                       const dirac_session *session)
{
    for (int64_t i = 0; i < dirac_net_tensor_count(net); i++) {
        const char *own = dirac_net_tensor_name(net, i);
        char name[256];
        int64_t dims[DIRAC_MAX_RANK];
        int32_t role = 0;
        must(own, dirac_net_tensor_shape(net, own, dims, NULL, &role));
        if (role != DIRAC_ROLE_TRAINED)
            continue;
        snprintf(name, sizeof name, "grad/%s", own);
        size_t count = reference_get(file, a_case, name)->count;
        float *values = calloc(count, sizeof *values);
        assert_non_null(values);
        must(own, dirac_session_gradient_read(session, own, values, count));
        compare(way, file, a_case, name, 0, values, count);
        free(values);
    }
}

void compare_input_gradients(const reference_way *way, const reference_file *file, const char *a_case,
                             const dirac_net *net, const dirac_session *session)
{
    for (int32_t i = 0; i < dirac_net_input_count(net); i++) {
        const float *values = NULL;
        size_t count = 0;
        char name[16];
        snprintf(name, sizeof name, "dx%d", (int)i);
        if (reference_find(file, a_case, name) == NULL)
            name[2] = '\0';
        if (reference_find(file, a_case, name) == NULL)
            continue; /* too large to be kept */
        must(name, dirac_session_input_gradient(session, i, &values, &count));
        assert_int_equal(count, reference_get(file, a_case, name)->count);
        compare(way, file, a_case, name, 0, values, count);
    }
}

void comparisons_end(const char *test)
{
    int failed = too_far;
    print_message("%s: %d tensors compared\n", test, compared);
    for (int i = 0; i < RULES; i++) {
        if (nearest_name[i][0] != '\0')
            print_message("    %-10s at most %3.0f %% of the tolerance: %s\n", rules[i].prefix, 100 * nearest[i],
                          nearest_name[i]);
        nearest[i] = 0;
        nearest_name[i][0] = '\0';
    }
    assert_true(compared > 0);
    compared = too_far = 0;
    assert_int_equal(failed, 0);
}
