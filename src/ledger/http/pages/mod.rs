//! What the console and the portal share: how things look on a page, forms, sessions, and what keeps strangers out.
//!
//! What must hold: nothing here knows who looks, or what the pages are about.

pub mod attempt_cookie;
pub mod attempts;
pub mod balance;
pub mod budget;
pub mod chart;
pub mod fields;
pub mod page;
pub mod plot;
pub mod same_site;
pub mod session_value;
pub mod show;

/// The style sheet of all pages.
pub const STYLE: &str = include_str!("pages.css");
