//! Endpoints: made, paused, resumed, deleted, and given another secret; and their deliveries: claimed, and what came of them.
//!
//! What must hold: of several ledgers one tries a delivery at a time; what came of an attempt is noted only for the attempt that was
//! the last; an event is never lost because an endpoint failed.

use super::events::waiting;
use crate::api;
use crate::domain::event::EventKind;
use crate::domain::mail::is_mail;
use crate::domain::outgoing::SECRET_BYTES;
use crate::domain::time::at;
use crate::domain::webhook::{
    CLAIM_MS, DeliveryState, MAX_WEBHOOKS, ReplayPlan, WebhookState, kept_error, next_try, overlap_end, wants,
};
use crate::domain::{AccountNo, WebhookId};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::operation::Operation;
use crate::store::record::Record as _;
use crate::store::rows::{DeliveryKey, DeliveryRow, WebhookRow};
use jiff::Timestamp;

/// A new endpoint.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Its identifier.
    pub id: WebhookId,
    /// Where events are posted.
    pub url: String,
    /// Only events of these kinds.
    pub kinds: Option<Vec<EventKind>>,
    /// Only events of the account of this identifier.
    pub account: Option<String>,
    /// What deliveries are signed with.
    pub secret: Secret,
}

/// What deliveries are signed with. Its `Debug` prints nothing of it.
#[derive(Clone)]
pub struct Secret(pub [u8; SECRET_BYTES]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What an operator does about an endpoint.
#[derive(Clone, Debug)]
pub enum WebhookTurn {
    /// It gets no events for now; they wait.
    Pause,
    /// It gets events again, and those that waited.
    Resume,
    /// It is gone.
    Delete,
    /// It gets another secret; for so many seconds deliveries are signed with both.
    Rotate(Secret, u32),
    /// What happened since then is delivered again.
    Replay(Timestamp),
    /// The event of this identifier is delivered again.
    ReplayOne(String),
}

/// Makes an endpoint.
pub fn create(draft: &mut Draft, asked: &NewWebhook, now: Timestamp) -> Result<api::Webhook, Stop> {
    let number = draft.number(WebhookRow::TABLE);
    let found = WebhookState::LISTENING.map(|state| draft.endpoints_in(state));
    let account = asked.account.as_deref().map(|id| draft.account_named(id)).transpose()?;
    let mut others = 0_usize;
    for some in found {
        others = others.saturating_add(some?.len());
    }
    if others >= MAX_WEBHOOKS {
        let limit = i64::try_from(MAX_WEBHOOKS).unwrap_or(i64::MAX);
        return Err(Refusal::TooMany { what: "webhooks", limit }.into());
    }
    let kinds = asked.kinds.as_ref();
    let row = WebhookRow {
        no: number?,
        id: asked.id.clone(),
        url: asked.url.clone(),
        kinds: kinds.map(|kinds| kinds.iter().map(|kind| kind.as_str().to_owned()).collect()),
        account: account.as_ref().map(|row| row.account.no),
        secret: asked.secret.0.to_vec(),
        changed_at: now,
        created_at: now,
        ..WebhookRow::default()
    };
    draft.put(row.clone());
    Ok(shown(row, asked.account.clone(), now))
}

/// Does what an operator asks about an endpoint. Repeating it changes nothing.
pub fn turn(draft: &mut Draft, id: &str, turn: &WebhookTurn, now: Timestamp) -> Result<api::Webhook, Stop> {
    let missing = || Refusal::NotFound { what: "webhook", id: id.to_owned() };
    let no = draft.endpoint_named(id)?.ok_or_else(missing)?;
    let mut row = draft.endpoint(no)?.ok_or_else(missing)?;
    if row.state == WebhookState::Deleted {
        return Err(missing().into());
    }
    match turn {
        WebhookTurn::Pause => {
            row.state = WebhookState::Paused;
            row.note = None;
        }
        WebhookTurn::Resume => {
            row.state = WebhookState::Active;
            row.note = None;
        }
        WebhookTurn::Delete => {
            (row.state, row.replay, row.old_secret, row.old_until) =
                (WebhookState::Deleted, None, None, None);
            row.secret = Vec::new();
        }
        WebhookTurn::Rotate(secret, overlap_s) => {
            row.old_until = Some(overlap_end(now, *overlap_s));
            row.old_secret = Some(std::mem::replace(&mut row.secret, secret.0.to_vec()));
        }
        WebhookTurn::ReplayOne(event) => return replay_one(draft, row, event, now),
        WebhookTurn::Replay(since) => row.replay = Some(ReplayPlan::new(at(since.as_millisecond()), now)),
    }
    row.changed_at = now;
    draft.put(row.clone());
    with_account(draft, row, now)
}

fn with_account(draft: &mut Draft, row: WebhookRow, now: Timestamp) -> Result<api::Webhook, Stop> {
    let account = match row.account {
        None => None,
        Some(no) => draft.account(no)?.map(|owner| owner.account.id.to_string()),
    };
    Ok(shown(row, account, now))
}

/// Puts one event in an endpoint's queue again. One that waits already stays where it is.
fn replay_one(
    draft: &mut Draft,
    endpoint: WebhookRow,
    id: &str,
    now: Timestamp,
) -> Result<api::Webhook, Stop> {
    let missing = || Refusal::NotFound { what: "event", id: id.to_owned() };
    let event = draft.event_named(id)?.ok_or_else(missing)?;
    let kind = EventKind::ALL.into_iter().find(|kind| kind.as_str() == event.kind);
    let kinds = endpoint.kinds.as_deref();
    if !kind.is_some_and(|kind| wants(kinds, endpoint.account, kind, event.place.0)) {
        let why =
            format!("is {id}, an event that this webhook doesn't get: it is of another kind or account");
        return Err(Refusal::Field { field: "event", why }.into());
    }
    let (account, seq) = event.place;
    let known = draft.get::<DeliveryRow>(&(endpoint.no, account, seq))?.cloned();
    if known.as_ref().is_none_or(|row| row.state != DeliveryState::Waiting) {
        let attempts = known.map_or(0, |row| row.attempts);
        draft.put(DeliveryRow { attempts, ..waiting(endpoint.no, event.place, event.created_at, now) });
    }
    with_account(draft, endpoint, now)
}

/// What the admin API shows.
pub fn shown(row: WebhookRow, account: Option<String>, now: Timestamp) -> api::Webhook {
    api::Webhook {
        id: row.id.to_string(),
        url: row.url,
        events: row.kinds,
        account,
        secret: None,
        old_secret_until: row.old_until.filter(|until| *until > now && row.old_secret.is_some()),
        state: row.state,
        note: row.note,
        waiting: None,
        replaying_since: row.replay.map(|replay| replay.since),
        created_at: row.created_at,
    }
}

/// Claims deliveries, so that no other ledger tries them. Gives those that were claimed, each with the number of the attempt.
#[derive(Clone, Debug)]
pub struct Claim(pub Vec<DeliveryKey>);

impl Operation for Claim {
    type Output = Vec<(DeliveryKey, u32)>;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<Self::Output, Stop> {
        let (mut rows, mut missing) = (Vec::new(), false);
        for place in &self.0 {
            match draft.get::<DeliveryRow>(place) {
                // One that another ledger has locked is left to it.
                Ok(row) => rows.extend(row.cloned()),
                Err(Stop::Missing) => missing = true,
                Err(other) => return Err(other),
            }
        }
        if missing {
            return Err(Stop::Missing);
        }
        let mut claimed = Vec::new();
        for mut row in rows.into_iter().filter(|row| is_due(row, now)) {
            row.attempts = row.attempts.saturating_add(1);
            row.first_at = row.first_at.or(Some(now));
            row.claimed_until = Some(at(now.as_millisecond().saturating_add(CLAIM_MS)));
            claimed.push((row.place, row.attempts));
            draft.put(row);
        }
        Ok(claimed)
    }
}

fn is_due(row: &DeliveryRow, now: Timestamp) -> bool {
    let is_free = row.claimed_until.is_none_or(|until| until <= now);
    row.state == DeliveryState::Waiting && row.next_at <= now && is_free
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// Of which delivery.
    pub place: DeliveryKey,
    /// The number of the attempt.
    pub attempt: u32,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// It would fail again.
    pub is_final: bool,
    /// A random number, which spreads the next attempts.
    pub jitter: u32,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It was delivered.
    Delivered,
    /// It will be tried again.
    Again,
    /// Its endpoint is given up until it is resumed; of a mail, itself is.
    GivenUp,
    /// Another attempt counts.
    Overtaken,
}

impl Operation for Attempted {
    type Output = DeliveryOutcome;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<DeliveryOutcome, Stop> {
        let Some(mut row) = draft.get::<DeliveryRow>(&self.place)?.cloned() else {
            return Ok(DeliveryOutcome::Overtaken);
        };
        if row.state != DeliveryState::Waiting || row.attempts != self.attempt {
            return Ok(DeliveryOutcome::Overtaken);
        }
        row.claimed_until = None;
        row.status = self.status;
        row.error = self.error.as_deref().map(kept_error);
        let outcome = match &row.error {
            None => {
                (row.state, row.done_at, row.first_at) = (DeliveryState::Delivered, Some(now), None);
                DeliveryOutcome::Delivered
            }
            Some(error) => {
                let next = next_try(row.first_at.unwrap_or(now), now, self.jitter);
                if let Some(next) = next.filter(|_| !self.is_final) {
                    row.next_at = next;
                    DeliveryOutcome::Again
                } else if is_mail(self.place.0) {
                    // It is no fault of the address's when the mail server is down: later mails are sent.
                    (row.state, row.done_at) = (DeliveryState::GivenUp, Some(now));
                    DeliveryOutcome::GivenUp
                } else {
                    let why = format!("an event could not be delivered for 3 days: {error}");
                    // It is the first one that is tried when the endpoint is resumed.
                    (row.next_at, row.first_at) = (now, None);
                    give_up(draft, self.place.0, why, now)?;
                    DeliveryOutcome::GivenUp
                }
            }
        };
        draft.put(row);
        Ok(outcome)
    }
}

fn give_up(draft: &mut Draft, no: i64, why: String, now: Timestamp) -> Result<(), Stop> {
    let Some(mut endpoint) = draft.endpoint(no)? else { return Ok(()) };
    if endpoint.state == WebhookState::Active {
        (endpoint.state, endpoint.note, endpoint.changed_at) = (WebhookState::Failing, Some(why), now);
        draft.put(endpoint);
    }
    Ok(())
}

/// Puts events in an endpoint's queue again, as the next step of a replay.
#[derive(Clone, Debug)]
pub struct Requeue {
    /// Which endpoint.
    pub webhook: i64,
    /// The replay, as it was when these were found.
    pub plan: ReplayPlan,
    /// The next events, each with its time, and whether the endpoint gets it.
    pub events: Vec<((AccountNo, i64), Timestamp, bool)>,
    /// Whether they are the last.
    pub is_end: bool,
}

impl Operation for Requeue {
    type Output = ();

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
        let endpoint = draft.endpoint(self.webhook);
        let mut found = Vec::new();
        let mut missing = false;
        for (event, created_at, _) in self.events.iter().filter(|(.., wanted)| *wanted) {
            match draft.get::<DeliveryRow>(&(self.webhook, event.0, event.1)) {
                Ok(row) => found.push((*event, *created_at, row.cloned())),
                Err(Stop::Missing) => missing = true,
                Err(other) => return Err(other),
            }
        }
        let Some(mut endpoint) = endpoint? else { return Ok(()) };
        if missing {
            return Err(Stop::Missing);
        }
        if endpoint.replay.as_ref() != Some(&self.plan) {
            return Ok(());
        }
        for (event, created_at, row) in found {
            match row {
                Some(row) if row.state == DeliveryState::Waiting => {}
                Some(row) => draft.put(DeliveryRow {
                    attempts: row.attempts,
                    ..waiting(self.webhook, event, row.created_at, now)
                }),
                None => draft.put(waiting(self.webhook, event, created_at, now)),
            }
        }
        endpoint.replay = match self.events.last() {
            Some(((account, seq), created_at, _)) if !self.is_end => {
                let after = (created_at.as_millisecond(), account.0, *seq);
                Some(ReplayPlan { after, ..self.plan.clone() })
            }
            _ => None,
        };
        draft.put(endpoint);
        Ok(())
    }
}
