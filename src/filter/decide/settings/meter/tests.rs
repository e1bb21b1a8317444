//! How meters are read.

use super::amounts::{Measure, priced};
use super::calls::CallRefunds;
use super::models::{Listed, NoUsage};
use super::*;
use crate::decide::settings::Settings;
use proptest::prelude::*;
use serde_json::{Value, json};

fn settings(rule: &Value) -> Result<Settings, String> {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
        "rules": [rule], "default": "free", "request_bodies": true,
    });
    Settings::from_value(&config).map_err(|error| error.to_string())
}

fn of(meter: &Value) -> (Credits, Meter) {
    let settings = settings(&json!({"meter": meter})).unwrap();
    let rule = settings.rules.into_iter().next().unwrap();
    (rule.price.unwrap(), *rule.meter.unwrap())
}

fn cost_of(meter: &Meter, amount: u64) -> Credits {
    meter.cost(amount).unwrap()
}

fn credits(text: &str) -> Credits {
    text.parse().unwrap()
}

#[test]
fn a_header_says_how_many_units_a_request_cost() {
    let (hold, meter) = of(&json!({"header": "X-Cost", "unit": "0.01", "strip": true, "hold": "1"}));
    assert_eq!(hold, credits("1"));
    let MeterKind::Amount(amounts) = &meter.kind else { panic!("{meter:?}") };
    assert_eq!(amounts.measure, Measure::Header { name: "x-cost".into(), strip: true });
    for (said, cost) in [("250", "2.5"), ("0", "0"), (" 0.5 ", "0.005"), ("0.00001", "0.000001")] {
        assert_eq!(cost_of(&meter, AmountMeter::read(said.as_bytes()).unwrap()), credits(cost), "{said}");
    }
    for said in ["", "-1", "1e3", "NaN", "1,5", "9999999999999", "\u{fc}"] {
        assert_eq!(AmountMeter::read(said.as_bytes()), None, "{said}");
    }
}

#[test]
fn bytes_and_seconds_have_a_price_and_a_fixed_price_is_added() {
    let (hold, meter) = of(&json!({"response_bytes": "0.02", "per": 1_048_576, "hold": "0.5"}));
    assert_eq!(
        (hold, cost_of(&meter, 0), cost_of(&meter, 1 << 21)),
        (credits("0.5"), credits("0"), credits("0.04"))
    );
    assert_eq!(cost_of(&meter, 1), credits("0.000001"), "rounded up");
    let (hold, meter) = of(&json!({"seconds": "0.003", "hold": {"seconds": 60}}));
    assert_eq!((hold, cost_of(&meter, 2_500_000_000)), (credits("0.18"), credits("0.0075")));
    let rule = json!({"price": "1", "meter": {"seconds": "0.003", "hold": "2"}});
    let rule = settings(&rule).unwrap().rules.into_iter().next().unwrap();
    assert_eq!(
        (rule.price, cost_of(&rule.meter.unwrap(), 1_000_000_000)),
        (Some(credits("3")), credits("1.003"))
    );
}

