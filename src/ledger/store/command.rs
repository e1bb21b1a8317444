//! What operators do to the ledger, and how an answer is remembered.

use super::{Refusal, at};
use crate::api;
use crate::domain::account::Turn;
use crate::domain::period::Rhythm;
use crate::domain::plan::{Changes, PlanName, Terms};
use crate::domain::{AccountId, GrantId, KeyId, TeamId, subscription};
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
    CreateKey(NewKey),
    /// A new team.
    CreateTeam {
        /// Whose.
        account: String,
        /// Its identifier.
        id: TeamId,
        /// What people call it.
        name: Option<String>,
    },
    /// Sets a budget, or changes it.
    SetBudget(NewBudget),
    /// Takes a budget away.
    ClearBudget {
        /// In which account.
        account: String,
        /// Of what.
        whose: Whose,
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

/// What a budget is of, by the names that people use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The whole account.
    Account,
    /// The team with this identifier.
    Team(String),
    /// The key with this identifier.
    Key(String),
}

impl Whose {
    /// The team's or the key's identifier.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Account => None,
            Self::Team(id) | Self::Key(id) => Some(id),
        }
    }
}

/// A budget that is set.
#[derive(Clone, Debug)]
pub struct NewBudget {
    /// In which account.
    pub account: String,
    /// Of what.
    pub whose: Whose,
    /// How much per period; above zero.
    pub credits: Credits,
    /// Its periods, by the calendar.
    pub rhythm: Rhythm,
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
    /// The team.
    Team(api::Team),
    /// The budget as it now is, or as it was when it was taken away.
    Budget(api::Budget),
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
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is soon gone")]
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
