//! Sign-in by OpenID Connect, at one provider: the authorization code flow with PKCE.
//!
//! [`Provider::begin`] gives the address that a browser is sent to, and what that browser must remember; [`Provider::finish`] makes an
//! identity of what it brings back. Who may do what with an identity is decided elsewhere.
//!
//! What must hold: an identity comes from the configured issuer alone, for this client, for the browser that began, and from a code
//! that was made for this address; what a provider answers is bounded in time and bytes, and no redirect of it is followed.

mod answer;
mod attempt;
mod calls;
mod error;
mod id_token;
mod identity;
mod keys;
mod metadata;
mod provider;
mod settings;

pub use answer::Answer;
pub use attempt::{Attempt, MAX_AGE};
pub use error::OidcError;
pub use id_token::CLOCK_SKEW;
pub use identity::{Identity, is_subject};
pub use provider::{KEPT, MAX_HINT_BYTES, Provider};
pub use settings::{InvalidSetting, OptionNames, Settings};
