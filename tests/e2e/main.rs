//! Stories, one file each. Each starts its own world, looks at it only from outside, and leaves nothing.

mod backup;
mod bad_input;
mod configuration;
mod control;
mod crash;
mod docs;
mod exactly_n;
mod hang_up;
mod hostile;
mod identities;
mod image;
mod ledger_away;
mod manifests;
mod plain;
mod plans;
mod postgres;
mod quickstart;
mod refusals;
mod shutdown;
mod sidecar;
mod steady;
mod storage;
mod tls;
mod upgrade;
mod versions;
mod wall_clock;
