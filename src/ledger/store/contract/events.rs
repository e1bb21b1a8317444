//! What every store must do about events, and about their deliveries.

use super::{TTL_MS, World, asking, credits, ending, report};
use crate::api::{self, EventKind};
use crate::command::admin::{Command, Done};
use crate::command::mail::NewAddress;
use crate::command::webhooks::{Attempted, DeliveryOutcome, NewWebhook, Secret, WebhookTurn};
use crate::domain::fault::FaultKind;
use crate::domain::mail::MAX_PER_HOUR;
use crate::domain::outgoing::Message;
use crate::domain::webhook::{DeliveryState, WebhookState};
use crate::domain::{MailId, WebhookId};
use crate::store::rows::DeliveryKey;
use crate::store::{EventQuery, Page};
use faregate_protocol::RefusalCode;
use faregate_protocol::exchange::{ExchangeRequest, RefusalLine, UsageReport, VERSION};
use jiff::Timestamp;

impl World {
    /// What happened about an account, oldest first.
    async fn happened(&self, account: &str) -> Vec<api::Event> {
        let page = Page { limit: 1_000, after: None };
        let query = EventQuery { account: Some(account.into()), page, ..EventQuery::default() };
        let mut events = self.store.events(query).await.unwrap().events;
        events.reverse();
        for (number, event) in events.iter().enumerate() {
            assert_eq!(usize::try_from(event.sequence), Ok(number + 1), "{event:?}");
        }
        events
    }

    async fn kinds(&self, account: &str) -> Vec<String> {
        self.happened(account).await.into_iter().map(|event| event.kind).collect()
    }

    async fn alert(&self, account: Option<&str>, below: Option<i64>) -> api::Alerts {
        let asked = api::NewAlerts { balance_below: below.map(credits) };
        let set = Command::SetAlerts { account: account.map(str::to_owned), asked };
        match self.run(set).await.unwrap() {
            Done::Alerts(alerts) => alerts,
            other => panic!("{other:?}"),
        }
    }

    async fn endpoint(&self, name: &str, kinds: Option<Vec<EventKind>>, account: Option<&str>) {
        let id = WebhookId::stored(name.into());
        let (url, account) = ("https://example.com/".to_owned(), account.map(str::to_owned));
        let new = NewWebhook { id, url, kinds, account, secret: Secret([1; 32]) };
        self.run(Command::CreateWebhook(new)).await.unwrap();
    }

    async fn turn_webhook(&self, name: &str, turn: WebhookTurn) -> api::Webhook {
        match self.run(Command::TurnWebhook { id: name.into(), turn }).await.unwrap() {
            Done::Webhook(webhook) => webhook,
            other => panic!("{other:?}"),
        }
    }

    /// Claims what an endpoint is due now.
    async fn claim(&self, name: &str) -> Vec<(DeliveryKey, u32, Message)> {
        let row = self.store.webhook_row(name.into()).await.unwrap();
        let busy = self.store.busy_webhooks(self.now()).await.unwrap();
        if !busy.iter().any(|found| found.no == row.no && found.state == WebhookState::Active) {
            return Vec::new();
        }
        let mut claimed = self.store.claim_deliveries(row.no, 100, self.now()).await.unwrap();
        claimed.sort_by_key(|(place, ..)| *place);
        claimed
    }

    /// Says what came of an attempt.
    async fn attempted(
        &self,
        (place, attempt, _): &(DeliveryKey, u32, Message),
        error: Option<&str>,
    ) -> DeliveryOutcome {
        let (status, error) = (Some(if error.is_some() { 500 } else { 200 }), error.map(str::to_owned));
        let what = Attempted { place: *place, attempt: *attempt, status, error, is_final: false, jitter: 0 };
        self.store.attempted(what, self.now()).await.unwrap()
    }

    fn seconds_later(&self, seconds: i64) -> Self {
        Self { second: self.second + seconds, store: self.store.clone() }
    }
}

fn names(claimed: &[(DeliveryKey, u32, Message)]) -> Vec<String> {
    let name =
        |message: &Message| format!("{} {}", message.account.as_deref().unwrap_or("-"), message.sequence);
    claimed.iter().map(|(_, _, message)| name(message)).collect()
}

