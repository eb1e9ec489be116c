/* SPDX-License-Identifier: MIT */
/* The table of one variant. */
#include "kernels/table.h"

extern const dirac__kernels KERNEL(table);
extern const dirac__winograd KERNEL(winograd4_table), KERNEL(winograd2_table);

#define FIELD(field) .field = KERNEL(field),

const dirac__kernels KERNEL(table) = {
    .name = DIRAC_VARIANT_NAME,
    .reading = DIRAC_LANES == 16 ? 12 : 10, /* measured: narrower products take longer, memory does not */
    .winograd4 = &KERNEL(winograd4_table),
    .winograd2 = &KERNEL(winograd2_table),
    DIRAC__KERNEL_LIST(FIELD)
};
