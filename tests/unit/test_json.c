/* SPDX-License-Identifier: MIT */
/* JSON: what RFC 8259 allows is read, all else is refused at the right byte, and what is written is read back. */
#define _POSIX_C_SOURCE 200809L
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

#include <dirac/status.h>

#include "base/json.h"
#include "support/probe_memory.h"

static const dirac__memory *const memory = &dirac__default_memory;

/* Parses a copy that ends where its block ends, so that sanitizers see any read beyond it. */
static int32_t parse_exact(const char *text, size_t size, dirac__json **out)
{
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, text, size);
    int32_t status = dirac__json_parse(memory, copy, size, out);
    free(copy);
    return status;
}

static dirac__json *parse(const char *text)
{
    dirac__json *root = NULL;
    if (parse_exact(text, strlen(text), &root) != DIRAC_OK)
        fail_msg("%s: %s", text, dirac_error_message());
    assert_non_null(root);
    return root;
}

static const char sample[] =
    " { \"__metadata__\" : {\"format\":\"pt\", \"\\u00e9\\n\":\"\\ud83d\\ude00\\\"\\\\\\/\"},\r\n"
    "\t\"conv.weight\":{\"dtype\":\"F32\",\"shape\":[16,3,3,3],\"data_offsets\":[0,1728]},"
    "\"x\":[true,false,null,-1.5e3,0,-0,[],{},\"\",9223372036854775807,-9223372036854775808,"
    "9223372036854775808]} ";

static void a_tree_answers(void **state)
{
    int64_t integer = 0;
    double number = 0;
    bool boolean = false;
    (void)state;
    dirac__json *root = parse(sample);
    assert_int_equal(dirac__json_type(root), DIRAC__JSON_OBJECT);
    assert_int_equal(dirac__json_count(root), 3);
    /* the order of the text */
    assert_string_equal(dirac__json_name(dirac__json_item(root, 1)), "conv.weight");
    const dirac__json *metadata = dirac__json_member(root, "__metadata__");
    assert_string_equal(dirac__json_string(dirac__json_member(metadata, "format")), "pt");
    assert_string_equal(dirac__json_string(dirac__json_member(metadata, "\xC3\xA9\n")),
                        "\xF0\x9F\x98\x80\"\\/");
    const dirac__json *shape = dirac__json_member(dirac__json_member(root, "conv.weight"), "shape");
    assert_int_equal(dirac__json_count(shape), 4);
    assert_true(dirac__json_integer(dirac__json_item(shape, 0), &integer));
    assert_int_equal(integer, 16);
    assert_true(dirac__json_number(dirac__json_item(shape, 3), &number));
    assert_true(number == 3);
    assert_null(dirac__json_item(shape, 4));
    assert_null(dirac__json_name(dirac__json_item(shape, 0)));

    const dirac__json *x = dirac__json_member(root, "x");
    assert_int_equal(dirac__json_count(x), 12);
    assert_true(dirac__json_boolean(dirac__json_item(x, 0), &boolean) && boolean);
    assert_true(dirac__json_boolean(dirac__json_item(x, 1), &boolean) && !boolean);
    assert_int_equal(dirac__json_type(dirac__json_item(x, 2)), DIRAC__JSON_NULL);
    assert_true(dirac__json_number(dirac__json_item(x, 3), &number) && number == -1500);
    assert_true(dirac__json_integer(dirac__json_item(x, 4), &integer) && integer == 0);
    assert_true(dirac__json_number(dirac__json_item(x, 5), &number) && number == 0 &&
                signbit(number));
    assert_int_equal(dirac__json_type(dirac__json_item(x, 6)), DIRAC__JSON_ARRAY);
    assert_int_equal(dirac__json_type(dirac__json_item(x, 7)), DIRAC__JSON_OBJECT);
    assert_string_equal(dirac__json_string(dirac__json_item(x, 8)), "");
    assert_true(dirac__json_integer(dirac__json_item(x, 9), &integer) && integer == INT64_MAX);
    assert_true(dirac__json_integer(dirac__json_item(x, 10), &integer) && integer == INT64_MIN);
    assert_false(dirac__json_integer(dirac__json_item(x, 11), &integer));
    assert_true(dirac__json_number(dirac__json_item(x, 11), &number) && number == 0x1p63);
    dirac__json_free(memory, root);
}

