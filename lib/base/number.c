/* SPDX-License-Identifier: MIT */
/*
 * Decimal numbers, exactly. Both directions go through integers of arbitrary, bounded length, so every result is the
 * correctly rounded one (to nearest, ties to even), whatever the locale or the floating-point mode, without memory.
 *
 * A decimal is digits d1 d2 ... dn with a point p: 0.d1d2...dn times 10^p, d1 not 0.
 */
#include "base/number.h"

#include <string.h>

/* 767 digits tell any double, or midpoint of two, exactly; the last place is for "and something behind". */
#define MOST_DIGITS 770
/* Of 32 bits: 5^1093 has 2538 bits and 10^770 has 2558; the division doubles. */
#define BIG_WORDS 96
/* Of nine digits: the longest double has 767. */
#define LIMBS 90
#define BILLION UINT32_C(1000000000)

typedef struct decimal {
    char digits[MOST_DIGITS];
    int32_t count;
    int64_t point;
} decimal;

/* ---- from decimal to double ---- */

typedef struct big {
    uint32_t word[BIG_WORDS]; /* least first */
    int32_t count;            /* without leading zeros */
} big;

static void big_multiply_add(big *x, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    for (int32_t i = 0; i < x->count; i++) {
        carry += (uint64_t)x->word[i] * factor;
        x->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry > 0)
        x->word[x->count++] = (uint32_t)carry;
}

static void big_multiply_power_of_5(big *x, int64_t power)
{
    for (; power >= 13; power -= 13)
        big_multiply_add(x, 1220703125u, 0);
    for (; power > 0; power--)
        big_multiply_add(x, 5, 0);
}

static int32_t big_bits(const big *x)
{
    return 32 * x->count - (x->count > 0 ? __builtin_clz(x->word[x->count - 1]) : 0);
}

static void big_shift_left(big *x, int32_t bits)
{
    int32_t words = bits / 32, rest = bits % 32;
    if (x->count == 0 || bits == 0)
        return;
    memmove(x->word + words, x->word, (size_t)x->count * sizeof x->word[0]);
    memset(x->word, 0, (size_t)words * sizeof x->word[0]);
    x->count += words;
    if (rest > 0)
        big_multiply_add(x, UINT32_C(1) << rest, 0);
}

static int32_t big_compare(const big *a, const big *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (int32_t i = a->count - 1; i >= 0; i--)
        if (a->word[i] != b->word[i])
            return a->word[i] < b->word[i] ? -1 : 1;
    return 0;
}

/* a -= b, where a >= b. */
static void big_subtract(big *a, const big *b)
{
    uint64_t borrow = 0;
    for (int32_t i = 0; i < a->count; i++) {
        uint64_t difference = (uint64_t)a->word[i] - (i < b->count ? b->word[i] : 0) - borrow;
        a->word[i] = (uint32_t)difference;
        borrow = difference >> 63;
    }
    while (a->count > 0 && a->word[a->count - 1] == 0)
        a->count--;
}

/* The quotient's first 64 bits (the first of them 1), *exponent = floor(log2(a / b)), *more whether bits follow. */
static uint64_t big_divide(big *a, big *b, int32_t *exponent, bool *more)
{
    int32_t shift = big_bits(b) - big_bits(a);
    if (shift > 0)
        big_shift_left(a, shift);
    else
        big_shift_left(b, -shift);
    if (big_compare(a, b) < 0) {
        big_shift_left(a, 1);
        shift++;
    }
    uint64_t quotient = 0;
    for (int i = 0; i < 64; i++) {
        quotient <<= 1;
        if (big_compare(a, b) >= 0) {
            big_subtract(a, b);
            quotient |= 1;
        }
        big_shift_left(a, 1);
    }
    *exponent = -shift;
    *more = a->count > 0;
    return quotient;
}

