# SPDX-License-Identifier: MIT
"""Layers written in Python. See dirac/layer.h.

Callbacks get a Layer. Its arrays are views of memory that is the library's during the callback only: an array that
outlives its callback fails the call. Callbacks run on the thread that called the library, and must not call it but
through their Layer.
"""
from __future__ import annotations

import gc
import weakref
from typing import Callable, Dict, Optional, Sequence, Tuple

import numpy as np

from . import _api, _callbacks, _signals
from ._arrays import dims, memory, read_dims
from ._handle import Handle, Single, create
from ._library import C
from .context import Context


class Layer(Single):
    """What a callback works on. Shapes are without N, arrays are (n, C, spatial...) float32."""

    def __init__(self, pointer) -> None:
        self._pointer = pointer
        self._handed_out = []

    def __repr__(self) -> str:
        return f"<dirac.Layer: {'in' if self._pointer is not None else 'after'} its callback>"

    @property
    def _c(self):
        if self._pointer is None:
            raise ValueError("this layer's callback has returned")
        return self._pointer

    def _view(self, start, shape: Sequence[int], writable: bool) -> Optional[np.ndarray]:
        if not start:
            return None
        source = memory(start, shape, self, writable)
        self._handed_out.append(weakref.ref(source))
        return np.asarray(source)

    def _end(self) -> bool:
        """Ends the callback: True if an array is still held somewhere."""
        self._pointer = None
        if any(ref() is not None for ref in self._handed_out):
            gc.collect()  # what only a cycle holds is not held
        return any(ref() is not None for ref in self._handed_out)

    @property
    def input_count(self) -> int:
        """The number of inputs."""
        return C.dirac_layer_input_count(self._c)

    def input_shape(self, index: int = 0) -> Tuple[int, ...]:
        """The shape of an input."""
        return read_dims(C.dirac_layer_input_shape, self._c, index)

    def get_float(self, attribute: str) -> float:
        """A real attribute."""
        return C.dirac_layer_get_float(self._c, attribute.encode())

    def get_int(self, attribute: str) -> int:
        """An integer attribute."""
        return C.dirac_layer_get_int(self._c, attribute.encode())

    # ---- setup ----

    def set_output_shape(self, shape: Sequence[int]) -> None:
        """Required in setup: the output's shape."""
        C.dirac_layer_set_output_shape(self._c, *dims(shape))

    def add_parameter(self, name: str, shape: Sequence[int], *, decay: bool = False, init: int = _api.DIRAC_INIT_ZEROS,
                      a: float = 0.0, b: float = 0.0) -> None:
        """Declares a parameter; init, a, b: INIT_* and its numbers."""
        C.dirac_layer_add_parameter(self._c, name.encode(), *dims(shape), int(decay), init, a, b)

    def add_state(self, name: str, shape: Sequence[int], value: float = 0.0) -> None:
        """Declares state: saved, not trained."""
        C.dirac_layer_add_state(self._c, name.encode(), *dims(shape), value)

    def keep(self, per_image: int, fixed: int = 0) -> None:
        """Keeps numbers from forward to backward: see kept."""
        C.dirac_layer_keep(self._c, per_image, fixed)

    # ---- forward and backward ----

    @property
    def batch(self) -> int:
        """The number of images."""
        return C.dirac_layer_batch(self._c)

    @property
    def is_training(self) -> bool:
        """Whether this is a training session."""
        return bool(C.dirac_layer_is_training(self._c))

    def input(self, index: int = 0) -> np.ndarray:
        """An input; in backward what forward saw."""
        start = C.dirac_layer_input(self._c, index)
        return self._view(start, (self.batch, *self.input_shape(index)), False)

    def _output_shape(self) -> Tuple[int, ...]:
        return (self.batch, *read_dims(C.dirac_layer_output_shape, self._c))

    @property
    def output(self) -> np.ndarray:
        """The output: written by forward, read by backward."""
        return self._view(C.dirac_layer_output(self._c), self._output_shape(), True)

    @property
    def output_gradient(self) -> np.ndarray:
        """Backward: the gradient of the output."""
        return self._view(C.dirac_layer_output_gradient(self._c), self._output_shape(), False)

    def input_gradient(self, index: int = 0) -> Optional[np.ndarray]:
        """Backward: to be written; None if nobody needs it."""
        start = C.dirac_layer_input_gradient(self._c, index)
        return self._view(start, (self.batch, *self.input_shape(index)), True)

    def _named(self, start, name: str, writable: bool) -> Optional[np.ndarray]:
        return self._view(start, self.parameter_shape(name), writable) if start else None

    def parameter_shape(self, name: str) -> Tuple[int, ...]:
        """The shape of a parameter or state."""
        return read_dims(C.dirac_layer_parameter_shape, self._c, name.encode())

    def parameter(self, name: str) -> np.ndarray:
        """A parameter or state."""
        start = C.dirac_layer_parameter(self._c, name.encode())
        if not start:
            raise KeyError(name)
        return self._named(start, name, False)

    def parameter_gradient(self, name: str) -> Optional[np.ndarray]:
        """Backward: to be added to; None if it is not trained."""
        return self._named(C.dirac_layer_parameter_gradient(self._c, name.encode()), name, True)

    def new_state(self, name: str) -> Optional[np.ndarray]:
        """Training forward: the state to be changed; None otherwise."""
        return self._named(C.dirac_layer_new_state(self._c, name.encode()), name, True)

    @property
    def kept(self) -> Optional[np.ndarray]:
        """The kept numbers, n times per_image and then fixed, flat; None in inference."""
        return self._view(C.dirac_layer_kept(self._c), (C.dirac_layer_kept_count(self._c),), True)


