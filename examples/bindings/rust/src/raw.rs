// SPDX-License-Identifier: MIT
//! Small helpers at the border to C: strings, shapes, slices.
use crate::error::{check, Error, Result, Status};
use crate::sys;
use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::path::Path;

/// A copy of a C text; "" for NULL.
pub(crate) unsafe fn text(pointer: *const c_char) -> String {
    maybe_text(pointer).unwrap_or_default()
}

pub(crate) unsafe fn maybe_text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    Some(CStr::from_ptr(pointer).to_string_lossy().into_owned())
}

/// A text as C takes it.
pub(crate) fn c_text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::new(Status::Argument, format!("{:?} holds a zero byte", text)))
}

#[cfg(unix)]
pub(crate) fn c_path(path: &Path) -> Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(Status::Argument, format!("{:?} holds a zero byte", path)))
}

/// The shape that a C function gives.
pub(crate) fn read_dims(call: impl FnOnce(*mut i64, *mut i32) -> i32) -> Result<Vec<i64>> {
    let (mut dims, mut rank) = ([0i64; sys::DIRAC_MAX_RANK as usize], 0i32);
    check(call(dims.as_mut_ptr(), &mut rank))?;
    Ok(dims[..rank as usize].to_vec())
}

/// How many numbers a value of that shape has.
pub(crate) fn count(shape: &[i64]) -> usize {
    shape.iter().map(|&size| size as usize).product()
}

/// The number of images in `length` numbers of images of `each`; they must be whole.
pub(crate) fn images(what: &str, length: usize, each: usize) -> Result<i64> {
    if length == 0 || length % each != 0 {
        return Err(wrong_length(what, length, &format!("a multiple of {}", each)));
    }
    Ok((length / each) as i64)
}

/// Refuses a slice of another length.
pub(crate) fn expect_length(what: &str, length: usize, wanted: usize) -> Result<()> {
    if length != wanted {
        return Err(wrong_length(what, length, &wanted.to_string()));
    }
    Ok(())
}

fn wrong_length(what: &str, length: usize, wanted: &str) -> Error {
    Error::new(Status::Shape, format!("{}: {} numbers, must be {}", what, length, wanted))
}

/// A slice over memory of the library; empty for NULL.
pub(crate) unsafe fn slice<'a, T>(pointer: *const T, length: usize) -> &'a [T] {
    if pointer.is_null() || length == 0 {
        return &[];
    }
    std::slice::from_raw_parts(pointer, length)
}

pub(crate) unsafe fn slice_mut<'a, T>(pointer: *mut T, length: usize) -> &'a mut [T] {
    if pointer.is_null() || length == 0 {
        return &mut [];
    }
    std::slice::from_raw_parts_mut(pointer, length)
}
