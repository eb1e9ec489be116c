/* SPDX-License-Identifier: MIT */
/* Memory: alignment, sizes given back, overflow, growth, and the text buffer. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/probe_memory.h"

static void blocks_are_aligned_and_come_back_with_their_size(void **state)
{
    static const size_t sizes[] = {0, 1, 3, 17, 63, 64, 65, 4096, 100003};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        probe p;
        const dirac__memory memory = probe_memory(&p);
        char *block = dirac__alloc(&memory, sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        memset(block, 1, sizes[i]);
        assert_int_equal(p.alive, 1);
        assert_true(p.bytes >= sizes[i]);
        dirac__free(&memory, block);
        assert_int_equal(p.alive, 0);
        assert_int_equal(p.wrong, 0);

        block = dirac__alloc(&dirac__default_memory, sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        memset(block, 1, sizes[i]);
        dirac__free(&dirac__default_memory, block);
    }
}

static void free_accepts_null(void **state)
{
    probe p;
    (void)state;
    const dirac__memory memory = probe_memory(&p);
    dirac__free(&memory, NULL);
    assert_int_equal(p.alive, 0);
}

static void zeroed_blocks_are_zero_and_products_checked(void **state)
{
    probe p;
    (void)state;
    const dirac__memory memory = probe_memory(&p);
    unsigned char *block = dirac__alloc_zero(&memory, 7, 31);
    for (size_t i = 0; i < 7 * 31; i++)
        assert_int_equal(block[i], 0);
    dirac__free(&memory, block);
    assert_int_equal(p.requests, 1);
    assert_null(dirac__alloc_zero(&memory, SIZE_MAX / 8, 16));
    assert_null(dirac__alloc(&memory, SIZE_MAX - 3));
    assert_int_equal(p.requests, 1); /* the overflow never reached the allocator */
    p.refuse_at = 2;
    assert_null(dirac__alloc_zero(&memory, 1, 1));
    assert_int_equal(p.alive, 0);
}

static void checked_arithmetic(void **state)
{
    size_t out;
    (void)state;
    assert_true(dirac__multiply(6, 7, &out));
    assert_int_equal(out, 42);
    assert_true(dirac__multiply(SIZE_MAX, 1, &out));
    assert_true(dirac__multiply(0, SIZE_MAX, &out));
    assert_int_equal(out, 0);
    assert_false(dirac__multiply(SIZE_MAX / 2 + 1, 2, &out));
    assert_true(dirac__add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_false(dirac__add(SIZE_MAX, 1, &out));
    assert_true(dirac__align(0, &out));
    assert_int_equal(out, 0);
    assert_true(dirac__align(1, &out));
    assert_int_equal(out, 64);
    assert_true(dirac__align(64, &out));
    assert_int_equal(out, 64);
    assert_true(dirac__align(SIZE_MAX - 63, &out));
    assert_true(out == SIZE_MAX - 63);
    assert_false(dirac__align(SIZE_MAX - 62, &out));
}

static void strings_are_copied(void **state)
{
    probe p;
    (void)state;
    const dirac__memory memory = probe_memory(&p);
    char text[] = "conv0.weight", *copy = dirac__copy_string(&memory, text);
    text[0] = 'X';
    assert_string_equal(copy, "conv0.weight");
    dirac__free(&memory, copy);
    copy = dirac__copy_string(&memory, "");
    assert_string_equal(copy, "");
    dirac__free(&memory, copy);
    p.refuse_at = p.requests + 1;
    assert_null(dirac__copy_string(&memory, text));
    assert_int_equal(p.alive, 0);
}

static void arrays_grow_and_keep_their_contents(void **state)
{
    probe p;
    (void)state;
    const dirac__memory memory = probe_memory(&p);
    int32_t *array = NULL;
    size_t capacity = 0;
    for (size_t n = 1; n <= 1000; n++) {
        size_t before = capacity;
        assert_true(dirac__grow(&memory, &array, &capacity, n, sizeof *array));
        assert_true(capacity >= n);
        for (size_t i = before; i < capacity; i++)
            assert_int_equal(array[i], 0);
        array[n - 1] = (int32_t)n;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(array[i], i + 1);
    assert_true(p.requests < 20); /* geometric */

    int32_t *same = array;
    size_t same_capacity = capacity;
    assert_false(dirac__grow(&memory, &array, &capacity, SIZE_MAX / 2, sizeof *array));
    p.refuse_at = p.requests + 1;
    assert_false(dirac__grow(&memory, &array, &capacity, capacity + 1, sizeof *array));
    assert_ptr_equal(array, same);
    assert_int_equal(capacity, same_capacity);
    assert_int_equal(array[999], 1000);
    dirac__free(&memory, array);
    assert_int_equal(p.alive, 0);
    assert_int_equal(p.wrong, 0);
}

static void buffers_collect_text(void **state)
{
    probe p;
    (void)state;
    const dirac__memory memory = probe_memory(&p);
    dirac__buffer buffer = {.memory = &memory};
    dirac__buffer_text(&buffer, "");
    assert_string_equal(buffer.data, "");
    static const int64_t numbers[] = {0, -1, 7, 10, -100, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        dirac__buffer_integer(&buffer, numbers[i]);
        dirac__buffer_text(&buffer, " ");
    }
    dirac__buffer_append(&buffer, "a\0b", 3);
    static const char expected[] = "0 -1 7 10 -100 9223372036854775807 -9223372036854775808 a\0b";
    assert_false(buffer.failed);
    assert_int_equal(buffer.size, sizeof expected - 1);
    assert_memory_equal(buffer.data, expected, sizeof expected); /* its 0 byte too */
    dirac__buffer_release(&buffer);
    dirac__buffer_release(&buffer);
    assert_int_equal(p.alive, 0);
}

static void a_failed_buffer_stays_failed(void **state)
{
    probe p;
    (void)state;
    const dirac__memory memory = probe_memory(&p);
    dirac__buffer buffer = {.memory = &memory};
    dirac__buffer_text(&buffer, "ab");
    p.refuse_at = p.requests + 1;
    dirac__buffer_text(&buffer, "a text too long for the first block of the buffer");
    assert_true(buffer.failed);
    dirac__buffer_text(&buffer, "c");
    assert_true(buffer.failed);
    assert_string_equal(buffer.data, "ab");
    dirac__buffer_release(&buffer);
    assert_int_equal(p.alive, 0);

    buffer = (dirac__buffer){.memory = &memory};
    dirac__buffer_append(&buffer, "", SIZE_MAX);
    assert_true(buffer.failed);
    dirac__buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_come_back_with_their_size),
        cmocka_unit_test(free_accepts_null),
        cmocka_unit_test(zeroed_blocks_are_zero_and_products_checked),
        cmocka_unit_test(checked_arithmetic),
        cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(arrays_grow_and_keep_their_contents),
        cmocka_unit_test(buffers_collect_text),
        cmocka_unit_test(a_failed_buffer_stays_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
