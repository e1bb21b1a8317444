//! Teams and budgets, as the admin API takes and gives them.

use super::{Amount, Unit};
use faregate_protocol::{Credits, credits::decimal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The team to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTeam {
    /// Its identifier, unique in the account.
    #[schema(pattern = "^[a-z0-9][a-z0-9_.-]{0,63}$", examples("research"))]
    pub id: String,
    /// A name for people; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub name: Option<String>,
}

/// A team of an account: some of its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Team {
    /// Its identifier.
    pub id: String,
    /// The account's identifier.
    pub account: String,
    /// A name for people.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A page of teams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Teams {
    /// In the order of their identifiers.
    pub teams: Vec<Team>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// What a budget limits: the whole `account`, one `team` or one `key` of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// The whole account.
    Account,
    /// One of its teams.
    Team,
    /// One of its keys.
    Key,
}

/// The budget to set or to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBudget {
    /// What it limits.
    pub scope: BudgetScope,
    /// The identifier of the team or the key; absent for the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Credits per period; above zero.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub credits: Credits,
    /// The unit of a period. Periods begin by the calendar: at full hours, midnights, on Mondays, on the first of a month or a year.
    pub period: Unit,
    /// How many units a period has; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub every: Option<u16>,
    /// The IANA time zone of the calendar; `UTC` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// The budget to clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearBudget {
    /// What it limits.
    pub scope: BudgetScope,
    /// The identifier of the team or the key; absent for the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A budget, and what is used of it in the running period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Budget {
    /// The account's identifier.
    pub account: String,
    /// What it limits.
    pub scope: BudgetScope,
    /// The identifier of the team or the key; null for the account.
    pub target: Option<String>,
    /// Credits per period.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub credits: Credits,
    /// The unit of a period.
    pub period: Unit,
    /// How many units a period has.
    pub every: u16,
    /// The IANA time zone of the calendar.
    pub time_zone: String,
    /// Credits spent in the current period, as far as gateways have reported.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub spent: Credits,
    /// Credits in leases now.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub held: Credits,
    /// Credits that may still be put into leases in this period.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub left: Credits,
    /// When the current period began.
    pub period_started_at: Timestamp,
    /// When the next period begins.
    pub resets_at: Timestamp,
    /// When the budget was first set.
    pub created_at: Timestamp,
}

/// A page of budgets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Budgets {
    /// The account's, then those of its keys, then those of its teams, oldest first.
    pub budgets: Vec<Budget>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}
