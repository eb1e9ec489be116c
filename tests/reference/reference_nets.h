/* SPDX-License-Identifier: MIT */
/* From the notes of a reference file to nets and optimizers, and comparison with the float64 results. Public interface
 * of the library only. */
#ifndef REFERENCE_NETS_H
#define REFERENCE_NETS_H

#include <dirac/dirac.h>

#include "reference_file.h"

/* One way of computing that every result must stand. */
typedef struct reference_way {
    dirac_context *context;
    int32_t strict; /* dirac_session_set_strict() */
} reference_way;

/* Runs `test` with every set of kernels this machine has, strict and not. */
void for_each_way(void (*test)(const reference_way *way));

/* Fails the test, with the library's message, unless `status` is DIRAC_OK. */
void must(const char *what, int32_t status);

/* The chain of layers of the case's note "chain" ("conv2d 6 3 groups=2 ; relu"; see chain.py) for inputs of the shapes
 * of x0, x1, ... or of "input". Layer i is named l<i>. Built, with the case's "init/..." as parameters. `n` receives the
 * number of images. */
dirac_net *reference_chain(const reference_way *way, const reference_file *file, const char *a_case, int64_t *n);

/* The model of the case's note "net", built, with the case's "init/..." as parameters. */
dirac_net *reference_model(const reference_way *way, const reference_file *file, const char *a_case, int64_t *n);

/* A prepared session for n images. keep: 1 keeps the value of every node, so that nothing can be computed together. */
dirac_session *reference_session(const reference_way *way, dirac_net *net, int32_t mode, int64_t n, int32_t keep);

/* An optimizer with the settings of a note ("rate=0.1 momentum=0.9 ..."; see optimizer.py). */
dirac_sgd *reference_sgd(dirac_net *net, const char *settings);

/* ---- comparison ---- */

/* Compares values with a result of the case, beginning at its number `first`, under the rule for its name. Prints what
 * is too far and counts it. */
void compare(const reference_way *way, const reference_file *file, const char *a_case, const char *name, size_t first,
             const float *got, size_t count);
/* Output 0 of the session's last forward. */
void compare_output(const reference_way *way, const reference_file *file, const char *a_case, const char *name,
                    const dirac_session *session);
/* Every tensor of the net, or its state alone, with "prefix/name". */
void compare_net(const reference_way *way, const reference_file *file, const char *a_case, const char *prefix,
                 const dirac_net *net, int32_t only_state);
/* Every gradient of the session with "grad/name". */
void compare_gradients(const reference_way *way, const reference_file *file, const char *a_case, const dirac_net *net,
                       const dirac_session *session);
/* The gradient of input i with "dx<i>", or "dx" in a case of a whole net; those too large to be stored are left out. */
void compare_input_gradients(const reference_way *way, const reference_file *file, const char *a_case,
                             const dirac_net *net, const dirac_session *session);

/* Prints, for each rule, how much of the tolerance was used at most since the last call; fails the test if any
 * comparison was too far, or if there was none. */
void comparisons_end(const char *test);

#endif
