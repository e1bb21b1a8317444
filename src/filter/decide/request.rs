//! What a request is: who asks, for what, what it costs, and how it ended.
//!
//! - [`identity`] ([`subject`] where Envoy vouches for it) and [`rules`]: who asks, and what it costs; [`hiding`]: keys taken
//!   out of what the API sees.
//! - [`recent`]: refusals remembered for a moment.
//! - [`held`]: a request whose body decides its price; [`quote`]: what it costs; [`answer_reader`]: what its answer says that it used.
//! - [`ending`]: how a request ended, and whether that releases its charge.
//! - [`view`]: a caller's status and the price list; [`price_list`] and [`conditional`]: so that it isn't rendered, or
//!   sent, twice.

pub mod answer_reader;
pub mod conditional;
pub mod ending;
pub mod held;
pub mod hiding;
pub mod identity;
pub mod price_list;
pub mod quote;
pub mod recent;
pub mod rules;
pub mod subject;
pub mod view;
