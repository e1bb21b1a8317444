//! A ledger with something of everything in it, always the same.

use crate::api;
use crate::api::{SpentCredits, Unit};
use crate::command::admin::{Command, IdempotencyRecord};
use crate::command::budgets::Whose;
use crate::command::keys::{Credential, NewKey};
use crate::command::mail::NewAddress;
use crate::command::portal::{
    BeginPortalSession, CustomerIdentity, NewLink, NewSession, NewSubject, UseLink,
};
use crate::command::prices::NewPrices;
use crate::command::sessions::BeginSession;
use crate::command::tokens::Holder;
use crate::command::trail::Origin;
use crate::command::webhooks::{NewWebhook, Secret, WebhookTurn};
use crate::domain::access::{AccessScope, TokenName};
use crate::domain::account::Transition;
use crate::domain::event::EventKind;
use crate::domain::fault::FaultKind;
use crate::domain::plan::{Changes, Terms};
use crate::domain::policy::{OveragePolicy, Remainder};
use crate::domain::{AccountId, KeyId, MailId, WebhookId, key, subscription};
use crate::store::contract::{World, asking, credits, ending, report};
use crate::store::{Page, Store};
use faregate_protocol::exchange::{
    Basis, Entry, ExchangeRequest, Limits, Pricing, Product, Rate, RefusalLine, UsageLine, UsageReport,
    VERSION,
};
use faregate_protocol::metering::{Quantities, UsageClass};
use faregate_protocol::prices::ModelPrices;
use faregate_protocol::{Credits, RefusalCode};
use jiff::Timestamp;

/// A command that was carried out once, under an idempotency key of its own.
pub fn remembered() -> (Command, IdempotencyRecord) {
    let id = AccountId::parse("remembered").unwrap();
    let (key, origin) = ("a key that is remembered".into(), Origin::default());
    let memo = IdempotencyRecord { key, fingerprint: [7; 32], origin };
    (Command::CreateAccount { id, name: Some("Remembered Inc.".into()) }, memo)
}

pub async fn populate(store: &Store) {
    let mut world = World::new(store.clone());
    for id in ["acme", "silent", "debtor", "paused", "gone"] {
        world.customer(id).await;
    }
    world.give("acme", 100, None).await.unwrap();
    world.give("acme", 10, Some(60)).await.unwrap();
    world.give("silent", 20, None).await.unwrap();
    world.give("debtor", 3, None).await.unwrap();

    let fresh = key::FreshKey::compose(&[11; 32]).unwrap();
    let credential = Credential::Key { hash: fresh.hash, prefix: fresh.prefix };
    world.team("acme", "research").await.unwrap();
    let (expires_at, note) = (Some(world.now()), Some("production, \u{fc} 'quoted'".to_owned()));
    let expires_at = expires_at.map(|now| now + jiff::SignedDuration::from_secs(3_600));
    let plain = NewKey::plain("acme", KeyId::stored("key_secret".into()), credential);
    let (team, products) = (Some("research".to_owned()), Some(vec!["chat".to_owned()]));
    world.run(Command::CreateKey(NewKey { expires_at, note, team, products, ..plain })).await.unwrap();
    world.budget(Whose::Account, 1_000, Unit::Month).await.unwrap();
    world.budget(Whose::Team("research".into()), 100, Unit::Month).await.unwrap();
    world.budget(Whose::Key("key_acme".into()), 200, Unit::Week).await.unwrap();
    let revoked = world.subject("acme", "revoked").await;
    world.run(Command::RevokeKey { id: revoked }).await.unwrap();
    for (account, turn) in [("paused", Transition::Suspend), ("gone", Transition::Close)] {
        world.run(Command::TurnAccount { account: account.into(), turn }).await.unwrap();
    }

    world.exchange_entry("gw-b", asking(report("key_silent", 1, 0, 0), 5, 5)).await;
    world.exchange_entry("gw-b", report("key_silent", 1, 2, 0)).await;
    let mark = store.touches().await.unwrap();
    store.reclaim(mark, world.now()).await.unwrap();
    world.exchange_entry("gw-b", asking(report("key_acme", 1, 0, 0), 5, 5)).await;
    world.exchange_entry("gw-b", ending("key_acme", 1, 5)).await;
    world.exchange_entry("gw-a", asking(report("key_acme", 1, 0, 0), 10, 10)).await;
    world.exchange_entry("gw-a", report("key_acme", 1, 4, 2)).await;
    world
        .exchange_entry("gw-a", Entry { lease: None, on_credit: credits(5), ..report("key_debtor", 0, 0, 0) })
        .await;

    // More than can be true.
    world.customer("robbed").await;
    let on_credit = credits(2_000_000_000);
    world.exchange_entry("thief", Entry { lease: None, on_credit, ..report("key_robbed", 0, 0, 0) }).await;

    world.run(Command::SetPrices(prices(world.now()))).await.unwrap();
    let (payer, rule) = ("key_acme".to_owned(), "search".to_owned());
    let mut used = Quantities::default();
    used.set(UsageClass::Input, 900);
    used.set(UsageClass::CacheWrite1h, 30);
    let (item, basis) = (Some("gpt-5".to_owned()), Some(Basis::Reported));
    let lines = vec![UsageLine {
        payer,
        rule,
        requests: 4,
        credits: credits(4),
        refunds: 1,
        item,
        basis,
        used,
        product: None,
    }];
    let watched = |payer: Option<&str>, code| RefusalLine {
        payer: payer.map(str::to_owned),
        rule: "beta".into(),
        code,
        requests: 3,
    };
    let shadow = vec![
        watched(Some("key_acme"), RefusalCode::InsufficientFunds),
        watched(None, RefusalCode::MissingKey),
    ];
    let usage = Some(UsageReport {
        broker: "worker-1".into(),
        seq: 7,
        lines,
        shadow: shadow.clone(),
        refused: shadow,
        ..UsageReport::default()
    });
    let (gateway, entries) = ("gw-a".to_owned(), Vec::new());
    let request = ExchangeRequest { protocol: VERSION, gateway, seen: None, entries, usage, models: vec![] };
    store.exchange(request, world.now(), 20_000).await.unwrap();
    Box::pin(subscribe(&world)).await;
    correct(&world).await;
    world.second += 60;
    store.expire(world.now()).await.unwrap();
    world.run(Command::Recall { gateway: Some("gw-a".into()) }).await.unwrap();
    let (command, memo) = remembered();
    store.execute(command, memo, world.now()).await.unwrap();
    let name = |text| TokenName::parse(text).unwrap();
    world.token(1, Holder::NewOperator(name("alice"), AccessScope::Support)).await.unwrap();
    world.token(2, Holder::Gateways(name("eu-west"))).await.unwrap();
    world.link(3, "alice", "subject").await.unwrap();
    Box::pin(announce(&mut world)).await;
    sign_in(&world).await;
    let_customers_in(&world).await;
    world.agrees().await;
}

