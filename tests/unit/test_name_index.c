/* SPDX-License-Identifier: MIT */
/* The table of names against a plain list, through random additions, changes and removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/name_index.h"

enum { NAMES = 600, STEPS = 60000, LONGEST = 32 };

typedef struct listed {
    char name[LONGEST];
    size_t number;
    int there;
} listed;

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Names that begin alike, and one that is the beginning of others. */
static void make_names(listed *list)
{
    for (int i = 0; i < NAMES; i++)
        snprintf(list[i].name, sizeof list[i].name, i == 0 ? "n" : "n%d", i);
}

static void check_all(const dirac__name_index *index, const listed *list)
{
    size_t count = 0;
    for (int i = 0; i < NAMES; i++) {
        const size_t *found = dirac__name_index_find(index, list[i].name, strlen(list[i].name));
        assert_int_equal(found != NULL, list[i].there);
        if (found != NULL)
            assert_int_equal(*found, list[i].number);
        count += list[i].there != 0;
    }
    assert_int_equal(index->count, count);
}

static void against_a_list(void **state)
{
    static listed list[NAMES];
    dirac__name_index index = {NULL, 0, 0};
    uint32_t random = 5;
    (void)state;
    make_names(list);
    check_all(&index, list);
    dirac__name_index_remove(&index, "n"); /* of an empty table */
    for (int step = 0; step < STEPS; step++) {
        const uint32_t most = step / 10000 % 2 == 0 ? NAMES : NAMES / 8; /* full, then nearly empty, and again */
        listed *one = &list[next(&random) % NAMES];
        if (!one->there && (uint32_t)(one - list) < most) {
            assert_true(dirac__name_index_reserve(&index, &dirac__default_memory, 1));
            one->number = next(&random);
            dirac__name_index_put(&index, one->name, one->number);
            one->there = 1;
        } else if (one->there && next(&random) % 3 == 0) {
            *dirac__name_index_find(&index, one->name, strlen(one->name)) = one->number = next(&random);
        } else {
            dirac__name_index_remove(&index, one->name); /* also one that is not there */
            one->there = 0;
        }
        if (step % 100 == 0)
            check_all(&index, list);
    }
    check_all(&index, list);
    dirac__name_index_release(&index, &dirac__default_memory);
    assert_int_equal(index.count, 0);
    dirac__name_index_release(&index, &dirac__default_memory);
}

/* A name is looked for by its length: what follows it in memory does not matter. */
static void beginnings(void **state)
{
    dirac__name_index index = {NULL, 0, 0};
    (void)state;
    assert_true(dirac__name_index_reserve(&index, &dirac__default_memory, 1));
    dirac__name_index_put(&index, "conv", 7);
    assert_non_null(dirac__name_index_find(&index, "conv12", 4));
    assert_null(dirac__name_index_find(&index, "conv12", 5));
    assert_null(dirac__name_index_find(&index, "conv12", 3));
    assert_null(dirac__name_index_find(&index, "", 0));
    dirac__name_index_release(&index, &dirac__default_memory);
}

static void *refuse(void *user, size_t size, size_t alignment)
{
    (void)user;
    (void)size;
    (void)alignment;
    return NULL;
}

/* Without memory nothing changes; what cannot be addressed is refused without asking. */
static void no_memory(void **state)
{
    dirac__name_index index = {NULL, 0, 0};
    dirac__memory none = dirac__default_memory;
    char names[16][LONGEST];
    size_t count = 0;
    (void)state;
    none.allocate = refuse;
    assert_false(dirac__name_index_reserve(&index, &none, 1));
    assert_true(dirac__name_index_reserve(&index, &dirac__default_memory, 1));
    while (dirac__name_index_reserve(&index, &none, 1)) {
        snprintf(names[count], LONGEST, "name%zu", count);
        dirac__name_index_put(&index, names[count], count);
        count++;
    }
    assert_int_equal(count, 8); /* half of the least table */
    assert_false(dirac__name_index_reserve(&index, &dirac__default_memory, SIZE_MAX));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(*dirac__name_index_find(&index, names[i], strlen(names[i])), i);
    dirac__name_index_release(&index, &dirac__default_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_list),
        cmocka_unit_test(beginnings),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
