//! The headers of the current request as Envoy hands them over: one block of memory, in which they are read.
//!
//! The SDK copies every name and every value into memory of its own, which is most of what a request allocates, and
//! panics over a name that isn't UTF-8.
#![expect(
    unsafe_code,
    reason = "the SDK has no way to the block itself; the import is proxy-wasm's documented one"
)]

/// The request's headers, among the maps of proxy-wasm's ABI 0.2.1.
const REQUEST_HEADERS: u32 = 0;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
}

/// The header map, as [`crate::decide::request::Head::read`] takes it; empty where Envoy has none.
pub(super) fn of_request() -> Vec<u8> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the host writes an address and a size to the two, which are locals.
    let status = unsafe { proxy_get_header_map_pairs(REQUEST_HEADERS, &raw mut data, &raw mut size) };
    if status != 0 || data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host got this memory from `proxy_on_memory_allocate`, with which the SDK gives away a boxed slice of
    // exactly that size, and has written all of it. Nobody else has the address.
    unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(data, size)) }.into_vec()
}
