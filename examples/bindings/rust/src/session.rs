// SPDX-License-Identifier: MIT
//! Sessions: forward, loss, backward. See dirac/session.h.
use crate::callback::{progress_arguments, Progress};
use crate::data::Batches;
use crate::error::{check, Error, Result, Status};
use crate::net::Net;
use crate::node::Node;
use crate::raw::{count, expect_length, images, read_dims, slice, slice_mut, text};
use crate::sgd::Epoch;
use crate::sys;
use std::ptr::null_mut;

/// One stream of work on a net. What it hands out is borrowed from it, so it is gone before the next forward.
pub struct Session {
    raw: *mut sys::dirac_session,
    net: Net,
}

// The header: one caller at a time, any thread. `&mut self` and not being Sync say the same.
unsafe impl Send for Session {}

impl Drop for Session {
    fn drop(&mut self) {
        unsafe { sys::dirac_session_destroy(self.raw) }
    }
}

/// Options of a session, until it is prepared.
pub struct SessionBuilder {
    session: Result<Session>,
}

impl SessionBuilder {
    fn with(mut self, set: impl FnOnce(*mut sys::dirac_session) -> i32) -> Self {
        if let Ok(session) = &self.session {
            if let Err(error) = check(set(session.raw)) {
                self.session = Err(error);
            }
        }
        self
    }

    /// The most images of one forward.
    pub fn batch(self, n: i64) -> Self {
        self.with(|raw| unsafe { sys::dirac_session_set_batch(raw, n) })
    }

    /// Another spatial size of an input.
    pub fn input_size(self, index: i32, size: &[i64]) -> Self {
        self.with(|raw| unsafe { sys::dirac_session_set_input_size(raw, index, size.as_ptr(), size.len() as i32) })
    }

    /// Keeps the value of an inner node readable by `Session::activation`.
    pub fn keep(self, node: Node<'_>) -> Self {
        self.with(|raw| unsafe { sys::dirac_session_keep(raw, node.raw()) })
    }

    /// Backward also gives the gradients of the inputs.
    pub fn input_gradients(self) -> Self {
        self.with(|raw| unsafe { sys::dirac_session_set_input_gradients(raw, 1) })
    }

    /// The seed of dropout.
    pub fn seed(self, seed: u64) -> Self {
        self.with(|raw| unsafe { sys::dirac_session_set_seed(raw, seed) })
    }

    /// Only arithmetic that sums products directly.
    pub fn strict(self) -> Self {
        self.with(|raw| unsafe { sys::dirac_session_set_strict(raw, 1) })
    }

    /// Inference keeps no weights in the layout of the kernels: less memory, slower forwards.
    pub fn lean(self) -> Self {
        self.with(|raw| unsafe { sys::dirac_session_set_lean(raw, 1) })
    }

    /// The bytes that `prepare` will ask for.
    pub fn bytes(&self) -> Result<usize> {
        self.session.as_ref().map_err(Clone::clone)?.bytes()
    }

    /// Plans and allocates; reports the first mistake of the options.
    pub fn prepare(self) -> Result<Session> {
        let session = self.session?;
        check(unsafe { sys::dirac_session_prepare(session.raw) })?;
        Ok(session)
    }
}

impl Session {
    /// A session that trains: batch statistics, dropout, backward.
    pub fn training(net: &Net) -> SessionBuilder {
        Session::open(net, sys::DIRAC_TRAIN)
    }

    /// A session that infers.
    pub fn inference(net: &Net) -> SessionBuilder {
        Session::open(net, sys::DIRAC_INFER)
    }

    fn open(net: &Net, mode: i32) -> SessionBuilder {
        let mut raw = null_mut();
        let made = check(unsafe { sys::dirac_session_create(&mut raw, net.raw(), mode) });
        SessionBuilder { session: made.map(|()| Session { raw, net: net.clone() }) }
    }

    pub(crate) fn raw(&self) -> *mut sys::dirac_session {
        self.raw
    }

    /// The bytes it has asked for.
    pub fn bytes(&self) -> Result<usize> {
        let mut bytes = 0;
        check(unsafe { sys::dirac_session_bytes(self.raw, &mut bytes) })?;
        Ok(bytes)
    }

    /// The shape of a node's value in this session, without N.
    pub fn shape(&self, node: Node<'_>) -> Result<Vec<i64>> {
        read_dims(|dims, rank| unsafe { sys::dirac_session_shape(self.raw, node.raw(), dims, rank) })
    }

