//! Why requests aren't let in: the reasons that logs and metrics have.

/// Why a request isn't let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It shows no token, or several.
    Missing,
    /// There is no such token.
    Unknown,
    /// The token's time is over.
    Expired,
    /// The token was taken back.
    Revoked,
    /// The token's scope doesn't include what is asked.
    Scope,
    /// The gateway is tied to another token.
    Gateway,
}

impl Denial {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Missing, Self::Unknown, Self::Expired, Self::Revoked, Self::Scope, Self::Gateway];

    /// As it is written in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Scope => "scope",
            Self::Gateway => "gateway",
        }
    }
}
