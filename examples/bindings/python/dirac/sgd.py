# SPDX-License-Identifier: MIT
"""Stochastic gradient descent with momentum, weight decay, clipping and schedules. See dirac/sgd.h."""
from __future__ import annotations

import ctypes
from typing import Optional, Sequence, Tuple

import numpy as np

from . import _api
from ._arrays import dims, floats, pointer, read_dims, target
from ._epoch import run_epoch
from ._handle import Handle, create
from ._library import C
from .context import Progress
from .data import Batches
from .net import Net
from .session import Session


class SGD(Handle):
    """An optimizer for a built net."""

    def __init__(self, net: Net, *, learning_rate: float = 0.1, momentum: float = 0.0, nesterov: bool = False,
                 weight_decay: float = 0.0, clip_norm: float = 0.0) -> None:
        owner = net._c
        self._owner = create(_api.dirac_sgd, C.dirac_sgd_destroy, (owner,), C.dirac_sgd_create, owner)
        self.set_learning_rate(learning_rate)
        self.set_momentum(momentum)
        self.set_nesterov(nesterov)
        self.set_weight_decay(weight_decay)
        self.set_clip_norm(clip_norm)

    def _described(self) -> str:
        return f"{self.steps} steps taken, learning rate {self.learning_rate:g}"

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate before the schedule. Any time."""
        C.dirac_sgd_set_learning_rate(self._c, rate)

    def set_momentum(self, momentum: float) -> None:
        """0 to below 1. Any time."""
        C.dirac_sgd_set_momentum(self._c, momentum)

    def set_nesterov(self, nesterov: bool) -> None:
        """Nesterov's form."""
        C.dirac_sgd_set_nesterov(self._c, int(nesterov))

    def set_weight_decay(self, decay: float) -> None:
        """Weight decay of the tensors that decay: those of more than one dimension."""
        C.dirac_sgd_set_weight_decay(self._c, decay)

    def set_clip_norm(self, norm: float) -> None:
        """Scales all gradients to at most this norm; 0 for never."""
        C.dirac_sgd_set_clip_norm(self._c, norm)

    def set_parameter_decay(self, pattern: str, decay: float) -> None:
        """Weight decay of the parameters that match ('*' stands for any text)."""
        C.dirac_sgd_set_parameter_decay(self._c, pattern.encode(), decay)

    def set_parameter_rate(self, pattern: str, factor: float) -> None:
        """Multiplies the learning rate of the parameters that match."""
        C.dirac_sgd_set_parameter_rate(self._c, pattern.encode(), factor)

    def schedule_drops(self, at: Sequence[int], factor: float, restart_momentum: bool = False) -> None:
        """From each step in `at` on, the rate is multiplied by `factor` once more."""
        C.dirac_sgd_schedule_drops(self._c, *dims(at), factor, int(restart_momentum))

    def schedule_cosine(self, steps: int, last: float = 0.0) -> None:
        """Half a cosine from the learning rate down to `last` in `steps` steps."""
        C.dirac_sgd_schedule_cosine(self._c, steps, last)

    def schedule_warmup(self, steps: int, first: float = 0.0) -> None:
        """During the first `steps` steps the rate is multiplied by a factor that rises from `first` to 1."""
        C.dirac_sgd_schedule_warmup(self._c, steps, first)

    @property
    def learning_rate(self) -> float:
        """The rate that the next step will use."""
        rate = ctypes.c_float()
        C.dirac_sgd_learning_rate(self._c, ctypes.byref(rate))
        return rate.value

    @property
    def steps(self) -> int:
        """The number of steps taken."""
        steps = ctypes.c_int64()
        C.dirac_sgd_steps(self._c, ctypes.byref(steps))
        return steps.value

    def step(self, session: Session) -> None:
        """One step from the session's gradients, all or nothing."""
        C.dirac_sgd_step(self._c, session._c)

    def epoch(self, session: Session, batches: Batches, progress: Optional[Progress] = None) -> Tuple[float, float]:
        """Trains on the rest of the stream's epoch. progress(done, total) of batches; a true result stops (the
        CancelledError has `loss` and `accuracy` so far). Returns (mean loss, share of right answers)."""
        return run_epoch(C.dirac_sgd_epoch, (self._c, session._c), batches, progress)

    def restart_momentum(self) -> None:
        """Forgets the momentum."""
        C.dirac_sgd_restart_momentum(self._c)

    def momentum(self, name: str, out: Optional[np.ndarray] = None) -> np.ndarray:
        """A copy of the momentum of a parameter, in `out` if it is given."""
        values = target(out, name, self._shape(name))
        C.dirac_sgd_momentum_read(self._c, name.encode(), pointer(values), values.size)
        return values

    def write_momentum(self, name: str, value) -> None:
        """Sets the momentum of a parameter."""
        values = floats(value, name, self._shape(name))
        C.dirac_sgd_momentum_write(self._c, name.encode(), pointer(values), values.size)

    def _shape(self, name: str) -> Tuple[int, ...]:
        net = self._c.parents[0]
        return read_dims(lambda *room: C.dirac_net_tensor_shape(net, name.encode(), *room, None))
