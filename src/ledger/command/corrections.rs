//! Corrections: grants that are taken back, and balances that are put right. Each leaves a row that says what was done.

use super::events::note;
use super::grants::{self, NewGrant};
use super::{funds, recall};
use crate::api::{self, CorrectionKind, SpentCredits};
use crate::domain::event::EventKind;
use crate::domain::funds::{Taken, Whereabouts};
use crate::domain::plan::OVERDRAFT_PRIORITY;
use crate::domain::time::minute;
use crate::domain::{CorrectionId, Draw, Grant, GrantId, GrantNo, KeyNo, Kind};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::record::{Record as _, stored_note};
use crate::store::rows::{AccountRow, CorrectionRow, GrantRow, LeaseRow};
use faregate_protocol::Credits;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// What the grant of an adjustment says of where it comes from.
const SOURCE: &str = "adjustment";
/// By how much the clocks of two ledgers may differ.
const CLOCKS: SignedDuration = SignedDuration::from_hours(24);

/// A grant to be taken back.
#[derive(Clone, Debug)]
pub struct Void {
    /// The correction's identifier.
    pub id: CorrectionId,
    /// The grant's.
    pub grant: String,
    /// How much of it, and what becomes of what is spent.
    pub asked: api::VoidGrant,
}

/// A balance to be put right.
#[derive(Clone, Debug)]
pub struct Adjust {
    /// The correction's identifier.
    pub id: CorrectionId,
    /// Whose.
    pub account: String,
    /// The identifier of the grant, if it is one upwards.
    pub grant: GrantId,
    /// By how much.
    pub asked: api::NewAdjustment,
}

/// Takes a grant back: what remains at once, and what is in leases as they return it.
pub fn void(draft: &mut Draft, asked: &Void, now: Timestamp) -> Result<api::Correction, Stop> {
    let Void { id, grant, asked } = asked;
    let missing = || Refusal::NotFound { what: "grant", id: grant.clone() };
    let account = draft.owner_of_grant(grant)?.ok_or_else(missing)?;
    let number = draft.number(CorrectionRow::TABLE);
    let owner = draft.account(account)?.ok_or_else(missing)?;
    funds::expire(draft, account, now)?;
    let row = draft.grant_named(grant)?.ok_or_else(missing)?;
    if row.subscription.is_some() && row.grant.priority == OVERDRAFT_PRIORITY {
        let why = "it is what a plan lets overdraw; change the plan, or cancel the subscription";
        return Err(Refusal::NothingToVoid { grant: grant.clone(), why }.into());
    }
    let holders = draft.holders_of(account)?;
    let of = Whereabouts {
        amount: row.amount,
        leased: holders.iter().fold(Credits::ZERO, |sum, lease| sum.saturating_add(drawn(lease, &row))),
        lapsed: lapsed(draft, &row)?,
    };
    let owner = draft.account(account)?.unwrap_or(owner);
    let mut money = funds::of(draft, &owner, &[Draw { grant: row.grant.no, left: Credits::ZERO }])?;
    let owed = asked.spent == SpentCredits::Owed;
    let most = money.voidable(&row.grant, of, owed);
    let taken = asked.amount.map_or(most, |amount| most.up_to(amount));
    check(&row, of, most, asked)?;
    money.void(row.grant.no, taken, owed)?;
    funds::keep(draft, &owner, &money, now)?;
    if taken.leased.is_positive() {
        let holders = draft.holders_of(account)?;
        if recall::holders(draft, holders.into_iter().filter(|lease| drawn(lease, &row).is_positive())) {
            draft.announce_account(account, KeyNo(0), now);
        }
    }
    let correction = CorrectionRow {
        no: number?,
        id: id.to_string(),
        account,
        grant: Some(row.grant.no),
        kind: CorrectionKind::Void,
        amount: taken.total().times(-1),
        taken,
        note: stored_note(asked.note.clone()),
        created_at: now,
    };
    let data = json!({
        "account": owner.account.id.as_str(),
        "grant": grant,
        "correction": id.as_str(),
        "amount": taken.total().to_string(),
        "owed": taken.owed.to_string(),
        "note": correction.note,
    });
    note(draft, EventKind::GrantVoided, account, data);
    Ok(keep(draft, correction, &owner, Some(grant.clone())))
}

/// What a lease has of a grant.
fn drawn(lease: &LeaseRow, grant: &GrantRow) -> Credits {
    let draws = lease.lease.draws.iter().filter(|draw| draw.grant == grant.grant.no);
    draws.fold(Credits::ZERO, |sum, draw| sum.saturating_add(draw.left))
}

/// What has expired of a grant. Only what can expire has.
fn lapsed(draft: &mut Draft, row: &GrantRow) -> Result<Credits, Stop> {
    if row.grant.expires_at.is_none() {
        return Ok(Credits::ZERO);
    }
    let from = row.created_at.checked_sub(CLOCKS).unwrap_or(Timestamp::UNIX_EPOCH);
    let lapsed = draft.lapsed(row.account, row.grant.no, minute(from))?;
    Ok(lapsed.expired.saturating_add(lapsed.breakage))
}

