//! The admin API's writes, each with the memory of its first answer.
//!
//! What must hold: the idempotency key is taken first, so the same request that reaches two ledgers at
//! once is done by one of them and replayed by the other.

use super::keep::{self, Change};
use super::load::{self, Busy};
use super::pool::Task;
use super::trouble::Trouble;
use super::{budgets, named, plans, subscriptions, teams};
use crate::api;
use crate::domain::account::Turn;
use crate::domain::grant::MAX_LIVE_GRANTS;
use crate::domain::{AccountId, AccountNo, AccountState, GatewayNo, Grant, GrantId, GrantNo, KeyNo};
use crate::store::budgets::no_target;
use crate::store::command::{Answer, Command, Credential, Done, Memo, NewKey, future};
use crate::store::plans::stored_products;
use crate::store::queries;
use crate::store::{Refusal, StoreError, at};
use deadpool_postgres::Client;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// A command to carry out.
#[derive(Debug)]
pub struct Execute {
    command: Command,
    memo: Memo,
    now: Timestamp,
}

impl Execute {
    /// Times are kept in milliseconds; what is answered first must be what a later read says.
    pub fn new(command: Command, memo: Memo, now: Timestamp) -> Self {
        Self { command, memo, now: at(now.as_millisecond()) }
    }

    /// Takes the idempotency key; `None` when it is ours, else what was answered then.
    async fn remembered(&self, conn: &Client) -> Result<Option<String>, Trouble> {
        let fingerprint = self.memo.fingerprint.as_slice();
        let take =
            "INSERT INTO idempotency (key, fingerprint, made_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let ms = self.now.as_millisecond();
        let ours =
            conn.execute(&conn.prepare_cached(take).await?, &[&self.memo.key, &fingerprint, &ms]).await?;
        if ours > 0 {
            return Ok(None);
        }
        let find = "SELECT fingerprint, body, shown_key FROM idempotency WHERE key = $1";
        let Some(row) = conn.query_opt(&conn.prepare_cached(find).await?, &[&self.memo.key]).await? else {
            return Err(StoreError::Overloaded.into()); // pruned just now: the next attempt takes it
        };
        if row.try_get::<_, &[u8]>(0)? != fingerprint {
            return Err(Refusal::KeyReused.into());
        }
        match row.try_get::<_, Option<String>>(1)? {
            Some(body) => Ok(Some(body)),
            // A key is shown once; see the table's comment.
            None => {
                Err(Refusal::KeyAlreadyShown(row.try_get::<_, Option<String>>(2)?.unwrap_or_default()).into())
            }
        }
    }

    async fn remember(&self, conn: &Client, done: &Done) -> Result<(), Trouble> {
        let shown_key = match &self.command {
            Command::CreateKey(NewKey { id, credential: Credential::Key { .. }, .. }) => Some(id.as_str()),
            _ => None,
        };
        let body = serde_json::to_string(done).map_err(|error| StoreError::Backend(error.to_string()))?;
        let body = if shown_key.is_some() { None } else { Some(body) };
        let keep = "UPDATE idempotency SET body = $2, shown_key = $3 WHERE key = $1";
        conn.execute(&conn.prepare_cached(keep).await?, &[&self.memo.key, &body, &shown_key]).await?;
        Ok(())
    }

    async fn carry_out(&self, conn: &Client, changes: &mut Vec<Change>) -> Result<Done, Trouble> {
        Ok(match &self.command {
            Command::CreateAccount { id, name } => {
                Done::Account(self.create_account(conn, id, name.as_deref()).await?)
            }
            Command::TurnAccount { account, turn } => {
                Done::Account(self.turn_account(conn, account, *turn, changes).await?)
            }
            Command::CreateKey(key) => Done::Key(self.create_key(conn, key).await?),
            Command::CreateTeam { account, id, name } => {
                Done::Team(teams::create(conn, account, id, name.as_deref(), self.now).await?)
            }
            Command::SetBudget(asked) => Done::Budget(budgets::set(conn, asked, self.now, changes).await?),
            Command::ClearBudget { account, whose } => {
                Done::Budget(budgets::clear(conn, account, whose, self.now).await?)
            }
            Command::RevokeKey { id } => Done::Key(self.revoke_key(conn, id, changes).await?),
            Command::Grant { account, id, amount, priority, expires_at, note, source } => {
                let expires_at = future(*expires_at, self.now)?;
                let grant = Grant {
                    no: GrantNo(0),
                    priority: *priority,
                    expires_at,
                    remaining: *amount,
                    of_plan: false,
                };
                let texts = [note.as_deref(), source.as_deref()];
                Done::Grant(give(conn, account, id, grant, texts, self.now).await?)
            }
            Command::Recall { gateway } => Done::Recall(recall(conn, gateway.as_deref(), changes).await?),
            Command::CreatePlan { name, terms } => {
                Done::Plan(plans::create(conn, name, terms, self.now).await?)
            }
            Command::ChangePlan { name, changes, at_once } => {
                Done::Plan(plans::change(conn, name, changes, *at_once, self.now).await?)
            }
            Command::Subscribe { account, id, asked } => Done::Subscription(
                subscriptions::subscribe(conn, account, id, asked, self.now, changes).await?,
            ),
            Command::ChangeSubscription { account, id, asked } => {
                Done::Subscription(subscriptions::change(conn, account, id, asked, self.now, changes).await?)
            }
            Command::TurnSubscription { account, turn } => {
                Done::Subscription(subscriptions::turn(conn, account, *turn, self.now, changes).await?)
            }
        })
    }

