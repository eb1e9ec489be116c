// SPDX-License-Identifier: MIT
//! Nodes: the values of a net. See dirac/net.h.
use crate::error::{check, Result};
use crate::raw::{c_text, read_dims, text};
use crate::sys;
use std::ffi::CString;
use std::marker::PhantomData;
use std::os::raw::c_char;
use std::ptr::null;

/// How a convolution or linear layer makes its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Plain = sys::DIRAC_FORM_PLAIN as isize,
    Delta = sys::DIRAC_FORM_DELTA as isize,
    NormalizedDelta = sys::DIRAC_FORM_NORMALIZED_DELTA as isize,
    FixedDelta = sys::DIRAC_FORM_FIXED_DELTA as isize,
}

/// What there is to know of a filter, which applies a I + r.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// a
    Alpha = sys::DIRAC_FILTER_ALPHA as isize,
    /// The factor of W, or of W/|W| in eq. 5.
    Beta = sys::DIRAC_FILTER_BETA as isize,
    /// |W|
    Norm = sys::DIRAC_FILTER_NORM as isize,
    /// |a| / (|a| + |r|)
    Identity = sys::DIRAC_FILTER_IDENTITY as isize,
}

/// One quantity over the filters of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FilterSummary {
    pub mean: f64,
    pub least: f64,
    pub largest: f64,
    /// How many were counted.
    pub filters: i64,
}

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Zeros,
    Constant(f64),
    /// Mean 0 and this standard deviation.
    Normal(f64),
    /// Standard deviation a / sqrt(fan in).
    KaimingNormal(f64),
    Uniform(f64, f64),
    Orthogonal(f64),
    Delta(f64),
}

impl Init {
    pub(crate) fn arguments(self) -> (i32, f64, f64) {
        match self {
            Init::Zeros => (sys::DIRAC_INIT_ZEROS, 0.0, 0.0),
            Init::Constant(a) => (sys::DIRAC_INIT_CONSTANT, a, 0.0),
            Init::Normal(a) => (sys::DIRAC_INIT_NORMAL, a, 0.0),
            Init::KaimingNormal(a) => (sys::DIRAC_INIT_KAIMING_NORMAL, a, 0.0),
            Init::Uniform(a, b) => (sys::DIRAC_INIT_UNIFORM, a, b),
            Init::Orthogonal(a) => (sys::DIRAC_INIT_ORTHOGONAL, a, 0.0),
            Init::Delta(a) => (sys::DIRAC_INIT_DELTA, a, 0.0),
        }
    }
}

/// NULL for a text that C cannot take: it is refused like any wrong name.
fn start(name: &Result<CString>) -> *const c_char {
    name.as_ref().map_or(null(), |name| name.as_ptr())
}

/// One value of a net, borrowed from it. While a net is built, a mistake gives a node that all later calls pass on:
/// `NetBuilder::build` reports the first one.
#[derive(Clone, Copy)]
pub struct Node<'n> {
    raw: *mut sys::dirac_node,
    net: PhantomData<&'n ()>,
}

impl PartialEq for Node<'_> {
    /// The same value of the same net.
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Node<'_> {}

