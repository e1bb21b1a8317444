//! The steps of requests' lives, one after the other, each counted.

use crate::gateway::Gateway;
use crate::ledger::{Ledger, key};
use crate::price::Spent;
use crate::profile;
use faregate_protocol::Credits;
use serde_json::{Value, json};

pub const PAID: &str = "/search?q=1";
const SOLD: &str = "/sold/1";
pub const FREE: &str = "/free/1";
const WHO_PAID: &str = "x-faregate-account";

/// What each step did cost, in the order in which they came.
pub type Bill = Vec<(&'static str, Spent)>;

/// The rules that the steps go by, and in front of them as many that no request matches.
pub fn configuration(others: usize) -> Value {
    let other =
        |number: usize| json!({"match": {"path": {"prefix": format!("/other/{number}/")}}, "price": "1"});
    let mut rules: Vec<Value> = (0..others).map(other).collect();
    rules.push(json!({"name": "free", "match": {"path": {"prefix": "/free/"}}, "price": "free"}));
    rules.push(json!({"name": "never-refunded", "match": {"path": {"prefix": "/sold/"}}, "price": "1", "refund_on": []}));
    json!({
        "ledger": {"cluster": "ledger", "token": {"value": "a-token"}},
        "identities": [{"header": "x-api-key"}],
        "rules": rules,
        "default": {"price": "1"}
    })
}

/// The head of a request as Envoy hands it over.
pub fn head<'a>(path: &'a str, key: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        (":authority", "api.example.com"),
        (":path", path),
        (":method", "GET"),
        (":scheme", "https"),
        ("user-agent", "python-requests/2.32.3"),
        ("accept-encoding", "gzip, deflate, br"),
        ("accept", "application/json"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "6b2b7c4e-3a0c-4b7e-9a38-8f3d0c1f2a55"),
        ("x-api-key", key),
    ]
}

/// Lives through every step once, with one caller and no more rules than they need.
pub fn all() -> Bill {
    let mut ledger = Ledger::default();
    let mut gateway = Gateway::start(&configuration(0));
    gateway.lives(2_000, &mut ledger);
    let mut bill = Bill::new();
    first_contact(&mut gateway, &mut ledger, &mut bill);
    paid(&mut gateway, &mut ledger, &mut bill);
    reported(&mut gateway, &mut ledger, &mut bill);
    not_paid(&mut gateway, &mut ledger, &mut bill);
    recorded(&mut bill);
    bill
}

/// The steps that busy gateways take most, behind so many other rules and among so many other callers, all of whom
/// have paid and whose charges are not yet settled.
pub fn usual(rules: usize, callers: u16) -> Bill {
    let mut ledger = Ledger::default();
    let mut gateway = Gateway::start(&configuration(rules));
    let keys: Vec<String> = (0..callers).map(key).collect();
    gateway.lives(2_000, &mut ledger);
    let requests: Vec<u32> = keys.iter().map(|key| gateway.arrives(&head(PAID, key)).0).collect();
    gateway.deliver_queue_events();
    gateway.ledger_answers(&mut ledger);
    // They are resumed a few at a time.
    gateway.deliver_queue_events();
    for request in requests {
        assert!(gateway.ends(request, 200).header(WHO_PAID).is_some(), "everybody has paid");
    }
    let mut bill = Bill::new();
    let key = &keys[keys.len() / 2];
    // The first since a report looks at the lease; the usual one doesn't.
    let (first, _) = gateway.arrives(&head(PAID, key));
    gateway.ends(first, 200);
    count(&mut gateway, &mut bill, "a paid request arrives", |gateway| gateway.arrives(&head(PAID, key)));
    let request = gateway.last();
    count(&mut gateway, &mut bill, "a paid request ends", |gateway| gateway.ends(request, 200));
    count(&mut gateway, &mut bill, "a free request arrives", |gateway| gateway.arrives(&head(FREE, "")));
    bill
}

/// So many paid requests one after the other, with all that happens besides. Returns by how many pages the filter's
/// memory grew in the second half of them.
pub fn growth_in_pages(requests: u32) -> usize {
    let mut ledger = Ledger::default();
    let mut gateway = Gateway::start(&configuration(0));
    let key = key(1);
    let mut half = |gateway: &mut Gateway| {
        for number in 0..requests / 2 {
            let (request, _) = gateway.arrives(&head(PAID, &key));
            gateway.deliver_queue_events();
            gateway.ledger_answers(&mut ledger);
            gateway.ends(request, 200);
            if number % 20 == 0 {
                gateway.lives(50, &mut ledger);
            }
        }
        gateway.memory_pages()
    };
    let before = half(&mut gateway);
    half(&mut gateway) - before
}

/// Two paid requests, one of which the upstream can't serve, and both of which Envoy forgets without logging them. Returns
/// what the ledger hears was spent, and how many charges were released.
pub fn forgotten() -> (Credits, i64) {
    let mut ledger = Ledger::default();
    let mut gateway = Gateway::start(&configuration(0));
    let key = key(1);
    let (first, _) = gateway.arrives(&head(PAID, &key));
    gateway.deliver_queue_events();
    gateway.ledger_answers(&mut ledger);
    gateway.forgets(first, 200);
    let (second, goes_on) = gateway.arrives(&head(PAID, &key));
    assert!(goes_on, "it is paid at once");
    gateway.forgets(second, 503);
    gateway.lives(3_000, &mut ledger);
    let refunds = gateway.host().metrics.iter().find(|(name, _)| name == "faregate.refunds_total");
    (ledger.spent, refunds.map_or(0, |(_, count)| *count))
}

