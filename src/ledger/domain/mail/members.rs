//! What a text may say of each kind of event: its placeholders, which are the members of the event's data.

use crate::api::EventKind;

/// What every text may say: what happened, when, and the event's identifier.
const COMMON: [&str; 3] = ["event", "time", "type"];

/// The placeholders of a kind.
pub fn members(kind: EventKind) -> impl Iterator<Item = &'static str> {
    COMMON.into_iter().chain(account(kind)).chain(own(kind).iter().copied())
}

/// What is about an account says of which.
fn account(kind: EventKind) -> Option<&'static str> {
    (!kind.is_of_ledger()).then_some("account")
}

fn own(kind: EventKind) -> &'static [&'static str] {
    use EventKind as K;
    const PERIOD: &[&str] = &["subscription", "plan", "period_started_at", "period_ends_at"];
    match kind {
        K::BalanceLow | K::BalanceRecovered => &["left", "below", "owed"],
        K::BudgetUsed => {
            &["percent", "scope", "target", "credits", "spent", "period_started_at", "resets_at"]
        }
        K::QuotaUsed => &["percent", "quota", "used", "plan", "period_started_at", "period_ends_at"],
        K::GrantGiven => &["grant", "amount", "priority", "expires_at", "note", "source"],
        K::BalanceAdjusted => &["correction", "amount", "owed", "note"],
        K::GrantVoided => &["grant", "correction", "amount", "owed", "note"],
        K::GrantExpiresSoon => &["grant", "amount", "remaining", "expires_at"],
        K::KeyRotated => &["key", "new_key", "expires_at"],
        K::KeyRevoked => &["key", "prefix", "subject", "note"],
        K::KeyExpiresSoon => &["key", "prefix", "subject", "note", "expires_at"],
        K::SubscriptionStarted | K::SubscriptionRenewed | K::SubscriptionUnpaid => PERIOD,
        K::SubscriptionRenewsSoon => &["subscription", "plan", "renews_at"],
        K::SubscriptionPastDue => &["subscription", "plan", "grace_until"],
        K::SubscriptionEndsSoon => &["subscription", "plan", "ends_at"],
        K::SubscriptionEnded => &["subscription", "plan", "period_started_at", "period_ends_at", "state"],
        K::RefusalsBegan => &["code", "what", "requests"],
        K::RefusalsEnded => &["code", "since", "cured"],
        K::LedgerFault => &["fault", "what", "cure"],
        K::LedgerFaultOver => &["fault", "since"],
    }
}
