//! The headers of the current request and of its answer as Envoy passes them: one block of memory, read in place.
//!
//! The SDK copies every name and every value into memory of its own, which is most of what a request allocates, and
//! panics over a name that isn't UTF-8. Envoy asks the filter for the memory, so here it gets the same block each time: a
//! head that fits is read without an allocation. What must hold: the block has one reader at a time; for all else, and
//! for a head that doesn't fit, Envoy gets memory of its own, which its reader frees.
#![expect(
    unsafe_code,
    reason = "the SDK has no way to the block itself; the import and the callback are proxy-wasm's documented ones"
)]

use std::cell::Cell;
use std::ops::Deref;

/// The maps, by their numbers in proxy-wasm's ABI 0.2.1.
const REQUEST_HEADERS: u32 = 0;
const REQUEST_TRAILERS: u32 = 1;
const RESPONSE_HEADERS: u32 = 2;
/// The size of the block (bytes); few heads are larger.
const BLOCK_BYTES: usize = 4_096;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
}

/// The block's user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Free,
    /// The next allocation by Envoy gets the block.
    Wanted,
    Taken,
}

struct Block {
    /// Null until it is first used.
    start: Cell<*mut u8>,
    now: Cell<Use>,
}

thread_local! {
    static BLOCK: Block = const { Block { start: Cell::new(std::ptr::null_mut()), now: Cell::new(Use::Free) } };
}

/// Allocates memory of this size, to which Envoy writes a call's result.
#[unsafe(no_mangle)]
extern "C" fn faregate_memory_allocate(size: usize) -> *mut u8 {
    BLOCK.with(|block| {
        if block.now.get() != Use::Wanted || size > BLOCK_BYTES {
            return allocate(size);
        }
        block.now.set(Use::Taken);
        if block.start.get().is_null() {
            block.start.set(allocate(BLOCK_BYTES));
        }
        block.start.get()
    })
}

/// Memory that is freed as a boxed slice of this size: so does the SDK with what Envoy hands over.
fn allocate(size: usize) -> *mut u8 {
    Box::into_raw(vec![0; size].into_boxed_slice()).cast()
}

/// A header map, as [`crate::decide::request::Head::read`] takes it; empty where Envoy has none.
pub(super) struct Map {
    data: *mut u8,
    size: usize,
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.data.is_null() {
            return &[];
        }
        // SAFETY: the host got this memory from `faregate_memory_allocate`, and has written `size` bytes of it. Nothing else
        // writes there until this is dropped.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        BLOCK.with(|block| {
            if self.data == block.start.get() {
                block.now.set(Use::Free);
            } else if !self.data.is_null() {
                // SAFETY: `allocate` made a boxed slice of exactly this size, and nothing else has its address.
                drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(self.data, self.size)) });
            }
        });
    }
}

/// The request's headers.
pub(super) fn of_request() -> Map {
    map(REQUEST_HEADERS)
}

/// The request's trailers.
pub(super) fn of_request_trailers() -> Map {
    map(REQUEST_TRAILERS)
}

/// The answer's headers.
pub(super) fn of_response() -> Map {
    map(RESPONSE_HEADERS)
}

#[inline]
fn map(which: u32) -> Map {
    let mut map = Map { data: std::ptr::null_mut(), size: 0 };
    BLOCK.with(|block| {
        let free = block.now.get() == Use::Free;
        if free {
            block.now.set(Use::Wanted);
        }
        // SAFETY: the host writes an address and a size to the two, which are locals.
        let status = unsafe { proxy_get_header_map_pairs(which, &raw mut map.data, &raw mut map.size) };
        if status != 0 {
            map.data = std::ptr::null_mut();
        }
        // Envoy needed none, or more.
        if free && (map.data.is_null() || map.data != block.start.get()) {
            block.now.set(Use::Free);
        }
    });
    map
}
