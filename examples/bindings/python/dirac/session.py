# SPDX-License-Identifier: MIT
"""A session: forward, loss, backward. See dirac/session.h.

Arrays that a session hands out are views of its memory: nothing is copied, and the memory stays as long as the view.
What they show changes: outputs and kept activations with the next forward, gradients with backward, clear and step.
Copy what is to last: `session.output().copy()`.
"""
from __future__ import annotations

import ctypes
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np

from . import _api
from ._arrays import dims, floats, labels, pointer, read_dims, target, view
from ._epoch import run_epoch
from ._handle import Handle, Owner, create
from ._library import C
from .context import Progress
from .data import Batches
from .net import Net
from .node import Node


class Session(Handle):
    """One stream of work on a net, prepared when it is made, unless prepare=False leaves that to prepare().

    training: batch statistics, dropout, backward. batch: the most images of one forward. input_sizes: {input index:
    (height, width)} for other sizes than the net's. keep: inner nodes whose values stay readable. input_gradients:
    whether backward gives them. seed: of dropout. strict: sums products directly, no Winograd. lean: inference keeps no
    weights in the layout of the kernels: less memory, slower forwards.
    """

    def __init__(self, net: Net, *, training: bool = False, batch: int = 1,
                 input_sizes: Optional[Dict[int, Sequence[int]]] = None, keep: Iterable[Node] = (),
                 input_gradients: bool = False, seed: Optional[int] = None, strict: bool = False,
                 lean: bool = False, prepare: bool = True) -> None:
        owner, self._training = net._c, training
        self._owner = create(_api.dirac_session, C.dirac_session_destroy, (owner,), C.dirac_session_create, owner,
                             _api.DIRAC_TRAIN if training else _api.DIRAC_INFER)
        C.dirac_session_set_batch(self._c, batch)
        for index, size in (input_sizes or {}).items():
            C.dirac_session_set_input_size(self._c, index, *dims(size))
        for node in keep:
            C.dirac_session_keep(self._c, node)
        if input_gradients:
            C.dirac_session_set_input_gradients(self._c, 1)
        if seed is not None:
            C.dirac_session_set_seed(self._c, seed)
        if strict:
            C.dirac_session_set_strict(self._c, 1)
        if lean:
            C.dirac_session_set_lean(self._c, 1)
        if prepare:
            self.prepare()

    def prepare(self) -> "Session":
        """Plans and allocates; options are fixed from here. Returns the session."""
        C.dirac_session_prepare(self._c)
        return self

    def _described(self) -> str:
        return f"{'training' if self._training else 'inference'}, up to {self.batch} images"

    @property
    def bytes(self) -> int:
        """The bytes that prepare will ask for, or did."""
        size = ctypes.c_size_t()
        C.dirac_session_bytes(self._c, ctypes.byref(size))
        return size.value

    def shape(self, node: Node) -> Tuple[int, ...]:
        """The shape of a node's value in this session, without N."""
        return read_dims(C.dirac_session_shape, self._c, node)

    @property
    def _net(self) -> Owner:
        return self._c.parents[0]

    # ---- forward ----

    @staticmethod
    def _node(owner: Owner, which: str, index: int) -> Node:
        net = owner.parents[0]
        node = getattr(C, f"dirac_net_{which}_node")(net, index)
        if not node:
            raise IndexError(f"the net has no {which} {index}")
        return Node(node, net)

    def _input(self, value, index: int) -> np.ndarray:
        return floats(value, f"input {index}", (None, *self.shape(self._node(self._c, "input", index))))

    def forward(self, *inputs) -> np.ndarray:
        """Computes every output for n images, one array (n, C, spatial...) an input of the net. Returns output 0,
        valid until the next forward (a copy lasts)."""
        owner = self._c  # another thread may close the handle meanwhile
        count = C.dirac_net_input_count(self._net)
        if len(inputs) != count:
            raise TypeError(f"the net has {count} inputs, {len(inputs)} were given")
        arrays = [self._input(value, index) for index, value in enumerate(inputs)]
        if len({len(array) for array in arrays}) > 1:
            raise ValueError("the inputs have different numbers of images")
        if len(arrays) == 1:
            C.dirac_session_forward(owner, pointer(arrays[0]), len(arrays[0]))
        else:
            pointers = (ctypes.POINTER(ctypes.c_float) * count)(*[pointer(array) for array in arrays])
            C.dirac_session_forward_inputs(owner, pointers, count, len(arrays[0]))
        return self._output(owner, 0)

    __call__ = forward

    @staticmethod
    def _view(owner: Owner, read, node, *arguments) -> np.ndarray:
        start, count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
        read(owner, *arguments, ctypes.byref(start), ctypes.byref(count))
        shape = read_dims(C.dirac_session_shape, owner, node)
        return view(start, (count.value // int(np.prod(shape)), *shape), owner)

    def _output(self, owner: Owner, index: int) -> np.ndarray:
        return self._view(owner, C.dirac_session_output, self._node(owner, "output", index), index)

    def output(self, index: int = 0) -> np.ndarray:
        """Output `index` of the last forward: a read-only view, valid until the next forward."""
        return self._output(self._c, index)

    @property
    def outputs(self) -> List[np.ndarray]:
        """All outputs of the last forward, as output() gives them."""
        return [self.output(i) for i in range(C.dirac_net_output_count(self._net))]

    def activation(self, node: Node) -> np.ndarray:
        """The value of a kept node: a read-only view, valid until the next forward."""
        return self._view(self._c, C.dirac_session_activation, node, node)

    # ---- loss ----

    def set_label_smoothing(self, epsilon: float) -> None:
        """Smooths hard labels."""
        C.dirac_session_set_label_smoothing(self._c, epsilon)

    def set_class_weights(self, weights: Optional[Sequence[float]]) -> None:
        """A weight a class for the loss; None for none."""
        array = floats([] if weights is None else weights, "weights", (None,))
        C.dirac_session_set_class_weights(self._c, None if weights is None else pointer(array), len(array))

    def _images(self) -> int:
        """How many images the last forward had, as the library knows it."""
        return len(self.output())

    def cross_entropy(self, targets) -> float:
        """Softmax cross-entropy of output 0 with one integer label an image."""
        loss = ctypes.c_float()
        array = labels(targets, self._images())
        C.dirac_session_cross_entropy(self._c, pointer(array, ctypes.c_int32), ctypes.byref(loss))
        return loss.value

    def cross_entropy_soft(self, targets) -> float:
        """The same with soft labels (n, classes)."""
        loss = ctypes.c_float()
        array = floats(targets, "targets", self.output().shape)
        C.dirac_session_cross_entropy_soft(self._c, pointer(array), ctypes.byref(loss))
        return loss.value

    def count_correct(self, targets) -> int:
        """How many of the images have their label as the largest logit of output 0."""
        correct = ctypes.c_int64()
        array = labels(targets, self._images())
        C.dirac_session_count_correct(self._c, pointer(array, ctypes.c_int32), ctypes.byref(correct))
        return correct.value

    def evaluate(self, batches: Batches, progress: Optional[Progress] = None) -> Tuple[float, float]:
        """(mean loss, share of right answers) over the rest of the stream's epoch, without learning."""
        return run_epoch(C.dirac_session_evaluate, (self._c,), batches, progress)

    def set_output_gradient(self, values, index: int = 0) -> None:
        """A loss of your own: its gradient at output `index`."""
        array = floats(values, "gradient", self.output(index).shape)
        C.dirac_session_set_output_gradient(self._c, index, pointer(array), array.size)

    # ---- backward and gradients ----

    def backward(self) -> None:
        """Adds the gradients of the last loss to the session's gradients."""
        C.dirac_session_backward(self._c)

    def clear_gradients(self) -> None:
        """Sets all gradients to zero."""
        C.dirac_session_clear_gradients(self._c)

    @property
    def gradients(self) -> np.ndarray:
        """All parameter gradients as one flat, writable view: it is the session's memory and stays so."""
        start, count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
        owner = self._c
        C.dirac_session_gradients(owner, ctypes.byref(start), ctypes.byref(count))
        return view(start, (count.value,), owner, writable=True)

    def gradient(self, name: str) -> np.ndarray:
        """The gradient of one parameter: a writable view into gradients."""
        place, shape = self._gradient_place(name)
        return self.gradients[place:place + int(np.prod(shape))].reshape(shape)

    def _gradient_place(self, name: str) -> Tuple[int, Tuple[int, ...]]:
        """Where a parameter's gradient begins: they stand in the order of the trained tensors."""
        net, place = self._net, 0
        for index in range(C.dirac_net_tensor_count(net)):
            found = C.dirac_net_tensor_name(net, index)
            role = ctypes.c_int32()
            shape = read_dims(lambda *room: C.dirac_net_tensor_shape(net, found, *room, ctypes.byref(role)))
            if role.value == _api.DIRAC_ROLE_TRAINED:
                if found == name.encode():
                    return place, shape
                place += int(np.prod(shape))
        C.dirac_session_gradient_read(self._c, name.encode(), pointer(np.empty(1, np.float32)), 0)  # raises
        raise KeyError(name)

    def read_gradient(self, name: str, out: Optional[np.ndarray] = None) -> np.ndarray:
        """The gradient of one parameter, copied, into `out` if it is given."""
        values = target(out, name, read_dims(lambda *room: C.dirac_net_tensor_shape(self._net, name.encode(), *room, None)))
        C.dirac_session_gradient_read(self._c, name.encode(), pointer(values), values.size)
        return values

    def add_gradients(self, other: "Session") -> None:
        """Adds the gradients of another session on the same net."""
        C.dirac_session_add_gradients(self._c, other._c)

    def input_gradient(self, index: int = 0) -> np.ndarray:
        """The gradient of an input, if asked for before prepare: a read-only view, valid until the next forward."""
        owner = self._c
        return self._view(owner, C.dirac_session_input_gradient, self._node(owner, "input", index), index)

    def commit_statistics(self) -> None:
        """Writes the pending running statistics into the net; a step does so too."""
        C.dirac_session_commit_statistics(self._c)

    def check_gradients(self, images, samples: int = 8, step: float = 0.0) -> float:
        """The worst relative difference between backward and central differences."""
        worst = ctypes.c_double()
        array = self._input(images, 0)
        C.dirac_session_check_gradients(self._c, pointer(array), len(array), samples, step, ctypes.byref(worst))
        return worst.value

    # ---- serving and looking ----

    def set_net(self, net: Net) -> None:
        """Moves the session to another net of the same graph and shapes, between two calls."""
        C.dirac_session_set_net(self._c, net._c)
        self._c.parents = (net._c,)

    @property
    def batch(self) -> int:
        """The most images of one forward."""
        return C.dirac_session_batch(self._c)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one image at this session's input size."""
        count = ctypes.c_int64()
        C.dirac_session_multiply_adds(self._c, ctypes.byref(count))
        return count.value

    @property
    def kernels(self) -> str:
        """The name of the kernels it uses."""
        return C.dirac_session_kernels(self._c).decode()
