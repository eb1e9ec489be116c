/* SPDX-License-Identifier: MIT */
/* Name maps against lists written out by hand from the published files' keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dirac/file.h>

#include "base/fail.h"
#include "base/mem.h"
#include "io/names.h"
#include "base/sort.h"
#include "support/probe_memory.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

typedef struct pair {
    const char *key, *own; /* own NULL: ignored */
} pair;

static const pair training[] = {
    {"conv", "conv.weight"},
    {"bn.weight", "bn.weight"},
    {"bn.bias", "bn.bias"},
    {"bn.running_mean", "bn.running_mean"},
    {"bn.running_var", "bn.running_var"},
    {"group0.block0.conv", "group0.block0.conv.weight"},
    {"group0.block0.alpha", "group0.block0.conv.alpha"},
    {"group0.block0.beta", "group0.block0.conv.beta"},
    {"group0.block0.bn.weight", "group0.block0.bn.weight"},
    {"group3.block11.conv", "group3.block11.conv.weight"},
    {"group3.block11.alpha", "group3.block11.conv.alpha"},
    {"group3.block11.bn.running_var", "group3.block11.bn.running_var"},
    {"fc.weight", "fc.weight"},
    {"fc.bias", "fc.bias"},
    {"eye64_64_3_3", NULL},
    {"eye128_64_3_3", NULL},
};

static const pair folded[] = {
    {"features.conv.weight", "conv.weight"},
    {"features.conv.bias", "conv.bias"},
    {"features.group0.block0.conv.weight", "group0.block0.conv.weight"},
    {"features.group2.block13.conv.bias", "group2.block13.conv.bias"},
    {"fc.weight", "fc.weight"},
    {"fc.bias", "fc.bias"},
};

static const pair stages[] = {
    {"features.init_block.conv.weight", "conv.weight"},
    {"features.init_block.conv.bias", "conv.bias"},
    {"features.stage1.unit1.conv.weight", "group0.block0.conv.weight"},
    {"features.stage1.unit1.conv.bias", "group0.block0.conv.bias"},
    {"features.stage4.unit12.conv.weight", "group3.block11.conv.weight"},
    {"features.stage10.unit100.conv.bias", "group9.block99.conv.bias"},
    {"output.weight", "fc.weight"},
    {"output.bias", "fc.bias"},
};

static const pair own_names[] = {
    {"conv.weight", "conv.weight"},
    {"conv.bias", "conv.bias"},
    {"group0.block0.conv.weight", "group0.block0.conv.weight"},
    {"group0.block0.conv.alpha", "group0.block0.conv.alpha"},
    {"group0.block0.conv.delta", NULL},
    {"delta", NULL},
    {"bn.num_batches_tracked", NULL},
    {"num_batches_tracked", NULL},
    {"output.weight", "output.weight"},
    {"my_layer.weight", "my_layer.weight"},
    {"fc.bias", "fc.bias"},
};

/* Detects from the whole list and maps each, plain and behind "params." and "stats.". */
static void check_scheme(const pair *pairs, size_t count, int32_t scheme)
{
    static const char *const prefixes[] = {"", "params.", "stats."};
    for (size_t p = 0; p < COUNT(prefixes); p++) {
        char keys[20][DIRAC__NAME_CAPACITY], out[DIRAC__NAME_CAPACITY];
        const char *list[20];
        for (size_t i = 0; i < count; i++) {
            snprintf(keys[i], sizeof keys[i], "%s%s", prefixes[p], pairs[i].key);
            list[i] = keys[i];
        }
        assert_int_equal(dirac__names_detect(list, count), scheme);
        for (size_t i = 0; i < count; i++) {
            const char *own = dirac__names_to_own(scheme, list[i], out);
            if (pairs[i].own == NULL) {
                assert_null(own);
            } else {
                assert_non_null(own);
                assert_string_equal(own, pairs[i].own);
            }
        }
    }
}

static void test_schemes(void **state)
{
    (void)state;
    check_scheme(training, COUNT(training), DIRAC__SCHEME_TRAINING);
    check_scheme(folded, COUNT(folded), DIRAC__SCHEME_FOLDED);
    check_scheme(stages, COUNT(stages), DIRAC__SCHEME_STAGES);
    check_scheme(own_names, COUNT(own_names), DIRAC__SCHEME_OWN);
    assert_int_equal(dirac__names_detect(NULL, 0), DIRAC__SCHEME_OWN);
}

