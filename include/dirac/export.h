/* SPDX-License-Identifier: MIT */
/** @file export.h  Marks what the library exports. Nothing here is for direct use. */
#ifndef DIRAC_EXPORT_H
#define DIRAC_EXPORT_H

#if defined(__GNUC__)
#define DIRAC_API __attribute__((visibility("default")))
#else
#define DIRAC_API
#endif

#ifdef __cplusplus
#define DIRAC_BEGIN extern "C" {
#define DIRAC_END }
#else
#define DIRAC_BEGIN
#define DIRAC_END
#endif

#endif
