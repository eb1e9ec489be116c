/* SPDX-License-Identifier: MIT */
/* The host's progress callback. */
#include "progress.h"

#include <stddef.h>

#include "fail.h"

int32_t dirac__progress_report(const dirac__progress *progress, const char *what, uint64_t done, uint64_t total)
{
    if (progress == NULL || progress->report == NULL)
        return DIRAC_OK;
    if (progress->report(progress->user, (int64_t)done, (int64_t)total) == 0)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_CANCELLED, "the host stopped %s", what);
}