/* Rounds (fraction / 2^63) 2^exponent, plus something less than one unit if `more`, to a double's bits. */
static uint64_t round_to_double(uint64_t fraction, int32_t exponent, bool more)
{
    int32_t drop =
        exponent >= -1022 ? 11 : 11 - 1022 - exponent; /* below the normal numbers bits get lost */
    if (drop > 64)
        return 0;
    uint64_t kept = drop == 64 ? 0 : fraction >> drop;
    uint64_t half = UINT64_C(1) << (drop - 1);
    uint64_t rest = drop == 64 ? fraction : fraction & ((half << 1) - 1);
    if (rest > half || (rest == half && (more || (kept & 1) != 0)))
        kept++;
    /* `kept` holds the implicit bit of a normal number, which adds one to the exponent field; so does a carry. */
    return exponent >= -1022 ? ((uint64_t)(exponent + 1022) << 52) + kept : kept;
}

/* The bits of the nearest float to a double's, *exact whether it is that number: a cast rounds as the thread is set to. */
static uint32_t round_to_float(uint64_t bits, bool *exact)
{
    const uint32_t sign = (uint32_t)(bits >> 63) << 31;
    const int32_t field = (int32_t)(bits >> 52 & 0x7FF), exponent = field - 1023;
    const uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1), m = fraction | UINT64_C(1) << 52;
    *exact = field == 0x7FF || (field == 0 && fraction == 0);
    if (field == 0x7FF) /* NaN stays NaN, quietly */
        return sign | 0x7F800000u | (fraction == 0 ? 0 : 0x400000u | (uint32_t)(fraction >> 29));
    if (exponent > 127)
        return sign | 0x7F800000u;
    const int32_t drop = exponent >= -126 ? 29 : 29 - 126 - exponent;
    if (field == 0 || drop > 54)
        return sign;
    const uint64_t rest = m & ((UINT64_C(1) << drop) - 1), half = UINT64_C(1) << (drop - 1);
    uint32_t kept = (uint32_t)(m >> drop);
    *exact = rest == 0;
    if (rest > half || (rest == half && (kept & 1) != 0))
        kept++; /* a carry goes into the exponent, as in round_to_double() */
    return sign | (exponent >= -126 ? ((uint32_t)(exponent + 126) << 23) + kept : kept);
}

