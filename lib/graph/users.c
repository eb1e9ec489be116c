/* SPDX-License-Identifier: MIT */
/* One writer or many readers of a net. Nobody waits: who cannot have it gets DIRAC_ERR_BUSY. */
#include <dirac/status.h>

#include "base/fail.h"
#include "graph/net.h"

static atomic_int *users_of(const dirac_net *net)
{
    return &((dirac_net *)net)->users; /* counting readers changes nothing that a reader can see */
}

int32_t dirac__net_begin_read(const dirac_net *net)
{
    atomic_int *users = users_of(net);
    int now = atomic_load_explicit(users, memory_order_relaxed);
    while (now >= 0)
        if (atomic_compare_exchange_weak_explicit(users, &now, now + 1, memory_order_acquire, memory_order_relaxed))
            return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_BUSY, "the net is being changed by another thread");
}

void dirac__net_end_read(const dirac_net *net)
{
    atomic_fetch_sub_explicit(users_of(net), 1, memory_order_release);
}

int32_t dirac__net_begin_write(dirac_net *net)
{
    int expected = 0;
    if (atomic_compare_exchange_strong_explicit(&net->users, &expected, -1, memory_order_acquire, memory_order_relaxed))
        return DIRAC_OK;
    return dirac__fail(DIRAC_ERR_BUSY, "the net is in use by another thread and cannot be changed now");
}

void dirac__net_end_write(dirac_net *net, bool changed)
{
    if (changed)
        atomic_fetch_add_explicit(&net->version, 1, memory_order_relaxed);
    atomic_store_explicit(&net->users, 0, memory_order_release);
}