static void wrong_questions_get_nothing(void **state)
{
    int64_t integer = 7;
    double number = 7;
    bool boolean = true;
    (void)state;
    dirac__json *root = parse("[\"1\",1.5,{\"a\":1}]");
    const dirac__json *string = dirac__json_item(root, 0), *fraction = dirac__json_item(root, 1);
    assert_false(dirac__json_integer(string, &integer) || dirac__json_integer(fraction, &integer));
    assert_false(dirac__json_number(string, &number) || dirac__json_boolean(string, &boolean));
    assert_null(dirac__json_string(fraction));
    assert_null(dirac__json_member(root, "a"));
    assert_null(dirac__json_member(dirac__json_item(root, 2), "b"));
    assert_null(dirac__json_member(dirac__json_item(root, 2), ""));
    assert_null(dirac__json_item(string, 0));
    assert_int_equal(dirac__json_count(string), 0);

    assert_int_equal(dirac__json_type(NULL), DIRAC__JSON_NONE);
    assert_int_equal(dirac__json_count(NULL), 0);
    assert_null(dirac__json_item(NULL, 0));
    assert_null(dirac__json_name(NULL));
    assert_null(dirac__json_member(NULL, "a"));
    assert_null(dirac__json_string(NULL));
    assert_false(dirac__json_integer(NULL, &integer) || dirac__json_number(NULL, &number) ||
                 dirac__json_boolean(NULL, &boolean));
    assert_true(integer == 7 && number == 7 && boolean);
    dirac__json_free(memory, root);
    dirac__json_free(memory, NULL);
}

