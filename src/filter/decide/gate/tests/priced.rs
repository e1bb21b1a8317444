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
    gate.finish_answered(at(2), charge, &End::answered(200), &reader.finish(), true)
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
            gate.finish_answered(at(2), &charge, &End::answered(200), &Said::Nothing, true),
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
