/* SPDX-License-Identifier: MIT */
/* The kernels that a context can be told to use, and those of them that run here. */
#ifndef SUPPORT_VARIANTS_H
#define SUPPORT_VARIANTS_H

#include "support/nets.h"

static const char *const kernel_names[] = {"scalar", "x86-64-v3", "x86-64-v4", "aarch64"};
#define KERNEL_NAMES (sizeof kernel_names / sizeof kernel_names[0])

/* A context with those kernels, or NULL if this build or this machine does not have them. */
static inline dirac_context *kernels_context(const char *name)
{
    dirac_context *made;
    ok(dirac_context_create(&made));
    const int32_t status = dirac_context_set_kernels(made, name);
    if (status == DIRAC_OK)
        return made;
    refused(status, DIRAC_ERR_UNSUPPORTED);
    dirac_context_destroy(made);
    return NULL;
}

#endif
