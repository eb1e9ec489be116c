/* SPDX-License-Identifier: MIT */
/* Public calls that go through an epoch of batches. The caller has the session from the first batch to the last: between
 * two steps of one batch nobody else may use it. */
#include <dirac/sgd.h>

#include "api/check.h"
#include "api/session.h"
#include "base/progress.h"
#include "data/batches.h"
#include "train/sgd.h"

typedef struct sums {
    double loss;
    int64_t images, correct;
} sums;

/* Before the first batch is taken, so that the stream stays where it is. */
static int32_t check_batch(const dirac_session *session, const dirac_batches *batches)
{
    const int64_t size = batches->maker.size, count = batches->dataset->count, largest = size < count ? size : count;
    if (largest <= session->batch)
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_ARGUMENT,
                       "the batches have up to %lld images, the session takes %lld: see dirac_batches_set_size() and "
                       "dirac_session_set_batch()", (long long)largest, (long long)session->batch);
}

/* What every batch would be refused for; `sgd` NULL: without learning. */
static int32_t check_handles(const dirac_sgd *sgd, const dirac_session *session)
{
    if (!session->prepared)
        return dirac__fail(DIRAC_ERR_STATE, "the session is not prepared; call dirac_session_prepare() first");
    CHECK(dirac__session_check_logits(session, "an epoch"));
    return sgd == NULL ? DIRAC_OK : dirac__sgd_check(sgd, session);
}

static int32_t check_samples(const dirac_session *session, const dirac_batches *batches)
{
    const dirac_dataset *set = batches->dataset;
    const dirac__shape *input = &session->inputs[0];
    bool same = session->n_inputs == 1 && set->rank == 1 + input->rank && set->dims[0] == input->c;
    for (int32_t i = 0; same && i < input->rank; i++)
        same = set->dims[1 + i] == input->size[3 - input->rank + i];
    if (same)
        return check_batch(session, batches);
    if (session->n_inputs != 1)
        return dirac__fail(DIRAC_ERR_SHAPE, "an epoch needs a net of one input, this one has %d", session->n_inputs);
    const int32_t space = set->rank - 1;
    dirac__shape samples = {.c = set->dims[0], .rank = space, .size = {1, 1, 1}};
    for (int32_t i = 0; i < space; i++)
        samples.size[3 - space + i] = set->dims[1 + i];
    char are[64], wanted[64];
    return dirac__fail(DIRAC_ERR_SHAPE, "the samples of the data set are %s, the net's input is %s",
                       dirac__shape_text(are, &samples), dirac__shape_text(wanted, input));
}

/* Before the loss looks at them, which knows their place in the batch alone. */
static int32_t check_labels(const dirac_session *session, const dirac_batches *batches, const int32_t *labels, int64_t n)
{
    const int64_t classes = session->plan.steps[session->net->outputs[0]->id].out.c;
    for (int64_t i = 0; i < n; i++)
        if (labels[i] < 0 || labels[i] >= classes)
            return dirac__fail(DIRAC_ERR_ARGUMENT, "the label of image %lld of the data set is %d, legal are 0 to %lld",
                               (long long)dirac__batches_index(batches, i), labels[i], (long long)classes - 1);
    return DIRAC_OK;
}

/* One batch; `sgd` NULL: without learning. */
static int32_t one_batch(dirac_sgd *sgd, dirac_session *session, const float *samples, const int32_t *labels, int64_t n,
                         sums *total)
{
    float loss;
    int64_t correct;
    CHECK(dirac__session_forward(session, &samples, 1, n));
    CHECK(dirac__session_cross_entropy(session, labels, &loss));
    CHECK(dirac__session_count_correct(session, labels, &correct));
    if (sgd != NULL) {
        CHECK(dirac__session_backward(session));
        CHECK(dirac__sgd_step(sgd, session));
    }
    total->loss += (double)loss * (double)n;
    total->images += n;
    total->correct += correct;
    return DIRAC_OK;
}

static int32_t run_epoch(dirac_sgd *sgd, dirac_session *session, dirac_batches *batches, const dirac__progress *progress,
                         sums *total)
{
    const int64_t per_epoch = dirac_batches_per_epoch(batches);
    CHECK(check_handles(sgd, session));
    CHECK(check_samples(session, batches));
    for (;;) {
        const float *samples;
        const int32_t *labels;
        int64_t n, epoch, batch;
        CHECK(dirac_batches_next(batches, &samples, &labels, &n));
        if (n == 0)
            return DIRAC_OK;
        CHECK(check_labels(session, batches, labels, n));
        CHECK(one_batch(sgd, session, samples, labels, n, total));
        CHECK(dirac_batches_position(batches, &epoch, &batch));
        CHECK(dirac__progress_report(progress, "the epoch", (uint64_t)batch, (uint64_t)per_epoch));
    }
}

static int32_t epoch(dirac_sgd *sgd, dirac_session *session, dirac_batches *batches, dirac_progress_fn progress,
                     void *user, double *loss, double *accuracy)
{
    const dirac__progress report = {progress, user};
    sums total = {0};
    int32_t status = dirac__session_enter(session);
    if (status == DIRAC_OK) {
        status = run_epoch(sgd, session, batches, &report, &total);
        dirac__session_leave(session);
    }
    const double images = total.images > 0 ? (double)total.images : 1.0;
    if (loss != NULL)
        *loss = total.loss / images;
    if (accuracy != NULL)
        *accuracy = (double)total.correct / images;
    return status;
}

int32_t dirac_sgd_epoch(dirac_sgd *sgd, dirac_session *session, dirac_batches *batches, dirac_progress_fn progress,
                        void *user, double *loss, double *accuracy)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(sgd);
    CHECK_HANDLE(session);
    CHECK_HANDLE(batches);
    return epoch(sgd, session, batches, progress, user, loss, accuracy);
}

int32_t dirac_session_evaluate(dirac_session *session, dirac_batches *batches, dirac_progress_fn progress, void *user,
                               double *loss, double *accuracy)
{
    DIRAC__HOLD_FLOATS();
    CHECK_HANDLE(session);
    CHECK_HANDLE(batches);
    return epoch(NULL, session, batches, progress, user, loss, accuracy);
}
