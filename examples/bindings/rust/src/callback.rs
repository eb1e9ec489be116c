// SPDX-License-Identifier: MIT
//! Closures as callbacks of the library. Neither a panic nor an error can cross C: both are kept on the thread, the
//! callback reports failure, and when the library's call returns they go on from there.
use crate::error::{Error, Result};
use crate::sys;
use std::any::Any;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

pub(crate) enum Kept {
    Panic(Box<dyn Any + Send>),
    Error(Error),
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = RefCell::new(None);
}

/// Remembers until the library's call returns on this thread; the first one wins.
pub(crate) fn keep(what: Kept) {
    KEPT.with(|kept| {
        kept.borrow_mut().get_or_insert(what);
    });
}

/// Lets what was kept on this thread go on.
pub(crate) fn rethrow() -> Result<()> {
    match KEPT.with(|kept| kept.borrow_mut().take()) {
        Some(Kept::Panic(payload)) => resume_unwind(payload),
        Some(Kept::Error(error)) => Err(error),
        None => Ok(()),
    }
}

/// Runs a callback's body; `failed` is what C is told when it panics.
pub(crate) fn guarded<T>(failed: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        keep(Kept::Panic(payload));
        failed
    })
}

/// What a progress closure is told: done and total. It may stop the call.
pub(crate) type Progress<'a> = dyn FnMut(i64, i64) -> ControlFlow<()> + 'a;

/// `user` is a `*mut &mut Progress` that lives during the call.
pub(crate) unsafe extern "C" fn progress(user: *mut c_void, done: i64, total: i64) -> i32 {
    let call = &mut *(user as *mut &mut Progress<'_>);
    guarded(1, || if call(done, total).is_break() { 1 } else { 0 })
}

/// A progress closure as the two arguments that C takes. The closure must outlive the call.
pub(crate) fn progress_arguments(
    call: &mut Option<&mut Progress<'_>>,
) -> (Option<sys::dirac_progress_fn>, *mut c_void) {
    match call {
        Some(call) => (Some(progress), call as *mut &mut Progress<'_> as *mut c_void),
        None => (None, std::ptr::null_mut()),
    }
}

pub(crate) type Compare<'a> = dyn FnMut(&str, f64, f64) + 'a;

/// `user` is a `*mut &mut Compare` that lives during the call.
pub(crate) unsafe extern "C" fn compare(user: *mut c_void, node: *const c_char, difference: f64, largest: f64) {
    let call = &mut *(user as *mut &mut Compare<'_>);
    let name = crate::raw::text(node);
    guarded((), || call(&name, difference, largest));
}
