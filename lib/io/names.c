/* SPDX-License-Identifier: MIT */
/*
 * Name maps. Each scheme is a few patterns over "group{g}.block{b}." paths; numbers are plain decimals below 10^9
 * without leading zeros, so that a name has one spelling and always fits DIRAC__NAME_CAPACITY.
 */
#include "io/names.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <dirac/file.h>

#include "base/fail.h"
#include "base/sort.h"

/* ---- small pieces ---- */

/* `text` after `prefix`, or NULL if it does not start so. */
static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text != NULL && strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* `text` after a decimal number, or NULL if there is none. */
static const char *after_number(const char *text, int32_t *number)
{
    int32_t value = 0, digits = 0;
    if (text == NULL) {
        return NULL;
    }
    while (text[digits] >= '0' && text[digits] <= '9' && digits < 10) {
        value = digits < 9 ? value * 10 + (text[digits] - '0') : value;
        digits++;
    }
    if (digits == 0 || digits == 10 || (text[0] == '0' && digits > 1)) {
        return NULL;
    }
    *number = value;
    return text + digits;
}

/* `text` after "<outer>{g}.<inner>{b}.", or NULL. */
static const char *after_block(const char *text, const char *outer, const char *inner, int32_t *g,
                               int32_t *b)
{
    const char *rest = after_number(after(text, outer), g);
    rest = after(rest, ".");
    return after(after_number(after(rest, inner), b), ".");
}

