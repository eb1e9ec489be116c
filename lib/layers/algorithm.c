/* SPDX-License-Identifier: MIT */
/*
 * Direct convolution, and Winograd's F(4x4, 3x3) and F(2x2, 3x3) where they fit and pay.
 *
 * What an algorithm costs for a pair of channels: its products, and its weights, of which each costs as much to bring from
 * memory as `reading` products, which the kernels name:
 *
 *     direct  9 (n h w + reading)     F(m x m)  (m+2)^2 (n tiles + reading)
 *
 * So F(4x4) serves large maps and batches, F(2x2) single images' small maps, and direct sums where a map is so small that
 * only weights count.
 */
#include "layers/algorithm.h"

static int64_t winograd_cost(const dirac__winograd *w, const dirac__convolution *s, int64_t reading)
{
    const int64_t in = w->out + 2, high = (s->out[1] + w->out - 1) / w->out, wide = (s->out[2] + w->out - 1) / w->out;
    return in * in * (s->n * high * wide + reading);
}

dirac__algorithm dirac__algorithm_choose(const dirac__kernels *kernels, const dirac__convolution *s, bool strict)
{
    dirac__algorithm a = {kernels, NULL, false};
    const dirac__winograd *const list[] = {kernels->winograd4, kernels->winograd2};
    int64_t least = 9 * (s->n * s->out[1] * s->out[2] + kernels->reading);
    for (int i = 0; i < 2 && !strict; i++) {
        const int64_t cost = winograd_cost(list[i], s, kernels->reading);
        if (list[i]->fits(s) && cost < least) {
            least = cost;
            a.winograd = list[i];
        }
    }
    a.takes_unpacked = a.winograd != NULL && a.winograd->takes_unpacked(s);
    return a;
}

size_t dirac__algorithm_packed(dirac__algorithm a, const dirac__convolution *s, bool transposed)
{
    if (a.winograd != NULL)
        return transposed ? a.winograd->packed_transposed(s) : a.winograd->packed(s);
    return transposed ? a.kernels->conv_packed_transposed(s) : a.kernels->conv_packed(s);
}

void dirac__algorithm_pack(dirac__algorithm a, float *packed, const float *w, const float *scale, const float *delta,
                           const dirac__convolution *s, bool transposed, dirac__team *team)
{
    if (a.winograd != NULL)
        (transposed ? a.winograd->pack_transposed : a.winograd->pack)(packed, w, scale, delta, s, team);
    else
        (transposed ? a.kernels->conv_pack_transposed : a.kernels->conv_pack)(packed, w, scale, delta, s, team);
}

size_t dirac__algorithm_scratch(dirac__algorithm a, const dirac__convolution *s, bool unpacked, int32_t lanes)
{
    return a.winograd != NULL ? a.winograd->scratch(s, unpacked, lanes) : 0;
}

void dirac__algorithm_forward(dirac__algorithm a, float *y, const float *x, const dirac__activation *activation,
                              const dirac__filters *filters, const float *bias, int32_t relu, const dirac__moments *moments,
                              float *scratch, const dirac__convolution *s, dirac__team *team)
{
    if (a.winograd != NULL)
        a.winograd->forward(y, x, activation, filters, bias, relu, moments, scratch, s, team);
    else
        a.kernels->conv_forward(y, x, filters->packed, bias, relu, s, team);
}

void dirac__algorithm_backward_data(dirac__algorithm a, float *dx, const float *dy, const dirac__filters *filters,
                                    const dirac__mask *mask, float *scratch, const dirac__convolution *s,
                                    dirac__team *team)
{
    if (a.winograd != NULL)
        a.winograd->backward_data(dx, dy, filters, mask, scratch, s, team);
    else
        a.kernels->conv_backward_data(dx, dy, filters->packed, s, team);
}

size_t dirac__algorithm_weight_scratch(dirac__algorithm a, const dirac__convolution *s, int32_t lanes)
{
    return a.winograd != NULL ? a.winograd->weight_scratch(s, lanes) : a.kernels->conv_weight_scratch(s);
}

void dirac__algorithm_backward_weight(dirac__algorithm a, float *g, const float *x, const dirac__activation *activation,
                                      float *dy, const dirac__correction *correction, float *scratch,
                                      const dirac__convolution *s, dirac__team *team)
{
    if (a.winograd != NULL)
        a.winograd->backward_weight(g, x, activation, dy, correction, scratch, s, team);
    else
        a.kernels->conv_backward_weight(g, x, dy, scratch, s, team);
}
