//! `faregate grant`: gives credits to an account.

use super::key::expiry;
use clap::Args;
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
    screen::text,
};

#[derive(Args)]
pub struct Grant {
    #[command(flatten)]
    remote: Remote,
    /// The account's identifier
    account: String,
    /// How many credits: a decimal such as 5 or 0.25
    #[arg(allow_hyphen_values = true)]
    amount: String,
    /// When the rest is lost: a date, a time (RFC 3339), or a length such as 30d
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// Smaller burns first, 0 to 1000 [default: 100]
    #[arg(long)]
    priority: Option<u16>,
    /// A note for people
    #[arg(long)]
    note: Option<String>,
    /// Where it came from, for example an invoice number
    #[arg(long)]
    source: Option<String>,
}

impl Grant {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let answer = self.remote.connect()?.post(
            &format!("/admin/v1/accounts/{}/grants", encoded(&self.account)),
            &body([
                ("amount", Some(self.amount.into())),
                ("expires_at", expiry(self.expires, screen)?),
                ("priority", self.priority.map(Into::into)),
                ("note", self.note.map(Into::into)),
                ("source", self.source.map(Into::into)),
            ]),
        )?;
        screen.show(&answer, |screen, grant| {
            let until = match screen.text(grant, "expires_at").as_str() {
                "-" => String::new(),
                at => format!(" until {at}"),
            };
            screen.line(format_args!(
                "granted {} to {}{until} ({})",
                text(grant, "amount"),
                self.account,
                text(grant, "id")
            ))
        })
    }
}
