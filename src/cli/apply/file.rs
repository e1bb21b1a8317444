//! The file: what it may contain, and where an error is.

use crate::when::in_a_file;
use faregate_client::Failure;
use faregate_ledger::api::{BudgetScope, NewMailAddress, NewPlan, NewPriceListEntry, NewWebhook, Unit};
use faregate_protocol::{Credits, credits::decimal};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::ops::Range;
use toml::Spanned;

/// The configuration, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Plans, each with all that it says.
    #[serde(default)]
    pub plans: Vec<Spanned<NewPlan>>,
    /// What models cost.
    #[serde(default)]
    pub prices: Vec<Spanned<NewPriceListEntry>>,
    /// Accounts.
    #[serde(default)]
    pub accounts: Vec<Spanned<Account>>,
    /// Teams of accounts.
    #[serde(default)]
    pub teams: Vec<Spanned<Team>>,
    /// Subjects that pay as an account.
    #[serde(default)]
    pub keys: Vec<Spanned<Key>>,
    /// Who has which plan.
    #[serde(default)]
    pub subscriptions: Vec<Spanned<Subscription>>,
    /// Budgets of accounts, teams and keys.
    #[serde(default)]
    pub budgets: Vec<Spanned<Budget>>,
    /// Below which balance accounts are announced.
    #[serde(default)]
    pub alerts: Vec<Spanned<Alert>>,
    /// Where events are delivered.
    #[serde(default)]
    pub webhooks: Vec<Spanned<NewWebhook>>,
    /// Who gets events by mail.
    #[serde(default)]
    pub mail: Vec<Spanned<NewMailAddress>>,
    /// The file itself, for places in it.
    #[serde(skip)]
    pub text: String,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its identifier.
    pub id: String,
    /// What people call it; stays when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Stays when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

/// Whether an account may spend. One is closed by hand only, for that ends its subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It may.
    Active,
    /// Not until it is resumed.
    Suspended,
    /// Never again.
    Closed,
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// Whose.
    pub account: String,
    /// Its identifier.
    pub id: String,
    /// What people call it; stays when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A subject that pays as an account. Keys aren't in a file: they are secrets, and a ledger keeps only their hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Whose.
    pub account: String,
    /// The identity that gateways verify.
    pub subject: String,
    /// Its team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The products that it is limited to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<Vec<String>>,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub expires_at: Option<Timestamp>,
    /// A note for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Who has which plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Whose.
    pub account: String,
    /// The plan's name.
    pub plan: String,
    /// The plan that it changes to with the next period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_plan: Option<String>,
    /// When it began, or begins; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub starts_at: Option<Timestamp>,
    /// When its trial ends.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub trial_ends_at: Option<Timestamp>,
    /// Stays when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<SubscriptionIs>,
    /// When the grace of one that is past due ends.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub grace_until: Option<Timestamp>,
    /// Whether it ends with its period; stays when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_at_period_end: Option<bool>,
}

/// A time as TOML has it, or in quotes; one without an offset is in UTC.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a date such as 2027-01-31, or a time such as 2027-01-31T08:00:00Z")]
    enum Written {
        Bare(toml::value::Datetime),
        Quoted(String),
    }
    let text = match Written::deserialize(from)? {
        Written::Bare(time) => time.to_string(),
        Written::Quoted(text) => text,
    };
    in_a_file(&text).map(Some).map_err(D::Error::custom)
}

/// The state of a subscription that isn't over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionIs {
    /// On trial.
    Trialing,
    /// It renews.
    Active,
    /// A payment is missing.
    PastDue,
    /// It doesn't renew until it is resumed.
    Paused,
}

impl SubscriptionIs {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Paused => "paused",
        }
    }
}

/// How much an account, one of its teams or one of its keys may use per period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Whose.
    pub account: String,
    /// Of this team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Of the key with this identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Of this subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How much per period.
    #[serde(with = "decimal")]
    pub credits: Credits,
    /// What a period is.
    pub period: Unit,
    /// So many of these; one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u16>,
    /// An IANA time zone; `UTC` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

