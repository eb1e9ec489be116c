/* SPDX-License-Identifier: MIT */
/** @file version.h  Which libdirac this is: at compile time (macros) and at run time (functions). */
#ifndef DIRAC_VERSION_H
#define DIRAC_VERSION_H

#include <stdint.h>

#include "export.h"

DIRAC_BEGIN

/* The build reads these lines: they are the only place that holds the numbers. */
/** The release: its first number. */
#define DIRAC_VERSION_MAJOR 0
/** The release: its second number. */
#define DIRAC_VERSION_MINOR 1
/** The release: its third number. */
#define DIRAC_VERSION_PATCH 0

/** The binary interface, apart from the release: the number in the soname. */
#define DIRAC_ABI_VERSION 0

/** True when the headers are release (major, minor, patch) or later. */
#define DIRAC_VERSION_AT_LEAST(major, minor, patch)                                                \
    (DIRAC_VERSION_MAJOR * 1000000 + DIRAC_VERSION_MINOR * 1000 + DIRAC_VERSION_PATCH >=           \
     (major) * 1000000 + (minor) * 1000 + (patch))

/**
 * The release of the library that is running, as text: "0.1.0".
 * @return static text, never NULL. Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API const char *dirac_version_string(void);

/**
 * The release of the library that is running, as a number: major * 1000000 + minor * 1000 + patch.
 * @return the number. Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_version_number(void);

/**
 * The binary interface of the library that is running.
 * @return DIRAC_ABI_VERSION as it was when the library was built. Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API int32_t dirac_abi_version(void);

/**
 * What was built in: space-separated words such as "blas kernels:scalar,x86-64-v3,x86-64-v4".
 * @return static text, never NULL. Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API const char *dirac_build_features(void);

DIRAC_END

#endif
