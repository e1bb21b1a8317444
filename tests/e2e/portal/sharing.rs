//! Two ledgers on one database share sessions and links.

use super::browser::{Browser, value_of};
use super::link;
use futures_util::future::join;
use harness::{LedgerProcess, Postgres, free_port};
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn two_ledgers_share_sessions_and_a_link_is_used_once_by_whoever_is_first() {
    let Some(server) = Postgres::start().await else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mut ledgers, mut ports) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let arguments = ["--portal-listen", listen.as_str()];
        ledgers.push(LedgerProcess::start(dir.path(), &arguments, &server.environment()).await);
        ports.push(port);
    }
    ledgers[0].account("acme", "5").await;
    for round in 0..8 {
        let value = value_of(&link(&ledgers[round % 2], "acme").await);
        let (mut one, mut two) = (Browser::at(ports[0]), Browser::at(ports[1]));
        let (first, second) = join(one.enter_value(&value), two.enter_value(&value)).await;
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 401], "{} {}", first.body, second.body);
        let winner = if first.status == StatusCode::SEE_OTHER { &one } else { &two };
        for port in &ports {
            assert!(Browser::at(*port).with(&winner.cookie).is_in().await, "both know the session");
        }
    }
    let mut browser = Browser::at(ports[0]);
    browser.enter(&link(&ledgers[1], "acme").await).await;
    let token = browser.get("/portal").await.field("form_token");
    Browser::at(ports[1]).with(&browser.cookie).post("/portal/sign-out", &[("form_token", &token)]).await;
    assert!(!browser.is_in().await, "signed out at one is signed out at both");

    // Sessions of an account are limited, wherever they begin.
    let mut browsers = Vec::new();
    for number in 0..52 {
        let mut browser = Browser::at(ports[number % 2]);
        browser.enter(&link(&ledgers[number % 2], "acme").await).await;
        browsers.push(browser);
    }
    let mut inside = 0;
    for browser in &browsers {
        inside += usize::from(browser.is_in().await);
    }
    assert_eq!(inside, 50, "the oldest ended");
    ledgers[0].post("/admin/v1/accounts/acme/close", json!({})).await;
    assert!(!browsers[51].is_in().await);
}
