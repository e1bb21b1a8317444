//! What becomes of a request.

use crate::decide::lease::{Holder, Purse};
use crate::decide::refusal::Refusal;
use crate::decide::request::view::View;
use faregate_protocol::Credits;
use std::rc::Rc;

/// A charge that was admitted; given back to `Gate::finish` exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Who pays.
    pub holder: Rc<Holder>,
    /// The number of the rule.
    pub rule: usize,
    /// How much.
    pub price: Credits,
    /// Out of what.
    pub purse: Purse,
    /// Whether its lease must hear when the request is over.
    pub counted: bool,
    /// What was left of the slice out of which it was paid, if it was out of one.
    pub left: Credits,
}

/// What came of an attempt to pay.
pub(super) enum Payment {
    Paid(Charge),
    /// Nothing here covers this price.
    Short(Credits),
    Refused(Refusal),
}

/// How a request goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Free of charge, under the rule of this number.
    Free(usize),
    /// A browser's preflight, which isn't charged, under the rule of this number.
    Preflight(usize),
    /// Paid.
    Paid(Charge),
    /// Not paid, and let through because its rule only watches.
    Shadow(Refusal),
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on to the upstream.
    Pass(Passage),
    /// It is answered by the gate.
    Refuse(Refusal),
    /// It is answered by the gate with what was asked of it.
    Show(View),
}

/// What becomes of a request that has just arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// That is known.
    Decided(Outcome),
    /// It waits for the ledger, and gets a [`Resolution`] later.
    Waits,
}

/// What becomes of a request that has waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The context that was given to `Gate::arrive`.
    pub context: u32,
    /// What becomes of it.
    pub outcome: Outcome,
}
