//! `faregate adjust` and `faregate corrections`: balances that are put right, and what was corrected before.

use super::confirm::LargeAmounts;
use clap::Args;
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
    screen::text,
};
use serde_json::{Value, json};

/// What a list shows of each.
const COLUMNS: [&str; 8] = ["created_at", "kind", "amount", "taken", "pending", "owed", "grant", "note"];

#[derive(Args)]
pub struct Adjust {
    /// The account's identifier
    account: String,
    /// How many credits to give, or with a minus sign to take: 5, -0.25
    #[arg(allow_negative_numbers = true)]
    amount: String,
    /// Make what is to be taken and isn't there a debt, which the next credits pay [default: refuse]
    #[arg(long)]
    owed: bool,
    /// A note for people
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    large: LargeAmounts,
    #[command(flatten)]
    remote: Remote,
}

impl Adjust {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let Self { remote, account, amount, owed, note, large } = self;
        let admin = remote.connect()?;
        let one = format!("/admin/v1/accounts/{}", encoded(&account));
        if let Some(less) = amount.strip_prefix('-') {
            large.confirmation().ask(&format!("take {less} from {account}"), || {
                let balance = admin.get(&format!("{one}/balance"), &[])?;
                let (available, held) = (text(&balance, "available"), text(&balance, "held"));
                Ok(format!("{account} has {available} to spend, and {held} in gateways' leases."))
            })?;
        } else {
            large.ask(&amount, &account)?;
        }
        let asked = body([
            ("amount", Some(amount.into())),
            ("missing", owed.then(|| "owed".into())),
            ("note", note.map(Into::into)),
        ]);
        let answer = admin.post(&format!("{one}/adjust"), &asked)?;
        screen.show(&answer, |screen, correction| {
            let (amount, id) = (text(correction, "amount"), text(correction, "id"));
            screen.line(format_args!("adjusted {account} by {amount} ({id})"))?;
            show_owed(screen, correction)
        })
    }
}

#[derive(Args)]
pub struct Corrections {
    /// The account's identifier
    account: String,
    /// The most to list
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// List those behind this one
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Corrections {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let path = format!("/admin/v1/accounts/{}/corrections", encoded(&self.account));
        let query = [("limit", Some(self.limit.to_string())), ("after", self.after)];
        let answer = self.remote.connect()?.get(&path, &query)?;
        screen.show(&answer, |screen, page| {
            screen.table(page.get("corrections").unwrap_or(&json!([])), &COLUMNS)?;
            screen.next_page(page)
        })
    }
}

/// What was taken back of a grant.
pub fn show_voided(screen: &mut Screen<'_>, correction: &Value, also_spent: bool) -> Result<(), Failure> {
    let (taken, grant) = (text(correction, "taken"), text(correction, "grant"));
    let (account, id) = (text(correction, "account"), text(correction, "id"));
    screen.line(format_args!("took back {taken} of {grant} from {account} ({id})"))?;
    let pending = text(correction, "pending");
    if pending != "0" {
        let spent = if also_spent { "becomes owed" } else { "stays spent" };
        screen.line(format_args!(
            "{pending} more are in gateways' leases and recalled: what comes back is taken, what is spent {spent}"
        ))?;
    }
    show_owed(screen, correction)
}

fn show_owed(screen: &mut Screen<'_>, correction: &Value) -> Result<(), Failure> {
    let owed = text(correction, "owed");
    if owed == "0" {
        return Ok(());
    }
    screen.line(format_args!("{owed} become owed: other credits pay that, or else the next grant"))
}
