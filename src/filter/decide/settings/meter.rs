//! Reads how a rule finds out what a request really cost, once it has ended.
//!
//! What must hold: the hold covers the usual request; a cost is one exact product, rounded up once.

use super::amount::read_amount;
use super::reader::{Field, Object};
use faregate_protocol::Credits;
use faregate_protocol::exchange::MAX_LINE_CREDITS;

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

/// How a request is metered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// By what.
    pub measure: Measure,
    /// What [`Meter::per`] of it cost.
    pub unit: Credits,
    /// How much of the measured number that is for: millionths in a header, bytes, nanoseconds.
    pub per: u32,
    /// What each request costs besides.
    pub fixed: Credits,
    /// Where the answer doesn't say.
    pub missing: Missing,
}

/// A whole of what a header says, in millionths.
const WHOLE: u32 = 1_000_000;
/// A second in nanoseconds.
const SECOND: u32 = 1_000_000_000;

impl Meter {
    /// What a request costs by the rule that used so much; at most [`MAX_LINE_CREDITS`].
    pub fn cost(&self, amount: u64) -> Credits {
        self.fixed.saturating_add(priced(self.unit, amount, self.per)).min(MAX_LINE_CREDITS)
    }

    /// What a header says, in millionths; `None` where that is no decimal number of at most 10^12.
    pub fn read(value: &[u8]) -> Option<u64> {
        let text = std::str::from_utf8(value).ok()?;
        u64::try_from(Credits::parse(text.trim()).ok()?.micros()).ok()
    }

    /// What the price list says that it goes by.
    pub fn name(&self) -> &'static str {
        match self.measure {
            Measure::Header { .. } => "header",
            Measure::ResponseBytes => "response_bytes",
            Measure::Duration => "seconds",
        }
    }
}

/// `unit × amount ÷ per`, rounded up, at most the largest amount.
fn priced(unit: Credits, amount: u64, per: u32) -> Credits {
    let (unit, per) = (u64::try_from(unit.micros()).unwrap_or(0), u64::from(per.max(1)));
    let (whole, rest) = (amount / per, amount % per);
    // Both factors are below 2^32.
    let part = ((unit % per).saturating_mul(rest)).div_ceil(per);
    let micros =
        unit.saturating_mul(whole).saturating_add((unit / per).saturating_mul(rest)).saturating_add(part);
    i64::try_from(micros).map_or(Credits::MAX, Credits::from_micros)
}

const KINDS: &str = "an object with \"header\", \"response_bytes\" or \"seconds\"";

