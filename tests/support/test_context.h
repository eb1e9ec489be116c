/* SPDX-License-Identifier: MIT */
/* One context for the tests of a program, made before each of them or before all. */
#ifndef SUPPORT_TEST_CONTEXT_H
#define SUPPORT_TEST_CONTEXT_H

#include "support/nets.h"

static dirac_context *context;

static int make_context(void **state)
{
    (void)state;
    return dirac_context_create(&context);
}

static int drop_context(void **state)
{
    (void)state;
    dirac_context_destroy(context);
    return 0;
}

/* A test with a context of its own. */
#define with_context(name) cmocka_unit_test_setup_teardown(name, make_context, drop_context)

#endif
