//! What requests come to, against a sum that is made in another way.

use super::{MAX_ESTIMATE, MAX_SERVICES, MAX_TIERS, ModelPrices, Rates, ServicePrices, Tier};
use crate::Credits;
use crate::credits::MAX_AMOUNT;
use crate::metering::{MAX_QUANTITY, Quantities, UsageClass};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct People(#[serde(with = "super::decimal")] ModelPrices);

fn prices(written: &serde_json::Value) -> ModelPrices {
    serde_json::from_value::<People>(written.clone()).unwrap().0
}

/// Prices like those of a large model of today.
fn model() -> ModelPrices {
    prices(&json!({
        "input": "5", "cache_read": "0.5", "cache_write": "6.25", "cache_write_1h": "10", "output": "25",
        "search": "0.01",
        "above": [{"input_tokens": 200_000, "input": "10", "cache_read": "1", "output": "37.5"}],
        "service": {"priority": {"input": "10", "output": "50"}, "batch": {"input": "2.5", "output": "12.5"}},
    }))
}

fn used(classes: &[(UsageClass, u64)]) -> Quantities {
    let mut quantities = Quantities::default();
    for (class, count) in classes {
        quantities.set(*class, *count);
    }
    quantities
}

#[test]
fn a_request_costs_the_sum_over_its_classes_rounded_up_once() {
    use UsageClass::{
        AudioCacheRead, CacheRead, CacheWrite, CacheWrite12h, Input, Output, Page, Reasoning, Search,
    };
    let model = model();
    for (classes, service, micros) in [
        (&[][..], None, 0),
        (&[(Input, 100_000)], None, 500_000),
        (&[(Input, 1)], None, 5),
        (&[(CacheRead, 1)], None, 1),
        (&[(CacheRead, 1), (CacheWrite, 1)], None, 7),
        (&[(CacheRead, 2), (CacheWrite, 4)], None, 26),
        (&[(Search, 3)], None, 30_000),
        (&[(Page, 3)], None, 0),
        (&[(Input, 10), (Reasoning, 2), (Output, 1)], None, 125),
        (&[(CacheWrite12h, 4), (AudioCacheRead, 2)], None, 26),
        (&[(Input, 200_000)], None, 1_000_000),
        (&[(Input, 200_001)], None, 2_000_010),
        (&[(CacheRead, 200_000), (CacheWrite, 4), (Output, 2)], None, 200_000 + 25 + 75),
        (&[(Input, 10), (CacheRead, 2), (Output, 1)], Some("priority"), 100 + 1 + 50),
        (&[(Input, 200_010), (CacheRead, 2), (Output, 1)], Some("priority"), 2_000_100 + 2 + 50),
        (&[(Input, 1), (Output, 1)], Some("batch"), 15),
        (&[(Input, 1), (Output, 1)], Some("ultrafast"), 30),
    ] {
        assert_eq!(
            model.cost(&used(classes), service, Credits::ZERO),
            Credits::from_micros(micros),
            "{classes:?} {service:?}"
        );
    }
    let fixed = Credits::from_micros(7);
    assert_eq!(model.cost(&used(&[(CacheRead, 1)]), None, fixed), Credits::from_micros(8));
    let unpriced = used(&[(Page, 1), (Reasoning, 1), (Search, 1)]);
    assert_eq!(model.unpriced(&unpriced, None).collect::<Vec<_>>(), [Page]);
}

#[test]
fn a_hold_covers_the_dearest_prices_of_all_tiers_within_reach() {
    let model = model();
    let hold = |input, output, service| model.hold(input, output, service, Credits::ZERO).micros();
    assert_eq!(hold(1_000, 100, None), 10_000 + 2_500, "the dearest input is a cache write of an hour");
    assert_eq!(hold(200_000, 1, None), 2_000_000 + 25);
    assert_eq!(hold(200_001, 2, None), 2_000_010 + 75);
    assert_eq!(hold(1_000, 100, Some("priority")), 10_000 + 5_000);
    assert_eq!(model.hold(0, 0, None, Credits::from_micros(3)), Credits::from_micros(3));
    let cheaper = prices(&json!({"input": "5", "above": [{"input_tokens": 10, "input": "1"}]}));
    assert_eq!(cheaper.hold(11, 0, None, Credits::ZERO), Credits::from_micros(55), "it may use less than 11");
}

#[test]
fn the_largest_amounts_are_held_at_the_bound() {
    let dear = prices(&json!({"input": "1000000000000", "search": "1000000000000"}));
    let most = used(&UsageClass::ALL.map(|class| (class, u64::MAX)));
    assert_eq!(most.get(UsageClass::Input), MAX_QUANTITY);
    assert_eq!(dear.cost(&most, None, MAX_AMOUNT), MAX_AMOUNT);
    assert_eq!(dear.hold(u64::MAX, u64::MAX, None, Credits::MAX), MAX_AMOUNT);
    let small = prices(&json!({"input": "0.999999"}));
    let most = i64::try_from(MAX_ESTIMATE).unwrap() / 1_000_000 * 999_999;
    assert_eq!(small.hold(u64::MAX, 0, None, Credits::ZERO), Credits::from_micros(most));
    assert_eq!(small.cost(&Quantities::default(), None, Credits::from_micros(-5)), Credits::ZERO);
}

#[test]
fn people_write_decimal_strings_and_the_wire_has_micro_credits() {
    let written = json!({
        "input": "5", "cache_read": "0.5", "search": "0.01",
        "above": [{"input_tokens": 200_000, "input": "10"}, {"input_tokens": 400_000, "input": "20"}],
        "service": {"priority": {"input": "10", "above": [{"input_tokens": 5, "output": "1"}]}},
    });
    let read = prices(&written);
    assert_eq!(serde_json::to_value(People(read.clone())).unwrap(), written);
    let wire = json!({
        "input": 5_000_000, "cache_read": 500_000, "search": 10_000,
        "above": [{"input_tokens": 200_000, "input": 10_000_000}, {"input_tokens": 400_000, "input": 20_000_000}],
        "service": {"priority": {"input": 10_000_000, "above": [{"input_tokens": 5, "output": 1_000_000}]}},
    });
    assert_eq!(serde_json::to_value(&read).unwrap(), wire);
    assert_eq!(serde_json::from_value::<ModelPrices>(wire).unwrap(), read);
    let unsorted = json!({"input": "1", "above": [
        {"input_tokens": 9, "input": "3"}, {"input_tokens": 7, "input": "2"}]});
    assert_eq!(prices(&unsorted).tiers.iter().map(|tier| tier.above).collect::<Vec<_>>(), [7, 9]);
}

#[test]
fn what_is_no_price_is_refused_with_the_field_and_the_cure() {
    let many = |count: usize| (1..=count).map(|n| format!("{{\"input_tokens\": {n}}}")).collect::<Vec<_>>();
    let services = |count: usize| (0..count).map(|n| format!("\"s{n}\": {{}}")).collect::<Vec<_>>().join(",");
    for (text, says) in [
        ("{}", "no class has a price; set \"input\" and \"output\", or \"0\" for what is free"),
        ("5", "an object of prices, such as"),
        (r#"{"input": 5}"#, "expected a decimal string such as \"0.5\" as the price \"input\""),
        (r#"{"input": 5.5}"#, "a decimal string such as \"0.5\" as the price \"input\""),
        (r#"{"input": "-5"}"#, "\"input\": \"-5\" is negative; amounts are never below zero"),
        (r#"{"input": "0.0000001"}"#, "\"input\": \"0.0000001\" is too precise; at most 6 digits"),
        (r#"{"inptu": "5"}"#, "\"inptu\" is no price; use input, cache_read, cache_write"),
        (r#"{"inptu": "5"}"#, "page, above or service"),
        (r#"{"input": "5", "input": "5"}"#, "\"input\" is there twice; remove one"),
        (r#"{"input": "5", "above": [{"input": "1"}]}"#, "a tier has no \"input_tokens\"; set the number"),
        (r#"{"input": "5", "above": [{"input_tokens": 1, "above": []}]}"#, "page or input_tokens"),
        (
            r#"{"input": "5", "above": [{"input_tokens": 7}, {"input_tokens": 7}]}"#,
            "\"above\" has 7 \"input_tokens\"",
        ),
        (r#"{"input": "5", "above": {}}"#, "a list of tiers, such as"),
        (r#"{"input": "5", "service": {"": {}}}"#, "\"service\" has the name \"\"; use 1 to 64 bytes"),
        (r#"{"input": "5", "service": {"a": {}, "a": {}}}"#, "\"service\" has \"a\" twice; remove one"),
        (r#"{"input": "5", "service": {"a": {"service": {}}}}"#, "page or above"),
        (r#"{"input": "5", "service": []}"#, "an object of services, such as"),
        (&format!("{{\"above\": [{}]}}", many(MAX_TIERS + 1).join(",")), "too many tiers; leave at most 8"),
        (
            &format!("{{\"service\": {{{}}}}}", services(MAX_SERVICES + 1)),
            "too many entries; leave at most 8",
        ),
    ] {
        let said = serde_json::from_str::<People>(text).unwrap_err().to_string();
        assert!(said.contains(says), "{text}: {said}");
    }
    for text in [r#"{"input": "5"}"#, r#"{"input": -5}"#, r#"{"input": 1000000000000000001}"#] {
        let said = serde_json::from_str::<ModelPrices>(text).unwrap_err().to_string();
        assert!(said.contains("\"input\""), "{text}: {said}");
    }
    let most = format!("{{\"input\": \"1\", \"above\": [{}]}}", many(MAX_TIERS).join(","));
    assert!(serde_json::from_str::<People>(&most).is_ok());
}

/// The price of a class, found in another way: by going over all places that may have one.
fn price_of(prices: &ModelPrices, service: Option<&str>, input: u64, class: UsageClass) -> i128 {
    fn within<'a>(base: &'a Rates, tiers: &'a [Tier], input: u64) -> Vec<&'a Rates> {
        let tier = tiers.iter().rfind(|tier| tier.above < input);
        tier.map(|tier| &tier.rates).into_iter().chain([base]).collect()
    }
    let listed = service.and_then(|name| prices.services.iter().find(|one| one.0 == name));
    let mut places = listed.map_or(Vec::new(), |(_, one)| within(&one.base, &one.tiers, input));
    places.extend(within(&prices.base, &prices.tiers, input));
    match places.iter().find_map(|rates| rates.get(class)) {
        Some(price) => price.micros().into(),
        None => class.like().map_or(0, |like| price_of(prices, service, input, like)),
    }
}

/// The cost in one integer sum of millionths of a micro-credit.
fn reference(
    prices: &ModelPrices,
    quantities: &Quantities,
    service: Option<&str>,
    fixed: Credits,
) -> Credits {
    let input = quantities.input();
    let mut sum = i128::from(fixed.micros()) * 1_000_000;
    for class in UsageClass::ALL {
        let each = if class.is_tokens() { 1 } else { 1_000_000 };
        sum += price_of(prices, service, input, class) * i128::from(quantities.get(class)) * each;
    }
    let up = sum / 1_000_000 + i128::from(sum % 1_000_000 > 0);
    Credits::from_micros(up.min(MAX_AMOUNT.micros().into()).try_into().unwrap())
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), 0..50_000_000_i64, 0..=MAX_AMOUNT.micros()]
}

fn rates() -> impl Strategy<Value = Rates> {
    proptest::collection::vec(proptest::option::of(amount()), UsageClass::ALL.len()).prop_map(|list| {
        let mut rates = Rates::default();
        for (class, price) in UsageClass::ALL.into_iter().zip(list) {
            if let Some(price) = price {
                rates.set(class, Credits::from_micros(price));
            }
        }
        rates
    })
}

fn tiers() -> impl Strategy<Value = Vec<Tier>> {
    let thresholds = proptest::collection::btree_set(prop_oneof![1..500_u64, 1..1_000_000_u64], 0..4);
    (thresholds, proptest::collection::vec(rates(), 4)).prop_map(|(thresholds, rates)| {
        thresholds.into_iter().zip(rates).map(|(above, rates)| Tier { above, rates }).collect()
    })
}

fn any_prices() -> impl Strategy<Value = ModelPrices> {
    (rates(), tiers(), rates(), tiers()).prop_map(|(mut base, tiers, service, service_tiers)| {
        if base.is_empty() {
            base.set(UsageClass::Input, Credits::ZERO);
        }
        let service = ServicePrices { base: service, tiers: service_tiers };
        ModelPrices { base, tiers, services: vec![("flex".to_owned(), service)] }
    })
}

/// Prices of which none is lower in a higher tier.
fn rising_prices() -> impl Strategy<Value = ModelPrices> {
    (any_prices(), proptest::collection::vec(0..5_000_000_i64, 4)).prop_map(|(mut prices, rises)| {
        let mut last = prices.base;
        for (tier, rise) in prices.tiers.iter_mut().zip(rises) {
            for (class, price) in prices.base.iter() {
                let more = last.get(class).unwrap_or(price).saturating_add(Credits::from_micros(rise));
                last.set(class, more.min(MAX_AMOUNT));
            }
            tier.rates = last;
        }
        prices
    })
}

fn quantities() -> impl Strategy<Value = Quantities> {
    let count = prop_oneof![3 => Just(0), 3 => 0..1_000_u64, 2 => 0..400_000_u64, 1 => 0..=MAX_QUANTITY];
    proptest::collection::vec(count, UsageClass::ALL.len())
        .prop_map(|counts| used(&UsageClass::ALL.into_iter().zip(counts).collect::<Vec<_>>()))
}

fn service() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), Just(Some("flex")), Just(Some("unknown"))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_cost_equals_the_exact_sum_rounded_up(
        prices in any_prices(), quantities in quantities(), service in service(), fixed in amount(),
    ) {
        let fixed = Credits::from_micros(fixed);
        prop_assert_eq!(prices.check(), Ok(()));
        prop_assert_eq!(
            prices.cost(&quantities, service, fixed),
            reference(&prices, &quantities, service, fixed)
        );
    }

    #[test]
    fn more_of_anything_never_costs_less_where_no_tier_is_cheaper(
        prices in rising_prices(), quantities in quantities(), class in 0..UsageClass::ALL.len(), more in 0..400_000_u64,
    ) {
        let mut larger = quantities;
        larger.add(UsageClass::ALL[class], more);
        let cost = |quantities| prices.cost(quantities, None, Credits::ZERO);
        prop_assert!(cost(&larger) >= cost(&quantities));
    }

    #[test]
    fn no_request_within_its_estimate_costs_more_than_its_hold(
        prices in any_prices(), mut quantities in quantities(), service in service(), fixed in amount(), slack in 0..9_u64,
    ) {
        for class in [UsageClass::Search, UsageClass::Second, UsageClass::Page] {
            quantities.set(class, 0);
        }
        let input = quantities.input();
        let output: u64 = quantities.iter().filter(|(class, _)| !class.is_input()).map(|(_, n)| n).sum();
        let fixed = Credits::from_micros(fixed);
        let hold = prices.hold(input + slack, output + slack, service, fixed);
        prop_assert!(prices.cost(&quantities, service, fixed) <= hold);
        prop_assert!(prices.hold(input, output, service, fixed) <= hold, "a larger estimate holds no less");
    }

    #[test]
    fn both_forms_of_json_read_back_as_they_were(prices in any_prices()) {
        let wire = serde_json::to_string(&prices).unwrap();
        prop_assert_eq!(&serde_json::from_str::<ModelPrices>(&wire).unwrap(), &prices);
        let people = People(prices);
        let text = serde_json::to_string(&people).unwrap();
        prop_assert_eq!(serde_json::from_str::<People>(&text).unwrap(), people);
    }
}
