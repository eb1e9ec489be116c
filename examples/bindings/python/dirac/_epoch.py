# SPDX-License-Identifier: MIT
"""What training and evaluating an epoch share."""
import ctypes

from . import _callbacks, errors


def run_epoch(call, handles, batches, progress):
    """call(*handles, batches, progress, ...): (mean loss, share of right answers)."""
    entry = _callbacks.Entry(progress or _callbacks.go_on)
    loss, accuracy = ctypes.c_double(), ctypes.c_double()
    try:
        stream = batches._c
        with batches.sample_failures():
            stream.alone("batches", call, *handles, stream, _callbacks.progress, entry.number, ctypes.byref(loss),
                         ctypes.byref(accuracy))
    except errors.CancelledError as stopped:
        stopped.loss, stopped.accuracy = loss.value, accuracy.value
        raise
    return loss.value, accuracy.value
