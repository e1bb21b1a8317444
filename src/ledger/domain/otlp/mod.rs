//! OTLP, the protocol of OpenTelemetry's collectors: where a collector is, what is sent to it, and what its answers mean.
//!
//! The messages are those of the published protobuf (crate opentelemetry-proto). What must hold: nothing of a request leaves but what
//! its call record has.

mod answer;
mod attributes;
mod endpoint;
mod headers;
mod logs;
mod metrics;
mod page;

pub use answer::{MAX_AFTER, Verdict, verdict, wait};
pub use attributes::resource;
pub use endpoint::Endpoint;
pub use headers::{MAX_HEADERS_BYTES, headers};
pub use logs::logs;
pub use metrics::metrics;
