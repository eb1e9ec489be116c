// SPDX-License-Identifier: MIT
//! Layers written in Rust. See dirac/layer.h.
use crate::callback::{guarded, keep, Kept};
use crate::context::Context;
use crate::error::{check, Error, Result, Status};
use crate::node::Init;
use crate::raw::{c_text, count, read_dims, slice, slice_mut};
use crate::sys;
use std::marker::PhantomData;
use std::os::raw::c_void;
use std::ptr::null_mut;

/// A layer of your own. It may work for several sessions at once, and must not call the library except through what it
/// is handed. What it fails with, or panics with, comes out of the call that wanted it.
pub trait CustomLayer: Send + Sync + 'static {
    /// Declares the output's shape, parameters and states, from attributes and input shapes alone.
    fn setup(&self, layer: &mut Setup<'_>) -> Result<()>;
    /// Writes the output.
    fn forward(&self, layer: &mut Forward<'_>) -> Result<()>;
    /// Adds to parameter gradients and writes input gradients.
    fn backward(&self, layer: &mut Backward<'_>) -> Result<()>;
}

/// A layer during a callback.
#[derive(Clone, Copy)]
struct Raw<'l> {
    raw: *mut sys::dirac_layer,
    callback: PhantomData<&'l ()>,
}

impl<'l> Raw<'l> {
    fn input_shape(self, index: i32) -> Result<Vec<i64>> {
        read_dims(|dims, rank| unsafe { sys::dirac_layer_input_shape(self.raw, index, dims, rank) })
    }

    fn inputs(self) -> i32 {
        unsafe { sys::dirac_layer_input_count(self.raw) }
    }

    fn int(self, attribute: &str) -> i64 {
        c_text(attribute).map_or(0, |name| unsafe { sys::dirac_layer_get_int(self.raw, name.as_ptr()) })
    }

    fn float(self, attribute: &str) -> f64 {
        c_text(attribute).map_or(0.0, |name| unsafe { sys::dirac_layer_get_float(self.raw, name.as_ptr()) })
    }

    fn batch(self) -> usize {
        unsafe { sys::dirac_layer_batch(self.raw) as usize }
    }

    fn numbers(self, index: i32) -> Result<usize> {
        Ok(self.batch() * count(&self.input_shape(index)?))
    }

    fn output_numbers(self) -> Result<usize> {
        let shape = read_dims(|dims, rank| unsafe { sys::dirac_layer_output_shape(self.raw, dims, rank) })?;
        Ok(self.batch() * count(&shape))
    }

    fn all_inputs(self) -> Result<Vec<&'l [f32]>> {
        (0..self.inputs())
            .map(|i| Ok(unsafe { slice(sys::dirac_layer_input(self.raw, i), self.numbers(i)?) }))
            .collect()
    }

    fn kept(self) -> &'l mut [f32] {
        unsafe { slice_mut(sys::dirac_layer_kept(self.raw), sys::dirac_layer_kept_count(self.raw) as usize) }
    }

    /// How many numbers a parameter or state has.
    fn named(self, name: &str) -> Result<(std::ffi::CString, usize)> {
        let name = c_text(name)?;
        let shape = read_dims(|dims, rank| unsafe {
            sys::dirac_layer_parameter_shape(self.raw, name.as_ptr(), dims, rank)
        })?;
        Ok((name, count(&shape)))
    }
}

/// What every callback can ask.
macro_rules! questions {
    ($name:ident) => {
        impl $name<'_> {
            /// The shape of an input without n.
            pub fn input_shape(&self, index: i32) -> Result<Vec<i64>> {
                self.raw.input_shape(index)
            }
            /// The number of inputs.
            pub fn input_count(&self) -> i32 {
                self.raw.inputs()
            }
            /// An integer attribute.
            pub fn int(&self, attribute: &str) -> i64 {
                self.raw.int(attribute)
            }
            /// A real attribute.
            pub fn float(&self, attribute: &str) -> f64 {
                self.raw.float(attribute)
            }
        }
    };
}

/// What setup works on.
pub struct Setup<'l> {
    raw: Raw<'l>,
}

questions!(Setup);
questions!(Forward);
questions!(Backward);

