//! By what a payer is known.

/// A credential that may belong to somebody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credential {
    /// A well-formed API key.
    Key(String),
    /// A subject that Envoy vouches for.
    Subject(String),
}
