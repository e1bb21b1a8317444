//! Stories about the price list, and about usage by model and tool.

use super::*;
use crate::command::prices::NewPrices;
use faregate_protocol::exchange::{Basis, ModelAnswer, VERSION};
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

/// A model, what it was charged, its cost, the margin, and of how many requests the cost isn't known.
type Earned = (String, i64, Option<i64>, Option<i64>, u64);

fn earned(model: &str, charged: i64, cost: Option<i64>, margin: Option<i64>, unknown: u64) -> Earned {
    (model.to_owned(), charged, cost, margin, unknown)
}

impl World {
    fn after(&self, seconds: i64) -> Timestamp {
        Timestamp::from_second(self.second + seconds).unwrap()
    }

    async fn price(&self, all: &[(&str, i64, Option<Timestamp>)]) -> (u64, u64, u64) {
        let new = |(model, input, valid_from): &(&str, i64, Option<Timestamp>)| NewPrices {
            model: (*model).to_owned(),
            prices: prices(*input),
            cost: None,
            valid_from: *valid_from,
        };
        changes(&self.run(Command::SetPrices(all.iter().map(new).collect())).await)
    }

    async fn remove_price(&self, model: &str, from: Option<Timestamp>) -> Result<Done, StoreError> {
        self.run(Command::RemovePrices { model: model.into(), from }).await
    }

    /// What a gateway hears of these models: the input price of each, and the number of the newest change.
    async fn ask_prices(&self, models: &[&str]) -> (Vec<Option<i64>>, Option<u64>) {
        let answer = self.ask(models).await;
        let input = |answer: &ModelAnswer| {
            let price = answer.prices.as_ref()?.base.get(UsageClass::Input)?;
            Some(price.micros() / 1_000_000)
        };
        (answer.models.iter().map(input).collect(), answer.prices)
    }

    /// Sends a report of one broker; gives the number of its last one that is stored.
    async fn book(&self, seq: u64, lines: Vec<UsageLine>) -> Option<u64> {
        let usage = Some(UsageReport { broker: "b1".into(), seq, lines, ..UsageReport::default() });
        let (gateway, entries) = ("gw".to_owned(), vec![]);
        let request =
            ExchangeRequest { protocol: VERSION, gateway, seen: None, entries, usage, models: vec![] };
        self.store.exchange(request, self.now(), TTL_MS).await.unwrap().usage_seq
    }

    /// Sets the prices of a model to so many credits per million tokens of input, and what it costs the seller.
    async fn price_at_cost(&self, model: &str, input: i64, cost: Option<i64>) -> (u64, u64, u64) {
        let (prices, cost) = (prices(input), cost.map(prices));
        let new = NewPrices { model: model.into(), prices, cost, valid_from: None };
        changes(&self.run(Command::SetPrices(vec![new])).await)
    }

    /// Of models by name: what they were charged, their cost, the margin, and of how many requests the cost isn't known.
    async fn earned(&self, account: Option<&str>) -> Vec<Earned> {
        let account = account.map(str::to_owned);
        let query = ItemQuery { limit: 9, account, ..ItemQuery::default() };
        let found = self.store.usage_by_item(query).await.unwrap();
        let whole = |amount: Credits| amount.micros() / 1_000_000;
        let items = found.items.iter().map(|one| {
            let name = one.item.clone().unwrap_or_default();
            (name, whole(one.credits), one.cost.map(whole), one.margin.map(whole), one.cost_unknown)
        });
        let total = found.total;
        let (cost, margin) = (total.cost.map(whole), total.margin.map(whole));
        let total = ("total".to_owned(), whole(total.credits), cost, margin, total.cost_unknown);
        let mut all: Vec<_> = items.chain([total]).collect();
        all.sort();
        all
    }

    async fn ask(&self, models: &[&str]) -> ExchangeResponse {
        let models = models.iter().map(|model| (*model).to_owned()).collect();
        let gateway = "gw".to_owned();
        let request =
            ExchangeRequest { protocol: VERSION, gateway, seen: None, entries: vec![], usage: None, models };
        self.store.exchange(request, self.now(), TTL_MS).await.unwrap()
    }
}

