//! What callers read.

mod about;
mod language;
mod texts;

use super::*;
use crate::decide::base::moment::Moment;
use crate::decide::settings::texts::Texts;
use crate::decide::settings::{Settings, Wording, dialect};
use serde_json::{Value, json};

fn wording() -> Wording {
    Wording {
        top_up_url: Some("https://example.com/topup".into()),
        upgrade_url: Some("https://example.com/plans".into()),
        ..Wording::default()
    }
}

/// The operator's own messages.
fn own(texts: &Value) -> Texts {
    let config = json!({
        "ledger": {"cluster": "ledger", "token": {"env": "T"}}, "identities": [{"bearer": true}],
        "default": "free", "texts": texts
    });
    Settings::from_value(&config).unwrap().wording.texts
}

fn answer_in(dialect: Dialect, refusal: &Refusal) -> Answer {
    let around = RequestContext { path: b"/p", dialect, ..RequestContext::default() };
    answer(refusal, &around, &wording())
}

fn short() -> Refusal {
    Refusal {
        needed: Some(Credits::from_micros(2_000_000)),
        available: Some(Credits::from_micros(500_000)),
        ..Refusal::plain(RefusalCode::InsufficientFunds)
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
}

fn render(refusal: &Refusal) -> (u16, Vec<(String, String)>, Value) {
    let around = RequestContext { path: b"/a\"b\xff", request_id: Some(b"r-1"), ..RequestContext::default() };
    let answer = answer(refusal, &around, &wording());
    (answer.status, answer.headers, serde_json::from_str(&answer.body).unwrap())
}

#[test]
fn an_insufficient_funds_refusal_shows_the_amounts_and_the_remedy() {
    let refusal = Refusal {
        needed: Some(Credits::from_micros(12_000_000)),
        available: Some(Credits::from_micros(1_000_000)),
        ..Refusal::plain(RefusalCode::InsufficientFunds)
    };
    let (status, headers, body) = render(&refusal);
    assert_eq!(status, 402);
    assert_eq!(
        body,
        json!({
            "type": "urn:faregate:refusal:insufficient_funds",
            "title": "Not enough credits",
            "status": 402,
            "detail": "This request costs 12 credits; 1 is left.",
            "instance": "/a\"b\u{fffd}",
            "code": "insufficient_funds",
            "needed": "12",
            "available": "1",
            "unit": "credits",
            "retryable": false,
            "remedies": [{"action": "top_up", "url": "https://example.com/topup"}, {"action": "reduce_cost", "max": "1"}],
            "request_id": "r-1"
        })
    );
    let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
    assert_eq!(header("content-type"), Some("application/problem+json"));
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("x-should-retry"), Some("false"));
    assert_eq!(header("link"), Some("<https://example.com/topup>; rel=\"payment\""));
    assert_eq!(header("retry-after"), None);
}

#[test]
fn a_ledger_outage_refusal_never_asks_for_payment() {
    let (status, headers, body) = render(&Refusal::plain(RefusalCode::LedgerUnavailable));
    assert_eq!((status, &body["retryable"]), (503, &json!(true)));
    assert!(headers.contains(&("retry-after".into(), "1".into())));
    assert!(!headers.iter().any(|(name, _)| *name == "link" || *name == "x-should-retry"));
    assert_eq!(body["remedies"], json!([{"action": "retry", "after_seconds": 1}]));
    assert_eq!((body.get("needed"), body.get("unit")), (None, None));
}

#[test]
fn every_refusal_code_has_a_status_and_only_valid_remedies() {
    for code in RefusalCode::ALL {
        let (status, headers, body) = render(&Refusal::plain(code));
        assert_eq!(body["code"], code.as_str());
        assert_eq!(body["status"], status);
        assert!(!body["remedies"].as_array().unwrap().is_empty(), "{code}");
        assert_eq!(status == 401, headers.iter().any(|(name, _)| *name == "www-authenticate"), "{code}");
        let pays = body["remedies"].to_string().contains("https://example.com/topup");
        assert_eq!(pays, headers.iter().any(|(name, _)| *name == "link"), "{code}");
        assert!(!pays || status == 402, "{code}");
    }
}

#[test]
fn an_exhausted_quota_suggests_waiting_only_if_the_reset_is_enough() {
    let of = |needed: i64, top_up| Refusal {
        needed: Some(Credits::from_micros(needed * 1_000_000)),
        available: Some(Credits::ZERO),
        reset: Some(Reset {
            at: "2026-12-01T00:00:00Z".into(),
            in_s: 863_942,
            brings: Credits::from_micros(100_000_000),
            size: Credits::from_micros(100_000_000),
            window_s: 2_592_000,
        }),
        top_up,
        ..Refusal::plain(RefusalCode::QuotaExhausted)
    };
    let (status, headers, body) = render(&of(100, false));
    assert_eq!((status, &body["resets_at"]), (402, &json!("2026-12-01T00:00:00Z")));
    assert!(body["detail"].as_str().unwrap().ends_with(". More comes on 1 Dec 2026, 00:00 UTC."), "{body}");
    assert_eq!(
        body["remedies"],
        json!([
            {"action": "wait", "until": "2026-12-01T00:00:00Z"},
            {"action": "upgrade_plan", "url": "https://example.com/plans"}
        ])
    );
    assert!(headers.contains(&("retry-after".into(), "863942".into())));
    assert!(headers.contains(&("x-should-retry".into(), "false".into())), "no SDK waits that long");
    let (_, headers, body) = render(&of(101, true));
    assert_eq!(body["remedies"][0]["action"], "top_up", "the next quota would not do: {body}");
    assert!(!headers.iter().any(|(name, _)| *name == "retry-after"));
}