    fn numbers(&self, nodes: Vec<Node<'_>>, index: usize, what: &str) -> Result<usize> {
        match nodes.get(index) {
            Some(&node) => Ok(count(&self.shape(node)?)),
            None => Err(Error::new(Status::Argument, format!("the net has no {} {}", what, index))),
        }
    }

    /// Computes every output for the images in `input`; how many there are follows from its length.
    pub fn forward(&mut self, input: &[f32]) -> Result<()> {
        let inputs = self.net.inputs();
        expect_length("the inputs", 1, inputs.len())?;
        let n = images("the input", input.len(), self.numbers(inputs, 0, "input")?)?;
        check(unsafe { sys::dirac_session_forward(self.raw, input.as_ptr(), n) })
    }

    /// The same for a net of several inputs.
    pub fn forward_inputs(&mut self, inputs: &[&[f32]]) -> Result<()> {
        let nodes = self.net.inputs();
        expect_length("the inputs", inputs.len(), nodes.len())?;
        let mut n = 0;
        for (index, input) in inputs.iter().enumerate() {
            let each = count(&self.shape(nodes[index])?);
            let here = images("an input", input.len(), each)?;
            if index > 0 {
                expect_length("an input", input.len(), n as usize * each)?;
            }
            n = here;
        }
        let starts: Vec<_> = inputs.iter().map(|input| input.as_ptr()).collect();
        check(unsafe { sys::dirac_session_forward_inputs(self.raw, starts.as_ptr(), starts.len() as i32, n) })
    }

    fn borrowed(&self, read: impl FnOnce(*mut *const f32, *mut usize) -> i32) -> Result<&[f32]> {
        let (mut start, mut length) = (std::ptr::null(), 0);
        check(read(&mut start, &mut length))?;
        Ok(unsafe { slice(start, length) })
    }

    /// Output `index` of the last forward, (n, C, spatial...).
    pub fn output(&self, index: i32) -> Result<&[f32]> {
        self.borrowed(|start, length| unsafe { sys::dirac_session_output(self.raw, index, start, length) })
    }

    /// The value of a kept node.
    pub fn activation(&self, node: Node<'_>) -> Result<&[f32]> {
        self.borrowed(|start, length| unsafe { sys::dirac_session_activation(self.raw, node.raw(), start, length) })
    }

    /// The gradient of an input, if asked for.
    pub fn input_gradient(&self, index: i32) -> Result<&[f32]> {
        self.borrowed(|start, length| unsafe { sys::dirac_session_input_gradient(self.raw, index, start, length) })
    }

    /// The number of images of the last forward.
    fn images(&self) -> Result<usize> {
        let classes = self.numbers(self.net.outputs(), 0, "output")?;
        Ok(self.output(0)?.len() / classes)
    }

    /// Smooths hard labels.
    pub fn set_label_smoothing(&mut self, epsilon: f32) -> Result<()> {
        check(unsafe { sys::dirac_session_set_label_smoothing(self.raw, epsilon) })
    }

    /// A weight a class for the loss; None for none.
    pub fn set_class_weights(&mut self, weights: Option<&[f32]>) -> Result<()> {
        let (start, length) = weights.map_or((std::ptr::null(), 0), |w| (w.as_ptr(), w.len()));
        check(unsafe { sys::dirac_session_set_class_weights(self.raw, start, length as i64) })
    }

    /// Softmax cross-entropy of output 0 with one label an image.
    pub fn cross_entropy(&mut self, labels: &[i32]) -> Result<f32> {
        expect_length("labels", labels.len(), self.images()?)?;
        let mut loss = 0.0;
        check(unsafe { sys::dirac_session_cross_entropy(self.raw, labels.as_ptr(), &mut loss) })?;
        Ok(loss)
    }

    /// The same with soft labels (n, classes).
    pub fn cross_entropy_soft(&mut self, targets: &[f32]) -> Result<f32> {
        expect_length("targets", targets.len(), self.output(0)?.len())?;
        let mut loss = 0.0;
        check(unsafe { sys::dirac_session_cross_entropy_soft(self.raw, targets.as_ptr(), &mut loss) })?;
        Ok(loss)
    }

