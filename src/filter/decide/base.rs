//! Building blocks for the rest. No decisions here.
//!
//! - [`text`], [`bytes`], [`json`], [`protobuf`]: parsing and writing.
//! - [`head`] and [`spelling`]: the headers of a request, and the canonical form of paths and hosts.
//! - [`table`], [`slots`], [`spots`]: maps by name, by number, and by the bytes of a credential.
//! - [`moment`] and [`calendar`]: monotonic time, and dates.

pub mod bytes;
pub mod calendar;
pub mod head;
pub mod json;
pub mod moment;
pub mod protobuf;
pub mod slots;
pub mod spelling;
pub mod spots;
pub mod table;
pub mod text;