#[test]
fn a_rate_limited_refusal_says_when_to_retry() {
    let (status, headers, body) = render(&Refusal::throttled(Wait::Rate(1_001), None));
    assert_eq!((status, &body["retryable"]), (429, &json!(true)));
    assert_eq!(body["remedies"][0], json!({"action": "retry", "after_seconds": 2}));
    assert!(headers.contains(&("retry-after".into(), "2".into())));
    let paid = Refusal { status: Some(402), ..Refusal::throttled(Wait::Rate(1), None) };
    assert_eq!(render(&paid).0, 402, "as the rule has it");
}

#[test]
fn a_trusted_identity_is_sent_to_the_operator_and_not_asked_for_a_key() {
    for code in [RefusalCode::MissingKey, RefusalCode::InvalidKey, RefusalCode::KeyExpired] {
        let (status, _, body) = render(&Refusal { trusted_identity: true, ..Refusal::plain(code) });
        assert_eq!((status, &body["code"]), (401, &json!(code.as_str())));
        assert_eq!(body["remedies"], json!([{"action": "contact_operator"}]));
        assert!(body["detail"].as_str().unwrap().contains("verified identity"), "{body}");
    }
    let short = Refusal { trusted_identity: true, ..Refusal::plain(RefusalCode::InsufficientFunds) };
    assert_eq!(render(&short).2["remedies"][0]["action"], "top_up");
}

#[test]
fn every_format_carries_the_code_and_the_same_message() {
    let code = |answer: &Answer, pointer: &str| {
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        body.pointer(pointer).cloned().unwrap_or_default()
    };
    let says = json!("This request costs 2 credits; 0.5 are left.");
    for (dialect, kind, status, at_code, at_words) in [
        (Dialect::Problem, "application/problem+json", 402, "/code", "/detail"),
        (Dialect::OpenAi, "application/problem+json", 402, "/error/code", "/error/message"),
        (Dialect::OpenAi, "application/problem+json", 402, "/code", "/detail"),
        (Dialect::Anthropic, "application/json", 402, "/problem/code", "/error/message"),
        (Dialect::Gemini, "application/json", 402, "/problem/code", "/error/message"),
        (Dialect::Mcp, "application/json", 402, "/error/data/code", "/error/message"),
        (
            Dialect::McpResult,
            "application/json",
            200,
            "/result/structuredContent/code",
            "/result/content/0/text",
        ),
    ] {
        let answer = answer_in(dialect, &short());
        assert_eq!(answer.status, status, "{dialect:?}");
        assert_eq!(header(&answer, "content-type"), Some(kind), "{dialect:?}");
        assert_eq!(code(&answer, at_code), "insufficient_funds", "{dialect:?} {}", answer.body);
        assert_eq!(code(&answer, at_words), says, "{dialect:?} {}", answer.body);
    }
    let of = |dialect, pointer: &str| code(&answer_in(dialect, &short()), pointer);
    assert_eq!(of(Dialect::OpenAi, "/error/type"), "insufficient_quota");
    assert_eq!(of(Dialect::Anthropic, "/error/type"), "billing_error");
    assert_eq!(of(Dialect::Anthropic, "/type"), "error");
    assert_eq!(of(Dialect::Gemini, "/error/status"), "RESOURCE_EXHAUSTED");
    assert_eq!(of(Dialect::Gemini, "/error/details/0/reason"), "INSUFFICIENT_FUNDS");
    assert_eq!(of(Dialect::Mcp, "/error/code"), 402);
    let page = answer_in(Dialect::Html, &short());
    assert!(page.body.contains("costs 2 credits; 0.5 are left.") && page.body.contains("insufficient_funds"));
    assert!(page.body.contains("<a href=\"https://example.com/topup\">Add credits</a>"), "{}", page.body);
    let text = answer_in(Dialect::Text, &short()).body;
    assert!(
        text.starts_with("402 Not enough credits\n")
            && text.contains("- Add credits: https://example.com/topup\n")
    );
}

