// SPDX-License-Identifier: MIT
//! The context, and the options it is made with. See dirac/context.h.
use crate::callback::{guarded, keep, Kept};
use crate::error::{check, Error, Result, Status};
use crate::raw::{c_text, text};
use crate::sys;
use std::alloc::Layout;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// How important a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Warning = sys::DIRAC_LOG_WARNING as isize,
    Info = sys::DIRAC_LOG_INFO as isize,
    Debug = sys::DIRAC_LOG_DEBUG as isize,
}

/// Where the library's memory comes from; called from any thread.
///
/// # Safety
/// `allocate` gives NULL, or memory of that layout which nobody else uses until `release` takes it back.
pub unsafe trait Allocator: Send + Sync {
    fn allocate(&self, layout: Layout) -> *mut u8;
    /// # Safety
    /// `pointer` came from `allocate`; `size` is the size then asked for.
    unsafe fn release(&self, pointer: *mut u8, size: usize);
}

type Log = Box<dyn Fn(LogLevel, &str) + Send + Sync>;
type FileProgress = Box<dyn Fn(i64, i64) -> ControlFlow<()> + Send + Sync>;
type Runner = Box<dyn Fn(&(dyn Fn(usize) + Sync), usize) + Send + Sync>;

/// What C calls back lives here, at one address, as long as any handle of the context.
#[derive(Default)]
struct Callbacks {
    log: Option<Log>,
    progress: Option<FileProgress>,
    runner: Option<Runner>,
    allocator: Option<Box<dyn Allocator>>,
}

pub(crate) struct ContextInner {
    pub(crate) raw: *mut sys::dirac_context,
    _callbacks: Box<Callbacks>,
}

// The header: "A context may be shared by any number of threads". Options are set before anybody else has it.
unsafe impl Send for ContextInner {}
unsafe impl Sync for ContextInner {}

impl Drop for ContextInner {
    fn drop(&mut self) {
        // Every handle holds an Arc of this, so this is the last hold: the callbacks may go afterwards.
        unsafe { sys::dirac_context_destroy(self.raw) }
    }
}

/// What every other handle is made on. Clones are the same context.
#[derive(Clone)]
pub struct Context {
    pub(crate) inner: Arc<ContextInner>,
}

impl Context {
    /// One thread, seed 0, the best kernels.
    pub fn new() -> Result<Context> {
        Context::builder().build()
    }

    /// To set options.
    pub fn builder() -> ContextBuilder {
        ContextBuilder::default()
    }

    /// The number of threads in use, or the width of the runner.
    pub fn threads(&self) -> usize {
        unsafe { sys::dirac_context_threads(self.inner.raw) as usize }
    }

    /// The name of the kernels in use.
    pub fn kernels(&self) -> String {
        unsafe { text(sys::dirac_context_kernels(self.inner.raw)) }
    }

    pub(crate) fn raw(&self) -> *mut sys::dirac_context {
        self.inner.raw
    }

    /// Takes over a buffer that the library filled.
    pub(crate) unsafe fn take_buffer(&self, data: *mut c_void, size: usize) -> Vec<u8> {
        let copy = crate::raw::slice(data as *const u8, size).to_vec();
        sys::dirac_buffer_free(self.inner.raw, data, size);
        copy
    }
}

/// Options of a context.
#[derive(Default)]
pub struct ContextBuilder {
    threads: Option<i32>,
    seed: Option<u64>,
    kernels: Option<String>,
    blas: Option<bool>,
    load_limit: Option<u64>,
    level: i32,
    width: i32,
    callbacks: Box<Callbacks>,
}

impl ContextBuilder {
    /// How many threads work on one call, 1 to 64.
    pub fn threads(mut self, threads: i32) -> Self {
        self.threads = Some(threads);
        self
    }

    /// The seed of nets, sessions and batches.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Which kernels to use.
    pub fn kernels(mut self, name: &str) -> Self {
        self.kernels = Some(name.to_owned());
        self
    }

    /// Whether OpenBLAS may be used.
    pub fn blas(mut self, allowed: bool) -> Self {
        self.blas = Some(allowed);
        self
    }

    /// The most bytes that one load may ask for.
    pub fn load_limit(mut self, bytes: u64) -> Self {
        self.load_limit = Some(bytes);
        self
    }

