/* SPDX-License-Identifier: MIT */
/* Direct convolution, and Winograd's F(4x4, 3x3) where it fits. */
#include "layers/algorithm.h"

/* ---- direct ---- */

static size_t direct_packed(const dirac__kernels *k, const dirac__convolution *s, bool transposed)
{
    return transposed ? k->conv_packed_transposed(s) : k->conv_packed(s);
}

static void direct_pack(const dirac__kernels *k, float *packed, const float *w, const float *scale, const float *delta,
                        const dirac__convolution *s, bool transposed, dirac__team *team)
{
    (transposed ? k->conv_pack_transposed : k->conv_pack)(packed, w, scale, delta, s, team);
}

static size_t direct_scratch(const dirac__kernels *k, const dirac__convolution *s, int32_t lanes)
{
    (void)k;
    (void)s;
    (void)lanes;
    return 0;
}

static void direct_forward(const dirac__kernels *k, float *y, const float *x, const dirac__activation *activation,
                           const float *packed, const float *bias, int32_t relu, const dirac__moments *moments,
                           float *scratch, const dirac__convolution *s, dirac__team *team)
{
    (void)activation;
    (void)moments;
    (void)scratch;
    k->conv_forward(y, x, packed, bias, relu, s, team);
}

static void direct_backward_data(const dirac__kernels *k, float *dx, const float *dy, const float *packed,
                                 const dirac__mask *mask, float *scratch, const dirac__convolution *s, dirac__team *team)
{
    (void)mask;
    (void)scratch;
    k->conv_backward_data(dx, dy, packed, s, team);
}

static size_t direct_weight_scratch(const dirac__kernels *k, const dirac__convolution *s, int32_t lanes)
{
    (void)lanes;
    return k->conv_weight_scratch(s);
}

static void direct_backward_weight(const dirac__kernels *k, float *g, const float *x, const dirac__activation *activation,
                                   float *dy, const dirac__correction *correction, float *scratch,
                                   const dirac__convolution *s, dirac__team *team)
{
    (void)activation;
    (void)correction;
    k->conv_backward_weight(g, x, dy, scratch, s, team);
}

static const dirac__algorithm direct = {"direct",
                                        false,
                                        direct_packed,
                                        direct_pack,
                                        direct_scratch,
                                        direct_forward,
                                        direct_backward_data,
                                        direct_weight_scratch,
                                        direct_backward_weight};

/* ---- Winograd ---- */

static size_t winograd_packed(const dirac__kernels *k, const dirac__convolution *s, bool transposed)
{
    return transposed ? k->winograd_packed_transposed(s) : k->winograd_packed(s);
}

static void winograd_pack(const dirac__kernels *k, float *packed, const float *w, const float *scale,
                          const float *delta, const dirac__convolution *s, bool transposed, dirac__team *team)
{
    (transposed ? k->winograd_pack_transposed : k->winograd_pack)(packed, w, scale, delta, s, team);
}

static size_t winograd_scratch(const dirac__kernels *k, const dirac__convolution *s, int32_t lanes)
{
    return k->winograd_scratch(s, lanes);
}

static void winograd_forward(const dirac__kernels *k, float *y, const float *x, const dirac__activation *activation,
                             const float *packed, const float *bias, int32_t relu, const dirac__moments *moments,
                             float *scratch, const dirac__convolution *s, dirac__team *team)
{
    k->winograd_forward(y, x, activation, packed, bias, relu, moments, scratch, s, team);
}

static void winograd_backward_data(const dirac__kernels *k, float *dx, const float *dy, const float *packed,
                                   const dirac__mask *mask, float *scratch, const dirac__convolution *s,
                                   dirac__team *team)
{
    k->winograd_backward_data(dx, dy, packed, mask, scratch, s, team);
}

static size_t winograd_weight_scratch(const dirac__kernels *k, const dirac__convolution *s, int32_t lanes)
{
    return k->winograd_weight_scratch(s, lanes);
}

static void winograd_backward_weight(const dirac__kernels *k, float *g, const float *x,
                                     const dirac__activation *activation, float *dy, const dirac__correction *correction,
                                     float *scratch, const dirac__convolution *s, dirac__team *team)
{
    k->winograd_backward_weight(g, x, activation, dy, correction, scratch, s, team);
}

static const dirac__algorithm winograd = {"winograd",
                                          true,
                                          winograd_packed,
                                          winograd_pack,
                                          winograd_scratch,
                                          winograd_forward,
                                          winograd_backward_data,
                                          winograd_weight_scratch,
                                          winograd_backward_weight};

const dirac__algorithm *dirac__algorithm_choose(const dirac__kernels *kernels, const dirac__convolution *shape,
                                                bool strict)
{
    return !strict && kernels->winograd_fits(shape) ? &winograd : &direct;
}
