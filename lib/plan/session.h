/* SPDX-License-Identifier: MIT */
/*
 * The inside of a session: the plan of a net for one batch size, and its walk forward and backward.
 *
 * Time. A net of S nodes has forward times 0..S-1 in the order of its nodes, then the loss at S, then backward times
 * S+1..2S in the opposite order; results live until the end, 2S+1. Every array of a session (a value, a gradient, what a
 * layer saves, its scratch) is a block with a first and a last time. Blocks whose times overlap get different places in
 * one arena (blocks.c), which is the only large allocation of a session.
 *
 * Slices. Inference may take a slice of the batch at a time through the whole net (slices.c). Then every lane has a copy of
 * the blocks that live during one walk, and of the passes; packed weights and results, which last, exist once.
 */
#ifndef PLAN_SESSION_H
#define PLAN_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dirac/session.h>

#include "graph/net.h"

/* ---- blocks.c ---- */

typedef struct dirac__block {
    size_t bytes;
    int32_t first, last; /* times, both included */
    bool lasting;        /* one for all copies, before them */
    size_t offset;       /* asked: from the arena's start, in the first copy; a multiple of 64 */
} dirac__block;

/* Gives every block a place. *copy receives the bytes from one copy of the others to the next, *total those of the arena.
 * Errors: MEMORY, LIMIT (overflow). */
int32_t dirac__blocks_place(const dirac__memory *memory, dirac__block *blocks, size_t count, int32_t copies, size_t *copy,
                            size_t *total);

/* ---- plan.c ---- */

enum { DIRAC__NONE = -1 };

/* What a plan knows of one node. Indices are of blocks, or DIRAC__NONE. */
typedef struct dirac__step {
    dirac__shape out;
    bool live;      /* leads to an output or a kept node: is computed */
    bool output, kept;
    bool skipped;   /* forward has nothing to do: its value stands already (fused ReLU, dropout in inference) */
    bool relu;      /* forward also applies the ReLU that follows */
    bool backward;  /* takes part in backward */
    bool passed;    /* the step behind does this one's backward: a ReLU that a convolution reads through */
    bool keeps_input, keeps_output, joins_norms;
    int32_t norm_before, norm_behind; /* nodes: the batch norms that this convolution serves (norms.c), or DIRAC__NONE */
    bool gathered, read, corrected;   /* a batch norm: what is done for it (layers/norm.h) */
    int32_t value, gradient;
    int32_t saved, forward_scratch, backward_scratch, prepared;
    int32_t public_value, public_gradient; /* copies in (N, C, spatial) order, where the inner order differs */
    size_t saved_bytes, scratch_bytes, prepared_bytes;
    int32_t root;    /* the node whose value this is: another one where forward is the identity */
    int32_t first_input; /* index into plan->inputs */
} dirac__step;

/* How one input of one step gets its gradient. */
typedef struct dirac__edge {
    int32_t dx;      /* block that backward writes, or DIRAC__NONE */
    bool accumulate; /* dx is temporary, to be added to the gradient of the input's value */
} dirac__edge;

typedef struct dirac__plan {
    int32_t n_steps;
    dirac__step *steps;
    dirac__edge *edges;   /* of all inputs of all steps */
    dirac__shape *shapes; /* of all inputs of all steps */
    size_t n_edges;
    dirac__block *blocks;
    size_t n_blocks, blocks_capacity;
    int64_t slice;     /* images that walk at a time: the batch, or fewer */
    int32_t copies;    /* of blocks and passes: 1, or one a lane */
    size_t copy_bytes; /* from one to the next */
    size_t bytes; /* of the arena */
    int32_t gradients, pending; /* blocks, or DIRAC__NONE */
    int64_t multiply_adds;
} dirac__plan;

/* ---- origin.c: where what is not finite comes from ---- */

enum {
    DIRAC__FINITE,
    DIRAC__FROM_PARAMETER,  /* net->tensors[index] */
    DIRAC__FROM_OUTPUT,     /* of node `index`, in image `image` */
    DIRAC__FROM_LOSS,       /* all that is still there is finite */
    DIRAC__FROM_CHECKPOINT, /* the place is not in the file */
};

typedef struct dirac__origin {
    int32_t what, index;
    int64_t image;
} dirac__origin;

