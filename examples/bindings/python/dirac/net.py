# SPDX-License-Identifier: MIT
"""A net: a graph of layers, its parameters and state. See dirac/net.h and dirac/file.h."""
from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Mapping
from typing import Callable, Iterator, List, Optional, Tuple, Union

import numpy as np

from . import _api, _callbacks, errors
from ._arrays import content, floats, pointer, read_dims, target, view
from ._handle import Handle, Owner, create
from ._library import C
from .builder import Builder
from .context import Context
from .node import Node

Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]
"""A path, or the file's content (of a mapped file: memoryview(mmap))."""


def taken_memory(context_owner: Owner, save, *arguments) -> memoryview:
    """What a C function saved to memory, save(*arguments, data, size): the library's own buffer, which goes with the last
    view of it."""
    data, size = ctypes.c_void_p(), ctypes.c_size_t()
    owner = Owner(data, lambda start: C.dirac_buffer_free(context_owner, start, size.value))
    save(*arguments, ctypes.byref(data), ctypes.byref(size))
    return memoryview(view(data, (size.value,), owner, kind="=u1"))


def path_or_content(source: Source) -> Tuple[Optional[bytes], Optional[Tuple[ctypes.c_void_p, int]]]:
    """(path, None) or (None, (data, size))."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return None, content(source)
    return os.fsencode(source), None


class Net(Builder, Handle):
    """Created empty, built of layers, then fixed by build():

        with dirac.Net(context) as net:
            x = net.input((1, 8, 8))
            x = net.relu(net.batch_norm(net.dirac_conv2d(x, 1, 3)))
            net.output(net.linear(net.global_average_pool(x), 10))
            net.build()
    """

    def __init__(self, context: Context, *, seed: Optional[int] = None) -> None:
        self._make(context._c, C.dirac_net_create, context._c)
        if seed is not None:
            C.dirac_net_set_seed(self._c, seed)

    def _make(self, context_owner: Owner, make, *arguments) -> "Net":
        self._owner = create(_api.dirac_net, C.dirac_net_destroy, (context_owner,), make, *arguments)
        return self

    def _described(self) -> str:
        nodes = self.nodes
        try:
            built = bool(nodes) and len(nodes[0].shape) > 0
        except errors.StateError:
            built = False
        return f"{len(nodes)} nodes, " + (f"{self.trained_count} parameters" if built else "not built")

    @property
    def _context(self) -> Owner:
        return self._c.parents[0]

    @classmethod
    def _made(cls, context_owner: Owner, make, *arguments) -> "Net":
        return cls.__new__(cls)._make(context_owner, make, *arguments)

    @classmethod
    def load(cls, context: Context, source: Source) -> "Net":
        """Rebuilds a net from a file that save() wrote, or from the file's content."""
        path, held = path_or_content(source)
        if path is not None:
            return cls._made(context._c, C.dirac_net_load, context._c, path)
        return cls._made(context._c, C.dirac_net_load_memory, context._c, *held)

    def build(self) -> "Net":
        """Ends building: shapes, parameters, initial values. Returns the net."""
        C.dirac_net_build(self._c)
        return self

    def clone(self) -> "Net":
        """A copy that shares nothing."""
        return self._made(self._context, C.dirac_net_clone, self._c)

    def fold(self) -> "Net":
        """The net for inference: weight forms and batch norms have become plain convolutions."""
        return self._made(self._context, C.dirac_net_fold, self._c)

    def compare(self, folded: "Net", images, each: Optional[Callable[[str, float, float], None]] = None) -> float:
        """The largest absolute difference over the outputs of this net and its folded form on the same images.

        each(node name, largest difference, largest value in this net) is called for every layer both compute.
        """
        array = floats(images, "images", (None, *self.inputs[0].shape))
        entry = _callbacks.Entry(each) if each is not None else None
        difference = ctypes.c_double()
        C.dirac_net_compare(self._c, folded._c, pointer(array), len(array),
                            _callbacks.compare if entry else _api.dirac_compare_fn(), entry.number if entry else None,
                            ctypes.byref(difference))
        return difference.value

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Nodes made inside `with net.scope("head"):` are named "head.…"."""
        C.dirac_net_push_scope(self._c, name.encode())
        try:
            yield
        finally:
            C.dirac_net_pop_scope(self._c)

    def save(self, path, names: int = _api.DIRAC_NAMES_OWN) -> None:
        """Saves the net, replacing the file atomically. `names`: NAMES_*; other than NAMES_OWN holds no graph."""
        if names == _api.DIRAC_NAMES_OWN:
            C.dirac_net_save(self._c, os.fsencode(path))
        else:
            C.dirac_net_save_as(self._c, os.fsencode(path), names)

    def to_bytes(self) -> bytes:
        """The content of the file that save() would write."""
        return bytes(self.to_memory())

    def to_memory(self) -> memoryview:
        """The same without a copy: read-only, the library's buffer, which is freed with the last view of it."""
        return taken_memory(self._context, C.dirac_net_save_memory, self._c)

    def load_weights(self, source: Source, *, partial: bool = False) -> str:
        """Reads weights from any safetensors file or its content; partial: takes those that match. Returns the report,
        one line for each tensor that did not match."""
        mode = _api.DIRAC_LOAD_PARTIAL if partial else _api.DIRAC_LOAD_STRICT
        path, held = path_or_content(source)
        if path is not None:
            C.dirac_net_load_weights(self._c, path, mode)
        else:
            C.dirac_net_load_weights_memory(self._c, *held, mode)
        return self.load_report

    @property
    def load_report(self) -> str:
        """What the last load of weights did not match, a line a tensor."""
        return C.dirac_net_load_report(self._c).decode()

    @property
    def nodes(self) -> List[Node]:
        """All nodes in the order of building."""
        return [Node(C.dirac_net_node(self._c, i), self._c) for i in range(C.dirac_net_node_count(self._c))]

    @property
    def inputs(self) -> List[Node]:
        """The inputs in order."""
        return [Node(C.dirac_net_input_node(self._c, i), self._c) for i in range(C.dirac_net_input_count(self._c))]

    @property
    def outputs(self) -> List[Node]:
        """The outputs in order."""
        return [Node(C.dirac_net_output_node(self._c, i), self._c) for i in range(C.dirac_net_output_count(self._c))]

    def find(self, name: str) -> Optional[Node]:
        """The node of that full name, or None."""
        found = C.dirac_net_find(self._c, name.encode())
        return Node(found, self._c) if found else None

    @property
    def tensors(self) -> "Tensors":
        """Parameters and state by name: net.tensors["fc.weight"] reads a copy, assigning writes."""
        return Tensors(self)

    @property
    def notes(self) -> "Notes":
        """Texts kept with the net and in its file: net.notes["classes"] = "cat\\ndog"."""
        return Notes(self)

    def initialize(self, seed: int) -> None:
        """Draws all parameters and state anew."""
        C.dirac_net_initialize(self._c, seed)

    def set_trainable(self, pattern: str, trainable: bool = True) -> None:
        """Lets the optimizer change the parameters that match, or not."""
        C.dirac_net_set_trainable(self._c, pattern.encode(), int(trainable))

    @property
    def trained_count(self) -> int:
        """Trained numbers in all: what is called the parameters of a net."""
        return C.dirac_net_trained_count(self._c)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one image."""
        return C.dirac_net_multiply_adds(self._c)

    @property
    def version(self) -> int:
        """Grows with every change of a parameter or state."""
        return C.dirac_net_version(self._c)


class Tensors(Mapping):
    """Parameters and state of a net by name. Values are copies: the C interface gives no pointer to them, because the net
    may be trained while they are looked at. read() with `out` reads into an array of yours."""

    def __init__(self, net: Net) -> None:
        self._net = net

    def __len__(self) -> int:
        return C.dirac_net_tensor_count(self._net._c)

    def __iter__(self) -> Iterator[str]:
        for index in range(len(self)):
            yield C.dirac_net_tensor_name(self._net._c, index).decode()

    def __contains__(self, name) -> bool:
        return name in list(self)

    def shape(self, name: str) -> Tuple[int, ...]:
        """The shape of a tensor."""
        return read_dims(lambda *room: C.dirac_net_tensor_shape(self._net._c, name.encode(), *room, None))

    def is_trained(self, name: str) -> bool:
        """True for a parameter, False for state."""
        role = ctypes.c_int32()
        room = (ctypes.c_int64 * _api.DIRAC_MAX_RANK)()
        C.dirac_net_tensor_shape(self._net._c, name.encode(), room, None, ctypes.byref(role))
        return role.value == _api.DIRAC_ROLE_TRAINED

    def read(self, name: str, out: Optional[np.ndarray] = None) -> np.ndarray:
        """The values of a tensor, in `out` if it is given: contiguous float32 of the tensor's shape."""
        values = target(out, name, self.shape(name))
        C.dirac_net_tensor_read(self._net._c, name.encode(), pointer(values), values.size)
        return values

    def __getitem__(self, name: str) -> np.ndarray:
        return self.read(name)

    def __setitem__(self, name: str, value) -> None:
        values = floats(value, name, self.shape(name))
        C.dirac_net_tensor_write(self._net._c, name.encode(), pointer(values), values.size)


class Notes:
    """The notes of a net: looked up, set and deleted by key."""

    def __init__(self, net: Net) -> None:
        self._net = net

    def get(self, key: str, default: Optional[str] = None) -> Optional[str]:
        """The text, or `default`."""
        text = C.dirac_net_note(self._net._c, key.encode())
        return text.decode() if text is not None else default

    def __getitem__(self, key: str) -> str:
        text = self.get(key)
        if text is None:
            raise KeyError(key)
        return text

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def __setitem__(self, key: str, value: str) -> None:
        C.dirac_net_set_note(self._net._c, key.encode(), value.encode())

    def __delitem__(self, key: str) -> None:
        self[key]
        C.dirac_net_set_note(self._net._c, key.encode(), None)
