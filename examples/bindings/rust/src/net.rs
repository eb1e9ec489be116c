// SPDX-License-Identifier: MIT
//! Nets: building, looking, parameters, files. See dirac/net.h and dirac/file.h.
use crate::callback::{compare, Compare};
use crate::context::Context;
use crate::error::{check, Result};
use crate::layer::LayerKind;
use crate::node::Node;
use crate::raw::{c_path, c_text, count, expect_length, images, maybe_text, read_dims, text};
use crate::sys;
use std::os::raw::c_void;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::{Arc, Mutex};

/// What tensors are called in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// With the graph, so that `Net::load` can rebuild the net.
    Own = sys::DIRAC_NAMES_OWN as isize,
    Published = sys::DIRAC_NAMES_PUBLISHED as isize,
    Folded = sys::DIRAC_NAMES_FOLDED as isize,
}

struct NetInner {
    raw: *mut sys::dirac_net,
    context: Context,
    /// Notes and the report of a load are texts that a later call may free: they are copied under this lock.
    texts: Mutex<()>,
}

// The header: readers may run from any number of threads, and a writer that cannot have the net alone is refused.
unsafe impl Send for NetInner {}
unsafe impl Sync for NetInner {}

impl Drop for NetInner {
    fn drop(&mut self) {
        unsafe { sys::dirac_net_destroy(self.raw) }
    }
}

/// A net being built, by one thread. Methods return nodes; `build` reports the first mistake of all of them.
///
/// ```no_run
/// # fn main() -> dirac::Result<()> {
/// let net = dirac::NetBuilder::new(&dirac::Context::new()?)?;
/// let x = net.dirac_conv2d(net.input(&[1, 8, 8]), 1, 3).named("first");
/// net.output(net.linear(net.global_average_pool(net.relu(net.batch_norm(x))), 10));
/// let net = net.build()?;
/// # Ok(())
/// # }
/// ```
pub struct NetBuilder {
    raw: *mut sys::dirac_net,
    context: Context,
}

impl Drop for NetBuilder {
    fn drop(&mut self) {
        unsafe { sys::dirac_net_destroy(self.raw) }
    }
}

/// Layers that read one node and take integers.
macro_rules! layers {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) = $function:ident;)*) => {
        impl NetBuilder {
            $($(#[$doc])*
            pub fn $name<'n>(&'n self, x: Node<'n> $(, $argument: $kind)*) -> Node<'n> {
                Node::from_raw(unsafe { sys::$function(self.raw, x.raw() $(, $argument)*) })
            })*
        }
    };
}

layers! {
    /// Convolution, one spatial dimension.
    conv1d(channels: i64, kernel: i64) = dirac_net_conv1d;
    /// Convolution, two spatial dimensions.
    conv2d(channels: i64, kernel: i64) = dirac_net_conv2d;
    /// Convolution, three spatial dimensions.
    conv3d(channels: i64, kernel: i64) = dirac_net_conv3d;
    /// Dirac convolution (eq. 5), one spatial dimension.
    dirac_conv1d(channels: i64, kernel: i64) = dirac_net_dirac_conv1d;
    /// Dirac convolution (eq. 5), two spatial dimensions.
    dirac_conv2d(channels: i64, kernel: i64) = dirac_net_dirac_conv2d;
    /// Dirac convolution (eq. 5), three spatial dimensions.
    dirac_conv3d(channels: i64, kernel: i64) = dirac_net_dirac_conv3d;
    /// Linear layer on vectors, with bias.
    linear(channels: i64) = dirac_net_linear;
    /// Dirac linear layer (eq. 5), without bias.
    dirac_linear(channels: i64) = dirac_net_dirac_linear;
    /// Batch norm per channel.
    batch_norm() = dirac_net_batch_norm;
    /// max(x, 0).
    relu() = dirac_net_relu;
    /// max(x, 0), then min(x, 0): twice the channels.
    ncrelu() = dirac_net_ncrelu;
    /// x, or alpha (exp(x) - 1) below 0.
    elu() = dirac_net_elu;
    /// Max-pool, one spatial dimension.
    max_pool1d(kernel: i64) = dirac_net_max_pool1d;
    /// Max-pool, two spatial dimensions.
    max_pool2d(kernel: i64) = dirac_net_max_pool2d;
    /// Max-pool, three spatial dimensions.
    max_pool3d(kernel: i64) = dirac_net_max_pool3d;
    /// Average-pool, one spatial dimension.
    average_pool1d(kernel: i64) = dirac_net_average_pool1d;
    /// Average-pool, two spatial dimensions.
    average_pool2d(kernel: i64) = dirac_net_average_pool2d;
    /// Average-pool, three spatial dimensions.
    average_pool3d(kernel: i64) = dirac_net_average_pool3d;
    /// The mean over all positions.
    global_average_pool() = dirac_net_global_average_pool;
    /// Dropout in training.
    dropout(rate: f32) = dirac_net_dropout;
    /// Local response norm across channels.
    local_response_norm(size: i64) = dirac_net_local_response_norm;
    /// (N, C, ...) to vectors.
    flatten() = dirac_net_flatten;
    /// Softmax over channels.
    softmax() = dirac_net_softmax;
    /// Declares a value an output.
    output() = dirac_net_output;
}

