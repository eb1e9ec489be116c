/* SPDX-License-Identifier: MIT */
/**
 * @file status.h  Status codes and the text of the last error.
 *
 * Every function that can fail returns a status: DIRAC_OK (0) or one of the negative codes below. (Functions that build
 * a net return a node, or NULL; see net.h.) A failed call leaves a sentence in a record of its own thread that names
 * the layer or argument, the value found and the values allowed. Unless a function says otherwise, a failed call
 * changed nothing and every handle stays usable.
 */
#ifndef DIRAC_STATUS_H
#define DIRAC_STATUS_H

#include <stdint.h>

#include "export.h"

DIRAC_BEGIN

/** All status codes as X(name, number, meaning). A number is never reused. */
#define DIRAC_STATUS_MAP(X)                                                                        \
    X(OK, 0, "success")                                                                            \
    X(ERR_ARGUMENT, -1, "an argument is NULL, out of range or does not belong here")               \
    X(ERR_MEMORY, -2, "out of memory")                                                             \
    X(ERR_SHAPE, -3, "shapes do not fit together")                                                 \
    X(ERR_STATE, -4, "the call comes too early or too late in the life of the handle")             \
    X(ERR_BUSY, -5, "another thread is using the handle")                                          \
    X(ERR_IO, -6, "a file could not be opened, read or written")                                   \
    X(ERR_FORMAT, -7, "a file or buffer is not what it should be")                                 \
    X(ERR_NOT_FOUND, -8, "no such name")                                                           \
    X(ERR_MISMATCH, -9, "tensors are missing, unused or of another shape")                         \
    X(ERR_NOT_FINITE, -10, "a value is NaN or infinite")                                           \
    X(ERR_CANCELLED, -11, "a callback asked to stop")                                              \
    X(ERR_CALLBACK, -12, "a callback of the host failed")                                          \
    X(ERR_UNSUPPORTED, -13, "this build or this machine cannot do it")                             \
    X(ERR_LIMIT, -14, "a stated limit would be passed")                                            \
    X(ERR_THREAD, -15, "a thread could not be started")

/** The status codes: what every function that can fail returns. */
enum {
#define DIRAC_STATUS_ENTRY(name, number, meaning) DIRAC_##name = number,
    DIRAC_STATUS_MAP(DIRAC_STATUS_ENTRY)
#undef DIRAC_STATUS_ENTRY
    DIRAC_STATUS_FORCE_INT32 = INT32_MAX
};

/**
 * The name of a status code: "DIRAC_ERR_SHAPE".
 * @param status any number.
 * @return static text, never NULL ("DIRAC_ERR_UNKNOWN" for a number that is no code). Errors: none. Threads: any.
 * Since 0.1.
 */
DIRAC_API const char *dirac_status_name(int32_t status);

/**
 * What a status code means, in a few words.
 * @param status any number.
 * @return static text, never NULL. Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API const char *dirac_status_string(int32_t status);

/**
 * The text of the last failure on the calling thread; "" if nothing has failed yet. A later success does not clear it.
 * @return text owned by the library, valid until the next failing call on this thread or the thread's end; never NULL.
 * Errors: none. Threads: any. Since 0.1.
 */
DIRAC_API const char *dirac_error_message(void);

DIRAC_END

#endif
