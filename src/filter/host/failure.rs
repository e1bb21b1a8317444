//! The end of a filter that fails: a line in Envoy's log, then a trap, by which Envoy drops the VM.
//!
//! Neither should ever happen. The standard library has its own end for a program with a terminal, which writes a backtrace, the
//! thread's name and errors of an operating system: 12 kB of a module that every worker compiles. `tools/wasm-link` puts these in
//! its place.
//!
//! What must hold: nothing here allocates when memory has run out.
#![expect(unsafe_code, reason = "the linker finds the functions by their names")]

use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;

/// A panic: logs where and why.
#[unsafe(no_mangle)]
extern "Rust" fn faregate_panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = hostcalls::log(LogLevel::Critical, &info.to_string());
    core::arch::wasm32::unreachable()
}

/// An allocation of so many bytes, so aligned, failed.
#[unsafe(no_mangle)]
extern "Rust" fn faregate_out_of_memory(_alignment: usize, _bytes: usize) -> ! {
    let _ = hostcalls::log(LogLevel::Critical, "faregate: out of memory");
    core::arch::wasm32::unreachable()
}
