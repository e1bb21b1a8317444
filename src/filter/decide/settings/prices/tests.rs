//! The prices of a model are read as the protocol reads them.

use super::*;
use crate::decide::base::json;
use proptest::prelude::*;
use serde_json::{Value, json};

fn decimal(value: &Value) -> Result<ModelPrices, String> {
    let (value, faults) = (Json::from(value), Faults::new(1));
    let prices = read(&Field::root(&value, &faults), Amounts::Decimal);
    faults.or(prices).map_err(|faults| faults[0].to_string())
}

/// As the protocol reads them.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
#[serde(transparent)]
struct Written(#[serde(with = "faregate_protocol::prices::decimal")] ModelPrices);

fn any_rates() -> impl Strategy<Value = Rates> {
    let price = proptest::option::weighted(0.3, prop_oneof![0..100_i64, 0..=MAX_AMOUNT.micros()]);
    proptest::collection::vec(price, UsageClass::ALL.len()).prop_map(|prices| {
        let mut rates = Rates::default();
        for (class, price) in UsageClass::ALL.into_iter().zip(prices) {
            if let Some(micros) = price {
                rates.set(class, Credits::from_micros(micros));
            }
        }
        rates
    })
}

fn any_tiers() -> impl Strategy<Value = Vec<Tier>> {
    proptest::collection::btree_map(1..=u64::MAX, any_rates(), 0..=MAX_TIERS)
        .prop_map(|tiers| tiers.into_iter().map(|(above, rates)| Tier { above, rates }).collect())
}

prop_compose! {
    pub(crate) fn any_prices()(
        mut base in any_rates(), input in 0..=MAX_AMOUNT.micros(), tiers in any_tiers(),
        services in proptest::collection::btree_map("[a-z\"é]{1,9}", (any_rates(), any_tiers()), 0..=MAX_SERVICES),
    ) -> ModelPrices {
        base.set(UsageClass::Input, Credits::from_micros(input));
        let service = |(name, (base, tiers))| (name, ServicePrices { base, tiers });
        ModelPrices { base, tiers, services: services.into_iter().map(service).collect() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_the_protocol_writes_is_read_back_as_it_was(prices in any_prices()) {
        let wire = json::parse(&serde_json::to_vec(&prices).unwrap()).unwrap();
        prop_assert_eq!(answered(&wire), Some(prices.clone()));
        let written = serde_json::to_value(Written(prices.clone())).unwrap();
        prop_assert_eq!(decimal(&written), Ok(prices));
    }

    /// A valid text with a piece replaced.
    #[test]
    fn what_the_protocol_refuses_is_refused(
        prices in any_prices(), at in any::<prop::sample::Index>(), len in 0..12_usize,
        piece in prop_oneof![Just("-1"), Just("null"), Just("\"input\":1"), Just("{}"), Just("[]"), Just("9e9"), Just("0"), Just("x")],
    ) {
        let mut text = serde_json::to_vec(&prices).unwrap();
        let at = at.index(text.len());
        text.splice(at..(at + len).min(text.len()), piece.bytes());
        if let Ok(value) = json::parse(&text) {
            let theirs = serde_json::from_slice::<ModelPrices>(&text).ok();
            let ours = answered(&value);
            prop_assert!(ours.as_ref().is_none_or(|prices| prices.check().is_ok()));
            prop_assert!(ours == theirs || lenient(&value), "{:?} {:?}", ours, theirs);
        }
    }
}

/// A whole number of tokens may be a float here.
fn lenient(value: &Json) -> bool {
    match value {
        Json::Real(_) => true,
        Json::Array(items) => items.iter().any(lenient),
        Json::Object(members) => members.iter().any(|(_, value)| lenient(value)),
        _ => false,
    }
}

#[test]
fn the_names_are_those_of_the_classes() {
    let classes = UsageClass::ALL.map(UsageClass::name);
    assert_eq!(NAMES[2..LAST], classes);
}

#[test]
fn prices_of_a_rule_are_read_with_tiers_and_services() {
    let prices = decimal(&json!({
        "input": "5", "cache_read": "0.5", "output": "25", "search": "0.01",
        "above": [{"input_tokens": 500_000.0, "input": "8"}, {"input_tokens": 200_000, "input": "6"}],
        "service": {"batch": {"input": "2.5", "above": [{"input_tokens": 1, "output": "0"}]}},
    }))
    .unwrap();
    let credits = |text: &str| Some(text.parse::<Credits>().unwrap());
    assert_eq!(prices.base.get(UsageClass::CacheRead), credits("0.5"));
    assert_eq!(prices.tiers.iter().map(|tier| tier.above).collect::<Vec<_>>(), [200_000, 500_000]);
    assert_eq!(prices.services[0].1.tiers[0].rates.get(UsageClass::Output), credits("0"));
}

#[test]
fn a_fault_is_named_with_its_place() {
    let tier = |tokens: Value| json!({"input": "1", "above": [{"input_tokens": tokens}]});
    let many = |count: usize| (1..=count).map(|n| json!({"input_tokens": n})).collect::<Vec<_>>();
    let services =
        |count: usize| (0..count).map(|n| (n.to_string(), json!({}))).collect::<serde_json::Map<_, _>>();
    for (value, error) in [
        (json!([]), "(configuration): found list; allowed is an object with service, above, input"),
        (json!({}), "(configuration): found no price of a class; allowed is \"input\" and"),
        (json!({"output": "-1"}), "output: found string \"-1\"; allowed is a decimal string"),
        (json!({"output": 1}), "output: found number 1; allowed"),
        (json!({"output": "1000000000000.1"}), "output: found"),
        (json!({"inputs": "1"}), "inputs: found an unknown field; allowed is one of service, above, input"),
        (json!({"input_tokens": 1}), "input_tokens: found an unknown field"),
        (
            tier(json!(0)),
            "above[0].input_tokens: found number 0; allowed is a whole number of tokens above 0",
        ),
        (tier(json!(1.5)), "above[0].input_tokens: found number 1.5"),
        (json!({"input": "1", "above": [{"input": "1"}]}), "above[0]: found no \"input_tokens\""),
        (
            json!({"input": "1", "above": [{"input_tokens": 7}, {"input_tokens": 7}]}),
            "above[1]: found the \"input_tokens\" of another tier",
        ),
        (json!({"input": "1", "above": many(MAX_TIERS + 1)}), "above: found 9 items; allowed is at most 8"),
        (
            json!({"input": "1", "service": {"": {}}}),
            "service.: found this service's name; allowed is 1 to 64",
        ),
        (json!({"input": "1", "service": {"a\n": {}}}), "service.a\n: found this service's name"),
        (json!({"input": "1", "service": services(MAX_SERVICES + 1)}), "service: found too many services"),
        (
            json!({"input": "1", "service": {"a": {"service": {}}}}),
            "service.a.service: found an unknown field",
        ),
        (json!({"service": {"a": {"input": "1"}}}), "(configuration): found no price of a class"),
    ] {
        let said = decimal(&value).unwrap_err();
        assert!(said.starts_with(error), "{said}");
    }
    assert!(
        decimal(&json!({"input": "1", "above": many(MAX_TIERS), "service": services(MAX_SERVICES)})).is_ok()
    );
}
