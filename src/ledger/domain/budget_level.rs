//! A budget among the others of its account, with the names that people know it by.

use super::period::Rhythm;
use super::terms::InvalidField;
use super::{Budget, Scope, TeamNo};
use crate::api::{self, BudgetScope};
use jiff::Timestamp;

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
    pub created_at: Timestamp,
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
            created_at: self.created_at,
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
pub fn goes_with(new: &Level, others: &[Level]) -> Result<(), InvalidField> {
    let credits = new.budget.credits;
    let refused = |why: String| Err(InvalidField::new("credits", why));
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
