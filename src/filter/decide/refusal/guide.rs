//! What `faregate explain` and `docs/refusals.md` say beyond the table of causes (`faregate_protocol::RefusalCode`). The filter itself has no use
//! for it, so it isn't in there.

use faregate_protocol::RefusalCode;

/// The HTTP status of a cause's refusals, in messages where it isn't always the same.
pub fn status(code: RefusalCode) -> String {
    let status = code.status();
    match code {
        RefusalCode::RateLimited => {
            format!("{status}, or 402 where the rule's `rate_limited_status` says so")
        }
        _ => status.to_string(),
    }
}

/// What each action asks of the caller.
pub const ACTIONS: [(&str, &str); 12] = [
    ("send_key", "send a valid API key"),
    ("top_up", "add credits"),
    ("upgrade_plan", "choose a bigger plan"),
    ("pay_invoice", "pay what is due"),
    ("wait", "come back at `until`"),
    ("raise_budget", "ask the person who set the budget to raise it"),
    ("reduce_cost", "ask for something that costs at most `max`"),
    ("retry", "try again in `after_seconds`"),
    ("contact_operator", "ask the operator of the API"),
    ("use_successor", "use what replaces the route; `url` says what"),
    ("change_request", "correct the request; `detail` says what is wrong with it"),
    ("choose_model", "name a model that has a price"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::refusal::{Refusal, RequestContext, answer};
    use crate::decide::settings::Wording;
    use faregate_protocol::Credits;
    use faregate_protocol::exchange::Reset;
    use serde_json::Value;

    /// The actions in a refusal, in their order.
    fn actions(refusal: &Refusal) -> Vec<String> {
        let around = RequestContext { path: b"/", ..RequestContext::default() };
        let body: Value = serde_json::from_str(&answer(refusal, &around, &Wording::default()).body).unwrap();
        let remedies = body["remedies"].as_array().unwrap().iter();
        remedies.map(|remedy| remedy["action"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn documented_remedies_match_those_in_refusals() {
        for code in RefusalCode::ALL {
            let full = Refusal {
                needed: Some(Credits::from_micros(2)),
                available: Some(Credits::from_micros(1)),
                top_up: true,
                ..Refusal::plain(code)
            };
            let brings = Credits::from_micros(2);
            let at = Reset { at: "2026-12-01T00:00:00Z".into(), in_s: 1, brings, size: brings, window_s: 0 };
            let waits = code.remedies().iter().any(|(action, _)| *action == "wait");
            let reset = Refusal { reset: waits.then_some(at), ..full.clone() };
            let trusted_identity = Refusal { trusted_identity: true, ..full };
            let known: Vec<&str> = code.remedies().iter().map(|(action, _)| *action).collect();
            let mut named = Vec::new();
            for refusal in [Refusal::plain(code), reset, trusted_identity] {
                let mut rest = known.iter();
                for action in actions(&refusal) {
                    assert!(rest.any(|known| *known == action), "{code}: {action} after others");
                    assert!(ACTIONS.iter().any(|(known, _)| *known == action), "{action} is not explained");
                    named.push(action);
                }
            }
            for action in known {
                assert!(named.iter().any(|named| named == action), "{code} never says {action}");
            }
            let always =
                code.remedies().iter().filter(|(_, when)| when.is_empty()).map(|(action, _)| *action);
            let least = actions(&Refusal::plain(code));
            assert_eq!(always.collect::<Vec<_>>(), least, "{code}: what is always said");
        }
    }
}