static bool is_one_of(const char *text, const char *const *list)
{
    for (; text != NULL && *list != NULL; list++) {
        if (strcmp(text, *list) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const weight_or_bias[] = {"weight", "bias", NULL};
static const char *const of_batch_norm[] = {"weight", "bias", "running_mean", "running_var", NULL};
static const char *const of_block[] = {"conv", "alpha", "beta", NULL};

/* The published checkpoints of 2018 hold two dictionaries, params and stats. */
static const char *strip(const char *key)
{
    const char *rest = after(key, "params.");
    rest = rest != NULL ? rest : after(key, "stats.");
    return rest != NULL ? rest : key;
}

/* eye{Cout}_{Cin}_{k}..., delta, num_batches_tracked, the latter two at the end of any path */
static bool is_derived(const char *key)
{
    int32_t number;
    const char *dot = strrchr(key, '.');
    const char *last = dot != NULL ? dot + 1 : key;
    if (strcmp(last, "delta") == 0 || strcmp(last, "num_batches_tracked") == 0) {
        return true;
    }
    int32_t numbers = 0;
    for (const char *rest = after(key, "eye"); rest != NULL; rest = after(rest, "_")) {
        rest = after_number(rest, &number);
        numbers++;
        if (rest != NULL && *rest == '\0') {
            return numbers >= 3 && numbers <= 5; /* filters, inputs and one to three kernel sizes */
        }
    }
    return false;
}

/* ---- from files ---- */

/* The own name of a key that only DIRAC__SCHEME_TRAINING has; false for all others. */
static bool from_training(const char *key, char out[DIRAC__NAME_CAPACITY])
{
    int32_t g, b;
    if (strcmp(key, "conv") == 0) {
        strcpy(out, "conv.weight");
        return true;
    }
    const char *rest = after_block(key, "group", "block", &g, &b);
    if (!is_one_of(rest, of_block)) {
        return false;
    }
    const char *parameter = strcmp(rest, "conv") == 0 ? "weight" : rest;
    snprintf(out, DIRAC__NAME_CAPACITY, "group%d.block%d.conv.%s", (int)g, (int)b, parameter);
    return true;
}

/* The tail of a key that only DIRAC__SCHEME_FOLDED has, which is its own name; NULL for all others. */
static const char *from_folded(const char *key)
{
    int32_t g, b;
    const char *own = after(key, "features.");
    const char *parameter = after(own, "conv.");
    if (own != NULL && parameter == NULL) {
        parameter = after(after_block(own, "group", "block", &g, &b), "conv.");
    }
    return is_one_of(parameter, weight_or_bias) ? own : NULL;
}

/* The own name of a key that only DIRAC__SCHEME_STAGES has (its counts start from 1); false for all others. */
static bool from_stages(const char *key, char out[DIRAC__NAME_CAPACITY])
{
    int32_t stage, unit;
    const char *rest = after(key, "features.");
    const char *parameter = after(rest, "init_block.conv.");
    if (is_one_of(parameter, weight_or_bias)) {
        snprintf(out, DIRAC__NAME_CAPACITY, "conv.%s", parameter);
        return true;
    }
    parameter = after(after_block(rest, "stage", "unit", &stage, &unit), "conv.");
    if (!is_one_of(parameter, weight_or_bias) || stage == 0 || unit == 0) {
        return false;
    }
    snprintf(out, DIRAC__NAME_CAPACITY, "group%d.block%d.conv.%s", (int)stage - 1, (int)unit - 1,
             parameter);
    return true;
}

int32_t dirac__names_detect(const char *const *keys, size_t count)
{
    char out[DIRAC__NAME_CAPACITY];
    for (size_t i = 0; i < count; i++) {
        const char *key = strip(keys[i]);
        if (from_training(key, out)) {
            return DIRAC__SCHEME_TRAINING;
        }
        if (from_folded(key) != NULL) {
            return DIRAC__SCHEME_FOLDED;
        }
        if (from_stages(key, out)) {
            return DIRAC__SCHEME_STAGES;
        }
    }
    return DIRAC__SCHEME_OWN;
}

const char *dirac__names_to_own(int32_t scheme, const char *key, char out[DIRAC__NAME_CAPACITY])
{
    const char *rest = strip(key);
    if (is_derived(rest)) {
        return NULL;
    }
    if (scheme == DIRAC__SCHEME_TRAINING) {
        return from_training(rest, out) ? out : rest;
    }
    if (scheme == DIRAC__SCHEME_FOLDED) {
        const char *own = from_folded(rest);
        return own != NULL ? own : rest;
    }
    if (scheme == DIRAC__SCHEME_STAGES) {
        const char *parameter = after(rest, "output.");
        if (is_one_of(parameter, weight_or_bias)) {
            snprintf(out, DIRAC__NAME_CAPACITY, "fc.%s", parameter);
            return out;
        }
        return from_stages(rest, out) ? out : rest;
    }
    return rest;
}

/* What the keys that are no names mean, and which tensors are still free. */
static void match_by_scheme(const char *const *keys, size_t n_keys,
                            const dirac__name_entry *entries, size_t n_names, bool *taken,
                            int64_t *match)
{
    char out[DIRAC__NAME_CAPACITY];
    int32_t scheme = dirac__names_detect(keys, n_keys);
    for (size_t i = 0; i < n_keys; i++) {
        if (match[i] != DIRAC__NAME_UNUSED) {
            continue;
        }
        const char *own = dirac__names_to_own(scheme, keys[i], out);
        const dirac__name_entry *found = own != NULL ? dirac__find_name(entries, n_names, own)
                                                     : NULL;
        if (own == NULL) {
            match[i] = DIRAC__NAME_IGNORED;
        } else if (found != NULL && !taken[found->item]) {
            taken[found->item] = true;
            match[i] = (int64_t)found->item;
        }
    }
}

int32_t dirac__names_match(const dirac__memory *memory, const char *const *keys, size_t n_keys,
                           const char *const *names, size_t n_names, int64_t *match)
{
    dirac__name_entry *entries = dirac__alloc_zero(memory, n_names, sizeof *entries);
    bool *taken = dirac__alloc_zero(memory, n_names, sizeof *taken);
    int32_t status = DIRAC_OK;
    if (entries == NULL || taken == NULL) {
        status = dirac__fail_memory("names of tensors");
        goto done;
    }
    for (size_t i = 0; i < n_names; i++) {
        entries[i].name = names[i];
        entries[i].item = i;
    }
    dirac__sort_names(entries, n_names);
    /* All own names first: a mapped key must not take the tensor of a later key that is called like it. */
    for (size_t i = 0; i < n_keys; i++) {
        const dirac__name_entry *found = dirac__find_name(entries, n_names, keys[i]);
        match[i] = DIRAC__NAME_UNUSED;
        if (found != NULL) {
            match[i] = (int64_t)found->item;
            taken[found->item] = true;
        }
    }
    match_by_scheme(keys, n_keys, entries, n_names, taken, match);
done:
    dirac__free(memory, taken);
    dirac__free(memory, entries);
    return status;
}

/* ---- to files ---- */

static bool to_training(const char *own, char out[DIRAC__NAME_CAPACITY])
{
    int32_t g = 0, b = 0;
    if (strcmp(own, "conv.weight") == 0) {
        strcpy(out, "conv");
        return true;
    }
    const char *rest = after_block(own, "group", "block", &g, &b);
    const char *of_conv = after(rest, "conv.");
    if (of_conv != NULL && (strcmp(of_conv, "weight") == 0 || strcmp(of_conv, "alpha") == 0 ||
                            strcmp(of_conv, "beta") == 0)) {
        const char *last = strcmp(of_conv, "weight") == 0 ? "conv" : of_conv;
        snprintf(out, DIRAC__NAME_CAPACITY, "group%d.block%d.%s", (int)g, (int)b, last);
        return true;
    }
    if (is_one_of(after(rest, "bn."), of_batch_norm) ||
        is_one_of(after(own, "bn."), of_batch_norm) ||
        is_one_of(after(own, "fc."), weight_or_bias)) {
        snprintf(out, DIRAC__NAME_CAPACITY, "%s", own);
        return true;
    }
    return false;
}

static bool to_folded(const char *own, char out[DIRAC__NAME_CAPACITY])
{
    int32_t g, b;
    const char *block = after_block(own, "group", "block", &g, &b);
    if (is_one_of(after(block != NULL ? block : own, "conv."), weight_or_bias)) {
        snprintf(out, DIRAC__NAME_CAPACITY, "features.%s", own);
        return true;
    }
    if (is_one_of(after(own, "fc."), weight_or_bias)) {
        snprintf(out, DIRAC__NAME_CAPACITY, "%s", own);
        return true;
    }
    return false;
}

int32_t dirac__names_to_file(int32_t names, const char *own, char out[DIRAC__NAME_CAPACITY],
                             const char **name)
{
    *name = names == DIRAC_NAMES_OWN ? own : out;
    if (names == DIRAC_NAMES_OWN || (names == DIRAC_NAMES_PUBLISHED && to_training(own, out)) ||
        (names == DIRAC_NAMES_FOLDED && to_folded(own, out))) {
        return DIRAC_OK;
    }
    *name = NULL;
    const char *scheme = names == DIRAC_NAMES_PUBLISHED ? "training" : "folded";
    return dirac__fail(DIRAC_ERR_ARGUMENT,
                       "the published %s form has no name for the tensor \"%s\"", scheme, own);
}
