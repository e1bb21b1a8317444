//! The causes for which a caller is refused: all that is said of each, in one table.
//!
//! Names, statuses, statistics, `faregate explain` and `docs/refusals.md` come from it; so a new cause is an entry here, the remedies in the
//! filter's `messages.rs`, and the code that detects it. It knows no request: what a refusal says depends on that as well.

use serde::{Deserialize, Serialize, Serializer};

const ALWAYS: &str = "";
const COVERED: &str = "where the next period covers the price";
const LEFT: &str = "where something is left";
const BOUGHT: &str = "where the plan lets bought credits pay";
const VERIFIED: &str = "instead, where the caller is known by a certificate or a token";

/// Makes the enum, and what each of its variants is. Behind each name stand its name on the wire, its HTTP status, and what a person reads
/// first. Then:
///
/// - `detail`: what a person reads next, where nothing narrower is known. Or, where credits are short, `short`: the second half of "This
///   request costs 2 credits; 1 is left …".
/// - `meaning`: what is the matter.
/// - `remedies`: the actions that its refusals may name, in their order, each with when they do.
/// - `check`: what an operator looks at, in Markdown.
macro_rules! refusals {
    ($($code:ident $name:literal $status:literal $title:literal {
        $kind:ident: $detail:literal,
        meaning: $meaning:literal,
        remedies: [$($action:literal $when:expr),*],
        check: $check:literal,
    })*) => {
        /// Why a caller is refused. The name is the `code` member of the refusal's body; refusals are counted by their number here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        pub enum RefusalCode {
            $(#[doc = $meaning] #[serde(rename = $name)] $code,)*
        }

        #[allow(clippy::match_same_arms, reason = "causes may have a status, a title or a remedy in common")]
        impl RefusalCode {
            /// Every code, in the order in which they are documented.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$code),*];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// The HTTP status of its refusals, unless a rule says otherwise.
            pub const fn status(self) -> u16 {
                match self { $(Self::$code => $status,)* }
            }

            /// What a person reads first.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)* }
            }

            /// What a person reads next, where nothing narrower is known. Where credits are short, it is the second half of "This
            /// request costs 2 credits; 1 is left …".
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$code => $detail,)* }
            }

            /// Whether credits are short: a cheaper request might pass, and more credits could cure it.
            pub const fn is_short(self) -> bool {
                match self { $(Self::$code => refusals!(@$kind),)* }
            }

            /// What is the matter.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$code => $meaning,)* }
            }

            /// The actions that its refusals may name, in their order, each with when they do; always, where that is empty.
            pub const fn remedies(self) -> &'static [(&'static str, &'static str)] {
                match self { $(Self::$code => &[$(($action, $when)),*],)* }
            }

            /// What an operator looks at, in Markdown.
            pub const fn check(self) -> &'static str {
                match self { $(Self::$code => $check,)* }
            }
        }
    };
    (@short) => { true };
    (@detail) => { false };
}

