//! `faregate portal …`: links and subjects by which customers sign in to the portal.

use super::when;
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
};
use serde_json::Value;
use std::time::Duration;

/// What a new link shows, in this order.
const MEMBERS: [&str; 5] = ["id", "account", "url", "return_url", "expires_at"];
/// What a subject shows.
const SUBJECT: [&str; 5] = ["subject", "account", "access", "issuer", "created_at"];

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
    /// Let a subject of the customers' identity provider sign in, or change what it may do
    LinkSubject {
        #[command(flatten)]
        which: Which,
        /// It may look, and change nothing
        #[arg(long)]
        read_only: bool,
    },
    /// Let a subject sign in no more; its sessions end
    UnlinkSubject(Which),
    /// List the subjects of an account, or say which account a subject belongs to
    Subjects {
        /// The account's identifier
        #[arg(required_unless_present = "subject")]
        account: Option<String>,
        /// Only this one
        #[arg(long)]
        subject: Option<String>,
    },
}

#[derive(Args)]
struct Which {
    /// The account's identifier
    account: String,
    /// The subject at the provider
    subject: String,
    /// The provider's issuer [default: that of the ledger's --portal-oidc-issuer]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

impl Which {
    fn path(&self) -> String {
        format!("/admin/v1/accounts/{}/portal-subjects", encoded(&self.account))
    }

    fn body(self, access: Option<&str>) -> Value {
        body([
            ("subject", Some(self.subject.into())),
            ("access", access.map(Into::into)),
            ("issuer", self.issuer.map(Into::into)),
        ])
    }
}

impl Portal {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        match self.command {
            Command::Link { account, return_url, lifetime } => {
                let new = [
                    ("return_url", return_url.map(Into::into)),
                    ("lifetime_seconds", Some(lifetime.as_secs().into())),
                ];
                let path = format!("/admin/v1/accounts/{}/portal-links", encoded(&account));
                let link = admin.post(&path, &body(new))?;
                screen.show(&link, |screen, link| screen.members(link, &MEMBERS))
            }
            Command::LinkSubject { which, read_only } => {
                let (path, access) = (which.path(), if read_only { "read" } else { "full" });
                let linked = admin.post(&path, &which.body(Some(access)))?;
                screen.show(&linked, |screen, linked| screen.members(linked, &SUBJECT))
            }
            Command::UnlinkSubject(which) => {
                let path = format!("{}/remove", which.path());
                let gone = admin.post(&path, &which.body(None))?;
                screen.show(&gone, |screen, gone| screen.members(gone, &SUBJECT))
            }
            Command::Subjects { account, subject } => {
                let asked = [("account", account), ("subject", subject)];
                let found = admin.get("/admin/v1/portal-subjects", &asked)?;
                screen.show(&found, |screen, found| {
                    screen.table(found.get("subjects").unwrap_or(&Value::Null), &SUBJECT)
                })
            }
        }
    }
}