impl Setup<'_> {
    /// Required: the output's shape without n.
    pub fn set_output_shape(&mut self, shape: &[i64]) -> Result<()> {
        check(unsafe { sys::dirac_layer_set_output_shape(self.raw.raw, shape.as_ptr(), shape.len() as i32) })
    }

    /// Declares a parameter.
    pub fn add_parameter(&mut self, name: &str, shape: &[i64], decay: bool, init: Init) -> Result<()> {
        let (name, (kind, a, b)) = (c_text(name)?, init.arguments());
        let (dims, rank) = (shape.as_ptr(), shape.len() as i32);
        check(unsafe {
            sys::dirac_layer_add_parameter(self.raw.raw, name.as_ptr(), dims, rank, decay as i32, kind, a, b)
        })
    }

    /// Declares state: saved, not trained.
    pub fn add_state(&mut self, name: &str, shape: &[i64], value: f64) -> Result<()> {
        let (name, dims, rank) = (c_text(name)?, shape.as_ptr(), shape.len() as i32);
        check(unsafe { sys::dirac_layer_add_state(self.raw.raw, name.as_ptr(), dims, rank, value) })
    }

    /// Keeps numbers from forward to backward.
    pub fn keep(&mut self, per_image: i64, fixed: i64) -> Result<()> {
        check(unsafe { sys::dirac_layer_keep(self.raw.raw, per_image, fixed) })
    }
}

/// Parameters and states by name.
#[derive(Clone, Copy)]
pub struct Parameters<'l> {
    raw: Raw<'l>,
}

impl<'l> Parameters<'l> {
    /// A parameter or state.
    pub fn get(&self, name: &str) -> Result<&'l [f32]> {
        let (name, numbers) = self.raw.named(name)?;
        Ok(unsafe { slice(sys::dirac_layer_parameter(self.raw.raw, name.as_ptr()), numbers) })
    }
}

/// Gradients of parameters by name.
pub struct Gradients<'l> {
    raw: Raw<'l>,
}

impl Gradients<'_> {
    /// The gradient of a parameter, to be added to; None if it is not trained.
    pub fn get(&mut self, name: &str) -> Result<Option<&mut [f32]>> {
        let (name, numbers) = self.raw.named(name)?;
        let start = unsafe { sys::dirac_layer_parameter_gradient(self.raw.raw, name.as_ptr()) };
        Ok(if start.is_null() { None } else { Some(unsafe { slice_mut(start, numbers) }) })
    }
}

/// States to be changed, by name.
pub struct States<'l> {
    raw: Raw<'l>,
}

impl States<'_> {
    /// In training a copy of the state as the pending forwards left it; None in inference.
    pub fn get(&mut self, name: &str) -> Result<Option<&mut [f32]>> {
        let (name, numbers) = self.raw.named(name)?;
        let start = unsafe { sys::dirac_layer_new_state(self.raw.raw, name.as_ptr()) };
        Ok(if start.is_null() { None } else { Some(unsafe { slice_mut(start, numbers) }) })
    }
}

/// What forward works on: arrays (n, C, spatial...).
pub struct Forward<'l> {
    raw: Raw<'l>,
    pub batch: usize,
    pub training: bool,
    pub inputs: Vec<&'l [f32]>,
    pub output: &'l mut [f32],
    pub parameters: Parameters<'l>,
    pub new_states: States<'l>,
    /// The kept numbers; empty in inference.
    pub kept: &'l mut [f32],
}

/// What backward works on.
pub struct Backward<'l> {
    raw: Raw<'l>,
    pub batch: usize,
    pub inputs: Vec<&'l [f32]>,
    pub output: &'l [f32],
    pub output_gradient: &'l [f32],
    /// To be written; None if nobody needs it.
    pub input_gradients: Vec<Option<&'l mut [f32]>>,
    pub parameters: Parameters<'l>,
    /// To be added to.
    pub gradients: Gradients<'l>,
    pub kept: &'l [f32],
}