refusals! {
    MissingKey "missing_key" 401 "API key missing" {
        detail: "This request needs an API key and carries none.",
        meaning: "none of the places in `identities` holds anything",
        remedies: ["send_key" ALWAYS, "contact_operator" "instead, where callers are known by a certificate or a token"],
        check: "does the caller use one of these places?",
    }
    InvalidKey "invalid_key" 401 "API key not valid" {
        detail: "This API key is unknown or was revoked. Use another key, or ask for a new one.",
        meaning: "no key of ours, a key sent twice, or one that is unknown or revoked",
        remedies: ["send_key" ALWAYS, "contact_operator" VERIFIED],
        check: "`faregate key list ACCOUNT`",
    }
    KeyExpired "key_expired" 401 "API key expired" {
        detail: "This API key has expired. Use another key, or ask for a new one.",
        meaning: "the key's time is over",
        remedies: ["send_key" ALWAYS, "contact_operator" VERIFIED],
        check: "`faregate key list ACCOUNT`; an expiry can't be moved: make a new key, next time earlier, with `faregate key rotate KEY`",
    }
    InsufficientFunds "insufficient_funds" 402 "Not enough credits" {
        short: "",
        meaning: "the price is above what the account can spend",
        remedies: ["top_up" ALWAYS, "reduce_cost" LEFT],
        check: "`faregate balance ACCOUNT`: is much of it `held` by other gateways? `faregate leases`",
    }
    QuotaExhausted "quota_exhausted" 402 "Quota used up" {
        short: " of the plan's quota for this period",
        meaning: "the plan's quota for this period is used up, and nothing else pays",
        remedies: ["wait" "where the next quota covers the price", "top_up" BOUGHT, "upgrade_plan" ALWAYS, "reduce_cost" LEFT],
        check: "`faregate subscription show ACCOUNT`, `faregate plan show PLAN`",
    }
    SubscriptionExpired "subscription_expired" 402 "Subscription over" {
        short: ", and the subscription is over",
        meaning: "the subscription was cancelled or its trial is over, and nothing else pays",
        remedies: ["top_up" BOUGHT, "upgrade_plan" ALWAYS, "reduce_cost" LEFT],
        check: "`faregate subscription show ACCOUNT`",
    }
    PaymentPastDue "payment_past_due" 402 "Payment past due" {
        detail: "A payment for this account's plan is overdue. Once it is paid, requests pass again.",
        meaning: "a payment is missing and the grace is over; nothing may be spent, whatever else there is",
        remedies: ["pay_invoice" ALWAYS],
        check: "`faregate subscription activate ACCOUNT` once it is paid",
    }
    PlanExcludesRoute "plan_excludes_route" 402 "Not in this plan" {
        detail: "This account's plan doesn't include this route.",
        meaning: "the rule has a `product` that the plan doesn't include",
        remedies: ["upgrade_plan" ALWAYS],
        check: "the rule's `product`, `faregate plan show PLAN`",
    }
    KeyExcludesRoute "key_excludes_route" 403 "Not for this API key" {
        detail: "This API key is limited to other products. Use another key of the account.",
        meaning: "the key is limited to other products",
        remedies: ["send_key" ALWAYS],
        check: "`faregate key list ACCOUNT`",
    }
    RouteRetired "route_retired" 410 "No longer offered" {
        detail: "Nothing is offered here any more, with any API key or plan. Nothing was charged.",
        meaning: "the rule is `retired`: nothing is sold here any more, to any caller; no key was looked at, and nothing was charged",
        remedies: ["use_successor" ALWAYS],
        check: "the rule's `retired`, and its `deprecated.link`, which says what to use instead",
    }
    InvalidBody "invalid_body" 400 "Request not understood" {
        detail: "The price depends on the request's body, and this body leaves it open. Nothing was charged.",
        meaning: "the price depends on the body, which is no JSON, has a deciding member twice, misspelt or of a wrong type, or is a batch where none is allowed; nothing was charged",
        remedies: ["change_request" ALWAYS],
        check: "the refusal's `detail`: it names the member; does the rule expect the API that is behind it?",
    }
    UnsupportedEncoding "unsupported_encoding" 415 "Compressed body" {
        detail: "The price depends on the request's body, and this body is compressed. Send it uncompressed. Nothing was charged.",
        meaning: "the price depends on the body, which is compressed (`content-encoding`), so it can't be read; nothing was charged",
        remedies: ["change_request" ALWAYS],
        check: "does the caller, or a proxy in front of the gate, compress bodies?",
    }
    BodyTooLarge "body_too_large" 413 "Body too large" {
        detail: "The price depends on the request's body, and this body is larger than the limit. Nothing was charged.",
        meaning: "the price depends on the body, which is larger than the rule allows; nothing was charged",
        remedies: ["change_request" ALWAYS],
        check: "the rule's limit, and the one of Envoy's route (`request_body_buffer_limit`)",
    }
    UnknownModel "unknown_model" 404 "Unknown model" {
        detail: "No price is known for this model. Nothing was charged.",
        meaning: "no price is known for the model, so it isn't sold: paying doesn't help; nothing was charged",
        remedies: ["choose_model" ALWAYS, "contact_operator" ALWAYS],
        check: "the problem's `model`: do the prices lack it, or does the caller misspell it?",
    }
    HeaderMismatch "header_mismatch" 400 "Headers differ from the body" {
        detail: "The headers of an MCP request must match its body. Nothing was charged.",
        meaning: "headers of an MCP request (`mcp-method`, `mcp-name`, `mcp-protocol-version`) are missing, repeated or differ from its body; nothing was charged",
        remedies: ["change_request" ALWAYS],
        check: "the refusal's `detail`: it names the header; does a proxy in front of the gate drop headers or change bodies?",
    }
    KeyBudgetExhausted "key_budget_exhausted" 402 "Budget used up" {
        short: " of this API key's budget",
        meaning: "the key's budget for this period is used up",
        remedies: ["wait" COVERED, "raise_budget" ALWAYS, "reduce_cost" LEFT],
        check: "`faregate budget list ACCOUNT`",
    }
    TeamBudgetExhausted "team_budget_exhausted" 402 "Budget used up" {
        short: " of the team's budget",
        meaning: "the budget of the key's team for this period is used up",
        remedies: ["wait" COVERED, "raise_budget" ALWAYS, "reduce_cost" LEFT],
        check: "`faregate budget list ACCOUNT`",
    }
    AccountBudgetExhausted "account_budget_exhausted" 402 "Budget used up" {
        short: " of the account's budget",
        meaning: "the account's budget for this period is used up",
        remedies: ["wait" COVERED, "raise_budget" ALWAYS, "reduce_cost" LEFT],
        check: "`faregate budget list ACCOUNT`",
    }
    RateLimited "rate_limited" 429 "Too many requests" {
        detail: "This account's plan allows fewer requests per second, or at the same time.",
        meaning: "more requests per second, or at the same time, than the plan allows; nothing was charged",
        remedies: ["retry" ALWAYS, "upgrade_plan" ALWAYS],
        check: "`faregate plan show PLAN`; how many gateways share the limit",
    }
    AccountSuspended "account_suspended" 403 "Account suspended" {
        detail: "This account is suspended or closed. Only the operator of this API can open it again.",
        meaning: "the account is suspended or closed",
        remedies: ["contact_operator" ALWAYS],
        check: "`faregate account show ACCOUNT`",
    }
    LedgerUnavailable "ledger_unavailable" 503 "Payment can't be checked right now" {
        detail: "This is our fault, not yours: nothing was charged, and there is nothing to pay. Try again soon.",
        meaning: "the ledger didn't answer in time, or too many requests wait for it; nothing was charged",
        remedies: ["retry" ALWAYS],
        check: "the ledger's `/readyz`, Envoy's log (it says when the ledger stops and when it resumes answering), `exchange_failures` in Envoy's statistics; where it is one account only, `faregate audit`",
    }
    WrongCell "wrong_cell" 503 "Payment can't be checked right now" {
        detail: "This is our fault: nothing was charged. Ask the API's operator.",
        meaning: "the ledger says that another one keeps the account, in a cell, and this release of the gate knows no cells; nothing was charged",
        remedies: ["contact_operator" ALWAYS],
        check: "the filter's release (the first line in Envoy's log): only a newer one knows cells",
    }
}

impl RefusalCode {
    /// The code of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }
}

/// A derived one is larger than the names that it writes.
impl Serialize for RefusalCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl std::fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
