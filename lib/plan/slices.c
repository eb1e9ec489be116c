/* SPDX-License-Identifier: MIT */
/*
 * How many images an inference session takes through the whole net at a time.
 *
 * Layer by layer over a whole batch, the values between layers of a narrow net travel to memory and back; a few images at a
 * time they stay in a core's second-level cache, and lanes work on slices of their own without waiting for each other. The
 * price is that packed weights are read once a slice. The choice weighs the bytes that go past that cache:
 *
 *     packed weights x slices + sum over layers of (input + output of the batch, where a slice of it does not fit)
 *
 * An image's values do not depend on the images beside it, so neither do bits on the slice.
 */
#include <dirac/status.h>

#include "plan/session.h"

#define CACHE_BYTES 1048576.0 /* for a layer's input and output; packed weights and scratch want the rest of it */

/* Input and output of one image, in bytes. */
static double layer_bytes(const dirac_session *s, const dirac_node *node)
{
    double count = (double)dirac__shape_count(&s->plan.steps[node->id].out);
    for (int32_t i = 0; i < node->layer.n_inputs; i++)
        count += (double)dirac__shape_count(&s->plan.steps[node->inputs[i]->id].out);
    return count * sizeof(float);
}

/* `slice` images at a time, `share` of them in one core's cache. */
static double traffic(const dirac_session *s, double weights, int64_t slice, int64_t share)
{
    const int64_t slices = (s->batch + slice - 1) / slice;
    double bytes = weights * (double)slices;
    for (size_t i = 0; i < s->net->n_nodes; i++) {
        const double one = layer_bytes(s, s->net->nodes[i]);
        if (one * (double)share > CACHE_BYTES)
            bytes += one * (double)s->batch;
    }
    return bytes;
}

static bool can_be_cut(const dirac_session *s)
{
    for (size_t i = 0; i < s->net->n_nodes; i++)
        if (s->net->nodes[i]->layer.kind->traits & DIRAC__CUSTOM)
            return false; /* a host's layers run on the calling thread, and may look at all images */
    return s->mode == DIRAC_INFER && s->batch > 1 && !s->lean; /* lean: each slice would pack all weights again */
}

int64_t dirac__choose_slice(const dirac_session *s)
{
    const int64_t lanes = dirac__team_lanes(s->context->team);
    double weights = 0;
    if (!can_be_cut(s))
        return s->batch;
    for (size_t i = 0; i < s->net->n_nodes; i++)
        weights += (double)s->plan.steps[i].prepared_bytes;
    int64_t best = s->batch;
    double least = traffic(s, weights, s->batch, (s->batch + lanes - 1) / lanes);
    for (int64_t slice = 1; slice < s->batch && (s->batch + slice - 1) / slice >= lanes; slice *= 2) {
        const double bytes = traffic(s, weights, slice, slice);
        if (bytes < least) {
            least = bytes;
            best = slice;
        }
    }
    return best;
}
