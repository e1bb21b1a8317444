//! What ends soon, said once for each end: grants, keys and subscriptions; and refusals that are over by time. A job finds candidates; each is looked at again here.
//!
//! What must hold: an end is announced once; another end is announced again; what was looked at isn't found again.

use super::events::note;
use super::refusals;
use crate::domain::event::EventKind;
use crate::domain::{AccountNo, AccountState, GrantNo, KeyNo};
use crate::store::draft::{Draft, Stop};
use crate::store::operation::Operation;
use crate::store::rows::{GrantRow, SubscriptionRow};
use jiff::Timestamp;
use serde_json::json;

/// How long before its end a grant or a key is announced (ms): 7 days, or when half of its time is over.
pub const EXPIRES_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// How long before it renews or ends a subscription is announced (ms): 3 days, or when half of its period is over.
pub const RENEWS_MS: i64 = 3 * 24 * 60 * 60 * 1_000;

/// Something that may end soon.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    /// A grant that was bought.
    Grant(GrantNo, AccountNo),
    /// A key.
    Key(KeyNo, AccountNo),
    /// A subscription.
    Subscription(i64, AccountNo),
}

impl Operation for Ending {
    type Output = ();

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
        let (Self::Grant(_, no) | Self::Key(_, no) | Self::Subscription(_, no)) = *self;
        // An account that another ledger has locked is left to it.
        let Some(account) = draft.account(no)? else { return Ok(()) };
        let id = account.account.id.as_str();
        let is_closed = account.account.state == AccountState::Closed;
        match *self {
            Self::Grant(grant, _) => announce_grant(draft, id, grant, now),
            Self::Key(key, _) => announce_key(draft, id, key, now),
            Self::Subscription(subscription, _) => announce_subscription(draft, id, subscription, is_closed),
        }
    }
}

fn announce_grant(draft: &mut Draft, account: &str, no: GrantNo, now: Timestamp) -> Result<(), Stop> {
    let Some(mut row) = draft.get::<GrantRow>(&(no,))?.cloned() else { return Ok(()) };
    let Some(end) = row.grant.expires_at.filter(|end| *end > now && row.soon != Some(*end)) else {
        return Ok(());
    };
    row.soon = Some(end);
    if row.grant.remaining.is_positive() {
        let data = json!({
            "account": account,
            "grant": row.id.as_str(),
            "amount": row.amount.to_string(),
            "remaining": row.grant.remaining.to_string(),
            "expires_at": end.to_string(),
        });
        note(draft, EventKind::GrantExpiresSoon, row.account, data);
    }
    draft.put(row);
    Ok(())
}

fn announce_key(draft: &mut Draft, account: &str, no: KeyNo, now: Timestamp) -> Result<(), Stop> {
    let Some(mut row) = draft.key(no)? else { return Ok(()) };
    let Some(end) = row.key.expires_at.filter(|end| *end > now && row.soon != Some(*end)) else {
        return Ok(());
    };
    row.soon = Some(end);
    // One that was rotated is meant to expire.
    if !row.key.revoked && row.replaced_by.is_none() {
        let data = json!({
            "account": account,
            "key": row.key.id.as_str(),
            "prefix": row.prefix,
            "subject": row.subject,
            "note": row.note,
            "expires_at": end.to_string(),
        });
        note(draft, EventKind::KeyExpiresSoon, row.account, data);
    }
    draft.put(row);
    Ok(())
}

fn announce_subscription(draft: &mut Draft, account: &str, no: i64, is_closed: bool) -> Result<(), Stop> {
    let Some(row) = draft.get::<SubscriptionRow>(&(no,))?.cloned() else { return Ok(()) };
    let Some(due) = row.due.filter(|due| row.soon != Some(*due)) else { return Ok(()) };
    let subscription = &row.subscription;
    let kind = if subscription.ends_at() == Some(due) {
        Some(EventKind::SubscriptionEndsSoon)
    } else if subscription.renews_at() == Some(due) {
        Some(EventKind::SubscriptionRenewsSoon)
    } else {
        None
    };
    if let Some(kind) = kind.filter(|_| !is_closed) {
        let plan = super::plans::row(draft, subscription.next_plan.unwrap_or(subscription.plan))?;
        let when = if kind == EventKind::SubscriptionEndsSoon { "ends_at" } else { "renews_at" };
        let data =
            json!({"account": account, "subscription": row.id, "plan": plan.name, when: due.to_string()});
        note(draft, kind, row.account, data);
    }
    draft.put(SubscriptionRow { soon: Some(due), ..row });
    Ok(())
}

/// Looks whether requests of an account are still refused, when nothing was heard of it for long.
#[derive(Clone, Copy, Debug)]
pub struct Quiet(pub AccountNo);

impl Operation for Quiet {
    type Output = ();

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
        // An account that another ledger has locked is left to it.
        let Some(mut row) = draft.account(self.0)? else { return Ok(()) };
        if row.alerts.refusing_due.is_none_or(|due| due > now) {
            return Ok(());
        }
        if row.alerts.refusing.as_ref().is_some_and(|watch| watch.over.is_none()) {
            refusals::end(draft, row, false, now);
        } else {
            row.alerts.set_refusing(None);
            draft.put(row);
        }
        Ok(())
    }
}