#[test]
fn a_meter_that_says_nothing_useful_is_named_with_its_place() {
    for (rule, error) in [
        (json!({"meter": {"hold": "1"}}), "rules[0].meter: found object; allowed is an object with \"llm\""),
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

#[test]
fn models_have_prices_in_the_rule_or_in_the_ledger() {
    let (hold, meter) = of(&json!({
        "llm": "openai", "prices": {"gpt-5": {"input": "1.25", "output": "10"}, "gpt-5*": {"input": "2", "output": "20"}},
        "hold": {"bytes_per_token": 3, "output": 100, "at_most": "2"}, "no_usage": "hold", "max_body_bytes": 4096
    }));
    let MeterKind::Models(models) = &meter.kind else { panic!("{meter:?}") };
    assert_eq!((hold, meter.max_body(), meter.name()), (Credits::ZERO, Some(4_096), "model"));
    for (model, place) in
        [("gpt-5", Some(Listed::At(0))), ("gpt-5-mini", Some(Listed::At(1))), ("gpt-4", None), ("", None)]
    {
        assert_eq!(models.find(model), place, "{model}");
    }
    let (_, meter) =
        of(&json!({"llm": "auto", "prices": "ledger", "unknown_model": {"input": "1", "output": "2"}}));
    let MeterKind::Models(models) = &meter.kind else { panic!("{meter:?}") };
    assert_eq!((models.find("any"), models.no_usage), (Some(Listed::Unknown), NoUsage::Estimate));
    let prices = models.prices_at(Listed::Unknown).unwrap();
    assert_eq!(prices.base.get(faregate_protocol::metering::UsageClass::Input), Some(credits("1")));
}

#[test]
fn calls_have_prices_by_name() {
    let (_, meter) = of(&json!({"mcp": {"search": "0.5", "report-*": "3", "ping-me": "free"}, "other": "1"}));
    let MeterKind::Calls(calls) = &meter.kind else { panic!("{meter:?}") };
    for (name, price) in [
        (Some("search"), "0.5"),
        (Some("report-a"), "3"),
        (Some("ping-me"), "0"),
        (Some("x"), "1"),
        (None, "1"),
    ] {
        assert_eq!(calls.price(name), credits(price), "{name:?}");
    }
    let usual = CallRefunds { error: true, is_error: false, input_required: true };
    assert_eq!((calls.refund, calls.protocol), (usual, CallProtocol::Mcp));
    let (_, meter) = of(&json!({"a2a": "2", "refund": []}));
    let MeterKind::Calls(calls) = &meter.kind else { panic!("{meter:?}") };
    assert_eq!((calls.other, calls.refund), (credits("2"), CallRefunds::default()));
    let (_, meter) = of(&json!({"a2a": "2", "refund": ["error", "failed"]}));
    let MeterKind::Calls(calls) = &meter.kind else { panic!("{meter:?}") };
    assert_eq!(calls.refund, CallRefunds { error: true, is_error: true, input_required: false });
}

#[test]
fn a_meter_of_models_or_calls_that_says_nothing_useful_is_named_with_its_place() {
    let prices = json!({"m": {"input": "1", "output": "2"}});
    for (meter, error) in [
        (json!({"llm": "gpt", "prices": prices}), "rules[0].meter.llm: found string \"gpt\""),
        (json!({"llm": "auto"}), "rules[0].meter.prices: found nothing"),
        (json!({"llm": "auto", "prices": {}}), "rules[0].meter.prices: found no models"),
        (json!({"llm": "auto", "prices": {"m": {"inptu": "1"}}}), "rules[0].meter.prices.m"),
        (
            json!({"llm": "auto", "prices": "ledger", "hold": {"output": 0}}),
            "rules[0].meter.hold.output: found number 0",
        ),
        (
            json!({"llm": "auto", "prices": "ledger", "unknown_model": "free"}),
            "rules[0].meter.unknown_model: found string",
        ),
        (
            json!({"llm": "auto", "prices": "ledger", "max_body_bytes": 0}),
            "rules[0].meter.max_body_bytes: found number 0",
        ),
        (
            json!({"llm": "auto", "prices": "ledger", "larger": "hold", "hold": {"output": 1}}),
            "rules[0].meter.larger: found \"hold\" without hold.at_most; allowed is \"refuse\"; or set hold.at_most",
        ),
        (json!({"llm": "auto", "prices": "ledger", "larger": true}), "rules[0].meter.larger: found"),
        (json!({"mcp": {"a": "1"}}), "rules[0].meter.other: found nothing"),
        (json!({"mcp": {"a": -1}, "other": "1"}), "rules[0].meter.mcp.a: found number -1"),
        (json!({"mcp": {}, "other": "1", "refund": ["errors"]}), "rules[0].meter.refund[0]: found string"),
        (json!({"mcp": {}, "other": "1", "refund": ["failed"]}), "rules[0].meter.refund[0]: found string"),
        (json!({"a2a": "1", "refund": ["is_error"]}), "rules[0].meter.refund[0]: found string"),
        (json!({"a2a": "0"}), "rules[0].meter.a2a: found"),
        (
            json!({"response_json": "meta/rows", "unit": "1", "hold": "1"}),
            "rules[0].meter.response_json: found string",
        ),
    ] {
        let said = settings(&json!({"meter": meter})).unwrap_err();
        assert!(said.starts_with(error), "{said}");
    }
}

#[test]
fn a_price_that_depends_on_the_body_needs_the_body() {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
        "rules": [{"name": "chat", "meter": {"a2a": "1"}}], "default": "free",
    });
    let error = Settings::from_value(&config).unwrap_err().to_string();
    assert!(error.starts_with("request_bodies: found nothing, or false; but the price of a rule"), "{error}");
}
