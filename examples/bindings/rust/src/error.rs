// SPDX-License-Identifier: MIT
//! Status codes as an enum, and the error type.
use crate::callback;
use crate::raw::text;
use crate::sys;
use std::fmt;

macro_rules! statuses {
    ($($name:ident = $code:ident),* $(,)?) => {
        /// Why a call failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Status {
            $($name,)*
            /// A code that this binding does not know.
            Other(i32),
        }

        impl Status {
            /// Every status this binding knows.
            pub const ALL: &'static [Status] = &[$(Status::$name),*];

            pub(crate) fn from_code(code: i32) -> Status {
                match code {
                    $(sys::$code => Status::$name,)*
                    other => Status::Other(other),
                }
            }

            /// The number of the C headers.
            pub fn code(self) -> i32 {
                match self {
                    $(Status::$name => sys::$code,)*
                    Status::Other(code) => code,
                }
            }
        }
    };
}

statuses! {
    Argument = DIRAC_ERR_ARGUMENT,
    Memory = DIRAC_ERR_MEMORY,
    Shape = DIRAC_ERR_SHAPE,
    State = DIRAC_ERR_STATE,
    Busy = DIRAC_ERR_BUSY,
    Io = DIRAC_ERR_IO,
    Format = DIRAC_ERR_FORMAT,
    NotFound = DIRAC_ERR_NOT_FOUND,
    Mismatch = DIRAC_ERR_MISMATCH,
    NotFinite = DIRAC_ERR_NOT_FINITE,
    Cancelled = DIRAC_ERR_CANCELLED,
    Callback = DIRAC_ERR_CALLBACK,
    Unsupported = DIRAC_ERR_UNSUPPORTED,
    Limit = DIRAC_ERR_LIMIT,
    Thread = DIRAC_ERR_THREAD,
}

impl Status {
    /// The name of the C headers: "DIRAC_ERR_SHAPE".
    pub fn name(self) -> &'static str {
        // The texts are static and ASCII.
        unsafe { std::ffi::CStr::from_ptr(sys::dirac_status_name(self.code())) }.to_str().unwrap_or("")
    }

    /// What it means, in a few words.
    pub fn meaning(self) -> &'static str {
        unsafe { std::ffi::CStr::from_ptr(sys::dirac_status_string(self.code())) }.to_str().unwrap_or("")
    }
}

/// A failed call: its status, and the sentence that names the layer or argument, what was found and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub status: Status,
    pub message: String,
}

/// What most calls return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of your own, for callbacks.
    pub fn new(status: Status, message: impl Into<String>) -> Error {
        Error { status, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Ends a C call: a panic or an error of a callback on this thread goes first, then the status.
pub(crate) fn check(status: i32) -> Result<()> {
    callback::rethrow()?;
    if status == sys::DIRAC_OK {
        return Ok(());
    }
    let message = unsafe { text(sys::dirac_error_message()) };
    Err(Error { status: Status::from_code(status), message })
}
