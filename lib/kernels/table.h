/* SPDX-License-Identifier: MIT */
/* The kernels that each variant defines: one KERNEL(name) for every field of dirac__kernels. */
#ifndef KERNELS_TABLE_H
#define KERNELS_TABLE_H

#include "kernels/variant.h"

#define DIRAC__KERNEL_LIST(X) \
    X(conv_packed)            \
    X(conv_pack)              \
    X(conv_forward)           \
    X(conv_packed_transposed) \
    X(conv_pack_transposed)   \
    X(conv_backward_data)     \
    X(conv_weight_scratch)    \
    X(conv_backward_weight)   \
    X(channel_scratch)        \
    X(channel_sum)            \
    X(channel_moments)        \
    X(channel_affine)         \
    X(norm_sums)              \
    X(norm_correct)           \
    X(relu)                   \
    X(relu_backward)          \
    X(ncrelu)                 \
    X(ncrelu_backward)        \
    X(elu)                    \
    X(elu_backward)           \
    X(add)                    \
    X(copy)                   \
    X(dropout)                \
    X(copy_channels)          \
    X(to_channels_first)      \
    X(to_channels_last)       \
    X(softmax)                \
    X(softmax_backward)       \
    X(response_norm)          \
    X(response_norm_backward) \
    X(max_pool)               \
    X(max_pool_backward)      \
    X(average_pool)           \
    X(average_pool_backward)  \
    X(sgd_update)             \
    X(squares_scratch)        \
    X(squares)

/* Each has the type its field points to. */
#define DIRAC__KERNEL_DECLARE(name) extern __typeof__(*((dirac__kernels *)0)->name) KERNEL(name);
DIRAC__KERNEL_LIST(DIRAC__KERNEL_DECLARE)

#endif
