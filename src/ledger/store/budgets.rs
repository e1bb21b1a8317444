//! Budgets as rows, and which ones go together. No SQL.

use super::{Refusal, StoreError, at};
use crate::api::{self, Anchor, BudgetScope, Unit};
use crate::domain::period::{self, Rhythm};
use crate::domain::{Budget, Scope, TeamNo};
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

/// A budget with what people know it by.
#[derive(Clone, Debug)]
pub struct Level {
    /// The budget.
    pub budget: Budget,
    /// The team's or the key's identifier.
    pub target: Option<String>,
    /// The team of the key that it is about.
    pub team: Option<TeamNo>,
    /// When it was first set.
    pub created_ms: i64,
}

impl Level {
    /// What the admin API shows.
    pub fn shown(&self, account: &str, now: Timestamp) -> api::Budget {
        let mut budget = self.budget.clone();
        budget.roll(now);
        api::Budget {
            account: account.to_owned(),
            scope: match budget.scope {
                Scope::Account => BudgetScope::Account,
                Scope::Team(_) => BudgetScope::Team,
                Scope::Key(_) => BudgetScope::Key,
            },
            target: self.target.clone(),
            credits: budget.credits,
            period: budget.rhythm.unit,
            every: budget.rhythm.every,
            time_zone: budget.rhythm.zone_name().to_owned(),
            spent: budget.spent,
            held: budget.held,
            left: budget.left(),
            period_started_at: budget.start,
            resets_at: budget.until,
            created_at: at(self.created_ms),
        }
    }

    /// Whether the other is of a part of what this one is of.
    fn contains(&self, other: &Self) -> bool {
        match (self.budget.scope, other.budget.scope) {
            (Scope::Account, Scope::Team(_) | Scope::Key(_)) => true,
            (Scope::Team(team), Scope::Key(_)) => other.team == Some(team),
            _ => false,
        }
    }

    fn name(&self) -> String {
        let Rhythm { unit, every, .. } = &self.budget.rhythm;
        let credits = self.budget.credits;
        let whose = match &self.target {
            Some(target) => format!("the budget of {} {target:?}", self.budget.scope.as_str()),
            None => "the account's budget".to_owned(),
        };
        let per = if *every == 1 { unit.as_str().to_owned() } else { format!("{every} {}s", unit.as_str()) };
        format!("{whose} of {credits} per {per}")
    }
}

/// Whether a budget goes with the others of its account: no part may have more than the whole in a period
/// that isn't longer.
pub fn goes_with(new: &Level, others: &[Level]) -> Result<(), Refusal> {
    let credits = new.budget.credits;
    let refused = |why: String| Err(Refusal::Field { field: "credits", why });
    for other in others.iter().filter(|other| other.budget.scope != new.budget.scope) {
        if other.contains(new) && new.budget.exceeds(&other.budget) {
            let name = other.name();
            return refused(format!("{credits} is above {name}; choose at most that, or raise that first"));
        }
        if new.contains(other) && other.budget.exceeds(&new.budget) {
            let name = other.name();
            return refused(format!("{credits} is below {name}; choose at least that, or lower that first"));
        }
    }
    Ok(())
}

/// Whether a changed budget may let less through than before, so that leases must be recalled.
pub fn is_tighter(old: &Budget, new: &Budget) -> bool {
    new.credits < old.credits || new.rhythm != old.rhythm
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

/// Nothing is known by the name that a field gives.
pub fn no_target(account: &str, field: &'static str, what: &str, id: &str) -> Refusal {
    let how =
        if what == "team" { "`faregate team create` makes one" } else { "`faregate key list` shows them" };
    Refusal::Field { field, why: format!("the account {account:?} has no {what} {id:?}; {how}") }
}

/// There is no such budget.
pub fn no_budget(account: &str, target: Option<&str>) -> Refusal {
    let id = target.map_or_else(|| account.to_owned(), |target| format!("{account}/{target}"));
    Refusal::NotFound { what: "budget of", id }
}
