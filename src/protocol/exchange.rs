//! The exchange: the one message between a gateway and the ledger, `POST /gateway/v1/exchange`.
//!
//! It is credit-based flow control. A lease is three counters that only grow, per (gateway, payer,
//! epoch): **granted**, raised by the ledger alone; **spent** and **returned**, raised by the gateway
//! alone. Both sides send absolute values and merge by maximum, so a message that is lost, repeated
//! or overtaken changes nothing.
//!
//! What must hold:
//! - The gateway numbers the epochs of a payer 1, 2, 3 … and opens the next one only in a message
//!   that also carries the final report ([`Ended`]) on the one before, until that is acknowledged.
//! - Demands are levels, not increments: "raise granted to at least this". A replay asks for nothing new.
//! - Times are durations. The gateway counts a lease's life from when it *sent*, the ledger from when
//!   it *received*; their clocks are never compared.
//! - Both sides speak [`OLDEST`] to [`VERSION`]: the ledger answers in the version of the message. One that doesn't speak it
//!   answers 400 [`UNSUPPORTED`] and does nothing, and the gateway says the same in the older version. With [`MARKER_HEADER`]
//!   each answer says the newest version that its ledger speaks, so a gateway returns to its own after an upgrade.
//! - What a newer peer adds is ignored where no money depends on it: everywhere in an answer, and in a message beside
//!   `entries` and `usage` and in [`RefusalLine`]s. Unknown fields of entries and usage lines are refused. So a field that is
//!   about money, in either direction, needs a new version.

pub use crate::credits::MAX_AMOUNT;

use crate::metering::Quantities;
use crate::prices::ModelPrices;
use crate::{Credits, RefusalCode};
use serde::{Deserialize, Deserializer, Serialize};

/// The version of this protocol. It is the first in which a usage report says when its requests came, what was refused, and
/// of which product a rule is.
pub const VERSION: u32 = 3;
/// The version before, which both sides speak as well.
pub const OLDEST: u32 = 2;
/// The code of the error that answers a message of any other version.
pub const UNSUPPORTED: &str = "unsupported_protocol";
/// Where the ledger listens for exchanges.
pub const PATH: &str = "/gateway/v1/exchange";
/// The response header that only a ledger sets. Envoy answers failed callouts by itself; without this
/// header an answer is not the ledger's. Its value is the newest version that the ledger speaks.
pub const MARKER_HEADER: &str = "x-faregate-ledger";
/// The slowest pace that a ledger may ask for ([`ExchangeResponse::heartbeat_ms`]), in milliseconds.
pub const MAX_HEARTBEAT_MS: u32 = 60_000;
/// The most entries in one message.
pub const MAX_ENTRIES: usize = 1_000;
/// The most usage and shadow lines in one message, together.
pub const MAX_USAGE_LINES: usize = 1_000;
/// The most requests, or refunds, in one line.
pub const MAX_LINE_COUNT: u64 = 1_000_000_000;
/// The most credits in one usage line: 10^9, so that sums over many lines stay within an integer.
pub const MAX_LINE_CREDITS: Credits = Credits::from_micros(1_000_000_000_000_000);
/// The largest message, in bytes, that either side reads.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// The most credits that one report may have sold beyond what its lease was granted, and the most that may go through
/// on credit between two answers: 10^9. A gate refuses a larger `allow_up_to`, so no honest report is above it.
pub const MAX_UNGRANTED: Credits = Credits::from_micros(1_000_000_000_000_000);
/// The longest gateway, broker or payer name in bytes; a subject may be longer.
pub const MAX_NAME_BYTES: usize = 128;
/// The most products in a plan, or that one key is limited to.
pub const MAX_PRODUCTS: usize = 32;
/// The longest product's name in bytes.
pub const MAX_PRODUCT_BYTES: usize = 64;
/// The most requests per second, at once or beside each other in a limit.
pub const MAX_LIMIT: u32 = 1_000_000;
/// The longest name of a model or a tool in bytes.
pub const MAX_ITEM_BYTES: usize = 128;
/// The most models in one message.
pub const MAX_MODELS: usize = 32;
/// The longest credential in bytes.
pub const MAX_CREDENTIAL_BYTES: usize = 1_024;