impl NetBuilder {
    /// An empty net.
    pub fn new(context: &Context) -> Result<NetBuilder> {
        let mut raw = null_mut();
        check(unsafe { sys::dirac_net_create(&mut raw, context.raw()) })?;
        Ok(NetBuilder { raw, context: context.clone() })
    }

    /// The seed its parameters are drawn from.
    pub fn seed(&self, seed: u64) -> Result<()> {
        check(unsafe { sys::dirac_net_set_seed(self.raw, seed) })
    }

    /// An input of shape (C), (C, length), (C, height, width) or (C, depth, height, width).
    pub fn input(&self, shape: &[i64]) -> Node<'_> {
        Node::from_raw(unsafe {
            match *shape {
                [c, length] => sys::dirac_net_input1d(self.raw, c, length),
                [c, height, width] => sys::dirac_net_input2d(self.raw, c, height, width),
                [c, depth, height, width] => sys::dirac_net_input3d(self.raw, c, depth, height, width),
                [c] => sys::dirac_net_input(self.raw, c),
                _ => sys::dirac_net_input(self.raw, 0), // is refused, and sticks
            }
        })
    }

    /// a + b, equal shapes.
    pub fn add<'n>(&'n self, a: Node<'n>, b: Node<'n>) -> Node<'n> {
        Node::from_raw(unsafe { sys::dirac_net_add(self.raw, a.raw(), b.raw()) })
    }

    /// The channels of all inputs, one after the other.
    pub fn concat<'n>(&'n self, inputs: &[Node<'n>]) -> Node<'n> {
        let raw: Vec<_> = inputs.iter().map(|node| node.raw()).collect();
        Node::from_raw(unsafe { sys::dirac_net_concat(self.raw, raw.as_ptr(), raw.len() as i32) })
    }

    /// A layer of your own.
    pub fn custom<'n>(&'n self, kind: &LayerKind, inputs: &[Node<'n>]) -> Node<'n> {
        let raw: Vec<_> = inputs.iter().map(|node| node.raw()).collect();
        Node::from_raw(unsafe { sys::dirac_net_custom(self.raw, kind.raw(), raw.as_ptr(), raw.len() as i32) })
    }

    /// Nodes made by `build` are named "name.…".
    pub fn scope<T>(&self, name: &str, build: impl FnOnce() -> T) -> Result<T> {
        let name = c_text(name)?;
        check(unsafe { sys::dirac_net_push_scope(self.raw, name.as_ptr()) })?;
        let made = build();
        check(unsafe { sys::dirac_net_pop_scope(self.raw) })?;
        Ok(made)
    }

    pub(crate) fn raw(&self) -> *mut sys::dirac_net {
        self.raw
    }

    /// Ends building. Nodes of the builder cannot be used afterwards; `Net::find` gives those of the net.
    pub fn build(mut self) -> Result<Net> {
        check(unsafe { sys::dirac_net_build(self.raw) })?;
        let raw = std::mem::replace(&mut self.raw, null_mut());
        Ok(Net::from_raw(raw, &self.context))
    }
}

/// A built net. Clones are the same net; `duplicate` makes a copy.
#[derive(Clone)]
pub struct Net {
    inner: Arc<NetInner>,
}

impl Net {
    fn from_raw(raw: *mut sys::dirac_net, context: &Context) -> Net {
        Net { inner: Arc::new(NetInner { raw, context: context.clone(), texts: Mutex::new(()) }) }
    }

    fn made(context: &Context, make: impl FnOnce(*mut *mut sys::dirac_net) -> i32) -> Result<Net> {
        let mut raw = null_mut();
        check(make(&mut raw))?;
        Ok(Net::from_raw(raw, context))
    }

    pub(crate) fn raw(&self) -> *mut sys::dirac_net {
        self.inner.raw
    }

    fn texts(&self) -> std::sync::MutexGuard<'_, ()> {
        self.inner.texts.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Rebuilds a net from a file that `save` wrote.
    pub fn load(context: &Context, path: impl AsRef<Path>) -> Result<Net> {
        let path = c_path(path.as_ref())?;
        Net::made(context, |out| unsafe { sys::dirac_net_load(out, context.raw(), path.as_ptr()) })
    }

    /// The same from memory.
    pub fn from_bytes(context: &Context, data: &[u8]) -> Result<Net> {
        Net::made(context, |out| unsafe {
            sys::dirac_net_load_memory(out, context.raw(), data.as_ptr() as *const c_void, data.len())
        })
    }

    /// A copy that shares nothing.
    pub fn duplicate(&self) -> Result<Net> {
        Net::made(&self.inner.context, |out| unsafe { sys::dirac_net_clone(out, self.raw()) })
    }

    /// The net for inference: weight forms and batch norms have become plain convolutions.
    pub fn fold(&self) -> Result<Net> {
        Net::made(&self.inner.context, |out| unsafe { sys::dirac_net_fold(out, self.raw()) })
    }

    /// The largest absolute difference over the outputs of this net and its folded form on the same images;
    /// `each(node, difference, largest)` is called for every layer that both compute.
    pub fn compare(&self, folded: &Net, input: &[f32], mut each: Option<&mut Compare<'_>>) -> Result<f64> {
        let shape = self.inputs().first().map_or_else(|| Ok(vec![]), |node| node.shape())?;
        let n = images("the input", input.len(), count(&shape))?;
        let mut difference = 0.0;
        let (call, user) = match &mut each {
            Some(each) => (Some(compare as sys::dirac_compare_fn), each as *mut &mut Compare<'_> as *mut c_void),
            None => (None, null_mut()),
        };
        check(unsafe {
            sys::dirac_net_compare(self.raw(), folded.raw(), input.as_ptr(), n, call, user, &mut difference)
        })?;
        Ok(difference)
    }

    /// Saves the net, replacing the file atomically.
    pub fn save(&self, path: impl AsRef<Path>, names: Names) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe {
            match names {
                Names::Own => sys::dirac_net_save(self.raw(), path.as_ptr()),
                _ => sys::dirac_net_save_as(self.raw(), path.as_ptr(), names as i32),
            }
        })
    }

    /// The content of the file that `save` would write.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (mut data, mut size) = (null_mut(), 0);
        check(unsafe { sys::dirac_net_save_memory(self.raw(), &mut data, &mut size) })?;
        Ok(unsafe { self.inner.context.take_buffer(data, size) })
    }

    /// Reads weights from any safetensors file; `partial` takes those that match. The report has a line for each
    /// tensor that did not match.
    pub fn load_weights(&self, path: impl AsRef<Path>, partial: bool) -> Result<String> {
        let path = c_path(path.as_ref())?;
        self.loaded(|mode| unsafe { sys::dirac_net_load_weights(self.raw(), path.as_ptr(), mode) }, partial)
    }

    /// The same from memory.
    pub fn load_weights_from(&self, data: &[u8], partial: bool) -> Result<String> {
        let start = data.as_ptr() as *const c_void;
        self.loaded(
            |mode| unsafe { sys::dirac_net_load_weights_memory(self.raw(), start, data.len(), mode) },
            partial,
        )
    }

    fn loaded(&self, load: impl FnOnce(i32) -> i32, partial: bool) -> Result<String> {
        let _held = self.texts();
        check(load(if partial { sys::DIRAC_LOAD_PARTIAL } else { sys::DIRAC_LOAD_STRICT }))?;
        Ok(unsafe { text(sys::dirac_net_load_report(self.raw())) })
    }

    /// What the last load of weights did not match, also a refused one.
    pub fn load_report(&self) -> String {
        let _held = self.texts();
        unsafe { text(sys::dirac_net_load_report(self.raw())) }
    }

    fn listed<'n>(&'n self, count: i64, get: impl Fn(i64) -> *mut sys::dirac_node) -> Vec<Node<'n>> {
        (0..count).filter_map(|i| Node::existing(get(i))).collect()
    }

    /// All nodes in the order of building.
    pub fn nodes(&self) -> Vec<Node<'_>> {
        unsafe { self.listed(sys::dirac_net_node_count(self.raw()), |i| sys::dirac_net_node(self.raw(), i)) }
    }

    /// The inputs in order.
    pub fn inputs(&self) -> Vec<Node<'_>> {
        let count = unsafe { sys::dirac_net_input_count(self.raw()) } as i64;
        self.listed(count, |i| unsafe { sys::dirac_net_input_node(self.raw(), i as i32) })
    }

    /// The outputs in order.
    pub fn outputs(&self) -> Vec<Node<'_>> {
        let count = unsafe { sys::dirac_net_output_count(self.raw()) } as i64;
        self.listed(count, |i| unsafe { sys::dirac_net_output_node(self.raw(), i as i32) })
    }

    /// The node of that full name.
    pub fn find(&self, name: &str) -> Option<Node<'_>> {
        let name = c_text(name).ok()?;
        Node::existing(unsafe { sys::dirac_net_find(self.raw(), name.as_ptr()) })
    }

    /// The names of all parameters and states.
    pub fn tensor_names(&self) -> Vec<String> {
        let count = unsafe { sys::dirac_net_tensor_count(self.raw()) };
        (0..count).map(|i| unsafe { text(sys::dirac_net_tensor_name(self.raw(), i)) }).collect()
    }

    /// The shape of a parameter or state.
    pub fn tensor_shape(&self, name: &str) -> Result<Vec<i64>> {
        let name = c_text(name)?;
        read_dims(|dims, rank| unsafe {
            sys::dirac_net_tensor_shape(self.raw(), name.as_ptr(), dims, rank, null_mut())
        })
    }

    /// True for a parameter, false for state.
    pub fn is_trained(&self, name: &str) -> Result<bool> {
        let (name, mut dims, mut role) = (c_text(name)?, [0; sys::DIRAC_MAX_RANK as usize], 0);
        check(unsafe {
            sys::dirac_net_tensor_shape(self.raw(), name.as_ptr(), dims.as_mut_ptr(), null_mut(), &mut role)
        })?;
        Ok(role == sys::DIRAC_ROLE_TRAINED)
    }

    /// A copy of a parameter or state.
    pub fn read(&self, name: &str) -> Result<Vec<f32>> {
        let mut values = vec![0.0; count(&self.tensor_shape(name)?)];
        let name = c_text(name)?;
        check(unsafe { sys::dirac_net_tensor_read(self.raw(), name.as_ptr(), values.as_mut_ptr(), values.len()) })?;
        Ok(values)
    }

    /// Sets a parameter or state.
    pub fn write(&self, name: &str, values: &[f32]) -> Result<()> {
        expect_length(name, values.len(), count(&self.tensor_shape(name)?))?;
        let name = c_text(name)?;
        check(unsafe { sys::dirac_net_tensor_write(self.raw(), name.as_ptr(), values.as_ptr(), values.len()) })
    }

    /// Draws all parameters and state anew.
    pub fn initialize(&self, seed: u64) -> Result<()> {
        check(unsafe { sys::dirac_net_initialize(self.raw(), seed) })
    }

    /// Lets the optimizer change the parameters that match, or not.
    pub fn set_trainable(&self, pattern: &str, trainable: bool) -> Result<()> {
        let pattern = c_text(pattern)?;
        check(unsafe { sys::dirac_net_set_trainable(self.raw(), pattern.as_ptr(), trainable as i32) })
    }

    /// Trained numbers in all.
    pub fn trained_count(&self) -> i64 {
        unsafe { sys::dirac_net_trained_count(self.raw()) }
    }

    /// Multiply-adds for one image.
    pub fn multiply_adds(&self) -> i64 {
        unsafe { sys::dirac_net_multiply_adds(self.raw()) }
    }

    /// Grows with every change of a parameter or state.
    pub fn version(&self) -> u64 {
        unsafe { sys::dirac_net_version(self.raw()) }
    }

    /// A text kept with the net and in its file.
    pub fn note(&self, key: &str) -> Option<String> {
        let key = c_text(key).ok()?;
        let _held = self.texts();
        unsafe { maybe_text(sys::dirac_net_note(self.raw(), key.as_ptr())) }
    }

    /// Keeps a text with the net; None removes it.
    pub fn set_note(&self, key: &str, value: Option<&str>) -> Result<()> {
        let (key, value) = (c_text(key)?, value.map(c_text).transpose()?);
        let _held = self.texts();
        let start = value.as_ref().map_or(null(), |value| value.as_ptr());
        check(unsafe { sys::dirac_net_set_note(self.raw(), key.as_ptr(), start) })
    }
}
