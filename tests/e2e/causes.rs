//! Why a caller is refused, as the caller reads it: one story per cause that a plan or a key can have, and limits on
//! how fast several gateways together may be used.

use harness::{Gateway, LedgerProcess, Setup, World, eventually, get};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The price list of these stories.
fn price_list() -> Value {
    let rule = |path: &str, price: &str, more: Value| {
        let mut rule =
            json!({"name": path, "match": {"path": {"prefix": format!("/{path}")}}, "price": price});
        for (name, value) in more.as_object().expect("an object") {
            rule[name] = value.clone();
        }
        rule
    };
    json!({
        "top_up_url": "https://example.com/topup",
        "upgrade_url": "https://example.com/plans",
        "rules": [
            rule("huge", "5000", json!({})),
            rule("chat", "2", json!({"product": "chat"})),
            rule("image", "8", json!({"product": "image"})),
            rule("strict", "0.01", json!({"rate_limited_status": 402})),
            rule("slow", "0.01", json!({})),
            rule("cheap", "0.01", json!({})),
        ],
        "default": {"price": "1"}
    })
}

async fn world(gateways: usize) -> World {
    World::start(Setup { gateways, config: price_list(), ..Setup::default() }).await
}

struct Refusal {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Refusal {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn actions(&self) -> Vec<&str> {
        let remedies = self.body["remedies"].as_array().expect("a list");
        remedies.iter().map(|remedy| remedy["action"].as_str().expect("an action")).collect()
    }
}

/// Asks until the gate refuses for this reason: leases must be handed back, and refusals are remembered for a second.
async fn refused(gate: &Gateway, path: &str, key: &str, code: &str) -> Refusal {
    let found = std::cell::RefCell::new(None);
    eventually(code, Duration::from_secs(10), async || {
        let answer = reqwest::Client::new()
            .get(gate.url(path))
            .header("x-api-key", key)
            .send()
            .await
            .expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body: Value = answer.json().await.unwrap_or_default();
        let is_it = body["code"] == code;
        *found.borrow_mut() = Some(Refusal { status, headers, body });
        is_it
    })
    .await;
    found.into_inner().expect("asked at least once")
}

async fn opens(gate: &Gateway, path: &str, key: &str) {
    let answer = async || get(gate, path, &[("x-api-key", key)]).await.status == 200;
    eventually("the gate is open", Duration::from_secs(10), answer).await;
}

fn plan(ledger: &LedgerProcess, name: &str, terms: &[&str]) {
    ledger.run(&[&["plan", "create", name], terms].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_quota_shows_its_reset_time_and_other_remedies() {
    let world = world(1).await;
    let ledger = &world.ledger;
    plan(ledger, "strict", &["--quota", "3", "--period", "day", "--overage", "refuse"]);
    plan(ledger, "open", &["--quota", "3", "--period", "month"]);
    let [strict, open] = [ledger.account("strict", "100").await, ledger.account("open", "0").await];
    ledger.run(&["subscribe", "strict", "strict"]);
    ledger.run(&["subscribe", "open", "open"]);

    opens(world.gate(), "/", &strict).await;
    let refusal = refused(world.gate(), "/", &strict, "quota_exhausted").await;
    assert_eq!(refusal.status, 402);
    assert_eq!((&refusal.body["needed"], &refusal.body["available"]), (&json!("1"), &json!("0")));
    assert_eq!(refusal.body["unit"], "credits");
    assert_eq!(refusal.actions(), ["wait", "upgrade_plan"], "what was bought does not pay here");
    let until: jiff::Timestamp =
        refusal.body["resets_at"].as_str().expect("a time").parse().expect("RFC 3339");
    let renews = ledger.get("/admin/v1/accounts/strict/subscription").await["renews_at"].clone();
    let renews: jiff::Timestamp = renews.as_str().expect("a time").parse().expect("RFC 3339");
    assert!((until.as_second() - renews.as_second()).abs() <= 1, "{until} and {renews}");
    let wait: i64 = refusal.header("retry-after").expect("waiting cures it").parse().expect("seconds");
    assert!((86_000..=86_400).contains(&wait), "{wait}");
    assert_eq!(refusal.header("x-should-retry"), Some("false"), "no program waits for a day");
    assert_eq!(refusal.header("link"), None);

    let refusal = refused(world.gate(), "/huge", &strict, "quota_exhausted").await;
    assert_eq!(refusal.actions()[0], "upgrade_plan", "no quota would ever do: {}", refusal.body);
    assert_eq!(refusal.header("retry-after"), None);

    opens(world.gate(), "/", &open).await;
    let refusal = refused(world.gate(), "/", &open, "quota_exhausted").await;
    assert_eq!(refusal.actions(), ["wait", "top_up", "upgrade_plan"]);
    assert_eq!(refusal.body["remedies"][2]["url"], "https://example.com/plans");
    assert_eq!(refusal.header("link"), Some("<https://example.com/topup>; rel=\"payment\""));
    ledger.grant("open", "2").await;
    opens(world.gate(), "/", &open).await;
    ledger.nothing_is_held().await;
    assert_eq!(ledger.balance("strict", "spent").await, "3", "and none of what was bought");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_and_unpaid_subscriptions_have_their_own_refusals() {
    let world = world(1).await;
    let ledger = &world.ledger;
    plan(ledger, "pro", &["--quota", "1000", "--period", "month"]);
    let [over, unpaid] = [ledger.account("over", "0").await, ledger.account("unpaid", "500").await];
    for account in ["over", "unpaid"] {
        ledger.run(&["subscribe", account, "pro"]);
    }
    opens(world.gate(), "/", &over).await;
    opens(world.gate(), "/", &unpaid).await;

    ledger.run(&["subscription", "cancel", "over", "--now"]);
    let refusal = refused(world.gate(), "/", &over, "subscription_expired").await;
    assert_eq!((refusal.status.as_u16(), refusal.actions()), (402, vec!["top_up", "upgrade_plan"]));
    ledger.grant("over", "1").await;
    opens(world.gate(), "/", &over).await;

    let grace = (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2)).to_string();
    ledger.run(&["subscription", "past-due", "unpaid", "--grace", &grace]);
    let refusal = refused(world.gate(), "/", &unpaid, "payment_past_due").await;
    assert_eq!((refusal.status.as_u16(), refusal.actions()), (402, vec!["pay_invoice"]));
    assert_eq!(refusal.body["remedies"][0]["url"], "https://example.com/topup");
    assert_eq!(refusal.body.get("needed"), None, "it is not about this request's price");
    ledger.run(&["subscription", "activate", "unpaid"]);
    opens(world.gate(), "/", &unpaid).await;
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_sets_products_and_prices_and_a_key_restricts_products() {
    let world = world(1).await;
    let ledger = &world.ledger;
    plan(ledger, "chatty", &["--quota", "100", "--period", "month", "--product", "chat=x0.5"]);
    let key = ledger.account("acme", "0").await;
    ledger.run(&["subscribe", "acme", "chatty"]);
    let made = ledger.run(&["key", "create", "acme", "--json", "--products", "image"]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let painter = made["key"].as_str().expect("a key");

    opens(world.gate(), "/chat", &key).await;
    let refusal = refused(world.gate(), "/image", &key, "plan_excludes_route").await;
    assert_eq!((refusal.status.as_u16(), refusal.actions()), (402, vec!["upgrade_plan"]));
    let refusal = refused(world.gate(), "/chat", painter, "key_excludes_route").await;
    assert_eq!((refusal.status.as_u16(), refusal.actions()), (403, vec!["send_key"]));
    let refusal = refused(world.gate(), "/image", painter, "plan_excludes_route").await;
    assert_eq!(refusal.status, 402, "the key may, the plan does not");
    assert_eq!(world.upstream.served(), 1, "what is refused never reaches the API");

    // The plan changes while the gate holds a lease.
    ledger.run(&["plan", "change", "chatty", "--product", "chat=3", "--product", "image=x2", "--at-once"]);
    let is_open = async || get(world.gate(), "/image", &[("x-api-key", key.as_str())]).await.status == 200;
    // Long before the lease ends, after 20 s.
    eventually("image is included", Duration::from_secs(10), is_open).await;
    opens(world.gate(), "/chat", &key).await;
    ledger.nothing_is_held().await;
    assert_eq!(ledger.balance("acme", "spent").await, "20", "half of 2, twice 8, and 3");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limited_caller_learns_when_to_retry_and_pays_nothing() {
    let world = world(1).await;
    let ledger = &world.ledger;
    plan(ledger, "slow", &["--quota", "1000", "--period", "month", "--rate", "0.25", "--burst", "3"]);
    plan(ledger, "narrow", &["--quota", "1000", "--period", "month", "--concurrent", "2"]);
    let [slow, narrow] = [ledger.account("slow", "0").await, ledger.account("narrow", "0").await];
    ledger.run(&["subscribe", "slow", "slow"]);
    ledger.run(&["subscribe", "narrow", "narrow"]);

    for _ in 0..3 {
        assert_eq!(get(world.gate(), "/", &[("x-api-key", slow.as_str())]).await.status, 200);
    }
    let refusal = refused(world.gate(), "/", &slow, "rate_limited").await;
    assert_eq!((refusal.status.as_u16(), refusal.actions()), (429, vec!["retry", "upgrade_plan"]));
    let wait: u64 = refusal.header("retry-after").expect("waiting cures it").parse().expect("seconds");
    assert!((1..=4).contains(&wait), "{wait}");
    assert_eq!(refused(world.gate(), "/strict", &slow, "rate_limited").await.status, 402, "as the rule says");
    opens(world.gate(), "/", &slow).await;

    opens(world.gate(), "/", &narrow).await;
    let url = world.gate().url("/slow/4000");
    // A place is free a moment after its answer was sent.
    let occupy = || {
        let (url, key) = (url.clone(), narrow.clone());
        tokio::spawn(async move {
            loop {
                let request = reqwest::Client::new().get(&url).header("x-api-key", &key).send();
                let status = request.await.expect("an answer").status().as_u16();
                if status != 429 {
                    return status;
                }
            }
        })
    };
    let under_way = [occupy(), occupy()];
    let refusal = refused(world.gate(), "/", &narrow, "rate_limited").await;
    assert_eq!((refusal.status.as_u16(), refusal.header("retry-after")), (429, Some("1")));
    for answer in under_way {
        assert_eq!(answer.await.expect("it ends"), 200);
    }
    opens(world.gate(), "/", &narrow).await;
    ledger.nothing_is_held().await;
    assert_eq!(ledger.balance("slow", "spent").await, "4");
    ledger.audit().await;
}

/// Asks a gate so many times per second, and counts who is let through.
fn drive(gate: &Gateway, key: &str, per_second: u64, stop: &Arc<AtomicBool>) -> Arc<AtomicU64> {
    let admitted = Arc::new(AtomicU64::new(0));
    let (url, key) = (gate.url("/cheap"), key.to_owned());
    let (count, stop) = (Arc::clone(&admitted), Arc::clone(stop));
    tokio::spawn(async move {
        let client = reqwest::Client::new();
        let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / per_second));
        while !stop.load(Ordering::Relaxed) {
            ticks.tick().await;
            let (request, count) = (client.get(&url).header("x-api-key", &key).send(), Arc::clone(&count));
            tokio::spawn(async move {
                if request.await.is_ok_and(|answer| answer.status() == 200) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    admitted
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_share_the_plans_rate_however_requests_are_split() {
    let world = world(2).await;
    let ledger = &world.ledger;
    plan(
        ledger,
        "fast_heartbeat",
        &["--quota", "100000", "--period", "month", "--rate", "100", "--burst", "10"],
    );
    let key = ledger.account("acme", "0").await;
    ledger.run(&["subscribe", "acme", "fast_heartbeat"]);
    for gate in &world.gateways {
        opens(gate, "/cheap", &key).await;
    }
    for rates in [[150, 150], [180, 20]] {
        let stop = Arc::new(AtomicBool::new(false));
        let counts: Vec<_> =
            world.gateways.iter().zip(rates).map(|(gate, rate)| drive(gate, &key, rate, &stop)).collect();
        let sum = || counts.iter().map(|count| count.load(Ordering::Relaxed)).sum::<u64>();
        let is_right =
            |measured: &Vec<f64>| measured.last().is_some_and(|rate| (90.0..=110.0).contains(rate));
        // Until the ledger has heard what each gateway is asked for, and the machine finds the time to ask that often.
        let mut measured = Vec::new();
        while measured.len() < 6 && !is_right(&measured) {
            let (before, since) = (sum(), Instant::now());
            tokio::time::sleep(Duration::from_secs(6)).await;
            let (admitted, seconds) = (sum() - before, since.elapsed().as_secs_f64());
            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
            measured.push(admitted as f64 / seconds);
        }
        stop.store(true, Ordering::Relaxed);
        println!("asked {rates:?} times per second, two gateways admit {measured:.1?}");
        assert!(is_right(&measured), "{measured:.1?} per second of {rates:?}");
    }
    ledger.audit().await;
}