/// What a gateway says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeRequest {
    /// [`VERSION`], or [`OLDEST`].
    pub protocol: u32,
    /// The running Envoy process: unique for ever, the same for all of its workers.
    pub gateway: String,
    /// The number of the last of the ledger's changes that this gateway has acted on; present only in
    /// the gateway's heartbeat, which is the message that collects [`ExchangeResponse::changes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// One per payer; at most [`MAX_ENTRIES`].
    #[serde(default)]
    pub entries: Vec<Entry>,
    /// What was sold since the last report of this broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageReport>,
    /// Models whose prices this gateway wants to know; at most [`MAX_MODELS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
}

/// What a gateway says about one payer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Who.
    pub payer: Payer,
    /// The final report on the epoch before [`LeaseReport::epoch`], until it is acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// The current epoch. On one that the ledger doesn't know yet, all counters are zero and `ask`
    /// opens it. Absent when there is only an `ended` to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseReport>,
    /// What callers need now, and would like to have ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Ask>,
    /// All that was ever sold without a lease to cover it: let through while the ledger was unreachable, or cost more than was
    /// held. It only grows.
    #[serde(default, skip_serializing_if = "Credits::is_zero")]
    pub on_credit: Credits,
    /// Holds of requests that outlived their epoch. Repeated until the ledger's answer says the same.
    #[serde(default, skip_serializing_if = "Holds::is_none")]
    pub holds: Holds,
}

/// What was held for requests in flight when their epoch ended, and what became of it: all of it since the gateway began, for
/// one payer. Each only grows, and both sides merge by maximum.
///
/// An epoch's final report says in `spent` what is spent for certain. What is still held then goes into `carried`, and stays set
/// aside at the ledger until the requests end: then it is `kept` or `released`. So a hold can be lowered however long its request
/// takes, and whatever message is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holds {
    /// Held when an epoch ended. It grows only together with [`Entry::ended`].
    #[serde(default, skip_serializing_if = "Credits::is_zero")]
    pub carried: Credits,
    /// Of it, what requests cost in the end.
    #[serde(default, skip_serializing_if = "Credits::is_zero")]
    pub kept: Credits,
    /// Of it, what they didn't need.
    #[serde(default, skip_serializing_if = "Credits::is_zero")]
    pub released: Credits,
}

impl Holds {
    /// Whether nothing was ever carried.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What requests in flight still hold.
    pub fn open(&self) -> Credits {
        self.carried.less(self.kept).less(self.released)
    }

    /// Each counter's maximum.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self {
            carried: self.carried.max(other.carried),
            kept: self.kept.max(other.kept),
            released: self.released.max(other.released),
        }
    }
}

/// Who pays: one API key or trusted subject, or by the identifier that the ledger gave for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payer {
    /// A whole API key, on first contact.
    Key(String),
    /// A subject that the gateway vouches for, such as a JWT claim or a certificate's SAN, on first contact.
    Subject(String),
    /// The key's identifier, once known.
    Id(String),
}

/// The final report on an epoch: the gateway will never spend from it again. All that was granted, not
/// spent and not carried over ([`Holds::carried`]) is the ledger's again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// Which epoch.
    pub epoch: u32,
    /// All that was spent under it.
    pub spent: Credits,
}

/// The gateway's side of the current epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseReport {
    /// Which epoch: 1 for a payer's first on this gateway.
    pub epoch: u32,
    /// Spent so far; only grows.
    pub spent: Credits,
    /// Handed back so far; only grows.
    pub returned: Credits,
    /// Set aside for requests that are under way. It goes up and down, so it is only a hint of what
    /// a recall could bring back.
    pub held: Credits,
    /// Of a lease with limits: about how many requests came per second lately, admitted or not. A hint of how
    /// the ledger should divide the limits among the holders.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub demand: u32,
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

/// What callers want, as levels of the lease's granted counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The cheapest waiting request could go on from this level.
    pub least: Credits,
    /// All waiting requests could go on from this level. Equal to what is used when none waits.
    pub need: Credits,
    /// Enough for the near future as well; never below `need`.
    pub want: Credits,
}

/// What was sold, per key and rule. Sent again under the same number until acknowledged, with the same lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageReport {
    /// Which of the gateway's brokers (one per worker) speaks.
    pub broker: String,
    /// This report's number: 1, 2, 3 … per broker.
    pub seq: u64,
    /// How many milliseconds ago the first of its requests ended, when this is sent. Since version 3.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ago_ms: u64,
    /// At most [`MAX_USAGE_LINES`], together with `shadow` and `refused`.
    pub lines: Vec<UsageLine>,
    /// What rules that only watch would have refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "known_causes")]
    pub shadow: Vec<RefusalLine>,
    /// What was refused. Since version 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "known_causes")]
    pub refused: Vec<RefusalLine>,
}