static void refused_texts_name_their_byte(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {
        {"", 0}, {"  ", 2}, {"x", 0}, {"nul", 0}, {"True", 0}, {"NaN", 0}, {"Infinity", 0},
        {"'a'", 0}, {"1 2", 2}, {"{} x", 3}, {"null,", 4}, {"]", 0}, {"}", 0},
        {"\xEF\xBB\xBF{}", 0}, {"/**/1", 0}, {"[", 1}, {"[1", 2}, {"[1,", 3}, {"[1,]", 3},
        {"[,1]", 1}, {"[1 2]", 3}, {"[1}", 2}, {"{", 1}, {"{1:2}", 1}, {"{\"a\"}", 4},
        {"{\"a\":}", 5}, {"{\"a\":1,}", 7}, {"{\"a\" 1}", 5}, {"{\"a\":1 \"b\":2}", 7},
        {"{\"a\":1]", 6}, {"{,}", 1}, {"{a:1}", 1}, {"{\"a\":1", 6}, {"01", 0}, {"-01", 0},
        {"00", 0}, {"1.", 0}, {".5", 0}, {"+1", 0}, {"-", 0}, {"1e", 0}, {"1e+", 0}, {"0x1", 1},
        {"1e400", 0}, {"-1e999999999999", 0}, {"1.5.2", 3}, {"\"", 0}, {"\"abc", 0},
        {"\"a\tb\"", 2}, {"\"a\nb\"", 2}, {"\"\x1F\"", 1}, {"\"\\x\"", 1}, {"\"\\", 1},
        {"\"\\u12\"", 1}, {"\"\\u12G4\"", 1}, {"\"\\u", 1}, {"\"\\u0000\"", 1}, {"\"\\U00e9\"", 1},
        {"\"\\ud800\"", 1}, {"\"\\ud800x\"", 1}, {"\"\\ud800\\n\"", 1}, {"\"\\ud800\\ud800\"", 1},
        {"\"\\udc00\"", 1}, {"\"ab\\ud83d", 3}, {"\"\\ud83d\\ude0\"", 1}, {"\"\xFF\"", 1},
        {"\"\x80\"", 1}, {"\"\xC3\"", 1}, {"\"\xC0\x80\"", 1}, {"\"a\xE2\x82\"", 2},
        {"\"\xED\xA0\x80\"", 1}, {"\"\xF4\x90\x80\x80\"", 1}, {"\"\xE2\x82", 1},
        {"{\"a\":1,\"a\":2}", 0}, {"[{\"b\":1,\"a\":1,\"c\":0,\"\\u0061\":2}]", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dirac__json *root = (dirac__json *)(void *)&root;
        char expected[64];
        snprintf(expected, sizeof expected, "JSON at byte %zu: ", cases[i].at);
        if (parse_exact(cases[i].text, strlen(cases[i].text), &root) != DIRAC_ERR_FORMAT)
            fail_msg("%s was not refused", cases[i].text);
        if (strncmp(dirac_error_message(), expected, strlen(expected)) != 0)
            fail_msg("%s: \"%s\", not byte %zu", cases[i].text, dirac_error_message(), cases[i].at);
        assert_null(root);
    }
    dirac__json *root;
    assert_int_equal(parse_exact("[1\0]", 4, &root), DIRAC_ERR_FORMAT);
    assert_int_equal(parse_exact("1\0", 2, &root), DIRAC_ERR_FORMAT);
    assert_int_equal(parse_exact("\"\0\"", 3, &root), DIRAC_ERR_FORMAT);
}

/* Every proper prefix is refused; any one byte changed to any other is read or refused, never worse. */
static void damaged_texts_do_no_harm(void **state)
{
    char text[sizeof sample];
    size_t size = sizeof sample - 2; /* without the last space */
    (void)state;
    for (size_t n = 0; n < size; n++) {
        dirac__json *root;
        assert_int_equal(parse_exact(sample, n, &root), DIRAC_ERR_FORMAT);
    }
    for (size_t at = 0; at < size; at++)
        for (int byte = 0; byte < 256; byte++) {
            dirac__json *root = NULL;
            memcpy(text, sample, sizeof sample);
            text[at] = (char)byte;
            int32_t status = parse_exact(text, size, &root);
            assert_true(status == DIRAC_OK ? root != NULL
                                           : status == DIRAC_ERR_FORMAT && root == NULL);
            dirac__json_free(memory, root);
        }
}

static void limits_hold(void **state)
{
    char text[2 * DIRAC__JSON_MAX_DEPTH + 3];
    const size_t most = DIRAC__JSON_MAX_DEPTH;
    dirac__json *root;
    (void)state;
    memset(text, '[', most + 1);
    memset(text + most + 1, ']', most + 1);
    assert_int_equal(parse_exact(text + 1, 2 * most, &root), DIRAC_OK);
    dirac__json_free(memory, root);
    assert_int_equal(parse_exact(text, 2 * most + 2, &root), DIRAC_ERR_LIMIT);
    assert_non_null(strstr(dirac_error_message(), "byte 32"));
    assert_int_equal(parse_exact(text, most + 1, &root), DIRAC_ERR_LIMIT);
    /* side by side there may be more */
    dirac__json_free(memory, parse("[[],{},[],{},[],{},[],{},[],{},[],{},[],{},[],{},[],{},[],{},[],{},"
                                   "[],{},[],{},[],{},[],{},[],{},[],{},[],{},[],{},[],{},[],{}]"));

    /* [0,0,...,0] with one value less than the limit: the array is the last */
    size_t size = 2 * DIRAC__JSON_MAX_VALUES - 1;
    char *long_text = malloc(size + 2);
    memset(long_text, ',', size + 2);
    for (size_t i = 1; i < size + 2; i += 2)
        long_text[i] = '0';
    long_text[0] = '[';
    long_text[size - 1] = ']';
    assert_int_equal(dirac__json_parse(memory, long_text, size, &root), DIRAC_OK);
    assert_int_equal(dirac__json_count(root) + 1, DIRAC__JSON_MAX_VALUES);
    dirac__json_free(memory, root);
    long_text[size - 1] = ',';
    long_text[size + 1] = ']';
    assert_int_equal(dirac__json_parse(memory, long_text, size + 2, &root), DIRAC_ERR_LIMIT);
    free(long_text);

    size = DIRAC__JSON_MAX_STRING + 3;
    long_text = malloc(size);
    memset(long_text, 'a', size);
    long_text[0] = long_text[size - 2] = long_text[size - 1] = '"';
    assert_int_equal(dirac__json_parse(memory, long_text, size - 1, &root), DIRAC_OK);
    assert_int_equal(strlen(dirac__json_string(root)), DIRAC__JSON_MAX_STRING);
    dirac__json_free(memory, root);
    long_text[size - 2] = 'a';
    assert_int_equal(dirac__json_parse(memory, long_text, size, &root), DIRAC_ERR_LIMIT);
    free(long_text);
    assert_int_equal(dirac__json_parse(memory, "1", DIRAC__JSON_MAX_SIZE + 1, &root),
                     DIRAC_ERR_LIMIT);
}

/* 100,000 names, in an order that is not rising (7919 is prime to their number), found and checked for repetition. */
static void large_objects(void **state)
{
    enum { COUNT = 100000 };
    char name[32];
    dirac__json *root;
    dirac__buffer buffer = {.memory = memory};
    (void)state;
    dirac__json_open(&buffer, '{');
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "%d", (int)((int64_t)i * 7919 % COUNT));
        dirac__json_put_name(&buffer, name);
        dirac__json_put_integer(&buffer, i);
    }
    size_t before_end = buffer.size;
    dirac__json_close(&buffer, '}');
    assert_int_equal(dirac__json_parse(memory, buffer.data, buffer.size, &root), DIRAC_OK);
    for (int i = 0; i < COUNT; i++) {
        int64_t value;
        snprintf(name, sizeof name, "%d", (int)((int64_t)i * 7919 % COUNT));
        assert_true(dirac__json_integer(dirac__json_member(root, name), &value) && value == i);
        assert_string_equal(dirac__json_name(dirac__json_item(root, (size_t)i)), name);
    }
    assert_null(dirac__json_member(root, "100000"));
    assert_null(dirac__json_member(root, "1000000"));
    dirac__json_free(memory, root);

    buffer.size = before_end;
    dirac__json_put_name(&buffer, "31416");
    dirac__json_put_null(&buffer);
    dirac__json_close(&buffer, '}');
    assert_int_equal(dirac__json_parse(memory, buffer.data, buffer.size, &root), DIRAC_ERR_FORMAT);
    assert_non_null(strstr(dirac_error_message(), "\"31416\" twice"));
    dirac__buffer_release(&buffer);
}

