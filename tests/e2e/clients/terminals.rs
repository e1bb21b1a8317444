//! Those who show a refusal to a person: curl and a browser.

use super::{DETAIL, setup};
use harness::{Clients, World};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn curl_gets_the_format_it_accepts() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::start(setup()).await;
    let key = world.ledger.account("broke", "0").await;
    let key = format!("x-api-key: {key}");
    let url = world.gate().url("/reports");
    let fetch = |more: &[&str]| {
        let form = "\n%{http_code} %{content_type}";
        let said = clients.curl(&[&["--write-out", form, "--header", &key], more, &[&url]].concat());
        let (body, about) = said.rsplit_once('\n').expect("two lines");
        (body.to_owned(), about.to_owned())
    };

    let (body, about) = fetch(&[]);
    assert_eq!(about, "402 application/problem+json");
    let problem: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((&problem["code"], &problem["detail"]), (&json!("insufficient_funds"), &json!(DETAIL)));

    let (body, about) = fetch(&["--header", "accept: text/plain"]);
    assert_eq!(about, "402 text/plain; charset=utf-8");
    assert!(body.starts_with("402 ") && body.contains(DETAIL), "{body}");
    assert!(body.contains("https://example.com/topup"), "{body}");

    let (body, about) = fetch(&["--header", "accept: text/html"]);
    assert_eq!(about, "402 text/html; charset=utf-8");
    assert!(body.starts_with("<!doctype html>") && body.contains(DETAIL), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_refusal_is_trailers_only_on_the_wire() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::start(setup()).await;
    let suspended = world.ledger.account("suspended", "4").await;
    world.ledger.post("/admin/v1/accounts/suspended/suspend", json!({})).await;
    let said = clients.curl(&[
        "--http2-prior-knowledge",
        "--include",
        "--header",
        "content-type: application/grpc",
        "--header",
        &format!("x-api-key: {suspended}"),
        "--data-binary",
        "",
        &world.gate().url("/shop.Shop/Buy"),
    ]);
    let (head, body) = said.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/2 200"), "{said}");
    for line in ["content-type: application/grpc", "grpc-status: 7", "faregate-code: account_suspended"] {
        assert!(head.lines().any(|found| found == line), "{line} in {said}");
    }
    let message = head.lines().find_map(|line| line.strip_prefix("grpc-message: ")).expect("a message");
    assert!(message.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{message}");
    assert_eq!(body, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_a_page_with_the_reason_and_the_remedy() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::start(setup()).await;
    let key = world.ledger.account("broke", "0").await;
    let (page, picture) = clients.browse(&world.gate().url(&format!("/reports?key={key}")));
    assert!(page.contains(&format!("<p>{DETAIL}</p>")), "{page}");
    assert!(page.contains("href=\"https://example.com/topup\""), "{page}");
    assert!(!page.contains("<script") && !page.contains(&key), "{page}");
    let picture = std::fs::read(picture).expect("a picture");
    assert!(picture.starts_with(b"\x89PNG"), "a picture");
    // Nothing but background would be some hundred bytes.
    assert!(picture.len() > 8_000, "{} bytes", picture.len());
    // For who wants to look at it.
    if let Some(keep) = std::env::var_os("FAREGATE_KEEP_PICTURE") {
        std::fs::write(keep, picture).expect("a copy");
    }
}
