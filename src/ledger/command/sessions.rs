//! Sessions in the console: begun with a token or by OpenID Connect, kept alive by use, ended.
//!
//! What must hold: an operator has at most [`MAX_SESSIONS`] sessions, so there are never more than that times the number of
//! operators; a session is over after [`MAX_AGE`], and after [`MAX_IDLE`] without use.

use crate::api;
use crate::store::draft::{Draft, Stop};
use crate::store::operation::Operation;
use crate::store::record::Record as _;
use crate::store::rows::{SessionRow, TrailRow};
use jiff::{SignedDuration, Timestamp};

/// The most sessions of one operator; a further one ends the oldest.
pub const MAX_SESSIONS: usize = 10;
/// The longest that a session lasts.
pub const MAX_AGE: SignedDuration = SignedDuration::from_hours(12);
/// The longest that a session lasts without use.
pub const MAX_IDLE: SignedDuration = SignedDuration::from_hours(1);
/// How exactly the last use is written down: a session that is used writes once in this time.
pub const USE_WRITTEN_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// What the trail calls the beginning of a session.
const SIGN_IN: &str = "sign_in_to_console";

/// Whether a session is over.
pub fn is_over(row: &SessionRow, now: Timestamp) -> bool {
    row.expires_at <= now || now.duration_since(row.used_at) >= MAX_IDLE
}

/// Begins a session.
#[derive(Clone, Debug)]
pub struct BeginSession {
    /// The hash of its value.
    pub hash: [u8; 32],
    /// The operator's name.
    pub operator: String,
    /// The identifier of the token; none for that of the environment.
    pub token: Option<String>,
    /// What binds it to the token of the environment, or to a rule about claims.
    pub proof: Option<[u8; 32]>,
    /// The client's address, for the trail.
    pub peer: String,
    /// The subject that signed in by OpenID Connect, and the ID token.
    pub identity: Option<(String, String)>,
}

impl Operation for BeginSession {
    type Output = ();

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
        let number = draft.number(TrailRow::TABLE);
        let mut others: Vec<SessionRow> = draft.sessions_of(&(self.operator.clone(),))?.cloned().collect();
        others.sort_by_key(|row| (is_over(row, now), std::cmp::Reverse(row.created_at)));
        let kept = MAX_SESSIONS.saturating_sub(1);
        for (nth, other) in others.iter().enumerate() {
            if nth >= kept || is_over(other, now) {
                draft.remove::<SessionRow>(&other.key());
            }
        }
        let (subject, id_token) = self.identity.clone().unzip();
        // Whom a rule about claims lets in has no token: by the subject the trail keeps two people of one name apart.
        let by_rule =
            subject.as_ref().filter(|_| self.proof.is_some()).map(|subject| ["oidc:", subject].concat());
        draft.put(TrailRow {
            no: number?,
            created_at: now,
            operator: self.operator.clone(),
            token: self.token.clone().or(by_rule),
            peer: self.peer.clone(),
            command: SIGN_IN.to_owned(),
            account: None,
            idempotency_key: String::new(),
            before: None,
            after: serde_json::json!({ "subject": &subject }).to_string(),
        });
        draft.put(SessionRow {
            hash: self.hash.to_vec(),
            operator: self.operator.clone(),
            token: self.token.clone(),
            proof: self.proof.map(|proof| proof.to_vec()),
            subject,
            id_token,
            created_at: now,
            used_at: now,
            expires_at: now.saturating_add(MAX_AGE).unwrap_or(Timestamp::MAX),
        });
        Ok(())
    }
}

/// Writes down that a session is used.
#[derive(Clone, Debug)]
pub struct UseSession(pub Vec<u8>);

impl Operation for UseSession {
    type Output = ();

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
        let row = draft.get::<SessionRow>(&(self.0.clone(),))?.cloned();
        if let Some(row) = row.filter(|row| row.used_at < now) {
            draft.put(SessionRow { used_at: now, ..row });
        }
        Ok(())
    }
}

/// Ends all sessions of an operator. Gives how many were not over.
pub fn sign_out(draft: &mut Draft, operator: &str, now: Timestamp) -> Result<api::SignedOut, Stop> {
    let all: Vec<SessionRow> = draft.sessions_of(&(operator.to_owned(),))?.cloned().collect();
    let sessions = all.iter().filter(|row| !is_over(row, now)).count();
    for row in &all {
        draft.remove::<SessionRow>(&row.key());
    }
    let sessions = u64::try_from(sessions).unwrap_or(u64::MAX);
    Ok(api::SignedOut { operator: operator.to_owned(), sessions })
}

/// Ends a session.
#[derive(Clone, Debug)]
pub struct EndSession(pub Vec<u8>);

impl Operation for EndSession {
    type Output = ();

    fn decide(&self, draft: &mut Draft, _: Timestamp) -> Result<(), Stop> {
        let key = (self.0.clone(),);
        if draft.get::<SessionRow>(&key)?.is_some() {
            draft.remove::<SessionRow>(&key);
        }
        Ok(())
    }
}
