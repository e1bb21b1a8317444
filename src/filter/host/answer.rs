//! The answer to a metered request, read as it passes.
//!
//! What must hold: nothing is held back but the usage at the end of a stream that only we asked for, and who isn't metered pays
//! for one look at an empty field.

use super::stream::{Stream, response_size};
use super::worker::{Limit, Metering, Stage, Ticket};
use super::{clock, headers, reply};
use crate::decide::base::head::Walk;
use crate::decide::base::moment::Moment;
use crate::decide::meter::asked::strip::Strip;
use crate::decide::outcome::Charge;
use crate::decide::request::answer_reader::{AnswerHead, Said};
use crate::decide::request::ending::http_status;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};

impl Stream {
    /// The headers of a metered request's answer have arrived: prepares to read its body, if its rule goes by that.
    #[inline(never)]
    pub(super) fn prepare_reading(&self) {
        let (worker, ticket) = self.parts();
        let (Ok(mut ticket), Ok(gate)) = (ticket.try_borrow_mut(), worker.gate.try_borrow()) else { return };
        let Stage::Paid(charge) = &ticket.stage else { return };
        if ticket.metering().is_none() || !gate.reads_answer(charge) {
            return;
        }
        let map = headers::of_response();
        let mut head = AnswerHead::default();
        if let Some(walk) = Walk::over(&map) {
            walk.each(
                |len| matches!(len, 7 | 12 | 16),
                |name, value| match name {
                    b":status" => head.status = http_status(value),
                    b"content-type" => head.content_type = Some(value),
                    b"content-encoding" => head.content_encoding = Some(value),
                    _ => {}
                },
            );
        }
        let reader = gate.answer_reader(charge, &head);
        let is_stream = head.content_type.is_some_and(|value| value.starts_with(b"text/event-stream"));
        let strip = (reader.is_some() && is_stream && gate.strips_usage(charge)).then(Strip::default);
        let limit = if gate.stops_at_zero(charge) { Limit::AtZero } else { Limit::None };
        drop(gate);
        if strip.is_some() {
            // The body becomes shorter.
            let _ = hostcalls::remove_map_value(MapType::HttpResponseHeaders, "content-length");
        }
        if let Some(metering) = ticket.metering_mut() {
            metering.reader = reader.map(Box::new);
            metering.strip = strip.map(Box::new);
            metering.limit = limit;
        }
    }

    /// A piece of the answer's body has arrived.
    pub(super) fn on_response_body(&self, size: usize, ends: bool) {
        let (_, ticket) = self.parts();
        let Ok(mut ticket) = ticket.try_borrow_mut() else { return };
        let Some(Metering { reader: Some(reader), strip, whole, limit, .. }) = ticket.metering_mut() else {
            return;
        };
        if *limit == Limit::Reached {
            reply::set_body(BufferType::HttpResponseBody, size, &[]);
            if !ends {
                // A client that doesn't hang up would wait until the API is done, and all that it still makes would be lost.
                reply::break_off();
            }
            return;
        }
        *whole = ends;
        let piece =
            hostcalls::get_buffer(BufferType::HttpResponseBody, 0, size).ok().flatten().unwrap_or_default();
        reader.feed(&piece);
        let is_limited = *limit == Limit::AtZero && !ends;
        let passes = strip.as_mut().map(|strip| {
            let mut passes = strip.push(&piece);
            if ends {
                passes.extend(strip.finish());
            }
            passes
        });
        if is_limited && self.has_ended(&mut ticket, size, passes.as_ref().unwrap_or(&piece)) {
            return;
        }
        if let Some(passes) = passes
            && passes != piece
        {
            reply::set_body(BufferType::HttpResponseBody, size, &passes);
        }
    }

    /// Ends an answer, of which this piece of `size` bytes would pass next, if nothing is left to pay for more of it.
    #[inline(never)]
    fn has_ended(&self, ticket: &mut Ticket, size: usize, piece: &[u8]) -> bool {
        let (worker, _) = self.parts();
        let Some(reader) = ticket.metering().and_then(|metering| metering.reader.as_ref()?.model()) else {
            return false;
        };
        // Where no event ends, the answer can't end either: its client could not read the last one.
        let Some(end) = reader.last_end(piece) else { return false };
        let (report, framing) = (reader.so_far(), reader.framing());
        let Ok(mut gate) = worker.gate.try_borrow_mut() else { return false };
        let Stage::Paid(charge) = &mut ticket.stage else { return false };
        let refusal = gate.grow(clock::now(), charge, &report);
        if gate.take_wake() {
            worker.ring();
        }
        let Some(refusal) = refusal else { return false };
        let Stage::Paid(charge) = &ticket.stage else { return false };
        let event = gate.last_event(charge, framing, &refusal, &ticket.request_context());
        drop(gate);
        let mut last = piece.get(..end).unwrap_or_default().to_vec();
        last.extend(event);
        reply::set_body(BufferType::HttpResponseBody, size, &last);
        if let Some(metering) = ticket.metering_mut() {
            metering.limit = Limit::Reached;
            metering.whole = false;
        }
        true
    }

    /// What a metered request used, as far as that is known.
    pub(super) fn said(&self, charge: &Charge, metering: Metering, now: Moment) -> Said {
        let said = metering.reader.map_or(Said::Nothing, |reader| reader.finish());
        if said != Said::Nothing || charge.quote.is_some() {
            return said;
        }
        let (worker, _) = self.parts();
        let gate = worker.gate.borrow();
        gate.measured(charge, now, metering.began, metering.said, response_size)
            .map_or(Said::Nothing, Said::Amount)
    }
}