/// Thresholds, an endpoint, and events on their way to it.
async fn announce(world: &mut World) {
    let below = |amount| api::NewAlerts { balance_below: Some(credits(amount)) };
    world.run(Command::SetAlerts { account: None, asked: below(5) }).await.unwrap();
    world.run(Command::SetAlerts { account: Some("silent".into()), asked: below(1_000) }).await.unwrap();
    let new = NewWebhook {
        id: WebhookId::stored("webhook_1".into()),
        url: "https://example.com/events".into(),
        kinds: Some(vec![EventKind::GrantGiven, EventKind::BalanceRecovered]),
        account: Some("silent".into()),
        secret: Secret([5; 32]),
    };
    world.run(Command::CreateWebhook(new)).await.unwrap();
    world.give("silent", 1, None).await.unwrap();
    for turn in [WebhookTurn::Rotate(Secret([6; 32]), 3_600), WebhookTurn::Replay(Timestamp::UNIX_EPOCH)] {
        world.run(Command::TurnWebhook { id: "webhook_1".into(), turn }).await.unwrap();
    }
    world.store.announce_endings(world.now()).await.unwrap();
    for (id, account) in [("mail_1", None), ("mail_2", Some("silent"))] {
        let new = NewAddress {
            id: MailId::stored(id.into()),
            address: "ops@example.com".into(),
            kinds: account.map(|_| vec![EventKind::GrantGiven]),
            account: account.map(Into::into),
        };
        world.run(Command::AddMailAddress(new)).await.unwrap();
    }
    world.store.see_faults(vec![FaultKind::GatewaysDenied], world.now()).await.unwrap();
}

/// Sessions in the console, with a token of an operator and with one of the environment.
async fn sign_in(world: &World) {
    let alice = ("alice".to_owned(), Some("token_1".to_owned()), None);
    let root = ("root".to_owned(), None, Some([3; 32]));
    for (number, (operator, token, proof)) in [alice, root].into_iter().enumerate() {
        let hash = [u8::try_from(number).unwrap(); 32];
        let identity = proof.is_none().then(|| ("subject".to_owned(), "a.b.c".to_owned()));
        let session = BeginSession { hash, operator, token, proof, identity, peer: "192.0.2.1".into() };
        world.store.begin_session(session, world.now()).await.unwrap();
    }
}

