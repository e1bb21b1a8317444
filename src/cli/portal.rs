//! `faregate portal …`: links by which customers sign in to the portal.

use super::when;
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
};
use std::time::Duration;

/// What a new link shows, in this order.
const MEMBERS: [&str; 5] = ["id", "account", "url", "return_url", "expires_at"];

#[derive(Args)]
pub struct Portal {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Subcommand)]
enum Command {
    /// Make a link that signs a customer in, once: the first who opens it acts as the customer
    Link {
        /// The account's identifier
        account: String,
        /// The page of yours that the portal leads back to
        #[arg(long, value_name = "URL")]
        return_url: Option<String>,
        /// How long the link may be used: 30s to 1h
        #[arg(long, value_name = "TIME", default_value = "5m", value_parser = when::duration)]
        lifetime: Duration,
    },
}

impl Portal {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let Command::Link { account, return_url, lifetime } = self.command;
        let new = [
            ("return_url", return_url.map(Into::into)),
            ("lifetime_seconds", Some(lifetime.as_secs().into())),
        ];
        let path = format!("/admin/v1/accounts/{}/portal-links", encoded(&account));
        let link = admin.post(&path, &body(new))?;
        screen.show(&link, |screen, link| screen.members(link, &MEMBERS))
    }
}
