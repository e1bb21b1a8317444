//! A whole gate on one machine: `faregate up`, to try it out, and `faregate demo`, a scenario played on it.
//!
//! - [`gate`] starts and ends the parts: the [`sample`] API, the [`ledger`] as a task of this process, and [`envoy`], which [`fit`] examines before.
//! - [`up`] keeps such a gate in the foreground; [`demo`] plays the scenario and checks every step.
//!
//! What must hold: nothing in production needs this crate. It is a client of the ledger's library and of its admin API.

mod access_log;
mod address;
mod demo;
mod envoy;
mod envoy_config;
pub mod fit;
mod gate;
mod home;
mod ledger;
mod sample;
mod up;
mod upstream;

pub use demo::{Demo, Faregate};
pub use up::Up;