impl<'n> Node<'n> {
    pub(crate) fn from_raw(raw: *mut sys::dirac_node) -> Node<'n> {
        Node { raw, net: PhantomData }
    }

    pub(crate) fn existing(raw: *mut sys::dirac_node) -> Option<Node<'n>> {
        if raw.is_null() {
            None
        } else {
            Some(Node::from_raw(raw))
        }
    }

    pub(crate) fn raw(self) -> *mut sys::dirac_node {
        self.raw
    }

    /// While building: names it. Mistakes here and in the setters below are reported by `build`.
    pub fn named(self, name: &str) -> Self {
        let name = c_text(name);
        unsafe { sys::dirac_node_set_name(self.raw, start(&name)) };
        self
    }

    /// While building: sets an integer attribute.
    pub fn set_int(self, attribute: &str, value: i64) -> Self {
        let name = c_text(attribute);
        unsafe { sys::dirac_node_set_int(self.raw, start(&name), value) };
        self
    }

    /// While building: sets an attribute with one integer a spatial dimension.
    pub fn set_ints(self, attribute: &str, values: &[i64]) -> Self {
        let name = c_text(attribute);
        unsafe { sys::dirac_node_set_ints(self.raw, start(&name), values.as_ptr(), values.len() as i32) };
        self
    }

    /// While building: sets a real attribute.
    pub fn set_float(self, attribute: &str, value: f64) -> Self {
        let name = c_text(attribute);
        unsafe { sys::dirac_node_set_float(self.raw, start(&name), value) };
        self
    }

    /// While building: sets the weight form.
    pub fn form(self, form: Form) -> Self {
        self.set_int("form", form as i64)
    }

    /// While building: how a parameter starts.
    pub fn initializer(self, parameter: &str, init: Init) -> Self {
        let (kind, a, b) = init.arguments();
        let name = c_text(parameter);
        unsafe { sys::dirac_node_set_initializer(self.raw, start(&name), kind, a, b) };
        self
    }

    /// While building: uses the parameters of an earlier node of the same kind.
    pub fn share_parameters(self, owner: Node<'n>) -> Self {
        unsafe { sys::dirac_node_share_parameters(self.raw, owner.raw) };
        self
    }

    /// Freezes or thaws a batch norm.
    pub fn set_frozen(self, frozen: bool) -> Result<()> {
        check(unsafe { sys::dirac_node_set_frozen(self.raw, frozen as i32) })
    }

    /// The full name.
    pub fn name(self) -> String {
        unsafe { text(sys::dirac_node_name(self.raw)) }
    }

    /// The kind: "conv", "relu", ...
    pub fn kind(self) -> String {
        unsafe { text(sys::dirac_node_kind(self.raw)) }
    }

    /// The nodes it reads.
    pub fn inputs(self) -> Vec<Node<'n>> {
        let count = unsafe { sys::dirac_node_input_count(self.raw) };
        (0..count).filter_map(|i| Node::existing(unsafe { sys::dirac_node_input(self.raw, i) })).collect()
    }

    /// The shape of its value without N. Built nets only.
    pub fn shape(self) -> Result<Vec<i64>> {
        read_dims(|dims, rank| unsafe { sys::dirac_node_shape(self.raw, dims, rank) })
    }

    /// An integer attribute.
    pub fn int(self, attribute: &str) -> Result<i64> {
        let (name, mut value) = (c_text(attribute)?, 0);
        check(unsafe { sys::dirac_node_get_int(self.raw, name.as_ptr(), &mut value) })?;
        Ok(value)
    }

    /// An attribute with one integer a spatial dimension.
    pub fn ints(self, attribute: &str) -> Result<Vec<i64>> {
        let name = c_text(attribute)?;
        read_dims(|values, count| unsafe { sys::dirac_node_get_ints(self.raw, name.as_ptr(), values, count) })
    }

    /// A real attribute.
    pub fn float(self, attribute: &str) -> Result<f64> {
        let (name, mut value) = (c_text(attribute)?, 0.0);
        check(unsafe { sys::dirac_node_get_float(self.raw, name.as_ptr(), &mut value) })?;
        Ok(value)
    }

    /// One number a filter of a convolution or linear layer. Built nets only.
    pub fn filters(self, quantity: Quantity) -> Result<Vec<f32>> {
        let mut values = vec![0.0; self.shape()?[0] as usize];
        check(unsafe { sys::dirac_node_filters(self.raw, quantity as i32, values.as_mut_ptr(), values.len()) })?;
        Ok(values)
    }

    /// The same over the layer; alpha and the share of the identity are over the filters that have a one in I.
    pub fn filter_summary(self, quantity: Quantity) -> Result<FilterSummary> {
        let mut s = FilterSummary::default();
        check(unsafe {
            sys::dirac_node_filter_summary(
                self.raw,
                quantity as i32,
                &mut s.mean,
                &mut s.least,
                &mut s.largest,
                &mut s.filters,
            )
        })?;
        Ok(s)
    }

    /// Trained numbers of this node.
    pub fn trained_count(self) -> i64 {
        unsafe { sys::dirac_node_trained_count(self.raw) }
    }

    /// Multiply-adds for one image.
    pub fn multiply_adds(self) -> i64 {
        unsafe { sys::dirac_node_multiply_adds(self.raw) }
    }
}
