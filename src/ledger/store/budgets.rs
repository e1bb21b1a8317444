//! Budgets as rows, and which ones go together. No SQL.

use super::{Refusal, StoreError, at};
use crate::api::{self, Anchor, Unit};
pub use crate::command::budgets::no_budget;
pub use crate::command::teams::no_target;
pub use crate::domain::budget_level::{Level, is_tighter};
use crate::domain::period::{self, Rhythm};
use crate::domain::{Budget, Scope};
use faregate_protocol::Credits;
use jiff::Timestamp;

/// The columns of [`StoredBudget`], in this order.
pub const COLUMNS: &str =
    "b.scope, b.target, b.credits, b.unit, b.every, b.zone, b.period_ms, b.until_ms, b.spent, b.held";

/// A budget as it is stored.
#[derive(Clone, Debug)]
pub struct StoredBudget {
    /// Of what it is.
    pub scope: String,
    /// Of which row.
    pub target: i64,
    /// Credits per period.
    pub credits: i64,
    /// What periods are counted in.
    pub unit: String,
    /// So many of these.
    pub every: i64,
    /// In which time zone.
    pub zone: String,
    /// When the period that is counted began.
    pub period_ms: i64,
    /// When it ends.
    pub until_ms: i64,
    /// Spent in it.
    pub spent: i64,
    /// In leases.
    pub held: i64,
}

impl StoredBudget {
    /// What it means.
    pub fn read(&self) -> Result<Budget, StoreError> {
        let unknown = |what: &str| StoreError::Backend(format!("a budget's {what} is not known here"));
        let unit = Unit::ALL.into_iter().find(|unit| unit.as_str() == self.unit);
        Ok(Budget {
            scope: Scope::stored(&self.scope, self.target),
            credits: Credits::from_micros(self.credits),
            rhythm: Rhythm {
                unit: unit.ok_or_else(|| unknown("period"))?,
                every: u16::try_from(self.every).map_err(|_| unknown("number of units"))?,
                anchor: Anchor::Calendar,
                zone: period::zone(&self.zone).ok_or_else(|| unknown("time zone"))?,
            },
            start: at(self.period_ms),
            until: at(self.until_ms),
            spent: Credits::from_micros(self.spent),
            held: Credits::from_micros(self.held),
        })
    }
}

/// Whether a budget goes with the others of its account.
pub fn goes_with(new: &Level, others: &[Level]) -> Result<(), Refusal> {
    Ok(crate::domain::budget_level::goes_with(new, others)?)
}

/// Which row a page of budgets begins behind: scope and target.
pub fn behind(after: Option<&str>) -> Result<(String, i64), Refusal> {
    let Some(text) = after else { return Ok((String::new(), 0)) };
    let position = text.split_once(':').and_then(|(scope, no)| Some((scope.to_owned(), no.parse().ok()?)));
    position.ok_or(Refusal::Field {
        field: "after",
        why: "is no position; pass what `next` of an answer said".into(),
    })
}

/// A page from one row too many.
pub fn page(account: &str, mut levels: Vec<Level>, page: &super::Page, now: Timestamp) -> api::Budgets {
    let position = |level: &Level| format!("{}:{}", level.budget.scope.as_str(), level.budget.scope.target());
    let next = page.cut(&mut levels).map(position);
    api::Budgets { budgets: levels.iter().map(|level| level.shown(account, now)).collect(), next }
}
