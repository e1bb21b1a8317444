//! What a metered request asks for, and what its answer used.

pub mod asked;
