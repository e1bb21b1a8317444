//! What operators do to the ledger: see [`crate::command::admin`].

pub use crate::command::admin::{Answer, Command, Done, IdempotencyRecord as Memo};
pub use crate::command::budgets::{NewBudget, Whose};
pub use crate::command::keys::{Credential, NewKey};
pub use crate::command::times::future;
