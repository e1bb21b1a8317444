//! What a request asks for, how much it may cost at most, and how its body must be changed: pure functions over the path and the
//! whole body.
//!
//! - [`shape`]: which API a path belongs to.
//! - [`walk`]: strict JSON. [`places`], [`trail`]: the places in it that count.
//! - [`form`]: strict forms. [`reading`], [`content`]: what a body asks for; [`estimate`]: the quantities to hold for it; [`edit`]: changes of the body.
//! - [`strip`]: takes out of a stream the usage for which the client didn't ask.
//! - [`rpc`], [`mcp`], [`a2a`]: calls of tools and agents, which are priced per call.

pub mod a2a;
mod content;
pub mod edit;
pub mod estimate;
pub mod form;
pub mod mcp;
mod places;
pub mod reading;
pub mod rpc;
pub mod shape;
pub mod strip;
mod trail;
pub mod walk;

pub use reading::{Asked, IncludeUsage, read, read_form};
pub use shape::RequestShape;
pub use walk::BodyError;
