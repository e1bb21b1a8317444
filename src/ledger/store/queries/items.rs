//! Usage under metered rules, by model or tool, and what of it was earned.

use super::{BILLION, Reader, accounts, count, credits, exactly, first, get, most, sum};
use crate::api;
use crate::domain::time::minute;
use crate::store::record::{BadRow, Columns};
use crate::store::{ItemQuery, StoreError};
use faregate_protocol::Credits;
use std::collections::BTreeMap;

/// The names of classes or bases with a number, by item.
type Parts = BTreeMap<String, BTreeMap<String, u64>>;

/// Sums over lines.
#[derive(Default)]
struct Sums {
    requests: u64,
    credits: Credits,
    cost: Option<Credits>,
    margin: Option<Credits>,
    cost_unknown: u64,
}

impl Sums {
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
        let known = |micros: i128| (costed > 0).then(|| bounded(micros));
        Ok(Self {
            requests,
            credits: credits(row, column(1))?,
            cost: known(cost),
            margin: known(charged.saturating_sub(cost)),
            cost_unknown: requests.saturating_sub(costed),
        })
    }
}

fn bounded(micros: i128) -> Credits {
    let bound = if micros < 0 { i64::MIN } else { i64::MAX };
    Credits::from_micros(i64::try_from(micros).unwrap_or(bound))
}

/// What each model or tool was used for, those that cost the most first, with the total over all.
pub async fn list(reader: &impl Reader, query: &ItemQuery) -> Result<api::UsageByItem, StoreError> {
    let account = match &query.account {
        Some(id) => Some(accounts::number(reader, id).await?.0),
        None => None,
    };
    let since = query.since.map_or(i64::MIN, minute);
    let until = query.until.map_or(i64::MAX, |until| until.as_second().saturating_add(59).div_euclid(60));
    let asked = "minute >= ?1 AND minute < ?2 AND (CAST(?3 AS bigint) IS NULL OR account = ?3)";
    let top = format!(
        "SELECT item, {} FROM usage_items WHERE {asked} GROUP BY item
         ORDER BY sum(credits / {BILLION}) DESC, sum(credits % {BILLION}) DESC, item LIMIT ?4",
        Sums::columns()
    );
    let time = [since.into(), until.into(), account.into()];
    let limited = [time.as_slice(), &[most(query.limit)]].concat();
    let items = reader.rows(&top, &limited, |row| {
        let item = Some(get::<String>(row, 0)?).filter(|item| !item.is_empty());
        let (basis, used) = (BTreeMap::new(), BTreeMap::new());
        let Sums { requests, credits, cost, margin, cost_unknown } = Sums::read(row, 1)?;
        Ok(api::ItemUsage { item, requests, credits, cost, margin, cost_unknown, basis, used })
    });
    let mut items = items.await?;
    let names = format!(
        "SELECT item FROM usage_items WHERE {asked} GROUP BY item
         ORDER BY sum(credits / {BILLION}) DESC, sum(credits % {BILLION}) DESC, item LIMIT ?4"
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
    let sql = format!("SELECT count(DISTINCT item), {} FROM usage_items WHERE {asked}", Sums::columns());
    let total = first(reader, &sql, &time, |row| {
        let Sums { requests, credits, cost, margin, cost_unknown } = Sums::read(row, 1)?;
        Ok(api::ItemUsageTotal { items: get(row, 0)?, requests, credits, cost, margin, cost_unknown })
    });
    let total = total.await?.unwrap_or_default();
    Ok(api::UsageByItem { items, total })
}