pub async fn a_low_balance_is_announced_once_per_crossing(world: World) {
    world.customer("acme").await;
    world.give("acme", 20, None).await.unwrap();
    assert!(world.alert(None, Some(15)).await.is_default);
    world.exchange_entry("gw", asking(report("key_acme", 1, 0, 0), 12, 12)).await;
    assert_eq!(world.kinds("acme").await, ["grant.given"], "what is in a lease is still there");
    for spent in [5, 6, 7] {
        world.exchange_entry("gw", report("key_acme", 1, spent, 0)).await;
    }
    assert_eq!(world.kinds("acme").await, ["grant.given", "balance.low"]);
    let low = world.happened("acme").await.remove(1);
    assert_eq!((&low.data["left"], &low.data["below"]), (&"14".into(), &"15".into()), "{low:?}");
    assert_eq!(low.id.len(), "event_".len() + 34);
    world.give("acme", 1, None).await.unwrap();
    assert!(!world.alert(Some("acme"), Some(14)).await.low, "14 are left");
    let after = ["grant.given", "balance.low", "grant.given", "balance.recovered"];
    assert_eq!(world.kinds("acme").await, after);
    world.exchange_entry("gw", report("key_acme", 1, 7, 3)).await;
    world.exchange_entry("gw", ending("key_acme", 1, 8)).await;
    world.exchange_entry("gw", ending("key_acme", 1, 8)).await;
    assert_eq!(world.kinds("acme").await.len(), 5, "again, and once however often it is said");
    let shown = world.store.alerts(Some("acme".into())).await.unwrap();
    assert_eq!((shown.balance_below, shown.is_default, shown.low), (Some(credits(14)), false, true));
    assert_eq!(world.store.alerts(None).await.unwrap().balance_below, Some(credits(15)));
    world.assert_audit_passes().await;
}

pub async fn a_renewal_announces_no_low_balance(mut world: World) {
    world.customer("acme").await;
    world.alert(Some("acme"), Some(15)).await;
    world.plan("pro", 20, 0).await;
    world.subscribe("acme", "pro", 0).await.unwrap();
    world.exchange_entry("gw", asking(report("key_acme", 1, 0, 0), 4, 4)).await;
    world.exchange_entry("gw", ending("key_acme", 1, 4)).await;
    world.second += 32 * 86_400;
    // The quota lapses before the job that renews comes.
    world.store.expire(world.now()).await.unwrap();
    assert_eq!(world.balance("acme").await[0], 0);
    world.store.renew(world.now()).await.unwrap();
    assert_eq!(world.kinds("acme").await, ["subscription.started", "subscription.renewed"]);
    assert_eq!(world.balance("acme").await[0], 20);
    world.assert_audit_passes().await;
}

