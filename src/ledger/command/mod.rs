//! What the ledger does, each operation once, for every database and for the simulator: it says what it needs by asking
//! a draft for rows, and decides on that draft.
//!
//! What must hold: no SQL, no await, no clock. An operation that ends without a result leaves no trace.

pub mod accounts;
pub mod admin;
pub mod alerts;
pub mod budgets;
pub mod chores;
pub mod corrections;
pub mod events;
pub mod exchange;
pub mod expiry;
pub mod faults;
pub mod funds;
pub mod grants;
pub mod keys;
pub mod mail;
pub mod news;
pub mod plans;
pub mod portal;
pub mod prices;
pub mod recall;
pub mod reclaim;
pub mod refusals;
pub mod renew;
pub mod roll_up;
pub mod rotation;
pub mod sessions;
pub mod soon;
pub mod steps;
pub mod subscriptions;
pub mod teams;
#[cfg(test)]
mod tests;
pub mod times;
pub mod tokens;
pub mod trail;
pub mod usage;
pub mod webhooks;
pub mod why;
