//! Closes charges whose answer was read: it says what they come to.
//!
//! What must hold: however a request ends, its hold ends with it, and what is charged is what the rule says of that ending.

use super::Gate;
use super::closing::Closed;
use crate::decide::base::moment::Moment;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::meter::dialect::Dialect;
use crate::decide::outcome::Charge;
use crate::decide::request::answer_reader::{AnswerHead, AnswerReader, Said};
use crate::decide::request::ending::End;
use crate::decide::request::quote::{AnswerEnd, ModelQuote, Quote, QuoteKind, Settled, settle};
use crate::decide::settings::meter::{Meter, MeterKind};
use crate::decide::usage::Metered;
use faregate_protocol::exchange::Basis;
use faregate_protocol::metering::Quantities;
use std::rc::Rc;

impl<M: SharedMemory> Gate<M> {
    /// Whether the answer to a charged request is read, so that it must not be compressed.
    pub fn reads_answer(&self, charge: &Charge) -> bool {
        let meter = self.settings.rule(charge.rule).meter.as_deref();
        meter.is_some_and(Meter::reads_answer)
    }

    /// What reads the answer to a charged request with this head.
    pub fn answer_reader(&self, charge: &Charge, head: &AnswerHead<'_>) -> Option<AnswerReader> {
        let meter = self.settings.rule(charge.rule).meter.as_deref()?;
        let dialect = model_quote(charge).map_or(Dialect::Auto, |quote| quote.dialect);
        AnswerReader::of(meter, dialect, head)
    }

    /// Whether the usage at the end of this charge's stream is taken out again, because only we asked for it.
    pub fn strips_usage(&self, charge: &Charge) -> bool {
        model_quote(charge).is_some_and(|quote| quote.strips_usage)
    }

    /// Closes the charge of a metered request, by what its answer said. Returns the final charge.
    pub fn finish_answered(
        &mut self,
        now: Moment,
        charge: &Charge,
        end: &End,
        said: &Said,
        whole: bool,
    ) -> Closed {
        let Some(quote) = charge.quote.clone() else {
            let amount = if let Said::Amount(amount) = said { Some(*amount) } else { None };
            return self.finish_metered(now, charge, end, amount);
        };
        let quote = self.priced_by_answer(now, charge.rule, &quote, said).unwrap_or(quote);
        let failed = matches!((&quote.kind, said), (QuoteKind::Calls(refunds), Said::Call(call)) if refunds.release(call.answer));
        if failed || end.releases(self.refunds(charge)) {
            return self.release_metered(charge);
        }
        let settled = self.settled(charge, &quote, *end, said, whole);
        let cost = self.of_plan(charge, settled.list);
        let metered =
            Metered { item: quote.item.as_ref().map(Rc::clone), basis: settled.basis, used: settled.used };
        self.settle_metered(now, charge, cost, metered)
    }

    fn settled(&self, charge: &Charge, quote: &Quote, end: End, said: &Said, whole: bool) -> Settled {
        let held = |basis| Settled { list: None, basis, used: Quantities::default() };
        let QuoteKind::Model(model) = &quote.kind else {
            return held(Basis::Listed);
        };
        let Some(Meter { fixed, kind: MeterKind::Models(meter) }) =
            self.settings.rule(charge.rule).meter.as_deref()
        else {
            return held(Basis::Held);
        };
        let end = match end {
            End::Answered(_) if whole => AnswerEnd::Whole,
            End::Answered(_) => AnswerEnd::Cut,
            End::Cut | End::NeverAsked => AnswerEnd::None,
        };
        let report = if let Said::Model(report) = said { Some(report) } else { None };
        settle(meter, *fixed, model, report, end)
    }
}

fn model_quote(charge: &Charge) -> Option<&ModelQuote> {
    charge.quote.as_ref()?.model()
}
