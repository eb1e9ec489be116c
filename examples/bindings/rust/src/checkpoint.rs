// SPDX-License-Identifier: MIT
//! Checkpoints: what is saved and restored as one. See dirac/file.h.
use crate::context::Context;
use crate::data::Batches;
use crate::error::{check, Result};
use crate::net::Net;
use crate::raw::{c_path, c_text, slice};
use crate::session::Session;
use crate::sgd::Sgd;
use crate::sys;
use std::marker::PhantomData;
use std::os::raw::c_void;
use std::path::Path;
use std::ptr::{null, null_mut};

/// Borrows what is to be saved or restored as one, for as long as it takes.
pub struct Checkpoint<'a> {
    raw: *mut sys::dirac_checkpoint,
    context: Context,
    parts: PhantomData<&'a mut ()>,
}

impl Drop for Checkpoint<'_> {
    fn drop(&mut self) {
        unsafe { sys::dirac_checkpoint_destroy(self.raw) }
    }
}

impl<'a> Checkpoint<'a> {
    /// An empty checkpoint.
    pub fn new(context: &Context) -> Result<Checkpoint<'a>> {
        let mut raw = null_mut();
        check(unsafe { sys::dirac_checkpoint_create(&mut raw, context.raw()) })?;
        Ok(Checkpoint { raw, context: context.clone(), parts: PhantomData })
    }

    /// Adds a net.
    pub fn net(self, name: &str, net: &'a Net) -> Result<Self> {
        let name = c_text(name)?;
        check(unsafe { sys::dirac_checkpoint_add_net(self.raw, name.as_ptr(), net.raw()) })?;
        Ok(self)
    }

    /// Adds an optimizer.
    pub fn sgd(self, name: &str, sgd: &'a mut Sgd) -> Result<Self> {
        let name = c_text(name)?;
        check(unsafe { sys::dirac_checkpoint_add_sgd(self.raw, name.as_ptr(), sgd.raw()) })?;
        Ok(self)
    }

    /// Adds a training session.
    pub fn session(self, name: &str, session: &'a mut Session) -> Result<Self> {
        let name = c_text(name)?;
        check(unsafe { sys::dirac_checkpoint_add_session(self.raw, name.as_ptr(), session.raw()) })?;
        Ok(self)
    }

    /// Adds a stream of batches.
    pub fn batches(self, name: &str, batches: &'a mut Batches) -> Result<Self> {
        let name = c_text(name)?;
        check(unsafe { sys::dirac_checkpoint_add_batches(self.raw, name.as_ptr(), batches.raw()) })?;
        Ok(self)
    }

    /// Sets bytes of your own, saved along.
    pub fn set_blob(&mut self, name: &str, data: &[u8]) -> Result<()> {
        let name = c_text(name)?;
        let start = data.as_ptr() as *const c_void;
        check(unsafe { sys::dirac_checkpoint_set_blob(self.raw, name.as_ptr(), start, data.len()) })
    }

    /// The bytes set or loaded.
    pub fn blob(&self, name: &str) -> Result<&[u8]> {
        let (name, mut data, mut size) = (c_text(name)?, null(), 0);
        check(unsafe { sys::dirac_checkpoint_blob(self.raw, name.as_ptr(), &mut data, &mut size) })?;
        Ok(unsafe { slice(data as *const u8, size) })
    }

    /// Saves everything added, replacing the file atomically.
    pub fn save(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { sys::dirac_checkpoint_save(self.raw, path.as_ptr()) })
    }

    /// The content of the file that `save` would write.
    pub fn to_bytes(&mut self) -> Result<Vec<u8>> {
        let (mut data, mut size) = (null_mut(), 0);
        check(unsafe { sys::dirac_checkpoint_save_memory(self.raw, &mut data, &mut size) })?;
        Ok(unsafe { self.context.take_buffer(data, size) })
    }

    /// Restores everything added, all or nothing.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { sys::dirac_checkpoint_load(self.raw, path.as_ptr()) })
    }

    /// The same from memory.
    pub fn load_bytes(&mut self, data: &[u8]) -> Result<()> {
        let start = data.as_ptr() as *const c_void;
        check(unsafe { sys::dirac_checkpoint_load_memory(self.raw, start, data.len()) })
    }
}
