/* SPDX-License-Identifier: MIT */
/*
 * Everything the library does that can run out of something, as a list of short acts. A test injects a fault into the
 * calls of one act, and either gives up at the first failed call or repeats that call and goes on; in the second case all
 * that the act leaves must be the same bits as without a fault.
 */
#ifndef FAULT_SCENARIOS_H
#define FAULT_SCENARIOS_H

#include "support/counting_memory.h"
#include "support/nets.h"

/* Whatever a scenario needs; what is not used is NULL. */
typedef struct handles {
    dirac_context *context;
    dirac_layer_kind *kind;
    dirac_net *net, *other;
    dirac_session *session;
    dirac_sgd *sgd;
    dirac_dataset *set;
    dirac_batches *batches;
    dirac_checkpoint *checkpoint;
    void *data;
    size_t size;
    int which, threads;
    floats seen; /* losses, logits, batches: what came back on the way */
} handles;

typedef struct scenario {
    const char *name;
    int32_t (*prepare)(handles *base);              /* without faults */
    int32_t (*act)(handles *base, handles *made);   /* with them; what it makes it puts into `made` */
    int flags, which; /* `which` goes to handles.which; two threads with THREADS, else one */
} scenario;

enum {
    COSTLY = 1,  /* takes long without a fault: not repeated after each, and left out of the short form */
    THREADS = 2, /* starts threads */
    FILES = 4,   /* reads or writes files */
    SAVES = 8,   /* replaces `saved_path` */
    AHEAD = 32,  /* makes batches ahead, on a thread that even a context of one thread has */
    KEEPS = 16   /* a failed call may leave what is made once for all, or an array that has grown, to its handle */
};

extern const scenario scenarios[];
extern const size_t n_scenarios;

/* A directory with data sets, and the file that saving replaces. Made before the first scenario. */
extern char folder[64], saved_path[96];
void make_folder(void);
void drop_folder(void); /* fails the test if anything was left behind */

/* The memory of all contexts here. */
extern counting memory;
extern dirac_alloc_fn scenario_allocate; /* these count in it; NULL: the library's own */
extern dirac_free_fn scenario_release;
/* Of all contexts here: 0 forbids OpenBLAS; a number of threads, where 0 leaves it to the scenario's flags. */
extern int scenario_blas, scenario_threads;

/* The floating-point environment that the acts are called in, a place in those of support/watched.h. */
extern int scenario_environment;

/* Where faults may happen: between the two. Set by the test. */
extern void (*faults_on)(void);
extern void (*faults_off)(void);
/* Whether a call that failed with that status is to be repeated. */
extern int (*faults_retry)(int32_t status, const char *call);

/* All that can be read from these handles. */
void witness(const handles *h, dirac_context *context, floats *all);
/* `context`: the one that `data` came from. */
void close_handles(handles *h, dirac_context *context);
/*
 * One act from beginning to end: prepares, calls `begin` (may be NULL), acts, appends to `all` what there is to see if
 * that went well, destroys everything and fails the test unless every byte is back. Returns the act's status.
 */
int32_t play(const scenario *s, void (*begin)(void), floats *all);
/* Random numbers in [-1, 1), made with the folder. */
extern float noise[40960];
/* A net with every kind of layer, for two inputs: (4, 14, 13) and (2, 3, 4, 5). */
int32_t make_mixed_net(dirac_net **out, dirac_context *context);
/* A net of (3, 8, 8) with a custom layer, dropout and batch norm. */
int32_t make_training_net(dirac_net **out, dirac_context *context, dirac_layer_kind *kind);

#endif