/// A customer in the portal, and a link that waits.
async fn let_customers_in(world: &World) {
    for number in [7, 8] {
        let link = NewLink {
            account: "acme".to_owned(),
            id: format!("link_{number}"),
            hash: [number; 32],
            return_url: Some("https://example.com".to_owned()),
            lifetime: jiff::SignedDuration::from_mins(5),
        };
        world.run(Command::CreatePortalLink(link)).await.unwrap();
    }
    let session = NewSession { hash: [9; 32], id: "session_9".to_owned() };
    world.store.use_link(UseLink { link: [7; 32], session }, world.now()).await.unwrap().unwrap();
    let (issuer, subject) = ("https://login.example.com".to_owned(), "ann".to_owned());
    for (subject, access) in
        [(subject.clone(), api::PortalAccess::Full), ("bob".to_owned(), api::PortalAccess::Read)]
    {
        let new = NewSubject { account: "acme".to_owned(), issuer: issuer.clone(), subject, access };
        world.run(Command::LinkPortalSubject(new)).await.unwrap();
    }
    let owner = world.store.owner_of_subject(issuer.clone(), subject.clone()).await.unwrap().unwrap();
    let begins = BeginPortalSession {
        session: NewSession { hash: [10; 32], id: "session_10".to_owned() },
        account: owner.no,
        key: None,
        read_only: false,
        identity: Some(CustomerIdentity { issuer, subject, id_token: Some("a.b.c".to_owned()) }),
    };
    world.store.begin_portal_session(begins, world.now()).await.unwrap().unwrap();
}

/// What models cost their callers, and the seller.
fn prices(now: Timestamp) -> Vec<NewPrices> {
    let mut prices = ModelPrices::default();
    prices.base.set(UsageClass::Input, credits(3));
    let cost = Some(prices.scaled(Credits::from_micros(800_000)));
    let later = Some(now + jiff::SignedDuration::from_hours(24 * 365));
    let price = |model: &str, cost, valid_from| NewPrices {
        model: model.into(),
        prices: prices.clone(),
        cost,
        valid_from,
    };
    vec![price("gpt-5", cost, None), price("azure/gpt-5", None, later)]
}

/// What was given by mistake.
async fn correct(world: &World) {
    let first = Page { limit: 1, after: None };
    let grant =
        world.store.grants("acme".into(), first, false, world.now()).await.unwrap().grants.remove(0).id;
    world.void(&grant, Some(7), SpentCredits::Owed).await.unwrap();
    world.adjust("acme", -1, SpentCredits::Keep).await.unwrap();
    world.adjust("silent", 2, SpentCredits::Keep).await.unwrap();
    world.plan("retired", 5, 0).await;
    world.run(Command::ArchivePlan { name: "retired".into(), archived: true }).await.unwrap();
}

/// Plans, and who has them.
async fn subscribe(world: &World) {
    world.plan("pro", 30, 10).await;
    for id in ["subscribed", "left"] {
        world.customer(id).await;
        world.subscribe(id, "pro", 0).await.unwrap();
    }
    world.customer("changing").await;
    world.plan_of("enterprise", enterprise()).await;
    world.subscribe("changing", "enterprise", 0).await.unwrap();
    let asked = api::SubscriptionChange { plan: "pro".into(), at_once: Some(false) };
    let (account, id) = ("changing".to_owned(), "change".to_owned());
    world.run(Command::ChangeSubscription { account, id, asked }).await.unwrap();
    let (account, turn) = ("left".to_owned(), subscription::Transition::Cancel { at_once: true });
    world.run(Command::TurnSubscription { account, turn }).await.unwrap();
    let changes = Changes { quota: Some(credits(40)), ..Changes::default() };
    world.run(Command::ChangePlan { name: "pro".into(), changes, at_once: false }).await.unwrap();
}

/// A plan that says all that one can.
fn enterprise() -> Terms {
    let product = |name: &str, pricing| Product { name: name.into(), pricing };
    Terms {
        overage: OveragePolicy::Overdraft,
        overdraft: credits(50),
        limits: Limits { rate: Some(Rate { milli_per_s: 2_500, burst: 10 }), concurrent: Some(4) },
        products: Some(vec![
            product("chat", Pricing::List),
            product("embed", Pricing::Times(Credits::from_micros(500_000))),
            product("img", Pricing::Fixed(credits(4))),
        ]),
        remainder: Remainder::Operator,
        warn_below: Some(credits(25)),
        alert_below: Some(credits(30)),
        ..World::terms(300)
    }
}
