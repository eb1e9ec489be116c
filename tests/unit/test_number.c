/* SPDX-License-Identifier: MIT */
/* Decimal numbers. Witnesses: the C library in the C locale (its conversions are exact in glibc), hand-made halfway
 * cases, and the definition of "shortest". */
#define _POSIX_C_SOURCE 200809L
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/number.h"
#include "base/random.h"

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t random_word(uint64_t index)
{
    static const dirac__random random = {1, 2};
    return (uint64_t)dirac__random_bits(&random, 2 * index) << 32 |
           dirac__random_bits(&random, 2 * index + 1);
}

static double parse(const char *text)
{
    double value = -77;
    size_t used = 0;
    assert_true(dirac__parse_number(text, strlen(text), &value, &used));
    assert_int_equal(used, strlen(text));
    return value;
}

static void formats_as_promised(void **state)
{
    static const struct {
        double value;
        int32_t digits;
        const char *text;
    } cases[] = {
        {0, 9, "0"}, {-0.0, 9, "-0"}, {0.1, 17, "0.1"}, {(double)0.1f, 9, "0.1"},
        {1e-5, 17, "1e-05"}, {NAN, 9, "nan"}, {-NAN, 9, "nan"}, {INFINITY, 9, "inf"},
        {-INFINITY, 9, "-inf"}, {1, 17, "1"}, {-2.5, 9, "-2.5"}, {100, 17, "100"},
        {123456789, 9, "123456789"}, {1234567890, 9, "1.23456789e+09"},
        {1e16, 17, "10000000000000000"}, {1e17, 17, "1e+17"}, {0.0001, 17, "0.0001"},
        {0.00012, 17, "0.00012"}, {0.00001, 9, "1e-05"}, {5e-324, 17, "5e-324"},
        {DBL_MAX, 17, "1.7976931348623157e+308"}, {99.96, 3, "100"},
        {0.1 + 0.2, 17, "0.30000000000000004"}, {1.0 / 3, 17, "0.3333333333333333"},
        {1.0 / 3, 4, "0.3333"}, {2.5, 1, "2"}, {3.5, 1, "4"}, {9.5, 1, "1e+01"},
        {-1.5e-300, 17, "-1.5e-300"}, {16777216, 9, "16777216"},
        {-DBL_MIN, 17, "-2.2250738585072014e-308"}, {9007199254740992, 17, "9007199254740992"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[DIRAC__NUMBER_CAPACITY];
        assert_ptr_equal(dirac__format_number(text, cases[i].value, cases[i].digits), text);
        assert_string_equal(text, cases[i].text);
    }
}

/* The fewest digits with which the C library reads the value back: the witness for ours. */
static int fewest_digits(double value, bool as_float)
{
    for (int n = 1; n < 17; n++) {
        char text[64];
        snprintf(text, sizeof text, "%.*e", n - 1, value);
        double back = strtod(text, NULL);
        if (as_float ? (float)back == (float)value : back == value)
            return n;
    }
    return 17;
}

/* Significant digits: without the zeros at both ends. */
static int count_digits(const char *text)
{
    int count = 0, zeros = 0;
    for (; *text != 0 && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (*text == '0' && count == 0))
            continue;
        count++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return count - zeros;
}

static void check_double(double value)
{
    char text[DIRAC__NUMBER_CAPACITY];
    dirac__format_number(text, value, 17);
    assert_true(strlen(text) < 26);
    assert_true(to_bits(strtod(text, NULL)) == to_bits(value));
    assert_true(to_bits(parse(text)) == to_bits(value));
    assert_int_equal(count_digits(text), fewest_digits(value, false));
}

static void every_double_is_read_back(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 3000; i++) {
        double value = from_bits(random_word(i));
        if (isfinite(value))
            check_double(value);
        check_double((double)(int64_t)(random_word(i) >> 20) / 1000); /* what people write */
    }
    for (int e = -1074; e <= 1023; e += 7) { /* powers of two: their lower neighbour is nearer */
        check_double(ldexp(1, e));
        if (e > -1074)
            check_double(nextafter(ldexp(1, e), 0));
        check_double(nextafter(ldexp(1, e), INFINITY));
    }
}