/// Requests of one key under one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageLine {
    /// The key's identifier.
    pub payer: String,
    /// The rule's name.
    pub rule: String,
    /// Requests that were charged and kept.
    pub requests: u64,
    /// What they cost together.
    pub credits: Credits,
    /// Requests whose charge was released because the upstream failed them.
    pub refunds: u64,
    /// Of a metered rule: the model or the tool, at most [`MAX_ITEM_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Of a metered rule: on what the charge of these requests is based.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Of a metered rule: what they used, by class.
    #[serde(default, skip_serializing_if = "Quantities::is_none")]
    pub used: Quantities,
    /// The rule's product, if it is of one; at most [`MAX_PRODUCT_BYTES`]. Since version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
}

/// On what the charge of a metered request is based.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// What the API said it used.
    Reported,
    /// An estimate: the answer ended without saying what it used.
    Estimated,
    /// The whole hold: the answer ended without saying what it used.
    Held,
    /// A fixed price per call.
    Listed,
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reported, Self::Estimated, Self::Held, Self::Listed];

    /// Its name, on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Estimated => "estimated",
            Self::Held => "held",
            Self::Listed => "listed",
        }
    }
}

/// Requests that were refused, or would have been if their rule didn't only watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusalLine {
    /// The key's identifier; absent for callers without a known key, all of them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// The rule's name.
    pub rule: String,
    /// Why.
    pub code: RefusalCode,
    /// How many.
    pub requests: u64,
}

/// Leaves out lines whose cause only a newer gateway knows: they are statistics, and the rest of the message is money.
fn known_causes<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<RefusalLine>, D::Error> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default)]
        payer: Option<String>,
        rule: String,
        code: String,
        requests: u64,
    }
    let known = |Line { payer, rule, code, requests }: Line| {
        Some(RefusalLine { payer, rule, code: RefusalCode::named(&code)?, requests })
    };
    Ok(Vec::<Line>::deserialize(reader)?.into_iter().filter_map(known).collect())
}

/// What the ledger says, after its commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeResponse {
    /// That of the message.
    pub protocol: u32,
    /// In answer to a heartbeat: the number of the newest change that `changes` takes in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// When to heartbeat next, in milliseconds: sooner where several holders share an account's last credits, later, up to
    /// [`MAX_HEARTBEAT_MS`], where the ledger has much to do. Never above a third of a lease's life, or it ends unrenewed.
    /// Callers who wait are asked for at once all the same; [`ExchangeResponse::changes`] are heard of that much later.
    pub heartbeat_ms: u32,
    /// One per entry of the request, in the same order.
    pub entries: Vec<EntryAnswer>,
    /// Leases of this gateway that must end, or be handed back, without having been asked about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The number of the broker's last usage report that is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_seq: Option<u64>,
    /// The prices of [`ExchangeRequest::models`], in the same order. It ends early, or is absent, where not all fit or could be
    /// read: the gateway asks for the rest again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelAnswer>,
    /// The number of the newest change of the ledger's price list; absent while it is empty and has never changed. Prices that
    /// were answered under another number may have changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<u64>,
}

/// What the ledger says of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelAnswer {
    /// Its prices now; absent where the price list has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<ModelPrices>,
}

/// The answer to one entry.
///
/// Of a payer that another ledger keeps, a later ledger will say in which cell: in a member `cell` beside `refused` with
/// [`RefusalCode::WrongCell`], by which gateways without cells refuse it. Nothing writes or reads `cell` yet, and no answer of
/// version 2 may have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryAnswer {
    /// Who the payer is; absent when the credential is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// The lease as it now is; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Granted>,
    /// Why the callers who wait can't all go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The epoch whose final report is stored, so it needn't be repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u32>,
    /// How much of what went through on credit is booked.
    #[serde(default, skip_serializing_if = "Credits::is_zero")]
    pub on_credit: Credits,
    /// What of [`Entry::holds`] is booked, in answer to an entry that has some.
    #[serde(default, skip_serializing_if = "Holds::is_none")]
    pub holds: Holds,
    /// The payer's balance and limits, in answer to an `ask`, also to one that asks for nothing new, and whether it is
    /// refused or not. Absent for credentials that don't count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<PayerStatus>,
}

/// A payer's balance and limits, for callers to see: no decision uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayerStatus {
    /// What this payer could still draw beyond what its leases hold: what is free in the account, bounded by the
    /// budgets on it. At most [`MAX_AMOUNT`].
    pub available: Credits,
    /// The quota of the account's plan, where it has one that is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// The plan's limits as a whole, not this lease's part of them.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    /// Below how much available the plan wants a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_below: Option<Credits>,
}

