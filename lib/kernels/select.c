/* SPDX-License-Identifier: MIT */
/* The tables of this build and the choice among them. The build defines DIRAC_HAVE_<VARIANT> for each that it compiled;
 * the scalar one always exists. */
#include <string.h>

#include "base/cpu.h"
#include "kernels/kernels.h"

extern const dirac__kernels dirac__scalar_table;
#ifdef DIRAC_HAVE_V3
extern const dirac__kernels dirac__v3_table;
#endif
#ifdef DIRAC_HAVE_V4
extern const dirac__kernels dirac__v4_table;
#endif
#ifdef DIRAC_HAVE_AARCH64
extern const dirac__kernels dirac__aarch64_table;
#endif

const dirac__kernels *const dirac__kernel_tables[] = {
#ifdef DIRAC_HAVE_V4
    &dirac__v4_table,
#endif
#ifdef DIRAC_HAVE_V3
    &dirac__v3_table,
#endif
#ifdef DIRAC_HAVE_AARCH64
    &dirac__aarch64_table,
#endif
    &dirac__scalar_table,  NULL,
};

const dirac__kernels *dirac__kernels_best(void)
{
    size_t t = 0;
    while (dirac__kernel_tables[t + 1] && !dirac__cpu_runs(dirac__kernel_tables[t]->name)) {
        t++;
    }
    return dirac__kernel_tables[t];
}

const dirac__kernels *dirac__kernels_named(const char *name)
{
    for (size_t t = 0; dirac__kernel_tables[t]; t++) {
        const dirac__kernels *table = dirac__kernel_tables[t];
        if (strcmp(table->name, name) == 0) {
            return dirac__cpu_runs(name) ? table : NULL;
        }
    }
    return NULL;
}
