//! What operators do to the ledger, and how an answer is remembered.

use super::{Refusal, at};
use crate::api;
use crate::domain::account::Turn;
use crate::domain::plan::{Changes, PlanName, Terms};
use crate::domain::{AccountId, GrantId, KeyId, subscription};
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde::Serialize;

/// A write of the admin API. Identifiers and hashes come from outside, so that carrying it out draws
/// on no randomness.
#[derive(Clone, Debug)]
pub enum Command {
    /// A new account.
    CreateAccount {
        /// Its identifier.
        id: AccountId,
        /// What people call it.
        name: Option<String>,
    },
    /// Suspends, resumes or closes.
    TurnAccount {
        /// Whose.
        account: String,
        /// Which of the three.
        turn: Turn,
    },
    /// A new credential.
    CreateKey {
        /// Whose.
        account: String,
        /// Its identifier.
        id: KeyId,
        /// What opens the gate.
        credential: Credential,
        /// When it stops to.
        expires_at: Option<Timestamp>,
        /// What it is for.
        note: Option<String>,
    },
    /// Takes a credential back.
    RevokeKey {
        /// Its identifier.
        id: String,
    },
    /// Gives credits.
    Grant {
        /// Whose.
        account: String,
        /// Its identifier.
        id: GrantId,
        /// How much; above zero.
        amount: Credits,
        /// The smaller is spent first.
        priority: u16,
        /// When the rest is lost.
        expires_at: Option<Timestamp>,
        /// What it is for.
        note: Option<String>,
        /// Where it comes from.
        source: Option<String>,
    },
    /// A new plan.
    CreatePlan {
        /// Its name.
        name: PlanName,
        /// What its first version says.
        terms: Terms,
    },
    /// Another version of a plan.
    ChangePlan {
        /// Which.
        name: String,
        /// What it says differently.
        changes: Changes,
        /// Whether it counts for running periods, too.
        at_once: bool,
    },
    /// Subscribes an account to a plan.
    Subscribe {
        /// Whose.
        account: String,
        /// The subscription's identifier.
        id: String,
        /// To what, and when.
        asked: api::NewSubscription,
    },
    /// Activates, pauses, cancels and so on.
    TurnSubscription {
        /// Whose.
        account: String,
        /// Which of these.
        turn: subscription::Turn,
    },
    /// Changes a subscription to another plan.
    ChangeSubscription {
        /// Whose.
        account: String,
        /// What tells this change apart from others.
        id: String,
        /// To what, and when.
        asked: api::SubscriptionChange,
    },
    /// Asks gateways to hand back what is unused.
    Recall {
        /// Only this one.
        gateway: Option<String>,
    },
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

/// What came of a [`Command`]; serialized, it is the answer's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Done {
    /// The account as it now is.
    Account(api::Account),
    /// The key as it now is (without the secret, which the store never sees).
    Key(api::Key),
    /// The grant.
    Grant(api::Grant),
    /// The plan's newest version.
    Plan(api::Plan),
    /// The subscription as it now is.
    Subscription(api::Subscription),
    /// How many leases were recalled.
    Recall(api::RecallAnswer),
}

/// By what a request is recognized when it comes again.
#[derive(Clone, Debug)]
pub struct Memo {
    /// The client's idempotency key.
    pub key: String,
    /// A hash over method, path and body.
    pub fingerprint: [u8; 32],
}

/// An answer, given now or before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done now.
    First(Done),
    /// Done before: the body that was sent then.
    Replayed(String),
}

/// A time to keep: in milliseconds, and in the future.
pub(super) fn future(time: Option<Timestamp>, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    match time.map(|time| at(time.as_millisecond())) {
        Some(time) if time <= now => Err(Refusal::AlreadyPast(time)),
        time => Ok(time),
    }
}
