//! A balance as a bar, with its parts.

use super::plot::Bar;
use super::show::Html;
use crate::api::Balance;

/// A balance as a page shows it.
#[derive(Debug)]
pub struct Shares {
    /// The parts beside each other.
    pub bar: Bar,
    /// Each part: its color, its name, and how much.
    pub parts: Vec<(usize, &'static str, Html)>,
    /// What may be spent.
    pub available: Html,
    /// What isn't there any more, or was never.
    pub rest: Vec<(&'static str, Html)>,
}

impl Shares {
    /// Those of a balance; `held` is what people call the credits that are in leases.
    pub fn of(balance: &Balance, held: &'static str) -> Self {
        let all = [
            ("quota", balance.quota),
            ("bought", balance.bought),
            ("overdraft", balance.overdraft),
            (held, balance.held),
        ];
        let amounts: Vec<u64> = all.iter().map(|(_, amount)| amount.micros().max(0).unsigned_abs()).collect();
        let label =
            all.iter().map(|(name, amount)| format!("{name} {amount}")).collect::<Vec<_>>().join(", ");
        let whole = amounts.iter().fold(0, |sum: u64, amount| sum.saturating_add(*amount));
        let parts = all.iter().enumerate().map(|(nth, (name, amount))| (nth, *name, Html::number(amount)));
        let rest = [
            ("Spent", balance.spent),
            ("Owed", balance.owed),
            ("Expired", balance.expired),
            ("Voided", balance.voided),
            ("Granted in all", balance.granted),
        ];
        Self {
            bar: Bar::new(format!("Balance: {label}"), &amounts, whole),
            parts: parts.collect(),
            available: Html::number(balance.available),
            rest: rest.into_iter().map(|(name, amount)| (name, Html::number(amount))).collect(),
        }
    }
}
