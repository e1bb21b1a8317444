//! Requests that are priced by their body, or whose body needn't be read.

use super::*;
use crate::decide::request::answer_reader::{AnswerHead, Said};

fn post(gate: &mut Gate<Memory>, now: u64, path: &str, more: &[(&str, &str)]) -> Arrival {
    let key = key();
    let all = [(":method", "POST"), (":path", path), ("x-api-key", &key)];
    let headers: Vec<_> =
        all.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    gate.arrive(at(now), 1, &Head::new(&headers), |_| None)
}

/// A gate with this rule, and a caller who has enough.
fn started(rule: &Value) -> Gate<Memory> {
    let config = json!({"rules": [rule, {"name": "wait", "price": "1"}], "request_bodies": true});
    let (mut gate, mut ledger) = (gate(&Memory::default(), &config), FakeLedger::with(100));
    for context in 0..100 {
        arrive(&mut gate, 0, context, "/wait", &key());
    }
    for Resolution { outcome, .. } in exchange_messages(&mut gate, &mut ledger, 0) {
        gate.cancel(&charge(Arrival::Decided(outcome)));
    }
    gate
}

/// Closes a charge whose answer has this body.
fn answered(gate: &mut Gate<Memory>, charge: &Charge, body: &str) -> Credits {
    let head = AnswerHead { status: 200, content_type: Some(b"application/json"), content_encoding: None };
    let mut reader = gate.answer_reader(charge, &head).unwrap();
    reader.feed(body.as_bytes());
    gate.finish_answered(at(2), charge, &End::answered(200), &reader.finish(), true).charged
}

#[test]
fn a_message_to_an_agent_whose_path_says_it_passes_before_its_body() {
    let rule = json!({"match": {"path": {"prefix": "/a2a"}}, "meter": {"a2a": "2"}});
    let mut gate = started(&rule);
    let larger = ("content-length", "99000000");
    for path in ["/a2a/v1/message:send", "/a2a/message:stream", "/a2a/lf.a2a.v1.A2AService/SendMessage"] {
        let charge = charge(post(&mut gate, 1, path, &[larger, ("content-encoding", "gzip")]));
        assert_eq!((charge.price, gate.reads_answer(&charge)), (credits(2), true), "{path}");
        gate.begin(&charge);
        assert_eq!(
            gate.finish_answered(at(2), &charge, &End::answered(200), &Said::Nothing, true).charged,
            credits(2)
        );
    }
    assert!(matches!(post(&mut gate, 1, "/a2a", &[]), Arrival::NeedsBody(_)), "JSON-RPC is read");
}

#[test]
fn a_failed_task_costs_nothing_if_the_rule_says_so() {
    let failed = r#"{"task":{"id":"1","status":{"state":"TASK_STATE_FAILED"}}}"#;
    let done = failed.replace("FAILED", "COMPLETED");
    for (refund, cost) in [(json!(["error", "failed"]), 0), (json!(["error"]), 2)] {
        let rule = json!({"match": {"path": {"prefix": "/a2a"}}, "meter": {"a2a": "2", "refund": refund}});
        let mut gate = started(&rule);
        for (body, cost) in [(failed, cost), (&done, 2)] {
            let charge = charge(post(&mut gate, 1, "/a2a/message:send", &[]));
            gate.begin(&charge);
            assert_eq!(answered(&mut gate, &charge, body), credits(cost), "{refund} {body}");
        }
    }
}

/// Prices by model in credits per million tokens of input; 1,000 credits are held for what is larger than 100 bytes.
fn larger(more: &Value) -> Value {
    let mut meter = json!({
        "llm": "auto", "prices": {"m": {"input": "1000000"}, "g": {"input": "2000000"}}, "larger": "hold",
        "hold": {"at_most": "10"}, "max_body_bytes": 100, "fit": true
    });
    meter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"match": {"path": {"prefix": "/v1"}}, "meter": meter})
}

const SAID: &str = r#"{"model":"m","usage":{"prompt_tokens":3,"completion_tokens":0}}"#;