    async fn create_account(
        &self,
        conn: &Client,
        id: &AccountId,
        name: Option<&str>,
    ) -> Result<api::Account, Trouble> {
        let make = "INSERT INTO accounts (id, name, state, created_ms) VALUES ($1, $2, 'active', $3)
            ON CONFLICT (id) DO NOTHING";
        let name = name.map(named);
        let made = conn.execute(make, &[&id.as_str(), &name, &self.now.as_millisecond()]).await?;
        if made == 0 {
            return Err(Refusal::AccountExists(id.to_string()).into());
        }
        Ok(queries::accounts::one(conn, id.as_str()).await?)
    }

    async fn turn_account(
        &self,
        conn: &Client,
        id: &str,
        turn: Turn,
        changes: &mut Vec<Change>,
    ) -> Result<api::Account, Trouble> {
        let (no, old) = locked(conn, id).await?;
        let state = turn.of(old).map_err(|_| Refusal::AccountClosed(id.to_owned()))?;
        if state != old {
            conn.execute("UPDATE accounts SET state = $2 WHERE no = $1", &[&no.0, &state.as_str()]).await?;
            changes.push((no, KeyNo(0), GatewayNo(0)));
        }
        if state == AccountState::Closed {
            subscriptions::account_closed(conn, no, self.now, changes).await?;
        }
        Ok(queries::accounts::one(conn, id).await?)
    }

    async fn create_key(&self, conn: &Client, key: &NewKey) -> Result<api::Key, Trouble> {
        let NewKey { account, id, credential, expires_at, note, team, products } = key;
        let expires_at = future(*expires_at, self.now)?;
        let (owner, state) = locked(conn, account).await?;
        if state == AccountState::Closed {
            return Err(Refusal::AccountClosed(account.clone()).into());
        }
        let team = match team {
            None => None,
            Some(team) => {
                let found = budgets::team(conn, owner, team).await?;
                Some(found.ok_or_else(|| no_target(account, "team", "team", team))?.0)
            }
        };
        let products = stored_products(products.as_deref());
        let (hash, prefix, subject) = match credential {
            Credential::Key { hash, prefix } => (Some(hash.as_slice()), Some(prefix.as_str()), None),
            Credential::Subject(subject) => (None, None, Some(named(subject))),
        };
        let expires_ms = expires_at.map(Timestamp::as_millisecond);
        let make = "INSERT INTO keys (id, account, hash, prefix, subject, expires_ms, note, created_ms, team, products)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
        let note = note.as_deref().map(named);
        let made = conn
            .execute(
                make,
                &[
                    &id.as_str(),
                    &owner.0,
                    &hash,
                    &prefix,
                    &subject,
                    &expires_ms,
                    &note,
                    &self.now.as_millisecond(),
                    &team,
                    &products,
                ],
            )
            .await?;
        if made == 0 {
            return Err(Refusal::SubjectTaken(subject.unwrap_or_default().into_owned()).into());
        }
        Ok(queries::keys::one(conn, id.as_str(), self.now).await?)
    }

    async fn revoke_key(
        &self,
        conn: &Client,
        id: &str,
        changes: &mut Vec<Change>,
    ) -> Result<api::Key, Trouble> {
        let key = queries::keys::one(conn, id, self.now).await?;
        let (account, _) = locked(conn, &key.account).await?;
        let revoke = "UPDATE keys SET revoked = true WHERE id = $1 AND NOT revoked RETURNING no";
        if let Some(row) = conn.query_opt(revoke, &[&id]).await? {
            changes.push((account, KeyNo(row.try_get(0)?), GatewayNo(0)));
        }
        Ok(api::Key { state: api::KeyState::Revoked, ..key })
    }
}

