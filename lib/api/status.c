/* SPDX-License-Identifier: MIT */
/* Status codes as text, and the calling thread's last failure. */
#include <dirac/status.h>

#include <stddef.h>

#include "base/fail.h"

struct status_text {
    int32_t status;
    const char *name, *meaning;
};

#define STATUS_ROW(name, number, meaning) {number, "DIRAC_" #name, meaning},
static const struct status_text status_texts[] = {DIRAC_STATUS_MAP(STATUS_ROW)};
#undef STATUS_ROW

static const struct status_text *find_status(int32_t status)
{
    static const struct status_text unknown = {0, "DIRAC_ERR_UNKNOWN",
                                               "not a status code of this library"};
    for (size_t i = 0; i < sizeof status_texts / sizeof status_texts[0]; i++)
        if (status_texts[i].status == status)
            return &status_texts[i];
    return &unknown;
}

const char *dirac_status_name(int32_t status)
{
    return find_status(status)->name;
}

const char *dirac_status_string(int32_t status)
{
    return find_status(status)->meaning;
}

const char *dirac_error_message(void)
{
    return dirac__fail_text();
}
