//! What a plan and a key leave open, at what price, and how fast.

use super::*;
use faregate_protocol::exchange::{Pricing, Product, Rate};

fn products() -> Value {
    let rule = |name: &str| json!({"name": name, "match": {"path": {"exact": format!("/{name}")}}, "price": "2", "product": name});
    let limited = json!({"name": "strict", "match": {"path": {"exact": "/strict"}}, "price": "1", "rate_limited_status": 402});
    let cheap = json!({"name": "cheap", "match": {"path": {"exact": "/cheap"}}, "price": "0.01"});
    json!({"rules": [rule("chat"), rule("image"), rule("video"), limited, cheap]})
}

fn plan() -> Facts {
    let product = |name: &str, pricing| Product { name: name.into(), pricing };
    let times = Pricing::Times(Credits::from_micros(1_500_000));
    Facts {
        products: Some(vec![product("chat", times), product("image", Pricing::Fixed(credits(10)))]),
        ..Facts::default()
    }
}

fn refused(arrival: Arrival) -> Refusal {
    match arrival {
        Arrival::Decided(Outcome::Refuse(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn limited(rate: Option<Rate>, concurrent: Option<u32>) -> FakeLedger {
    FakeLedger { limits: Limits { rate, concurrent }, ..FakeLedger::with(100_000) }
}

#[test]
fn plan_prices_apply_to_new_and_known_payers() {
    let memory = Memory::default();
    let mut gate = gate(&memory, &products());
    let mut ledger = FakeLedger { facts: plan(), ..FakeLedger::with(1_000) };
    arrive(&mut gate, 0, 1, "/image", &key());
    let unknown_caller = exchange_messages(&mut gate, &mut ledger, 0);
    let [Resolution { outcome: Outcome::Pass(Passage::Paid(charge)), .. }] = &unknown_caller[..] else {
        panic!("{unknown_caller:?}");
    };
    assert_eq!(charge.price, credits(10), "the first question named the rule's price");
    let known = charge_of(&mut gate, "/chat");
    assert_eq!(known.price, credits(3));
    assert_eq!(gate.finish(&known, &End::answered(200)), credits(3));
    assert_eq!(charge_of(&mut gate, "/").price, credits(1), "a rule without a product is in every plan");
    let refusal = refused(arrive(&mut gate, 3, 4, "/video", &key()));
    assert_eq!(refusal.code, RefusalCode::PlanExcludesRoute);
    assert_eq!(refusal.payer.as_ref().map(|payer| payer.account.as_str()), Some("acme"));
}

fn charge_of(gate: &mut Gate<Memory>, path: &str) -> Charge {
    charge(arrive(gate, 2, 2, path, &key()))
}

#[test]
fn sublease_sales_use_plan_prices_and_exclude_other_products() {
    let memory = Memory::default();
    let mut config = products();
    config["rules"].as_array_mut().unwrap().push(
        json!({"name": "word", "match": {"path": {"exact": "/word"}}, "price": "0.01", "product": "chat"}),
    );
    let mut gate = gate(&memory, &config);
    let mut ledger = FakeLedger { facts: plan(), ..FakeLedger::with(1_000) };
    arrive(&mut gate, 0, 1, "/", &key());
    exchange_messages(&mut gate, &mut ledger, 0);
    charge_of(&mut gate, "/word");
    let cut = memory.get(&gate.names.lease(&Credential::Key(key())));
    assert_eq!(charge_of(&mut gate, "/word").price, Credits::from_micros(15_000));
    assert_eq!(memory.get(&gate.names.lease(&Credential::Key(key()))), cut, "it was sold from the sublease");
    let refusal = refused(arrive(&mut gate, 3, 4, "/video", &key()));
    assert_eq!(refusal.code, RefusalCode::PlanExcludesRoute);
}

#[test]
fn routes_outside_the_plan_are_refused_even_on_credit() {
    let memory = Memory::default();
    let mut config = products();
    config["on_ledger_error"] = json!({"allow_up_to": "100"});
    let mut gate = gate(&memory, &config);
    let mut ledger = FakeLedger { facts: plan(), ..FakeLedger::with(1_000) };
    arrive(&mut gate, 0, 1, "/", &key());
    exchange_messages(&mut gate, &mut ledger, 0);
    let lease = gate.names.lease(&Credential::Key(key()));
    let rule = |name: &str| gate.settings.rules.iter().position(|rule| rule.name == name).unwrap();
    let (chat, video) = (rule("chat"), rule("video"));
    assert!(matches!(gate.without_ledger(&lease, chat, credits(3), None), Outcome::Pass(Passage::Paid(_))));
    assert!(matches!(gate.without_ledger(&lease, video, credits(2), None), Outcome::Refuse(_)));
}

#[test]
fn a_new_payer_who_affords_only_the_list_price_is_refused_the_plan_price() {
    let memory = Memory::default();
    let mut gate = gate(&memory, &products());
    let mut ledger = FakeLedger { facts: plan(), ..FakeLedger::with(9) };
    arrive(&mut gate, 0, 1, "/image", &key());
    let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
    assert_eq!(ledger.messages.len(), 2, "nine would do for the rule's two, so the first answer grants them");
    let [Resolution { outcome: Outcome::Refuse(refusal), .. }] = &resolutions[..] else {
        panic!("{resolutions:?}");
    };
    assert_eq!((refusal.needed, refusal.available), (Some(credits(10)), Some(credits(9))));
}

#[test]
fn the_refusal_says_whether_the_key_or_the_plan_excludes_the_product() {
    for (facts, code) in [
        (plan(), RefusalCode::PlanExcludesRoute),
        (
            Facts { key_products: Some(vec!["chat".into()]), ..Facts::default() },
            RefusalCode::KeyExcludesRoute,
        ),
    ] {
        let memory = Memory::default();
        let mut gate = gate(&memory, &products());
        let mut ledger = FakeLedger { facts, ..FakeLedger::with(1_000) };
        arrive(&mut gate, 0, 1, "/video", &key());
        let resolutions = exchange_messages(&mut gate, &mut ledger, 0);
        let [Resolution { outcome: Outcome::Refuse(refusal), .. }] = &resolutions[..] else {
            panic!("{resolutions:?}");
        };
        assert_eq!(refusal.code, code);
        assert_eq!(
            charge_of(&mut gate, "/chat").price,
            if code == RefusalCode::PlanExcludesRoute { credits(3) } else { credits(2) }
        );
    }
}

#[test]
fn workers_share_the_rate_limit_and_rate_limited_requests_cost_nothing() {
    let memory = Memory::default();
    let mut workers = [gate(&memory, &products()), gate(&memory, &products())];
    let mut ledger = limited(Some(Rate { milli_per_s: 20_000, burst: 2 }), None);
    arrive(&mut workers[0], 0, 1, "/", &key());
    exchange_messages(&mut workers[0], &mut ledger, 0);
    let mut admitted = 0;
    for ms in 0..1_000 {
        let gate = &mut workers[usize::try_from(ms % 2).unwrap()];
        match arrive(gate, ms, 2, "/cheap", &key()) {
            Arrival::Decided(Outcome::Pass(Passage::Paid(charge))) => {
                admitted += 1;
                gate.finish(&charge, &End::answered(200));
            }
            other => assert_eq!(refused(other).code, RefusalCode::RateLimited),
        }
    }
    assert!((20..=21).contains(&admitted), "{admitted} in a second");
    for gate in &mut workers {
        gate.settlements.flush_all(&memory);
    }
    let lease = shared::read(&memory, &workers[0].names.lease(&Credential::Key(key()))).unwrap();
    let cheap = Credits::from_micros(10_000).times(admitted);
    assert_eq!(lease.sold(), credits(1).saturating_add(cheap), "and the stranger's");
    assert_eq!(lease.subleased, Credits::ZERO, "limits are for all workers together");
    assert_eq!(lease.throttle.unwrap().came, 1_001);
    charge(arrive(&mut workers[0], 1_000, 3, "/strict", &key()));
    let refusal = refused(arrive(&mut workers[0], 1_000, 3, "/strict", &key()));
    assert_eq!((refusal.status, refusal.wait_s), (Some(402), 1));
}

#[test]
fn the_concurrency_limit_holds_however_requests_end() {
    let memory = Memory::default();
    let mut gate = gate(&memory, &products());
    let mut ledger = limited(None, Some(2));
    arrive(&mut gate, 0, 1, "/", &key());
    let first = exchange_messages(&mut gate, &mut ledger, 0).pop().unwrap();
    let Outcome::Pass(Passage::Paid(first)) = first.outcome else { panic!("{first:?}") };
    let second = charge(arrive(&mut gate, 1, 2, "/", &key()));
    let full = |gate: &mut Gate<Memory>| refused(arrive(gate, 2, 3, "/", &key())).code;
    assert_eq!(full(&mut gate), RefusalCode::RateLimited);
    gate.finish(&first, &End::answered(200));
    let third = charge(arrive(&mut gate, 3, 4, "/", &key()));
    assert_eq!(full(&mut gate), RefusalCode::RateLimited);
    gate.finish(&second, &End::answered(503));
    let fourth = charge(arrive(&mut gate, 4, 5, "/", &key()));
    assert_eq!(full(&mut gate), RefusalCode::RateLimited);
    gate.cancel(&third);
    gate.finish(&fourth, &End::NeverAsked);
    let both = [5, 6].map(|context| charge(arrive(&mut gate, 5, context, "/", &key())));
    assert_eq!(full(&mut gate), RefusalCode::RateLimited);
    for charge in &both {
        gate.finish(charge, &End::answered(200));
    }
}

#[test]
fn demand_is_reported_and_the_next_response_changes_the_limit() {
    let memory = Memory::default();
    let mut gate = gate(&memory, &products());
    let mut ledger = limited(Some(Rate { milli_per_s: 1_000, burst: 1 }), None);
    arrive(&mut gate, 0, 1, "/", &key());
    exchange_messages(&mut gate, &mut ledger, 0);
    for ms in (10..3_000).step_by(10) {
        let _ = arrive(&mut gate, ms, 2, "/cheap", &key());
        if ms % 1_000 == 500 {
            exchange_messages(&mut gate, &mut ledger, ms);
        }
    }
    let demand = ledger.messages.last().unwrap().entries[0].lease.unwrap().demand;
    assert!((99..=101).contains(&demand), "{demand} per second");
    charge(arrive(&mut gate, 4_100, 3, "/cheap", &key()));
    ledger.limits = Limits::default();
    gate.tick(at(4_500));
    exchange_messages(&mut gate, &mut ledger, 5_500);
    for context in 4..20 {
        charge(arrive(&mut gate, 5_501, context, "/cheap", &key()));
    }
}

#[test]
fn an_excluded_product_is_asked_about_again_after_the_lease_ends() {
    let memory = Memory::default();
    let mut gate = gate(&memory, &products());
    let mut ledger = FakeLedger { facts: plan(), ..FakeLedger::with(1_000) };
    arrive(&mut gate, 0, 1, "/video", &key());
    exchange_messages(&mut gate, &mut ledger, 0);
    let known = refused(arrive(&mut gate, 10, 2, "/video", &key()));
    assert_eq!(known.code, RefusalCode::PlanExcludesRoute, "while the lease lasts the ledger is not asked");
    ledger.facts = Facts::default();
    exchange_messages(&mut gate, &mut ledger, 20_500);
    assert_eq!(arrive(&mut gate, 21_000, 3, "/video", &key()), Arrival::Waits, "a bigger plan may have come");
    let resolutions = exchange_messages(&mut gate, &mut ledger, 21_000);
    assert!(matches!(&resolutions[..], [Resolution { outcome: Outcome::Pass(Passage::Paid(_)), .. }]));
}
