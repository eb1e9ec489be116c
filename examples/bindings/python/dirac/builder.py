# SPDX-License-Identifier: MIT
"""The layers that a net can be built of: one method each, named as in dirac/net.h."""
from __future__ import annotations

from typing import Sequence

from . import errors
from ._library import C
from .node import Node, checked, node_array


class Builder:
    """Adds layers. Each method returns the new node; keyword options are the layer's attributes, and `name`:

        x = net.conv2d(x, 16, 3, stride=2, bias=1, name="stem")

    A mistake raises at its own line. As in C, a net whose building failed can only be closed.
    """

    _owner = None

    def _added(self, pointer, options) -> Node:
        if not pointer:
            C.dirac_net_build(self._c)  # the first mistake, as an exception
            raise errors.StateError("the net cannot be built any further")
        return Node(pointer, self._c).set(**options)

    def input(self, shape: Sequence[int], **options) -> Node:
        """An input of shape (C,), (C, length), (C, height, width) or (C, depth, height, width)."""
        functions = (C.dirac_net_input, C.dirac_net_input1d, C.dirac_net_input2d, C.dirac_net_input3d)
        if not 1 <= len(shape) <= len(functions):
            raise errors.ShapeError(f"an input has 1 to 4 dimensions, not {len(shape)}")
        return self._added(functions[len(shape) - 1](self._c, *shape), options)

    def output(self, x: Node) -> Node:
        """Declares a value an output."""
        return self._added(C.dirac_net_output(self._c, checked(x)), {})

    def add(self, a: Node, b: Node, **options) -> Node:
        """a + b, equal shapes."""
        return self._added(C.dirac_net_add(self._c, checked(a), checked(b)), options)

    def concat(self, inputs: Sequence[Node], **options) -> Node:
        """The channels of all inputs, one after the other."""
        return self._added(C.dirac_net_concat(self._c, node_array(inputs), len(inputs)), options)

    def custom(self, kind, inputs: Sequence[Node], **options) -> Node:
        """A layer of a LayerKind."""
        return self._added(C.dirac_net_custom(self._c, kind._c, node_array(inputs), len(inputs)), options)

    def conv1d(self, x: Node, channels: int, kernel: int, **options) -> Node:
        """Convolution, one spatial dimension."""
        return self._added(C.dirac_net_conv1d(self._c, checked(x), channels, kernel), options)

    def conv2d(self, x: Node, channels: int, kernel: int, **options) -> Node:
        """Convolution, two spatial dimensions."""
        return self._added(C.dirac_net_conv2d(self._c, checked(x), channels, kernel), options)

    def conv3d(self, x: Node, channels: int, kernel: int, **options) -> Node:
        """Convolution, three spatial dimensions."""
        return self._added(C.dirac_net_conv3d(self._c, checked(x), channels, kernel), options)

    def dirac_conv1d(self, x: Node, channels: int, kernel: int, **options) -> Node:
        """Dirac convolution (eq. 5), one spatial dimension."""
        return self._added(C.dirac_net_dirac_conv1d(self._c, checked(x), channels, kernel), options)

    def dirac_conv2d(self, x: Node, channels: int, kernel: int, **options) -> Node:
        """Dirac convolution (eq. 5), two spatial dimensions."""
        return self._added(C.dirac_net_dirac_conv2d(self._c, checked(x), channels, kernel), options)

    def dirac_conv3d(self, x: Node, channels: int, kernel: int, **options) -> Node:
        """Dirac convolution (eq. 5), three spatial dimensions."""
        return self._added(C.dirac_net_dirac_conv3d(self._c, checked(x), channels, kernel), options)

    def linear(self, x: Node, channels: int, **options) -> Node:
        """Linear layer on vectors, with bias."""
        return self._added(C.dirac_net_linear(self._c, checked(x), channels), options)

    def dirac_linear(self, x: Node, channels: int, **options) -> Node:
        """Dirac linear layer (eq. 5), without bias."""
        return self._added(C.dirac_net_dirac_linear(self._c, checked(x), channels), options)

    def batch_norm(self, x: Node, **options) -> Node:
        """Batch norm per channel."""
        return self._added(C.dirac_net_batch_norm(self._c, checked(x)), options)

    def relu(self, x: Node, **options) -> Node:
        """max(x, 0)."""
        return self._added(C.dirac_net_relu(self._c, checked(x)), options)

    def ncrelu(self, x: Node, **options) -> Node:
        """max(x, 0), then min(x, 0): twice the channels."""
        return self._added(C.dirac_net_ncrelu(self._c, checked(x)), options)

    def elu(self, x: Node, **options) -> Node:
        """x, or alpha (exp(x) - 1) below 0."""
        return self._added(C.dirac_net_elu(self._c, checked(x)), options)

    def max_pool1d(self, x: Node, kernel: int, **options) -> Node:
        """Max-pool, one spatial dimension."""
        return self._added(C.dirac_net_max_pool1d(self._c, checked(x), kernel), options)

    def max_pool2d(self, x: Node, kernel: int, **options) -> Node:
        """Max-pool, two spatial dimensions."""
        return self._added(C.dirac_net_max_pool2d(self._c, checked(x), kernel), options)

    def max_pool3d(self, x: Node, kernel: int, **options) -> Node:
        """Max-pool, three spatial dimensions."""
        return self._added(C.dirac_net_max_pool3d(self._c, checked(x), kernel), options)

    def average_pool1d(self, x: Node, kernel: int, **options) -> Node:
        """Average-pool, one spatial dimension."""
        return self._added(C.dirac_net_average_pool1d(self._c, checked(x), kernel), options)

    def average_pool2d(self, x: Node, kernel: int, **options) -> Node:
        """Average-pool, two spatial dimensions."""
        return self._added(C.dirac_net_average_pool2d(self._c, checked(x), kernel), options)

    def average_pool3d(self, x: Node, kernel: int, **options) -> Node:
        """Average-pool, three spatial dimensions."""
        return self._added(C.dirac_net_average_pool3d(self._c, checked(x), kernel), options)

    def global_average_pool(self, x: Node, **options) -> Node:
        """The mean over all positions."""
        return self._added(C.dirac_net_global_average_pool(self._c, checked(x)), options)

    def dropout(self, x: Node, rate: float, **options) -> Node:
        """Dropout in training."""
        return self._added(C.dirac_net_dropout(self._c, checked(x), rate), options)

    def local_response_norm(self, x: Node, size: int, **options) -> Node:
        """Local response norm across channels."""
        return self._added(C.dirac_net_local_response_norm(self._c, checked(x), size), options)

    def flatten(self, x: Node, **options) -> Node:
        """(N, C, ...) to vectors."""
        return self._added(C.dirac_net_flatten(self._c, checked(x)), options)

    def softmax(self, x: Node, **options) -> Node:
        """Softmax over channels. For training use the session's loss calls."""
        return self._added(C.dirac_net_softmax(self._c, checked(x)), options)
