//! Stories about the price list, and about usage by model and tool.

use super::*;
use crate::command::prices::NewPrices;
use faregate_protocol::exchange::{Basis, ModelAnswer, OLDEST};
use faregate_protocol::metering::UsageClass;
use faregate_protocol::prices::ModelPrices;

/// Prices with so many credits per million tokens of input.
fn prices(input: i64) -> ModelPrices {
    let mut prices = ModelPrices::default();
    prices.base.set(UsageClass::Input, credits(input));
    prices.base.set(UsageClass::Output, credits(5 * input));
    prices
}

fn changes(done: &Result<Done, StoreError>) -> (u64, u64, u64) {
    let Ok(Done::Prices(found)) = done else { panic!("{done:?}") };
    (found.changed, found.unchanged, found.removed)
}

impl World {
    fn after(&self, seconds: i64) -> Timestamp {
        Timestamp::from_second(self.second + seconds).unwrap()
    }

    async fn price(&self, all: &[(&str, i64, Option<Timestamp>)]) -> (u64, u64, u64) {
        let new = |(model, input, valid_from): &(&str, i64, Option<Timestamp>)| NewPrices {
            model: (*model).to_owned(),
            prices: prices(*input),
            valid_from: *valid_from,
        };
        changes(&self.run(Command::SetPrices(all.iter().map(new).collect())).await)
    }

    async fn remove_price(&self, model: &str, from: Option<Timestamp>) -> Result<Done, StoreError> {
        self.run(Command::RemovePrices { model: model.into(), from }).await
    }

    /// What a gateway hears of these models: the input price of each, and the number of the newest change.
    async fn ask_prices(&self, models: &[&str]) -> (Vec<Option<i64>>, Option<u64>) {
        let answer = self.ask_in(VERSION, models).await;
        let input = |answer: &ModelAnswer| {
            let price = answer.prices.as_ref()?.base.get(UsageClass::Input)?;
            Some(price.micros() / 1_000_000)
        };
        (answer.models.iter().map(input).collect(), answer.prices)
    }

    async fn ask_in(&self, protocol: u32, models: &[&str]) -> ExchangeResponse {
        let models = models.iter().map(|model| (*model).to_owned()).collect();
        let gateway = "gw".to_owned();
        let request = ExchangeRequest { protocol, gateway, seen: None, entries: vec![], usage: None, models };
        self.store.exchange(request, self.now(), TTL_MS).await.unwrap()
    }
}

pub async fn a_gateway_hears_prices_and_of_every_change(mut world: World) {
    assert_eq!(world.ask_prices(&["gpt-5"]).await, (vec![None], None), "the list has never changed");
    assert_eq!(world.price(&[("gpt-5", 2, None), ("azure/o9", 4, None)]).await, (2, 0, 0));
    let (found, first) = world.ask_prices(&["gpt-5", "o9", "azure/gpt-5", "o1", "azure/o9"]).await;
    assert_eq!(found, [Some(2), Some(4), None, None, Some(4)], "in the order in which they are asked");
    assert!(first.is_some());
    assert_eq!(world.ask_prices(&[]).await, (vec![], first), "each answer has the number");

    world.second += 60;
    assert_eq!(world.price(&[("gpt-5", 2, None)]).await, (0, 1, 0), "what is valid makes no version");
    assert_eq!(world.ask_prices(&[]).await.1, first);
    assert_eq!(world.price(&[("gpt-5", 3, None), ("azure/o9", 4, None)]).await, (1, 1, 0));
    let (found, second) = world.ask_prices(&["gpt-5"]).await;
    assert_eq!(found, [Some(3)]);
    assert!(second > first);
    let versions = world.store.model_prices("gpt-5".into()).await.unwrap().versions;
    assert_eq!(versions.iter().map(|one| &one.prices).collect::<Vec<_>>(), [&prices(2), &prices(3)]);

    changes(&world.remove_price("gpt-5", None).await);
    let (found, third) = world.ask_prices(&["gpt-5"]).await;
    assert_eq!(found, [None]);
    assert!(third > second);
    let again = world.remove_price("gpt-5", None).await;
    assert!(matches!(again, Err(StoreError::Refused(Refusal::NotFound { .. }))), "{again:?}");

    let old = world.ask_in(OLDEST, &["azure/o9"]).await;
    assert_eq!((old.models.len(), old.prices), (0, None), "version 1 knows nothing of prices");
}

