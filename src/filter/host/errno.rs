//! Replaces the C library's texts for operating system errors with nothing.
//!
//! There is no operating system here. But the standard library could print such an error, and so the C library's table of
//! all texts would be linked, 3 kB of a module that every worker compiles.
#![expect(
    unsafe_code,
    reason = "the function is found by its name, and writes to memory that its caller names"
)]

/// POSIX' `strerror_r`: an empty text for every error.
#[unsafe(no_mangle)]
extern "C" fn strerror_r(_error: i32, text: *mut u8, size: usize) -> i32 {
    if size > 0 && !text.is_null() {
        // SAFETY: the caller's memory has `size` bytes, at least one.
        unsafe { text.write(0) };
    }
    0
}