struct dirac_session {
    atomic_int references; /* the caller's, and that of each checkpoint it was added to */
    dirac_context *context;
    const dirac__memory *memory;
    dirac_net *net;
    _Atomic(const dirac_net *) seen_net; /* `net`, for who looks beside a caller */
    int32_t mode;
    atomic_flag busy;
    /* options */
    _Atomic int64_t batch;
    bool input_gradients, strict, lean;
    uint64_t seed;
    dirac__shape *inputs; /* n_inputs */
    int32_t n_inputs;
    bool *keep; /* by node id */
    float smoothing;
    float *class_weights;
    int64_t n_class_weights;
    /* plan and memory */
    dirac__plan plan;
    bool planned;
    atomic_bool prepared; /* the plan is there and stays: anyone may read it */
    char *arena;
    float **pointers;    /* of all passes */
    dirac__pass *passes; /* [copy][node], bound to memory; n, scratch and random are set for each call */
    dirac__norm *norms;  /* training: by node; those of batch norms are used */
    bool *computed;   /* by tensor: backward gives its gradient */
    bool *given;      /* by output: a gradient was given since the last forward */
    bool *tainted;    /* by output: that gradient, or the loss it belongs to, is not finite */
    /* state of the work */
    int64_t n;                  /* images of the last forward; 0: none */
    uint64_t forward_version;   /* of the net at it */
    uint64_t prepared_version;  /* of the net that `prepare` of the layers saw; 0: none */
    uint64_t draws;             /* training forwards so far: dropout's position */
    bool forward_done, backward_done; /* since the last forward; since the last clear */
    bool differentiated;        /* a backward has succeeded since the last forward: inputs have their gradients */
    bool statistics;            /* something is pending */
    dirac__origin spoiled;      /* of the first such loss that backward has taken in since the last step or clear */
};

/* Fills session->plan from the net and the options. Errors: SHAPE, MEMORY, LIMIT, UNSUPPORTED. */
int32_t dirac__plan_make(dirac_session *session);
void dirac__plan_release(dirac_session *session);

/* ---- origin.c ---- */

/* Whether a loss of the last forward, or a gradient given for it, is not finite. */
bool dirac__loss_spoiled(const dirac_session *session);
/* There was none, nor a gradient. */
void dirac__losses_forget(dirac_session *session);
/* Between a forward and its backward: the first layer, in the order of forward, with a parameter or output that is not
 * finite. The caller holds the session and reads the net. */
dirac__origin dirac__find_origin(const dirac_session *session);
/* Records that a loss was not finite, and from where. Returns NOT_FINITE. */
int32_t dirac__fail_origin(const dirac_session *session, const dirac__origin *origin);
/* The same for a gradient whose loss was finite; `tensor` is the first that backward met. The caller reads the net. */
int32_t dirac__fail_gradient(const dirac_session *session, const dirac__tensor *tensor);

/* ---- norms.c ---- */

/* In training, finds the batch norms whose passes their neighbours take over. readers: of each node's value, by id. */
void dirac__plan_norms(dirac_session *session, const int32_t *readers);

/* ---- slices.c ---- */

/* Images at a time, when every layer has said what it needs for the whole batch. */
int64_t dirac__choose_slice(const dirac_session *session);

/* ---- bind.c ---- */

/* Allocates the arena and points every pass into it. */
int32_t dirac__session_bind(dirac_session *session);
/* Points every pass to the parameters of session->net, after it changed. */
void dirac__session_bind_net(dirac_session *session);
static inline void *dirac__copy_at(const dirac_session *session, int32_t block, int32_t copy)
{
    if (block == DIRAC__NONE)
        return NULL;
    const dirac__block *b = &session->plan.blocks[block];
    return session->arena + b->offset + (b->lasting ? 0 : (size_t)copy * session->plan.copy_bytes);
}
static inline void *dirac__block_at(const dirac_session *session, int32_t block)
{
    return dirac__copy_at(session, block, 0);
}
static inline dirac__pass *dirac__pass_of(const dirac_session *session, int32_t copy, int32_t node)
{
    return session->passes + (size_t)copy * (size_t)session->plan.n_steps + (size_t)node;
}

void dirac__session_hold(dirac_session *session);
void dirac__session_release(dirac_session *session);
/* One caller at a time: BUSY for a second one. */
int32_t dirac__session_enter(dirac_session *session);
void dirac__session_leave(dirac_session *session);

/* ---- run.c ---- */

/* The walks. The caller holds the session and reads the net. */
int32_t dirac__run_forward(dirac_session *session, const float *const *inputs, int64_t n);
int32_t dirac__run_backward(dirac_session *session);
/* The value or gradient of a step in (N, C, spatial) order. */
const float *dirac__public_value(const dirac_session *session, const dirac__step *step);
const float *dirac__public_gradient(const dirac_session *session, const dirac__step *step);
/* Forgets pending statistics (decay 1, addend 0). */
void dirac__pending_reset(dirac_session *session);
/* Whether all pending statistics are finite; the first tensor that is not is named in the record. */
int32_t dirac__pending_check(const dirac_session *session);
/* Forgets them all if one is not finite, as they could never be written, or if they come with a loss that is not. */
void dirac__pending_drop_spoiled(dirac_session *session);
/* Writes them into the net, which the caller has for writing. */
void dirac__pending_apply(dirac_session *session);

#endif
