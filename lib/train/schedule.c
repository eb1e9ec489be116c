/* SPDX-License-Identifier: MIT */
/* The learning rate of each step: drops or a cosine, times a warm-up. */
#include <math.h>

#include "train/sgd.h"

static double dropped(const dirac_sgd *sgd, int64_t step)
{
    double rate = sgd->rate;
    for (int32_t i = 0; i < sgd->schedule.n_drops; i++)
        if (step >= sgd->schedule.at[i])
            rate *= (double)sgd->schedule.factor;
    return rate;
}

static double cosine(const dirac_sgd *sgd, int64_t step)
{
    const double pi = 3.14159265358979323846, last = sgd->schedule.last;
    if (step >= sgd->schedule.cosine_steps)
        return last;
    return last + (sgd->rate - last) * (1 + cos(pi * (double)step / (double)sgd->schedule.cosine_steps)) / 2;
}

double dirac__scheduled_rate(const dirac_sgd *sgd, int64_t step)
{
    const dirac__schedule *schedule = &sgd->schedule;
    double rate = schedule->kind == DIRAC__SCHEDULE_DROPS    ? dropped(sgd, step)
                  : schedule->kind == DIRAC__SCHEDULE_COSINE ? cosine(sgd, step)
                                                             : (double)sgd->rate;
    if (step < schedule->warmup_steps)
        rate *= schedule->first + (1.0 - schedule->first) * (double)step / (double)schedule->warmup_steps;
    return rate;
}
