//! What the gate and the ledger say to each other, and the three notions that both need to say it:
//! [`Credits`] (money), the shape of an [`api_key`], and the [`exchange`].
//!
//! Nothing here reads a clock, draws a random number or does I/O, and serde is the only dependency:
//! the same types go into the wasm filter, the ledger and the simulator.

pub mod api_key;
pub mod calls;
pub mod credits;
pub mod exchange;
pub mod metering;
pub mod prices;
pub mod refusal;
pub mod token;

pub use credits::Credits;
pub use refusal::RefusalCode;

#[cfg(test)]
mod tests;
