// SPDX-License-Identifier: MIT
//! Data sets and streams of batches. See dirac/data.h.
use crate::callback::Kept;
use crate::context::Context;
use crate::error::{check, Error, Result, Status};
use crate::raw::{c_path, c_text, count, expect_length, images, maybe_text, read_dims, slice, slice_mut};
use crate::sys;
use std::os::raw::c_void;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex};

/// Which part of a published set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    Train = sys::DIRAC_SPLIT_TRAIN as isize,
    Test = sys::DIRAC_SPLIT_TEST as isize,
}

type Fill = Box<dyn Fn(i64, &mut [f32]) -> Result<i32> + Send + Sync>;

/// A sample callback at one address, and how it last failed: it may run on the prefetching thread.
struct Samples {
    fill: Fill,
    numbers: usize,
    failure: Mutex<Option<Kept>>,
}

/// Samples of one shape and a label each. Filled, then only read: batches fix it.
pub struct Dataset {
    raw: *mut sys::dirac_dataset,
    context: Context,
    samples: Option<Arc<Samples>>,
    bytes: bool,
}

// The header: any number of threads may read it; changing it takes `&mut self`.
unsafe impl Send for Dataset {}
unsafe impl Sync for Dataset {}

impl Drop for Dataset {
    fn drop(&mut self) {
        unsafe { sys::dirac_dataset_destroy(self.raw) }
    }
}

unsafe extern "C" fn sample(user: *mut c_void, index: i64, values: *mut f32, label: *mut i32) -> i32 {
    let samples = &*(user as *const Samples);
    let call = AssertUnwindSafe(|| (samples.fill)(index, slice_mut(values, samples.numbers)));
    let kept = match catch_unwind(call) {
        Ok(Ok(found)) => {
            *label = found;
            return 0;
        }
        Ok(Err(error)) => Kept::Error(error),
        Err(payload) => Kept::Panic(payload),
    };
    if let Ok(mut failure) = samples.failure.lock() {
        failure.get_or_insert(kept);
    }
    1
}

/// What a sample callback failed with comes in place of the library's CALLBACK.
fn finish(samples: &Option<Arc<Samples>>, status: i32) -> Result<()> {
    let kept = match samples {
        Some(samples) if status == sys::DIRAC_ERR_CALLBACK => samples.failure.lock().ok().and_then(|mut f| f.take()),
        _ => None,
    };
    match kept {
        Some(Kept::Panic(payload)) => resume_unwind(payload),
        Some(Kept::Error(error)) => Err(error),
        None => check(status),
    }
}

impl Dataset {
    fn made(context: &Context, bytes: bool, make: impl FnOnce(*mut *mut sys::dirac_dataset) -> i32) -> Result<Dataset> {
        let mut raw = null_mut();
        check(make(&mut raw))?;
        Ok(Dataset { raw, context: context.clone(), samples: None, bytes })
    }

    /// An empty set of byte images (channels, height, width).
    pub fn images(context: &Context, channels: i64, height: i64, width: i64) -> Result<Dataset> {
        Dataset::made(context, true, |out| unsafe {
            sys::dirac_dataset_create_images(out, context.raw(), channels, height, width)
        })
    }

    /// An empty set of float samples of a shape (C, spatial...).
    pub fn floats(context: &Context, shape: &[i64]) -> Result<Dataset> {
        Dataset::made(context, false, |out| unsafe {
            sys::dirac_dataset_create_floats(out, context.raw(), shape.as_ptr(), shape.len() as i32)
        })
    }

    /// `n` samples that `fill(index, values)` writes when they are needed, returning the label: on the thread that asks
    /// for a batch, or on the prefetching one. What it fails with comes out of the call that wanted the batch.
    pub fn callback(
        context: &Context,
        shape: &[i64],
        n: i64,
        fill: impl Fn(i64, &mut [f32]) -> Result<i32> + Send + Sync + 'static,
    ) -> Result<Dataset> {
        let samples = Arc::new(Samples { fill: Box::new(fill), numbers: count(shape), failure: Mutex::new(None) });
        let user = Arc::as_ptr(&samples) as *mut c_void;
        let mut made = Dataset::made(context, false, |out| unsafe {
            let (dims, rank) = (shape.as_ptr(), shape.len() as i32);
            sys::dirac_dataset_create_callback(out, context.raw(), dims, rank, n, Some(sample), user)
        })?;
        made.samples = Some(samples);
        Ok(made)
    }

    /// Reads CIFAR-10's binary version from a folder.
    pub fn load_cifar10(context: &Context, directory: impl AsRef<Path>, split: Split) -> Result<Dataset> {
        let path = c_path(directory.as_ref())?;
        Dataset::made(context, true, |out| unsafe {
            sys::dirac_dataset_load_cifar10(out, context.raw(), path.as_ptr(), split as i32)
        })
    }