static void check_float(float value)
{
    char text[DIRAC__NUMBER_CAPACITY];
    dirac__format_number(text, value, 9);
    assert_true((float)parse(text) == value);
    assert_true(strtof(text, NULL) == value);
    assert_int_equal(count_digits(text), fewest_digits(value, true));
}

static void every_float_is_read_back(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 3000; i++) {
        uint32_t bits = (uint32_t)random_word(i) & 0x7FFFFFFF;
        float value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value) && value != 0)
            check_float(value);
    }
    check_float(FLT_MAX);
    check_float(FLT_MIN);
    check_float(0x1p-149f);
}

/* Fewer digits than needed: the correctly rounded decimal, as printf gives it. */
static void fewer_digits_are_rounded_correctly(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 2000; i++) {
        double value = from_bits(random_word(i) >> 1), back;
        int digits = 1 + (int)(i % 17);
        if (!isfinite(value) || digits >= fewest_digits(value, false))
            continue;
        char ours[DIRAC__NUMBER_CAPACITY], theirs[64];
        snprintf(theirs, sizeof theirs, "%.*e", digits - 1, value);
        dirac__format_number(ours, value, digits);
        back = strtod(theirs, NULL);
        assert_true(strtod(ours, NULL) == back);
    }
}

static void check_against_strtod(const char *text)
{
    double ours = 0, theirs = strtod(text, NULL);
    size_t used = 0;
    bool fine = dirac__parse_number(text, strlen(text), &ours, &used);
    if (isinf(theirs)) {
        assert_false(fine);
        return;
    }
    assert_true(fine);
    assert_int_equal(used, strlen(text));
    if (to_bits(ours) != to_bits(theirs))
        fail_msg("%.60s: %a, not %a", text, ours, theirs);
}

static void random_texts_are_read_correctly(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 5000; i++) {
        char text[128];
        uint64_t a = random_word(3 * i), b = random_word(3 * i + 1), c = random_word(3 * i + 2);
        a >>= c % 64;
        snprintf(text, sizeof text, "%s%llu.%0*llu%s%d", c & 1 ? "-" : "", (unsigned long long)a,
                 1 + (int)(b % 25), (unsigned long long)(b >> c / 64 % 64), c & 2 ? "e" : "E",
                 (int)(c >> 8 & 0xFFFF) % 690 - 345);
        check_against_strtod(text);
    }
}