/* Near misses: no scheme claims them, and they come back as they are. */
static void test_near_misses(void **state)
{
    static const char *const keys[] = {
        "convs",
        "Conv",
        "conv.",
        "group0.block0",
        "group0.block0.",
        "group0.block0.gamma",
        "group0.block0.conv.",
        "group00.block0.conv",
        "group0.block01.alpha",
        "group.block0.conv",
        "group0block0.conv",
        "group-1.block0.conv",
        "group+1.block0.conv",
        "group 1.block0.conv",
        "group1234567890.block0.conv",
        "group12345678901234567890.block0.conv",
        "xgroup0.block0.conv",
        "features.conv",
        "features.conv.weights",
        "features.",
        "features",
        "features.group0.block0.bn.weight",
        "features.group0.block0.conv.alpha",
        "features.stage0.unit1.conv.weight",
        "features.stage1.unit0.conv.weight",
        "features.stage1.unit1.conv",
        "features.init_block.conv",
        "features.init_block.bn.weight",
        "eye",
        "eye64",
        "eye64_64",
        "eye64_64_3_3_",
        "eye64_64_3_3_3_3",
        "eye_64_64_3",
        "eyes64_64_3_3",
        "eye64_64_3x",
        "deltas",
        "x.delta.y",
        "",
        ".",
    };
    char out[DIRAC__NAME_CAPACITY];
    (void)state;
    assert_int_equal(dirac__names_detect(keys, COUNT(keys)), DIRAC__SCHEME_OWN);
    for (int32_t scheme = DIRAC__SCHEME_OWN; scheme <= DIRAC__SCHEME_STAGES; scheme++) {
        for (size_t i = 0; i < COUNT(keys); i++) {
            const char *own = dirac__names_to_own(scheme, keys[i], out);
            assert_non_null(own);
            assert_string_equal(own, keys[i]);
        }
    }
    assert_null(dirac__names_to_own(DIRAC__SCHEME_OWN, "eye64_64_3", out));     /* 1-D */
    assert_null(dirac__names_to_own(DIRAC__SCHEME_OWN, "eye64_64_3_3_3", out)); /* 3-D */
}

static void test_match(void **state)
{
    static const char *const names[] = {"fc.weight", "conv.weight", "group0.block0.conv.weight",
                                        "group0.block0.conv.alpha", "fc.bias"};
    static const char *const keys[] = {"stats.eye16_16_3_3",       "params.group0.block0.alpha",
                                       "params.fc.bias",           "params.conv",
                                       "params.fc.weights",        "params.group0.block0.conv",
                                       "params.group1.block0.conv"};
    static const int64_t expected[] = {DIRAC__NAME_IGNORED, 3, 4, 1, DIRAC__NAME_UNUSED, 2,
                                       DIRAC__NAME_UNUSED};
    int64_t match[COUNT(keys)];
    (void)state;
    assert_int_equal(
        dirac__names_match(&dirac__default_memory, keys, COUNT(keys), names, COUNT(names), match),
        0);
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_int_equal(match[i], expected[i]);
    }
    assert_int_equal(dirac__names_match(&dirac__default_memory, NULL, 0, names, COUNT(names), NULL),
                     0);
    assert_int_equal(dirac__names_match(&dirac__default_memory, keys, 1, NULL, 0, match), 0);
    assert_int_equal(match[0], DIRAC__NAME_IGNORED);
}

/* A tensor's own name wins over a mapped key, whatever comes first and whatever the scheme. */
static void test_match_own_first(void **state)
{
    static const char *const names[] = {"conv.weight", "x.delta",       "params.w",
                                        "eye1_1_1",    "output.weight", "fc.weight"};
    static const char *const keys[] = {
        "conv",     "conv.weight", "params.conv.weight", "x.delta",
        "params.w", "eye1_1_1",    "output.weight",      "features.stage1.unit1.conv.weight"};
    static const int64_t expected[] = {DIRAC__NAME_UNUSED, 0, DIRAC__NAME_UNUSED, 1, 2, 3, 4,
                                       DIRAC__NAME_UNUSED};
    int64_t match[COUNT(keys)];
    (void)state;
    assert_int_equal(
        dirac__names_match(&dirac__default_memory, keys, COUNT(keys), names, COUNT(names), match),
        0);
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_int_equal(match[i], expected[i]);
    }
}

static void test_match_memory(void **state)
{
    static const char *const keys[] = {"conv"};
    probe p;
    const dirac__memory memory = probe_memory(&p);
    int64_t match[1];
    (void)state;
    for (p.refuse_at = 1; p.refuse_at <= 2; p.refuse_at++) {
        p.requests = 0;
        assert_int_equal(dirac__names_match(&memory, keys, 1, keys, 1, match), DIRAC_ERR_MEMORY);
        assert_int_equal(p.alive, 0);
    }
    p.refuse_at = 0;
    assert_int_equal(dirac__names_match(&memory, keys, 1, keys, 1, match), DIRAC_OK);
    assert_int_equal(p.alive, 0);
    assert_int_equal(p.wrong, 0);
}