    /// Reads CIFAR-100's binary version, fine labels, from a folder.
    pub fn load_cifar100(context: &Context, directory: impl AsRef<Path>, split: Split) -> Result<Dataset> {
        let path = c_path(directory.as_ref())?;
        Dataset::made(context, true, |out| unsafe {
            sys::dirac_dataset_load_cifar100(out, context.raw(), path.as_ptr(), split as i32)
        })
    }

    /// CIFAR-10 (classes 10) or CIFAR-100 (100) records from memory.
    pub fn from_cifar_bytes(context: &Context, records: &[u8], classes: i32) -> Result<Dataset> {
        Dataset::made(context, true, |out| unsafe {
            let start = records.as_ptr() as *const c_void;
            sys::dirac_dataset_load_cifar_memory(out, context.raw(), start, records.len(), classes)
        })
    }

    /// Reads IDX files (MNIST's format).
    pub fn load_idx(context: &Context, images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Dataset> {
        let (images, labels) = (c_path(images.as_ref())?, c_path(labels.as_ref())?);
        Dataset::made(context, true, |out| unsafe {
            sys::dirac_dataset_load_idx(out, context.raw(), images.as_ptr(), labels.as_ptr())
        })
    }

    /// The same from memory.
    pub fn from_idx_bytes(context: &Context, images: &[u8], labels: &[u8]) -> Result<Dataset> {
        Dataset::made(context, true, |out| unsafe {
            let (first, second) = (images.as_ptr() as *const c_void, labels.as_ptr() as *const c_void);
            sys::dirac_dataset_load_idx_memory(out, context.raw(), first, images.len(), second, labels.len())
        })
    }

    /// Copies byte images in; `interleaved`: (height, width, C) as decoders give them.
    pub fn add_images(&mut self, pixels: &[u8], labels: &[i32], interleaved: bool) -> Result<()> {
        if !self.bytes {
            return Err(Error::new(Status::Argument, "the set holds floats, not byte images"));
        }
        expect_length("pixels", pixels.len(), labels.len() * count(&self.shape()?))?;
        let layout = if interleaved { sys::DIRAC_LAYOUT_INTERLEAVED } else { sys::DIRAC_LAYOUT_PLANAR };
        check(unsafe {
            sys::dirac_dataset_add_images(self.raw, pixels.as_ptr(), layout, labels.as_ptr(), labels.len() as i64)
        })
    }

    /// Copies float samples in.
    pub fn add_floats(&mut self, values: &[f32], labels: &[i32]) -> Result<()> {
        let n = images("values", values.len(), count(&self.shape()?))?;
        expect_length("labels", labels.len(), n as usize)?;
        check(unsafe { sys::dirac_dataset_add_floats(self.raw, values.as_ptr(), labels.as_ptr(), n) })
    }

    /// Names a class.
    pub fn set_class_name(&mut self, label: i32, name: &str) -> Result<()> {
        let name = c_text(name)?;
        check(unsafe { sys::dirac_dataset_set_class_name(self.raw, label, name.as_ptr()) })
    }

    /// The name of a class.
    pub fn class_name(&self, label: i32) -> Option<String> {
        unsafe { maybe_text(sys::dirac_dataset_class_name(self.raw, label)) }
    }

    /// The number of samples.
    pub fn len(&self) -> i64 {
        unsafe { sys::dirac_dataset_count(self.raw) }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the largest label or named class; 0 where unknown.
    pub fn classes(&self) -> i32 {
        unsafe { sys::dirac_dataset_classes(self.raw) }
    }

    /// The label of a sample, where it is known.
    pub fn label(&self, index: i64) -> Option<i32> {
        let label = unsafe { sys::dirac_dataset_label(self.raw, index) };
        if label < 0 {
            None
        } else {
            Some(label)
        }
    }

    /// The shape of a sample.
    pub fn shape(&self) -> Result<Vec<i64>> {
        read_dims(|dims, rank| unsafe { sys::dirac_dataset_shape(self.raw, dims, rank) })
    }

    /// A copy of a sample, bytes as 0 to 255.
    pub fn read(&self, index: i64) -> Result<Vec<f32>> {
        let mut values = vec![0.0; count(&self.shape()?)];
        let status = unsafe { sys::dirac_dataset_read(self.raw, index, values.as_mut_ptr(), values.len()) };
        finish(&self.samples, status).map(|()| values)
    }

    /// A stream of batches over the set.
    pub fn batches(&self) -> BatchesBuilder {
        BatchesBuilder { batches: self.open() }
    }

    fn open(&self) -> Result<Batches> {
        let (mut raw, each) = (null_mut(), count(&self.shape()?));
        check(unsafe { sys::dirac_batches_create(&mut raw, self.raw) })?;
        Ok(Batches { raw, _context: self.context.clone(), samples: self.samples.clone(), each })
    }
}

/// Options of a stream, until it begins.
pub struct BatchesBuilder {
    batches: Result<Batches>,
}

impl BatchesBuilder {
    fn with(mut self, set: impl FnOnce(*mut sys::dirac_batches) -> i32) -> Self {
        if let Ok(batches) = &self.batches {
            if let Err(error) = check(set(batches.raw)) {
                self.batches = Err(error);
            }
        }
        self
    }

    /// Images a batch.
    pub fn size(self, n: i64) -> Self {
        self.with(|raw| unsafe { sys::dirac_batches_set_size(raw, n) })
    }

    /// The seed of shuffling and augmentation.
    pub fn seed(self, seed: u64) -> Self {
        self.with(|raw| unsafe { sys::dirac_batches_set_seed(raw, seed) })
    }

    /// A new random order each epoch.
    pub fn shuffle(self) -> Self {
        self.with(|raw| unsafe { sys::dirac_batches_set_shuffle(raw, 1) })
    }

    /// An epoch ends before an incomplete batch.
    pub fn drop_last(self) -> Self {
        self.with(|raw| unsafe { sys::dirac_batches_set_drop_last(raw, 1) })
    }

    /// Pads by so many pixels, by reflection or by zeros, and cuts at random.
    pub fn crop(self, pixels: i64, reflect: bool) -> Self {
        let mode = if reflect { sys::DIRAC_PAD_REFLECT } else { sys::DIRAC_PAD_ZERO };
        self.with(|raw| unsafe { sys::dirac_batches_set_crop(raw, pixels, mode) })
    }

    /// Mirrors half of the samples.
    pub fn flip(self) -> Self {
        self.with(|raw| unsafe { sys::dirac_batches_set_flip(raw, 1) })
    }

    /// (x - mean) / deviation for each channel.
    pub fn normalization(self, mean: &[f32], deviation: &[f32]) -> Self {
        if let Err(error) = expect_length("deviation", deviation.len(), mean.len()) {
            return BatchesBuilder { batches: self.batches.and(Err(error)) };
        }
        self.with(|raw| unsafe {
            sys::dirac_batches_set_normalization(raw, mean.as_ptr(), deviation.as_ptr(), mean.len() as i64)
        })
    }

    /// How many batches a background thread prepares ahead.
    pub fn prefetch(self, batches_ahead: i32) -> Self {
        self.with(|raw| unsafe { sys::dirac_batches_set_prefetch(raw, batches_ahead) })
    }

    /// The stream, or the first mistake of the options.
    pub fn build(self) -> Result<Batches> {
        self.batches
    }
}

/// A stream of batches.
pub struct Batches {
    raw: *mut sys::dirac_batches,
    _context: Context,
    samples: Option<Arc<Samples>>,
    each: usize,
}

unsafe impl Send for Batches {} // one caller at a time

impl Drop for Batches {
    fn drop(&mut self) {
        unsafe { sys::dirac_batches_destroy(self.raw) }
    }
}

/// Samples (n, C, spatial...) and n labels, borrowed from the stream until the next batch.
#[derive(Clone, Copy)]
pub struct Batch<'b> {
    pub samples: &'b [f32],
    pub labels: &'b [i32],
}

impl Batches {
    pub(crate) fn raw(&self) -> *mut sys::dirac_batches {
        self.raw
    }