/* The bits of the nearest double; those of infinity or more when it is beyond the range. */
static uint64_t decimal_to_bits(const decimal *number)
{
    if (number->count == 0 || number->point <= -324)
        return 0;
    if (number->point > 310)
        return UINT64_C(0x7FF) << 52;
    big a = {{0}, 0}, b = {{1}, 1};
    for (int32_t i = 0; i < number->count; i++)
        big_multiply_add(&a, 10, (uint32_t)(number->digits[i] - '0'));

    int64_t power = number->point - number->count; /* the value is a 10^power = a 5^power 2^power */
    big_multiply_power_of_5(power < 0 ? &b : &a, power < 0 ? -power : power);
    int32_t exponent;
    bool more;
    uint64_t quotient = big_divide(&a, &b, &exponent, &more);
    exponent += (int32_t)power;
    return exponent > 1023 ? UINT64_C(0x7FF) << 52 : round_to_double(quotient, exponent, more);
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double dirac__nearest_double(int64_t value)
{
    const uint64_t sign = value < 0 ? UINT64_C(1) << 63 : 0, size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (size == 0)
        return 0;
    const int32_t zeros = __builtin_clzll(size);
    return from_bits(sign | round_to_double(size << zeros, 63 - zeros, false));
}

float dirac__nearest_float(double value)
{
    uint64_t bits;
    float nearest;
    bool unused;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = round_to_float(bits, &unused);
    memcpy(&nearest, &rounded, sizeof nearest);
    return nearest;
}

/* ---- from double to decimal ---- */

/* limbs <- limbs factor + carry, in base 10^9, least first; returns the new count. */
static int32_t limbs_multiply(uint32_t *limbs, int32_t count, uint32_t factor)
{
    uint64_t carry = 0;
    for (int32_t i = 0; i < count; i++) {
        carry += (uint64_t)limbs[i] * factor;
        limbs[i] = (uint32_t)(carry % BILLION);
        carry /= BILLION;
    }
    if (carry > 0)
        limbs[count++] = (uint32_t)carry;
    return count;
}

/* All digits of a positive finite double m 2^e: those of the integer m 2^e, or of m 5^-e, with the point moved. */
static void bits_to_decimal(uint64_t bits, decimal *out)
{
    int32_t field = (int32_t)(bits >> 52);
    uint64_t m = bits & ((UINT64_C(1) << 52) - 1);
    int32_t e = field == 0 ? -1074 : field - 1075;
    if (field != 0)
        m |= UINT64_C(1) << 52;
    for (; e < 0 && (m & 1) == 0; e++)
        m >>= 1;

    uint32_t limbs[LIMBS] = {(uint32_t)(m % BILLION), (uint32_t)(m / BILLION)};
    int32_t count = limbs[1] > 0 ? 2 : 1;
    for (int32_t left = e; left > 0; left -= 29)
        count = limbs_multiply(limbs, count, UINT32_C(1) << (left < 29 ? left : 29));
    int32_t fives = e < 0 ? -e : 0;
    for (; fives >= 12; fives -= 12)
        count = limbs_multiply(limbs, count, 244140625u);
    for (; fives > 0; fives--)
        count = limbs_multiply(limbs, count, 5);

    out->count = 0;
    for (int32_t i = count - 1; i >= 0; i--)
        for (uint32_t unit = BILLION / 10; unit > 0; unit /= 10) {
            char digit = (char)('0' + limbs[i] / unit % 10);
            if (out->count > 0 || digit != '0')
                out->digits[out->count++] = digit;
        }
    out->point = out->count + (e < 0 ? e : 0);
}

static void strip_zeros(decimal *number)
{
    while (number->count > 0 && number->digits[number->count - 1] == '0')
        number->count--;
}

/* out <- exact, rounded to n digits, without trailing zeros. */
static void round_decimal(const decimal *exact, int32_t n, decimal *out)
{
    bool up = false;
    out->count = n < exact->count ? n : exact->count;
    out->point = exact->point;
    memcpy(out->digits, exact->digits, (size_t)out->count);
    if (n < exact->count) {
        bool tie =
            exact->digits[n] == '5' && n + 1 == exact->count; /* the last exact digit is not 0 */
        up = tie ? (exact->digits[n - 1] - '0') % 2 == 1 : exact->digits[n] >= '5';
    }
    if (up) {
        while (out->count > 0 && out->digits[out->count - 1] == '9')
            out->count--;
        if (out->count == 0) {
            out->digits[out->count++] = '1';
            out->point++;
        } else {
            out->digits[out->count - 1]++;
        }
    }
    strip_zeros(out);
}

/* The fewest digits, up to n, that are read back as the same double, or with n <= 9 as the same float. */
static void shortest_decimal(uint64_t bits, int32_t n, decimal *out)
{
    decimal exact;
    bool is_float, unused;
    const uint32_t nearest = round_to_float(bits, &is_float);
    is_float = is_float && n <= 9;
    bits_to_decimal(bits, &exact);
    strip_zeros(&exact);
    for (int32_t i = 1; i <= n; i++) {
        round_decimal(&exact, i, out);
        uint64_t back = decimal_to_bits(out);
        if (back == bits || (is_float && round_to_float(back, &unused) == nearest))
            return;
    }
}

static char *put_digits(char *to, const decimal *number, int64_t from, int64_t until)
{
    for (int64_t i = from; i < until; i++)
        *to++ = (char)(i >= 0 && i < number->count ? number->digits[i] : '0');
    return to;
}

/* d.ddde+XX */
static char *put_scientific(char *to, const decimal *number)
{
    int64_t exponent = number->point - 1;
    *to++ = number->digits[0];
    if (number->count > 1) {
        *to++ = '.';
        to = put_digits(to, number, 1, number->count);
    }
    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    if (exponent < 0)
        exponent = -exponent;
    if (exponent >= 100)
        *to++ = (char)('0' + exponent / 100);
    *to++ = (char)('0' + exponent / 10 % 10);
    *to++ = (char)('0' + exponent % 10);
    return to;
}

/* ddd.ddd or 0.00ddd */
static char *put_plain(char *to, const decimal *number)
{
    if (number->point <= 0)
        *to++ = '0';
    to = put_digits(to, number, 0, number->point);
    if (number->count > number->point) {
        *to++ = '.';
        to = put_digits(to, number, number->point, number->count);
    }
    return to;
}

char *dirac__format_number(char out[DIRAC__NUMBER_CAPACITY], double value, int32_t digits)
{
    char *to = out;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bool negative = bits >> 63 != 0;
    bits &= UINT64_MAX >> 1;
    if (bits > UINT64_C(0x7FF) << 52)
        return memcpy(out, "nan", 4);
    if (negative)
        *to++ = '-';
    if (bits == UINT64_C(0x7FF) << 52) {
        memcpy(to, "inf", 4);
        return out;
    }
    if (bits == 0) {
        memcpy(to, "0", 2);
        return out;
    }
    decimal number;
    digits = digits < 1 ? 1 : digits > 17 ? 17 : digits;
    shortest_decimal(bits, digits, &number);
    bool plain = number.point > -4 && number.point <= digits; /* as %g does */
    to = plain ? put_plain(to, &number) : put_scientific(to, &number);
    *to = 0;
    return out;
}

/* ---- reading text ---- */

static bool is_digit(const char *text, size_t size, size_t at)
{
    return at < size && text[at] >= '0' && text[at] <= '9';
}

/* Appends a digit behind the others; what no longer fits leaves a trace in *dropped. */
static void push_digit(decimal *number, char digit, bool *dropped)
{
    if (number->count < MOST_DIGITS - 1)
        number->digits[number->count++] = digit;
    else if (digit != '0')
        *dropped = true;
}

/* Reads "[+-]ddd" behind an 'e' at `at`; the exponent saturates far beyond what any text could balance. */
static bool scan_exponent(const char *text, size_t size, size_t *at, int64_t *exponent)
{
    const int64_t most = INT64_C(1) << 58;
    bool negative = false;
    if (*at < size && (text[*at] == '+' || text[*at] == '-'))
        negative = text[(*at)++] == '-';
    if (!is_digit(text, size, *at))
        return false;
    int64_t value = 0;
    for (; is_digit(text, size, *at); ++*at)
        if (value < most)
            value = 10 * value + (text[*at] - '0');
    *exponent = negative ? -value : value;
    return true;
}

/* Reads the digits with their point: "0", "12", "0.5", "12.5". */
static bool scan_digits(const char *text, size_t size, size_t *at, decimal *number)
{
    bool dropped = false;
    if (!is_digit(text, size, *at))
        return false;
    if (text[*at] == '0') {
        ++*at;
    } else {
        for (; is_digit(text, size, *at); ++*at, number->point++)
            push_digit(number, text[*at], &dropped);
    }
    if (*at < size && text[*at] == '.') {
        ++*at;
        if (!is_digit(text, size, *at))
            return false;
        for (; is_digit(text, size, *at); ++*at) {
            if (number->count == 0 && text[*at] == '0')
                number->point--;
            else
                push_digit(number, text[*at], &dropped);
        }
    }
    if (dropped)
        number->digits[number->count++] = '1';
    strip_zeros(number);
    return true;
}

bool dirac__parse_number(const char *text, size_t size, double *value, size_t *used)
{
    decimal number = {.count = 0, .point = 0};
    int64_t exponent = 0;
    size_t at = size > 0 && text[0] == '-' ? 1 : 0;
    uint64_t sign = (uint64_t)at << 63;
    if (!scan_digits(text, size, &at, &number))
        return false;
    if (at < size && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (!scan_exponent(text, size, &at, &exponent))
            return false;
    }
    number.point += exponent;
    uint64_t bits = decimal_to_bits(&number);
    if (bits >= UINT64_C(0x7FF) << 52)
        return false;
    *value = from_bits(sign | bits);
    *used = at;
    return true;
}

bool dirac__parse_integer(const char *text, size_t size, int64_t *value)
{
    size_t at = size > 0 && text[0] == '-' ? 1 : 0;
    const bool negative = at == 1;
    const uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t sum = 0;
    if (at == size)
        return false;
    for (; at < size; at++) {
        if (!is_digit(text, size, at))
            return false;
        uint64_t digit = (uint64_t)(text[at] - '0');
        if (sum > (most - digit) / 10)
            return false;
        sum = 10 * sum + digit;
    }
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}
