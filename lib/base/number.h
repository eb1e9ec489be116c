/* SPDX-License-Identifier: MIT */
/* Decimal numbers without the locale: strtod and printf("%f") change meaning with it. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIRAC__NUMBER_CAPACITY 32

/* Writes the shortest of up to `digits` significant digits (1 to 17) of `value`: "0.1", "1e-05", "nan", "-inf". With 9
 * digits every float, with 17 every double, is read back exactly by dirac__parse_number(). Returns `out`. */
char *dirac__format_number(char out[DIRAC__NUMBER_CAPACITY], double value, int32_t digits);

/* Reads one number in JSON's grammar at `text`, at most `size` bytes; *used receives its length. False if there is none
 * or it is beyond double's range. */
bool dirac__parse_number(const char *text, size_t size, double *value, size_t *used);

/* The nearest float or double, ties to even, infinity beyond the range: what a cast gives when rounding to nearest, whatever
 * the floating-point mode. For numbers of files, which are to be read alike by all. */
float dirac__nearest_float(double value);
double dirac__nearest_double(int64_t value);

/* Reads a whole text of decimal digits with an optional '-'; false when it is anything else or beyond int64_t. */
bool dirac__parse_integer(const char *text, size_t size, int64_t *value);

#endif
