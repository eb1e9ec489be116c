/* SPDX-License-Identifier: MIT */
#include "layers/norm.h"

#include "layers/planning.h"

enum { ARRAYS = 10 };

bool dirac__norm_room(size_t *bytes, size_t c)
{
    bool fits = true;
    for (int i = 0; i < ARRAYS; i++)
        fits = fits && dirac__room(bytes, c, sizeof(float));
    return fits;
}

void dirac__norm_cut(dirac__norm *norm, void *from, size_t c)
{
    unsigned char *at = from;
    float **const arrays[ARRAYS] = {&norm->mean, &norm->var, &norm->rstd,    &norm->scale, &norm->shift,
                                    &norm->sum,  &norm->product, &norm->a,   &norm->b,     &norm->t};
    for (int i = 0; i < ARRAYS; i++)
        *arrays[i] = dirac__take(&at, c, sizeof(float));
}
