// SPDX-License-Identifier: MIT
//! The paper's networks and those it compares with: each adds its layers after `x` and returns the logits. See
//! dirac/models.h.
use crate::net::NetBuilder;
use crate::node::{Form, Node};
use crate::sys;

impl NetBuilder {
    /// The CIFAR DiracNet, depth 6N + 4.
    pub fn diracnet_cifar<'n>(&'n self, x: Node<'n>, depth: i32, width: f64, classes: i64, form: Form) -> Node<'n> {
        Node::from_raw(unsafe {
            sys::dirac_model_diracnet_cifar(self.raw(), x.raw(), depth, width, classes, form as i32)
        })
    }

    /// ResNet and wide ResNet with identity mappings.
    pub fn resnet_cifar<'n>(
        &'n self,
        x: Node<'n>,
        depth: i32,
        width: f64,
        classes: i64,
        bottleneck: bool,
        form: Form,
    ) -> Node<'n> {
        Node::from_raw(unsafe {
            sys::dirac_model_resnet_cifar(self.raw(), x.raw(), depth, width, classes, bottleneck as i32, form as i32)
        })
    }

    /// The ImageNet DiracNet, depth 18 or 34.
    pub fn diracnet_imagenet<'n>(&'n self, x: Node<'n>, depth: i32, width: f64, classes: i64, form: Form) -> Node<'n> {
        Node::from_raw(unsafe {
            sys::dirac_model_diracnet_imagenet(self.raw(), x.raw(), depth, width, classes, form as i32)
        })
    }

    /// ResNet-18 and -34 for ImageNet.
    pub fn resnet_imagenet<'n>(&'n self, x: Node<'n>, depth: i32, width: f64, classes: i64, form: Form) -> Node<'n> {
        Node::from_raw(unsafe {
            sys::dirac_model_resnet_imagenet(self.raw(), x.raw(), depth, width, classes, form as i32)
        })
    }

    /// VGG-16 for 32x32 images.
    pub fn vgg16_cifar<'n>(&'n self, x: Node<'n>, classes: i64) -> Node<'n> {
        Node::from_raw(unsafe { sys::dirac_model_vgg16_cifar(self.raw(), x.raw(), classes) })
    }

    /// VGG-16 for 224x224 images.
    pub fn vgg16_imagenet<'n>(&'n self, x: Node<'n>, classes: i64) -> Node<'n> {
        Node::from_raw(unsafe { sys::dirac_model_vgg16_imagenet(self.raw(), x.raw(), classes) })
    }

    /// VGG-CNN-S for 224x224 images.
    pub fn vgg_cnn_s<'n>(&'n self, x: Node<'n>, classes: i64) -> Node<'n> {
        Node::from_raw(unsafe { sys::dirac_model_vgg_cnn_s(self.raw(), x.raw(), classes) })
    }

    /// Network in network for 32x32 images.
    pub fn nin<'n>(&'n self, x: Node<'n>, classes: i64) -> Node<'n> {
        Node::from_raw(unsafe { sys::dirac_model_nin(self.raw(), x.raw(), classes) })
    }

    /// The 18-layer ELU net for 32x32 images.
    pub fn elu_net<'n>(&'n self, x: Node<'n>, classes: i64) -> Node<'n> {
        Node::from_raw(unsafe { sys::dirac_model_elu(self.raw(), x.raw(), classes) })
    }
}
