/* SPDX-License-Identifier: MIT */
/*
 * Bounds on the errors of Winograd's convolution, element by element: with |.| of every matrix entry,
 *
 *     |error| <= u (terms + transforms) sum_i |A'| [ (|G| |g_i| |G'|) . (|B'| |x_i| |B|) ] |A|
 *
 * where u = 2^-24, `terms` is the length of the sum, and each of the three transforms, done in two dimensions with at most
 * five operations and two rounded constants each, adds at most 14: 42 in all.
 */
#ifndef SUPPORT_WINOGRAD_BOUND_H
#define SUPPORT_WINOGRAD_BOUND_H

#include "support/twin_convolution.h"

/* The following calls are about tiles of out x out outputs: 4 or 2. */
void winograd_bound_tiles(int out);
/* The bound of every output (channels-first). `what` (co, ci, 9). */
void winograd_bound_forward(double *bound, const float *x, const twin_number *what, const dirac__convolution *s);
/* The bound of every dg (co, ci, 9). */
void winograd_bound_weight(double *bound, const float *x, const float *dy, const dirac__convolution *s);

#endif
