//! Who may ask the ledger: operators, each with a scope, and fleets of gateways, by tokens of which only the hash is kept.
//!
//! What must hold: a name is plain text that any log, terminal or header can carry.

pub use crate::api::{AccessScope, KeyState};

use super::AccountId;
use super::key::{FreshKey, hash};
use super::portal::CUSTOMER;
use jiff::Timestamp;

/// What the trail calls who used the token of the environment. No operator may have this name.
pub const ROOT: &str = "root";
/// The most tokens of one name that are valid at a time.
pub const MAX_TOKENS_PER_NAME: usize = 10;
/// The most tokens of all names, those that are no longer valid included.
pub const MAX_TOKENS: i64 = 1_000;
/// How many characters of a token may be shown behind its beginning.
const VISIBLE: usize = 4;

/// Who shows a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// An operator, to the admin API.
    #[default]
    Operator,
    /// A fleet of gateways, to the gateway API.
    Gateway,
}

impl TokenKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Operator, Self::Gateway];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Gateway => "gateway",
        }
    }

    /// Who has such a token, as errors say it.
    pub const fn holder(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Gateway => "gateway token",
        }
    }

    /// How such a token begins, so that secret scanners recognize it.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "fg_operator_",
            Self::Gateway => "fg_gateway_",
        }
    }
}

/// Why a string is no name of an operator or a gateway token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTokenName {
    /// It has another form.
    #[error("{0:?} is no name; use 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter or digit")]
    Form(String),
    /// It is the root's.
    #[error("{ROOT:?} is the token of the environment; choose another name")]
    Root,
    /// It is that of customers.
    #[error("{CUSTOMER:?} is what the trail calls customers in the portal; choose another name")]
    Customer,
}

/// The name of an operator or a gateway token; of the same form as an account's identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenName(String);

impl TokenName {
    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, InvalidTokenName> {
        if text == ROOT {
            return Err(InvalidTokenName::Root);
        }
        if text == CUSTOMER {
            return Err(InvalidTokenName::Customer);
        }
        match AccountId::parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(InvalidTokenName::Form(text.chars().take(80).collect())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What identifies an operator instead of a token: somebody's identifier at a provider of OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcSubject {
    /// Who names it.
    pub issuer: String,
    /// The identifier.
    pub subject: String,
}

/// A fresh token, which is shown once and not kept.
#[derive(Clone)]
pub struct FreshToken {
    /// The whole token.
    pub secret: String,
    /// What is kept of it.
    pub hash: [u8; 32],
    /// What may be shown of it.
    pub prefix: String,
}

impl FreshToken {
    /// Takes its randomness from a fresh key.
    pub fn of(kind: TokenKind, key: &FreshKey) -> Option<Self> {
        let random = key.secret.strip_prefix(faregate_protocol::api_key::PREFIX)?;
        let secret = [kind.prefix(), random].concat();
        // The cell is no secret, so it doesn't count.
        let visible = kind.prefix().len() + faregate_protocol::api_key::CELL.len() + VISIBLE;
        let prefix = secret.get(..visible)?.to_owned();
        Some(Self { hash: hash(&secret), prefix, secret })
    }
}

/// Whether a token is accepted.
pub fn state(revoked_at: Option<Timestamp>, expires_at: Option<Timestamp>, now: Timestamp) -> KeyState {
    if revoked_at.is_some() {
        KeyState::Revoked
    } else if expires_at.is_some_and(|at| at <= now) {
        KeyState::Expired
    } else {
        KeyState::Active
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_text_and_never_the_roots() {
        for good in ["alice", "ops-1", "eu.west_1", "0"] {
            assert_eq!(TokenName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "root", "customer", "Alice", "a b", "a\u{1b}[2J", "a\u{202e}b", "-a", &"x".repeat(65)]
        {
            let said = TokenName::parse(bad).unwrap_err().to_string();
            assert!(said.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{said}");
        }
    }

    #[test]
    fn a_token_shows_its_kind_and_little_of_its_secret() {
        let key = FreshKey::compose(&[9; 32]).unwrap();
        for kind in TokenKind::ALL {
            let token = FreshToken::of(kind, &key).unwrap();
            assert!(token.secret.starts_with(&token.prefix) && token.prefix.starts_with(kind.prefix()));
            assert_eq!(
                token.secret.len() - token.prefix.len(),
                28 + 6,
                "28 characters of secret, and the checksum"
            );
            assert_eq!(token.hash, hash(&token.secret));
        }
    }

    #[test]
    fn a_wider_scope_includes_the_narrower_ones() {
        use AccessScope::{Admin, Billing, Read, Support};
        assert!(Read < Support && Support < Billing && Billing < Admin);
    }
}
