/* SPDX-License-Identifier: MIT */
/*
 * The 16-bit floats of files as float. Every value of both is a float exactly; NaN stays NaN with its sign and the
 * bits it has.
 */
#ifndef IO_HALF_H
#define IO_HALF_H

#include <stdint.h>

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
float dirac__half_to_float(uint16_t bits);

/* bfloat16: the upper half of a float. */
float dirac__bfloat16_to_float(uint16_t bits);

#endif
