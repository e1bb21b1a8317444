//! The headers of the current request and of its answer as Envoy hands them over: one block of memory, in which they are
//! read.
//!
//! The SDK copies every name and every value into memory of its own, which is most of what a request allocates, and
//! panics over a name that isn't UTF-8.
#![expect(
    unsafe_code,
    reason = "the SDK has no way to the block itself; the import is proxy-wasm's documented one"
)]

/// The maps, by their numbers in proxy-wasm's ABI 0.2.1.
const REQUEST_HEADERS: u32 = 0;
const REQUEST_TRAILERS: u32 = 1;
const RESPONSE_HEADERS: u32 = 2;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
}

/// The request's headers, as [`crate::decide::request::Head::read`] takes them; empty where Envoy has none.
pub(super) fn of_request() -> Vec<u8> {
    map(REQUEST_HEADERS)
}

/// The request's trailers, in the same form.
pub(super) fn of_request_trailers() -> Vec<u8> {
    map(REQUEST_TRAILERS)
}

/// The answer's headers, in the same form.
pub(super) fn of_response() -> Vec<u8> {
    map(RESPONSE_HEADERS)
}

#[inline(always)]
fn map(which: u32) -> Vec<u8> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the host writes an address and a size to the two, which are locals.
    let status = unsafe { proxy_get_header_map_pairs(which, &raw mut data, &raw mut size) };
    if status != 0 || data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host got this memory from `proxy_on_memory_allocate`, with which the SDK gives away a boxed slice of
    // exactly that size, and has written all of it. Nobody else has the address.
    unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(data, size)) }.into_vec()
}
