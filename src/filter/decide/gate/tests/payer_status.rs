//! The payer status shown to callers.

use super::*;
use crate::decide::request::ending::Answer;
use crate::decide::request::view::{PATH, View};
use faregate_protocol::exchange::{Pricing, Product, Quota, Rate};

fn status(warn_below: Option<Credits>) -> PayerStatus {
    let quota = Quota {
        size: credits(1_000),
        window_s: 3_600,
        resets_at: "2026-12-01T00:00:00Z".into(),
        resets_in_s: 1_800,
    };
    let limits = Limits { rate: Some(Rate { milli_per_s: 2_500, burst: 5 }), concurrent: None };
    PayerStatus { available: Credits::ZERO, quota: Some(quota), limits, warn_below }
}

fn ledger(available: i64, warn_below: Option<Credits>) -> FakeLedger {
    FakeLedger { status: Some(status(warn_below)), ..FakeLedger::with(available) }
}

fn all_headers() -> Value {
    json!({"response_headers": ["charge", "balance", "ratelimit"]})
}

/// Pays at `now`, and waits for the ledger if need be.
fn pay(gate: &mut Gate<Memory>, ledger: &mut FakeLedger, now: u64, path: &str) -> Charge {
    match arrive(gate, now, 7, path, &key()) {
        Arrival::Waits | Arrival::NeedsBody(_) => {
            match exchange_messages(gate, ledger, now).remove(0).outcome {
                Outcome::Pass(Passage::Paid(charge)) => charge,
                other => panic!("not paid: {other:?}"),
            }
        }
        decided @ Arrival::Decided(_) => charge(decided),
    }
}

/// Asks for the status of this key's holder.
fn look(gate: &mut Gate<Memory>, now: u64, context: u32, key: &str) -> Arrival {
    let headers = [(":method", "GET"), (":path", PATH), ("x-api-key", key)]
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    gate.arrive(at(now), context, &Head::new(&headers), |_| None)
}

