# SPDX-License-Identifier: MIT
"""What training and evaluating an epoch share."""
import ctypes

from . import _api, _callbacks, errors


def run_epoch(call, handles, batches, progress):
    """call(*handles, batches, progress, ...): (mean loss, share of right answers)."""
    entry = _callbacks.Entry(progress) if progress is not None else None
    loss, accuracy = ctypes.c_double(), ctypes.c_double()
    try:
        with batches.sample_failures():
            call(*handles, batches._c, _callbacks.progress if entry else _api.dirac_progress_fn(),
                 entry.number if entry else None, ctypes.byref(loss), ctypes.byref(accuracy))
    except errors.CancelledError as stopped:
        stopped.loss, stopped.accuracy = loss.value, accuracy.value
        raise
    return loss.value, accuracy.value
