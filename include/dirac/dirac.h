/* SPDX-License-Identifier: MIT */
/**
 * @file dirac.h  libdirac: build, train, fold and run DiracNets. Includes the rest, in the order to learn it.
 *
 *     version, status                       which library this is; what its errors say
 *     context   threads, memory, log         ->  net  the graph and its parameters  ->  session  forward and backward
 *                                                                                   ->  sgd      steps
 *     data      samples and batches              file  saving, loading, checkpoints     models   the paper's networks
 *                                                layer layers of the host's own
 *
 * Handles are opaque. Each is made by a create call that fills a pointer and released by its destroy call, in any order
 * and from any thread; a handle keeps alive what it was made from. Pointers the caller gives are read during the call
 * only, unless the function says that it keeps them.
 *
 * The comment of every function has these fields. "Errors" are the status codes it may return (in the headers without
 * their prefix DIRAC_ERR_); what is wrong stands in dirac_error_message(). "Since" is the first release that has it.
 * "Threads" is one of:
 *
 * - any: from any number of threads at once, on the same handle too, beside every other call on it but its destruction.
 * - one: from one thread at a time for one handle, and beside no other call on it but those of "any"; the host sees to it.
 * - caller: one thread at a time for one session; a second one gets DIRAC_ERR_BUSY and may try again.
 * - reader: of a net, from any number of threads at once; DIRAC_ERR_BUSY while a writer has the net.
 * - writer: of a net, which it needs alone; DIRAC_ERR_BUSY while another thread reads, writes or computes on it.
 *
 * The handle is the one that the function is named after; "once built" and "once filled" say from when on. A call with
 * several rules follows each for the handles it names.
 *
 * "Paper" is the place in S. Zagoruyko, N. Komodakis, "DiracNets: Training Very Deep Neural Networks Without
 * Skip-Connections", arXiv:1706.00388v2.
 */
#ifndef DIRAC_H
#define DIRAC_H

#include "version.h"
#include "status.h"
#include "context.h"
#include "net.h"
#include "session.h"
#include "sgd.h"
#include "data.h"
#include "file.h"
#include "models.h"
#include "layer.h"

#endif
