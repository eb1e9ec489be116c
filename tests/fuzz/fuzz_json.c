/* SPDX-License-Identifier: MIT */
/* JSON: what is read is written, and read and written again the same; every member is found by its name. */
#include <math.h>

#include "base/json.h"
#include "fuzz.h"

static void write_value(dirac__buffer *to, const dirac__json *value);

static void write_all(dirac__buffer *to, const dirac__json *list, int named)
{
    dirac__json_open(to, named ? '{' : '[');
    for (size_t i = 0; i < dirac__json_count(list); i++) {
        const dirac__json *item = dirac__json_item(list, i);
        if (named) {
            FUZZ_CHECK(dirac__json_member(list, dirac__json_name(item)) == item);
            dirac__json_put_name(to, dirac__json_name(item));
        }
        write_value(to, item);
    }
    dirac__json_close(to, named ? '}' : ']');
}

static void write_value(dirac__buffer *to, const dirac__json *value)
{
    int64_t integer;
    double number;
    bool boolean;
    switch (dirac__json_type(value)) {
    case DIRAC__JSON_OBJECT: write_all(to, value, 1); break;
    case DIRAC__JSON_ARRAY: write_all(to, value, 0); break;
    case DIRAC__JSON_STRING: dirac__json_put_string(to, dirac__json_string(value)); break;
    case DIRAC__JSON_NULL: dirac__json_put_null(to); break;
    case DIRAC__JSON_BOOLEAN:
        FUZZ_CHECK(dirac__json_boolean(value, &boolean));
        dirac__json_put_boolean(to, boolean);
        break;
    case DIRAC__JSON_INTEGER:
        FUZZ_CHECK(dirac__json_integer(value, &integer) && dirac__json_number(value, &number));
        dirac__json_put_integer(to, integer);
        break;
    default:
        FUZZ_CHECK(dirac__json_number(value, &number) && isfinite(number));
        dirac__json_put_number(to, number, 17);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory counted = {.most = (size_t)1 << 26};
    const dirac__memory memory = {fuzz_allocate, fuzz_release, &counted};
    dirac__buffer first = {.memory = &memory}, second = {.memory = &memory};
    dirac__json *root = NULL, *again = NULL;
    const int32_t status = dirac__json_parse(&memory, (const char *)data, size, &root);
    fuzz_status(status);
    FUZZ_CHECK((root != NULL) == (status == DIRAC_OK));
    if (root != NULL) {
        write_value(&first, root);
        FUZZ_CHECK(!first.failed);
        FUZZ_CHECK(dirac__json_parse(&memory, first.data, first.size, &again) == DIRAC_OK);
        write_value(&second, again);
        FUZZ_CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    }
    dirac__json_free(&memory, root);
    dirac__json_free(&memory, again);
    dirac__buffer_release(&first);
    dirac__buffer_release(&second);
    FUZZ_CHECK(counted.blocks == 0 && counted.bytes == 0);
    return 0;
}
