//! Accounts.

use super::{Reader, first, get, missing, most};
use crate::api::{self, AccountState};
use crate::domain::AccountNo;
use crate::domain::entitlement::Entitlement;
use crate::store::record::{BadRow, Columns};
use crate::store::value::Value;
use crate::store::{AccountQuery, StoreError};

const ACCOUNT: &str = "SELECT id, name, state, created_ms, plan, entitlement, available, closed_ms FROM ";

/// How many accounts one answer looks at, where not each fits what is asked for.
pub const WINDOW: usize = 10_000;

fn read(row: &dyn Columns) -> Result<api::Account, BadRow> {
    let entitlement: Option<Entitlement> = get(row, 5)?;
    Ok(api::Account {
        id: get(row, 0)?,
        name: get(row, 1)?,
        state: get(row, 2)?,
        created_at: get(row, 3)?,
        closed_at: get(row, 7)?,
        plan: get(row, 4)?,
        renews_at: entitlement.and_then(|entitlement| entitlement.renews_at),
        available: get(row, 6)?,
    })
}

/// An account by its identifier.
pub async fn one(reader: &impl Reader, id: &str) -> Result<api::Account, StoreError> {
    let sql = [ACCOUNT, "accounts WHERE id = ?1"].concat();
    first(reader, &sql, &[id.into()], read).await?.ok_or_else(|| missing("account", id))
}

/// A page of the accounts of which all is true that is asked for, by identifier.
///
/// A million accounts don't make an answer slow: the next [`WINDOW`] are walked in the order of an index (of `id`; or
/// `accounts_plan` or `accounts_state`, which leave most out) and each is looked at, with the index `grants_live` of its grants and
/// `subscriptions_live` of its subscription. An answer that has looked at so many ends there, and says that there are more.
pub async fn page(reader: &impl Reader, query: &AccountQuery) -> Result<api::Accounts, StoreError> {
    let asked = Conditions::of(query, WINDOW);
    let sql = asked.sql();
    let fits = |account: api::Account| Some(account).filter(|account| is_wanted(query, account));
    let found = reader.rows(&sql, &asked.given, move |row| read(row).map(fits)).await?;
    let mut accounts: Vec<api::Account> = found.into_iter().flatten().collect();
    let mut next = query.page.cut(&mut accounts).map(|last| last.id.clone());
    if next.is_none() && !asked.is_plain {
        next = first(reader, &asked.end(), &asked.walked, |row| get(row, 0)).await?;
    }
    Ok(api::Accounts { accounts, next })
}

/// How many there are, but no more than `most`: counting all of a large table takes too long for a start.
pub async fn count(reader: &impl Reader, most: u32) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT no FROM accounts LIMIT ?1) AS found";
    let counted = first(reader, sql, &[i64::from(most).into()], |row| get::<i64>(row, 0)).await?;
    Ok(counted.and_then(|count| u32::try_from(count).ok()).unwrap_or(0))
}

/// The statements of a page.
#[cfg(test)]
pub fn statements(query: &AccountQuery) -> [String; 2] {
    let asked = Conditions::of(query, WINDOW);
    [asked.sql(), asked.end()]
}

/// What is asked in SQL: which accounts are walked, and what is true of those that are wanted.
struct Conditions {
    /// Whether all that are walked are wanted.
    is_plain: bool,
    walk: String,
    wanted: Vec<String>,
    limit: Option<String>,
    /// What the statement is given; the walk's come first.
    given: Vec<Value>,
    /// What that of the end is given.
    walked: Vec<Value>,
}

