//! Names. People and gateways use the identifiers (strings); rows refer to each other by numbers,
//! which are short and never leave the ledger.
//!
//! An identifier that is generated has a cell behind its prefix, as keys do ([`CELL`]). One that was stored before is
//! without, and stays as it is: nothing reads the cell.

use faregate_protocol::api_key::CELL;
use std::fmt;

/// Why a string is no account identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is no account identifier; use 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter or digit"
)]
pub struct InvalidAccountId {
    found: String,
}

/// An account's identifier: `[a-z0-9][a-z0-9_.-]{0,63}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

impl AccountId {
    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, InvalidAccountId> {
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let well_formed = text.len() <= 64
            && text.bytes().next().is_some_and(letter)
            && text.bytes().all(|b| letter(b) || matches!(b, b'_' | b'.' | b'-'));
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAccountId { found: text.chars().take(80).collect() })
        }
    }

    /// One made from a unique number.
    pub fn generated(unique: uuid::Uuid) -> Self {
        Self(format!("acct_{CELL}{}", unique.simple()))
    }

    /// What was stored after one of the above.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a string is no team's identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no team's identifier; use 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter or digit"
)]
pub struct InvalidTeamId(String);

/// A team's identifier, of the same form as an account's; unique within its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamId(String);

impl TeamId {
    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, InvalidTeamId> {
        match AccountId::parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(InvalidTeamId(text.chars().take(80).collect())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! generated_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// One made from a unique number.
            pub fn generated(unique: uuid::Uuid) -> Self {
                Self(format!(concat!($prefix, "_{}{}"), CELL, unique.simple()))
            }

            /// An identifier from the database or from a request.
            pub fn stored(text: String) -> Self {
                Self(text)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

generated_id!(
    /// A key's identifier, which is no secret.
    KeyId,
    "key"
);
generated_id!(
    /// A grant's identifier.
    GrantId,
    "grant"
);
generated_id!(
    /// The identifier of a token of an operator or a fleet of gateways, which is no secret.
    TokenId,
    "token"
);

macro_rules! row_number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);
    };
}

generated_id!(
    /// A correction's identifier.
    CorrectionId,
    "correction"
);
generated_id!(
    /// The identifier of an address that gets events by mail.
    MailId,
    "mail"
);
generated_id!(
    /// An event's identifier.
    EventId,
    "event"
);
generated_id!(
    /// The identifier of a link to the portal, which is no secret.
    PortalLinkId,
    "link"
);
generated_id!(
    /// The identifier of a customer's session in the portal, which is no secret.
    PortalSessionId,
    "session"
);
generated_id!(
    /// The identifier of an endpoint to which events are delivered.
    WebhookId,
    "webhook"
);

row_number!(
    /// An account's row.
    AccountNo
);
row_number!(
    /// A plan's row.
    PlanNo
);
row_number!(
    /// A key's row; zero means none.
    KeyNo
);
row_number!(
    /// A team's row.
    TeamNo
);
row_number!(
    /// A grant's row; zero means none. A later grant has a larger number.
    GrantNo
);
row_number!(
    /// A gateway's row; zero means none.
    GatewayNo
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_identifier_contains_the_cell() {
        let unique = uuid::Uuid::from_bytes([0xab; 16]);
        let rest = format!("00{}", "ab".repeat(16));
        assert_eq!(KeyId::generated(unique).as_str(), format!("key_{rest}"));
        assert_eq!(GrantId::generated(unique).as_str(), format!("grant_{rest}"));
        let account = AccountId::generated(unique);
        assert_eq!(account.as_str(), format!("acct_{rest}"));
        assert_eq!(AccountId::parse(account.as_str()), Ok(account));
    }

    #[test]
    fn an_account_identifier_is_short_and_plain() {
        for good in ["a", "demo", "0", "acme.eu-west_1", &"x".repeat(64)] {
            assert_eq!(AccountId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".a", "_a", "Demo", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert!(AccountId::parse(bad).is_err(), "{bad}");
        }
    }
}
