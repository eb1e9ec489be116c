/* SPDX-License-Identifier: MIT */
/* The table of one variant. */
#include "kernels/table.h"

extern const dirac__kernels KERNEL(table);

#define FIELD(field) .field = KERNEL(field),

const dirac__kernels KERNEL(table) = {
    .name = DIRAC_VARIANT_NAME,
    DIRAC__KERNEL_LIST(FIELD)
};
