//! The table of causes: everything that a refusal says because of its cause alone. What it means and
//! what an operator checks stands in `guide`, which the filter does without.

use faregate_protocol::RefusalCode::{
    self, AccountBudgetExhausted, AccountSuspended, InsufficientFunds, InvalidKey, KeyBudgetExhausted,
    KeyExcludesRoute, KeyExpired, LedgerUnavailable, MissingKey, PaymentPastDue, PlanExcludesRoute,
    QuotaExhausted, RateLimited, RouteRetired, SubscriptionExpired, TeamBudgetExhausted,
};

/// A cause, and what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    /// Its name.
    pub code: RefusalCode,
    /// The HTTP status.
    pub status: u16,
    /// What a person reads first.
    pub title: &'static str,
    /// What a person reads next, where nothing narrower is known.
    pub detail: &'static str,
}

/// All of them, in the order of [`RefusalCode::ALL`]. Of those that are about amounts the detail is the second half of
/// "This request costs 2 credits; 1 is left …".
pub const CAUSES: [Cause; RefusalCode::ALL.len()] = [
    cause(MissingKey, 401, "API key missing", "This request needs an API key and carries none."),
    cause(
        InvalidKey,
        401,
        "API key not valid",
        "This API key is unknown or was revoked. Use another key, or ask for a new one.",
    ),
    cause(
        KeyExpired,
        401,
        "API key expired",
        "This API key has expired. Use another key, or ask for a new one.",
    ),
    cause(InsufficientFunds, 402, "Not enough credits", ""),
    cause(QuotaExhausted, 402, "Quota used up", " of the plan's quota for this period"),
    cause(SubscriptionExpired, 402, "Subscription over", ", and the subscription is over"),
    cause(
        PaymentPastDue,
        402,
        "Payment past due",
        "A payment for this account's plan is overdue. Once it is paid, requests pass again.",
    ),
    cause(PlanExcludesRoute, 402, "Not in this plan", "This account's plan doesn't include this route."),
    cause(
        KeyExcludesRoute,
        403,
        "Not for this API key",
        "This API key is limited to other products. Use another key of the account.",
    ),
    cause(
        RouteRetired,
        410,
        "No longer offered",
        "Nothing is offered here any more, with any API key or plan. Nothing was charged.",
    ),
    cause(KeyBudgetExhausted, 402, "Budget used up", " of this API key's budget"),
    cause(TeamBudgetExhausted, 402, "Budget used up", " of the team's budget"),
    cause(AccountBudgetExhausted, 402, "Budget used up", " of the account's budget"),
    cause(
        RateLimited,
        429,
        "Too many requests",
        "This account's plan allows fewer requests per second, or at the same time.",
    ),
    cause(
        AccountSuspended,
        403,
        "Account suspended",
        "This account is suspended or closed. Only the operator of this API can open it again.",
    ),
    cause(
        LedgerUnavailable,
        503,
        "Payment can't be checked right now",
        "This is our fault, not yours: nothing was charged, and there is nothing to pay. Try again soon.",
    ),
];

const fn cause(code: RefusalCode, status: u16, title: &'static str, detail: &'static str) -> Cause {
    Cause { code, status, title, detail }
}

/// A cause by its name.
pub fn of(code: RefusalCode) -> &'static Cause {
    let [.., last] = &CAUSES;
    CAUSES.iter().find(|cause| cause.code == code).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_line() {
        assert_eq!(CAUSES.map(|cause| cause.code), RefusalCode::ALL);
        for (number, code) in RefusalCode::ALL.into_iter().enumerate() {
            assert_eq!(of(code).code, code);
            assert_eq!(code as usize, number, "refusals are counted by this number");
        }
    }
}