/// A request to a model, and what it was charged.
fn line(payer: &str, item: Option<&str>, basis: Basis, whole: i64, input: u64, output: u64) -> UsageLine {
    let mut used = Quantities::default();
    used.set(UsageClass::Input, input);
    used.set(UsageClass::Output, output);
    let (payer, rule, item) = (payer.to_owned(), "llm".to_owned(), item.map(str::to_owned));
    let (requests, credits, basis) = (1, credits(whole), Some(basis));
    UsageLine { payer, rule, requests, credits, refunds: 0, item, basis, used, product: None }
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
    let lines = vec![
        line(&acme, Some("gpt-5"), Basis::Reported, 5, 900, 10),
        line(&acme, Some("gpt-5"), Basis::Held, 9, 0, 0),
        line(&acme, Some("gpt-5"), Basis::Reported, 1, 100, 5),
        line(&acme, None, Basis::Listed, 1, 0, 0),
        line(&other, Some("haiku"), Basis::Reported, 2, 7, 0),
        line("key_unknown", Some("gpt-5"), Basis::Reported, 5, 900, 10),
    ];
    for (seq, stored) in [(1, 1), (1, 1), (2, 2), (1, 2)] {
        assert_eq!(world.book(seq, lines.clone()).await, Some(stored));
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
    let (cost, margin, cost_unknown) = (None, None, 10);
    let total =
        api::ItemUsageTotal { items: 3, requests: 10, credits: credits(36), cost, margin, cost_unknown };
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

pub async fn usage_shows_what_models_cost_their_seller_and_what_is_left(mut world: World) {
    const MILLION: u64 = 1_000_000;
    let (acme, other) = (world.customer("acme").await, world.customer("other").await);
    world.price_at_cost("openai/gpt-5", 3, Some(2)).await;
    world.price_at_cost("haiku", 9, None).await;
    let reported = |payer: &str, model: &str, charged, input, output| {
        line(payer, Some(model), Basis::Reported, charged, input, output)
    };
    let first = vec![
        reported(&acme, "gpt-5", 18, MILLION, MILLION),
        // A plan's discount lowers the margin, not the cost.
        reported(&other, "gpt-5", 9, MILLION, MILLION),
        reported(&acme, "haiku", 9, MILLION, 0),
        line(&acme, Some("gpt-5"), Basis::Held, 7, 0, 0),
        line(&acme, Some("search"), Basis::Listed, 1, 0, 0),
        // A charge that was released is neither charged nor a cost.
        UsageLine { requests: 0, refunds: 5, basis: None, ..line(&acme, None, Basis::Listed, 0, 0, 0) },
    ];
    for _ in 0..2 {
        assert_eq!(world.book(1, first.clone()).await, Some(1));
    }
    let gpt = earned("gpt-5", 34, Some(24), Some(3), 1);
    let all = [
        gpt.clone(),
        earned("haiku", 9, None, None, 1),
        earned("search", 1, None, None, 1),
        earned("total", 44, Some(24), Some(3), 3),
    ];
    assert_eq!(world.earned(None).await, all);
    let of_other = [earned("gpt-5", 9, Some(12), Some(-3), 0), earned("total", 9, Some(12), Some(-3), 0)];
    assert_eq!(world.earned(Some("other")).await, of_other, "he gets it below its cost");

    // What was booked stays, whatever changes later.
    world.second += 60;
    world.price_at_cost("openai/gpt-5", 3, Some(1)).await;
    world.price_at_cost("haiku", 9, Some(4)).await;
    assert_eq!(world.earned(None).await, all);
    let second = vec![reported(&acme, "gpt-5", 3, MILLION, 0), reported(&acme, "haiku", 9, MILLION, 0)];
    world.book(2, second).await;
    let all = [
        earned("gpt-5", 37, Some(25), Some(5), 1),
        earned("haiku", 18, Some(4), Some(5), 1),
        earned("search", 1, None, None, 1),
        earned("total", 56, Some(29), Some(10), 3),
    ];
    assert_eq!(world.earned(None).await, all);
    world.assert_audit_passes().await;
}

pub async fn a_models_cost_stays_until_another_is_set(mut world: World) {
    let costs = async |world: &World| {
        let found = world.store.model_prices("m".into()).await.unwrap();
        found.versions.into_iter().map(|one| (one.prices, one.cost)).collect::<Vec<_>>()
    };
    assert_eq!(world.price_at_cost("m", 3, Some(2)).await, (1, 0, 0));
    assert_eq!(world.price_at_cost("m", 3, Some(2)).await, (0, 1, 0));
    assert_eq!(world.price_at_cost("m", 3, None).await, (0, 1, 0));
    world.second += 60;
    assert_eq!(world.price_at_cost("m", 4, None).await, (1, 0, 0));
    world.second += 60;
    assert_eq!(world.price_at_cost("m", 4, Some(1)).await, (1, 0, 0), "a new cost is a new version");
    let all = [(3, 2), (4, 2), (4, 1)].map(|(price, cost)| (prices(price), Some(prices(cost))));
    assert_eq!(costs(&world).await, all);
}
