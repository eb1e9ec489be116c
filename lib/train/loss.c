/* SPDX-License-Identifier: MIT */
/*
 * With the target t[n,c] = w[c] t_soft[n,c], or for hard labels t = (1 - e) w[y] [c = y] + e/C w[c]:
 *     loss = -1/D sum_n sum_c t[n,c] log p[n,c]        dlogits[n,c] = ((sum_j t[n,j]) p[n,c] - t[n,c]) / D
 * D is n for soft and sum_n w[y_n] for hard labels.
 */
#include "train/loss.h"

#include <math.h>
#include <stddef.h>

#include <dirac/status.h>

#include "base/fail.h"

static double weight(const dirac__loss *loss, int64_t c)
{
    return loss->weights == NULL ? 1.0 : (double)loss->weights[c];
}

static double target(const dirac__loss *loss, int64_t n, int64_t c)
{
    if (loss->labels == NULL)
        return weight(loss, c) * (double)loss->targets[n * loss->classes + c];
    const double e = (double)loss->smoothing;
    return weight(loss, c) * ((c == loss->labels[n] ? 1.0 - e : 0.0) + e / (double)loss->classes);
}

/* One image: returns -sum_c t log p; leaves D dlogits in `gradient`. */
static double one_image(const dirac__loss *loss, int64_t n, double divisor, float *gradient)
{
    const float *z = loss->logits + n * loss->classes;
    double largest = z[0], sum = 0, value = 0, total = 0;
    for (int64_t c = 1; c < loss->classes; c++)
        largest = (double)z[c] > largest || isnan(z[c]) ? (double)z[c] : largest;
    for (int64_t c = 0; c < loss->classes; c++)
        sum += exp((double)z[c] - largest);
    /* cppcheck-suppress invalidFunctionArg ; there is a class, and the largest logit adds 1 */
    const double log_sum = log(sum);
    for (int64_t c = 0; c < loss->classes; c++) {
        const double t = target(loss, n, c);
        total += t;
        if (t != 0)
            value -= t * ((double)z[c] - largest - log_sum);
    }
    for (int64_t c = 0; gradient != NULL && c < loss->classes; c++) {
        const double p = exp((double)z[c] - largest - log_sum);
        gradient[n * loss->classes + c] = (float)((total * p - target(loss, n, c)) / divisor);
    }
    return value;
}

static int32_t check_labels(const dirac__loss *loss)
{
    for (int64_t n = 0; n < loss->n; n++)
        if (loss->labels[n] < 0 || loss->labels[n] >= loss->classes)
            return dirac__fail(DIRAC_ERR_ARGUMENT, "the label of image %lld of the batch is %d, legal are 0 to %lld",
                               (long long)n, loss->labels[n], (long long)loss->classes - 1);
    return DIRAC_OK;
}

int32_t dirac__cross_entropy(const dirac__loss *loss, float *gradient, double *value)
{
    double divisor = (double)loss->n;
    if (loss->labels != NULL) {
        int32_t status = check_labels(loss);
        if (status != DIRAC_OK)
            return status;
        divisor = 0;
        for (int64_t n = 0; n < loss->n; n++)
            divisor += weight(loss, loss->labels[n]);
        if (!(divisor > 0))
            return dirac__fail(DIRAC_ERR_ARGUMENT, "the class weights of all labels of the batch are zero");
    }
    double sum = 0;
    for (int64_t n = 0; n < loss->n; n++)
        sum += one_image(loss, n, divisor, gradient);
    *value = sum / divisor;
    return DIRAC_OK;
}

int32_t dirac__count_correct(const dirac__loss *loss, int64_t *correct)
{
    int32_t status = check_labels(loss);
    if (status != DIRAC_OK)
        return status;
    *correct = 0;
    for (int64_t n = 0; n < loss->n; n++) {
        const float *z = loss->logits + n * loss->classes;
        int64_t best = 0;
        for (int64_t c = 1; c < loss->classes; c++)
            if (z[c] > z[best] || isnan(z[c])) /* a NaN is the largest, and never right */
                best = c;
        *correct += best == loss->labels[n] && !isnan(z[best]);
    }
    return DIRAC_OK;
}
