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
fn a_plan_has_prices_of_its_own_for_strangers_and_for_known_payers() {
    let memory = Memory::default();
    let mut gate = gate(&memory, &products());
    let mut bank = FakeLedger { facts: plan(), ..FakeLedger::with(1_000) };
    arrive(&mut gate, 0, 1, "/image", &key());
    let stranger = talk(&mut gate, &mut bank, 0);
    let [Resolution { outcome: Outcome::Pass(Passage::Paid(charge)), .. }] = &stranger[..] else {
        panic!("{stranger:?}");
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
fn a_slice_is_sold_at_the_plan_s_prices_and_only_to_what_the_plan_includes() {
    let memory = Memory::default();
    let mut config = products();
    config["rules"].as_array_mut().unwrap().push(
        json!({"name": "word", "match": {"path": {"exact": "/word"}}, "price": "0.01", "product": "chat"}),
    );
    let mut gate = gate(&memory, &config);
    let mut bank = FakeLedger { facts: plan(), ..FakeLedger::with(1_000) };
    arrive(&mut gate, 0, 1, "/", &key());
    talk(&mut gate, &mut bank, 0);
    charge_of(&mut gate, "/word");
    let cut = memory.get(&gate.names.lease(&Credential::Key(key())));
    assert_eq!(charge_of(&mut gate, "/word").price, Credits::from_micros(15_000));
    assert_eq!(memory.get(&gate.names.lease(&Credential::Key(key()))), cut, "it was sold from the sublease");
    let refusal = refused(arrive(&mut gate, 3, 4, "/video", &key()));
    assert_eq!(refusal.code, RefusalCode::PlanExcludesRoute);
}

#[test]
fn what_a_plan_excludes_is_not_let_through_on_credit_either() {
    let memory = Memory::default();
    let mut config = products();
    config["on_ledger_error"] = json!({"allow_up_to": "100"});
    let mut gate = gate(&memory, &config);
    let mut bank = FakeLedger { facts: plan(), ..FakeLedger::with(1_000) };
    arrive(&mut gate, 0, 1, "/", &key());
    talk(&mut gate, &mut bank, 0);
    let lease = gate.names.lease(&Credential::Key(key()));
    let rule = |name: &str| gate.settings.rules.iter().position(|rule| rule.name == name).unwrap();
    let (chat, video) = (rule("chat"), rule("video"));
    assert!(matches!(gate.without_ledger(&lease, chat, credits(3)), Outcome::Pass(Passage::Paid(_))));
    assert!(matches!(gate.without_ledger(&lease, video, credits(2)), Outcome::Refuse(_)));
}

#[test]
fn one_who_can_pay_for_the_list_price_alone_is_asked_about_again_and_refused_the_plan_s() {
    let memory = Memory::default();
    let mut gate = gate(&memory, &products());
    let mut bank = FakeLedger { facts: plan(), ..FakeLedger::with(9) };
    arrive(&mut gate, 0, 1, "/image", &key());
    let resolutions = talk(&mut gate, &mut bank, 0);
    assert_eq!(bank.messages.len(), 2, "nine would do for the rule's two, so the first answer grants them");
    let [Resolution { outcome: Outcome::Refuse(refusal), .. }] = &resolutions[..] else {
        panic!("{resolutions:?}");
    };
    assert_eq!((refusal.needed, refusal.available), (Some(credits(10)), Some(credits(9))));
}

#[test]
fn a_stranger_whose_key_or_plan_excludes_the_product_is_told_which() {
    for (facts, code) in [
        (plan(), RefusalCode::PlanExcludesRoute),
        (
            Facts { key_products: Some(vec!["chat".into()]), ..Facts::default() },
            RefusalCode::KeyExcludesRoute,
        ),
    ] {
        let memory = Memory::default();
        let mut gate = gate(&memory, &products());
        let mut bank = FakeLedger { facts, ..FakeLedger::with(1_000) };
        arrive(&mut gate, 0, 1, "/video", &key());
        let resolutions = talk(&mut gate, &mut bank, 0);
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
fn all_workers_together_admit_no_more_than_the_rate_and_who_is_turned_away_pays_nothing() {
    let memory = Memory::default();
    let mut workers = [gate(&memory, &products()), gate(&memory, &products())];
    let mut bank = limited(Some(Rate { milli_per_s: 20_000, burst: 2 }), None);
    arrive(&mut workers[0], 0, 1, "/", &key());
    talk(&mut workers[0], &mut bank, 0);
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
fn only_so_many_requests_are_under_way_whatever_becomes_of_them() {
    let memory = Memory::default();
    let mut gate = gate(&memory, &products());
    let mut bank = limited(None, Some(2));
    arrive(&mut gate, 0, 1, "/", &key());
    let first = talk(&mut gate, &mut bank, 0).pop().unwrap();
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
fn the_ledger_is_told_how_many_came_and_its_next_answer_changes_the_limit() {
    let memory = Memory::default();
    let mut gate = gate(&memory, &products());
    let mut bank = limited(Some(Rate { milli_per_s: 1_000, burst: 1 }), None);
    arrive(&mut gate, 0, 1, "/", &key());
    talk(&mut gate, &mut bank, 0);
    for ms in (10..3_000).step_by(10) {
        let _ = arrive(&mut gate, ms, 2, "/cheap", &key());
        if ms % 1_000 == 500 {
            talk(&mut gate, &mut bank, ms);
        }
    }
    let demand = bank.messages.last().unwrap().entries[0].lease.unwrap().demand;
    assert!((99..=101).contains(&demand), "{demand} per second");
    charge(arrive(&mut gate, 4_100, 3, "/cheap", &key()));
    bank.limits = Limits::default();
    gate.tick(at(4_500));
    talk(&mut gate, &mut bank, 5_500);
    for context in 4..20 {
        charge(arrive(&mut gate, 5_501, context, "/cheap", &key()));
    }
}

#[test]
fn what_a_plan_once_excluded_is_asked_about_again_when_the_lease_is_over() {
    let memory = Memory::default();
    let mut gate = gate(&memory, &products());
    let mut bank = FakeLedger { facts: plan(), ..FakeLedger::with(1_000) };
    arrive(&mut gate, 0, 1, "/video", &key());
    talk(&mut gate, &mut bank, 0);
    let known = refused(arrive(&mut gate, 10, 2, "/video", &key()));
    assert_eq!(known.code, RefusalCode::PlanExcludesRoute, "while the lease lasts the ledger is not asked");
    bank.facts = Facts::default();
    talk(&mut gate, &mut bank, 20_500);
    assert_eq!(arrive(&mut gate, 21_000, 3, "/video", &key()), Arrival::Waits, "a bigger plan may have come");
    let resolutions = talk(&mut gate, &mut bank, 21_000);
    assert!(matches!(&resolutions[..], [Resolution { outcome: Outcome::Pass(Passage::Paid(_)), .. }]));
}
