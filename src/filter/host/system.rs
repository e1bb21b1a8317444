//! The VM's environment variables, and random numbers.
//!
//! The standard library has both, with what they take in an operating system, such as texts for all of its errors: 7 kB of a
//! module that every worker compiles.
#![expect(unsafe_code, reason = "the functions are the C library's and WASI's documented ones")]

use std::ffi::{CStr, c_char};

unsafe extern "C" {
    fn getenv(name: *const c_char) -> *const c_char;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn random_get(to: *mut u64, bytes: usize) -> u16;
}

/// An environment variable of the VM, if there is one and it is text.
pub(super) fn variable(name: &str) -> Option<String> {
    let name = format!("{name}\0");
    // SAFETY: the name ends with a zero byte, and so does the value. Nothing changes the environment.
    let value = unsafe {
        let value = getenv(name.as_ptr().cast());
        if value.is_null() {
            return None;
        }
        CStr::from_ptr(value)
    };
    value.to_str().ok().map(str::to_owned)
}

/// Random numbers; zeros if the host has none.
pub(super) fn random() -> [u64; 2] {
    let mut numbers = [0; 2];
    // SAFETY: the host writes to the array, as many bytes as it has.
    unsafe { random_get(numbers.as_mut_ptr(), size_of_val(&numbers)) };
    numbers
}
