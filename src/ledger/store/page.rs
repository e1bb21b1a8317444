//! Which part of a list is wanted.

use jiff::Timestamp;

/// Which part of a list is wanted.
#[derive(Clone, Debug)]
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
