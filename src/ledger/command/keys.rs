//! Credentials: keys, of which only the hash is kept, and subjects that gateways vouch for.

use super::events::note;
use super::teams::no_target;
use super::times::future;
use crate::api;
use crate::domain::event::EventKind;
use crate::domain::time::of_minute;
use crate::domain::{Key, KeyId, KeyNo};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::record::{Record as _, stored_note, stored_text};
use crate::store::rows::{KeyRow, KeyUseRow};
use jiff::Timestamp;
use serde_json::json;

/// A new credential.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose.
    pub account: String,
    /// Its identifier.
    pub id: KeyId,
    /// What opens the gate.
    pub credential: Credential,
    /// When it stops to.
    pub expires_at: Option<Timestamp>,
    /// What it is for.
    pub note: Option<String>,
    /// The team that it belongs to, for good.
    pub team: Option<String>,
    /// The products that it is limited to.
    pub products: Option<Vec<String>>,
}

#[cfg(test)]
impl NewKey {
    /// One without anything that could be left out.
    pub fn plain(account: &str, id: KeyId, credential: Credential) -> Self {
        let (account, expires_at, note) = (account.to_owned(), None, None);
        Self { account, id, credential, expires_at, note, team: None, products: None }
    }
}

/// What opens the gate.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A key, by what is kept of it.
    Key {
        /// Its SHA-256.
        hash: [u8; 32],
        /// How it begins.
        prefix: String,
    },
    /// A subject that gateways vouch for.
    Subject(String),
}

/// Makes a credential.
pub fn create(draft: &mut Draft, asked: &NewKey, now: Timestamp) -> Result<api::Key, Stop> {
    let NewKey { account, id, credential, expires_at, note, team, products } = asked.clone();
    let expires_at = future(expires_at, now)?;
    let owner = draft.account_not_closed(&account)?.account.no;
    let (hash, prefix, subject) = match credential {
        Credential::Key { hash, prefix } => (Some(hash.to_vec()), Some(prefix), None),
        Credential::Subject(subject) => (None, None, Some(stored_text(&subject).into_owned())),
    };
    let team_no = match &team {
        None => None,
        Some(name) => {
            let found = draft.team_named(owner, name)?;
            Some(found.ok_or_else(|| no_target(&account, "team", "team", name))?)
        }
    };
    if let Some(subject) = &subject
        && draft.has_subject(subject)?
    {
        return Err(Refusal::SubjectTaken(subject.clone()).into());
    }
    let no = KeyNo(draft.number(KeyRow::TABLE)?);
    let row = KeyRow {
        key: Key { no, id, revoked: false, expires_at, team: team_no, products },
        account: owner,
        hash,
        prefix,
        subject,
        expiry_announced: false,
        note: stored_note(note),
        created_at: now,
        replaced_by: None,
        soon: None,
    };
    draft.put(row.clone());
    Ok(shown(&row, account, team, now))
}

/// Revokes a credential. Repeating it changes nothing.
pub fn revoke(draft: &mut Draft, id: &str, now: Timestamp) -> Result<api::Key, Stop> {
    let missing = || Refusal::NotFound { what: "key", id: id.to_owned() };
    let found = draft.key_named(id)?.ok_or_else(missing)?;
    let owner = draft.account(found.account)?.ok_or_else(missing)?;
    let mut row = draft.key(found.key.no)?.ok_or_else(missing)?;
    let (team, last_used_at) = (team_of(draft, &row)?, last_use(draft, row.key.no)?);
    let replaced_by = match row.replaced_by {
        None => None,
        Some(newer) => draft.key(newer)?.map(|row| row.key.id.to_string()),
    };
    if !row.key.revoked {
        row.key.revoked = true;
        draft.put(row.clone());
        draft.announce_account(row.account, row.key.no, now);
        let data = json!({
            "account": owner.account.id.as_str(),
            "key": id,
            "prefix": row.prefix,
            "subject": row.subject,
            "note": row.note,
        });
        note(draft, EventKind::KeyRevoked, row.account, data);
    }
    let key = shown(&row, owner.account.id.to_string(), team, now);
    Ok(api::Key { last_used_at, replaced_by, ..key })
}

/// The identifier of a key's team. Its account is locked.
pub fn team_of(draft: &mut Draft, row: &KeyRow) -> Result<Option<String>, Stop> {
    match row.key.team {
        None => Ok(None),
        Some(team) => Ok(draft.team(team)?.map(|team| team.id)),
    }
}

/// The start of the last minute for which usage of a key was reported.
pub fn last_use(draft: &mut Draft, key: KeyNo) -> Result<Option<Timestamp>, Stop> {
    Ok(draft.get::<KeyUseRow>(&(key,))?.map(|row| of_minute(row.minute)))
}

/// What the admin API shows, but for its last use and the key that it was rotated to.
pub fn shown(row: &KeyRow, account: String, team: Option<String>, now: Timestamp) -> api::Key {
    let state = if row.key.revoked {
        api::KeyState::Revoked
    } else if row.key.counts(now) {
        api::KeyState::Active
    } else {
        api::KeyState::Expired
    };
    api::Key {
        id: row.key.id.to_string(),
        account,
        key: None,
        prefix: row.prefix.clone(),
        subject: row.subject.clone(),
        team,
        products: row.key.products.clone(),
        state,
        expires_at: row.key.expires_at,
        note: row.note.clone(),
        created_at: row.created_at,
        last_used_at: None,
        replaced_by: None,
    }
}
