//! Which part of a list is wanted.

use crate::api::{AccountState, EventKind};
use faregate_protocol::Credits;
use jiff::Timestamp;

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// At most this many rows.
    pub limit: usize,
    /// The identifier of the last row that is known already.
    pub after: Option<String>,
}

impl Page {
    /// One row more than wanted, to see whether there are more.
    pub(super) fn rows(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Cuts the one row too many off; gives the last row when there are more behind it.
    pub(super) fn cut<'a, T>(&self, rows: &'a mut Vec<T>) -> Option<&'a T> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        rows.last().filter(|_| more)
    }
}

/// Which accounts are wanted: those of which all is true that is asked for.
#[derive(Clone, Debug, Default)]
pub struct AccountQuery {
    /// Which part.
    pub page: Page,
    /// A part of the name or of the identifier, in upper or lower case.
    pub name: Option<String>,
    /// The name of the plan.
    pub plan: Option<String>,
    /// The state.
    pub state: Option<AccountState>,
    /// Less than this is available.
    pub below: Option<Credits>,
    /// What was bought, or the subscription, ends before this time.
    pub expiring_before: Option<Timestamp>,
    /// The subscription renews before this time.
    pub renewing_before: Option<Timestamp>,
}

/// Which usage is wanted.
#[derive(Clone, Debug, Default)]
pub struct UsageQuery {
    /// From this minute on.
    pub since: Option<Timestamp>,
    /// Up to this time, rounded up to a minute.
    pub until: Option<Timestamp>,
    /// At most this many lines.
    pub limit: usize,
    /// The minute, key and rule of the last line that is known already (from an answer's `next`).
    pub after: Option<(i64, i64, String)>,
}

/// Which usage by model or tool is wanted.
#[derive(Clone, Debug, Default)]
pub struct ItemQuery {
    /// Only of this account.
    pub account: Option<String>,
    /// From this minute on.
    pub since: Option<Timestamp>,
    /// Up to this time, rounded up to a minute.
    pub until: Option<Timestamp>,
    /// At most this many lines.
    pub limit: usize,
}

/// By what usage is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsageGroup {
    /// By account.
    Account,
    /// By the team that the key now belongs to.
    Team,
    /// By key.
    Key,
    /// By rule.
    Rule,
    /// By the rule's product.
    Product,
    /// By model or tool, of metered rules.
    Item,
}

impl UsageGroup {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Account, Self::Team, Self::Key, Self::Rule, Self::Product, Self::Item];

    /// Its name in the admin API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Team => "team",
            Self::Key => "key",
            Self::Rule => "rule",
            Self::Product => "product",
            Self::Item => "item",
        }
    }
}

/// Which sums of usage are wanted.
#[derive(Clone, Debug)]
pub struct UsageSumsQuery {
    /// Only of this account.
    pub account: Option<String>,
    /// The periods; one of all time where `by_period` is false.
    pub periods: Vec<(Timestamp, Timestamp)>,
    /// Whether lines say in which period they are.
    pub by_period: bool,
    /// By what usage is summed up within a period.
    pub groups: Vec<UsageGroup>,
    /// At most this many lines.
    pub limit: usize,
    /// The number of the period that the page begins in, and how many of its lines are known already.
    pub after: Option<(usize, usize)>,
}

/// Which refusals in shadow are wanted.
#[derive(Clone, Debug, Default)]
pub struct ShadowQuery {
    /// Only of this account.
    pub account: Option<String>,
    /// From this minute on.
    pub since: Option<Timestamp>,
    /// At most this many lines.
    pub limit: usize,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Only about this account.
    pub account: Option<String>,
    /// Only of this kind.
    pub kind: Option<EventKind>,
    /// From this time on.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Which part of that.
    pub page: Page,
}

/// Which part of the trail is wanted.
#[derive(Clone, Debug)]
pub struct TrailQuery {
    /// Only about this account.
    pub account: Option<String>,
    /// Only by this operator.
    pub operator: Option<String>,
    /// From this time on.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Which part of that.
    pub page: Page,
}