    /// How many images have their label as the largest logit of output 0.
    pub fn count_correct(&self, labels: &[i32]) -> Result<i64> {
        expect_length("labels", labels.len(), self.images()?)?;
        let mut correct = 0;
        check(unsafe { sys::dirac_session_count_correct(self.raw, labels.as_ptr(), &mut correct) })?;
        Ok(correct)
    }

    /// The rest of the stream's epoch, without learning.
    pub fn evaluate(&mut self, batches: &mut Batches, mut progress: Option<&mut Progress<'_>>) -> Result<Epoch> {
        let (call, user) = progress_arguments(&mut progress);
        let mut epoch = Epoch::default();
        let status = unsafe {
            let (loss, accuracy) = (&mut epoch.loss, &mut epoch.accuracy);
            sys::dirac_session_evaluate(self.raw, batches.raw(), call, user, loss, accuracy)
        };
        batches.finish(status).map(|()| epoch)
    }

    /// A loss of your own: its gradient at an output.
    pub fn set_output_gradient(&mut self, index: i32, values: &[f32]) -> Result<()> {
        check(unsafe { sys::dirac_session_set_output_gradient(self.raw, index, values.as_ptr(), values.len()) })
    }

    /// Adds the gradients of the last loss to the session's.
    pub fn backward(&mut self) -> Result<()> {
        check(unsafe { sys::dirac_session_backward(self.raw) })
    }

    /// Sets all gradients to zero.
    pub fn clear_gradients(&mut self) -> Result<()> {
        check(unsafe { sys::dirac_session_clear_gradients(self.raw) })
    }

    fn all_gradients(&self) -> Result<(*mut f32, usize)> {
        let (mut start, mut length) = (null_mut(), 0);
        check(unsafe { sys::dirac_session_gradients(self.raw, &mut start, &mut length) })?;
        Ok((start, length))
    }

    /// All parameter gradients, in the order of the trained tensors.
    pub fn gradients(&self) -> Result<&[f32]> {
        self.all_gradients().map(|(start, length)| unsafe { slice(start, length) })
    }

    /// The same, to be changed.
    pub fn gradients_mut(&mut self) -> Result<&mut [f32]> {
        self.all_gradients().map(|(start, length)| unsafe { slice_mut(start, length) })
    }

    /// A copy of the gradient of one parameter.
    pub fn gradient(&self, name: &str) -> Result<Vec<f32>> {
        let mut values = vec![0.0; count(&self.net.tensor_shape(name)?)];
        let name = crate::raw::c_text(name)?;
        check(unsafe {
            sys::dirac_session_gradient_read(self.raw, name.as_ptr(), values.as_mut_ptr(), values.len())
        })?;
        Ok(values)
    }

    /// Adds the gradients of another session on the same net.
    pub fn add_gradients(&mut self, other: &Session) -> Result<()> {
        check(unsafe { sys::dirac_session_add_gradients(self.raw, other.raw) })
    }

    /// Writes the pending running statistics into the net.
    pub fn commit_statistics(&mut self) -> Result<()> {
        check(unsafe { sys::dirac_session_commit_statistics(self.raw) })
    }

    /// The worst relative difference between backward and central differences; `step` 0 for the default.
    pub fn check_gradients(&mut self, input: &[f32], samples: i32, step: f64) -> Result<f64> {
        let n = images("the input", input.len(), self.numbers(self.net.inputs(), 0, "input")?)?;
        let mut worst = 0.0;
        check(unsafe { sys::dirac_session_check_gradients(self.raw, input.as_ptr(), n, samples, step, &mut worst) })?;
        Ok(worst)
    }

    /// Moves the session to another net of the same graph and shapes.
    pub fn set_net(&mut self, net: &Net) -> Result<()> {
        check(unsafe { sys::dirac_session_set_net(self.raw, net.raw()) })?;
        self.net = net.clone();
        Ok(())
    }

    /// The most images of one forward.
    pub fn batch(&self) -> i64 {
        unsafe { sys::dirac_session_batch(self.raw) }
    }

    /// Multiply-adds of one image.
    pub fn multiply_adds(&self) -> Result<i64> {
        let mut count = 0;
        check(unsafe { sys::dirac_session_multiply_adds(self.raw, &mut count) })?;
        Ok(count)
    }

    /// The name of the kernels it uses.
    pub fn kernels(&self) -> String {
        unsafe { text(sys::dirac_session_kernels(self.raw)) }
    }
}
