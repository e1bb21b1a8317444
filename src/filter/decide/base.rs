//! Building blocks for the rest. No decisions here.
//!
//! - [`text`], [`bytes`], [`json`], [`protobuf`]: parsing and writing.
//! - [`head`] and [`spelling`]: the headers of a request, and the canonical form of paths and hosts.
//! - [`sorted_map`], [`context_map`], [`credential_index`]: maps by name, by number, and by the bytes of a credential.
//! - [`moment`] and [`calendar`]: monotonic time, and dates.

pub mod bytes;
pub mod calendar;
pub mod context_map;
pub mod credential_index;
pub mod head;
pub mod json;
pub mod moment;
pub mod protobuf;
pub mod sorted_map;
pub mod spelling;
pub mod text;