    /// Ends a call that read from the stream.
    pub(crate) fn finish(&self, status: i32) -> Result<()> {
        finish(&self.samples, status)
    }

    /// The next batch; None once at the end of an epoch.
    pub fn next_batch(&mut self) -> Result<Option<Batch<'_>>> {
        let (mut samples, mut labels, mut n) = (std::ptr::null(), std::ptr::null(), 0);
        let status = unsafe { sys::dirac_batches_next(self.raw, &mut samples, &mut labels, &mut n) };
        self.finish(status)?;
        if n == 0 {
            return Ok(None);
        }
        let numbers = n as usize * self.each;
        unsafe { Ok(Some(Batch { samples: slice(samples, numbers), labels: slice(labels, n as usize) })) }
    }

    /// Goes to a batch of an epoch, both from 0.
    pub fn seek(&mut self, epoch: i64, batch: i64) -> Result<()> {
        check(unsafe { sys::dirac_batches_seek(self.raw, epoch, batch) })
    }

    /// (epoch, batches of it consumed).
    pub fn position(&self) -> Result<(i64, i64)> {
        let (mut epoch, mut batch) = (0, 0);
        check(unsafe { sys::dirac_batches_position(self.raw, &mut epoch, &mut batch) })?;
        Ok((epoch, batch))
    }

    /// The number of batches an epoch.
    pub fn per_epoch(&self) -> i64 {
        unsafe { sys::dirac_batches_per_epoch(self.raw) }
    }
}
