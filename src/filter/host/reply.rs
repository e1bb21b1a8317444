//! Host calls that pass Envoy ready-made bytes: an answer of the gate's own, a changed body, and a note for the access log.
//!
//! The SDK takes lists and serializes them on every call, and panics where Envoy doesn't take a body.
#![expect(
    unsafe_code,
    reason = "the SDK has no way to hand over a map that is written; the imports are proxy-wasm's documented ones"
)]

use proxy_wasm::types::BufferType;

/// The property that holds the note for the access log: `%FILTER_STATE(wasm.faregate:PLAIN)%`.
const NOTE: &str = "faregate";
/// The answer to a request, as proxy-wasm numbers streams.
const ANSWER: u32 = 1;
/// For an answer that isn't gRPC's.
const NO_GRPC: i32 = -1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        length: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_close_stream(stream: u32) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
}

/// Answers Envoy's current request; its access log gets the `details`. Should Envoy not take the answer, there is nothing to
/// be done.
pub(super) fn send(status: u16, details: &str, headers: &[u8], body: &[u8], grpc: Option<u8>) {
    let grpc = grpc.map_or(NO_GRPC, i32::from);
    // SAFETY: the host only reads, during the call, what these addresses and sizes say.
    unsafe {
        proxy_send_local_response(
            status.into(),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc,
        )
    };
}

/// Replaces a body, or the piece of one that is here, of `size` bytes.
pub(super) fn set_body(buffer: BufferType, size: usize, new: &[u8]) {
    // SAFETY: the host only reads, during the call, what this address and size say.
    unsafe { proxy_set_buffer_bytes(buffer as u32, 0, size, new.as_ptr(), new.len()) };
}

/// Breaks Envoy's current answer off, and with it the request to the API.
pub(super) fn break_off() {
    // SAFETY: the host only takes a number.
    unsafe { proxy_close_stream(ANSWER) };
}

/// Leaves a note for the access log.
pub(super) fn note(text: &str) {
    leave(NOTE, text);
}

/// Leaves a text in Envoy's filter state for the current request, as `wasm.` and this name.
pub(super) fn leave(name: &str, text: &str) {
    // SAFETY: the host only reads, during the call, what these addresses and sizes say.
    unsafe { proxy_set_property(name.as_ptr(), name.len(), text.as_ptr(), text.len()) };
}