impl Budget {
    /// Of what it is.
    pub fn scope(&self) -> BudgetScope {
        match (&self.key, &self.subject, &self.team) {
            (None, None, None) => BudgetScope::Account,
            (None, None, Some(_)) => BudgetScope::Team,
            _ => BudgetScope::Key,
        }
    }
}

/// Below which balance an account is announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Whose; that of all accounts that say nothing else, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Below so many credits.
    #[serde(with = "decimal")]
    pub balance_below: Credits,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTransition {
    /// Where in the file, in bytes.
    pub span: Range<usize>,
    /// What, and what to do.
    pub why: String,
}

/// Reads a file.
pub fn read(name: &str, text: &str) -> Result<File, Failure> {
    let found: Result<File, toml::de::Error> = toml::from_str(text);
    let file = found.map_err(|error| {
        let why = match suggestion(error.message()) {
            Some(meant) => format!("{}; did you mean `{meant}`?", error.message()),
            None => error.message().to_owned(),
        };
        failure(name, text, &InvalidTransition { span: error.span().unwrap_or(0..0), why })
    })?;
    Ok(File { text: text.to_owned(), ..file })
}

/// What is wrong, with its line and column.
pub fn failure(name: &str, text: &str, wrong: &InvalidTransition) -> Failure {
    let before = text.get(..wrong.span.start).unwrap_or(text);
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
    Failure::new("invalid_file", format!("{name}:{line}:{column}: {}", wrong.why))
        .cure("nothing was changed; `faregate export` shows what such a file looks like")
}

/// The known name that is most like the unknown one which a message is about.
fn suggestion(message: &str) -> Option<String> {
    let mut names = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let found = names.next()?;
    let by_distance = names.map(|name| (strsim::osa_distance(found, name), name));
    by_distance.filter(|(distance, _)| *distance <= 2).min().map(|(_, name)| name.to_owned())
}

/// What is there, as a file.
pub fn write(all: &Written) -> Result<String, Failure> {
    let head = "# Written by `faregate export`. `faregate apply` leaves alone what is not named here.\n\n";
    let text = toml::to_string(all);
    text.map(|text| format!("{head}{text}")).map_err(|error| Failure::new("internal", error))
}

/// The configuration, to be written.
#[derive(Debug, Default, Serialize)]
pub struct Written {
    /// Plans.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<NewPlan>,
    /// What models cost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<NewPriceListEntry>,
    /// Accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Account>,
    /// Teams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<Team>,
    /// Subjects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// Subscriptions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<Subscription>,
    /// Budgets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Budget>,
    /// Below which balance accounts are announced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
    /// Where events are delivered, without secrets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<NewWebhook>,
    /// Who gets events by mail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mail: Vec<NewMailAddress>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_their_line_and_column() {
        let detail = |text: &str| read("plans.toml", text).unwrap_err().detail;
        let typo = detail("[[plans]]\nname = \"pro\"\n  qouta = \"5\"\nperiod = \"month\"\n");
        assert!(typo.starts_with("plans.toml:3:3: unknown field `qouta`"), "{typo}");
        assert!(typo.ends_with("did you mean `quota`?"), "{typo}");
        let table = detail("[[acounts]]\nid = \"a\"\n");
        assert!(table.starts_with("plans.toml:1:3: unknown field `acounts`"), "{table}");
        assert!(detail("[[plans]]\nquota = \"-5\"\n").starts_with("plans.toml:2:9: "));
        let broken = detail("[[plans]\n");
        assert!(broken.starts_with("plans.toml:1:"), "{broken}");
        let far = detail("[[plans]]\nsomething = 1\n");
        assert!(!far.contains("did you mean"), "{far}");
    }

    #[test]
    fn close_misspellings_get_a_suggestion_and_distant_ones_do_not() {
        let known =
            |found: &str| suggestion(&format!("unknown field `{found}`, expected `quota` or `price`"));
        for (found, meant) in
            [("qouta", "quota"), ("quot", "quota"), ("qoat", "quota"), ("prce", "price"), ("pirec", "price")]
        {
            assert_eq!(known(found).as_deref(), Some(meant), "{found}");
        }
        assert_eq!((known("abc"), known("qu"), suggestion("something else")), (None, None, None));
    }
}