static void names_that_begin_alike_differ(void **state)
{
    (void)state;
    dirac__json *root = parse("{\"ab\":1,\"a\":2,\"\":3,\"abc\":4,\"b\":5}");
    static const char *const names[] = {"ab", "a", "", "abc", "b"};
    for (int i = 0; i < 5; i++) {
        int64_t value;
        assert_true(dirac__json_integer(dirac__json_member(root, names[i]), &value));
        assert_int_equal(value, i + 1);
    }
    dirac__json_free(memory, root);
}

static void memory_is_accounted_for(void **state)
{
    probe p;
    dirac__json *root;
    (void)state;
    const dirac__memory probed = probe_memory(&p);
    assert_int_equal(dirac__json_parse(&probed, sample, sizeof sample - 1, &root), DIRAC_OK);
    assert_int_equal(p.requests, 1);
    dirac__json_free(&probed, root);
    assert_int_equal(p.alive, 0);
    assert_int_equal(dirac__json_parse(&probed, "[1,", 3, &root), DIRAC_ERR_FORMAT);
    assert_int_equal(p.alive, 0);
    p.refuse_at = p.requests + 1;
    assert_int_equal(dirac__json_parse(&probed, sample, sizeof sample - 1, &root),
                     DIRAC_ERR_MEMORY);
    assert_null(root);
    assert_int_equal(p.alive, 0);
    assert_int_equal(p.wrong, 0);
}

