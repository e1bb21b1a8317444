//! What the ledger does, each operation once, for every database and for the simulator: it says what it needs by asking
//! a draft for rows, and decides on that draft.
//!
//! What must hold: no SQL, no await, no clock. An operation that ends without a result leaves no trace.

pub mod news;
