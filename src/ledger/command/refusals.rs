//! Requests of an account that gateways have refused: announced when that begins, and when it is over.
//!
//! What must hold: a report of which nothing is to be announced locks no account for long, and mostly none: it comes every second.

use crate::domain::alert::{Cure, RefusalWatch, Reported, cure_of, reported};
use crate::domain::event::{EventKind, Happened};
use crate::domain::policy::SubscriptionStatus;
use crate::domain::time::at;
use crate::domain::{AccountNo, AccountState};
use crate::store::draft::{Draft, Stop};
use crate::store::rows::AccountRow;
use faregate_protocol::RefusalCode;
use faregate_protocol::exchange::RefusalLine;
use jiff::Timestamp;
use serde_json::json;

/// For so long it isn't looked at again whether an account is known to be refused (ms).
const KNOWN_MS: i64 = 10_000;

/// Whether a report can be about something that is to be announced.
fn is_news(draft: &Draft, account: AccountNo, code: RefusalCode, now: Timestamp) -> bool {
    account != AccountNo::default() && cure_of(code).is_some() && !draft.knows_refusing(account, now)
}

/// Asks for the account, if it is to be looked at.
pub(super) fn look(
    draft: &mut Draft,
    account: AccountNo,
    code: RefusalCode,
    now: Timestamp,
) -> Result<(), Stop> {
    if is_news(draft, account, code, now) {
        draft.get::<AccountRow>(&(account,))?;
    }
    Ok(())
}

/// Notes what a gateway has refused.
pub(super) fn report(
    draft: &mut Draft,
    account: AccountNo,
    line: &RefusalLine,
    now: Timestamp,
) -> Result<(), Stop> {
    if !is_news(draft, account, line.code, now) {
        return Ok(());
    }
    let Some(mut row) = draft.account(account)? else { return Ok(()) };
    if row.account.state == AccountState::Closed {
        return Ok(());
    }
    match reported(row.alerts.refusing.as_ref(), line.code, now) {
        // A guess that outlives this transaction, even if it fails: it changes nothing.
        Reported::Known => draft.note_refusing(account, at(now.as_millisecond().saturating_add(KNOWN_MS))),
        Reported::GoesOn(watch) => {
            row.alerts.set_refusing(Some(watch));
            draft.put(row);
        }
        Reported::Begins(watch) => {
            let data = json!({
                "account": row.account.id.as_str(),
                "code": line.code.as_str(),
                "what": line.code.title(),
                "requests": line.requests,
            });
            draft.note_happened(Happened { kind: EventKind::RefusalsBegan, account, data });
            row.alerts.set_refusing(Some(watch));
            draft.put(row);
        }
    }
    Ok(())
}

/// What an operation has done for an account whose requests are refused.
pub(super) fn cure(before: &AccountRow, row: &AccountRow) -> Option<Cure> {
    let watch = row.alerts.refusing.as_ref()?;
    let (old, new) = (&before.account, &row.account);
    let is_unpaid = new.entitlement.as_ref().is_some_and(|plan| plan.status == SubscriptionStatus::Unpaid);
    let another_plan = new.entitlement != old.entitlement && !is_unpaid;
    let has_more = new.books.granted > old.books.granted || another_plan;
    let is_active = new.state == AccountState::Active && old.state != AccountState::Active;
    [(Cure::Funds, has_more), (Cure::Plan, another_plan), (Cure::State, is_active)]
        .into_iter()
        .find_map(|(cure, done)| Some(cure).filter(|cure| done && watch.is_cured_by(*cure)))
}

/// Announces that requests of an account aren't refused any more, if they were.
pub(super) fn end(draft: &mut Draft, mut row: AccountRow, cured: bool, now: Timestamp) {
    let Some(watch) = row.alerts.refusing.clone().filter(|watch| watch.over.is_none()) else { return };
    let (account, data) = (row.account.no, ended(&row, &watch, cured));
    draft.note_happened(Happened { kind: EventKind::RefusalsEnded, account, data });
    // Late reports of what was refused before mustn't begin it again.
    row.alerts.set_refusing(Some(watch.over(now)));
    draft.put(row);
}

fn ended(row: &AccountRow, watch: &RefusalWatch, cured: bool) -> serde_json::Value {
    json!({
        "account": row.account.id.as_str(),
        "code": watch.code.as_str(),
        "since": watch.since.to_string(),
        "cured": cured,
    })
}
