/* SPDX-License-Identifier: MIT */
/* Checks shared by the files of session calls. */
#ifndef API_SESSION_H
#define API_SESSION_H

#include "plan/session.h"

/* The session is there and has done a forward. */
int32_t dirac__check_forwarded(const dirac_session *session, const char *function);

/* dirac_session_set_output_gradient() for a caller that has the session. */
int32_t dirac__session_give_gradient(dirac_session *session, int32_t index, const float *values, size_t count);

#endif