impl Conditions {
    fn of(query: &AccountQuery, window: usize) -> Self {
        let AccountQuery { page, name, plan, state, below, expiring_before, renewing_before } = query;
        let is_plain = matches!(
            (name, plan, state, below, expiring_before, renewing_before),
            (None, None, None, None, None, None)
        );
        let mut given: Vec<Value> = vec![page.after.as_deref().unwrap_or("").into()];
        let mut take = |value: Value| {
            given.push(value);
            format!("?{}", given.len())
        };
        take(if is_plain { page.rows().into() } else { most(window) });
        let state_is = state.map(|state| format!("state = '{}'", state.as_str()));
        let mut wanted = Vec::new();
        // SQLite uses an index with a condition only for a query that has the same words.
        let walk = match (plan, state, state_is) {
            (Some(plan), _, state_is) => {
                wanted.extend(state_is);
                format!("plan IS NOT NULL AND plan = {} AND ", take(plan.as_str().into()))
            }
            (None, Some(AccountState::Active), state_is) => {
                wanted.extend(state_is);
                String::new()
            }
            (None, _, Some(state_is)) => format!("state <> 'active' AND {state_is} AND "),
            (None, _, None) => String::new(),
        };
        let mut walked = given.clone();
        if let Some(last) = walked.get_mut(1) {
            *last = most(window.saturating_sub(1));
        }
        let mut take = |value: Value| {
            given.push(value);
            format!("?{}", given.len())
        };
        if let Some(below) = below {
            wanted.push(format!("available < {}", take(below.micros().into())));
        }
        if let Some(time) = expiring_before {
            let before = take(time.as_millisecond().into());
            let of_subscription =
                "FROM subscriptions s WHERE s.account = w.no AND s.state NOT IN ('cancelled', 'expired')";
            // Nothing of a subscription is due later than what comes next.
            wanted.push(format!(
                "((SELECT min(g.expires_ms) FROM grants g WHERE g.account = w.no AND g.live AND g.subscription IS NULL) < {before}
                  OR due_ms < {before} AND ((SELECT s.cancels_ms {of_subscription}) < {before}
                    OR (SELECT s.until_ms {of_subscription} AND s.state <> 'past_due') < {before}))"
            ));
        }
        if let Some(time) = renewing_before {
            wanted.push(format!("due_ms < {}", take(time.as_millisecond().into())));
        }
        let in_sql = !is_plain && name.is_none() && renewing_before.is_none();
        let limit = in_sql.then(|| take(page.rows().into()));
        let walk = format!("{walk}id > ?1 ORDER BY id");
        Self { is_plain, walk, wanted, limit, given, walked }
    }

    fn sql(&self) -> String {
        let mut sql = format!("{ACCOUNT}(SELECT * FROM accounts WHERE {} LIMIT ?2) w", self.walk);
        if !self.wanted.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&self.wanted.join(" AND "));
        }
        sql.push_str(" ORDER BY id");
        if let Some(limit) = &self.limit {
            sql.push_str(" LIMIT ");
            sql.push_str(limit);
        }
        sql
    }

    /// The last account of a walk that has looked at as many as it may.
    fn end(&self) -> String {
        format!("SELECT id FROM accounts WHERE {} LIMIT 1 OFFSET ?2", self.walk)
    }
}

/// What isn't asked in SQL: what counts as the same in upper and lower case, databases see differently.
fn is_wanted(query: &AccountQuery, account: &api::Account) -> bool {
    let named = query.name.as_ref().is_none_or(|part| {
        let part = part.to_lowercase();
        let name = account.name.as_deref().unwrap_or_default();
        account.id.contains(&part) || name.to_lowercase().contains(&part)
    });
    let renews = query.renewing_before.is_none_or(|time| account.renews_at.is_some_and(|at| at < time));
    named && renews
}

/// The row of an account.
pub async fn number(reader: &impl Reader, id: &str) -> Result<AccountNo, StoreError> {
    let found =
        first(reader, "SELECT no FROM accounts WHERE id = ?1", &[id.into()], |row| get(row, 0)).await?;
    found.ok_or_else(|| missing("account", id))
}

/// What an account's newest subscription means for exchanges.
#[cfg(test)]
pub async fn entitlement(reader: &impl Reader, id: &str) -> Result<Option<Entitlement>, StoreError> {
    let sql = "SELECT entitlement FROM accounts WHERE id = ?1";
    first(reader, sql, &[id.into()], |row| get(row, 0)).await?.ok_or_else(|| missing("account", id))
}