/// Reads `meter` of a rule whose fixed price is given. Also returns how much is held besides that.
pub(super) fn read(field: &Field<'_>, fixed: Credits) -> Option<(Meter, Credits)> {
    let any = field.object(&[]);
    let is = |name: &str| any.optional(name).is_some();
    if is("header") {
        let object = field.object(&["header", "unit", "strip", "hold", "missing"]);
        let name = object.required("header").header_name();
        let measure = Measure::Header { name, strip: object.flag("strip", false) };
        let (unit, missing) = (read_amount(&object.required("unit")), read_missing(&object));
        let hold = read_amount(&object.required("hold"));
        return Some((Meter { measure, unit, per: WHOLE, fixed, missing }, hold));
    }
    if is("response_bytes") {
        let object = field.object(&["response_bytes", "per", "hold", "missing"]);
        let unit = read_amount(&object.required("response_bytes"));
        let per = object.optional("per").map_or(1, |field| field.integer(1, u32::MAX));
        let hold = read_amount(&object.required("hold"));
        let missing = read_missing(&object);
        return Some((Meter { measure: Measure::ResponseBytes, unit, per, fixed, missing }, hold));
    }
    if is("seconds") {
        let object = field.object(&["seconds", "hold"]);
        let unit = read_amount(&object.required("seconds"));
        let meter = Meter { measure: Measure::Duration, unit, per: SECOND, fixed, missing: Missing::Hold };
        let hold = read_hold(&object.required("hold"), unit);
        return Some((meter, hold));
    }
    field.wrong_value(KINDS);
    None
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::settings::Settings;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn settings(rule: &Value) -> Result<Settings, String> {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
            "rules": [rule], "default": "free",
        });
        Settings::from_value(&config).map_err(|error| error.to_string())
    }

    fn of(meter: &Value) -> (Credits, Meter) {
        let settings = settings(&json!({"meter": meter})).unwrap();
        let rule = settings.rules.into_iter().next().unwrap();
        (rule.price.unwrap(), *rule.meter.unwrap())
    }

    fn credits(text: &str) -> Credits {
        text.parse().unwrap()
    }

    #[test]
    fn a_header_says_how_many_units_a_request_cost() {
        let (hold, meter) = of(&json!({"header": "X-Cost", "unit": "0.01", "strip": true, "hold": "1"}));
        assert_eq!(hold, credits("1"));
        assert_eq!(meter.measure, Measure::Header { name: "x-cost".into(), strip: true });
        for (said, cost) in [("250", "2.5"), ("0", "0"), (" 0.5 ", "0.005"), ("0.00001", "0.000001")] {
            assert_eq!(meter.cost(Meter::read(said.as_bytes()).unwrap()), credits(cost), "{said}");
        }
        for said in ["", "-1", "1e3", "NaN", "1,5", "9999999999999", "\u{fc}"] {
            assert_eq!(Meter::read(said.as_bytes()), None, "{said}");
        }
    }

    #[test]
    fn bytes_and_seconds_have_a_price_and_a_fixed_price_is_added() {
        let (hold, meter) = of(&json!({"response_bytes": "0.02", "per": 1_048_576, "hold": "0.5"}));
        assert_eq!(
            (hold, meter.cost(0), meter.cost(1 << 21)),
            (credits("0.5"), credits("0"), credits("0.04"))
        );
        assert_eq!(meter.cost(1), credits("0.000001"), "rounded up");
        let (hold, meter) = of(&json!({"seconds": "0.003", "hold": {"seconds": 60}}));
        assert_eq!((hold, meter.cost(2_500_000_000)), (credits("0.18"), credits("0.0075")));
        let rule = json!({"price": "1", "meter": {"seconds": "0.003", "hold": "2"}});
        let rule = settings(&rule).unwrap().rules.into_iter().next().unwrap();
        assert_eq!(
            (rule.price, rule.meter.unwrap().cost(1_000_000_000)),
            (Some(credits("3")), credits("1.003"))
        );
    }

    #[test]
    fn a_meter_that_says_nothing_useful_is_named_with_its_place() {
        for (rule, error) in [
            (
                json!({"meter": {"hold": "1"}}),
                "rules[0].meter: found object; allowed is an object with \"header\"",
            ),
            (json!({"meter": {"header": "x", "unit": "1"}}), "rules[0].meter.hold: found nothing"),
            (
                json!({"meter": {"seconds": "1", "hold": {"minutes": 1}}}),
                "rules[0].meter.hold.minutes: found an unknown",
            ),
            (
                json!({"meter": {"response_bytes": "1", "per": 0, "hold": "1"}}),
                "rules[0].meter.per: found number 0",
            ),
            (
                json!({"meter": {"header": "x", "unit": "1", "hold": "1", "missing": "?"}}),
                "rules[0].meter.missing: found",
            ),
            (
                json!({"price": "free", "meter": {"seconds": "1", "hold": "1"}}),
                "rules[0].price: found string \"free\"",
            ),
        ] {
            let said = settings(&rule).unwrap_err();
            assert!(said.starts_with(error), "{said}");
        }
    }

    proptest! {
        #[test]
        fn a_cost_is_the_exact_product_rounded_up(unit in 0..=i64::MAX, amount in any::<u64>(), per in 1..=u32::MAX) {
            let exact = (u128::from(unit.unsigned_abs()) * u128::from(amount)).div_ceil(u128::from(per));
            let expected = i64::try_from(exact).map_or(Credits::MAX, Credits::from_micros);
            let found = priced(Credits::from_micros(unit), amount, per);
            // Above the largest amount any part may already be at its bound.
            prop_assert_eq!(found, expected);
        }
    }
}
