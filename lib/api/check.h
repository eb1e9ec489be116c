/* SPDX-License-Identifier: MIT */
/* Checks that many public calls begin with. */
#ifndef API_CHECK_H
#define API_CHECK_H

#include <stdint.h>

#include <dirac/status.h>

#include "base/fail.h"
#include "base/floats.h"
#include "graph/net.h"

/* Returns ARGUMENT from the calling function when `handle` is NULL; the message names the function. */
#define CHECK_HANDLE(handle)                                                                       \
    do {                                                                                           \
        if ((handle) == NULL)                                                                      \
            return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: %s is NULL", __func__, #handle);           \
    } while (0)

/* Returns the status from the calling function unless it is DIRAC_OK. */
#define CHECK(call)                                                                                \
    do {                                                                                           \
        const int32_t check_status = (call);                                                       \
        if (check_status != DIRAC_OK)                                                              \
            return check_status;                                                                   \
    } while (0)

/* Returns ARGUMENT from the calling function unless `value` is 0 or 1. */
#define CHECK_SWITCH(value)                                                                        \
    do {                                                                                           \
        if ((value) != 0 && (value) != 1)                                                          \
            return dirac__fail(DIRAC_ERR_ARGUMENT, "%s: %s is %d, it must be 0 or 1", __func__, #value, (int)(value)); \
    } while (0)

/* The net is there and built. */
int32_t dirac__check_built(const dirac_net *net, const char *function);

#endif
