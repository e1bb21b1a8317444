//! Reads meters whose cost is a number times a price: a number in a header or in the JSON of the answer, the answer's size, or
//! the time.
//!
//! What must hold: a cost is one exact product, rounded up once.

use crate::decide::meter::pointer::Pointer;
use crate::decide::settings::amount::read_amount;
use crate::decide::settings::reader::{Field, Object};
use faregate_protocol::Credits;

/// What a cost is measured by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A number in a header of the answer, by this name in lower case.
    Header {
        /// Its name.
        name: String,
        /// Whether the caller doesn't see it.
        strip: bool,
    },
    /// A number in the JSON of the answer.
    Json(Pointer),
    /// The bytes of the answer's body, as the caller gets them.
    ResponseBytes,
    /// The time from its admission to its end.
    Duration,
}

/// What counts where an answer doesn't say what it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// All that was held.
    #[default]
    Hold,
    /// The fixed price alone.
    Free,
}

/// How a cost is measured, and what it is times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountMeter {
    /// By what.
    pub measure: Measure,
    /// What [`AmountMeter::per`] of it cost.
    pub unit: Credits,
    /// How much of the measured number that is for: millionths in a header or in JSON, bytes, nanoseconds.
    pub per: u32,
    /// Where the answer doesn't say.
    pub missing: Missing,
}

/// A whole of what an answer says, in millionths.
const WHOLE: u32 = 1_000_000;
/// A second in nanoseconds.
const SECOND: u32 = 1_000_000_000;

impl AmountMeter {
    /// What so much of it costs.
    pub fn cost(&self, amount: u64) -> Credits {
        priced(self.unit, amount, self.per)
    }

    /// What a header says, in millionths; `None` where that is no decimal number of at most 10^12.
    pub fn read(value: &[u8]) -> Option<u64> {
        let text = std::str::from_utf8(value.trim_ascii()).ok()?;
        u64::try_from(Credits::parse(text).ok()?.micros()).ok()
    }

    /// Whether the answer's body says it.
    pub fn reads_answer(&self) -> bool {
        matches!(self.measure, Measure::Json(_))
    }

    /// What the price list says that it goes by.
    pub fn name(&self) -> &'static str {
        match self.measure {
            Measure::Header { .. } => "header",
            Measure::Json(_) => "response_json",
            Measure::ResponseBytes => "response_bytes",
            Measure::Duration => "seconds",
        }
    }
}

/// `unit × amount ÷ per`, rounded up, at most the largest amount.
pub(super) fn priced(unit: Credits, amount: u64, per: u32) -> Credits {
    let (unit, per) = (u64::try_from(unit.micros()).unwrap_or(0), u64::from(per.max(1)));
    let (whole, rest) = (amount / per, amount % per);
    // Both factors are below 2^32.
    let part = ((unit % per).saturating_mul(rest)).div_ceil(per);
    let micros =
        unit.saturating_mul(whole).saturating_add((unit / per).saturating_mul(rest)).saturating_add(part);
    i64::try_from(micros).map_or(Credits::MAX, Credits::from_micros)
}

/// Reads a meter that has `header`, and what is held.
#[inline(never)]
pub(super) fn read_header(field: &Field<'_>) -> (AmountMeter, Credits) {
    let object = field.object(&["header", "unit", "strip", "hold", "missing"]);
    let name = object.required("header").header_name();
    let measure = Measure::Header { name, strip: object.flag("strip", false) };
    let (unit, missing) = (read_amount(&object.required("unit")), read_missing(&object));
    (AmountMeter { measure, unit, per: WHOLE, missing }, read_amount(&object.required("hold")))
}

/// Reads a meter that has `response_json`, and what is held.
#[inline(never)]
pub(super) fn read_json(field: &Field<'_>) -> (AmountMeter, Credits) {
    let object = field.object(&["response_json", "unit", "hold", "missing"]);
    let place = object.required("response_json");
    let pointer = place.as_str().and_then(Pointer::parse);
    if pointer.is_none() {
        place.wrong_value("a JSON pointer of at most 8 names, such as \"/meta/rows\"");
    }
    let (unit, missing) = (read_amount(&object.required("unit")), read_missing(&object));
    let meter = AmountMeter {
        measure: pointer.map_or(Measure::ResponseBytes, Measure::Json),
        unit,
        per: WHOLE,
        missing,
    };
    (meter, read_amount(&object.required("hold")))
}

/// Reads a meter that has `response_bytes`, and what is held.
pub(super) fn read_bytes(field: &Field<'_>) -> (AmountMeter, Credits) {
    let object = field.object(&["response_bytes", "per", "hold", "missing"]);
    let unit = read_amount(&object.required("response_bytes"));
    let per = object.optional("per").map_or(1, |field| field.integer(1, u32::MAX));
    let missing = read_missing(&object);
    let meter = AmountMeter { measure: Measure::ResponseBytes, unit, per, missing };
    (meter, read_amount(&object.required("hold")))
}

/// Reads a meter that has `seconds`, and what is held.
pub(super) fn read_seconds(field: &Field<'_>) -> (AmountMeter, Credits) {
    let object = field.object(&["seconds", "hold"]);
    let unit = read_amount(&object.required("seconds"));
    let meter = AmountMeter { measure: Measure::Duration, unit, per: SECOND, missing: Missing::Hold };
    (meter, read_hold(&object.required("hold"), unit))
}

/// An amount, or `{"seconds": 60}`.
fn read_hold(field: &Field<'_>, unit: Credits) -> Credits {
    if !field.is_object() {
        return read_amount(field);
    }
    let seconds = field.object(&["seconds"]).required("seconds").integer(1, 86_400);
    unit.times(seconds.into())
}

fn read_missing(object: &Object<'_>) -> Missing {
    let Some(field) = object.optional("missing") else { return Missing::Hold };
    match field.as_str() {
        Some("hold") => Missing::Hold,
        Some("free") => Missing::Free,
        _ => {
            field.wrong_value("\"hold\" or \"free\"");
            Missing::Hold
        }
    }
}
