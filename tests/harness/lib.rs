//! One call starts the world of a story: a ledger, one or more Envoys with the filter, an upstream that
//! remembers what it served. Everything listens on free loopback ports, lives in a temporary folder, and
//! is gone when the [`World`] is dropped; when a story fails, the logs are printed.

#![recursion_limit = "256"]

mod authority;
mod clients;
mod gateway;
mod ledger_process;
mod load;
mod model_api;
mod ports;
mod postgres;
mod process;
#[path = "../simulation/random.rs"]
mod random;
mod registry;
mod scripted;
mod site;
mod steady;
#[cfg(target_os = "linux")]
pub mod storage;
mod tool_server;
mod traffic;
mod upstream;
mod world;

pub use authority::Authority;
pub use clients::Clients;
pub use gateway::{Gateway, Run, envoy_config, patient};
pub use ledger_process::{ADMIN_TOKEN, GATEWAY_TOKEN, LedgerProcess};
pub use load::Load;
pub use model_api::{End, ModelApi, ModelCall, STEER, Sent, model_calls};
pub use ports::free_port;
pub use postgres::{Certificate, PgBouncer, Postgres};
pub use process::{Process, binary, envoy, filter, out_of, project};
pub use random::Random;
pub use registry::{Registry, image_tool};
pub use scripted::{Answering, Received, Scripted};
pub use site::Site;
pub use steady::Steady;
pub use traffic::{Answer, Tally, eventually, flood, get, until_refused};
pub use upstream::{NUMBER, Upstream};
pub use world::{Setup, World, speaks_http2};