/// Refuses to take more than there is, or nothing.
fn check(row: &GrantRow, of: Whereabouts, most: Taken, asked: &api::VoidGrant) -> Result<(), Refusal> {
    if most.total().is_zero() {
        let why = match (row.grant.voided >= row.amount, asked.spent, of.leased.is_positive()) {
            (true, ..) => "all of it was taken back before",
            (_, SpentCredits::Owed, _) => "all of it was taken back before, or has expired",
            (_, SpentCredits::Keep, true) => {
                "what is in leases is taken back already, and the rest is spent; `spent: owed` (`--also-spent`) makes that a debt"
            }
            (_, SpentCredits::Keep, false) => {
                "it is spent or has expired; `spent: owed` (`--also-spent`) makes what is spent a debt"
            }
        };
        return Err(Refusal::NothingToVoid { grant: row.id.to_string(), why });
    }
    let Some(amount) = asked.amount.filter(|amount| *amount > most.total()) else { return Ok(()) };
    let hint = match asked.spent {
        SpentCredits::Keep => "; `spent: owed` (`--also-spent`) also takes what is spent",
        SpentCredits::Owed => "",
    };
    let Taken { available, leased, .. } = most;
    let why = format!(
        "is {amount}; the most that can be taken back of this grant is {}, of which {available} remain and {leased} are in leases{hint}",
        most.total()
    );
    Err(Refusal::Field { field: "amount", why })
}

/// Puts a balance right.
pub fn adjust(draft: &mut Draft, asked: &Adjust, now: Timestamp) -> Result<api::Correction, Stop> {
    let amount = asked.asked.amount;
    let number = draft.number(CorrectionRow::TABLE);
    let owner = draft.account_named(&asked.account)?;
    let (grant, taken) = if amount.is_positive() {
        (Some(raise(draft, &owner, asked, now)?), Taken::default())
    } else {
        (None, lower(draft, &owner, asked, now)?)
    };
    let correction = CorrectionRow {
        no: number?,
        id: asked.id.to_string(),
        account: owner.account.no,
        grant,
        kind: CorrectionKind::Adjustment,
        amount,
        taken,
        note: stored_note(asked.asked.note.clone()),
        created_at: now,
    };
    // Credits that are given are a grant, which is announced as one.
    if grant.is_none() {
        let data = json!({
            "account": owner.account.id.as_str(),
            "correction": correction.id,
            "amount": amount.to_string(),
            "owed": correction.taken.owed.to_string(),
            "note": correction.note,
        });
        note(draft, EventKind::BalanceAdjusted, owner.account.no, data);
    }
    let grant = grant.map(|_| asked.grant.to_string());
    Ok(keep(draft, correction, &owner, grant))
}

/// Gives credits. They are a grant, as all credits are.
fn raise(draft: &mut Draft, owner: &AccountRow, asked: &Adjust, now: Timestamp) -> Result<GrantNo, Stop> {
    let new = NewGrant {
        id: asked.grant.clone(),
        grant: Grant { priority: api::DEFAULT_PRIORITY, remaining: asked.asked.amount, ..Grant::default() },
        note: asked.asked.note.clone(),
        source: Some(SOURCE.to_owned()),
        subscription: None,
    };
    Ok(grants::give_as(draft, Kind::AdjustUp, owner, new, now)?.grant.no)
}

/// Takes credits from the grants in burn order; what isn't there becomes owed, if that is asked for.
fn lower(draft: &mut Draft, owner: &AccountRow, asked: &Adjust, now: Timestamp) -> Result<Taken, Stop> {
    let amount = asked.asked.amount.times(-1);
    let mut money = funds::of(draft, owner, &[])?;
    money.expire(now)?;
    let books = money.account.books;
    let (most, hint) = match asked.asked.missing {
        SpentCredits::Keep => (books.available, "; `missing: owed` (`--owed`) makes the rest a debt"),
        SpentCredits::Owed => (books.available.saturating_add(books.room_for_debt()), ""),
    };
    if amount > most {
        let held = if books.held.is_positive() {
            format!(" ({} more are in leases, and come back if they aren't used)", books.held)
        } else {
            String::new()
        };
        let why = format!("is -{amount}; the most that can be taken is {most}{held}{hint}");
        return Err(Refusal::Field { field: "amount", why }.into());
    }
    let taken = money.adjust_down(amount)?;
    funds::keep(draft, owner, &money, now)?;
    Ok(taken)
}

fn keep(draft: &mut Draft, row: CorrectionRow, owner: &AccountRow, grant: Option<String>) -> api::Correction {
    draft.put(row.clone());
    api::Correction {
        id: row.id,
        account: owner.account.id.to_string(),
        grant,
        kind: row.kind,
        amount: row.amount,
        taken: row.taken.available,
        pending: row.taken.leased,
        owed: row.taken.owed,
        note: row.note,
        created_at: row.created_at,
    }
}
