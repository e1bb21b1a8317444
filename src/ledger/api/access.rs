//! Operators, tokens of gateways, and the trail, as the admin API takes and gives them.

use super::KeyState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What an operator may do: `read` everything but tokens; `support` also keys, teams, budgets, and whether an account may spend;
/// `billing` also accounts, grants and subscriptions; `admin` everything. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessScope {
    /// Look at everything but tokens.
    Read,
    /// And help customers: keys, teams, budgets, suspending and resuming.
    Support,
    /// And what they pay for: accounts, grants, subscriptions.
    Billing,
    /// Everything: also plans, prices and tokens.
    Admin,
}

impl AccessScope {
    /// All of them, the narrowest first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Support, Self::Billing, Self::Admin];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Support => "support",
            Self::Billing => "billing",
            Self::Admin => "admin",
        }
    }
}

/// The operator to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOperator {
    /// Its name. `root` is taken: it is the token of the ledger's environment.
    #[schema(pattern = "^[a-z0-9][a-z0-9_.-]{0,63}$", examples("alice"))]
    pub name: String,
    /// What it may do.
    pub scope: AccessScope,
    /// The subject at the ledger's OpenID provider that identifies the operator, instead of a token: it signs in to the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255, examples("00u1a2b3c4"))]
    pub oidc_subject: Option<String>,
    /// When its token expires; in the future. Never, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The further token to make for an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOperatorToken {
    /// A subject at the ledger's OpenID provider that identifies the operator, too; no token is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255, examples("00u1a2b3c4"))]
    pub oidc_subject: Option<String>,
    /// When it expires; in the future. Never, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The gateway token to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGatewayToken {
    /// The name of the fleet of Envoys that will send it. A name that has tokens gets one more, to rotate them.
    #[schema(pattern = "^[a-z0-9][a-z0-9_.-]{0,63}$", examples("eu-west"))]
    pub name: String,
    /// When it expires; in the future. Never, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Which tokens to revoke.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeTokens {
    /// Only the token of this identifier. All tokens of the name, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Whose sessions were ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedOut {
    /// The operator.
    pub operator: String,
    /// How many sessions in the console.
    pub sessions: u64,
}

/// A token of an operator or of a fleet of gateways, or the subject that identifies an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its identifier, which is not secret.
    pub id: String,
    /// The name of the operator, or of the fleet of gateways.
    pub name: String,
    /// What the operator may do; null for a token of gateways.
    pub scope: Option<AccessScope>,
    /// The secret token itself: only in the first answer to the request that makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The first characters of the token; empty for a subject.
    pub prefix: String,
    /// The OpenID provider that names the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc_issuer: Option<String>,
    /// The subject that identifies the operator, instead of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc_subject: Option<String>,
    /// Whether it is accepted.
    pub state: KeyState,
    /// When it expires; null for never.
    pub expires_at: Option<Timestamp>,
    /// The minute in which it was last used, as far as that was written down, which takes a minute; null for never.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Some tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Oldest first.
    pub tokens: Vec<Token>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// One write of the admin API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrailEntry {
    /// Its number. A later write usually has a larger one.
    pub id: u64,
    /// When it was done.
    pub at: Timestamp,
    /// By which operator; `root` for the token of the ledger's environment.
    pub operator: String,
    /// The identifier of the token that was shown, or of the subject that identifies the operator; `oidc:` and the subject where a claim
    /// let in; null for the token of the environment.
    pub token: Option<String>,
    /// The address that it came from.
    pub from: String,
    /// What was done: the `operationId` of the request.
    pub command: String,
    /// The identifier of the account that it was about; null where it was about none.
    pub account: Option<String>,
    /// The idempotency key of the request.
    pub idempotency_key: String,
    /// What was there before of what it changed, by kind of object; null where there was nothing.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub before: Option<Value>,
    /// What was answered, without secrets.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub after: Value,
}

/// A page of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trail {
    /// Newest first.
    pub entries: Vec<TrailEntry>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}
