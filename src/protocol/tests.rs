//! What both sides read out of the wire's types.

use crate::exchange::{LeaseReport, Limits, Pricing, Product, Rate};
use crate::{Credits, RefusalCode};
use serde_json::json;

fn credits(n: i64) -> Credits {
    Credits::from_micros(n * 1_000_000)
}

#[test]
fn a_product_costs_the_rules_price_a_multiple_of_it_or_a_fixed_price() {
    for (pricing, costs) in [
        (Pricing::List, credits(3)),
        (Pricing::Times(Credits::from_micros(500_000)), Credits::from_micros(1_500_000)),
        (Pricing::Times(credits(2)), credits(6)),
        (Pricing::Fixed(credits(7)), credits(7)),
    ] {
        assert_eq!(pricing.of(credits(3)), costs, "{pricing:?}");
    }
}

#[test]
fn default_values_are_omitted_and_others_are_serialized() {
    let report =
        |demand| LeaseReport { epoch: 1, spent: credits(2), returned: credits(0), held: credits(0), demand };
    let plain = json!({"epoch": 1, "spent": 2_000_000, "returned": 0, "held": 0});
    assert_eq!(serde_json::to_value(report(0)).unwrap(), plain);
    assert_eq!(serde_json::to_value(report(3)).unwrap()["demand"], 3);

    let product = |pricing| serde_json::to_value(Product { name: "chat".into(), pricing }).unwrap();
    assert_eq!(product(Pricing::List), json!({"name": "chat"}));
    assert_eq!(product(Pricing::Fixed(credits(1)))["pricing"], json!({"fixed": 1_000_000}));
}

#[test]
fn one_limit_is_enough_to_be_limited() {
    let rate = Some(Rate { milli_per_s: 1, burst: 1 });
    assert!(Limits { rate: None, concurrent: None }.is_none());
    assert!(!Limits { rate, concurrent: None }.is_none());
    assert!(!Limits { rate: None, concurrent: Some(1) }.is_none());
}

#[test]
fn each_refusal_code_is_parsed_only_by_its_own_name() {
    for code in RefusalCode::ALL {
        assert_eq!(RefusalCode::named(code.as_str()), Some(code));
        assert_eq!(code.to_string(), code.as_str());
    }
    assert_eq!(RefusalCode::named("insufficient_fund"), None);
    assert_eq!(RefusalCode::named(""), None);
}
