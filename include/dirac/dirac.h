/* SPDX-License-Identifier: MIT */
/**
 * @file dirac.h  libdirac: build, train, fold and run DiracNets. Includes the rest, in the order a reader should learn it.
 *
 * context  threads, memory, log         ->  net  the graph and its parameters  ->  session  forward and backward
 *                                                                              ->  sgd      steps
 * data     samples and batches              file  saving, loading, checkpoints     models   the paper's networks
 *                                           layer layers of the host's own
 *
 * Handles are opaque. Each is made by a create call that fills a pointer and released by its destroy call, in any order.
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
