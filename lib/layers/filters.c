/* SPDX-License-Identifier: MIT */
/*
 * What filters are made of: What = a I + r, and the share of the identity, |a| / (|a| + |r|). Numbers are worked out
 * anew from the parameters: this is for looking at a net now and then.
 */
#include "layers/filters.h"

#include <math.h>

static dirac__filter measure(const dirac__weights *w, float *const *parameters, int64_t o)
{
    return dirac__form_measure(w->form, o, parameters[0], w->alpha >= 0 ? parameters[w->alpha] : NULL,
                               w->beta >= 0 ? parameters[w->beta] : NULL, &w->shape);
}

static double pick(const dirac__filter *f, int32_t quantity)
{
    const double whole = fabs(f->alpha) + f->rest;
    switch (quantity) {
    case DIRAC_FILTER_ALPHA: return f->alpha;
    case DIRAC_FILTER_BETA: return f->beta;
    case DIRAC_FILTER_NORM: return f->norm;
    default: return whole == 0 ? 0 : fabs(f->alpha) / whole;
    }
}

void dirac__filters_read(float *values, int32_t quantity, const dirac__weights *w, float *const *parameters)
{
    for (int64_t o = 0; o < w->shape.groups * w->shape.co; o++) {
        const dirac__filter f = measure(w, parameters, o);
        values[o] = (float)pick(&f, quantity);
    }
}

dirac__filter_summary dirac__filters_summarize(int32_t quantity, const dirac__weights *w, float *const *parameters)
{
    dirac__filter_summary s = {0, 0, INFINITY, -INFINITY};
    const bool all = quantity == DIRAC_FILTER_BETA || quantity == DIRAC_FILTER_NORM;
    for (int64_t o = 0; o < w->shape.groups * w->shape.co; o++) {
        const dirac__filter f = measure(w, parameters, o);
        if (!all && !f.identity)
            continue;
        const double value = pick(&f, quantity);
        s.filters++;
        s.mean += value;
        s.least = isnan(value) || value < s.least ? value : s.least;
        s.largest = isnan(value) || value > s.largest ? value : s.largest;
    }
    if (s.filters == 0)
        return (dirac__filter_summary){0, 0, 0, 0};
    s.mean /= (double)s.filters;
    if (isnan(s.mean))
        s.least = s.largest = s.mean;
    return s;
}
