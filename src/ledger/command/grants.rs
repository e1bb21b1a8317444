//! Grants: credits given to an account, by operators and by the steps of subscriptions.

use super::times::future;
use super::{events, funds};
use crate::api;
use crate::domain::event::EventKind;
use crate::domain::grant::MAX_LIVE_GRANTS;
use crate::domain::{AccountState, Grant, GrantId, GrantNo, Kind};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::record::{Record as _, stored_note};
use crate::store::rows::{AccountRow, GrantRow};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A grant to be given.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// Its identifier.
    pub id: GrantId,
    /// How much, until when. It gets its number when it is given.
    pub grant: Grant,
    /// What it is for.
    pub note: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// Which subscription gives it.
    pub subscription: Option<i64>,
}

/// Gives what an operator gives.
pub fn grant(draft: &mut Draft, account: &str, new: NewGrant, now: Timestamp) -> Result<api::Grant, Stop> {
    let owner = draft.account_not_closed(account)?;
    give(draft, &owner, new, now)
}

/// Gives a grant, and pays debts from it.
pub fn give(
    draft: &mut Draft,
    owner: &AccountRow,
    new: NewGrant,
    now: Timestamp,
) -> Result<api::Grant, Stop> {
    let row = give_as(draft, Kind::Grant, owner, new, now)?;
    Ok(shown(&row, owner.account.id.to_string()))
}

/// The same for another reason.
pub fn give_as(
    draft: &mut Draft,
    kind: Kind,
    owner: &AccountRow,
    new: NewGrant,
    now: Timestamp,
) -> Result<GrantRow, Stop> {
    let account = owner.account.id.to_string();
    if owner.account.state == AccountState::Closed {
        return Err(Refusal::AccountClosed(account).into());
    }
    let mut money = funds::of(draft, owner, &[])?;
    money.expire(now)?;
    if money.grants().iter().filter(|grant| grant.remaining.is_positive()).count() >= MAX_LIVE_GRANTS {
        return Err(Refusal::TooManyGrants { account, limit: MAX_LIVE_GRANTS }.into());
    }
    let no = GrantNo(draft.number(GrantRow::TABLE)?);
    let NewGrant { id, grant, note, source, subscription } = new;
    let grant = Grant { no, of_plan: subscription.is_some(), ..grant };
    let row = GrantRow {
        grant: grant.clone(),
        id,
        account: owner.account.no,
        amount: grant.remaining,
        note: stored_note(note),
        source: stored_note(source),
        created_at: now,
        subscription,
        soon: None,
    };
    draft.put(row.clone());
    money.issue(kind, grant)?;
    money.account.tight = false;
    funds::keep(draft, owner, &money, now)?;
    // What a plan gives is announced with its period.
    if subscription.is_none() {
        events::note(draft, EventKind::GrantGiven, owner.account.no, given(owner, &row));
    }
    Ok(draft.loaded_grant(no).unwrap_or(row))
}

fn given(owner: &AccountRow, row: &GrantRow) -> Value {
    json!({
        "account": owner.account.id.as_str(),
        "grant": row.id.as_str(),
        "amount": row.amount.to_string(),
        "priority": row.grant.priority,
        "expires_at": row.grant.expires_at.map(|end| end.to_string()),
        "note": row.note,
        "source": row.source,
    })
}

/// What changes in a grant.
#[derive(Clone, Debug)]
pub struct ChangedGrant {
    /// Its identifier.
    pub id: String,
    /// What of it.
    pub changes: api::GrantChange,
}

/// Changes when a grant expires, its priority and its note.
pub fn change(draft: &mut Draft, asked: &ChangedGrant, now: Timestamp) -> Result<api::Grant, Stop> {
    let ChangedGrant { id, changes } = asked;
    let missing = || Refusal::NotFound { what: "grant", id: id.clone() };
    let account = draft.owner_of_grant(id)?.ok_or_else(missing)?;
    let owner = draft.account(account)?.ok_or_else(missing)?;
    funds::expire(draft, account, now)?;
    let mut row = draft.grant_named(id)?.ok_or_else(missing)?;
    let refused = |field, why: &str| Err(Refusal::Field { field, why: why.to_owned() }.into());
    if !changes.expires_at.is_keep() {
        if row.subscription.is_some() {
            return refused("expires_at", "the grant came with a plan, and ends with its period");
        }
        if row.grant.is_expired(now) {
            return refused(
                "expires_at",
                "the grant has expired, and nothing is left of it; give another one",
            );
        }
        row.grant.expires_at = future(changes.expires_at.of(row.grant.expires_at.as_ref()), now)?;
        row.soon = None;
    }
    if let Some(priority) = changes.priority {
        if row.subscription.is_some() {
            return refused("priority", "the grant came with a plan, which says when it is spent");
        }
        row.grant.priority = priority;
    }
    row.note = stored_note(changes.note.of(row.note.as_ref()));
    draft.put(row.clone());
    Ok(shown(&row, owner.account.id.to_string()))
}

fn shown(row: &GrantRow, account: String) -> api::Grant {
    api::Grant {
        id: row.id.to_string(),
        account,
        amount: row.amount,
        remaining: row.grant.remaining,
        voided: row.grant.voided,
        priority: row.grant.priority,
        expires_at: row.grant.expires_at,
        note: row.note.clone(),
        source: row.source.clone(),
        kind: row.kind(),
        created_at: row.created_at,
    }
}
