//! The price list's writes: prices of models, each from a moment on.
//!
//! What must hold: the list's own row is locked before any price is read, so changes come one after the other. Prices that
//! are valid already make no new version, and a request that changes nothing is no change.

use crate::api;
use crate::domain::price_list::{Listed, MAX_LISTED};
use crate::domain::time::at;
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::rows::{PriceListRow, PriceRow};
use faregate_protocol::prices::ModelPrices;
use jiff::Timestamp;

/// What a model is to cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPrices {
    /// The model's name.
    pub model: String,
    /// Its prices, which keep all limits.
    pub prices: ModelPrices,
    /// What it costs the seller; when absent, as until then.
    pub cost: Option<ModelPrices>,
    /// From when on; now when absent.
    pub valid_from: Option<Timestamp>,
}

impl NewPrices {
    /// As an entry of a list, to be checked.
    pub fn listed(&self, now: Timestamp) -> Listed {
        let valid_from = self.valid_from.unwrap_or(now);
        Listed { model: self.model.clone(), prices: self.prices.clone(), cost: self.cost.clone(), valid_from }
    }
}

/// Sets the prices of models.
pub fn set(draft: &mut Draft, all: &[NewPrices], now: Timestamp) -> Result<api::PriceChanges, Stop> {
    let list = lock(draft);
    let mut missing = list.is_err() | draft.count_prices().is_err();
    for new in all {
        missing |= draft.prices_of(&(new.model.clone(),)).is_err();
    }
    if missing {
        return Err(Stop::Missing);
    }
    let mut changed = 0;
    for new in all {
        // Times are kept in milliseconds.
        let valid_from = at(new.valid_from.unwrap_or(now).as_millisecond());
        let model = (new.model.clone(),);
        let versions = draft.prices_of(&model)?;
        let valid = versions.filter(|row| row.valid_from <= valid_from).last();
        let cost = new.cost.clone().or_else(|| valid.and_then(|row| row.cost.clone()));
        if valid.is_some_and(|row| row.prices == new.prices && row.cost == cost) {
            continue;
        }
        let (model, prices) = (new.model.clone(), new.prices.clone());
        draft.put(PriceRow { model, valid_from, prices, created_at: now, cost });
        changed += 1;
    }
    if draft.count_prices()? > i64::try_from(MAX_LISTED).unwrap_or(i64::MAX) {
        let limit = i64::try_from(MAX_LISTED).unwrap_or(i64::MAX);
        return Err(Refusal::TooMany { what: "prices", limit }.into());
    }
    if changed > 0 {
        note_change(draft, &list?, now);
    }
    let unchanged = u64::try_from(all.len()).unwrap_or(0).saturating_sub(changed);
    Ok(api::PriceChanges { changed, unchanged, removed: 0 })
}

/// Removes the prices of a model, all of them or those from a moment on.
pub fn remove(
    draft: &mut Draft,
    model: &str,
    from: Option<Timestamp>,
    now: Timestamp,
) -> Result<api::PriceChanges, Stop> {
    let list = lock(draft);
    let name = (model.to_owned(),);
    let versions = draft.prices_of(&name);
    let gone = versions.map(|rows| {
        let gone = rows.filter(|row| from.is_none_or(|from| row.valid_from >= from));
        gone.map(|row| (row.model.clone(), row.valid_from)).collect::<Vec<_>>()
    });
    let (list, gone) = (list?, gone?);
    if gone.is_empty() {
        return Err(Refusal::NotFound { what: "model with such prices", id: model.to_owned() }.into());
    }
    for key in &gone {
        draft.remove::<PriceRow>(key);
    }
    note_change(draft, &list, now);
    Ok(api::PriceChanges { changed: 0, unchanged: 0, removed: u64::try_from(gone.len()).unwrap_or(0) })
}

/// The list's own row, locked.
fn lock(draft: &mut Draft) -> Result<PriceListRow, Stop> {
    Ok(draft.get::<PriceListRow>(&(PriceListRow::ONE,))?.cloned().unwrap_or_default())
}

fn note_change(draft: &mut Draft, list: &PriceListRow, now: Timestamp) {
    let change = list.change.saturating_add(1);
    draft.put(PriceListRow { one: PriceListRow::ONE, change, changed_at: now });
}
