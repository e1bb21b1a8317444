//! Customers in the portal: links by which they sign in, and their sessions.
//!
//! What must hold: a link begins one session, even if it is used twice at the same time; an account has at most [`MAX_LINKS`] links and
//! [`MAX_SESSIONS`] sessions of each kind; a session is over after [`MAX_AGE`], and after [`MAX_IDLE`] without use.

use crate::api;
use crate::domain::portal::{MAX_LINK_LIFETIME, PortalRefusal};
use crate::domain::{AccountNo, AccountState, KeyNo};
use crate::store::draft::{Draft, Stop};
use crate::store::operation::Operation;
use crate::store::record::Record as _;
use crate::store::rows::{PortalLinkRow, PortalSessionRow};
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;

/// The most links of an account that wait to be used; a further one ends the oldest.
pub const MAX_LINKS: usize = 20;
/// The most sessions of an account that began without a key, and the most that began with one; a further one ends the oldest of its
/// kind.
pub const MAX_SESSIONS: usize = 50;
/// The longest that a session lasts.
pub const MAX_AGE: SignedDuration = SignedDuration::from_hours(12);
/// The longest that a session lasts without use.
pub const MAX_IDLE: SignedDuration = SignedDuration::from_hours(1);
/// How exactly the last use is written down: a session that is used writes once in this time.
pub const USE_WRITTEN_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Whether a session is over.
pub fn is_over(row: &PortalSessionRow, now: Timestamp) -> bool {
    row.expires_at <= now || now.duration_since(row.used_at) >= MAX_IDLE
}

/// A new link.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// Whose.
    pub account: String,
    /// Its identifier.
    pub id: String,
    /// The SHA-256 of what it shows.
    pub hash: [u8; 32],
    /// The operator's page that the customer comes from.
    pub return_url: Option<String>,
    /// For how long it may be used.
    pub lifetime: SignedDuration,
}

/// Makes a link.
pub fn create_link(draft: &mut Draft, asked: &NewLink, now: Timestamp) -> Result<api::PortalLink, Stop> {
    let account = draft.account_not_closed(&asked.account)?.account.no;
    let mut others: Vec<PortalLinkRow> = draft.portal_links_of(&(account,))?.cloned().collect();
    let is_waiting = |row: &PortalLinkRow| row.used_at.is_none() && row.expires_at > now;
    others.sort_by_key(|row| (!is_waiting(row), Reverse(row.created_at)));
    // Those that were used stay for as long as they would have been good: who uses one again hears why it isn't.
    let kept = MAX_LINKS.saturating_sub(1);
    for (nth, other) in others.iter().enumerate() {
        if nth >= kept || other.expires_at <= now {
            draft.remove::<PortalLinkRow>(&other.key());
        }
    }
    let lifetime = asked.lifetime.min(MAX_LINK_LIFETIME);
    let expires_at = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
    let row = PortalLinkRow {
        hash: asked.hash.to_vec(),
        id: asked.id.clone(),
        account,
        return_url: asked.return_url.clone(),
        created_at: now,
        expires_at,
        used_at: None,
    };
    draft.put(row);
    Ok(api::PortalLink {
        id: asked.id.clone(),
        account: asked.account.clone(),
        url: None,
        return_url: asked.return_url.clone(),
        expires_at,
    })
}

/// A session that is to begin.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The hash of its value.
    pub hash: [u8; 32],
    /// What the trail calls it.
    pub id: String,
}

/// Signs in with a link.
#[derive(Clone, Debug)]
pub struct UseLink {
    /// The SHA-256 of what the link shows.
    pub link: [u8; 32],
    /// What begins.
    pub session: NewSession,
}

