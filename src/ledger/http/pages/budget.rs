//! A budget as a line of a page, with a bar of what is used.

use super::plot::Bar;
use super::show::{Html, Zone, grouped};
use crate::api::{Budget, BudgetScope};
use faregate_protocol::Credits;

/// A budget as a page shows it.
pub struct BudgetLine {
    /// Of whom it is.
    pub whose: Html,
    /// How much is used.
    pub spent: Html,
    /// Of how much.
    pub of: Html,
    /// The same as a bar.
    pub bar: Bar,
    /// When its next period begins.
    pub resets: Html,
}

impl BudgetLine {
    /// That of a budget.
    pub fn of(budget: &Budget, zone: &Zone) -> Self {
        let target = budget.target.clone().unwrap_or_default();
        let whose = match budget.scope {
            BudgetScope::Account => "the whole account".to_owned(),
            BudgetScope::Team => format!("team {target}"),
            BudgetScope::Key => format!("key {target}"),
        };
        let (every, unit) = (budget.every, budget.period.as_str());
        let period = if every == 1 { format!("per {unit}") } else { format!("per {every} {unit}s") };
        let used = budget.spent.saturating_add(budget.held);
        let micros = |credits: Credits| credits.micros().max(0).unsigned_abs();
        Self {
            bar: Bar::used(&format!("Budget of {whose}"), micros(used), micros(budget.credits)),
            whose: Html::text(whose),
            spent: Html::number(used),
            of: Html::text(format!("{} {period}", grouped(budget.credits))),
            resets: zone.when(budget.resets_at),
        }
    }
}