/// A plan's quota in the period that is running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// In full, per period.
    pub size: Credits,
    /// How long the period is that is running, in seconds.
    pub window_s: u64,
    /// When it ends, by the ledger's clock, in RFC 3339.
    pub resets_at: String,
    /// In so many seconds from now, rounded up.
    pub resets_in_s: u64,
}

/// What the gate may tell the upstream and the log about a payer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The key's identifier (not the key).
    pub key: String,
    /// The account that pays.
    pub account: String,
    /// Its plan, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The products that its plan includes, and what they cost under it; `None`: all, at the rule's price. At
    /// most [`MAX_PRODUCTS`]. A rule without a product is in every plan, at its own price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<Vec<Product>>,
    /// The products that the key is limited to; `None`: all. At most [`MAX_PRODUCTS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_products: Option<Vec<String>>,
}

/// A product of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The label that rules of this product carry; `[a-z0-9][a-z0-9_.-]{0,63}`.
    pub name: String,
    /// What a request costs.
    #[serde(default, skip_serializing_if = "Pricing::is_list")]
    pub pricing: Pricing,
}

/// What a request costs under a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pricing {
    /// The rule's price.
    #[default]
    List,
    /// So many times the rule's price, in millionths, rounded up to the next micro-credit; above zero.
    Times(Credits),
    /// This, whatever the rule says; above zero.
    Fixed(Credits),
}

impl Pricing {
    /// Whether it leaves the rule's price as it is.
    pub fn is_list(&self) -> bool {
        *self == Self::List
    }

    /// What a request costs whose rule says `price`.
    pub fn of(self, price: Credits) -> Credits {
        match self {
            Self::List => price,
            Self::Times(factor) => price.scaled(factor),
            Self::Fixed(price) => price,
        }
    }
}

/// This lease's part of the limits of its account's plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How many requests per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How many requests at the same time; at least 1, at most [`MAX_LIMIT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A limit on requests per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Thousandths of a request per second; at least 1, at most a thousand times [`MAX_LIMIT`].
    pub milli_per_s: u32,
    /// How many may come at once after a pause; at least 1, at most [`MAX_LIMIT`].
    pub burst: u32,
}

/// The ledger's side of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Which epoch.
    pub epoch: u32,
    /// Granted so far; only grows.
    pub granted: Credits,
    /// How long the lease may be spent from, in milliseconds since the gateway *sent* the request.
    pub ttl_ms: u64,
    /// Hand back at once what isn't needed: somebody else waits for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recall: bool,
    /// Its part of the limits of the plan; it may change with every answer.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
}

/// Why callers can't go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The cause.
    pub code: RefusalCode,
    /// What the payer could still pay, beyond what is granted.
    #[serde(default, skip_serializing_if = "Credits::is_zero")]
    pub available: Credits,
    /// When more comes by itself; absent when waiting cures nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<Reset>,
    /// Whether credits that are bought now would pay. False where the plan refuses beyond its quota, and
    /// where a budget is the limit that was hit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub top_up: bool,
    /// Credits are on their way back from another holder: ask again after this many milliseconds
    /// before refusing anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u32>,
}

/// When more comes by itself: a new period's quota, or a new period's budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// By the ledger's clock, in RFC 3339, for people and programs to read.
    pub at: String,
    /// In so many seconds from now, rounded up.
    pub in_s: u64,
    /// About what can be paid then: waiting doesn't cure a price above it.
    pub brings: Credits,
    /// The full size of the next quota or budget; zero where that isn't known.
    #[serde(default, skip_serializing_if = "Credits::is_zero")]
    pub size: Credits,
    /// How long its period is that is running, in seconds; zero where that isn't known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub window_s: u64,
}

/// News about a lease that the gateway holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The key's identifier.
    pub payer: String,
    /// The payer must not spend any more; `None` asks only for what is unused to be handed back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusalCode>,
}

/// The body of an error answer (4xx, 5xx) of the gateway API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeError {
    /// A short, stable name: [`UNSUPPORTED`], `invalid_request`, `unauthorized`, `overloaded` …
    pub code: String,
    /// What is wrong and what cures it.
    pub detail: String,
    /// When to come again (ms), where time cures it: with a 503. A gateway reports no sooner than that, but waits at most
    /// [`MAX_HEARTBEAT_MS`]; for callers who wait it may ask about once a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u32>,
}
