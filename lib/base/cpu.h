/* SPDX-License-Identifier: MIT */
/* What the CPU can run. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>

/* Whether this CPU (and its operating system) runs code compiled for `name`: "scalar" always; "x86-64-v2", "x86-64-v3",
 * "x86-64-v4" by the psABI's levels; "aarch64" on aarch64. */
bool dirac__cpu_runs(const char *name);

#endif