pub async fn percentages_of_a_quota_are_announced_once_per_period(mut world: World) {
    world.customer("acme").await;
    world.plan("pro", 10, 0).await;
    world.subscribe("acme", "pro", 0).await.unwrap();
    world.give("acme", 100, None).await.unwrap();
    let percents = async |world: &World| {
        let used = world.happened("acme").await.into_iter().filter(|event| event.kind == "quota.used");
        used.map(|event| event.data["percent"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    world.exchange_entry("gw", asking(report("key_acme", 1, 0, 0), 40, 40)).await;
    let mut expected = Vec::new();
    for (spent, percent) in [(4, None), (5, Some(50)), (7, None), (9, Some(80)), (30, Some(100)), (35, None)]
    {
        world.exchange_entry("gw", report("key_acme", 1, spent, 0)).await;
        expected.extend(percent);
        assert_eq!(percents(&world).await, expected, "after {spent}");
    }
    world.exchange_entry("gw", ending("key_acme", 1, 35)).await;
    world.second += 32 * 86_400;
    world.store.expire(world.now()).await.unwrap();
    world.store.renew(world.now()).await.unwrap();
    assert_eq!(percents(&world).await, expected, "what lapses isn't used");
    world.exchange_entry("gw", asking(report("key_acme", 2, 0, 0), 10, 10)).await;
    world.exchange_entry("gw", report("key_acme", 2, 6, 0)).await;
    assert_eq!(percents(&world).await, [50, 80, 100, 50]);
}

pub async fn events_are_delivered_in_order_by_one_ledger_at_a_time(world: World) {
    for account in ["acme", "bolt"] {
        world.customer(account).await;
    }
    world.endpoint("all", None, None).await;
    world.endpoint("some", Some(vec![EventKind::KeyRevoked]), Some("bolt")).await;
    for account in ["acme", "acme", "bolt"] {
        world.give(account, 5, None).await.unwrap();
    }
    world.run(Command::RevokeKey { id: "key_bolt".into() }).await.unwrap();
    assert_eq!(names(&world.claim("some").await), ["bolt 2"]);
    let claimed = world.claim("all").await;
    assert_eq!(names(&claimed), ["acme 1", "bolt 1"], "the next ones wait for these");
    assert_eq!(world.claim("all").await, [], "they are being tried");
    let [acme, bolt] = &claimed[..] else { panic!() };
    assert_eq!(world.attempted(acme, Some("no")).await, DeliveryOutcome::Again);
    assert_eq!(world.attempted(bolt, None).await, DeliveryOutcome::Delivered);
    assert_eq!(world.attempted(bolt, Some("late")).await, DeliveryOutcome::Overtaken);
    assert_eq!(names(&world.claim("all").await), ["bolt 2"]);
    let soon = world.seconds_later(6);
    assert_eq!(names(&soon.claim("all").await), ["acme 1"], "tried again, and before the next");
    // The ledger that claimed them is gone: another one takes them over.
    let crashed = world.seconds_later(120);
    let again = crashed.claim("all").await;
    assert_eq!(names(&again), ["acme 1", "bolt 2"]);
    assert_eq!(again[0].1, 3, "the third attempt");
    assert_eq!(
        world.attempted(acme, None).await,
        DeliveryOutcome::Overtaken,
        "the first one's result is late"
    );
    for delivery in &again {
        assert_eq!(crashed.attempted(delivery, None).await, DeliveryOutcome::Delivered);
    }
    assert_eq!(names(&crashed.claim("all").await), ["acme 2"]);
    let page = Page { limit: 10, after: None };
    let all = world.store.deliveries("all".into(), None, page).await.unwrap().deliveries;
    assert_eq!(all.len(), 4);
    let first = all.iter().find(|one| one.account.as_deref() == Some("acme") && one.sequence == 1).unwrap();
    assert_eq!((first.attempts, first.status, first.error.clone()), (3, Some(200), None));
    assert_eq!(world.store.waiting_deliveries().await.unwrap(), 2, "one of each");
}

pub async fn an_endpoint_is_given_up_after_three_days_and_keeps_its_events(world: World) {
    world.customer("acme").await;
    world.endpoint("all", None, None).await;
    world.give("acme", 5, None).await.unwrap();
    let delivery = world.claim("all").await.remove(0);
    world.attempted(&delivery, Some("down")).await;
    let later = world.seconds_later(3 * 86_400 + 1);
    let delivery = later.claim("all").await.remove(0);
    assert_eq!(later.attempted(&delivery, Some("down")).await, DeliveryOutcome::GivenUp);
    let shown = world.store.webhook("all".into(), later.now()).await.unwrap();
    assert_eq!((shown.state, shown.waiting), (WebhookState::Failing, Some(1)));
    assert!(shown.note.unwrap().contains("down"));
    world.give("acme", 5, None).await.unwrap();
    assert_eq!(later.claim("all").await, []);
    later.turn_webhook("all", WebhookTurn::Resume).await;
    let claimed = later.claim("all").await;
    assert_eq!(names(&claimed), ["acme 1"]);
    assert_eq!(
        later.attempted(&claimed[0], Some("down")).await,
        DeliveryOutcome::Again,
        "it has three days again"
    );
}

pub async fn a_replay_delivers_again_what_an_endpoint_wants(mut world: World) {
    for account in ["acme", "bolt"] {
        world.customer(account).await;
        world.give(account, 1, None).await.unwrap();
    }
    world.second += 10;
    for _ in 0..3 {
        world.give("acme", 1, None).await.unwrap();
    }
    world.endpoint("late", Some(vec![EventKind::GrantGiven]), Some("acme")).await;
    world.run(Command::RevokeKey { id: "key_acme".into() }).await.unwrap();
    assert_eq!(world.claim("late").await, []);
    let since = Timestamp::from_second(world.second - 5).unwrap();
    let turned = world.turn_webhook("late", WebhookTurn::Replay(since)).await;
    assert_eq!(turned.replaying_since, Some(since));
    let step = async |world: &World| {
        let row = world.store.webhook_row("late".into()).await.unwrap();
        world.store.replay(&row, world.now()).await.unwrap()
    };
    while step(&world).await {}
    let mut delivered = Vec::new();
    loop {
        let claimed = world.claim("late").await;
        let Some(delivery) = claimed.first() else { break };
        world.attempted(delivery, None).await;
        delivered.extend(names(&claimed));
    }
    assert_eq!(delivered, ["acme 2", "acme 3", "acme 4"]);
    let shown = world.store.webhook("late".into(), world.now()).await.unwrap();
    assert_eq!((shown.replaying_since, shown.waiting), (None, Some(0)));
    world.turn_webhook("late", WebhookTurn::Replay(Timestamp::UNIX_EPOCH)).await;
    while step(&world).await {}
    assert_eq!(names(&world.claim("late").await), ["acme 1"], "all again, from the first");
    world.turn_webhook("late", WebhookTurn::Delete).await;
    assert_eq!(world.store.waiting_deliveries().await.unwrap(), 0);
    assert!(world.store.webhook("late".into(), world.now()).await.is_err());
}

pub async fn an_end_that_is_near_is_announced_once(mut world: World) {
    const DAY: i64 = 86_400;
    world.customer("acme").await;
    world.give("acme", 5, Some(40 * DAY)).await.unwrap();
    world.plan("pro", 10, 0).await;
    world.subscribe("acme", "pro", 0).await.unwrap();
    let announced = async |world: &World| {
        world.store.announce_endings(world.now()).await.unwrap();
        let kinds = world.kinds("acme").await.into_iter().filter(|kind| kind.ends_with("_soon"));
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(announced(&world).await, [""; 0]);
    world.second += 29 * DAY;
    let first = announced(&world).await;
    assert_eq!(first, ["subscription.renews_soon"]);
    assert_eq!(
        world.store.announce_endings(world.now()).await.unwrap(),
        0,
        "what was said isn't found again"
    );
    world.second += 5 * DAY;
    world.store.renew(world.now()).await.unwrap();
    assert_eq!(announced(&world).await, ["subscription.renews_soon", "grant.expires_soon"]);
    assert_eq!(announced(&world).await.len(), 2);
    world.second += 23 * DAY;
    assert_eq!(announced(&world).await.len(), 3, "the next period's end");
}

pub async fn events_are_kept_for_a_month(mut world: World) {
    world.customer("acme").await;
    world.endpoint("all", None, None).await;
    world.give("acme", 1, None).await.unwrap();
    world.turn_webhook("all", WebhookTurn::Pause).await;
    world.second += 31 * 86_400;
    world.give("acme", 1, None).await.unwrap();
    while world.store.prune(world.now()).await.unwrap() > 0 {}
    let page = Page { limit: 10, after: None };
    let left = world.store.events(EventQuery { page, ..EventQuery::default() }).await.unwrap().events;
    assert_eq!(left.iter().map(|event| event.sequence).collect::<Vec<_>>(), [2]);
    assert_eq!(world.store.waiting_deliveries().await.unwrap(), 1);
    world.turn_webhook("all", WebhookTurn::Resume).await;
    assert_eq!(names(&world.claim("all").await), ["acme 2"]);
}

impl World {
    /// What a gateway has refused.
    async fn refuses(&self, gateway: &str, seq: u64, payer: &str, code: RefusalCode) {
        let line = RefusalLine { payer: Some(payer.into()), rule: "default".into(), code, requests: 2 };
        let usage =
            Some(UsageReport { broker: "b1".into(), seq, refused: vec![line], ..UsageReport::default() });
        let (gateway, entries) = (gateway.to_owned(), vec![]);
        let request =
            ExchangeRequest { protocol: VERSION, gateway, seen: None, entries, usage, models: vec![] };
        self.store.exchange(request, self.now(), TTL_MS).await.unwrap();
    }
}

pub async fn refusals_are_announced_once_until_they_are_over(mut world: World) {
    use RefusalCode::{AccountBudgetExhausted, InsufficientFunds, RateLimited};
    let key = world.customer("acme").await;
    let refusals = async |world: &World| {
        let all = world.kinds("acme").await;
        all.into_iter().filter(|kind| kind.starts_with("refusals.")).collect::<Vec<_>>()
    };
    world.refuses("a", 1, &key, RateLimited).await;
    assert_eq!(refusals(&world).await, [""; 0], "the caller is too quick, which the account can't end");
    for (gateway, seq) in [("a", 2), ("b", 1), ("b", 1), ("a", 3)] {
        world.refuses(gateway, seq, &key, InsufficientFunds).await;
    }
    assert_eq!(refusals(&world).await, ["refusals.began"]);
    world.second += 3_000;
    world.refuses("a", 4, &key, InsufficientFunds).await;
    world.second += 3_000;
    world.store.announce_endings(world.now()).await.unwrap();
    assert_eq!(refusals(&world).await, ["refusals.began"], "the last report is not an hour old");
    world.give("acme", 5, None).await.unwrap();
    assert_eq!(refusals(&world).await, ["refusals.began", "refusals.ended"]);
    world.second += 5;
    world.refuses("b", 2, &key, InsufficientFunds).await;
    assert_eq!(refusals(&world).await.len(), 2, "it was refused before it was cured");
    world.second += 11;
    world.refuses("b", 3, &key, AccountBudgetExhausted).await;
    assert_eq!(refusals(&world).await.len(), 3, "it begins again");
    world.second += 3_601;
    world.give("acme", 5, None).await.unwrap();
    assert_eq!(refusals(&world).await.len(), 3, "credits don't cure a budget");
    world.store.announce_endings(world.now()).await.unwrap();
    let ended = world.happened("acme").await.pop().unwrap();
    assert_eq!((ended.kind.as_str(), &ended.data["cured"]), ("refusals.ended", &false.into()), "{ended:?}");
    world.second += 60;
    while world.store.announce_endings(world.now()).await.unwrap() > 0 {}
    assert_eq!(refusals(&world).await.len(), 4, "and is forgotten");
    world.assert_audit_passes().await;
}

pub async fn what_is_wrong_with_the_ledger_has_numbers_of_its_own(mut world: World) {
    let seen = [FaultKind::GatewaysDenied, FaultKind::NotCharged];
    world.endpoint("all", None, None).await;
    for _ in 0..3 {
        world.store.see_faults(seen.to_vec(), world.now()).await.unwrap();
    }
    world.second += 601;
    world.store.see_faults(vec![FaultKind::NotCharged], world.now()).await.unwrap();
    world.second += 601;
    world.store.see_faults(vec![], world.now()).await.unwrap();
    let page = Page { limit: 10, after: None };
    let mut all = world.store.events(EventQuery { page, ..EventQuery::default() }).await.unwrap().events;
    all.reverse();
    let said: Vec<_> = all
        .iter()
        .map(|event| format!("{} {} {}", event.sequence, event.kind, event.data["fault"].as_str().unwrap()))
        .collect();
    let expected = [
        "1 ledger.fault gateways_denied",
        "2 ledger.fault not_charged",
        "3 ledger.fault_over gateways_denied",
        "4 ledger.fault_over not_charged",
    ];
    assert_eq!(said, expected);
    assert!(all.iter().all(|event| event.account.is_none()));
    assert_eq!(names(&world.claim("all").await), ["- 1"]);
}

impl World {
    async fn mail(&self, name: &str, account: Option<&str>, kinds: Option<Vec<EventKind>>) {
        let (id, account) = (MailId::stored(name.into()), account.map(str::to_owned));
        let new = NewAddress { id, address: format!("{name}@example.com"), kinds, account };
        self.run(Command::AddMailAddress(new)).await.unwrap();
    }

    /// Claims the mails that are due now, and says what comes of each.
    async fn post(&self, outcome: impl Fn(&str) -> (Option<&'static str>, bool)) -> Vec<String> {
        let mut sent = Vec::new();
        for (mail, attempt) in self.store.claim_mails(100, self.now()).await.unwrap() {
            let (error, is_final) = outcome(&mail.address);
            let (place, status) = (mail.place, Some(if error.is_some() { 451 } else { 250 }));
            let error = error.map(str::to_owned);
            let what = Attempted { place, attempt, status, error, is_final, jitter: 0 };
            let came = self.store.attempted(what, self.now()).await.unwrap();
            let account = mail.message.account.as_deref().unwrap_or("-");
            sent.push(format!("{} {account} {} {came:?}", mail.id, mail.message.sequence));
        }
        sent.sort();
        sent
    }
}

pub async fn mails_wait_in_order_and_are_given_up_alone(mut world: World) {
    for account in ["acme", "bolt"] {
        world.customer(account).await;
    }
    world.mail("all", None, None).await;
    world.mail("acme", Some("acme"), Some(vec![EventKind::GrantGiven])).await;
    for account in ["acme", "acme", "bolt"] {
        world.give(account, 5, None).await.unwrap();
    }
    world.run(Command::RevokeKey { id: "key_acme".into() }).await.unwrap();
    assert_eq!(world.store.waiting_mails().await.unwrap(), 6);
    let first = world.post(|address| (address.starts_with("acme").then_some("no"), true)).await;
    assert_eq!(first, ["acme acme 1 GivenUp", "all acme 1 Delivered", "all bolt 1 Delivered"]);
    let second = world.post(|_| (Some("down"), false)).await;
    assert_eq!(
        second,
        ["acme acme 2 Again", "all acme 2 Again"],
        "the next ones, whatever came of the first"
    );
    assert_eq!(world.post(|_| (None, false)).await, [""; 0], "they wait");
    // A mail that fails for three days is given up, and what comes after it is sent.
    world.second += 3 * 86_400 + 1;
    let late = world.post(|_| (Some("down"), false)).await;
    assert_eq!(late, ["acme acme 2 GivenUp", "all acme 2 GivenUp"]);
    assert_eq!(world.post(|_| (None, false)).await, ["all acme 3 Delivered"]);
    let page = || Page { limit: 10, after: None };
    let shown = world.store.mail_addresses(None, page()).await.unwrap().addresses;
    let counts: Vec<_> = shown.iter().map(|one| (one.id.as_str(), one.waiting, one.given_up)).collect();
    assert_eq!(counts, [("all", Some(0), Some(1)), ("acme", Some(0), Some(2))]);
    let own = world.store.mail_addresses(Some("acme".into()), page()).await.unwrap().addresses;
    assert_eq!(own.len(), 1);
    let mails =
        world.store.mails("acme".into(), Some(DeliveryState::GivenUp), page()).await.unwrap().deliveries;
    assert_eq!(
        mails.iter().map(|mail| (mail.sequence, mail.delivered_at)).collect::<Vec<_>>(),
        [(2, None), (1, None)]
    );
    // Too many within an hour are counted.
    for _ in 0..25 {
        world.give("bolt", 1, None).await.unwrap();
    }
    let mut lately = Vec::new();
    while let Some((mail, attempt)) = world.store.claim_mails(1, world.now()).await.unwrap().pop() {
        lately.push(mail.lately);
        let (place, status) = (mail.place, Some(250));
        let what = Attempted { place, attempt, status, error: None, is_final: false, jitter: 0 };
        world.store.attempted(what, world.now()).await.unwrap();
    }
    let expected: Vec<i64> = (0..25).map(|number| number.min(MAX_PER_HOUR)).collect();
    assert_eq!(lately, expected);
    world.run(Command::DeleteMailAddress { id: "all".into() }).await.unwrap();
    world.give("bolt", 1, None).await.unwrap();
    assert_eq!(world.store.waiting_mails().await.unwrap(), 0);
    assert!(world.store.mail_address("all".into()).await.is_err());
}

pub async fn one_event_is_delivered_again(world: World) {
    for account in ["acme", "bolt"] {
        world.customer(account).await;
        world.give(account, 1, None).await.unwrap();
    }
    world.endpoint("acme", None, Some("acme")).await;
    assert_eq!(world.claim("acme").await, []);
    let event = world.happened("acme").await.remove(0).id;
    for _ in 0..2 {
        world.turn_webhook("acme", WebhookTurn::ReplayOne(event.clone())).await;
    }
    let claimed = world.claim("acme").await;
    assert_eq!(names(&claimed), ["acme 1"]);
    world.attempted(&claimed[0], None).await;
    let foreign = world.happened("bolt").await.remove(0).id;
    for other in [foreign, "event_none".to_owned()] {
        let turn = Command::TurnWebhook { id: "acme".into(), turn: WebhookTurn::ReplayOne(other) };
        assert!(world.run(turn).await.is_err());
    }
    assert_eq!(world.claim("acme").await, []);
}