/* From own names to a scheme and back is the identity, and the file's name is the published one. */
static void test_to_file(void **state)
{
    char out[DIRAC__NAME_CAPACITY];
    const char *name;
    (void)state;
    for (size_t i = 0; i < COUNT(training); i++) {
        if (training[i].own != NULL) {
            assert_int_equal(
                dirac__names_to_file(DIRAC_NAMES_PUBLISHED, training[i].own, out, &name), DIRAC_OK);
            assert_string_equal(name, training[i].key);
        }
    }
    for (size_t i = 0; i < COUNT(folded); i++) {
        assert_int_equal(dirac__names_to_file(DIRAC_NAMES_FOLDED, folded[i].own, out, &name),
                         DIRAC_OK);
        assert_string_equal(name, folded[i].key);
    }
    assert_int_equal(dirac__names_to_file(DIRAC_NAMES_OWN, "anything at all", out, &name),
                     DIRAC_OK);
    assert_string_equal(name, "anything at all");
}

static void test_to_file_refused(void **state)
{
    static const char *const not_training[] = {"conv.bias",
                                               "conv",
                                               "group0.block0.conv.bias",
                                               "group0.block0.alpha",
                                               "features.conv.weight",
                                               "bn.weights",
                                               "group0.block0.bn1.weight",
                                               "group0.block0.conv1.weight",
                                               "fc1.weight",
                                               "part.conv.weight",
                                               ""};
    static const char *const not_folded[] = {"bn.weight",
                                             "group0.block0.bn.running_mean",
                                             "group0.block0.conv.alpha",
                                             "features.conv.weight",
                                             "group0.block0.shortcut.weight",
                                             "fc.alpha",
                                             ""};
    char out[DIRAC__NAME_CAPACITY];
    const char *name;
    (void)state;
    for (size_t i = 0; i < COUNT(not_training); i++) {
        assert_int_equal(dirac__names_to_file(DIRAC_NAMES_PUBLISHED, not_training[i], out, &name),
                         DIRAC_ERR_ARGUMENT);
        assert_non_null(strstr(dirac__fail_text(), not_training[i]));
        assert_null(name);
    }
    for (size_t i = 0; i < COUNT(not_folded); i++) {
        assert_int_equal(dirac__names_to_file(DIRAC_NAMES_FOLDED, not_folded[i], out, &name),
                         DIRAC_ERR_ARGUMENT);
    }
}

/* The longest names that are put together fit the buffer. */
static void test_longest(void **state)
{
    char out[DIRAC__NAME_CAPACITY];
    const char *name;
    (void)state;
    const char *own = "group999999999.block999999999.conv.weight";
    assert_int_equal(dirac__names_to_file(DIRAC_NAMES_FOLDED, own, out, &name), DIRAC_OK);
    assert_string_equal(name, "features.group999999999.block999999999.conv.weight");
    own = "group999999999.block999999999.bn.running_mean";
    assert_int_equal(dirac__names_to_file(DIRAC_NAMES_PUBLISHED, own, out, &name), DIRAC_OK);
    assert_string_equal(name, own);
    own = dirac__names_to_own(DIRAC__SCHEME_STAGES,
                              "features.stage999999999.unit999999999.conv.weight", out);
    assert_string_equal(own, "group999999998.block999999998.conv.weight");
}

/* Sorting and finding, for all small counts and many duplicates; the order of ties is by item. */
static void test_sort(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (size_t count = 0; count < 70; count++) {
        dirac__name_entry entries[70];
        char names[70][8];
        for (size_t i = 0; i < count; i++) {
            random = random * 1664525u + 1013904223u;
            snprintf(names[i], sizeof names[i], "n%u", (unsigned)(random >> 16) % 40);
            entries[i].name = names[i];
            entries[i].item = i;
        }
        dirac__sort_names(entries, count);
        size_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            sum += entries[i].item;
            assert_ptr_equal(entries[i].name, names[entries[i].item]);
            if (i > 0) {
                int order = strcmp(entries[i - 1].name, entries[i].name);
                assert_true(order < 0 || (order == 0 && entries[i - 1].item < entries[i].item));
            }
        }
        assert_int_equal(sum, count * (count - (count > 0)) / 2);
        for (size_t i = 0; i < count; i++) {
            const dirac__name_entry *found = dirac__find_name(entries, count, names[i]);
            assert_non_null(found);
            assert_string_equal(found->name, names[i]);
            assert_true(found == entries || strcmp(found[-1].name, names[i]) < 0);
        }
        assert_null(dirac__find_name(entries, count, "m"));
        assert_null(dirac__find_name(entries, count, "n10a"));
        assert_null(dirac__find_name(entries, count, "o"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemes),
        cmocka_unit_test(test_near_misses),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_match_own_first),
        cmocka_unit_test(test_match_memory),
        cmocka_unit_test(test_to_file),
        cmocka_unit_test(test_to_file_refused),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
