// SPDX-License-Identifier: MIT
//! Stochastic gradient descent. See dirac/sgd.h.
use crate::callback::{progress_arguments, Progress};
use crate::data::Batches;
use crate::error::{check, Result};
use crate::net::Net;
use crate::raw::{c_text, count};
use crate::session::Session;
use crate::sys;
use std::ptr::null_mut;

/// What an epoch came to: the mean loss and the share of right answers, as they were before each step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Epoch {
    pub loss: f64,
    pub accuracy: f64,
}

/// An optimizer for a net.
pub struct Sgd {
    raw: *mut sys::dirac_sgd,
    net: Net,
}

unsafe impl Send for Sgd {} // one caller at a time

impl Drop for Sgd {
    fn drop(&mut self) {
        unsafe { sys::dirac_sgd_destroy(self.raw) }
    }
}

/// Setters of one number.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($value:ident: $kind:ty) = $function:ident($given:expr);)*) => {
        impl Sgd {
            $($(#[$doc])*
            pub fn $name(&mut self, $value: $kind) -> Result<()> {
                check(unsafe { sys::$function(self.raw, $given) })
            })*
        }
    };
}

setters! {
    /// The learning rate before the schedule.
    set_learning_rate(rate: f32) = dirac_sgd_set_learning_rate(rate);
    /// 0 to below 1.
    set_momentum(momentum: f32) = dirac_sgd_set_momentum(momentum);
    /// Nesterov's form.
    set_nesterov(nesterov: bool) = dirac_sgd_set_nesterov(nesterov as i32);
    /// Weight decay of the tensors that decay.
    set_weight_decay(decay: f32) = dirac_sgd_set_weight_decay(decay);
    /// Scales all gradients to at most this norm; 0 for never.
    set_clip_norm(norm: f32) = dirac_sgd_set_clip_norm(norm);
}

impl Sgd {
    /// An optimizer with the library's defaults: rate 0.1, nothing else.
    pub fn new(net: &Net) -> Result<Sgd> {
        let mut raw = null_mut();
        check(unsafe { sys::dirac_sgd_create(&mut raw, net.raw()) })?;
        Ok(Sgd { raw, net: net.clone() })
    }

    pub(crate) fn raw(&self) -> *mut sys::dirac_sgd {
        self.raw
    }

    /// Weight decay of the parameters that match.
    pub fn set_parameter_decay(&mut self, pattern: &str, decay: f32) -> Result<()> {
        let pattern = c_text(pattern)?;
        check(unsafe { sys::dirac_sgd_set_parameter_decay(self.raw, pattern.as_ptr(), decay) })
    }

    /// Multiplies the learning rate of the parameters that match.
    pub fn set_parameter_rate(&mut self, pattern: &str, factor: f32) -> Result<()> {
        let pattern = c_text(pattern)?;
        check(unsafe { sys::dirac_sgd_set_parameter_rate(self.raw, pattern.as_ptr(), factor) })
    }

    /// From each step in `at` on, the rate is multiplied by `factor` once more.
    pub fn schedule_drops(&mut self, at: &[i64], factor: f32, restart_momentum: bool) -> Result<()> {
        check(unsafe {
            sys::dirac_sgd_schedule_drops(self.raw, at.as_ptr(), at.len() as i32, factor, restart_momentum as i32)
        })
    }

    /// Half a cosine down to `last`.
    pub fn schedule_cosine(&mut self, steps: i64, last: f32) -> Result<()> {
        check(unsafe { sys::dirac_sgd_schedule_cosine(self.raw, steps, last) })
    }

    /// A factor that rises from `first` to 1.
    pub fn schedule_warmup(&mut self, steps: i64, first: f32) -> Result<()> {
        check(unsafe { sys::dirac_sgd_schedule_warmup(self.raw, steps, first) })
    }

    /// The rate that the next step will use.
    pub fn learning_rate(&self) -> Result<f32> {
        let mut rate = 0.0;
        check(unsafe { sys::dirac_sgd_learning_rate(self.raw, &mut rate) })?;
        Ok(rate)
    }

    /// The number of steps taken.
    pub fn steps(&self) -> Result<i64> {
        let mut steps = 0;
        check(unsafe { sys::dirac_sgd_steps(self.raw, &mut steps) })?;
        Ok(steps)
    }

    /// One step from the session's gradients, all or nothing.
    pub fn step(&mut self, session: &mut Session) -> Result<()> {
        check(unsafe { sys::dirac_sgd_step(self.raw, session.raw()) })
    }

    /// Trains on the rest of the stream's epoch; progress is told batches.
    pub fn epoch(
        &mut self,
        session: &mut Session,
        batches: &mut Batches,
        mut progress: Option<&mut Progress<'_>>,
    ) -> Result<Epoch> {
        let (call, user) = progress_arguments(&mut progress);
        let mut epoch = Epoch::default();
        let status = unsafe {
            let (loss, accuracy) = (&mut epoch.loss, &mut epoch.accuracy);
            sys::dirac_sgd_epoch(self.raw, session.raw(), batches.raw(), call, user, loss, accuracy)
        };
        batches.finish(status).map(|()| epoch)
    }

    /// Forgets the momentum.
    pub fn restart_momentum(&mut self) -> Result<()> {
        check(unsafe { sys::dirac_sgd_restart_momentum(self.raw) })
    }

    /// A copy of the momentum of a parameter.
    pub fn momentum(&self, name: &str) -> Result<Vec<f32>> {
        let mut values = vec![0.0; count(&self.net.tensor_shape(name)?)];
        let name = c_text(name)?;
        check(unsafe { sys::dirac_sgd_momentum_read(self.raw, name.as_ptr(), values.as_mut_ptr(), values.len()) })?;
        Ok(values)
    }

    /// Sets the momentum of a parameter.
    pub fn write_momentum(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let name = c_text(name)?;
        check(unsafe { sys::dirac_sgd_momentum_write(self.raw, name.as_ptr(), values.as_ptr(), values.len()) })
    }
}
