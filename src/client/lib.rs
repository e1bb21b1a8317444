//! What every program that speaks with a ledger's operators' side needs: the client of the admin API, and how a command fails and
//! prints.
//!
//! - [`admin`]: the client; [`authorities`]: whose certificates it trusts; [`tokens`]: where its token comes from.
//! - [`Failure`]: a stable code, a sentence, what to do next. [`Screen`]: JSON for programs, text for people; [`table`]: lists for people.
//! - [`terminal`]: the one way by which text reaches people; [`zone`]: in which zone times are shown.
//! - [`private`]: files with secrets, and who else may read them; [`passwords`]: keeps them out of what is printed.
//! - [`process`]: runtime, signals and log of a program that serves.
//!
//! It knows nothing of how a ledger works.

pub mod admin;
mod authorities;
mod failure;
pub mod passwords;
pub mod private;
pub mod process;
pub mod screen;
pub mod table;
pub mod terminal;
pub mod tokens;
pub mod zone;

pub use failure::{DRIFT, Failure};
pub use screen::Screen;
pub use zone::Zone;
