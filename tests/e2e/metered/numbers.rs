//! Rules by a number in the answer's JSON, through a real Envoy: whatever the answer looks like, and however it ends.

use harness::{Answering, Scripted, Setup, World, eventually, patient};
use serde_json::{Value, json};
use std::time::Duration;

/// A thousandth of a credit per row, and 2 are held.
fn config() -> Value {
    let rule = |name: &str, more: Value| {
        let mut rule = json!({
            "name": name, "match": {"path": {"prefix": format!("/{name}")}},
            "meter": {"response_json": "/meta/rows", "unit": "0.001", "hold": "2"}
        });
        for (name, value) in more.as_object().expect("members") {
            rule[name] = value.clone();
        }
        rule
    };
    let free = json!({"response_json": "/meta/rows", "unit": "0.001", "hold": "2", "missing": "free"});
    let mut config = patient();
    config["rules"] = json!([
        rule("rows", json!({})),
        rule("free", json!({"meter": free, "price": "0.1"})),
        rule("refunds", json!({"refund_on": ["4xx", "5xx", "unserved"]}))
    ]);
    config
}

/// A world with this rule before an API that answers to the byte as a story says.
struct Table {
    world: World,
    api: Scripted,
    expected: Vec<(String, &'static str)>,
}

impl Table {
    async fn start() -> Self {
        let api = Scripted::start().await;
        let setup = Setup { config: config(), upstream: Some(api.port), ..Setup::default() };
        Self { world: World::start(setup).await, api, expected: Vec::new() }
    }

    /// A request on an account of its own. Returns the bytes of the answer that came.
    async fn get(&mut self, path: &str, answer: Answering, spent: &'static str) -> usize {
        let account = format!("account-{}", self.expected.len());
        let key = self.world.ledger.account(&account, "10").await;
        self.api.answers(answer);
        let request = reqwest::Client::new().get(self.world.gate().url(path)).header("x-api-key", key);
        let mut answer = request.header("accept-encoding", "gzip, br").send().await.expect("an answer");
        let mut size = 0;
        while let Ok(Some(chunk)) = answer.chunk().await {
            size += chunk.len();
        }
        self.expected.push((account, spent));
        size
    }

    /// Waits until nothing is held, and asserts what each account was charged.
    async fn settles(self) {
        self.world.ledger.nothing_is_held().await;
        self.world.ledger.audit().await;
        for (account, spent) in &self.expected {
            assert_eq!(self.world.ledger.balance(account, "spent").await, *spent, "{account}");
        }
    }
}

fn rows(rows: &Value) -> Value {
    json!({"data": "x".repeat(200), "meta": {"rows": rows}, "more": [1, 2]})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_is_found_however_the_answer_arrives() {
    let mut table = Table::start().await;
    let text = rows(&json!(250)).to_string();
    let long = json!({"data": vec!["{\"meta\": {\"rows\": 9}}"; 50_000], "meta": {"rows": 250}, "more": "x".repeat(500_000)});
    let json = "application/json";
    for (answer, spent) in [
        (Answering::json(&rows(&json!(250))), "0.25"),
        (Answering::of(json, text.clone()).in_pieces_of(1), "0.25"),
        (Answering::of(json, text.clone()).in_pieces_of(7), "0.25"),
        (Answering::json(&long), "0.25"),
        (Answering::json(&long).in_pieces_of(10_000), "0.25"),
        (Answering::of("application/problem+json", text.clone()), "0.25"),
        // In a stream of events or lines the last number counts.
        (Answering::events([r#"{"meta": {"rows": 100}}"#, &text, r#"{"meta": {}}"#, "[DONE]"]), "0.25"),
        (Answering::of("application/x-ndjson", format!("{{\"meta\": {{\"rows\": 7}}}}\n{text}\n")), "0.25"),
        (Answering::of(json, r#"{"meta": {"rows": 7, "r\u006fws": 250}}"#), "0.25"),
        (Answering::json(&rows(&json!("250"))), "0.25"),
        (Answering::of(json, r#"{"meta": {"rows": 2.5E2}}"#), "0.25"),
        (Answering::json(&rows(&json!(0.5))), "0.0005"),
        (Answering::json(&rows(&json!(0))), "0"),
        // More than was held.
        (Answering::json(&rows(&json!(5000))), "5"),
        (Answering::json(&rows(&json!(250))).status(404), "0.25"),
        // JSON that isn't declared as JSON, as by the defaults of some servers.
        (Answering::of("text/html", rows(&json!(250)).to_string()), "0.25"),
    ] {
        table.get("/rows", answer, spent).await;
    }
    let got = table.api.got();
    assert!(got.iter().all(|request| !request.headers.contains_key("accept-encoding")), "{got:?}");
    table.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_number_what_was_held_is_charged_or_only_the_price() {
    let mut table = Table::start().await;
    let json = "application/json";
    for answer in [
        Answering::json(&json!({"meta": {}})),
        Answering::json(&json!({"data": {"meta": {"rows": 250}}})),
        Answering::json(&json!({"metadata": {"rows": 250}, "meta": {"all": {"rows": 250}}})),
        Answering::json(&rows(&json!(-250))),
        Answering::json(&rows(&json!(null))),
        Answering::json(&rows(&json!("many"))),
        Answering::json(&rows(&json!([250]))),
        Answering::of(json, r#"{"meta": {"rows": 1e13}}"#),
        Answering::of(json, r#"{"meta": {"rows": 250, "rows": -1}}"#),
        Answering::of(json, ""),
        Answering::of(json, r#"{"meta": {"rows": 250}"#),
        Answering::of("application/x-www-form-urlencoded", "meta=rows&rows=250"),
        Answering::of("text/html", "<p>250</p>"),
        // Compressed all the same.
        Answering::json(&rows(&json!(250))).header("content-encoding", "gzip"),
        // Cut behind the number, before the document's end.
        Answering::of(json, r#"{"meta": {"rows": 250}, "more": ["#).cut(),
    ] {
        table.get("/rows", answer.clone(), "2").await;
        table.get("/free", answer, "0.1").await;
    }
    table.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_failed_costs_nothing_whatever_number_it_has() {
    let mut table = Table::start().await;
    let answer = |status| Answering::json(&rows(&json!(250))).status(status);
    for (path, status, spent) in [
        ("/rows", 503, "0"),
        ("/rows", 502, "0"),
        // The default takes a 500 for work that was done.
        ("/rows", 500, "0.25"),
        ("/refunds", 500, "0"),
        ("/refunds", 429, "0"),
        ("/refunds", 200, "0.25"),
    ] {
        assert!(table.get(path, answer(status), spent).await > 0, "{path} {status}");
    }
    table.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_the_number_pays_what_was_held() {
    let table = Table::start().await;
    let key = table.world.ledger.account("acme", "10").await;
    table.api.answers(Answering::json(&rows(&json!(250))).after(Duration::from_secs(30)));
    let request = reqwest::Client::new().get(table.world.gate().url("/rows")).header("x-api-key", key).send();
    let request = tokio::spawn(request);
    eventually("the request has arrived", Duration::from_secs(20), async || table.api.got().len() == 1).await;
    request.abort();
    table.world.ledger.balance_becomes("acme", "spent", "2").await;
    table.settles().await;
}
