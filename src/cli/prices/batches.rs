//! What of an imported list is sent, in requests that a ledger takes. Pure.
//!
//! What must hold: what a list says of the past is no part of it, for nothing was charged by it; and a request is within
//! the ledger's limits.

use faregate_client::Failure;
use faregate_ledger::api::{MAX_PRICES, NewPriceListEntry};
use faregate_ledger::domain::price_import::{ImportedPrices, Reason};
use faregate_protocol::Credits;
use faregate_protocol::prices::ModelPrices;
use jiff::Timestamp;

/// The most bytes of entries in one request: a ledger reads 64 KiB.
const MAX_BATCH_BYTES: usize = 60_000;

/// Imported prices, which are the seller's cost, with the prices that a margin (in millionths) makes of them.
pub type Sold = (ImportedPrices, ModelPrices);

/// What is sold at this margin. What gets too dear is skipped.
pub fn sold(imported: Vec<ImportedPrices>, margin: Credits, skipped: &mut Vec<Reason>) -> Vec<Sold> {
    let mut all = Vec::with_capacity(imported.len());
    for entry in imported {
        let prices = entry.prices.scaled(margin);
        match prices.check() {
            Ok(()) => all.push((entry, prices)),
            Err(why) => skipped.push(Reason { model: entry.model, why: why.to_string() }),
        }
    }
    all
}

/// Of each model what is valid at a time, and what follows. What is valid is set from that time on: `named`, or from
/// whenever the ledger takes it.
pub fn from(all: Vec<Sold>, at: Timestamp, named: bool) -> Vec<NewPriceListEntry> {
    let mut entries: Vec<NewPriceListEntry> = Vec::new();
    for (ImportedPrices { model, prices: cost, valid_from }, prices) in all {
        let valid_from = valid_from.filter(|from| *from > at);
        // Those of a model come by rising time, so an earlier one that is over is the last of these.
        if valid_from.is_none() && entries.last().is_some_and(|last| last.model == model) {
            entries.pop();
        }
        let valid_from = valid_from.or(named.then_some(at));
        entries.push(NewPriceListEntry { model, valid_from, prices, cost: Some(cost) });
    }
    entries
}

/// The entries in parts, each small enough for one request.
pub fn batches(entries: &[NewPriceListEntry]) -> Result<Vec<Vec<NewPriceListEntry>>, Failure> {
    let mut batches: Vec<Vec<NewPriceListEntry>> = Vec::new();
    let mut bytes = usize::MAX;
    for entry in entries {
        let json = serde_json::to_vec(entry).map_err(|why| Failure::new("internal", why))?;
        let more = bytes.saturating_add(json.len()).saturating_add(1);
        if let Some(batch) =
            batches.last_mut().filter(|batch| more <= MAX_BATCH_BYTES && batch.len() < MAX_PRICES)
        {
            batch.push(entry.clone());
            bytes = more;
        } else {
            batches.push(vec![entry.clone()]);
            bytes = json.len();
        }
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_protocol::metering::UsageClass;

    /// At a margin of 2.
    const MARGIN: Credits = Credits::from_micros(2_000_000);

    fn sold_at_margin(imported: Vec<ImportedPrices>) -> Vec<Sold> {
        sold(imported, MARGIN, &mut Vec::new())
    }

    fn imported(model: &str, input: i64, from: Option<i64>) -> ImportedPrices {
        let mut prices = ModelPrices::default();
        prices.base.set(UsageClass::Input, Credits::from_micros(input));
        let valid_from = from.map(|second| Timestamp::from_second(second).unwrap());
        ImportedPrices { model: model.into(), prices, valid_from }
    }

    #[test]
    fn only_what_is_valid_and_what_follows_is_sent() {
        let list = vec![
            imported("a", 1, None),
            imported("a", 2, Some(50)),
            imported("a", 3, Some(200)),
            imported("b", 4, None),
            imported("c", 5, Some(300)),
        ];
        let at = Timestamp::from_second(100).unwrap();
        let short = |named| {
            let entries = from(sold_at_margin(list.clone()), at, named);
            let short = entries.iter().map(|one| {
                let input = |prices: &ModelPrices| prices.base.get(UsageClass::Input).unwrap().micros();
                assert_eq!(input(&one.prices), 2 * input(one.cost.as_ref().unwrap()));
                let input = input(one.cost.as_ref().unwrap());
                (one.model.clone(), input, one.valid_from.map(Timestamp::as_second))
            });
            short.collect::<Vec<_>>()
        };
        let row = |model: &str, input, from| (model.to_owned(), input, from);
        let later = [row("a", 3, Some(200)), row("c", 5, Some(300))];
        let [three, five] = later;
        assert_eq!(short(false), [row("a", 2, None), three.clone(), row("b", 4, None), five.clone()]);
        assert_eq!(short(true), [row("a", 2, Some(100)), three, row("b", 4, Some(100)), five]);
    }

    #[test]
    fn what_a_margin_makes_too_dear_is_skipped() {
        let mut skipped = Vec::new();
        let most = faregate_protocol::credits::MAX_AMOUNT.micros();
        let kept = sold(vec![imported("a", most / 2, None), imported("b", most, None)], MARGIN, &mut skipped);
        assert_eq!(kept.iter().map(|(entry, _)| entry.model.as_str()).collect::<Vec<_>>(), ["a"]);
        assert!(
            skipped.len() == 1 && skipped[0].model == "b" && skipped[0].why.contains("input"),
            "{skipped:?}"
        );
    }

    #[test]
    fn every_request_is_within_the_limits() {
        let name = "m".repeat(100);
        let list = (0..1_200).map(|n| imported(&format!("{name}{n}"), 1, None)).collect();
        let entries = from(sold_at_margin(list), Timestamp::UNIX_EPOCH, false);
        let batches = batches(&entries).unwrap();
        assert_eq!(batches.concat(), entries);
        for batch in &batches {
            let body = serde_json::json!({ "entries": batch }).to_string();
            assert!(
                body.len() <= 64 << 10 && batch.len() <= MAX_PRICES && !batch.is_empty(),
                "{}",
                body.len()
            );
        }
        assert!(batches.len() < 5, "{}", batches.len());
    }
}
