/* SPDX-License-Identifier: MIT */
/*
 * Loading files that were damaged, into a net and its training. With the checksum that was there each one must be
 * refused. With the checksum computed anew, or none, each is refused or loads: nothing kept after a refusal, what was
 * there before unchanged by it, and never more memory than the context's limit of loading.
 */
#ifndef FAULT_DAMAGE_H
#define FAULT_DAMAGE_H

#include "support/counting_memory.h"
#include "support/nets.h"

/* What is loaded into, and what came of it. */
typedef struct victim {
    counting memory;
    size_t limit;
    dirac_context *context;
    dirac_net *net;
    dirac_session *session;
    dirac_sgd *sgd;
    dirac_checkpoint *checkpoint;
    size_t tried, refusals, loads;
} victim;
extern victim victims;

/* `make` makes the net. */
void open_victims(size_t limit, dirac_net *(*make)(void));
void close_victims(void);

typedef int32_t (*load_fn)(const void *data, size_t size);

int32_t load_net(const void *data, size_t size);     /* as a new net */
int32_t load_weights(const void *data, size_t size); /* into the net */
int32_t load_checkpoint(const void *data, size_t size);

enum { KEPT, SEALED, NONE }; /* the checksum: as it was, right again, not there */

/* Loads a copy of these bytes. `what` and `at` say how they were damaged. */
int32_t try_load(load_fn load, const unsigned char *bytes, size_t size, int checksum, size_t at, const char *what);
/* The same with each of the ways to change the byte at `at`: its bits flipped, and values that mean something in JSON
 * or in a number. `way` counts from 0 to CHANGES - 1; one that changes nothing is left out. */
enum { CHANGES = 24 };
void try_change(load_fn load, unsigned char *bytes, size_t size, int checksum, size_t at, int way);
void tell_damage(const char *name, size_t size, int checksum);

#endif
