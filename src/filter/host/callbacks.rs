//! The callbacks through which Envoy enters the filter, and their dispatch to contexts.
//!
//! The SDK has a dispatcher for these. Ours does only what this filter needs: it finds a request without hashing and without
//! an allocation for each, leaks no entries for calls to the ledger, and saves 20 kB of a module that every worker compiles.
//! `tools/wasm-link` drops the SDK's callbacks, and exports these instead: a library can't define a name that another one
//! defines, so here they begin with `faregate_` in place of `proxy_on_`.
//!
//! What must hold: a context is borrowed for no longer than its callback, and a reentrant callback, or one for an unknown
//! request, changes nothing, and admits no request.
#![expect(unsafe_code, reason = "a callback is found by its name, which it must keep")]

use super::chain;
use super::root::Root;
use super::stream::{Action, Stream};
use crate::decide::base::context_map::ContextMap;
use proxy_wasm::hostcalls;
use std::cell::RefCell;
use std::rc::Rc;

/// The answer to requests that arrive before there is a configuration.
const NOT_READY: u32 = 503;

/// All that lives in this VM.
struct Filter {
    /// By their context's number: one, or two while one configuration replaces another.
    roots: RefCell<Vec<(u32, Root)>>,
    streams: RefCell<ContextMap<Stream>>,
}

thread_local! {
    static FILTER: Filter =
        const { Filter { roots: RefCell::new(Vec::new()), streams: RefCell::new(ContextMap::new()) } };
}

fn with_root<T>(context: u32, act: impl FnOnce(&mut Root) -> T) -> Option<T> {
    FILTER.with(|filter| {
        let mut roots = filter.roots.try_borrow_mut().ok()?;
        roots.iter_mut().find(|(other, _)| *other == context).map(|(_, root)| act(root))
    })
}

fn with_stream<T>(context: u32, act: impl FnOnce(&Stream) -> T) -> Option<T> {
    FILTER.with(|filter| filter.streams.try_borrow().ok()?.get(context).map(act))
}

/// What another context's gate knows about its request.
fn gate_of(context: u32) -> Option<chain::Gate> {
    with_stream(context, |stream| {
        let (worker, ticket) = stream.parts();
        (Rc::clone(worker), Rc::clone(ticket))
    })
}

#[unsafe(no_mangle)]
extern "C" fn faregate_context_create(context: u32, root: u32) {
    FILTER.with(|filter| {
        if root == 0 {
            if let Ok(mut roots) = filter.roots.try_borrow_mut() {
                roots.push((context, Root::new(context)));
            }
        } else if let Some(stream) = with_root(root, |root| root.stream(context)).flatten()
            && let Ok(mut streams) = filter.streams.try_borrow_mut()
        {
            streams.insert(context, stream);
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn faregate_vm_start(_context: u32, _size: usize) -> bool {
    true
}

#[unsafe(no_mangle)]
extern "C" fn faregate_configure(context: u32, size: usize) -> bool {
    with_root(context, |root| root.on_configure(size)).unwrap_or(false)
}

#[unsafe(no_mangle)]
extern "C" fn faregate_tick(context: u32) {
    with_root(context, Root::on_tick);
}

#[unsafe(no_mangle)]
extern "C" fn faregate_queue_ready(context: u32, queue: u32) {
    with_root(context, |root| root.on_queue_ready(queue));
}

#[unsafe(no_mangle)]
extern "C" fn faregate_http_call_response(
    context: u32,
    call: u32,
    _headers: usize,
    body_size: usize,
    _trailers: usize,
) {
    with_root(context, |root| root.on_http_call_response(call, body_size));
}

#[unsafe(no_mangle)]
extern "C" fn faregate_request_headers(context: u32, _headers: usize, ends: bool) -> Action {
    with_stream(context, |stream| stream.on_request_headers(ends, gate_of)).unwrap_or_else(|| {
        let _ = hostcalls::send_http_response(NOT_READY, Vec::new(), None);
        Action::StopAll
    })
}

#[unsafe(no_mangle)]
extern "C" fn faregate_request_body(context: u32, size: usize, ends: bool) -> Action {
    with_stream(context, |stream| stream.on_request_body(size, ends)).unwrap_or(Action::StopAndDrop)
}

#[unsafe(no_mangle)]
extern "C" fn faregate_request_trailers(context: u32, _trailers: usize) -> Action {
    with_stream(context, Stream::on_request_trailers).unwrap_or(Action::Stop)
}

#[unsafe(no_mangle)]
extern "C" fn faregate_response_headers(context: u32, _headers: usize, _ends: bool) -> Action {
    with_stream(context, Stream::on_response_headers);
    Action::Continue
}

#[unsafe(no_mangle)]
extern "C" fn faregate_response_body(context: u32, size: usize, ends: bool) -> Action {
    with_stream(context, |stream| stream.on_response_body(size, ends));
    Action::Continue
}

#[unsafe(no_mangle)]
extern "C" fn faregate_response_trailers(context: u32, _trailers: usize) -> Action {
    with_stream(context, Stream::on_response_trailers);
    Action::Continue
}

#[unsafe(no_mangle)]
extern "C" fn faregate_log(context: u32) {
    with_stream(context, Stream::end);
}

#[unsafe(no_mangle)]
extern "C" fn faregate_delete(context: u32) {
    FILTER.with(|filter| {
        let stream = filter.streams.try_borrow_mut().ok().and_then(|mut streams| streams.remove(context));
        if let Some(stream) = stream {
            return stream.end();
        }
        let gone = filter.roots.try_borrow_mut().ok().and_then(|mut roots| {
            let at = roots.iter().position(|(other, _)| *other == context)?;
            Some(roots.swap_remove(at))
        });
        // It says farewell to Envoy as it goes, when nothing is borrowed.
        drop(gone);
    });
}
