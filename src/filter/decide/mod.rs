//! What the gate decides, and why: no proxy_wasm, no clock, no randomness.
//!
//! Rooms, in the order in which a request meets them:
//! - [`settings`]: what the operator configured, checked when Envoy loads it.
//! - [`calendar`]: the dates in it.
//! - [`request`], [`identity`] ([`subject`] where Envoy vouches for it), [`rules`]: what is asked for, who asks, what it costs; [`spelling`]: that paths and hosts can be
//!   written in several ways.
//! - [`terms`]: what its plan and its key leave open to the payer, and at what price.
//! - [`lease`]: how much, and how fast, a payer may still spend here; kept in [`shared`] memory of all workers.
//! - [`gate`]: ties these together for one worker; what it can't decide alone waits in [`waiting`].
//! - [`broker`] and [`answer`]: one exchange with the ledger for all who wait; [`beat`]: the gateway's regular report.
//! - [`fallback`]: a key behind a subject that the ledger doesn't know.
//! - [`hiding`]: keys taken out of what the API sees.
//! - [`ending`] and [`refunds`]: how a request ended, and which endings release its charge.
//! - [`settlement`] and [`usage`]: what happened to each charge, told to the lease and to the ledger; [`legacy`]: when a
//!   worker is gone first.
//! - [`json`] and [`table`]: what answers and configurations are read into, and the one map.
//! - [`preflight`]: what a browser asks before a page's request.
//! - [`standing`] and [`account_view`]: what callers are shown of their balance, quota and prices; [`price_list`] and
//!   [`conditional`]: so that it isn't written, or sent, twice.
//! - [`refusal`]: the one place that words a refusal; [`recent`] remembers refusals for a moment.
//! - [`spots`]: how those are found at once who come again.

pub mod account_view;
pub mod answer;
pub mod beat;
pub mod broker;
pub mod bytes;
pub mod calendar;
pub mod conditional;
pub mod ending;
pub mod fallback;
pub mod gate;
pub mod hiding;
pub mod identity;
pub mod json;
pub mod lease;
pub mod legacy;
pub mod moment;
pub mod preflight;
pub mod price_list;
pub mod recent;
pub mod refunds;
pub mod refusal;
pub mod request;
pub mod rules;
pub mod settings;
pub mod settlement;
pub mod shared;
pub mod slots;
pub mod spelling;
pub mod spots;
pub mod standing;
pub mod subject;
pub mod table;
pub mod terms;
pub mod usage;
pub mod waiting;
