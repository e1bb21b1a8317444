//! Where a grant comes from, as operators see it.

use super::plan::OVERDRAFT_PRIORITY;
pub use crate::api::GrantKind;

impl GrantKind {
    /// By whether a subscription gave it, and its priority.
    pub const fn of(is_of_plan: bool, priority: u16) -> Self {
        match (is_of_plan, priority) {
            (false, _) => Self::Bought,
            (true, OVERDRAFT_PRIORITY) => Self::Overdraft,
            (true, _) => Self::Quota,
        }
    }
}
