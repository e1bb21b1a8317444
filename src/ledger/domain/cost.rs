//! What metered requests cost the seller: what his provider charges him, by the price list's `cost`.
//!
//! What must hold: a cost is one sum over what was used, rounded up once. It doesn't depend on what callers were charged, so a
//! plan's discount lowers the margin and not the cost. What isn't known has no cost; it is never taken for nothing.

use super::price_list::PriceList;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Basis, UsageLine};
use jiff::Timestamp;

/// What the requests of a usage line cost together, at a time. `None`: that isn't known.
pub fn of_line(list: &PriceList, line: &UsageLine, at: Timestamp) -> Option<Credits> {
    let model = line.item.as_deref()?;
    // On another basis a line doesn't say what was used.
    if !matches!(line.basis, Some(Basis::Reported | Basis::Estimated)) {
        return None;
    }
    let cost = list.find(model, None, at).ok()?.cost.as_ref()?;
    cost.cost_of_many(&line.used, line.requests)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::price_list::Listed;
    use faregate_protocol::metering::{Quantities, UsageClass};
    use faregate_protocol::prices::{ModelPrices, Rates, Tier};

    const INPUT: UsageClass = UsageClass::Input;
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn rates(micros: &[(UsageClass, i64)]) -> Rates {
        let mut rates = Rates::default();
        for (class, micros) in micros {
            rates.set(*class, Credits::from_micros(*micros));
        }
        rates
    }

    /// A list with a model that costs so much.
    fn list(model: &str, cost: Option<ModelPrices>) -> PriceList {
        let prices = ModelPrices { base: rates(&[(INPUT, 9_000_000)]), ..ModelPrices::default() };
        let mut list = PriceList::default();
        list.add([Listed { model: model.into(), prices, cost, valid_from: NOW }]).unwrap();
        list
    }

    fn line(requests: u64, basis: Basis, used: &[(UsageClass, u64)]) -> UsageLine {
        let mut quantities = Quantities::default();
        for (class, quantity) in used {
            quantities.set(*class, *quantity);
        }
        UsageLine {
            payer: "key_1".into(),
            rule: "chat".into(),
            requests,
            credits: Credits::from_micros(1),
            refunds: 0,
            item: Some("gpt-5".into()),
            basis: Some(basis),
            used: quantities,
            product: None,
        }
    }

    fn cost(list: &PriceList, line: &UsageLine) -> Option<i64> {
        of_line(list, line, NOW).map(Credits::micros)
    }

    #[test]
    fn a_line_is_summed_and_rounded_up_once() {
        let prices = ModelPrices {
            base: rates(&[(INPUT, 1_250_000), (UsageClass::Output, 10_000_000)]),
            ..ModelPrices::default()
        };
        let list = list("gpt-5", Some(prices));
        let used = [(INPUT, 3), (UsageClass::CacheRead, 1), (UsageClass::Reasoning, 2)];
        // 4 × 1.25 + 2 × 10
        assert_eq!(cost(&list, &line(7, Basis::Reported, &used)), Some(25));
        assert_eq!(cost(&list, &line(7, Basis::Estimated, &[(INPUT, 1)])), Some(2));
        assert_eq!(cost(&list, &line(7, Basis::Reported, &[])), Some(0), "using nothing costs nothing");
    }

    #[test]
    fn the_mean_input_chooses_the_tier() {
        let tiers = vec![Tier { above: 100, rates: rates(&[(INPUT, 2_000_000)]) }];
        let prices = ModelPrices { base: rates(&[(INPUT, 1_000_000)]), tiers, ..ModelPrices::default() };
        let list = list("gpt-5", Some(prices));
        for (requests, input, micros) in
            [(1, 100, 100), (1, 101, 202), (3, 300, 300), (3, 301, 602), (0, 101, 202)]
        {
            let line = line(requests, Basis::Reported, &[(INPUT, input)]);
            assert_eq!(cost(&list, &line), Some(micros), "{requests} requests of {input}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_taken_for_nothing() {
        let prices = ModelPrices { base: rates(&[(INPUT, 1_000_000)]), ..ModelPrices::default() };
        let known = list("openai/gpt-5", Some(prices.clone()));
        let usual = line(1, Basis::Reported, &[(INPUT, 10)]);
        assert_eq!(cost(&known, &usual), Some(10), "a model is found as for its price");
        assert_eq!(cost(&list("gpt-5", None), &usual), None);
        assert_eq!(cost(&list("gpt-6", Some(prices)), &usual), None);
        assert_eq!(cost(&known, &UsageLine { item: None, ..usual.clone() }), None);
        assert_eq!(cost(&known, &UsageLine { basis: None, ..usual }), None);
        assert_eq!(cost(&known, &line(1, Basis::Held, &[])), None, "it isn't said what was used");
        assert_eq!(cost(&known, &line(1, Basis::Listed, &[])), None);
        assert_eq!(cost(&known, &line(1, Basis::Reported, &[(INPUT, 1), (UsageClass::Search, 1)])), None);
    }
}
