//! `faregate plan …`: so many credits per period, and what may be done with them.

use super::choices::{ANCHORS, OVERAGES, PERIODS, REMAINDERS};
use super::paging::{Listed, Paging, as_they_are};
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
    screen::{list, text},
};
use serde_json::{Value, json};

/// What a plan shows, in this order.
const MEMBERS: [&str; 18] = [
    "name",
    "version",
    "quota",
    "period",
    "every",
    "anchor",
    "time_zone",
    "rollover",
    "overage",
    "overdraft",
    "rate_per_second",
    "burst",
    "concurrent",
    "products",
    "remainder",
    "warn_below",
    "alert_below",
    "archived_at",
];

/// What a list shows of each.
const COLUMNS: [&str; 6] = ["name", "version", "quota", "period", "every", "overage"];

#[derive(Args)]
pub struct Plan {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Subcommand)]
enum Command {
    /// Make a plan
    Create {
        /// Its name: a-z, 0-9, `_`, `.`, `-`, at most 64 characters
        name: String,
        /// Credits per period: a decimal such as 1000 or 0.25
        #[arg(long, allow_hyphen_values = true)]
        quota: String,
        /// What a period is
        #[arg(long, value_parser = PERIODS)]
        period: String,
        #[command(flatten)]
        more: More,
    },
    /// List plans, in the order of their names
    List {
        /// List archived ones, too
        #[arg(long)]
        archived: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a plan's newest version
    Show {
        /// The plan's name
        name: String,
    },
    /// Make a new version of a plan, for periods that begin from now on
    Change {
        /// The plan's name
        name: String,
        /// Credits per period
        #[arg(long, allow_hyphen_values = true)]
        quota: Option<String>,
        /// What a period is
        #[arg(long, value_parser = PERIODS)]
        period: Option<String>,
        /// Have it count for running periods, too; these get what a larger quota is more
        #[arg(long)]
        at_once: bool,
        #[command(flatten)]
        more: More,
        #[command(flatten)]
        without: Without,
    },
    /// Take no new subscriptions to a plan, and hide it; those to it must be over
    Archive {
        /// The plan's name
        name: String,
    },
    /// Take a plan out of the archive
    Unarchive {
        /// The plan's name
        name: String,
    },
}

#[derive(Args)]
#[command(next_help_heading = "Terms")]
struct More {
    /// A period is so many of these, 1 to 100 [default: 1]
    #[arg(long)]
    every: Option<u16>,
    /// Where periods begin: at the start of the subscription, or with the calendar's [default: start]
    #[arg(long, value_parser = ANCHORS)]
    anchor: Option<String>,
    /// An IANA time zone [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// The most that is taken over into the next period [default: 0]
    #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
    rollover: Option<String>,
    /// What pays when the quota is used up [default: bought]
    #[arg(long, value_name = "WHAT", value_parser = OVERAGES)]
    overage: Option<String>,
    /// The most that may be overdrawn per period, with --overage overdraft
    #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
    overdraft: Option<String>,
    /// At most so many requests per second, such as 10 or 0.5 [default: no limit]
    #[arg(long, value_name = "PER_SECOND", allow_hyphen_values = true)]
    rate: Option<String>,
    /// So many requests at once after a pause [default: what a second brings]
    #[arg(long, value_name = "REQUESTS")]
    burst: Option<u32>,
    /// At most so many requests at the same time [default: no limit]
    #[arg(long, value_name = "REQUESTS")]
    concurrent: Option<u32>,
    /// A product that is included: chat, at so many times the rule's price (embed=x0.5), or at a price of its own
    /// (img=4); again for each [default: all]
    #[arg(long, value_name = "PRODUCT")]
    product: Vec<String>,
    /// Whose is what a gateway that died had not reported [default: customer]
    #[arg(long, value_name = "WHOSE", value_parser = REMAINDERS)]
    remainder: Option<String>,
    /// Warn callers who have less than that left [default: no warning]
    #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
    warn_below: Option<String>,
    /// Announce a balance below that by the event balance.low, 0 for never [default: as for all accounts]
    #[arg(long, value_name = "CREDITS", allow_hyphen_values = true)]
    alert_below: Option<String>,
}

/// What to take away.
#[derive(Args)]
#[command(next_help_heading = "Take away")]
struct Without {
    /// No limit on requests per second any more
    #[arg(long, conflicts_with_all = ["rate", "burst"])]
    no_rate: bool,
    /// No limit on requests at the same time any more
    #[arg(long, conflicts_with = "concurrent")]
    no_concurrent: bool,
    /// All products are included
    #[arg(long, conflicts_with = "product")]
    all_products: bool,
    /// No warning any more
    #[arg(long, conflicts_with = "warn_below")]
    no_warn_below: bool,
    /// Announce balances as for all accounts
    #[arg(long, conflicts_with = "alert_below")]
    no_alert_below: bool,
}

impl Plan {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let one = |name: &str| format!("/admin/v1/plans/{}", encoded(name));
        let answer = match self.command {
            Command::List { archived, paging } => {
                let path = "/admin/v1/plans";
                let columns = if archived {
                    &[COLUMNS.as_slice(), &["archived_at"]].concat()
                } else {
                    COLUMNS.as_slice()
                };
                let query = vec![("archived", archived.then(|| "true".to_owned()))];
                let listed = Listed { path, query, member: "plans", columns, rows: as_they_are };
                return paging.show(&admin, screen, &listed);
            }
            Command::Create { name, quota, period, more } => {
                let terms = terms(Some(quota), Some(period), more, [("name", Some(name.into()))]);
                admin.post("/admin/v1/plans", &terms)?
            }
            Command::Show { name } => admin.get(&one(&name), &[])?,
            Command::Archive { name } => admin.post(&format!("{}/archive", one(&name)), &json!({}))?,
            Command::Unarchive { name } => admin.post(&format!("{}/unarchive", one(&name)), &json!({}))?,
            Command::Change { name, quota, period, more, without, at_once } => {
                let mut terms = terms(quota, period, more, [("at_once", Some(at_once.into()))]);
                let Without { no_rate, no_concurrent, all_products, no_warn_below, no_alert_below } = without;
                let gone = [
                    ("rate_per_second", no_rate),
                    ("concurrent", no_concurrent),
                    ("products", all_products),
                    ("warn_below", no_warn_below),
                    ("alert_below", no_alert_below),
                ];
                if let Some(terms) = terms.as_object_mut() {
                    let gone = gone.into_iter().filter(|(_, gone)| *gone);
                    terms.extend(gone.map(|(name, _)| (name.to_owned(), Value::Null)));
                }
                admin.post(&format!("{}/change", one(&name)), &terms)?
            }
        };
        screen.show(&answer, |screen, plan| screen.members(&readable(plan), &MEMBERS))
    }
}

