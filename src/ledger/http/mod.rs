//! The listeners: one for gateways and one for operators, each with tokens of its own, and one for customers.
//!
//! What must hold: nothing is read without a limit, nothing answered before its commit, no token or
//! key is ever logged, and whatever a client sends, it gets an answer that says what is wrong.

mod admin;
mod admission;
mod app;
mod auth;
mod body;
mod certificates;
mod codes;
mod connection;
mod connections;
mod console;
mod denial;
mod fitting;
mod forwarded;
mod gateway;
mod handshake;
mod health;
mod link;
mod listener;
mod operators;
mod pages;
mod portal;
mod problem;
mod server;
mod shared;
mod single_sign_on;
#[cfg(test)]
mod tests;
mod tls;
mod watched;

pub use admin::router as admin_router;
pub use app::{App, CachedProbes};
pub use auth::Access;
pub use certificates::{Certificates, Seen};
pub use connection::Reason;
pub use connections::{Connections, MAX_CONNECTIONS};
pub use console::ServedAs;
pub use denial::Denial;
pub use forwarded::MAX_PROXIES;
pub use gateway::{readable, router as gateway_router};
pub use health::refresh as refresh_metrics;
pub use listener::{Listener, ReservedAddress};
pub use operators::router as operator_router;
pub use portal::{MAX_SETTINGS_BYTES, PortalServedAs, PortalSettings, router as portal_router};
pub use server::{MAX_ENDING, serve};
pub use single_sign_on::{PortalSignOn, SignOnConfig, SingleSignOn};
pub use tls::{TlsError, TlsFiles};