    /// Receives messages up to `level`; it must not use the library, and a panic in it ends the program.
    pub fn log(mut self, level: LogLevel, log: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Self {
        self.callbacks.log = Some(Box::new(log));
        self.level = level as i32;
        self
    }

    /// Is told how many of the bytes of a file have been read or written, and can stop the call.
    pub fn progress(mut self, progress: impl Fn(i64, i64) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        self.callbacks.progress = Some(Box::new(progress));
        self
    }

    /// Runs parallel work: `runner(task, count)` calls `task(i)` once for each i below `count`, on any threads, and
    /// returns when all have returned. What it leaves out is run when it returns.
    pub fn runner(
        mut self,
        width: i32,
        runner: impl Fn(&(dyn Fn(usize) + Sync), usize) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.runner = Some(Box::new(runner));
        self.width = width;
        self
    }

    /// Takes every byte from an allocator of your own.
    pub fn allocator(mut self, allocator: impl Allocator + 'static) -> Self {
        self.callbacks.allocator = Some(Box::new(allocator));
        self
    }

    /// Makes the context.
    pub fn build(self) -> Result<Context> {
        if abi_version() != sys::ABI_VERSION {
            let message = format!("libdirac has the binary interface {}, not {}", abi_version(), sys::ABI_VERSION);
            return Err(Error::new(Status::Unsupported, message));
        }
        self.make()
    }

    fn make(self) -> Result<Context> {
        let callbacks = self.callbacks;
        let user = &*callbacks as *const Callbacks as *mut c_void;
        let mut raw = null_mut();
        check(unsafe {
            if callbacks.allocator.is_some() {
                sys::dirac_context_create_with_allocator(&mut raw, Some(allocate), Some(release), user)
            } else {
                sys::dirac_context_create(&mut raw)
            }
        })?;
        let (logs, reports, runs) = (callbacks.log.is_some(), callbacks.progress.is_some(), callbacks.runner.is_some());
        let context = Context { inner: Arc::new(ContextInner { raw, _callbacks: callbacks }) };
        let kernels = self.kernels.as_deref().map(c_text).transpose()?;
        unsafe {
            if let Some(threads) = self.threads {
                check(sys::dirac_context_set_threads(raw, threads))?;
            }
            if let Some(seed) = self.seed {
                check(sys::dirac_context_set_seed(raw, seed))?;
            }
            if kernels.is_some() {
                check(sys::dirac_context_set_kernels(raw, kernels.as_ref().map_or(null(), |name| name.as_ptr())))?;
            }
            if let Some(allowed) = self.blas {
                check(sys::dirac_context_set_blas(raw, allowed as i32))?;
            }
            if let Some(bytes) = self.load_limit {
                check(sys::dirac_context_set_load_limit(raw, bytes))?;
            }
            if logs {
                check(sys::dirac_context_set_log(raw, Some(log), user, self.level))?;
            }
            if reports {
                check(sys::dirac_context_set_progress(raw, Some(file_progress), user))?;
            }
            if runs {
                check(sys::dirac_context_set_runner(raw, Some(run), user, self.width))?;
            }
        }
        Ok(context)
    }
}

unsafe extern "C" fn log(user: *mut c_void, level: i32, message: *const c_char) {
    let level = match level {
        sys::DIRAC_LOG_WARNING => LogLevel::Warning,
        sys::DIRAC_LOG_INFO => LogLevel::Info,
        _ => LogLevel::Debug,
    };
    let call = || {
        if let Some(log) = &(*(user as *const Callbacks)).log {
            log(level, &text(message));
        }
    };
    // It may be any thread, and no call waits for it.
    if catch_unwind(AssertUnwindSafe(call)).is_err() {
        std::process::abort();
    }
}

unsafe extern "C" fn file_progress(user: *mut c_void, done: i64, total: i64) -> i32 {
    let callbacks = &*(user as *const Callbacks);
    guarded(1, || match &callbacks.progress {
        Some(progress) if progress(done, total).is_break() => 1,
        _ => 0,
    })
}

unsafe extern "C" fn run(user: *mut c_void, task: Option<sys::dirac_task_fn>, data: *mut c_void, count: i32) -> i32 {
    struct Job(sys::dirac_task_fn, *mut c_void);
    unsafe impl Sync for Job {} // the library lets tasks run on any threads
    let (runner, job) = match (&(*(user as *const Callbacks)).runner, task) {
        (Some(runner), Some(task)) => (runner, Job(task, data)),
        _ => return 1,
    };
    let job = &job;
    let begun: Vec<AtomicBool> = (0..count).map(|_| AtomicBool::new(false)).collect();
    let one = |index: usize| {
        if index < begun.len() && !begun[index].swap(true, Ordering::AcqRel) {
            let Job(task, data) = *job;
            task(data, index as i32);
        }
    };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| runner(&one, count as usize))) {
        keep(Kept::Panic(payload));
    }
    (0..count as usize).for_each(one); // every task must have run when this returns
    0
}

unsafe extern "C" fn allocate(user: *mut c_void, size: usize, alignment: usize) -> *mut c_void {
    let callbacks = &*(user as *const Callbacks);
    match (&callbacks.allocator, Layout::from_size_align(size, alignment)) {
        (Some(allocator), Ok(layout)) => guarded(null_mut(), || allocator.allocate(layout)) as *mut c_void,
        _ => null_mut(),
    }
}

unsafe extern "C" fn release(user: *mut c_void, pointer: *mut c_void, size: usize) {
    let callbacks = &*(user as *const Callbacks);
    if let Some(allocator) = &callbacks.allocator {
        guarded((), || allocator.release(pointer as *mut u8, size));
    }
}

/// The release of the library that is running.
pub fn version() -> String {
    unsafe { text(sys::dirac_version_string()) }
}

/// The same as a number: major * 1000000 + minor * 1000 + patch.
pub fn version_number() -> i32 {
    unsafe { sys::dirac_version_number() }
}

/// The binary interface of the library that is running; `sys::ABI_VERSION` is the one this binding is made for.
pub fn abi_version() -> i32 {
    unsafe { sys::dirac_abi_version() }
}

/// What was built in.
pub fn build_features() -> String {
    unsafe { text(sys::dirac_build_features()) }
}
