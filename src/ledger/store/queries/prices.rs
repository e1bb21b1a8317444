//! The price list: pages of it for people, and all of it for exchanges.

use super::{Reader, columns, first, get, missing, most};
use crate::api::{self, MAX_LIMIT};
use crate::domain::price_list::{Listed, MAX_LISTED, PriceList};
use crate::domain::price_news::{CLOCKS_APART, MAX_MOMENTS, PriceNews};
use crate::store::record::{BadRow, Columns, Record};
use crate::store::rows::PriceRow;
use crate::store::{Page, StoreError};
use jiff::Timestamp;

fn entries(which: &str) -> String {
    format!("SELECT {} FROM model_prices p WHERE {which}", columns(PriceRow::TABLE, "p"))
}

fn entry(row: &dyn Columns) -> Result<api::PriceEntry, BadRow> {
    let PriceRow { model, valid_from, prices, created_at, cost } = PriceRow::read(row)?;
    Ok(api::PriceEntry { model, prices, cost, valid_from, created_at })
}

/// Where a page ends: at a time of a model.
fn position(text: &str) -> (String, i64) {
    let named = text.split_once(':').and_then(|(ms, model)| Some((model.to_owned(), ms.parse().ok()?)));
    named.unwrap_or_else(|| (text.to_owned(), i64::MAX))
}

/// A page of what models cost now and later, by name and time. What is after a model's name alone is after all of it.
pub async fn page(reader: &impl Reader, page: &Page, now: Timestamp) -> Result<api::Prices, StoreError> {
    let (model, ms) = page.after.as_deref().map_or_else(|| (String::new(), i64::MIN), position);
    let sql = entries(
        "(p.model, p.valid_from_ms) > (?1, ?2) AND NOT EXISTS (SELECT 1 FROM model_prices n
           WHERE n.model = p.model AND n.valid_from_ms > p.valid_from_ms AND n.valid_from_ms <= ?3)
         ORDER BY p.model, p.valid_from_ms LIMIT ?4",
    );
    let given = [model.as_str().into(), ms.into(), now.as_millisecond().into(), page.rows().into()];
    let mut prices = reader.rows(&sql, &given, entry).await?;
    let next = page.cut(&mut prices);
    let next = next.map(|last| format!("{}:{}", last.valid_from.as_millisecond(), last.model));
    Ok(api::Prices { prices, next })
}

/// All entries of a model.
pub async fn of(reader: &impl Reader, model: &str) -> Result<api::ModelPriceHistory, StoreError> {
    let sql = entries("p.model = ?1 ORDER BY p.valid_from_ms LIMIT ?2");
    let versions = reader.rows(&sql, &[model.into(), most(MAX_LIMIT)], entry).await?;
    if versions.is_empty() {
        return Err(missing("model with prices", model));
    }
    Ok(api::ModelPriceHistory { model: model.to_owned(), versions })
}

async fn change(reader: &impl Reader) -> Result<(u64, Timestamp), StoreError> {
    let found = first(reader, "SELECT change, changed_ms FROM price_list", &[], |row| {
        Ok((get(row, 0)?, get(row, 1)?))
    });
    Ok(found.await?.unwrap_or_default())
}

/// What is new of the list since a change; none if nothing is.
pub async fn news(reader: &impl Reader, known: u64) -> Result<Option<PriceNews>, StoreError> {
    let (change, changed_at) = change(reader).await?;
    if change == known {
        return Ok(None);
    }
    let since = changed_at.checked_sub(CLOCKS_APART).unwrap_or(Timestamp::MIN);
    let sql =
        "SELECT valid_from_ms FROM model_prices WHERE valid_from_ms > ?1 ORDER BY valid_from_ms LIMIT ?2";
    let given = [since.as_millisecond().into(), most(MAX_MOMENTS)];
    let moments = reader.rows(sql, &given, |row| get(row, 0)).await?;
    Ok(Some(PriceNews { change, moments }))
}

/// The whole list.
pub async fn list(reader: &impl Reader) -> Result<PriceList, StoreError> {
    let (change, _) = change(reader).await?;
    let sql = entries("true ORDER BY p.model, p.valid_from_ms LIMIT ?1");
    let listed = |row: &dyn Columns| {
        let PriceRow { model, prices, cost, valid_from, .. } = PriceRow::read(row)?;
        Ok(Listed { model, prices, cost, valid_from })
    };
    let entries = reader.rows(&sql, &[most(MAX_LISTED)], listed).await?;
    PriceList::stored(entries, change).map_err(|why| StoreError::Backend(why.to_string()))
}
