//! Teams and budgets, as the admin API takes and gives them.

use super::Unit;
use faregate_protocol::{Credits, credits::decimal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `POST /admin/v1/accounts/{id}/teams`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTeam {
    /// `[a-z0-9][a-z0-9_.-]{0,63}`; the account's other teams have others.
    pub id: String,
    /// What people call it; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A team of an account: some of its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its identifier.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// What people call it.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// `GET /admin/v1/accounts/{id}/teams`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Teams {
    /// In the order of their identifiers.
    pub teams: Vec<Team>,
    /// What to pass as `after` for the rest; absent at the end.
    pub next: Option<String>,
}

/// Of what a budget is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// The whole account.
    Account,
    /// One of its teams.
    Team,
    /// One of its keys.
    Key,
}

/// `POST /admin/v1/accounts/{id}/budgets`: sets a budget, or changes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBudget {
    /// Of what.
    pub scope: BudgetScope,
    /// The team's or the key's identifier; none for the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How much per period; above zero.
    #[serde(with = "decimal")]
    pub credits: Credits,
    /// What a period is; it goes by the calendar.
    pub period: Unit,
    /// So many of these, 1 to [`super::MAX_EVERY`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u16>,
    /// An IANA time zone; `UTC` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// `POST /admin/v1/accounts/{id}/budgets/clear`: takes a budget away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearBudget {
    /// Of what.
    pub scope: BudgetScope,
    /// The team's or the key's identifier; none for the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A budget, and what is used of it in the running period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Whose account it belongs to.
    pub account: String,
    /// Of what it is.
    pub scope: BudgetScope,
    /// The team's or the key's identifier.
    pub target: Option<String>,
    /// How much per period.
    #[serde(with = "decimal")]
    pub credits: Credits,
    /// What a period is.
    pub period: Unit,
    /// So many of these.
    pub every: u16,
    /// In which time zone.
    pub time_zone: String,
    /// Spent in the running period, as far as gateways have reported.
    #[serde(with = "decimal")]
    pub spent: Credits,
    /// In leases now.
    #[serde(with = "decimal")]
    pub held: Credits,
    /// What may still be put into leases in this period.
    #[serde(with = "decimal")]
    pub left: Credits,
    /// When the running period began.
    pub period_started_at: Timestamp,
    /// When the next begins.
    pub resets_at: Timestamp,
    /// When the budget was first set.
    pub created_at: Timestamp,
}

/// `GET /admin/v1/accounts/{id}/budgets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budgets {
    /// The account's, then those of its keys, then those of its teams, oldest first.
    pub budgets: Vec<Budget>,
    /// What to pass as `after` for the rest; absent at the end.
    pub next: Option<String>,
}
