//! Rotates a key: a new one with the same account, team, products, budget and note, and an end for the old one.
//!
//! What must hold: until the old key ends both pay; a key is rotated once, so that its end never moves; and rotating a key
//! lets no more through in the running period than its budget would for each.

use super::events::note;
use super::keys::{shown, team_of};
use super::times::future;
use super::{budgets, keys};
use crate::api::{self, Edit};
use crate::domain::event::EventKind;
use crate::domain::time::at;
use crate::domain::{AccountState, Key, KeyId, KeyNo};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::record::Record as _;
use crate::store::rows::KeyRow;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// A key that is rotated.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The old one's identifier.
    pub key: String,
    /// The new one's.
    pub id: KeyId,
    /// The new one's SHA-256.
    pub hash: [u8; 32],
    /// How the new one begins.
    pub prefix: String,
    /// For how long both work.
    pub overlap: SignedDuration,
    /// When the new one expires; as the old one did, unless this says otherwise.
    pub expires_at: Edit<Timestamp>,
}

/// Rotates a key.
pub fn rotate(draft: &mut Draft, asked: &Rotation, now: Timestamp) -> Result<api::RotatedKey, Stop> {
    let missing = || Refusal::NotFound { what: "key", id: asked.key.clone() };
    let found = draft.key_named(&asked.key)?.ok_or_else(missing)?;
    let owner = draft.account(found.account)?.ok_or_else(missing)?;
    let mut old = draft.key(found.key.no)?.ok_or_else(missing)?;
    let account = owner.account.id.to_string();
    if owner.account.state == AccountState::Closed {
        return Err(Refusal::AccountClosed(account).into());
    }
    can_be_rotated(draft, &old, now)?;
    let expires_at = match &asked.expires_at {
        Edit::Set(time) => future(Some(*time), now)?,
        kept => kept.of(old.key.expires_at.as_ref()),
    };
    let no = KeyNo(draft.number(KeyRow::TABLE)?);
    let Key { team, products, .. } = old.key.clone();
    let new = KeyRow {
        key: Key { no, id: asked.id.clone(), revoked: false, expires_at, team, products },
        hash: Some(asked.hash.to_vec()),
        prefix: Some(asked.prefix.clone()),
        expiry_announced: false,
        created_at: now,
        soon: None,
        ..old.clone()
    };
    let (team, last_used) = (team_of(draft, &old)?, keys::last_use(draft, old.key.no)?);
    draft.put(new.clone());
    budgets::copy_to_key(draft, owner, old.key.no, no, now)?;
    let end = at(now.saturating_add(asked.overlap).unwrap_or(Timestamp::MAX).as_millisecond());
    old.key.expires_at = Some(old.key.expires_at.map_or(end, |sooner| sooner.min(end)));
    old.replaced_by = Some(no);
    if !old.key.counts(now) {
        // The job would announce it as well, a little later.
        old.expiry_announced = true;
        draft.announce_account(old.account, old.key.no, now);
    }
    draft.put(old.clone());
    let data = json!({
        "account": account,
        "key": asked.key,
        "new_key": asked.id.as_str(),
        "expires_at": old.key.expires_at.map(|end| end.to_string()),
    });
    note(draft, EventKind::KeyRotated, old.account, data);
    let old = shown(&old, account.clone(), team.clone(), now);
    Ok(api::RotatedKey {
        new: shown(&new, account, team, now),
        old: api::Key { last_used_at: last_used, replaced_by: Some(asked.id.to_string()), ..old },
    })
}

/// Whether a credential is a key that works, and wasn't rotated yet.
fn can_be_rotated(draft: &mut Draft, row: &KeyRow, now: Timestamp) -> Result<(), Stop> {
    let id = &row.key.id;
    let why = if row.subject.is_some() {
        format!("{id} is a subject, not a key: it has no secret that could be replaced")
    } else if row.key.revoked {
        format!("the key {id} is revoked; `faregate key create` makes another one")
    } else if let Some(newer) = row.replaced_by {
        let newer = draft.key(newer)?.map(|row| row.key.id.to_string()).unwrap_or_default();
        format!("the key {id} was rotated to {newer} before; rotate that one")
    } else if !row.key.counts(now) {
        format!("the key {id} has expired; `faregate key create` makes another one")
    } else {
        return Ok(());
    };
    Err(Refusal::NotRotatable(why).into())
}