static void hard_texts_are_read_correctly(void **state)
{
    static const char *const texts[] = {
        "0", "-0", "0.0", "0e5", "-0.000e-7", "1", "10", "1e0", "1E5", "1e+5", "0.000001",
        "123456789012345678901234567890", "9007199254740992", "9007199254740993",
        "9007199254740994", "9007199254740995", "9007199254740993.00000000001",
        "2.2250738585072011e-308", "2.2250738585072012e-308", "2.2250738585072014e-308",
        "2.225073858507201e-308", "4.9406564584124654e-324", "2.4703282292062327e-324",
        "2.4703282292062328e-324", "1e-323", "1e-324", "1e-400", "1e-99999999999999999999",
        "0e99999999999999999999", "1.7976931348623157e308", "1.7976931348623158e308",
        "1.7976931348623159e308", "1e308", "1e309", "1e310", "1e400", "1e99999999999999999999",
        "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490"
        "1797758720709633028641669288791094655554785194040263065748867150582068190890200070838367"
        "6273854845817711531764475730270069855571366959622842914819860834936475292719074168444365"
        "510704342711559699508093042880",
        "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490"
        "1797758720709633028641669288791094655554785194040263065748867150582068190890200070838367"
        "6273854845817711531764475730270069855571366959622842914819860834936475292719074168444365"
        "510704342711559699508093042879.999",
        "6.631236846766476e-316", "1.090544144181609348671649248248581495e-19",
        "0.500000000000000166533453693773481063", "3.518437208883201171875e13",
        "62.5364939768271845828", "8.10109172351e-10", "1.50000000000000011102230246251565",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_against_strtod(texts[i]);
    assert_true(signbit(parse("-0")));
    assert_true(parse("9007199254740993") == 9007199254740992.0); /* 2^53 + 1: a tie, to even */
    assert_true(parse("2.4703282292062327e-324") == 0); /* below half of the least subnormal */
    assert_true(parse("2.4703282292062328e-324") == 0x1p-1074); /* above it */
}

/* The exact middle between a double and the next, up to 767 digits, and its two neighbours in the last digit. */
static void halfway_texts_go_to_even(void **state)
{
    enum { ROOM = 1200 };
    static char text[ROOM];
    (void)state;
    volatile long double exact = 1;
    if ((exact + 0x1p-53L) - 1 != 0x1p-53L)
        skip(); /* no middle in it: here, or under Valgrind, long double is computed in double */
    for (uint64_t i = 0; i < 400; i++) {
        uint64_t bits = random_word(i) >> (i % 4 == 0 ? 12 : 1); /* every fourth subnormal */
        double low = from_bits(bits), high = from_bits(bits + 1);
        if (!isfinite(high))
            continue;
        snprintf(text, ROOM - 8, "%.1100Le", ((long double)low + high) / 2);
        char *e = strchr(text, 'e'), exponent[16];
        strcpy(exponent, e);
        assert_true(e[-1] == '0'); /* the middle has fewer digits than were printed */
        assert_true(to_bits(parse(text)) == (bits % 2 == 0 ? bits : bits + 1));
        e[-1] = '1';
        assert_true(to_bits(parse(text)) == bits + 1);
        char *last = e - 1;
        *last = '0';
        while (*last == '0')
            last--;
        --*last; /* just below: the last digit of the middle is a 5 */
        assert_true(to_bits(parse(text)) == bits);
    }
}

static void very_long_texts(void **state)
{
    enum { ZEROS = 5000 };
    static char text[ZEROS + 64];
    (void)state;
    memcpy(text, "0.", 2);
    memset(text + 2, '0', ZEROS);
    strcpy(text + 2 + ZEROS, "25e5000"); /* 0.25 again */
    assert_true(parse(text) == 0.25);
    text[0] = '4';
    text[1] = '0';
    strcpy(text + 2 + ZEROS, "e-5001");
    assert_true(parse(text) == 4);
    memset(text, '9', ZEROS);
    strcpy(text + ZEROS, "e-5000");
    assert_true(parse(text) == 1);
    text[0] = '1';
    text[1] = '.';
    memset(text + 2, '0', ZEROS);
    strcpy(text + 2 + ZEROS, "1"); /* just above 1 */
    assert_true(parse(text) == 1);
    memcpy(text, "9007199254740993.", 17);
    /* a tie, but for the digit five thousand places on */
    assert_true(parse(text) == 9007199254740994.0);
}

static void the_grammar_is_json(void **state)
{
    static const char *const none[] = {
        "", "-", "+1", ".5", "1.", "-.5", "1.e5", "1e", "1e+", "1E-", "e5", "nan", "inf",
        "Infinity", " 1", "x", "--1", "0.",
    };
    static const struct {
        const char *text;
        double value;
        size_t used;
    } parts[] = {{"1,2", 1, 1},    {"01", 0, 1},       {"0x10", 0, 1},
                 {"1.5]", 1.5, 3}, {"-7e2 ", -700, 4}, {"1,5", 1, 1}};
    double value = 42;
    size_t used = 43;
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(dirac__parse_number(none[i], strlen(none[i]), &value, &used));
    assert_true(value == 42 && used == 43);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        assert_true(dirac__parse_number(parts[i].text, strlen(parts[i].text), &value, &used));
        assert_true(value == parts[i].value);
        assert_int_equal(used, parts[i].used);
    }
    assert_true(dirac__parse_number("12345", 3, &value, &used)); /* never looks behind `size` */
    assert_true(value == 123);
}

