/* SPDX-License-Identifier: MIT */
/* Published names: lines before an empty line are keys of a file, those behind it names of a net. No key is matched
 * twice, and a name that a scheme can write is read back. */
#include <stdbool.h>

#include <dirac/file.h>

#include "fuzz.h"
#include "io/names.h"

enum { MOST = 64 };

/* Cuts text into lines that differ; returns where the rest begins. */
static char *cut_lines(char *at, const char **lines, size_t *count)
{
    for (*count = 0; *at != '\0' && *at != '\n';) {
        char *end = at + strcspn(at, "\n");
        char *next = *end == '\0' ? end : end + 1;
        bool known = *count == MOST;
        *end = '\0';
        for (size_t i = 0; i < *count; i++)
            known = known || strcmp(lines[i], at) == 0;
        if (!known)
            lines[(*count)++] = at;
        at = next;
    }
    return *at == '\n' ? at + 1 : at;
}

static void check_round_trip(const char *own)
{
    char file[DIRAC__NAME_CAPACITY], back[DIRAC__NAME_CAPACITY];
    const int32_t schemes[] = {DIRAC__SCHEME_OWN, DIRAC__SCHEME_TRAINING, DIRAC__SCHEME_FOLDED};
    for (int32_t names = DIRAC_NAMES_PUBLISHED; names <= DIRAC_NAMES_FOLDED; names++) {
        const char *name = NULL;
        if (dirac__names_to_file(names, own, file, &name) != DIRAC_OK)
            continue;
        const char *again = dirac__names_to_own(schemes[names], name, back);
        FUZZ_CHECK(again != NULL && strcmp(again, own) == 0);
    }
}

static void match(const char **keys, size_t n_keys, const char **names, size_t n_names)
{
    fuzz_memory counted = {.most = (size_t)1 << 22};
    const dirac__memory memory = {fuzz_allocate, fuzz_release, &counted};
    int64_t to[MOST + 1];
    bool taken[MOST + 1] = {false};
    FUZZ_CHECK(dirac__names_match(&memory, keys, n_keys, names, n_names, to) == DIRAC_OK);
    for (size_t i = 0; i < n_keys; i++) {
        FUZZ_CHECK(to[i] >= DIRAC__NAME_IGNORED && to[i] < (int64_t)n_names);
        if (to[i] < 0)
            continue;
        FUZZ_CHECK(!taken[to[i]]);
        taken[to[i]] = true;
    }
    FUZZ_CHECK(counted.blocks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *keys[MOST], *names[MOST];
    size_t n_keys, n_names;
    char *text = malloc(size + 1);
    FUZZ_CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    cut_lines(cut_lines(text, keys, &n_keys), names, &n_names);
    match(keys, n_keys, names, n_names);
    for (size_t i = 0; i < n_names; i++)
        check_round_trip(names[i]);
    for (int32_t scheme = DIRAC__SCHEME_OWN; scheme <= DIRAC__SCHEME_STAGES; scheme++)
        for (size_t i = 0; i < n_keys; i++) {
            char own[DIRAC__NAME_CAPACITY];
            (void)dirac__names_to_own(scheme, keys[i], own);
        }
    free(text);
    return 0;
}
