//! The outbox: what has happened in an operation becomes rows with the operation, in the same transaction, one for each event and
//! one for each endpoint that is to get it: a webhook, or an address for mail.
//!
//! What must hold: an account's events, and the ledger's own, are numbered in the order in which they happened, without gaps; an operation that ends
//! without a result has made none.

use super::alerts;
use crate::domain::event::{self, EventKind, Happened};
use crate::domain::webhook::{WebhookState, wants};
use crate::domain::{AccountNo, EventId, mail};
use crate::store::draft::{Draft, Stop};
use crate::store::rows::{DeliveryRow, EventRow, FaultsRow, MailAddressRow, WebhookRow};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// Notes that something has happened about an account, which is locked.
pub fn note(draft: &mut Draft, kind: EventKind, account: AccountNo, data: Value) {
    draft.note_happened(Happened { kind, account, data });
}

/// Looks at what an operation has changed, and makes events of what has happened. It comes last: nothing that an operation does
/// after it is seen.
pub fn settle(draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
    alerts::look(draft, now)?;
    let happened = draft.take_happened();
    if happened.is_empty() {
        return Ok(());
    }
    let accounts: BTreeSet<AccountNo> = happened.iter().map(|happened| happened.account).collect();
    let endpoints = listening(draft, &accounts)?;
    for Happened { kind, account, data } in happened {
        let Some((owner, seq)) = next_number(draft, account, now)? else { continue };
        let data = data.to_string();
        let id: EventId = event::id(&owner, seq, kind, &data, now);
        let kind_name = kind.as_str().to_owned();
        draft.put(EventRow { place: (account, seq), id, kind: kind_name, data, created_at: now });
        for endpoint in &endpoints {
            if wants(endpoint.kinds.as_deref(), endpoint.only, kind, account) {
                draft.put(waiting(endpoint.no, (account, seq), now, now));
            }
        }
    }
    Ok(())
}

/// Whose event is next, and its number. Zero is no account, but the ledger itself.
fn next_number(draft: &mut Draft, no: AccountNo, now: Timestamp) -> Result<Option<(String, i64)>, Stop> {
    if no == AccountNo::default() {
        let mut row = draft.faults()?;
        row.events = row.events.saturating_add(1);
        let seq = row.events;
        draft.put(FaultsRow { changed_at: now, ..row });
        return Ok(Some((String::new(), seq)));
    }
    let Some(mut owner) = draft.account(no)? else { return Ok(None) };
    owner.alerts.events = owner.alerts.events.saturating_add(1);
    let next = (owner.account.id.to_string(), owner.alerts.events);
    draft.put(owner);
    Ok(Some(next))
}

/// What gets events: which, and of which account.
struct Endpoint {
    no: i64,
    kinds: Option<Vec<String>>,
    only: Option<AccountNo>,
}

/// All endpoints that get events of these accounts, or have them kept.
fn listening(draft: &mut Draft, accounts: &BTreeSet<AccountNo>) -> Result<Vec<Endpoint>, Stop> {
    // All are asked for before the first that is missing ends this.
    let webhooks = WebhookState::LISTENING.map(|state| draft.endpoints_in(state));
    let everybody = draft.mail_about(AccountNo::default());
    let owners = accounts.iter().filter(|no| **no != AccountNo::default());
    let theirs: Vec<_> = owners.map(|no| (*no, draft.mail_about(*no))).collect();
    let mut endpoints = Vec::new();
    for some in webhooks {
        let endpoint = |row: WebhookRow| Endpoint { no: row.no, kinds: row.kinds, only: row.account };
        endpoints.extend(some?.into_iter().map(endpoint));
    }
    let mail = |row: MailAddressRow, only| Endpoint { no: mail::endpoint(row.no), kinds: row.kinds, only };
    endpoints.extend(everybody?.into_iter().map(|row| mail(row, None)));
    for (no, rows) in theirs {
        endpoints.extend(rows?.into_iter().map(|row| mail(row, Some(no))));
    }
    Ok(endpoints)
}

/// An event in an endpoint's queue.
pub fn waiting(
    webhook: i64,
    (account, seq): (AccountNo, i64),
    created_at: Timestamp,
    now: Timestamp,
) -> DeliveryRow {
    DeliveryRow { place: (webhook, account, seq), next_at: now, created_at, ..DeliveryRow::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, Books};
    use crate::store::rows::AccountRow;
    use faregate_protocol::Credits;
    use std::sync::Arc;

    fn account(available: i64, spent: i64) -> AccountRow {
        let mut row = AccountRow::default();
        (row.account.no, row.account.id) = (AccountNo(1), AccountId::stored("acme".into()));
        let credits = Credits::from_micros;
        let (available, spent) = (credits(available), credits(spent));
        row.account.books = Books { available, spent, granted: credits(20), ..Books::default() };
        row.alerts.below = Some(credits(10));
        row
    }

    #[test]
    fn an_operation_of_which_nothing_comes_asks_for_no_row() {
        let mut draft = Draft::new(false, Arc::default());
        draft.put(account(20, 0));
        draft.accept();
        draft.put(account(12, 8));
        settle(&mut draft, Timestamp::UNIX_EPOCH).expect("nothing crosses, so nothing is missing");
        assert_eq!(draft.take_happened(), []);
        draft.accept();
        draft.put(account(9, 11));
        let stop = settle(&mut draft, Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(matches!(stop, Stop::Missing), "now the endpoints are wanted");
    }
}
