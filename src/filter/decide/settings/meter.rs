//! Reads how a rule finds out what a request really cost: by a number that it is charged for at its end, by the model that it asks
//! for, or by the tools that it calls.
//!
//! - [`amounts`]: a number in the answer, its size, or the time. [`models`]: AI APIs. [`calls`]: MCP and A2A. [`limits`]: what all of them have.
//!
//! What must hold: the hold covers the usual request.

pub mod amounts;
pub mod calls;
mod limits;
pub mod models;

use super::reader::Field;
use amounts::AmountMeter;
use calls::{CallMeter, CallProtocol};
use faregate_protocol::Credits;
use faregate_protocol::exchange::MAX_LINE_CREDITS;
use models::ModelMeter;

/// How a request is metered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// What each request costs besides.
    pub fixed: Credits,
    /// By what.
    pub kind: MeterKind,
}

/// What a request is metered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeterKind {
    /// A number that is known at its end.
    Amount(AmountMeter),
    /// The model that its body names, and what the answer says that it used.
    Models(ModelMeter),
    /// The calls in its body.
    Calls(CallMeter),
}

impl Meter {
    /// What a request costs by the rule that used so much; at most [`MAX_LINE_CREDITS`]. `None`: it doesn't go by an amount.
    pub fn cost(&self, amount: u64) -> Option<Credits> {
        let MeterKind::Amount(meter) = &self.kind else { return None };
        Some(self.fixed.saturating_add(meter.cost(amount)).min(MAX_LINE_CREDITS))
    }

    /// The largest body that is read before a request has a price (bytes); `None`: the price doesn't depend on its body.
    pub fn max_body(&self) -> Option<u32> {
        match &self.kind {
            MeterKind::Amount(_) => None,
            MeterKind::Models(meter) => Some(meter.max_body),
            MeterKind::Calls(meter) => Some(meter.max_body),
        }
    }

    /// Whether the answer's body is read.
    pub fn reads_answer(&self) -> bool {
        match &self.kind {
            MeterKind::Amount(meter) => meter.reads_answer(),
            MeterKind::Models(_) | MeterKind::Calls(_) => true,
        }
    }

    /// What the price list says that it goes by.
    pub fn name(&self) -> &'static str {
        match &self.kind {
            MeterKind::Amount(meter) => meter.name(),
            MeterKind::Models(_) => "model",
            MeterKind::Calls(meter) if meter.protocol == CallProtocol::A2a => "message",
            MeterKind::Calls(_) => "tool",
        }
    }
}

const KINDS: &str = "an object with \"llm\", \"mcp\", \"a2a\", \"header\", \"response_json\", \"response_bytes\" or \"seconds\"";

/// Reads `meter` of a rule whose fixed price is given. Also returns how much is held besides that.
#[inline(never)]
pub(super) fn read(field: &Field<'_>, fixed: Credits) -> Option<(Meter, Credits)> {
    let any = field.object(&[]);
    let is = |name: &str| any.optional(name).is_some();
    let (kind, hold) = match () {
        () if is("llm") => (MeterKind::Models(models::read(field)), Credits::ZERO),
        () if is("mcp") => (MeterKind::Calls(calls::read_mcp(field)), Credits::ZERO),
        () if is("a2a") => (MeterKind::Calls(calls::read_a2a(field)), Credits::ZERO),
        () => {
            let (meter, hold) = match () {
                () if is("header") => amounts::read_header(field),
                () if is("response_json") => amounts::read_json(field),
                () if is("response_bytes") => amounts::read_bytes(field),
                () if is("seconds") => amounts::read_seconds(field),
                () => {
                    field.wrong_value(KINDS);
                    return None;
                }
            };
            (MeterKind::Amount(meter), hold)
        }
    };
    Some((Meter { fixed, kind }, hold))
}

#[cfg(test)]
mod tests;