Callback = Callable[[Layer], None]


class _Kind:
    """The Python side of a kind. It is found by its number until the library lets the kind go."""

    all: Dict[int, "_Kind"] = {}

    def __init__(self, setup: Callback, forward: Callback, backward: Optional[Callback]) -> None:
        self.calls = {"setup": setup, "forward": forward, "backward": backward}
        self.number = _callbacks.new_number()
        self.all[self.number] = self


def _trampoline(which: str):
    @_api.dirac_layer_fn
    def run(user, pointer):
        layer = None
        try:
            layer = Layer(pointer)
            _signals.run(_Kind.all[user].calls[which], layer)
            if layer._end():
                raise RuntimeError(f"an array of the layer outlives its {which} callback: copy what is to last")
            return 0
        except BaseException as raised:
            if layer is not None:
                layer._end()
            _callbacks.keep(raised)
            return 1

    return run


_SETUP, _FORWARD, _BACKWARD = map(_trampoline, ("setup", "forward", "backward"))


@_api.dirac_destroy_fn
def _forget(user):
    _Kind.all.pop(user, None)


class LayerKind(Handle):
    """A kind of layer written in Python, registered with the context and then used by Net.custom().

    setup(layer) declares shapes and parameters, forward(layer) writes layer.output, backward(layer) (needed for
    training) adds to parameter gradients and writes input gradients. `inputs`: how many values it reads, 0 for any
    number. `floats` and `ints`: attributes, {name: (least, most, default)}. The callbacks stay alive as long as the
    context or a net may call them.
    """

    def __init__(self, context: Context, name: str, *, setup: Callback, forward: Callback,
                 backward: Optional[Callback] = None, inputs: int = 1,
                 floats: Optional[Dict[str, Tuple[float, float, float]]] = None,
                 ints: Optional[Dict[str, Tuple[int, int, int]]] = None) -> None:
        owner, self._name = context._c, name
        self._owner = create(_api.dirac_layer_kind, C.dirac_layer_kind_destroy, (owner,), C.dirac_layer_kind_create, owner,
                             name.encode(), inputs)
        C.dirac_layer_kind_set_user(self._c, _Kind(setup, forward, backward).number, _forget)
        C.dirac_layer_kind_set_setup(self._c, _SETUP)
        C.dirac_layer_kind_set_forward(self._c, _FORWARD)
        if backward is not None:
            C.dirac_layer_kind_set_backward(self._c, _BACKWARD)
        for attribute, bounds in (floats or {}).items():
            C.dirac_layer_kind_add_float(self._c, attribute.encode(), *bounds)
        for attribute, bounds in (ints or {}).items():
            C.dirac_layer_kind_add_int(self._c, attribute.encode(), *bounds)
        C.dirac_layer_kind_register(self._c)

    def _described(self) -> str:
        return repr(self._name)
