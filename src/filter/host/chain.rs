//! Two gates in one filter chain: the second recognises what the first has charged, and charges nothing.
//!
//! Both live in the same VM, because they have the same code and `vm_id`, and Envoy numbers the contexts of one chain one
//! after the other. The headers that the first adds raise the suspicion; a client could send those, too, so a mark on
//! the stream proves it: it is left as the first gate and read as the second, and only where both belong to one stream
//! is it there. What must hold: a client can't have its request taken for a charged one.

use super::worker::{Stage, Ticket, Worker};
use super::{property, reply};
use proxy_wasm::hostcalls;
use std::cell::RefCell;
use std::rc::Rc;

/// How many gates there may be in one chain.
const MOST_GATES: u32 = 4;
/// The mark's name in Envoy's filter state, where it is `wasm.faregate_charged`.
const MARK: &str = "faregate_charged";

/// What another gate of this VM knows about a request.
pub(super) type Gate = (Rc<Worker>, Rc<RefCell<Ticket>>);

/// Whether another gate in front of this one has charged the request of this context, for the same ledger. `earlier` finds
/// what a gate knows by the number of its context.
#[inline(never)]
pub(super) fn is_charged(context: u32, worker: &Worker, earlier: impl Fn(u32) -> Option<Gate>) -> bool {
    let numbers = (1..MOST_GATES).filter_map(|back| context.checked_sub(back));
    let has_charged = |(other, ticket): &Gate| {
        matches!(ticket.borrow().stage, Stage::Paid(_) | Stage::ChargedEarlier) && other.has_ledger_of(worker)
    };
    numbers
        .filter(|number| earlier(*number).as_ref().is_some_and(has_charged))
        .any(|number| is_same_stream(number, context))
}

/// Whether two contexts are of one stream. Envoy's current context is the second one before and after.
fn is_same_stream(first: u32, second: u32) -> bool {
    let mark = second.to_string();
    if hostcalls::set_effective_context(first).is_err() {
        return false;
    }
    reply::leave(MARK, &mark);
    let _ = hostcalls::set_effective_context(second);
    property(vec![MARK]).is_some_and(|found| found == mark.as_bytes())
}