/// Counts what a step costs.
pub fn count<R>(
    gateway: &mut Gateway,
    bill: &mut Bill,
    step: &'static str,
    live: impl FnOnce(&mut Gateway) -> R,
) -> R {
    gateway.take_spent();
    gateway.take_profile();
    let result = live(gateway);
    if profile::is_wanted() {
        profile::show(step, gateway.take_profile());
    }
    bill.push((step, gateway.take_spent()));
    result
}

fn first_contact(gateway: &mut Gateway, ledger: &mut Ledger, bill: &mut Bill) {
    let key = key(1);
    let (request, goes_on) =
        count(gateway, bill, "a stranger arrives", |gateway| gateway.arrives(&head(PAID, &key)));
    assert!(!goes_on, "it waits");
    count(gateway, bill, "the bell asks the ledger", Gateway::deliver_queue_events);
    let messages = count(gateway, bill, "the answer lets it go on", |gateway| gateway.ledger_answers(ledger));
    assert_eq!(messages, 1);
    assert!(gateway.host().requests[&request].resumed);
    assert_eq!(gateway.ends(request, 200).header(WHO_PAID).as_deref(), Some("acme"));
    gateway.lives(3_000, ledger);
}

fn paid(gateway: &mut Gateway, ledger: &mut Ledger, bill: &mut Bill) {
    let key = key(1);
    let steps = [
        (Some("the first paid request since a report arrives"), PAID, 200, None),
        (Some("a paid request arrives"), PAID, 200, Some("a paid request ends")),
        (None, SOLD, 200, Some("a paid request ends that is never refunded")),
        (None, PAID, 503, Some("a paid request ends and is released")),
    ];
    for (arrives, path, status, ends) in steps {
        let mut step = Bill::new();
        let (request, goes_on) = count(gateway, &mut step, arrives.unwrap_or_default(), |gateway| {
            gateway.arrives(&head(path, &key))
        });
        bill.extend(step.pop().filter(|_| arrives.is_some()));
        assert!(goes_on && gateway.host().messages.is_empty(), "it is paid at once");
        gateway.deliver_queue_events();
        let ended =
            count(gateway, &mut step, ends.unwrap_or_default(), |gateway| gateway.ends(request, status));
        bill.extend(step.pop().filter(|_| ends.is_some()));
        assert_eq!(ended.header(WHO_PAID).as_deref(), Some("acme"));
        let released = ended.note.is_some_and(|note| note.starts_with("decision=released"));
        assert_eq!(released, status == 503);
    }
    assert_eq!(gateway.ledger_answers(ledger), 0, "no call was made");
}

fn recorded(bill: &mut Bill) {
    let mut ledger = Ledger::default();
    let mut configuration = configuration(0);
    configuration["record"] = "all".into();
    let mut gateway = Gateway::start(&configuration);
    let key = key(1);
    // The first waits for the ledger, and the first since then looks at the lease. Then the buffer grows for a while.
    for number in 0..30 {
        let mut step = Bill::new();
        let (request, _) =
            count(&mut gateway, &mut step, "a paid request arrives that is recorded", |gateway| {
                gateway.arrives(&head(PAID, &key))
            });
        gateway.deliver_queue_events();
        gateway.ledger_answers(&mut ledger);
        count(&mut gateway, &mut step, "a paid request ends that is recorded", |gateway| {
            gateway.ends(request, 200)
        });
        if number == 29 {
            bill.extend(step);
        }
    }
}

fn reported(gateway: &mut Gateway, ledger: &mut Ledger, bill: &mut Bill) {
    let mut ticks = Bill::new();
    while gateway.host().messages.is_empty() {
        assert!(ticks.len() < 100, "a report is due every second");
        count(gateway, &mut ticks, "a tick reports one lease", Gateway::ticks);
    }
    bill.extend(ticks.pop());
    count(gateway, bill, "the answer to a report", |gateway| gateway.ledger_answers(ledger));
    gateway.lives(1_000, ledger);
    count(gateway, bill, "a tick without work", Gateway::ticks);
}

fn not_paid(gateway: &mut Gateway, ledger: &mut Ledger, bill: &mut Bill) {
    let (request, goes_on) =
        count(gateway, bill, "a free request arrives", |gateway| gateway.arrives(&head(FREE, "")));
    assert!(goes_on);
    count(gateway, bill, "a free request ends", |gateway| gateway.ends(request, 200));

    let typing_error = key(1).to_lowercase();
    let (request, _) = count(gateway, bill, "a malformed key is refused", |gateway| {
        gateway.arrives(&head(PAID, &typing_error))
    });
    gateway.ends(request, 0);
    let (request, _) = count(gateway, bill, "a malformed key is refused again", |gateway| {
        gateway.arrives(&head(PAID, &typing_error))
    });
    let ended = count(gateway, bill, "a refused request ends", |gateway| gateway.ends(request, 0));
    assert_eq!(ended.refused, Some(401));
    assert_eq!(ended.note.as_deref(), Some("faregate{decision=invalid_key}"));

    let broke = key(2);
    ledger.is_out_of_credits(&broke);
    let (request, _) = gateway.arrives(&head(PAID, &broke));
    gateway.deliver_queue_events();
    assert_eq!(gateway.ledger_answers(ledger), 1);
    assert_eq!(gateway.ends(request, 0).refused, Some(402));
    let step = "a caller without credits is refused from memory";
    let (request, _) = count(gateway, bill, step, |gateway| gateway.arrives(&head(PAID, &broke)));
    assert!(gateway.host().rung.is_empty(), "no call was made");
    assert_eq!(gateway.ends(request, 0).refused, Some(402));
    let step = "a caller without credits is refused once more";
    let (request, _) = count(gateway, bill, step, |gateway| gateway.arrives(&head(PAID, &broke)));
    assert_eq!(gateway.ends(request, 0).refused, Some(402));
}