fn header(headers: &[(&'static str, String)], name: &str) -> Option<String> {
    headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.clone())
}

fn view_of(outcome: &Outcome) -> (&View, Value) {
    match outcome {
        Outcome::Show(view) => (view, serde_json::from_str(&view.body).unwrap()),
        other => panic!("not shown: {other:?}"),
    }
}

fn shown(arrival: &Arrival) -> Value {
    match arrival {
        Arrival::Decided(outcome) => view_of(outcome).1,
        Arrival::Waits | Arrival::NeedsBody(_) => panic!("it waits"),
    }
}

#[test]
fn each_response_shows_the_charge_and_the_remaining_balance() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &all_headers()), ledger(100, None));
    let mut from_slices = 0;
    for left in (80..100).rev() {
        let charge = pay(&mut gate, &mut ledger, 1, "/");
        from_slices += i32::from(charge.left.is_positive());
        let headers = gate.show(at(1_501), &charge, Answer::default(), None);
        assert_eq!(header(&headers, "x-faregate-charge").unwrap(), "1");
        assert_eq!(header(&headers, "x-faregate-balance").unwrap(), left.to_string());
        assert_eq!(header(&headers, "ratelimit").unwrap(), format!(r#""plan";r={left};t=1799"#));
        assert_eq!(
            header(&headers, "ratelimit-policy").unwrap(),
            r#""plan";q=1000;w=3600;qu="credits", "rate";q=2;w=1"#
        );
        gate.finish(&charge, &End::answered(200));
    }
    assert_eq!(from_slices, 0, "limits leave no room for subleases here");
    let charge = pay(&mut gate, &mut ledger, 1, "/");
    let headers = gate.show(at(2), &charge, Answer { status: 503, ..Answer::default() }, None);
    assert_eq!(header(&headers, "x-faregate-charge").unwrap(), "0", "it will be refunded");
    assert_eq!(header(&headers, "x-faregate-balance").unwrap(), "80");
}

#[test]
fn balances_are_exact_for_sublease_sales_too() {
    let mut ledger = ledger(100_000, None);
    let mut gate = gate(&Memory::default(), &json!({"response_headers": ["balance"]}));
    let mut from_slices = 0;
    for sold in 1..=400 {
        let charge = pay(&mut gate, &mut ledger, sold, "/");
        from_slices += i32::from(charge.left.is_positive());
        let headers = gate.show(at(sold), &charge, Answer::default(), None);
        assert_eq!(header(&headers, "x-faregate-balance").unwrap(), (100_000 - sold).to_string());
        gate.finish(&charge, &End::answered(200));
        exchange_messages(&mut gate, &mut ledger, sold);
    }
    assert!(from_slices > 100, "{from_slices} of 400 were sold from subleases");
}

#[test]
fn a_low_balance_is_warned_about_until_a_top_up_and_counted_once() {
    for by_plan in [false, true] {
        let threshold = by_plan.then_some(credits(17));
        let rule = if by_plan { json!({}) } else { json!({"warn_below": "17"}) };
        let (mut gate, mut ledger) = (gate(&Memory::default(), &rule), ledger(20, threshold));
        let warnings = |gate: &mut Gate<Memory>,
                        ledger: &mut FakeLedger,
                        now: u64,
                        requests: u64|
         -> Vec<Option<String>> {
            let mut warnings = Vec::new();
            for _ in 0..requests {
                let charge = pay(gate, ledger, now, "/");
                assert!(gate.shows(&charge));
                warnings.push(header(
                    &gate.show(at(now), &charge, Answer::default(), None),
                    "x-faregate-low-balance",
                ));
                gate.finish(&charge, &End::answered(200));
            }
            warnings
        };
        assert_eq!(warnings(&mut gate, &mut ledger, 1, 3), [None, None, None], "19, 18 and 17 are left");
        assert_eq!(warnings(&mut gate, &mut ledger, 1, 2), [Some("16".into()), Some("15".into())]);
        assert_eq!(gate.take_counters().low_balance, 1);
        ledger.available += 10_000_000;
        for ms in (51..2_000).step_by(50) {
            exchange_messages(&mut gate, &mut ledger, ms);
        }
        assert_eq!(warnings(&mut gate, &mut ledger, 2_001, 1), [None], "it has topped up");
        assert_eq!(warnings(&mut gate, &mut ledger, 2_001, 9).last().unwrap().as_deref(), Some("15"));
        assert_eq!(gate.take_counters().low_balance, 1, "once more");
    }
}

#[test]
fn the_rules_warn_below_overrides_the_plans() {
    let (mut gate, mut ledger) =
        (gate(&Memory::default(), &json!({"warn_below": "5"})), ledger(20, Some(credits(17))));
    for left in (2..20).rev() {
        let charge = pay(&mut gate, &mut ledger, 1, "/");
        let warning = header(&gate.show(at(1), &charge, Answer::default(), None), "x-faregate-low-balance");
        assert_eq!(warning.is_some(), left < 5, "{left} are left");
        gate.finish(&charge, &End::answered(200));
    }
}

#[test]
fn unconfigured_response_headers_are_not_added() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(20, None));
    let charge = pay(&mut gate, &mut ledger, 1, "/");
    assert!(!gate.shows(&charge));
    assert_eq!(gate.show(at(1), &charge, Answer::default(), None), []);
}