impl Operation for UseLink {
    type Output = Result<(), PortalRefusal>;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<Self::Output, Stop> {
        let by_hash = (self.link.to_vec(),);
        let Some(account) = draft.portal_links_by_hash(&by_hash)?.next().map(|row| row.account) else {
            return Ok(Err(PortalRefusal::UnknownLink));
        };
        let owner = draft.account(account)?;
        let link = draft.get::<PortalLinkRow>(&by_hash)?.cloned();
        let Some(link) = link.filter(|link| link.expires_at > now) else {
            return Ok(Err(PortalRefusal::UnknownLink));
        };
        if link.used_at.is_some() {
            return Ok(Err(PortalRefusal::UsedLink));
        }
        if owner.is_none_or(|owner| owner.account.state == AccountState::Closed) {
            return Ok(Err(PortalRefusal::Closed));
        }
        begin(
            draft,
            &self.session,
            Origin { account, key: None, read_only: false, return_url: link.return_url.clone() },
            now,
        )?;
        draft.put(PortalLinkRow { used_at: Some(now), ..link });
        Ok(Ok(()))
    }
}

/// Begins a session of an account whose customer is known by other means: by one of its keys, or because another party vouches.
#[derive(Clone, Debug)]
pub struct BeginPortalSession {
    /// What begins.
    pub session: NewSession,
    /// Whose.
    pub account: AccountNo,
    /// The key that the customer has shown.
    pub key: Option<KeyNo>,
    /// Whether it may only read.
    pub read_only: bool,
}

impl Operation for BeginPortalSession {
    type Output = Result<(), PortalRefusal>;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<Self::Output, Stop> {
        let owner = draft.account(self.account)?;
        if owner.is_none_or(|owner| owner.account.state == AccountState::Closed) {
            return Ok(Err(PortalRefusal::Closed));
        }
        let Self { account, key, read_only, .. } = *self;
        begin(draft, &self.session, Origin { account, key, read_only, return_url: None }, now)?;
        Ok(Ok(()))
    }
}

/// Where a session comes from.
struct Origin {
    account: AccountNo,
    key: Option<KeyNo>,
    read_only: bool,
    return_url: Option<String>,
}

/// The account is locked.
fn begin(draft: &mut Draft, new: &NewSession, origin: Origin, now: Timestamp) -> Result<(), Stop> {
    let Origin { account, key, read_only, return_url } = origin;
    let owner = (account,);
    let all = draft.portal_sessions_of(&owner)?.cloned();
    let (mut others, rest): (Vec<PortalSessionRow>, Vec<_>) =
        all.partition(|row| row.key.is_some() == key.is_some());
    others.sort_by_key(|row| (is_over(row, now), Reverse(row.created_at)));
    let kept = MAX_SESSIONS.saturating_sub(1);
    let surplus =
        others.iter().skip(kept).chain(others.iter().take(kept).chain(&rest).filter(|row| is_over(row, now)));
    let surplus: Vec<_> = surplus.map(PortalSessionRow::key).collect();
    for key in surplus {
        draft.remove::<PortalSessionRow>(&key);
    }
    draft.put(PortalSessionRow {
        hash: new.hash.to_vec(),
        id: new.id.clone(),
        account,
        key,
        read_only,
        return_url,
        created_at: now,
        used_at: now,
        expires_at: now.saturating_add(MAX_AGE).unwrap_or(Timestamp::MAX),
    });
    Ok(())
}

/// Writes down that a session is used.
#[derive(Clone, Debug)]
pub struct UsePortalSession(pub Vec<u8>);

impl Operation for UsePortalSession {
    type Output = ();

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
        let row = draft.get::<PortalSessionRow>(&(self.0.clone(),))?.cloned();
        if let Some(row) = row.filter(|row| row.used_at < now) {
            draft.put(PortalSessionRow { used_at: now, ..row });
        }
        Ok(())
    }
}

/// Ends a session.
#[derive(Clone, Debug)]
pub struct EndPortalSession(pub Vec<u8>);

impl Operation for EndPortalSession {
    type Output = ();

    fn decide(&self, draft: &mut Draft, _: Timestamp) -> Result<(), Stop> {
        let key = (self.0.clone(),);
        if draft.get::<PortalSessionRow>(&key)?.is_some() {
            draft.remove::<PortalSessionRow>(&key);
        }
        Ok(())
    }
}