#[test]
fn grpc_refusals_have_their_own_status_and_an_encoded_message() {
    let answer = answer_in(Dialect::Grpc, &short());
    assert_eq!((answer.status, answer.grpc), (200, Some(8)));
    assert_eq!(answer.body, "This request costs 2 credits; 0.5 are left.");
    assert_eq!(header(&answer, "faregate-code"), Some("insufficient_funds"));
    let web = answer_in(Dialect::GrpcWeb, &short());
    assert_eq!((web.status, web.grpc, header(&web, "grpc-status")), (200, None, Some("8")));
    let message = header(&web, "grpc-message").unwrap();
    assert_eq!(message, "This%20request%20costs%202%20credits%3B%200.5%20are%20left.");
    for (code, status) in [
        (RefusalCode::MissingKey, 16),
        (RefusalCode::AccountSuspended, 7),
        (RefusalCode::RateLimited, 8),
        (RefusalCode::RouteRetired, 12),
        (RefusalCode::LedgerUnavailable, 14),
    ] {
        assert_eq!(answer_in(Dialect::Grpc, &Refusal::plain(code)).grpc, Some(status), "{code}");
    }
}

#[test]
fn hostile_names_break_no_format() {
    let hostile = "a\"\\<b>&\r\nx: y\u{2028}";
    let payer = Facts {
        key: "key_1".into(),
        account: hostile.into(),
        plan: Some(hostile.into()),
        ..Facts::default()
    };
    let refusal = Refusal { payer: Some(payer.into()), ..short() };
    let wording = Wording {
        top_up_url: Some("https://example.com/?a={account}&p={plan}".into()),
        type_url: Some("https://example.com/refusals#{code}".into()),
        ..Wording::default()
    };
    for (_, dialect) in dialect::NAMES {
        let around = RequestContext {
            path: hostile.as_bytes(),
            request_id: Some(hostile.as_bytes()),
            dialect,
            ..RequestContext::default()
        };
        let answer = answer(&refusal, &around, &wording);
        for (name, value) in &answer.headers {
            assert!(value.bytes().all(|b| (b' '..=b'~').contains(&b)), "{dialect:?} {name}: {value:?}");
        }
        if header(&answer, "content-type").is_some_and(|kind| kind.contains("json")) {
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            assert!(!body.is_null());
        }
        if dialect == Dialect::Html {
            assert!(!answer.body.contains("<b>"), "{}", answer.body);
        }
    }
    let around = RequestContext { path: b"/", ..RequestContext::default() };
    let body: Value = serde_json::from_str(&answer(&refusal, &around, &wording).body).unwrap();
    assert_eq!(body["type"], "https://example.com/refusals#insufficient_funds");
    let url = body["remedies"][0]["url"].as_str().unwrap();
    assert!(url.starts_with("https://example.com/?a=a%22%5C%3Cb%3E%26%0D%0A"), "{url}");
}

#[test]
fn a_page_of_an_allowed_origin_can_read_the_refusal() {
    let around =
        RequestContext { path: b"/", origin: Some("https://app.example.com"), ..RequestContext::default() };
    let answer = answer(&short(), &around, &wording());
    assert_eq!(header(&answer, "access-control-allow-origin"), Some("https://app.example.com"));
    assert!(header(&answer, "access-control-expose-headers").unwrap().contains("retry-after"));
    assert_eq!(header(&answer, "vary"), Some("origin"));
    assert_eq!(header(&answer_in(Dialect::Problem, &short()), "vary"), None);
}

#[test]
fn the_ratelimit_header_names_the_quota_budget_or_limit_that_was_hit() {
    let reset = Reset {
        at: "2026-12-01T00:00:00Z".into(),
        in_s: 9,
        brings: Credits::from_micros(5_000_000),
        size: Credits::from_micros(5_000_000),
        window_s: 60,
    };
    for (code, name) in [
        (RefusalCode::QuotaExhausted, "plan"),
        (RefusalCode::KeyBudgetExhausted, "key-budget"),
        (RefusalCode::TeamBudgetExhausted, "team-budget"),
        (RefusalCode::AccountBudgetExhausted, "account-budget"),
    ] {
        let refusal = Refusal {
            needed: Some(Credits::from_micros(4_000_000)),
            available: Some(Credits::from_micros(3_900_000)),
            reset: Some(reset.clone()),
            ..Refusal::plain(code)
        };
        let answer = answer_in(Dialect::Problem, &refusal);
        assert_eq!(header(&answer, "ratelimit").unwrap(), format!("\"{name}\";r=3;t=9"));
        let policy = format!("\"{name}\";q=5;w=60;qu=\"credits\"");
        assert_eq!(header(&answer, "ratelimit-policy").unwrap(), policy);
    }
    let limits = Limits { rate: None, concurrent: Some(2) };
    let plan = CachedStatus {
        received_at: Moment::ZERO,
        available: Credits::ZERO,
        quota: None,
        limits,
        warn_below: None,
    };
    for (wait, says) in [(Wait::Crowd, Some("\"concurrency\";r=0")), (Wait::Rate(1), None)] {
        let answer = answer_in(Dialect::Problem, &Refusal::throttled(wait, Some(plan.clone())));
        assert_eq!(header(&answer, "ratelimit"), says);
        let policy = "\"concurrency\";q=2;qu=\"concurrent-requests\"";
        assert_eq!(header(&answer, "ratelimit-policy"), Some(policy));
    }
}