#[test]
fn a_caller_sees_its_account_view_for_free() {
    let settings = json!({"top_up_url": "https://x.example/pay?a={account}", "upgrade_url": "https://x.example/plans",
        "rules": [
            {"name": "free", "match": {"path": {"exact": "/free"}, "methods": ["GET", "HEAD"]}, "price": "free"},
            {"name": "chat", "match": {"host": "api.example.com", "path": {"prefix": "/chat"}}, "price": "4", "product": "chat"},
            {"name": "video", "match": {"path": {"template": "/v/{}/x"}, "headers": [{"name": "x-a"}]}, "price": "4", "product": "video"},
            {"name": "old", "match": {"path": {"exact": "/old"}}, "retired": true, "deprecated": {"since": "2026-01-01"}}]});
    let mut ledger = ledger(7, Some(credits(5)));
    ledger.facts.products =
        Some(vec![Product { name: "chat".into(), pricing: Pricing::Times(Credits::from_micros(500_000)) }]);
    let mut gate = gate(&Memory::default(), &settings);
    assert_eq!(look(&mut gate, 1, 1, &key()), Arrival::Waits);
    let outcome = exchange_messages(&mut gate, &mut ledger, 1).remove(0).outcome;
    let (view, body) = view_of(&outcome);
    assert_eq!(
        body,
        json!({
            "account": "acme", "key": "key_1", "plan": "pro", "balance": "7", "unit": "credits", "warn_below": "5",
            "quota": {"size": "1000", "window_s": 3600, "resets_at": "2026-12-01T00:00:00Z", "resets_in_s": 1800},
            "limits": {"requests_per_second": "2.5", "burst": 5},
            "prices": [
                {"rule": "free", "path": "/free", "methods": ["GET", "HEAD"], "price": "free"},
                {"rule": "chat", "host": "api.example.com", "path_prefix": "/chat", "product": "chat", "price": "2"},
                {"rule": "video", "path_template": "/v/{}/x", "headers": ["x-a"], "product": "video", "included": false},
                {"rule": "old", "path": "/old", "deprecated": true, "retired": true},
                {"rule": "default", "price": "1"},
            ],
            "links": {"top_up": "https://x.example/pay?a=acme", "upgrade": "https://x.example/plans"},
        })
    );
    let headers = view.headers.clone().written();
    let header = |name| Head::read(&headers).value(name);
    assert_eq!(header("ratelimit"), Some(&br#""plan";r=7;t=1800"#[..]));
    assert_eq!(header("cache-control"), Some(&b"private, no-cache"[..]));
    assert_eq!(header("etag"), Some(view.tag.as_bytes()));
    let ask = ledger.messages.last().unwrap().entries[0].ask.unwrap();
    assert_eq!((ask.least, ask.need, ask.want), Default::default(), "it asks for no credits");
    let counters = gate.take_counters();
    assert_eq!((counters.views, counters.admitted), (1, 0));
}

#[test]
fn polling_the_account_view_costs_one_message_per_second() {
    for available in [0, 50] {
        let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(available, None));
        let mut asked = 0;
        for ms in (1..5_000).step_by(20) {
            if look(&mut gate, ms, 1, &key()) == Arrival::Waits {
                asked += 1;
                let answers = exchange_messages(&mut gate, &mut ledger, ms);
                assert_eq!(view_of(&answers[0].outcome).1["balance"], available.to_string());
            }
        }
        assert!((4..=6).contains(&asked), "{asked} questions in 5 s");
    }
}

#[test]
fn the_account_view_shows_new_charges_at_once() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(50, None));
    let charge = pay(&mut gate, &mut ledger, 1, "/");
    gate.finish(&charge, &End::answered(200));
    let view = shown(&look(&mut gate, 2, 1, &key()));
    assert_eq!(view["balance"], "49");
}

#[test]
fn paying_requests_and_account_views_can_wait_together() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(50, None));
    assert_eq!(look(&mut gate, 1, 1, &key()), Arrival::Waits);
    assert_eq!(arrive(&mut gate, 1, 2, "/", &key()), Arrival::Waits);
    let answers = exchange_messages(&mut gate, &mut ledger, 1);
    let ask = ledger.messages[0].entries[0].ask.unwrap();
    assert_eq!((ask.least, ask.need), (credits(1), credits(1)), "the cheapest that pays counts");
    assert!(matches!(answers[0].outcome, Outcome::Show(_)) && answers[0].context == 1, "{answers:?}");
    assert!(matches!(answers[1].outcome, Outcome::Pass(Passage::Paid(_))) && answers[1].context == 2);
}

#[test]
fn without_a_key_the_account_view_shows_at_most_the_price_list() {
    let look = |settings: &Value| {
        let mut gate = gate(&Memory::default(), settings);
        let headers =
            [(":method".to_owned(), b"GET".to_vec()), (":path".to_owned(), format!("{PATH}?x=1").into())];
        gate.arrive(at(1), 1, &Head::new(&headers), |_| None)
    };
    let view = shown(&look(&json!({"publish_prices": true})));
    assert_eq!(view["prices"].as_array().map(Vec::len), Some(3));
    assert_eq!(view.get("account").or(view.get("balance")), None);
    let refused = |arrival: Arrival| match arrival {
        Arrival::Decided(outcome) => refused_with(&outcome),
        Arrival::Waits | Arrival::NeedsBody(_) => None,
    };
    assert_eq!(refused(look(&json!({}))), Some(RefusalCode::MissingKey));
    let watching = look(&json!({"default": {"price": "1", "shadow": true}}));
    assert_eq!(refused(watching), Some(RefusalCode::MissingKey), "the API has no such page");
}

#[test]
fn a_disabled_account_view_leaves_its_path_to_the_api() {
    let (mut gate, mut ledger) =
        (gate(&Memory::default(), &json!({"account_view": false})), ledger(50, None));
    assert_eq!(look(&mut gate, 1, 1, &key()), Arrival::Waits);
    let answers = exchange_messages(&mut gate, &mut ledger, 1);
    assert!(
        matches!(&answers[0].outcome, Outcome::Pass(Passage::Paid(charge)) if charge.price == credits(1))
    );
}

