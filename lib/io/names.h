/* SPDX-License-Identifier: MIT */
/*
 * What published DiracNet files call their tensors, and what we call them ("own names"): conv.weight, bn.running_mean,
 * group0.block0.conv.alpha, fc.bias. See docs/file-format.md for the table.
 */
#ifndef IO_NAMES_H
#define IO_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

/* A buffer that holds every name that the functions below put together. */
#define DIRAC__NAME_CAPACITY 64

/* How the keys of a file are formed. Any of them may stand behind "params." or "stats.". */
enum {
    DIRAC__SCHEME_OWN = 0,      /* own names; the folded form without "features." is the same */
    DIRAC__SCHEME_TRAINING = 1, /* the paper's code: conv, group0.block0.conv, group0.block0.alpha, ... */
    DIRAC__SCHEME_FOLDED = 2,   /* the paper's code: features.conv.weight, features.group0.block0.conv.bias, ... */
    DIRAC__SCHEME_STAGES = 3    /* features.init_block.conv.weight, features.stage1.unit1.conv.weight, output.weight */
};

/* The scheme of a set of keys: that of the first key which only one of them has; else OWN. */
int32_t dirac__names_detect(const char *const *keys, size_t count);

/*
 * The own name behind a key of a file in `scheme`: put together in `out`, or a tail of `key`, or `key` itself when no
 * rule applies. NULL: a derived buffer without a counterpart, to be ignored (eye64_64_3_3, delta, num_batches_tracked).
 */
const char *dirac__names_to_own(int32_t scheme, const char *key, char out[DIRAC__NAME_CAPACITY]);

enum { DIRAC__NAME_UNUSED = -1, DIRAC__NAME_IGNORED = -2 };

/*
 * Finds for each key of a file the tensor of a net that it means: match[i] is an index into `names`, or
 * DIRAC__NAME_UNUSED (nothing in the net is called so, or another key already means that tensor), or
 * DIRAC__NAME_IGNORED (a derived buffer). A key that is the name of a tensor means that tensor in every scheme.
 * Neither list may hold a name twice. Errors: MEMORY.
 */
int32_t dirac__names_match(const dirac__memory *memory, const char *const *keys, size_t n_keys,
                           const char *const *names, size_t n_names, int64_t *match);

/*
 * The name for a file of an own name. `names` is DIRAC_NAMES_OWN, _PUBLISHED or _FOLDED of dirac/file.h. *name is `own`
 * itself or stands in `out`. Errors: ARGUMENT (the scheme has no name for it; named).
 */
int32_t dirac__names_to_file(int32_t names, const char *own, char out[DIRAC__NAME_CAPACITY],
                             const char **name);

#endif
