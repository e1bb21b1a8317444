//! Corrections of what was given, as the admin API takes and gives them.

use super::{Amount, Edit, maybe_decimal};
use faregate_protocol::Credits;
use faregate_protocol::credits::decimal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount of credits that may be below zero: a decimal with at most six digits behind the point, at most 10^12 credits either way.
#[derive(ToSchema)]
#[schema(pattern = "^-?[0-9]+(\\.[0-9]{1,6})?$", examples("12", "-0.5"))]
pub struct SignedAmount(pub String);

/// What happens to credits that are gone already: `keep` leaves them as they are, `owed` makes them a debt, which the next credits
/// pay first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpentCredits {
    /// They stay spent.
    #[default]
    Keep,
    /// They become owed.
    Owed,
}

/// What to take back of a grant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidGrant {
    /// How many credits; above zero. All that can be taken, when absent. What remains is taken first, then what is in leases, then
    /// what is spent.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Amount>)]
    pub amount: Option<Credits>,
    /// What happens to credits of the grant that are spent already, or will be from a lease.
    #[serde(default)]
    pub spent: SpentCredits,
    /// A note for people; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub note: Option<String>,
}

/// By how much to correct a balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAdjustment {
    /// Credits to give, or with a minus sign to take; not zero.
    #[serde(with = "signed_decimal")]
    #[schema(value_type = SignedAmount)]
    pub amount: Credits,
    /// What happens to credits that are to be taken and aren't there: `keep` refuses the request.
    #[serde(default)]
    pub missing: SpentCredits,
    /// A note for people; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub note: Option<String>,
}

/// What was corrected: `void` takes a grant back, `adjustment` puts a balance right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CorrectionKind {
    /// A grant was taken back, or a part of it.
    #[default]
    Void,
    /// A balance was put right.
    Adjustment,
}

impl CorrectionKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Void, Self::Adjustment];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Void => "void",
            Self::Adjustment => "adjustment",
        }
    }
}

/// A correction. Of credits that it took, `amount = -(taken + pending + owed)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Correction {
    /// Its identifier.
    pub id: String,
    /// The account's identifier.
    pub account: String,
    /// The grant that was taken back, or that an adjustment above zero has given; null for one below zero.
    pub grant: Option<String>,
    /// What was corrected.
    pub kind: CorrectionKind,
    /// How many credits; below zero where they were taken.
    #[serde(with = "signed_decimal")]
    #[schema(value_type = SignedAmount)]
    pub amount: Credits,
    /// Credits that were taken from the balance at once.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub taken: Credits,
    /// Credits that were in leases then: what gateways return of them is taken, what they spend is kept or becomes owed, as the request said.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub pending: Credits,
    /// Credits that were gone already and became owed.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub owed: Credits,
    /// A note for people.
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A page of corrections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Corrections {
    /// Oldest first.
    pub corrections: Vec<Correction>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// What changes in a grant. A field that is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantChange {
    /// When what remains of it expires; in the future. Null for never.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<Timestamp>)]
    pub expires_at: Edit<Timestamp>,
    /// Grants with a smaller priority are spent first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1000)]
    pub priority: Option<u16>,
    /// A note for people; at most 200 bytes. Null removes it.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub note: Edit<String>,
}

/// Another name for an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountName {
    /// The name for people; at most 200 bytes.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
}

/// An amount that may be below zero, as a decimal string.
mod signed_decimal {
    use super::super::signed_amount;
    use faregate_protocol::Credits;
    use serde::de::{Deserialize as _, Deserializer, Error};
    use serde::ser::Serializer;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub fn serialize<S: Serializer>(amount: &Credits, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(amount)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Credits, D::Error> {
        let text = String::deserialize(from)?;
        signed_amount(&text).map_err(|why| D::Error::custom(format!("{text:?} is {why}")))
    }
}

/// A grant's amount; one below zero is another request.
pub mod given {
    use faregate_protocol::Credits;
    use faregate_protocol::credits::decimal;
    use serde::de::{Deserialize as _, Deserializer, Error};
    use serde::ser::Serializer;

    /// Writes the decimal string.
    pub fn serialize<S: Serializer>(amount: &Credits, to: S) -> Result<S::Ok, S::Error> {
        decimal::serialize(amount, to)
    }

    /// Reads the decimal string.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Credits, D::Error> {
        let text = String::deserialize(from)?;
        let hint = if text.starts_with('-') {
            "; a grant can be taken back (`faregate grant void`), and a balance be corrected (`faregate adjust`)"
        } else {
            ""
        };
        Credits::parse(&text).map_err(|why| D::Error::custom(format!("{text:?} is {why}{hint}")))
    }
}
