/* SPDX-License-Identifier: MIT */
/*
 * 16-bit floats to float, by bits: no table, no instruction set needed, no rounding, so the floating-point mode does not
 * matter.
 */
#include "io/half.h"

#include <string.h>

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float dirac__half_to_float(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t exponent = (bits >> 10) & 31u;
    uint32_t fraction = bits & 0x3ffu;
    if (exponent == 31) {
        return from_bits(sign | 0x7f800000u | fraction << 13);
    }
    if (exponent != 0) {
        return from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
    }
    if (fraction == 0) {
        return from_bits(sign);
    }
    /* Subnormal: fraction 2^-24, a normal float. Move its highest one to the hidden place. */
    exponent = 127 - 14;
    while ((fraction & 0x400u) == 0) {
        fraction <<= 1;
        exponent--;
    }
    return from_bits(sign | exponent << 23 | (fraction & 0x3ffu) << 13);
}

float dirac__bfloat16_to_float(uint16_t bits)
{
    return from_bits((uint32_t)bits << 16);
}
