/* SPDX-License-Identifier: MIT */
/* The record of the last failure, and the texts of status codes. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/status.h>

#include "base/fail.h"

static void *look_and_fail(void *argument)
{
    int *fine = argument;
    *fine = strcmp(dirac_error_message(), "") == 0; /* another thread's failure is not ours */
    dirac__fail(DIRAC_ERR_IO, "of the other thread");
    *fine = *fine && strcmp(dirac_error_message(), "of the other thread") == 0;
    return NULL;
}

static void each_thread_has_its_record(void **state)
{
    pthread_t thread;
    int fine = 0;
    (void)state;
    assert_string_equal(dirac_error_message(), "");
    assert_int_equal(dirac__fail(DIRAC_ERR_SHAPE, "%s: %d is not 1 to %d", "conv1", 9, 8),
                     DIRAC_ERR_SHAPE);
    assert_int_equal(pthread_create(&thread, NULL, look_and_fail, &fine), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(fine);
    assert_string_equal(dirac_error_message(), "conv1: 9 is not 1 to 8");
}

static void prefixes_and_the_record_as_argument(void **state)
{
    (void)state;
    assert_int_equal(dirac__fail_memory("gradients"), DIRAC_ERR_MEMORY);
    assert_string_equal(dirac_error_message(), "out of memory: gradients");
    assert_int_equal(dirac__fail_in(DIRAC_ERR_STATE, "session"), DIRAC_ERR_STATE);
    assert_string_equal(dirac_error_message(), "session: out of memory: gradients");
    dirac__fail(DIRAC_ERR_STATE, "<%s>", dirac_error_message());
    assert_string_equal(dirac_error_message(), "<session: out of memory: gradients>");
}

/* Fills the record so that a character of `length` bytes begins `left` bytes before its end. */
static size_t cut_at(const char *character, size_t left)
{
    char text[DIRAC__FAIL_CAPACITY + 64];
    size_t length = DIRAC__FAIL_CAPACITY - 1 - left;
    memset(text, 'x', length);
    strcpy(text + length, character);
    strcat(text, "and so on");
    dirac__fail(DIRAC_ERR_FORMAT, "%s", text);
    return strlen(dirac_error_message());
}

static void long_texts_are_cut_between_characters(void **state)
{
    static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    const size_t most = DIRAC__FAIL_CAPACITY - 1;
    (void)state;
    for (size_t length = 1; length <= 4; length++)
        for (size_t left = 0; left <= 5; left++) {
            size_t expected =
                left < length ? most - left : most; /* the character does not fit: all of it goes */
            if (length == 1)
                expected = most;
            assert_int_equal(cut_at(characters[length - 1], left), expected);
        }
    assert_int_equal(cut_at("\x80\x80\x80\x80\x80\x80", 5),
                     most); /* not UTF-8: cut where it must */
    dirac__fail_in(DIRAC_ERR_FORMAT, "file");
    assert_int_equal(strlen(dirac_error_message()), most);
    assert_memory_equal(dirac_error_message(), "file: xxx", 9);
}

static void every_status_has_a_name_and_a_meaning(void **state)
{
    (void)state;
    assert_string_equal(dirac_status_name(DIRAC_OK), "DIRAC_OK");
    assert_string_equal(dirac_status_name(DIRAC_ERR_SHAPE), "DIRAC_ERR_SHAPE");
    assert_string_equal(dirac_status_name(-15), "DIRAC_ERR_THREAD");
    assert_string_equal(dirac_status_string(DIRAC_ERR_MEMORY), "out of memory");
    for (int32_t status = -15; status <= 0; status++) {
        assert_string_not_equal(dirac_status_name(status), "DIRAC_ERR_UNKNOWN");
        for (int32_t other = -15; other < status; other++)
            assert_string_not_equal(dirac_status_name(status), dirac_status_name(other));
    }
    static const int32_t unknown[] = {1, -16, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(dirac_status_name(unknown[i]), "DIRAC_ERR_UNKNOWN");
        assert_non_null(dirac_status_string(unknown[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_thread_has_its_record),
        cmocka_unit_test(prefixes_and_the_record_as_argument),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(every_status_has_a_name_and_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