impl Task for Execute {
    type Done = Answer;

    async fn attempt(&self, conn: &Client) -> Result<Answer, Trouble> {
        if let Some(body) = self.remembered(conn).await? {
            return Ok(Answer::Replayed(body));
        }
        let mut changes = Vec::new();
        let done = self.carry_out(conn, &mut changes).await?;
        self.remember(conn, &done).await?;
        keep::announce(conn, &changes, self.now).await?;
        Ok(Answer::First(done))
    }
}

/// Gives a grant, and pays debts from it.
pub async fn give(
    conn: &Client,
    account: &str,
    id: &GrantId,
    grant: Grant,
    [note, source]: [Option<&str>; 2],
    now: Timestamp,
) -> Result<api::Grant, Trouble> {
    let found = load::lock_by_id(conn, &named(account)).await?;
    let (owner, mut sheet) = found.ok_or_else(|| no_account(account))?;
    load::grants(conn, &mut sheet, &BTreeSet::from([owner])).await?;
    let mut draft = sheet.draft(now);
    let mut purse = draft.purse(owner).ok_or_else(|| no_account(account))?;
    let before = purse.account.clone();
    if before.state == AccountState::Closed {
        return Err(Refusal::AccountClosed(account.to_owned()).into());
    }
    purse.expire(now)?;
    if purse.grants().iter().filter(|grant| grant.remaining.is_positive()).count() >= MAX_LIVE_GRANTS {
        let account = account.to_owned();
        return Err(Refusal::TooManyGrants { account, limit: MAX_LIVE_GRANTS }.into());
    }
    let make =
        "INSERT INTO grants (id, account, amount, remaining, priority, expires_ms, note, source, created_ms)
        VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8) RETURNING no";
    let (priority, expires_ms) = (i64::from(grant.priority), grant.expires_at.map(Timestamp::as_millisecond));
    let (amount, ms) = (grant.remaining.micros(), now.as_millisecond());
    let (note, source) = (note.map(named), source.map(named));
    let made = conn
        .query_one(make, &[&id.as_str(), &owner.0, &amount, &priority, &expires_ms, &note, &source, &ms])
        .await?;
    purse.issue(Grant { no: GrantNo(made.try_get(0)?), ..grant })?;
    purse.account.tight = false;
    draft.keep_purse(&before, &purse);
    let own = draft.finish();
    sheet.accept(own);
    keep::sheet(conn, &sheet).await?;
    Ok(queries::grants::one(conn, id.as_str()).await?)
}

/// Locks an account; tells its row and its state.
pub async fn locked(conn: &Client, id: &str) -> Result<(AccountNo, AccountState), Trouble> {
    let found = load::lock_by_id(conn, &named(id)).await?;
    let (no, sheet) = found.ok_or_else(|| no_account(id))?;
    let state = sheet.money.get(&no).map(|money| money.account.state);
    Ok((no, state.ok_or_else(|| no_account(id))?))
}

fn no_account(id: &str) -> Refusal {
    Refusal::NotFound { what: "account", id: id.to_owned() }
}

async fn recall(
    conn: &Client,
    gateway: Option<&str>,
    changes: &mut Vec<Change>,
) -> Result<api::RecallAnswer, Trouble> {
    let only = match gateway {
        None => GatewayNo(0),
        Some(name) => {
            let found = conn.query_opt("SELECT no FROM gateways WHERE name = $1", &[&named(name)]).await?;
            let missing = || Refusal::NotFound { what: "gateway", id: name.to_owned() };
            GatewayNo(found.ok_or_else(missing)?.try_get(0)?)
        }
    };
    let holders = "SELECT DISTINCT account FROM leases
        WHERE escrow > 0 AND state = 'open' AND escrow > held AND ($1::bigint = 0 OR gateway = $1)";
    let holders = conn.query(holders, &[&only.0]).await?;
    let accounts = holders.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
    load::lock(conn, &accounts.iter().copied().map(AccountNo).collect(), Busy::Wait).await?;
    let ask = "UPDATE leases SET recall = true
        WHERE escrow > 0 AND state = 'open' AND escrow > held AND ($1::bigint = 0 OR gateway = $1) AND account = ANY($2)";
    let recalled = conn.execute(ask, &[&only.0, &accounts]).await?;
    if recalled > 0 {
        changes.push((AccountNo(0), KeyNo(0), only));
    }
    Ok(api::RecallAnswer { leases: recalled })
}
