/* SPDX-License-Identifier: MIT */
/* Checks shared by the files of session calls. */
#ifndef API_SESSION_H
#define API_SESSION_H

#include "plan/session.h"

/* The session is there and has done a forward. */
int32_t dirac__check_forwarded(const dirac_session *session, const char *function);

#endif