/// The same with its products in words.
fn readable(plan: &Value) -> Value {
    let mut plan = plan.clone();
    let product = |product: &Value| {
        let name = text(product, "name");
        match (product.get("times").and_then(Value::as_str), product.get("price").and_then(Value::as_str)) {
            (Some(times), _) => format!("{name}=x{times}"),
            (_, Some(price)) => format!("{name}={price}"),
            _ => name,
        }
    };
    if let Some(products) = plan.get_mut("products").filter(|products| products.is_array()) {
        *products = list(products).iter().map(product).collect::<Vec<_>>().join(", ").into();
    }
    plan
}

fn terms(
    quota: Option<String>,
    period: Option<String>,
    more: More,
    [first]: [(&str, Option<Value>); 1],
) -> Value {
    body([
        first,
        ("quota", quota.map(Into::into)),
        ("period", period.map(Into::into)),
        ("every", more.every.map(Into::into)),
        ("anchor", more.anchor.map(Into::into)),
        ("time_zone", more.time_zone.map(Into::into)),
        ("rollover", more.rollover.map(Into::into)),
        ("overage", more.overage.map(Into::into)),
        ("overdraft", more.overdraft.map(Into::into)),
        ("rate_per_second", more.rate.map(Into::into)),
        ("burst", more.burst.map(Into::into)),
        ("concurrent", more.concurrent.map(Into::into)),
        ("products", products(&more.product)),
        ("remainder", more.remainder.map(Into::into)),
        ("warn_below", more.warn_below.map(Into::into)),
        ("alert_below", more.alert_below.map(Into::into)),
    ])
}

/// `chat`, `embed=x0.5` and `img=4`, as the admin API takes them.
fn products(given: &[String]) -> Option<Value> {
    let product = |text: &String| match text.split_once('=') {
        None => json!({ "name": text }),
        Some((name, price)) => match price.strip_prefix('x') {
            Some(times) => json!({ "name": name, "times": times }),
            None => json!({ "name": name, "price": price }),
        },
    };
    if given.is_empty() { None } else { Some(given.iter().map(product).collect()) }
}
