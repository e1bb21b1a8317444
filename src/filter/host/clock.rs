//! The machine's monotonic clock, the same for every worker of the process.
//!
//! proxy-wasm's own clock is the wall clock, which can jump, and std's `Instant` gives no number that two
//! VMs could compare. WASI's clock does; Envoy provides it.
#![expect(
    unsafe_code,
    reason = "std offers no comparable monotonic time; the import is WASI's documented one"
)]

use crate::decide::base::moment::Moment;

/// `CLOCKID_MONOTONIC` of WASI preview 1.
const MONOTONIC: u32 = 1;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u16;
}

/// Now. If the clock fails, the end of time, at which every lease has expired.
pub(super) fn now() -> Moment {
    let mut nanos = 0;
    // SAFETY: the host writes eight bytes to the address, which is that of a local u64.
    let error = unsafe { clock_time_get(MONOTONIC, 1_000, &raw mut nanos) };
    if error == 0 { Moment::from_nanos(nanos) } else { Moment::from_nanos(u64::MAX) }
}