static void integers(void **state)
{
    static const char *const none[] = {
        "", "-", "+1", "1.0", "1e3", " 1", "1 ", "9223372036854775808", "-9223372036854775809",
        "99999999999999999999", "18446744073709551617", "a",
    };
    int64_t value = 5;
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(dirac__parse_integer(none[i], strlen(none[i]), &value));
    assert_int_equal(value, 5);
    assert_true(dirac__parse_integer("9223372036854775807", 19, &value));
    assert_true(value == INT64_MAX);
    assert_true(dirac__parse_integer("-9223372036854775808", 20, &value));
    assert_true(value == INT64_MIN);
    assert_true(dirac__parse_integer("-42", 3, &value));
    assert_int_equal(value, -42);
    assert_true(dirac__parse_integer("123", 2, &value));
    assert_int_equal(value, 12);
}

static void the_rounding_mode_does_not_matter(void **state)
{
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char text[DIRAC__NUMBER_CAPACITY], small[DIRAC__NUMBER_CAPACITY];
        assert_int_equal(fesetround(modes[i]), 0);
        double a = parse("0.1"), b = parse("9007199254740993");
        dirac__format_number(text, 0.1, 17);
        dirac__format_number(small, (double)0.1f, 9);
        assert_int_equal(fesetround(FE_TONEAREST), 0);
        assert_true(a == 0.1 && b == 9007199254740992.0);
        assert_string_equal(text, "0.1");
        assert_string_equal(small, "0.1");
    }
}

/* The witness is the machine's own cast, which rounds to nearest here. */
static void check_nearest(uint64_t bits)
{
    const double value = from_bits(bits), whole = (double)(int64_t)bits;
    const float want = (float)value;
    for (size_t i = 0; i < 4; i++) {
        fesetround((const int[]){FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}[i]);
        const float got = dirac__nearest_float(value);
        const double double_got = dirac__nearest_double((int64_t)bits);
        fesetround(FE_TONEAREST);
        if (isnan(value))
            assert_true(isnan(got));
        else
            assert_memory_equal(&got, &want, sizeof got);
        assert_true(to_bits(double_got) == to_bits(whole));
    }
}

static void nearest_is_what_a_cast_gives(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        const uint64_t bits = random_word(i), sign = bits & UINT64_C(1) << 63, fraction = bits >> 12;
        check_nearest(bits);
        check_nearest(bits >> i % 64); /* integers of every length */
        check_nearest(sign | (UINT64_C(1023 - 160) + i % 320) << 52 | fraction); /* around the range of float */
        /* ties, and one beside them, of normal floats */
        const uint64_t tie = sign | (UINT64_C(1023 - 126) + i % 254) << 52 | (fraction >> 29 << 29) | UINT64_C(1) << 28;
        check_nearest(tie - 1), check_nearest(tie), check_nearest(tie + 1);
    }
    const double edges[] = {0, -0.0, FLT_MAX, 0x1.ffffffp127, 0x1.fffffefffffffp127, 0x1p-149, 0x1p-150, 0x1.0000000000001p-150,
                            0x1.8p-149, 0x1.ffffffp-127, 0x1.fffffefffffffp-127, 0x1p-126, INFINITY, -INFINITY, NAN,
                            DBL_MAX, DBL_TRUE_MIN, 0x1p63, -0x1p63};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        check_nearest(to_bits(edges[i]));
    check_nearest(0), check_nearest(UINT64_MAX), check_nearest((uint64_t)INT64_MIN), check_nearest(INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_as_promised),
        cmocka_unit_test(every_double_is_read_back),
        cmocka_unit_test(every_float_is_read_back),
        cmocka_unit_test(fewer_digits_are_rounded_correctly),
        cmocka_unit_test(random_texts_are_read_correctly),
        cmocka_unit_test(hard_texts_are_read_correctly),
        cmocka_unit_test(halfway_texts_go_to_even),
        cmocka_unit_test(very_long_texts),
        cmocka_unit_test(the_grammar_is_json),
        cmocka_unit_test(integers),
        cmocka_unit_test(the_rounding_mode_does_not_matter),
        cmocka_unit_test(nearest_is_what_a_cast_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
