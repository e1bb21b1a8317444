//! Customers in the portal: links and subjects by which they sign in, and their sessions.
//!
//! What must hold: a link begins one session, even if it is used twice at the same time; an account has at most [`MAX_LINKS`] links and
//! [`MAX_SESSIONS`] sessions of each kind; a session is over after [`MAX_AGE`], and after [`MAX_IDLE`] without use; a subject belongs to one
//! account, and when it is removed its sessions end.

use crate::api;
use crate::domain::portal::{MAX_LINK_LIFETIME, PortalRefusal};
use crate::domain::{AccountNo, AccountState, KeyNo};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::operation::Operation;
use crate::store::record::Record as _;
use crate::store::rows::{PortalLinkRow, PortalSessionRow, PortalSubjectRow};
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;

/// The most links of an account that wait to be used; a further one ends the oldest.
pub const MAX_LINKS: usize = 20;
/// The most sessions of an account that began without a key, and the most that began with one; a further one ends the oldest of its
/// kind.
pub const MAX_SESSIONS: usize = 50;
/// The most subjects that sign in as an account's customer.
pub const MAX_SUBJECTS: usize = 50;
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

/// A subject of a provider that is to sign in as an account's customer.
#[derive(Clone, Debug)]
pub struct NewSubject {
    /// Whose customer.
    pub account: String,
    /// The provider.
    pub issuer: String,
    /// Its subject.
    pub subject: String,
    /// What it may do.
    pub access: api::PortalAccess,
}

/// Lets a subject sign in, or changes what it may do. The account is locked by whatever changes its subjects.
pub fn link_subject(
    draft: &mut Draft,
    asked: &NewSubject,
    now: Timestamp,
) -> Result<api::PortalSubject, Stop> {
    let account = draft.account_not_closed(&asked.account)?.account.no;
    let found = draft.get::<PortalSubjectRow>(&(asked.issuer.clone(), asked.subject.clone()))?.cloned();
    if found.as_ref().is_some_and(|row| row.account != account) {
        return Err(Refusal::SubjectOfOther(asked.subject.clone()).into());
    }
    if found.is_none() && draft.portal_subjects_of(&(account,))?.count() >= MAX_SUBJECTS {
        let limit = i64::try_from(MAX_SUBJECTS).unwrap_or(i64::MAX);
        return Err(Refusal::TooMany { what: "portal subjects of an account", limit }.into());
    }
    let row = PortalSubjectRow {
        issuer: asked.issuer.clone(),
        subject: asked.subject.clone(),
        account,
        read_only: asked.access == api::PortalAccess::Read,
        created_at: found.map_or(now, |row| row.created_at),
    };
    draft.put(row.clone());
    Ok(shown_subject(row, asked.account.clone()))
}

/// Lets a subject sign in no more, and ends its sessions. Gives what it was.
pub fn unlink_subject(
    draft: &mut Draft,
    account: &str,
    issuer: &str,
    subject: &str,
) -> Result<api::PortalSubject, Stop> {
    let no = draft.account_named(account)?.account.no;
    let key = (issuer.to_owned(), subject.to_owned());
    let found = draft.get::<PortalSubjectRow>(&key)?.cloned().filter(|row| row.account == no);
    let row = found.ok_or_else(|| Refusal::NotFound { what: "portal subject", id: subject.to_owned() })?;
    let is_its = |row: &&PortalSessionRow| {
        row.issuer.as_deref() == Some(issuer) && row.subject.as_deref() == Some(subject)
    };
    let sessions: Vec<_> =
        draft.portal_sessions_of(&(no,))?.filter(is_its).map(PortalSessionRow::key).collect();
    for session in sessions {
        draft.remove::<PortalSessionRow>(&session);
    }
    draft.remove::<PortalSubjectRow>(&key);
    Ok(shown_subject(row, account.to_owned()))
}

/// What the admin API shows.
pub fn shown_subject(row: PortalSubjectRow, account: String) -> api::PortalSubject {
    let access = if row.read_only { api::PortalAccess::Read } else { api::PortalAccess::Full };
    let PortalSubjectRow { issuer, subject, created_at, .. } = row;
    api::PortalSubject { account, issuer, subject, access, created_at }
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
        let return_url = link.return_url.clone();
        let origin = Origin { account, key: None, read_only: false, return_url, identity: None };
        begin(draft, &self.session, origin, now)?;
        draft.put(PortalLinkRow { used_at: Some(now), ..link });
        Ok(Ok(()))
    }
}

/// Who a provider says that a customer is.
#[derive(Clone, Debug)]
pub struct CustomerIdentity {
    /// The provider.
    pub issuer: String,
    /// Its subject.
    pub subject: String,
    /// What the provider ends its own session with, if that is kept.
    pub id_token: Option<String>,
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
    /// Who a provider says that it is: what that subject may do is what the session may do.
    pub identity: Option<CustomerIdentity>,
}

impl Operation for BeginPortalSession {
    type Output = Result<(), PortalRefusal>;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<Self::Output, Stop> {
        let owner = draft.account(self.account)?;
        if owner.is_none_or(|owner| owner.account.state == AccountState::Closed) {
            return Ok(Err(PortalRefusal::Closed));
        }
        let Self { account, key, mut read_only, .. } = *self;
        if let Some(identity) = &self.identity {
            let link = draft.get::<PortalSubjectRow>(&(identity.issuer.clone(), identity.subject.clone()))?;
            let Some(link) = link.filter(|link| link.account == account) else {
                return Ok(Err(PortalRefusal::UnknownSubject));
            };
            read_only = link.read_only;
        }
        let identity = self.identity.clone();
        begin(draft, &self.session, Origin { account, key, read_only, return_url: None, identity }, now)?;
        Ok(Ok(()))
    }
}

/// Where a session comes from.
struct Origin {
    account: AccountNo,
    key: Option<KeyNo>,
    read_only: bool,
    return_url: Option<String>,
    identity: Option<CustomerIdentity>,
}

/// The account is locked.
fn begin(draft: &mut Draft, new: &NewSession, origin: Origin, now: Timestamp) -> Result<(), Stop> {
    let Origin { account, key, read_only, return_url, identity } = origin;
    let (issuer, subject, id_token) = identity
        .map_or((None, None, None), |found| (Some(found.issuer), Some(found.subject), found.id_token));
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
        issuer,
        subject,
        id_token,
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
