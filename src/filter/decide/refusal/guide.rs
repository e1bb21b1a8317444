//! What each cause means to the caller, what cures it, and what an operator checks: for `faregate explain` and
//! `docs/refusals.md`. The filter itself has no use for it, so it isn't in there.

use super::cause::{self, Cause};
use faregate_protocol::RefusalCode::{
    self, AccountBudgetExhausted, AccountSuspended, InsufficientFunds, InvalidKey, KeyBudgetExhausted,
    KeyExcludesRoute, KeyExpired, LedgerUnavailable, MissingKey, PaymentPastDue, PlanExcludesRoute,
    QuotaExhausted, RateLimited, RouteRetired, SubscriptionExpired, TeamBudgetExhausted,
};

/// What is said of a cause beyond what its refusal says.
#[derive(Clone, Copy, Debug)]
pub struct Guide {
    /// Its name.
    pub code: RefusalCode,
    /// What is the matter.
    pub meaning: &'static str,
    /// The actions of the remedies in its refusals, in the order in which they may stand there, each with when it does.
    pub remedies: &'static [(&'static str, &'static str)],
    /// What an operator looks at, in Markdown.
    pub check: &'static str,
}

const ALWAYS: &str = "";
const COVERED: &str = "where the next period covers the price";
const LEFT: &str = "where something is left";

/// All of them, in the order of [`RefusalCode::ALL`].
pub const GUIDE: [Guide; RefusalCode::ALL.len()] = [
    guide(
        MissingKey,
        "none of the places in `identities` holds anything",
        &[
            ("send_key", ALWAYS),
            ("contact_operator", "instead, where callers are known by a certificate or a token"),
        ],
        "does the caller use one of these places?",
    ),
    guide(
        InvalidKey,
        "no key of ours, a key sent twice, or one that is unknown or revoked",
        &[
            ("send_key", ALWAYS),
            ("contact_operator", "instead, where the caller is known by a certificate or a token"),
        ],
        "`faregate key list ACCOUNT`",
    ),
    guide(
        KeyExpired,
        "the key's time is over",
        &[
            ("send_key", ALWAYS),
            ("contact_operator", "instead, where the caller is known by a certificate or a token"),
        ],
        "`faregate key list ACCOUNT`; an expiry can't be moved: make a new key",
    ),
    guide(
        InsufficientFunds,
        "the price is above what the account can spend",
        &[("top_up", ALWAYS), ("reduce_cost", LEFT)],
        "`faregate balance ACCOUNT`: is much of it `held` by other gateways? `faregate leases`",
    ),
    guide(
        QuotaExhausted,
        "the plan's quota for this period is used up, and nothing else pays",
        &[
            ("wait", "where the next quota covers the price"),
            ("top_up", "where the plan lets bought credits pay"),
            ("upgrade_plan", ALWAYS),
            ("reduce_cost", LEFT),
        ],
        "`faregate subscription show ACCOUNT`, `faregate plan show PLAN`",
    ),
    guide(
        SubscriptionExpired,
        "the subscription was cancelled or its trial is over, and nothing else pays",
        &[
            ("top_up", "where the plan lets bought credits pay"),
            ("upgrade_plan", ALWAYS),
            ("reduce_cost", LEFT),
        ],
        "`faregate subscription show ACCOUNT`",
    ),
    guide(
        PaymentPastDue,
        "a payment is missing and the grace is over; nothing may be spent, whatever else there is",
        &[("pay_invoice", ALWAYS)],
        "`faregate subscription activate ACCOUNT` once it is paid",
    ),
    guide(
        PlanExcludesRoute,
        "the rule has a `product` that the plan doesn't include",
        &[("upgrade_plan", ALWAYS)],
        "the rule's `product`, `faregate plan show PLAN`",
    ),
    guide(
        KeyExcludesRoute,
        "the key is limited to other products",
        &[("send_key", ALWAYS)],
        "`faregate key list ACCOUNT`",
    ),
    guide(
        RouteRetired,
        "the rule is `retired`: nothing is sold here any more, whoever asks; no key was looked at, and nothing was charged",
        &[("use_successor", ALWAYS)],
        "the rule's `retired`, and its `deprecated.link`, which says what to use instead",
    ),
    guide(
        KeyBudgetExhausted,
        "the key's budget for this period is used up",
        &[("wait", COVERED), ("raise_budget", ALWAYS), ("reduce_cost", LEFT)],
        "`faregate budget list ACCOUNT`",
    ),
    guide(
        TeamBudgetExhausted,
        "the budget of the key's team for this period is used up",
        &[("wait", COVERED), ("raise_budget", ALWAYS), ("reduce_cost", LEFT)],
        "`faregate budget list ACCOUNT`",
    ),
    guide(
        AccountBudgetExhausted,
        "the account's budget for this period is used up",
        &[("wait", COVERED), ("raise_budget", ALWAYS), ("reduce_cost", LEFT)],
        "`faregate budget list ACCOUNT`",
    ),
    guide(
        RateLimited,
        "more requests per second, or at the same time, than the plan allows; nothing was charged",
        &[("retry", ALWAYS), ("upgrade_plan", ALWAYS)],
        "`faregate plan show PLAN`; how many gateways share the limit",
    ),
    guide(
        AccountSuspended,
        "the account is suspended or closed",
        &[("contact_operator", ALWAYS)],
        "`faregate account show ACCOUNT`",
    ),
    guide(
        LedgerUnavailable,
        "the ledger didn't answer in time, or too many requests wait for it; nothing was charged",
        &[("retry", ALWAYS)],
        "the ledger's `/readyz`, Envoy's log (it says when the ledger stops and when it resumes answering), \
         `exchange_failures` in Envoy's statistics; where it is one account only, `faregate audit`",
    ),
];

