//! Refusals in the operator's own words: every caller reads them in its language, in whatever format.

use harness::{Answer, Gateway, Setup, World, get};
use percent_encoding::percent_decode_str;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

const GERMAN: &str = "Diese Anfrage kostet 2.5 Credits; 1 sind noch da.";

fn setup(texts: &Value) -> Setup<'static> {
    let config = json!({
        "top_up_url": "https://example.com/topup?for={account}",
        "cors_origins": ["https://app.example.com"],
        "default": {"price": "2.5"},
        "texts": texts
    });
    Setup { config, ..Setup::default() }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(String::as_str)
}

/// An answer that is no JSON.
async fn fetch(gate: &Gateway, headers: &[(&str, &str)]) -> (HeaderMap, String) {
    let mut request = reqwest::Client::new().get(gate.url("/reports/%3Cscript%3E"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    (answer.headers().clone(), answer.text().await.expect("a text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_gets_refusals_in_its_own_language() {
    let texts = json!({
        "de": {
            "insufficient_funds": {"title": "Guthaben reicht nicht", "detail": "Diese Anfrage kostet {needed} Credits; {available} sind noch da."},
            "top_up": "Guthaben für {account} aufladen"
        },
        "*": {"invalid_key": {"detail": "This key is not known at Example Inc."}}
    });
    let world = World::start(setup(&texts)).await;
    let key = world.ledger.account("acme", "1").await;
    let ask = async |languages: &str| {
        get(world.gate(), "/reports", &[("x-api-key", &key), ("accept-language", languages)]).await
    };

    // The first waits for the ledger; those that follow are refused at once.
    for attempt in ["waits", "is known"] {
        let german = ask("de-AT, en;q=0.5").await;
        assert_eq!(german.body["detail"], GERMAN, "{attempt}: {german:?}");
        assert_eq!(german.body["title"], "Guthaben reicht nicht");
        assert_eq!((&german.body["code"], german.status), (&json!("insufficient_funds"), 402));
        assert_eq!(
            (header(&german, "content-language"), header(&german, "vary")),
            (Some("de"), Some("accept-language"))
        );
    }
    for languages in ["en-GB, de;q=0.9", "fr", "*", "de;q=0"] {
        let english = ask(languages).await;
        assert_eq!(english.body["detail"], "This request costs 2.5 credits; 1 is left.", "{languages}");
        assert_eq!(header(&english, "content-language"), Some("en"), "{languages}");
    }

    let unknown =
        get(world.gate(), "/reports", &[("x-api-key", "fg_live_typo"), ("accept-language", "de")]).await;
    assert_eq!(unknown.body["detail"], "This key is not known at Example Inc.", "{unknown:?}");
    assert_eq!(
        (header(&unknown, "content-language"), header(&unknown, "vary")),
        (None, Some("accept-language"))
    );
    let unknown = get(world.gate(), "/reports", &[("origin", "https://app.example.com")]).await;
    assert_eq!(header(&unknown, "vary"), Some("accept-language, origin"), "{unknown:?}");

    let german = [("x-api-key", key.as_str()), ("accept-language", "de")];
    let (headers, page) = fetch(world.gate(), &[&german[..], &[("accept", "text/html")]].concat()).await;
    assert_eq!(headers["content-language"], "de");
    assert!(page.contains("lang=\"de\"") && page.contains(&format!("<p>{GERMAN}</p>")), "{page}");
    assert!(
        page.contains("<a href=\"https://example.com/topup?for=acme\">Guthaben für acme aufladen</a>"),
        "{page}"
    );
    let (_, text) = fetch(world.gate(), &[&german[..], &[("accept", "text/plain")]].concat()).await;
    let remedy = "- Guthaben für acme aufladen: https://example.com/topup?for=acme\n";
    assert!(
        text.starts_with(&format!("402 Guthaben reicht nicht\n\n{GERMAN}\n")) && text.contains(remedy),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_escaped_in_every_format() {
    let hostile = "\"></p><script>alert('ü')</script>\\u0000\\ 100% %0d%0aset-cookie: a=b 漢💥\u{2028}";
    let texts = json!({"*": {"missing_key": {"title": hostile, "detail": hostile}, "send_key": hostile}});
    let world = World::start(setup(&texts)).await;

    let problem = get(world.gate(), "/reports/%3Cscript%3E", &[]).await;
    assert_eq!((&problem.body["title"], &problem.body["detail"]), (&json!(hostile), &json!(hostile)));
    let openai = get(world.gate(), "/v1/chat/completions", &[]).await;
    assert_eq!(openai.body["error"]["message"], hostile);
    let (_, page) = fetch(world.gate(), &[("accept", "text/html")]).await;
    assert!(page.contains("&lt;script&gt;alert(&#39;ü&#39;)") && !page.contains("<script"), "{page}");
    let (_, text) = fetch(world.gate(), &[("accept", "text/plain")]).await;
    assert_eq!(text, format!("401 {hostile}\n\n{hostile}\n- {hostile}\n"));

    for kind in ["application/grpc", "application/grpc-web"] {
        let (headers, _) = fetch(world.gate(), &[("content-type", kind)]).await;
        assert_eq!(headers["grpc-status"], "16", "{kind}");
        assert!(!headers.contains_key("set-cookie"), "{kind}: {headers:?}");
        let message = headers["grpc-message"].to_str().expect("visible ASCII");
        assert_eq!(percent_decode_str(message).decode_utf8().expect("UTF-8"), hostile, "{kind}: {message}");
    }
}
