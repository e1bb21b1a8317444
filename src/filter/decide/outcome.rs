//! The outcome of a request.

use crate::decide::lease::{FundingSource, LeaseHolder};
use crate::decide::meter::asked::shape::RequestShape;
use crate::decide::refusal::Refusal;
use crate::decide::request::held::Held;
use crate::decide::request::quote::Quote;
use crate::decide::request::view::View;
use faregate_protocol::Credits;
use std::rc::Rc;

/// An admitted charge; passed to `Gate::finish` exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Who pays.
    pub holder: Rc<LeaseHolder>,
    /// The number of the rule.
    pub rule: usize,
    /// How much.
    pub price: Credits,
    /// Out of what.
    pub funding: FundingSource,
    /// Whether its lease must be updated when the request ends.
    pub counted: bool,
    /// The rest of the sublease that it was paid from, if any.
    pub left: Credits,
    /// How it is settled, if its body decided its price.
    pub quote: Option<Rc<Quote>>,
}

impl Charge {
    /// Whether it is for a session over a WebSocket.
    pub fn is_session(&self) -> bool {
        let model = self.quote.as_ref().and_then(|quote| quote.model());
        model.is_some_and(|model| model.shape == RequestShape::Session)
    }

    /// What is held beside it, since its answer grew.
    pub(super) fn raised(&self) -> &[(FundingSource, Credits)] {
        let model = self.quote.as_ref().and_then(|quote| quote.model());
        model.map_or(&[], |model| model.raised.parts())
    }
}

/// The outcome of an attempt to pay.
pub(super) enum Payment {
    Paid(Charge),
    /// Nothing here covers this price.
    Short(Credits),
    Refused(Refusal),
}

/// How an admitted request continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Free of charge, under the rule of this number.
    Free(usize),
    /// A browser's preflight, which isn't charged, under the rule of this number.
    Preflight(usize),
    /// Paid.
    Paid(Charge),
    /// Not paid, and admitted because its rule is in shadow mode.
    Shadow(Refusal),
}

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on to the upstream.
    Pass(Passage),
    /// It is answered by the gate.
    Refuse(Refusal),
    /// It is answered by the gate with what it asked for.
    Show(View),
}

/// The outcome of a request that has just arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is decided.
    Decided(Outcome),
    /// It waits for the ledger, and gets a [`Resolution`] later.
    Waits,
    /// Its body decides its price. `Gate::price_body` decides about it once the body is here.
    NeedsBody(Box<Held>),
}

/// The outcome of a request that has waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The context that was given to `Gate::arrive`.
    pub context: u32,
    /// Its outcome.
    pub outcome: Outcome,
}