pub async fn future_prices_are_heard_when_their_time_comes(mut world: World) {
    let later = world.after(100);
    assert_eq!(world.price(&[("m", 2, None), ("m", 5, Some(later)), ("n", 1, Some(later))]).await, (3, 0, 0));
    let (found, before) = world.ask_prices(&["m", "n"]).await;
    assert_eq!(found, [Some(2), None]);
    let page = world.store.prices(Page { limit: 2, after: None }, world.now()).await.unwrap();
    let short = |page: &api::Prices| {
        page.prices.iter().map(|one| (one.model.clone(), one.valid_from == later)).collect::<Vec<_>>()
    };
    assert_eq!(short(&page), [("m".to_owned(), false), ("m".to_owned(), true)]);
    let rest = world.store.prices(Page { limit: 2, after: page.next }, world.now()).await.unwrap();
    assert_eq!((short(&rest), rest.next), (vec![("n".to_owned(), true)], None));

    world.second += 99;
    assert_eq!(world.ask_prices(&["m"]).await, (vec![Some(2)], before));
    world.second += 1;
    let (found, after) = world.ask_prices(&["m", "n"]).await;
    assert_eq!(found, [Some(5), Some(1)]);
    assert!(after > before, "the number says that something became valid: {before:?} {after:?}");
    let page = world.store.prices(Page { limit: 9, after: None }, world.now()).await.unwrap();
    assert_eq!(
        short(&page),
        [("m".to_owned(), true), ("n".to_owned(), true)],
        "only what is valid, or will be"
    );

    let removed = world.remove_price("m", Some(later)).await;
    assert_eq!(changes(&removed), (0, 0, 1));
    let (found, last) = world.ask_prices(&["m"]).await;
    assert_eq!(found, [Some(2)], "the one before is valid again");
    assert!(last > after);
}

pub async fn usage_by_model_is_booked_once_and_summed(mut world: World) {
    let (acme, other) = (world.customer("acme").await, world.customer("other").await);
    let line = |payer: &str, item: Option<&str>, basis, whole, input, output| {
        let mut used = Quantities::default();
        used.set(UsageClass::Input, input);
        used.set(UsageClass::Output, output);
        let (payer, rule, item) = (payer.to_owned(), "llm".to_owned(), item.map(str::to_owned));
        let (requests, credits, basis) = (1, credits(whole), Some(basis));
        UsageLine { payer, rule, requests, credits, refunds: 0, item, basis, used }
    };
    let lines = vec![
        line(&acme, Some("gpt-5"), Basis::Reported, 5, 900, 10),
        line(&acme, Some("gpt-5"), Basis::Held, 9, 0, 0),
        line(&acme, Some("gpt-5"), Basis::Reported, 1, 100, 5),
        line(&acme, None, Basis::Listed, 1, 0, 0),
        line(&other, Some("haiku"), Basis::Reported, 2, 7, 0),
        line("key_unknown", Some("gpt-5"), Basis::Reported, 5, 900, 10),
    ];
    for (seq, stored) in [(1, 1), (1, 1), (2, 2), (1, 2)] {
        let usage = Some(UsageReport { broker: "b1".into(), seq, lines: lines.clone(), shadow: vec![] });
        let (gateway, entries) = ("gw".to_owned(), vec![]);
        let request =
            ExchangeRequest { protocol: VERSION, gateway, seen: None, entries, usage, models: vec![] };
        let answer = world.store.exchange(request, world.now(), TTL_MS).await.unwrap();
        assert_eq!(answer.usage_seq, Some(stored));
        world.second += 60;
    }
    let all = ItemQuery { limit: 9, ..ItemQuery::default() };
    let found = world.store.usage_by_item(all.clone()).await.unwrap();
    let names: Vec<_> = found.items.iter().map(|one| (one.item.as_deref(), one.requests)).collect();
    assert_eq!(names, [(Some("gpt-5"), 6), (Some("haiku"), 2), (None, 2)], "those that cost the most first");
    let gpt = &found.items[0];
    assert_eq!(gpt.credits, credits(30), "two reports of 15 each");
    assert_eq!(gpt.basis, [("held".to_owned(), 2), ("reported".to_owned(), 4)].into());
    assert_eq!(gpt.used, [("input".to_owned(), 2_000), ("output".to_owned(), 30)].into());
    assert_eq!(found.items[2].used, [].into());
    let total = api::ItemUsageTotal { items: 3, requests: 10, credits: credits(36) };
    assert_eq!(found.total, total);

    let few = world.store.usage_by_item(ItemQuery { limit: 1, ..all.clone() }).await.unwrap();
    assert_eq!((few.items.as_slice(), few.total), (&found.items[..1], total), "what isn't listed counts");
    let hers = ItemQuery { account: Some("other".into()), ..all.clone() };
    assert_eq!(world.store.usage_by_item(hers).await.unwrap().total.credits, credits(4));
    let since = Some(world.after(-60));
    assert_eq!(world.store.usage_by_item(ItemQuery { since, ..all }).await.unwrap().items.len(), 0);
    let plain =
        world.store.usage("acme".into(), UsageQuery { limit: 9, ..UsageQuery::default() }).await.unwrap();
    assert_eq!((plain.total.requests, plain.total.credits), (8, credits(32)), "plain usage has it as well");
    world.assert_audit_passes().await;
}