static void utf8_by_the_table(void **state)
{
    static const char *const good[] = {
        "", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF",
    };
    static const char *const bad[] = {
        "\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", ("\xC2" "a"), "\xE0\x9F\xBF", "\xE0\xA0",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF0\x90\x80", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFE", "\xFF", "a\xE2\x28\xA1", "\xE2\x82\x28", "\xF0\x90\x28\x80",
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(dirac__utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(dirac__utf8_valid(bad[i], strlen(bad[i])));
    assert_true(dirac__utf8_valid("a\0b", 3));
}

static void code_points_are_encoded(void **state)
{
    (void)state;
    dirac__json *root =
        parse("[\"\\u0041\\u007f\\u0080\\u07FF\\u0800\\uFFFF\\ud800\\udc00\\udbff\\udfff\"]");
    assert_string_equal(
        dirac__json_string(dirac__json_item(root, 0)),
        "A\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
    dirac__json_free(memory, root);
}

static void writing_is_exact(void **state)
{
    dirac__buffer b = {.memory = memory};
    (void)state;
    dirac__json_open(&b, '{');
    dirac__json_put_name(&b, "a\"\\");
    dirac__json_open(&b, '[');
    dirac__json_close(&b, ']');
    dirac__json_put_name(&b, "b");
    dirac__json_open(&b, '[');
    dirac__json_put_integer(&b, INT64_MIN);
    dirac__json_put_number(&b, 0.1, 17);
    dirac__json_put_number(&b, (double)0.1f, 9);
    dirac__json_put_number(&b, (double)NAN, 9);
    dirac__json_put_number(&b, -HUGE_VAL, 9);
    dirac__json_put_boolean(&b, true);
    dirac__json_put_boolean(&b, false);
    dirac__json_put_null(&b);
    dirac__json_open(&b, '{');
    dirac__json_close(&b, '}');
    dirac__json_put_string(&b, "\b\f\n\r\t\x01\x1F\x7F/\xC3\xA9");
    dirac__json_put_string(&b, "x\xFFy\xE2\x82");
    dirac__json_close(&b, ']');
    dirac__json_put_name(&b, "");
    dirac__json_put_string(&b, "");
    dirac__json_close(&b, '}');
    assert_false(b.failed);
    assert_string_equal(
        b.data,
        "{\"a\\\"\\\\\":[],\"b\":[-9223372036854775808,0.1,0.1,null,null,true,false,null,{},"
        "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7F/\xC3\xA9\","
        "\"x\xEF\xBF\xBDy\xEF\xBF\xBD\xEF\xBF\xBD\"],\"\":\"\"}");
    dirac__json_free(memory, parse(b.data));
    dirac__buffer_release(&b);
}

static void what_is_written_is_read_back(void **state)
{
    static const double numbers[] = {
        0, -0.0, 1, -1.5, 1e100, DBL_MAX, DBL_MIN, 5e-324, 0.1, 36028797018963968.0, 1e16};
    char every[256];
    dirac__buffer b = {.memory = memory};
    (void)state;
    for (int i = 1; i < 128; i++)
        every[i - 1] = (char)i;
    every[127] = 0;
    dirac__json_open(&b, '[');
    dirac__json_put_string(&b, every);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        dirac__json_put_number(&b, numbers[i], 17);
    dirac__json_close(&b, ']');
    dirac__json *root = parse(b.data);
    assert_string_equal(dirac__json_string(dirac__json_item(root, 0)), every);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        double value = 3;
        assert_true(dirac__json_number(dirac__json_item(root, i + 1), &value));
        assert_memory_equal(&value, &numbers[i], sizeof value);
    }
    dirac__json_free(memory, root);
    dirac__buffer_release(&b);
}

/* The writer's check and the reader agree at the limit, whatever stands in strings. */
static void written_texts_are_counted_as_read(void **state)
{
    dirac__buffer buffer = {.memory = memory};
    dirac__json *root;
    (void)state;
    dirac__json_open(&buffer, '[');
    dirac__json_put_string(&buffer, "\\\",[{,\x01[0,0]");
    dirac__json_open(&buffer, '{');
    dirac__json_close(&buffer, '}');
    dirac__json_open(&buffer, '[');
    dirac__json_close(&buffer, ']');
    dirac__json_open(&buffer, '{');
    dirac__json_put_name(&buffer, "a,{\\");
    dirac__json_put_null(&buffer);
    dirac__json_close(&buffer, '}');
    for (size_t count = 6; count < DIRAC__JSON_MAX_VALUES; count++)
        dirac__json_put_integer(&buffer, 7);
    dirac__json_close(&buffer, ']');
    assert_false(buffer.failed);
    assert_int_equal(dirac__json_check_written(buffer.data, buffer.size, "it"), DIRAC_OK);
    assert_int_equal(dirac__json_parse(memory, buffer.data, buffer.size, &root), DIRAC_OK);
    dirac__json_free(memory, root);
    buffer.data[--buffer.size] = '\0';
    dirac__json_put_integer(&buffer, 7);
    dirac__json_close(&buffer, ']');
    assert_int_equal(dirac__json_check_written(buffer.data, buffer.size, "it"), DIRAC_ERR_LIMIT);
    assert_non_null(strstr(dirac_error_message(), "it would have 2097153 JSON values; at most 2097152"));
    assert_int_equal(dirac__json_parse(memory, buffer.data, buffer.size, &root), DIRAC_ERR_LIMIT);
    dirac__buffer_release(&buffer);
    assert_int_equal(dirac__json_check_written("1", DIRAC__JSON_MAX_SIZE + 1, "it"), DIRAC_ERR_LIMIT);
}

static void a_failed_buffer_is_left_alone(void **state)
{
    probe p;
    (void)state;
    const dirac__memory probed = probe_memory(&p);
    dirac__buffer b = {.memory = &probed};
    p.refuse_at = 1;
    dirac__json_open(&b, '[');
    dirac__json_put_integer(&b, 1);
    dirac__json_put_string(&b, "a");
    dirac__json_close(&b, ']');
    assert_true(b.failed);
    dirac__buffer_release(&b);
    assert_int_equal(p.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_answers),
        cmocka_unit_test(wrong_questions_get_nothing),
        cmocka_unit_test(refused_texts_name_their_byte),
        cmocka_unit_test(damaged_texts_do_no_harm),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(large_objects),
        cmocka_unit_test(names_that_begin_alike_differ),
        cmocka_unit_test(memory_is_accounted_for),
        cmocka_unit_test(utf8_by_the_table),
        cmocka_unit_test(code_points_are_encoded),
        cmocka_unit_test(writing_is_exact),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(written_texts_are_counted_as_read),
        cmocka_unit_test(a_failed_buffer_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