impl<'l> Forward<'l> {
    fn new(raw: Raw<'l>) -> Result<Forward<'l>> {
        Ok(Forward {
            raw,
            batch: raw.batch(),
            training: unsafe { sys::dirac_layer_is_training(raw.raw) != 0 },
            inputs: raw.all_inputs()?,
            output: unsafe { slice_mut(sys::dirac_layer_output(raw.raw), raw.output_numbers()?) },
            parameters: Parameters { raw },
            new_states: States { raw },
            kept: raw.kept(),
        })
    }
}

impl<'l> Backward<'l> {
    fn new(raw: Raw<'l>) -> Result<Backward<'l>> {
        let numbers = raw.output_numbers()?;
        let mut input_gradients = Vec::new();
        for i in 0..raw.inputs() {
            let start = unsafe { sys::dirac_layer_input_gradient(raw.raw, i) };
            let length = raw.numbers(i)?;
            input_gradients.push(if start.is_null() { None } else { Some(unsafe { slice_mut(start, length) }) });
        }
        Ok(Backward {
            raw,
            batch: raw.batch(),
            inputs: raw.all_inputs()?,
            output: unsafe { slice(sys::dirac_layer_output(raw.raw), numbers) },
            output_gradient: unsafe { slice(sys::dirac_layer_output_gradient(raw.raw), numbers) },
            input_gradients,
            parameters: Parameters { raw },
            gradients: Gradients { raw },
            kept: raw.kept(),
        })
    }
}

/// Runs one callback; its error or panic goes on when the library's call returns.
unsafe fn run<'l>(
    user: *mut c_void,
    layer: *mut sys::dirac_layer,
    body: impl FnOnce(&'l dyn CustomLayer, Raw<'l>) -> Result<()>,
) -> i32 {
    let custom: &'l dyn CustomLayer = &**(user as *const Box<dyn CustomLayer>);
    let raw = Raw { raw: layer, callback: PhantomData };
    guarded(1, || match body(custom, raw) {
        Ok(()) => 0,
        Err(error) => {
            keep(Kept::Error(error));
            1
        }
    })
}

unsafe extern "C" fn setup(user: *mut c_void, layer: *mut sys::dirac_layer) -> i32 {
    run(user, layer, |custom, raw| custom.setup(&mut Setup { raw }))
}

unsafe extern "C" fn forward(user: *mut c_void, layer: *mut sys::dirac_layer) -> i32 {
    run(user, layer, |custom, raw| custom.forward(&mut Forward::new(raw)?))
}

unsafe extern "C" fn backward(user: *mut c_void, layer: *mut sys::dirac_layer) -> i32 {
    run(user, layer, |custom, raw| custom.backward(&mut Backward::new(raw)?))
}

unsafe extern "C" fn forget(user: *mut c_void) {
    let custom = Box::from_raw(user as *mut Box<dyn CustomLayer>);
    // Nobody waits for it, and a panic cannot cross C.
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(custom))).is_err() {
        std::process::abort();
    }
}

/// An attribute of a kind.
enum Attribute<'a> {
    Int(&'a str, i64, i64, i64),
    Float(&'a str, f64, f64, f64),
}

/// A kind of layer, registered with its context and used by `NetBuilder::custom`.
pub struct LayerKind {
    raw: *mut sys::dirac_layer_kind,
    _context: Context,
}

unsafe impl Send for LayerKind {}
unsafe impl Sync for LayerKind {} // fixed once it is registered

impl Drop for LayerKind {
    fn drop(&mut self) {
        unsafe { sys::dirac_layer_kind_destroy(self.raw) }
    }
}

impl LayerKind {
    /// Registers a kind that reads `inputs` values (0 for any number). Attributes are (name, least, most, default).
    pub fn register(
        context: &Context,
        name: &str,
        inputs: i32,
        ints: &[(&str, i64, i64, i64)],
        floats: &[(&str, f64, f64, f64)],
        layer: impl CustomLayer,
    ) -> Result<LayerKind> {
        let (name, mut raw) = (c_text(name)?, null_mut());
        check(unsafe { sys::dirac_layer_kind_create(&mut raw, context.raw(), name.as_ptr(), inputs) })?;
        let kind = LayerKind { raw, _context: context.clone() };
        let boxed: Box<Box<dyn CustomLayer>> = Box::new(Box::new(layer));
        let user = Box::into_raw(boxed) as *mut c_void;
        unsafe {
            if let Err(error) = check(sys::dirac_layer_kind_set_user(raw, user, Some(forget))) {
                forget(user);
                return Err(error);
            }
            check(sys::dirac_layer_kind_set_setup(raw, Some(setup)))?;
            check(sys::dirac_layer_kind_set_forward(raw, Some(forward)))?;
            check(sys::dirac_layer_kind_set_backward(raw, Some(backward)))?;
        }
        for &(name, least, most, value) in ints {
            kind.add(Attribute::Int(name, least, most, value))?;
        }
        for &(name, least, most, value) in floats {
            kind.add(Attribute::Float(name, least, most, value))?;
        }
        check(unsafe { sys::dirac_layer_kind_register(raw) })?;
        Ok(kind)
    }

    fn add(&self, attribute: Attribute<'_>) -> Result<()> {
        let name = match attribute {
            Attribute::Int(name, ..) | Attribute::Float(name, ..) => c_text(name)?,
        };
        check(unsafe {
            match attribute {
                Attribute::Int(_, least, most, value) => {
                    sys::dirac_layer_kind_add_int(self.raw, name.as_ptr(), least, most, value)
                }
                Attribute::Float(_, least, most, value) => {
                    sys::dirac_layer_kind_add_float(self.raw, name.as_ptr(), least, most, value)
                }
            }
        })
    }

    pub(crate) fn raw(&self) -> *mut sys::dirac_layer_kind {
        self.raw
    }
}

/// For layers that are only ever run in inference: `backward` may end with this.
impl Error {
    /// "This layer cannot be trained."
    pub fn not_trainable() -> Error {
        Error::new(Status::Unsupported, "this layer has no backward")
    }
}