#[test]
fn the_view_refuses_unknown_keys_suspended_accounts_and_ledger_outages() {
    let mut gate = gate(&Memory::default(), &json!({}));
    let mut ledger = ledger(50, None);
    let unknown_caller = api_key::compose(&[8; api_key::SECRET_LEN]).unwrap();
    assert_eq!(look(&mut gate, 1, 1, &unknown_caller), Arrival::Waits);
    let answers = exchange_messages(&mut gate, &mut ledger, 1);
    assert_eq!(refused_with(&answers[0].outcome), Some(RefusalCode::InvalidKey));
    let again = look(&mut gate, 2, 1, &unknown_caller);
    assert!(
        matches!(&again, Arrival::Decided(outcome) if refused_with(outcome) == Some(RefusalCode::InvalidKey)),
        "it is remembered"
    );
    ledger.refuse = Some(RefusalCode::QuotaExhausted);
    assert_eq!(look(&mut gate, 2, 2, &key()), Arrival::Waits);
    let answers = exchange_messages(&mut gate, &mut ledger, 2);
    assert_eq!(view_of(&answers[0].outcome).1["account"], "acme", "who has nothing left may look");
    ledger.refuse = Some(RefusalCode::AccountSuspended);
    assert_eq!(look(&mut gate, 2, 2, &key()), Arrival::Waits);
    let answers = exchange_messages(&mut gate, &mut ledger, 2);
    assert_eq!(refused_with(&answers[0].outcome), Some(RefusalCode::AccountSuspended));
    runs(&mut gate, 51, 2_000);
    assert_eq!(look(&mut gate, 2_000, 3, &key()), Arrival::Waits);
    let message = gate.next_message(at(2_000)).unwrap();
    let answers = gate.answered(at(2_000), message.id, None);
    assert_eq!(refused_with(&answers[0].outcome), Some(RefusalCode::LedgerUnavailable));
}

/// The tag of what a caller is shown who is known.
fn tag(gate: &mut Gate<Memory>, ledger: &mut FakeLedger, now: u64) -> String {
    match look(gate, now, 1, &key()) {
        Arrival::Decided(outcome) => view_of(&outcome).0.tag.clone(),
        Arrival::Waits | Arrival::NeedsBody(_) => {
            view_of(&exchange_messages(gate, ledger, now).remove(0).outcome).0.tag.clone()
        }
    }
}

#[test]
fn the_etag_changes_exactly_when_the_content_does() {
    let rules = json!({"rules": [{"match": {"path": {"prefix": "/chat"}}, "price": "4", "product": "chat"}]});
    let plan = |name: &str| {
        let mut ledger = ledger(50, None);
        let pricing = Pricing::Fixed(credits(3));
        ledger.facts.products = Some(vec![Product { name: name.into(), pricing }]);
        ledger
    };
    // Another gate says the same to the same caller.
    let of = |ledger: &mut FakeLedger| tag(&mut gate(&Memory::default(), &rules), ledger, 1);
    let chat = of(&mut plan("chat"));
    assert_eq!(chat, of(&mut plan("chat")));
    let all = [of(&mut plan("video")), of(&mut ledger(50, None)), of(&mut ledger(49, None)), chat];
    let different: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(different.len(), all.len(), "{all:?}");
    // Where no rule has a product, all have the same prices, and one list is kept for all.
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), plan("chat"));
    let first = tag(&mut gate, &mut ledger, 1);
    assert_eq!(tag(&mut gate, &mut ledger, 1), first);
    let charge = pay(&mut gate, &mut ledger, 1, "/");
    gate.finish(&charge, &End::answered(200));
    assert_ne!(tag(&mut gate, &mut ledger, 1), first, "the balance is another");
}

#[test]
fn a_caller_with_the_current_etag_gets_304() {
    let (mut gate, mut ledger) = (gate(&Memory::default(), &json!({})), ledger(50, None));
    look(&mut gate, 1, 1, &key());
    let Outcome::Show(view) = exchange_messages(&mut gate, &mut ledger, 1).remove(0).outcome else {
        panic!("refused")
    };
    for (held, status) in
        [(view.tag.as_bytes(), 304), (b"*", 304), (b"", 200), (b"\"0123456789abcdef\"", 200)]
    {
        let mut answer = view.clone();
        answer.or_unchanged(held);
        let headers = answer.headers.clone().written();
        let header = |name| Head::read(&headers).value(name).is_some();
        assert_eq!((answer.status, answer.body.is_empty()), (status, status == 304));
        assert_eq!(
            (header("etag"), header("cache-control"), header("content-type")),
            (true, true, status == 200)
        );
    }
}
