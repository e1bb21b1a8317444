//! The answer to a metered request, read as it passes.
//!
//! What must hold: nothing is held back but the usage at the end of a stream that only we asked for, and who isn't metered pays
//! for one look at an empty field.

use super::stream::{Stream, response_size};
use super::worker::{Metering, Stage};
use super::{headers, reply};
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
        drop(gate);
        if strip.is_some() {
            // The body becomes shorter.
            let _ = hostcalls::remove_map_value(MapType::HttpResponseHeaders, "content-length");
        }
        if let Some(metering) = ticket.metering_mut() {
            metering.reader = reader.map(Box::new);
            metering.strip = strip.map(Box::new);
        }
    }

    /// A piece of the answer's body has arrived.
    pub(super) fn on_response_body(&self, size: usize, ends: bool) {
        let (_, ticket) = self.parts();
        let Ok(mut ticket) = ticket.try_borrow_mut() else { return };
        let Some(Metering { reader: Some(reader), strip, whole, .. }) = ticket.metering_mut() else { return };
        *whole = ends;
        let piece =
            hostcalls::get_buffer(BufferType::HttpResponseBody, 0, size).ok().flatten().unwrap_or_default();
        reader.feed(&piece);
        let Some(strip) = strip else { return };
        let mut passes = strip.push(&piece);
        if ends {
            passes.extend(strip.finish());
        }
        if passes != piece {
            reply::set_body(BufferType::HttpResponseBody, size, &passes);
        }
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