#[test]
fn a_larger_body_passes_unread_and_its_answer_says_what_it_costs() {
    for (path, body, cost) in [
        ("/v1/chat/completions", SAID, 3),
        ("/v1/chat/completions", &SAID.replace('3', "30"), 30),
        ("/v1/chat/completions", &SAID.replace(":3", ":0"), 0),
        (
            "/v1/models/g:generateContent",
            r#"{"modelVersion":"g-001","usageMetadata":{"promptTokenCount":3}}"#,
            6,
        ),
        // Nothing that could be charged is known.
        ("/v1/chat/completions", &SAID.replace("\"m\"", "\"x\""), 10),
        ("/v1/chat/completions", r#"{"usage":{"prompt_tokens":3}}"#, 10),
        ("/v1/chat/completions", r#"{"model":"m","choices":[]}"#, 10),
        (
            "/v1/models/x:generateContent",
            r#"{"modelVersion":"g","usageMetadata":{"promptTokenCount":3}}"#,
            10,
        ),
    ] {
        let mut gate = started(&larger(&json!({"no_usage": "free"})));
        let charge = charge(post(&mut gate, 1, path, &[("content-length", "101")]));
        assert_eq!(charge.price, credits(10));
        gate.begin(&charge);
        assert_eq!(answered(&mut gate, &charge, body), credits(cost), "{path} {body}");
        let line = gate.usage.leave(Moment::ZERO, &gate.settings).remove(0).lines.remove(0);
        let basis = if body.contains("usage") && cost != 10 {
            exchange::Basis::Reported
        } else {
            exchange::Basis::Held
        };
        let item = match cost {
            10 => None,
            6 => Some("g"),
            _ => Some("m"),
        };
        let item = if path.contains("/x:") { Some("x") } else { item };
        assert_eq!((line.basis, line.item.as_deref()), (Some(basis), item), "{path} {body}");
    }
}

#[test]
fn an_answer_names_its_model_with_a_date_that_the_price_list_need_not_have() {
    let prices = json!({
        "m*": {"input": "5000000"}, "m": {"input": "1000000"}, "m-20260101": {"input": "2000000"}, "n*": {"input": "3000000"}
    });
    for (model, cost, item) in [
        ("m-2026-08-07", 3, "m"),
        ("m-20260807", 3, "m"),
        ("m-20260101", 6, "m-20260101"),
        ("m-mini-2026-08-07", 15, "m-mini"),
        ("n-1-2026-08-07", 9, "n-1"),
        ("m-2026-8-07", 15, "m-2026-8-07"),
    ] {
        let mut gate = started(&larger(&json!({"prices": prices, "hold": {"at_most": "20"}})));
        let charge = charge(post(&mut gate, 1, "/v1/chat/completions", &[("content-length", "101")]));
        gate.begin(&charge);
        let body = SAID.replace("\"m\"", &format!("\"{model}\""));
        assert_eq!(answered(&mut gate, &charge, &body), credits(cost), "{model}");
        let line = gate.usage.leave(Moment::ZERO, &gate.settings).remove(0).lines.remove(0);
        assert_eq!(line.item.as_deref(), Some(item), "{model}");
    }
}

#[test]
fn a_body_is_let_go_when_it_passes_the_limit() {
    let mut gate = started(&larger(&json!({})));
    let chat = "/v1/chat/completions";
    let Arrival::NeedsBody(held) = post(&mut gate, 1, chat, &[]) else { panic!() };
    assert!(!gate.is_larger(&held, 100) && gate.is_larger(&held, 101));
    let charge = charge(gate.without_reading(at(1), 1, *held));
    assert_eq!(charge.price, credits(10));
    gate.begin(&charge);
    // The client leaves before the answer, or during it: nothing says what it used.
    assert_eq!(gate.finish_answered(at(2), &charge, &End::Cut, &Said::Nothing, false).charged, credits(10));
    assert!(matches!(post(&mut gate, 1, chat, &[("content-length", "100")]), Arrival::NeedsBody(_)));
}

#[test]
fn what_may_not_be_sold_is_refused_unread_and_what_is_free_passes() {
    let large = [("content-length", "101")];
    let mut gate = started(&larger(&json!({})));
    let code =
        |arrival| if let Arrival::Decided(outcome) = arrival { refused_with(&outcome) } else { panic!() };
    assert_eq!(code(post(&mut gate, 1, "/v1/files", &large)), Some(RefusalCode::InvalidBody));
    assert_eq!(
        post(&mut gate, 1, "/v1/messages/count_tokens", &large),
        Arrival::Decided(Outcome::Pass(Passage::Free(0)))
    );
    let mut gate = started(&larger(&json!({"larger": "refuse"})));
    assert_eq!(code(post(&mut gate, 1, "/v1/chat/completions", &large)), Some(RefusalCode::BodyTooLarge));
}

#[test]
fn prices_of_the_ledger_settle_a_larger_body_if_they_are_known_then() {
    let mut gate = started(&larger(&json!({"prices": "ledger", "unknown_model": {"input": "4000000"}})));
    let mut ledger = FakeLedger {
        priced: [("m".to_owned(), 2_000_000)].into(),
        change: Some(65_536),
        ..FakeLedger::with(100)
    };
    for (cost, why) in [(10, "not known yet"), (6, "known"), (12, "known to have none")] {
        let charge = charge(post(&mut gate, 1, "/v1/chat/completions", &[("content-length", "101")]));
        gate.begin(&charge);
        let body = if cost == 12 { SAID.replace("\"m\"", "\"x\"") } else { SAID.to_owned() };
        if cost == 12 {
            gate.model_prices(at(2), "x");
            exchange_messages(&mut gate, &mut ledger, 2);
        }
        assert_eq!(answered(&mut gate, &charge, &body), credits(cost), "{why}");
        exchange_messages(&mut gate, &mut ledger, 2);
    }
}
