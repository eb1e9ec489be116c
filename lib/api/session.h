/* SPDX-License-Identifier: MIT */
/* Checks shared by the files of session calls. */
#ifndef API_SESSION_H
#define API_SESSION_H

#include "plan/session.h"

/* The session is there and has done a forward. */
int32_t dirac__check_forwarded(const dirac_session *session, const char *function);
/* Output 0 of the prepared session is a vector, of as many logits as there are class weights. */
int32_t dirac__session_check_logits(const dirac_session *session, const char *function);

/* Public calls for a caller that has the session. */
int32_t dirac__session_forward(dirac_session *session, const float *const *inputs, int32_t count, int64_t n);
int32_t dirac__session_cross_entropy(dirac_session *session, const int32_t *labels, float *loss);
int32_t dirac__session_count_correct(const dirac_session *session, const int32_t *labels, int64_t *correct);
int32_t dirac__session_give_gradient(dirac_session *session, int32_t index, const float *values, size_t count);
int32_t dirac__session_backward(dirac_session *session);

#endif
