# SPDX-License-Identifier: MIT
"""A node: one value of a net, and the layer that makes it. See dirac/net.h."""
from __future__ import annotations

import ctypes
import numbers
from typing import List, NamedTuple, Sequence, Tuple, Union

import numpy as np

from . import _api, errors
from ._arrays import dims, pointer, read_dims
from ._handle import Single
from ._library import C

Attribute = Union[int, float, Sequence[int]]


class FilterSummary(NamedTuple):
    """One quantity over the filters of a layer."""

    mean: float
    least: float
    largest: float
    filters: int  # how many were counted


class Node(Single):
    """A value of a net. It keeps its net alive. Two nodes are equal if they are the same value of the same net."""

    __slots__ = ("_as_parameter_", "_net")

    def __init__(self, pointer, net_owner) -> None:
        self._as_parameter_ = pointer
        self._net = net_owner

    def __eq__(self, other) -> bool:
        return isinstance(other, Node) and self._address == other._address

    def __hash__(self) -> int:
        return hash(self._address)

    def __repr__(self) -> str:
        return f"<dirac.Node {self.name!r}: {self.kind}>"

    @property
    def _address(self) -> int:
        return ctypes.addressof(self._as_parameter_.contents)

    def set(self, **attributes: Union[Attribute, str]) -> "Node":
        """Sets attributes by the names in dirac/net.h, and `name`; before build. Returns the node.

        node.set(stride=2, padding=(1, 0), name="stem")
        """
        for attribute, value in attributes.items():
            name = attribute.encode()
            if attribute == "name":
                C.dirac_node_set_name(self, value.encode())
            elif isinstance(value, numbers.Integral) and not self._is_real(name):
                C.dirac_node_set_int(self, name, value)
            elif isinstance(value, numbers.Real):
                C.dirac_node_set_float(self, name, value)
            else:
                C.dirac_node_set_ints(self, name, *dims(value))
        return self

    def _is_real(self, attribute: bytes) -> bool:
        try:
            C.dirac_node_get_float(self, attribute, ctypes.byref(ctypes.c_double()))
            return True
        except errors.DiracError:
            return False

    def get(self, attribute: str) -> Union[int, float, Tuple[int, ...]]:
        """Reads an attribute: a float, an int, or a tuple where there are several (one int a spatial dimension)."""
        name = attribute.encode()
        if self._is_real(name):
            real = ctypes.c_double()
            C.dirac_node_get_float(self, name, ctypes.byref(real))
            return real.value
        room, count = (ctypes.c_int64 * 3)(), ctypes.c_int32()
        C.dirac_node_get_ints(self, name, room, ctypes.byref(count))
        return room[0] if count.value == 1 else tuple(room[:count.value])

    def set_initializer(self, parameter: str, init: int, a: float = 0.0, b: float = 0.0) -> "Node":
        """How a parameter starts: one of INIT_* and its numbers. Returns the node."""
        C.dirac_node_set_initializer(self, parameter.encode(), init, a, b)
        return self

    def share_parameters(self, owner: "Node") -> "Node":
        """Uses the parameters of an earlier node of the same kind and attributes. Returns the node."""
        C.dirac_node_share_parameters(self, owner)
        return self

    def set_frozen(self, frozen: bool = True) -> None:
        """Freezes or thaws a batch norm."""
        C.dirac_node_set_frozen(self, int(frozen))

    @property
    def name(self) -> str:
        """The full name."""
        return C.dirac_node_name(self).decode()

    @property
    def kind(self) -> str:
        """The kind: "conv", "relu", ..."""
        return C.dirac_node_kind(self).decode()

    @property
    def inputs(self) -> List["Node"]:
        """The nodes it reads."""
        return [Node(C.dirac_node_input(self, i), self._net) for i in range(C.dirac_node_input_count(self))]

    @property
    def shape(self) -> Tuple[int, ...]:
        """The shape of its value without N. Built nets only."""
        return read_dims(C.dirac_node_shape, self)

    def filters(self, quantity: int) -> np.ndarray:
        """One number a filter of a convolution or linear layer: one of FILTER_*. Built nets only."""
        values = np.empty(self.shape[0], np.float32)
        C.dirac_node_filters(self, quantity, pointer(values), values.size)
        return values

    def filter_summary(self, quantity: int) -> FilterSummary:
        """The same over the layer; alpha and the share of the identity are over the filters that have a one in I."""
        mean, least, largest, count = ctypes.c_double(), ctypes.c_double(), ctypes.c_double(), ctypes.c_int64()
        C.dirac_node_filter_summary(self, quantity, *map(ctypes.byref, (mean, least, largest, count)))
        return FilterSummary(mean.value, least.value, largest.value, count.value)

    @property
    def trained_count(self) -> int:
        """Trained numbers of this node."""
        return C.dirac_node_trained_count(self)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one image."""
        return C.dirac_node_multiply_adds(self)


def checked(node) -> Node:
    """`node`, if it is one: a NULL would spoil the whole net."""
    if not isinstance(node, Node):
        raise TypeError(f"a dirac.Node is needed, not {type(node).__name__}")
    return node


def node_array(nodes: Sequence[Node]) -> ctypes.Array:
    """Nodes as C takes several."""
    pointers = [checked(node)._as_parameter_ for node in nodes]
    return (ctypes.POINTER(_api.dirac_node) * max(len(pointers), 1))(*pointers)
