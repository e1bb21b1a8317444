//! Open pages that follow what happens, and what ends that.

use super::browser::Browser;
use super::{SOON, ledger};
use harness::{ADMIN_TOKEN, Setup, World, eventually, get};
use reqwest::{Client, Response, StatusCode};
use serde_json::json;
use std::time::Duration;

/// A page that follows what happens.
struct Stream {
    answer: Response,
    text: String,
}

impl Stream {
    /// Asks for it.
    async fn ask(browser: &Browser, path: &str) -> Response {
        let request = Client::new().get(format!("{}{path}", browser.base)).header("cookie", &browser.cookie);
        request.send().await.expect("an answer")
    }

    async fn open(browser: &Browser, path: &str) -> Self {
        let answer = Self::ask(browser, path).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new() }
    }

    /// Reads until what was sent last contains this.
    async fn says(&mut self, wanted: &str) {
        let reading = async {
            loop {
                let last = self.text.rsplit("event: part\n").next().unwrap_or_default();
                if last.contains(wanted) && last.ends_with("\n\n") {
                    return;
                }
                let chunk = self.answer.chunk().await.expect("a stream").expect("more to come");
                self.text.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        let waited = tokio::time::timeout(SOON, reading).await;
        assert!(waited.is_ok(), "{wanted} didn't come: {}", self.text);
    }

    /// What it says until its end.
    async fn ends(mut self) -> String {
        let reading = async {
            while let Ok(Some(chunk)) = self.answer.chunk().await {
                self.text.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        let waited = tokio::time::timeout(SOON, reading).await;
        assert!(waited.is_ok(), "it doesn't end: {}", self.text);
        self.text
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_follows_the_traffic_and_says_which_version_a_gateway_has() {
    let rules = json!([{"name": "search", "match": {"path": {"prefix": "/search"}}, "price": "2.5"}]);
    let config = json!({"record": "all", "rules": rules});
    let world = World::start(Setup { config, ..Setup::default() }).await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "400").await;
    let browser = Browser::signed_in(ledger, ADMIN_TOKEN).await;
    let page = browser.get("/console/accounts/acme").await;
    assert!(page.body.contains("data-live=\"/console/live/accounts/acme?"), "{}", page.body);
    let mut account = Stream::open(&browser, "/console/live/accounts/acme").await;
    let mut overview = Stream::open(&browser, "/console/live/overview").await;
    account.says("Nothing was charged in this time").await;
    overview.says("No gateway has come yet").await;
    for _ in 0..3 {
        assert_eq!(get(world.gate(), "/search", &[("x-api-key", &key)]).await.status, 200);
    }
    account.says("<td class=\"num\"><span class=\"number\">7.5</span></td>").await;
    account.says("7.5 credits spent in this period").await;
    account.says("aria-label=\"Newest calls\"").await;
    overview.says("<strong>7.5</strong>").await;
    overview.says("7.5 credits spent this month").await;
    overview.says(&format!("<bdi>{}</bdi>", env!("CARGO_PKG_VERSION"))).await;
    let gateways = browser.get("/console/gateways").await;
    assert!(gateways.body.contains(&format!("<td><bdi>{}</bdi></td>", env!("CARGO_PKG_VERSION"))));

    let forecast = ledger.get("/admin/v1/usage/forecast?account=acme").await;
    assert_eq!((&forecast["spent"], &forecast["per_day"]), (&json!("7.5"), &json!("180")), "within an hour");
    let expected: f64 = forecast["expected"].as_str().expect("an amount").parse().expect("a number");
    assert!(expected >= 7.5, "{forecast}");
    assert!(forecast["used_up_at"].is_string(), "{forecast}");
    let said = ledger.run(&["usage", "acme", "--forecast"]);
    assert!(said.contains("7.5") && said.contains("expected") && said.contains("used up"), "{said}");
    let all = ledger.run(&["usage", "--forecast"]);
    assert!(all.contains("7.5") && !all.contains("used up"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_newest_calls_are_shown_as_they_come_and_without_a_script() {
    let rules = json!([{"name": "search", "match": {"path": {"prefix": "/search"}}, "price": "2.5"}]);
    let config = json!({"record": "all", "rules": rules, "default": {"price": "1"}});
    let world = World::start(Setup { config, ..Setup::default() }).await;
    let ledger = &world.ledger;
    let (key, other) = (ledger.account("acme", "15").await, ledger.account("other", "50").await);
    let browser = Browser::signed_in(ledger, ADMIN_TOKEN).await;
    let page = browser.get("/console/accounts/acme").await.body;
    assert!(
        page.contains("No call of this account is recorded") && page.contains("<code>record: all</code>"),
        "{page}"
    );
    let mut account = Stream::open(&browser, "/console/live/accounts/acme").await;
    account.says("No call of this account is recorded").await;
    let ask = async |path: &str, key: &str| get(world.gate(), path, &[("x-api-key", key)]).await.status;
    assert_eq!(ask("/elsewhere", &other).await, 200);
    assert_eq!(ask("/search", &key).await, 200);
    account.says("<td><bdi>search</bdi></td>").await;
    // The newest ten, of this account alone.
    for _ in 0..12 {
        assert_eq!(ask("/", &key).await, 200);
    }
    assert_eq!(ask("/", &key).await, 402);
    account.says("<td><code>insufficient_funds</code></td>").await;
    let rows = async || {
        let page = browser.get("/console/accounts/acme").await.body;
        let table = page.split("aria-label=\"Newest calls\"").nth(1).unwrap_or_default().to_owned();
        let table = table.split("</table>").next().unwrap_or_default().to_owned();
        (table.matches("<tr>").count() - 1, table)
    };
    // Two workers send theirs one after the other.
    eventually("the first call is none of the newest", SOON, async || !rows().await.1.contains("search"))
        .await;
    assert_eq!(rows().await.0, 10, "{}", rows().await.1);
    let all = browser.get("/console/accounts/acme").await.body;
    assert!(all.contains("href=\"/console/calls?account=acme\""), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_session_and_needs_one() {
    let (ledger, _dir) = ledger().await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    let mut stream = Stream::open(&browser, "/console/live/overview").await;
    stream.says("Accounts near the end").await;
    let token = browser.get("/console").await.field("form_token");
    browser.post("/console/sign-out", &[("form_token", &token)]).await;
    assert!(stream.ends().await.contains("event: end\n"));
    let page = browser.get("/console/live/overview").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "to sign in");
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    let missing = browser.get("/console/live/accounts/nobody").await;
    assert!(missing.status == StatusCode::NOT_FOUND, "{}", missing.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_follows_four_pages_at_once_and_a_closed_one_makes_room() {
    let (ledger, _dir) = ledger().await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(Stream::open(&browser, "/console/live/overview").await);
    }
    let refused = Stream::ask(&browser, "/console/live/overview").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let other = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    drop(Stream::open(&other, "/console/live/overview").await);
    open.pop();
    eventually("a place is free", SOON, async || {
        Stream::ask(&browser, "/console/live/overview").await.status() == StatusCode::OK
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_pages_do_not_delay_a_shutdown() {
    let (mut ledger, _dir) = ledger().await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    let mut stream = Stream::open(&browser, "/console/live/overview").await;
    stream.says("Accounts near the end").await;
    ledger.process.signal("TERM");
    assert_eq!(ledger.process.wait(Duration::from_secs(60)), Some(0));
    let log = ledger.process.output();
    assert!(!log.contains("took too long"), "{log}");
    stream.ends().await;
}
