//! The admin API's writes, each with the memory of its first answer.
//!
//! What must hold: a request that comes again with the same idempotency key changes nothing, and gets the answer that
//! was given first. A refusal changes nothing and isn't remembered: the same request may succeed later.

use super::alerts;
use super::budgets::{self, NewBudget, Whose};
use super::corrections::{self, Adjust, Void};
use super::grants::{self, ChangedGrant, NewGrant};
use super::keys::{self, Credential, NewKey};
use super::mail::{self, NewAddress};
use super::portal::{self, NewLink, NewSubject};
use super::prices::{self, NewPrices};
use super::rotation::{self, Rotation};
use super::times::future;
use super::tokens::{self, NewToken};
use super::trail::{self, Origin};
use super::webhooks::{self, NewWebhook, WebhookTurn};
use super::{accounts, plans, recall, sessions, subscriptions, teams};
use crate::api;
use crate::domain::access::TokenKind;
use crate::domain::account::Transition;
use crate::domain::plan::{Changes, PlanName, Terms};
use crate::domain::{AccountId, Grant, GrantId, TeamId, subscription};
use crate::store::draft::{Draft, Stop};
use crate::store::error::{Refusal, StoreError};
use crate::store::operation::Operation;
use crate::store::record::Record as _;
use crate::store::rows::{IdempotencyRow, TrailRow};
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
    /// Suspends, resumes, closes or reopens.
    TurnAccount {
        /// Whose.
        account: String,
        /// Which of these.
        turn: Transition,
    },
    /// Another name for an account.
    RenameAccount {
        /// Its identifier.
        account: String,
        /// What people are to call it.
        name: String,
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
    /// Replaces a key.
    RotateKey(Rotation),
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
    /// A new link to the portal.
    CreatePortalLink(NewLink),
    /// A subject that signs in to the portal, or what it may do.
    LinkPortalSubject(NewSubject),
    /// A subject that signs in to the portal no more.
    UnlinkPortalSubject {
        /// Whose customer it was.
        account: String,
        /// The provider.
        issuer: String,
        /// Its subject.
        subject: String,
    },
    /// Changes a grant's expiry, priority or note.
    ChangeGrant(ChangedGrant),
    /// Takes a grant back.
    VoidGrant(Void),
    /// Puts a balance right.
    Adjust(Adjust),
    /// Archives a plan, or takes it out of the archive.
    ArchivePlan {
        /// Which.
        name: String,
        /// Whether it is to be archived.
        archived: bool,
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
        turn: subscription::Transition,
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
    /// Sets what models cost: all of it, or nothing.
    SetPrices(Vec<NewPrices>),
    /// Removes prices of a model.
    RemovePrices {
        /// Its name.
        model: String,
        /// Only those from this moment on.
        from: Option<Timestamp>,
    },
    /// Asks gateways to return unused credits.
    Recall {
        /// Only this one.
        gateway: Option<String>,
    },
    /// A new token of an operator or of gateways.
    CreateToken(NewToken),
    /// Takes tokens back.
    RevokeTokens {
        /// Whose.
        kind: TokenKind,
        /// The operator's name, or the fleet's.
        name: String,
        /// Only this one.
        token: Option<String>,
    },
    /// Ends all sessions of an operator in the console.
    SignOut {
        /// The operator's name.
        operator: String,
    },
    /// Sets what is announced.
    SetAlerts {
        /// Of which account; without, of all that say nothing else.
        account: Option<String>,
        /// What.
        asked: api::NewAlerts,
    },
    /// A new endpoint for events.
    CreateWebhook(NewWebhook),
    /// Pauses an endpoint, resumes it, and so on.
    TurnWebhook {
        /// Which.
        id: String,
        /// Which of these.
        turn: WebhookTurn,
    },
    /// Another address that gets events by mail.
    AddMailAddress(NewAddress),
    /// An address that gets none any more.
    DeleteMailAddress {
        /// Which.
        id: String,
    },
}

/// What came of a [`Command`]; serialized, it is the answer's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is soon gone")]
pub enum Done {
    /// The account as it now is.
    Account(api::Account),
    /// The key as it now is (without the secret, which the store never sees).
    Key(api::Key),
    /// The new key (without the secret), and the old one as it now is.
    Rotated(api::RotatedKey),
    /// The grant.
    Grant(api::Grant),
    /// The grant as it now is, without anything given.
    ChangedGrant(api::Grant),
    /// The correction.
    Correction(api::Correction),
    /// The team.
    Team(api::Team),
    /// The budget after the change, or before its removal.
    Budget(api::Budget),
    /// The plan's newest version.
    Plan(api::Plan),
    /// The subscription as it now is.
    Subscription(api::Subscription),
    /// How many prices were set or removed.
    Prices(api::PriceChanges),
    /// How many leases were recalled.
    Recall(api::RecallAnswer),
    /// The token (without the secret, which the store never sees).
    Token(api::Token),
    /// The tokens that were revoked.
    Tokens(api::Tokens),
    /// How many sessions were ended.
    SignedOut(api::SignedOut),
    /// What is announced.
    Alerts(api::Alerts),
    /// The endpoint (without its secret).
    Webhook(api::Webhook),
    /// The link (without its secret).
    PortalLink(api::PortalLink),
    /// The subject that signs in to the portal, or did.
    PortalSubject(api::PortalSubject),
    /// The address for mail.
    MailAddress(api::MailAddress),
}

/// What identifies a repeated request.
#[derive(Clone, Debug)]
pub struct IdempotencyRecord {
    /// The client's idempotency key.
    pub key: String,
    /// A hash over method, path and body.
    pub fingerprint: [u8; 32],
    /// Whose request it is.
    pub origin: Origin,
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

/// A command that is carried out once, however often it comes.
#[derive(Clone, Debug)]
pub struct Once {
    /// What is asked.
    pub command: Command,
    /// By what it is recognized.
    pub record: IdempotencyRecord,
}

impl Operation for Once {
    type Output = Answer;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<Answer, Stop> {
        match draft.first_answer(&self.record.key) {
            Ok(None) => {}
            Ok(Some(row)) => return Ok(Answer::Replayed(self.replay(row)?)),
            Err(stop) => {
                // What the command needs first is asked for at the same time; what it does is undone.
                let _ = draft.number(TrailRow::TABLE);
                let _ = self.command.carry_out(draft, now);
                return Err(stop);
            }
        }
        let no = draft.number(TrailRow::TABLE)?;
        let done = self.command.carry_out(draft, now)?;
        let body = serde_json::to_string(&done);
        let body = body.map_err(|error| Stop::Failed(StoreError::Backend(error.to_string())))?;
        let account = match &done {
            Done::Account(account) => Some(account.id.clone()),
            _ => trail::account_of(&body),
        };
        draft.put(TrailRow {
            no,
            created_at: now,
            account,
            idempotency_key: self.record.key.clone(),
            before: trail::before(draft.before()),
            after: body.clone(),
            ..self.record.origin.row()
        });
        let shown_key = self.command.shown_key();
        draft.put(IdempotencyRow {
            key: self.record.key.clone(),
            fingerprint: self.record.fingerprint.to_vec(),
            body: Some(body).filter(|_| shown_key.is_none()),
            shown_key,
            created_at: now,
        });
        Ok(Answer::First(done))
    }
}

impl Once {
    fn replay(&self, row: IdempotencyRow) -> Result<String, Refusal> {
        if row.fingerprint != self.record.fingerprint {
            return Err(Refusal::KeyReused);
        }
        // A key is shown once: to replay the answer it would have to be stored, or be derived from something that is.
        // A client that lost the answer revokes the key and creates another.
        row.body.ok_or_else(|| Refusal::KeyAlreadyShown(row.shown_key.unwrap_or_default()))
    }
}

impl Command {
    /// The identifier of the key or the token that the answer shows.
    fn shown_key(&self) -> Option<String> {
        match self {
            Self::CreateKey(NewKey { id, credential: Credential::Key { .. }, .. })
            | Self::RotateKey(Rotation { id, .. }) => Some(id.to_string()),
            Self::CreateToken(NewToken { id, identity: None, .. }) => Some(id.to_string()),
            Self::CreateWebhook(NewWebhook { id, .. }) => Some(id.to_string()),
            Self::CreatePortalLink(NewLink { id, .. })
            | Self::TurnWebhook { id, turn: WebhookTurn::Rotate(..) } => Some(id.clone()),
            _ => None,
        }
    }

    fn carry_out(&self, draft: &mut Draft, now: Timestamp) -> Result<Done, Stop> {
        Ok(match self {
            Self::CreateAccount { id, name } => {
                Done::Account(accounts::create(draft, id, name.clone(), now)?)
            }
            Self::TurnAccount { account, turn } => Done::Account(accounts::turn(draft, account, *turn, now)?),
            Self::RenameAccount { account, name } => Done::Account(accounts::rename(draft, account, name)?),
            Self::CreateKey(asked) => Done::Key(keys::create(draft, asked, now)?),
            Self::RevokeKey { id } => Done::Key(keys::revoke(draft, id, now)?),
            Self::RotateKey(asked) => Done::Rotated(rotation::rotate(draft, asked, now)?),
            Self::CreateTeam { account, id, name } => {
                Done::Team(teams::create(draft, account, id, name.clone(), now)?)
            }
            Self::SetBudget(asked) => Done::Budget(budgets::set(draft, asked, now)?),
            Self::ClearBudget { account, whose } => Done::Budget(budgets::clear(draft, account, whose, now)?),
            Self::Grant { account, id, amount, priority, expires_at, note, source } => {
                let (priority, expires_at) = (*priority, future(*expires_at, now)?);
                let new = NewGrant {
                    id: id.clone(),
                    grant: Grant { priority, expires_at, remaining: *amount, ..Grant::default() },
                    note: note.clone(),
                    source: source.clone(),
                    subscription: None,
                };
                Done::Grant(grants::grant(draft, account, new, now)?)
            }
            Self::CreateToken(asked) => Done::Token(tokens::create(draft, asked, now)?),
            Self::RevokeTokens { kind, name, token } => {
                Done::Tokens(tokens::revoke(draft, *kind, name, token.as_deref(), now)?)
            }
            Self::SignOut { operator } => Done::SignedOut(sessions::sign_out(draft, operator, now)?),
            Self::Recall { gateway } => Done::Recall(recall::gateways(draft, gateway.as_deref(), now)?),
            Self::SetPrices(all) => Done::Prices(prices::set(draft, all, now)?),
            Self::RemovePrices { model, from } => Done::Prices(prices::remove(draft, model, *from, now)?),
            Self::ChangeGrant(asked) => Done::ChangedGrant(grants::change(draft, asked, now)?),
            Self::VoidGrant(asked) => Done::Correction(corrections::void(draft, asked, now)?),
            Self::Adjust(asked) => Done::Correction(corrections::adjust(draft, asked, now)?),
            Self::ArchivePlan { name, archived } => Done::Plan(plans::archive(draft, name, *archived, now)?),
            Self::CreatePlan { name, terms } => Done::Plan(plans::create(draft, name, terms, now)?),
            Self::ChangePlan { name, changes, at_once } => {
                Done::Plan(plans::change(draft, name, changes, *at_once, now)?)
            }
            Self::Subscribe { account, id, asked } => {
                Done::Subscription(subscriptions::subscribe(draft, account, id, asked, now)?)
            }
            Self::ChangeSubscription { account, id, asked } => {
                Done::Subscription(subscriptions::change(draft, account, id, asked, now)?)
            }
            Self::TurnSubscription { account, turn } => {
                Done::Subscription(subscriptions::turn(draft, account, *turn, now)?)
            }
            Self::SetAlerts { account, asked } => {
                Done::Alerts(alerts::set(draft, account.as_deref(), asked, now)?)
            }
            Self::CreatePortalLink(asked) => Done::PortalLink(portal::create_link(draft, asked, now)?),
            Self::LinkPortalSubject(asked) => Done::PortalSubject(portal::link_subject(draft, asked, now)?),
            Self::UnlinkPortalSubject { account, issuer, subject } => {
                Done::PortalSubject(portal::unlink_subject(draft, account, issuer, subject)?)
            }
            Self::CreateWebhook(asked) => Done::Webhook(webhooks::create(draft, asked, now)?),
            Self::AddMailAddress(asked) => Done::MailAddress(mail::add(draft, asked, now)?),
            Self::DeleteMailAddress { id } => Done::MailAddress(mail::delete(draft, id, now)?),
            Self::TurnWebhook { id, turn } => Done::Webhook(webhooks::turn(draft, id, turn, now)?),
        })
    }
}
