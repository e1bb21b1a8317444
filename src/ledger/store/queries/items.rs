//! Usage under metered rules, by model or tool, and what of it was earned.

use super::{BILLION, Reader, accounts, count, credits, exactly, first, get, most, saturated, sum};
use crate::api;
use crate::domain::time::minute;
use crate::store::record::{BadRow, Columns};
use crate::store::value::Value;
use crate::store::{ItemQuery, StoreError};
use faregate_protocol::Credits;
use std::collections::BTreeMap;

/// The names of classes or bases with a number, by item.
type Parts = BTreeMap<String, BTreeMap<String, u64>>;

/// Sums over lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemSums {
    /// How many requests were charged.
    pub requests: u64,
    /// What they were charged.
    pub credits: Credits,
    /// What those cost the seller of which that is known.
    pub cost: Option<Credits>,
    /// What is left of what those were charged.
    pub margin: Option<Credits>,
    /// How many of the requests have an unknown cost.
    pub cost_unknown: u64,
}

impl ItemSums {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |one: Option<Credits>, other: Option<Credits>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        Self {
            requests: self.requests.saturating_add(other.requests),
            credits: self.credits.saturating_add(other.credits),
            cost: both(self.cost, other.cost),
            margin: both(self.margin, other.margin),
            cost_unknown: self.cost_unknown.saturating_add(other.cost_unknown),
        }
    }

    /// Their columns.
    fn columns() -> String {
        let columns = ["requests", "credits", "costed_requests", "costed_credits", "cost"];
        columns.map(sum).join(", ")
    }

    /// Reads them, the first of them in this column.
    fn read(row: &dyn Columns, at: usize) -> Result<Self, BadRow> {
        let column = |nth: usize| at.saturating_add(nth.saturating_mul(2));
        let (requests, costed) = (count(row, column(0))?, count(row, column(2))?);
        let (charged, cost) = (exactly(row, column(3))?, exactly(row, column(4))?);
        let known = |micros: i128| (costed > 0).then(|| Credits::from_micros(saturated(micros)));
        Ok(Self {
            requests,
            credits: credits(row, column(1))?,
            cost: known(cost),
            margin: known(charged.saturating_sub(cost)),
            cost_unknown: requests.saturating_sub(costed),
        })
    }
}

/// What all accounts used each model and tool for from a minute until before another: those that cost the most, at most so many.
pub async fn between(
    reader: &impl Reader,
    (from, until): (i64, i64),
    limit: usize,
) -> Result<Vec<(String, ItemSums)>, StoreError> {
    let sql = format!(
        "SELECT item, {} FROM usage_items WHERE minute >= ?1 AND minute < ?2 GROUP BY item
         ORDER BY sum(credits / {BILLION}) DESC, item LIMIT ?3",
        ItemSums::columns()
    );
    let given = [from.into(), until.into(), most(limit)];
    reader.rows(&sql, &given, |row| Ok((get(row, 0)?, ItemSums::read(row, 1)?))).await
}

/// What each model or tool was used for, those that cost the most first, with the total over all.
pub async fn list(reader: &impl Reader, query: &ItemQuery) -> Result<api::UsageByItem, StoreError> {
    let account = match &query.account {
        Some(id) => Some(accounts::number(reader, id).await?),
        None => None,
    };
    let owner: Vec<Value> = account.iter().map(|number| number.0.into()).collect();
    let since = query.since.map_or(i64::MIN, minute);
    let until = query.until.map_or(i64::MAX, |until| until.as_second().saturating_add(59).div_euclid(60));
    // Of one account by the primary key, of all by the index on the minute.
    let asked = match &account {
        Some(_) => "minute >= ?1 AND minute < ?2 AND account = ?3",
        None => "minute >= ?1 AND minute < ?2",
    };
    let most_at = if account.is_some() { "?4" } else { "?3" };
    let top = format!(
        "SELECT item, {} FROM usage_items WHERE {asked} GROUP BY item
         ORDER BY sum(credits / {BILLION}) DESC, sum(credits % {BILLION}) DESC, item LIMIT {most_at}",
        ItemSums::columns()
    );
    let time = [[since.into(), until.into()].as_slice(), &owner].concat();
    let limited = [time.as_slice(), &[most(query.limit)]].concat();
    let items = reader.rows(&top, &limited, |row| {
        let item = Some(get::<String>(row, 0)?).filter(|item| !item.is_empty());
        let (basis, used) = (BTreeMap::new(), BTreeMap::new());
        let ItemSums { requests, credits, cost, margin, cost_unknown } = ItemSums::read(row, 1)?;
        Ok(api::ItemUsage { item, requests, credits, cost, margin, cost_unknown, basis, used })
    });
    let mut items = items.await?;
    let names = format!(
        "SELECT item FROM usage_items WHERE {asked} GROUP BY item
         ORDER BY sum(credits / {BILLION}) DESC, sum(credits % {BILLION}) DESC, item LIMIT {most_at}"
    );
    let parts = async |table: &str, what: &str, number: &str| -> Result<Parts, StoreError> {
        let sql = format!(
            "SELECT item, {what}, {} FROM {table} WHERE {asked} AND item IN ({names}) GROUP BY item, {what}",
            sum(number)
        );
        let mut found = Parts::new();
        let rows = reader
            .rows(&sql, &limited, |row| Ok((get::<String>(row, 0)?, get::<String>(row, 1)?, count(row, 2)?)));
        for (item, what, number) in rows.await? {
            found.entry(item).or_default().insert(what, number);
        }
        Ok(found)
    };
    let mut basis = parts("usage_items", "basis", "requests").await?;
    let mut used = parts("usage_quantities", "class", "quantity").await?;
    for line in &mut items {
        let name = line.item.as_deref().unwrap_or_default();
        line.basis = basis.remove(name).unwrap_or_default();
        line.used = used.remove(name).unwrap_or_default();
    }
    let sql = format!("SELECT count(DISTINCT item), {} FROM usage_items WHERE {asked}", ItemSums::columns());
    let total = first(reader, &sql, &time, |row| {
        let ItemSums { requests, credits, cost, margin, cost_unknown } = ItemSums::read(row, 1)?;
        Ok(api::ItemUsageTotal { items: get(row, 0)?, requests, credits, cost, margin, cost_unknown })
    });
    let total = total.await?.unwrap_or_default();
    Ok(api::UsageByItem { items, total })
}