const fn guide(
    code: RefusalCode,
    meaning: &'static str,
    remedies: &'static [(&'static str, &'static str)],
    check: &'static str,
) -> Guide {
    Guide { code, meaning, remedies, check }
}

/// What is said of this cause.
pub fn of(code: RefusalCode) -> &'static Guide {
    let [.., last] = &GUIDE;
    GUIDE.iter().find(|guide| guide.code == code).unwrap_or(last)
}

impl Guide {
    /// What its refusal says by itself.
    pub fn cause(&self) -> &'static Cause {
        cause::of(self.code)
    }

    /// The HTTP status, in words where it isn't always the same.
    pub fn status(&self) -> String {
        let status = self.cause().status;
        match self.code {
            RateLimited => format!("{status}, or 402 where the rule's `rate_limited_status` says so"),
            _ => status.to_string(),
        }
    }
}

/// What each action asks of the caller.
pub const ACTIONS: [(&str, &str); 10] = [
    ("send_key", "send a valid API key"),
    ("top_up", "add credits"),
    ("upgrade_plan", "choose a bigger plan"),
    ("pay_invoice", "pay what is due"),
    ("wait", "come back at `until`"),
    ("raise_budget", "have the budget raised by whoever set it"),
    ("reduce_cost", "ask for something that costs at most `max`"),
    ("retry", "try again in `after_seconds`"),
    ("contact_operator", "ask the operator of the API"),
    ("use_successor", "use what replaces the route; `url` says what"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::refusal::{Refusal, Surroundings, answer};
    use crate::decide::settings::Wording;
    use faregate_protocol::Credits;
    use faregate_protocol::exchange::Reset;
    use serde_json::Value;

    #[test]
    fn every_code_has_its_guide() {
        assert_eq!(GUIDE.map(|guide| guide.code), RefusalCode::ALL);
        for code in RefusalCode::ALL {
            assert_eq!((of(code).code, of(code).cause().code), (code, code));
        }
    }

    /// The actions in a refusal, in their order.
    fn actions(refusal: &Refusal) -> Vec<String> {
        let around = Surroundings { path: b"/", ..Surroundings::default() };
        let body: Value = serde_json::from_str(&answer(refusal, &around, &Wording::default()).body).unwrap();
        let remedies = body["remedies"].as_array().unwrap().iter();
        remedies.map(|remedy| remedy["action"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_remedies_are_those_that_refusals_name() {
        for guide in GUIDE {
            let full = Refusal {
                needed: Some(Credits::from_micros(2)),
                available: Some(Credits::from_micros(1)),
                top_up: true,
                ..Refusal::plain(guide.code)
            };
            let brings = Credits::from_micros(2);
            let at = Reset { at: "2026-12-01T00:00:00Z".into(), in_s: 1, brings, size: brings, window_s: 0 };
            let waits = guide.remedies.iter().any(|(action, _)| *action == "wait");
            let reset = Refusal { reset: waits.then_some(at), ..full.clone() };
            let vouched = Refusal { vouched: true, ..full };
            let known: Vec<&str> = guide.remedies.iter().map(|(action, _)| *action).collect();
            let mut named = Vec::new();
            for refusal in [Refusal::plain(guide.code), reset, vouched] {
                let mut rest = known.iter();
                for action in actions(&refusal) {
                    assert!(rest.any(|known| *known == action), "{}: {action} after others", guide.code);
                    assert!(ACTIONS.iter().any(|(known, _)| *known == action), "{action} is not explained");
                    named.push(action);
                }
            }
            for action in known {
                assert!(named.iter().any(|named| named == action), "{} never says {action}", guide.code);
            }
            let always = guide.remedies.iter().filter(|(_, when)| when.is_empty()).map(|(action, _)| *action);
            let least = actions(&Refusal::plain(guide.code));
            assert_eq!(always.collect::<Vec<_>>(), least, "{}: what is always said", guide.code);
        }
    }
}
