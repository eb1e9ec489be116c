# SPDX-License-Identifier: MIT
"""The paper's networks and those it compares with. Each adds its layers after `x` and returns the logits, without
declaring an output. See dirac/models.h."""
from __future__ import annotations

from . import _api
from ._library import C
from .net import Net
from .node import Node, checked

DIRAC, PLAIN = _api.DIRAC_FORM_NORMALIZED_DELTA, _api.DIRAC_FORM_PLAIN


def diracnet_cifar(net: Net, x: Node, depth: int, width: float, classes: int, form: int = DIRAC) -> Node:
    """The CIFAR DiracNet, depth 6N + 4."""
    return net._added(C.dirac_model_diracnet_cifar(net._c, checked(x), depth, width, classes, form), {})


def resnet_cifar(net: Net, x: Node, depth: int, width: float, classes: int, bottleneck: bool = False,
                 form: int = PLAIN) -> Node:
    """ResNet and wide ResNet with identity mappings."""
    return net._added(C.dirac_model_resnet_cifar(net._c, checked(x), depth, width, classes, int(bottleneck), form), {})


def diracnet_imagenet(net: Net, x: Node, depth: int, width: float, classes: int, form: int = DIRAC) -> Node:
    """The ImageNet DiracNet, depth 18 or 34."""
    return net._added(C.dirac_model_diracnet_imagenet(net._c, checked(x), depth, width, classes, form), {})


def resnet_imagenet(net: Net, x: Node, depth: int, width: float, classes: int, form: int = PLAIN) -> Node:
    """ResNet-18 and -34 for ImageNet."""
    return net._added(C.dirac_model_resnet_imagenet(net._c, checked(x), depth, width, classes, form), {})


def vgg16_cifar(net: Net, x: Node, classes: int) -> Node:
    """VGG-16 for 32x32 images."""
    return net._added(C.dirac_model_vgg16_cifar(net._c, checked(x), classes), {})


def vgg16_imagenet(net: Net, x: Node, classes: int) -> Node:
    """VGG-16 for 224x224 images."""
    return net._added(C.dirac_model_vgg16_imagenet(net._c, checked(x), classes), {})


def vgg_cnn_s(net: Net, x: Node, classes: int) -> Node:
    """VGG-CNN-S for 224x224 images."""
    return net._added(C.dirac_model_vgg_cnn_s(net._c, checked(x), classes), {})


def nin(net: Net, x: Node, classes: int) -> Node:
    """Network in network for 32x32 images."""
    return net._added(C.dirac_model_nin(net._c, checked(x), classes), {})


def elu(net: Net, x: Node, classes: int) -> Node:
    """The 18-layer ELU net for 32x32 images."""
    return net._added(C.dirac_model_elu(net._c, checked(x), classes), {})
