//! `faregate webhook …`: where events are delivered.

use super::paging::{Listed, Paging, as_they_are};
use super::when::{self, Direction, Present};
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Admin, Remote, body, encoded},
    screen::text,
};
use serde_json::Value;
use std::time::Duration;

const WEBHOOKS: &str = "/admin/v1/webhooks";
/// What an endpoint shows, in this order.
const MEMBERS: [&str; 11] = [
    "id",
    "url",
    "secret",
    "state",
    "note",
    "events",
    "account",
    "waiting",
    "replaying_since",
    "old_secret_until",
    "created_at",
];
/// What a list shows of each.
const COLUMNS: [&str; 6] = ["id", "url", "state", "waiting", "account", "note"];
/// What a list shows of each delivery.
const DELIVERIES: [&str; 8] =
    ["time", "account", "type", "state", "attempts", "next_attempt_at", "event", "error"];

#[derive(Args)]
pub struct Webhook {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Have events delivered to a URL; the secret that signs them is shown this once
    Create {
        /// An https:// URL
        url: String,
        /// Only events of these kinds, such as balance.low,grant.given [default: all]
        #[arg(long, value_name = "KINDS", value_delimiter = ',')]
        events: Option<Vec<String>>,
        /// Only events about this account [default: all]
        #[arg(long)]
        account: Option<String>,
    },
    /// List all
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one, and how many events wait
    Show(Which),
    /// Replace the secret; the new one is shown this once
    RotateSecret {
        #[command(flatten)]
        which: Which,
        /// For how long deliveries are signed with both, at most 30d
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = when::duration)]
        overlap: Duration,
    },
    /// Deliver nothing for now; events wait
    Pause(Which),
    /// Deliver again, first what waits
    Resume(Which),
    /// Deliver nothing more, for good
    Delete(Which),
    /// List what was delivered, and what waits
    Deliveries {
        #[command(flatten)]
        which: Which,
        /// Only those in this state
        #[arg(long, value_parser = ["waiting", "delivered"])]
        state: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Deliver again what happened since a time, or one event
    Replay {
        #[command(flatten)]
        which: Which,
        /// From when: RFC 3339, or a length such as 1h (ago)
        #[arg(long, value_name = "WHEN", required_unless_present = "event")]
        since: Option<String>,
        /// The identifier of one event
        #[arg(long, conflicts_with = "since")]
        event: Option<String>,
    },
    /// Send a test event now, and say what came of it
    Test(Which),
}

#[derive(Args)]
struct Which {
    /// The webhook's identifier
    #[arg(value_name = "WEBHOOK")]
    id: String,
}

impl Which {
    fn path(&self) -> String {
        format!("{WEBHOOKS}/{}", encoded(&self.id))
    }

    /// Has something done.
    fn post(&self, admin: &Admin, what: &str, asked: &Value) -> Result<Value, Failure> {
        admin.post(&format!("{}/{what}", self.path()), asked)
    }
}

impl Webhook {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        match self.command {
            Command::Create { url, events, account } => {
                let asked = body([
                    ("url", Some(url.into())),
                    ("events", events.map(Into::into)),
                    ("account", account.map(Into::into)),
                ]);
                with_secret(screen, &admin.post(WEBHOOKS, &asked)?)
            }
            Command::List { paging } => {
                let (path, columns) = (WEBHOOKS, &COLUMNS);
                let listed =
                    Listed { path, query: Vec::new(), member: "webhooks", columns, rows: as_they_are };
                paging.show(&admin, screen, &listed)
            }
            Command::Show(which) => {
                let answer = admin.get(&which.path(), &[])?;
                screen.show(&answer, |screen, webhook| screen.members(webhook, &MEMBERS))
            }
            Command::RotateSecret { which, overlap } => {
                let asked = body([("overlap_seconds", Some(overlap.as_secs().into()))]);
                with_secret(screen, &which.post(&admin, "rotate-secret", &asked)?)
            }
            Command::Pause(which) => {
                says(screen, &which.post(&admin, "pause", &body([]))?, "is paused: events wait")
            }
            Command::Resume(which) => says(screen, &which.post(&admin, "resume", &body([]))?, "is active"),
            Command::Delete(which) => says(screen, &which.post(&admin, "delete", &body([]))?, "is deleted"),
            Command::Replay { which, event: Some(event), .. } => {
                let says_event = format!("gets {event} again");
                let answer = which.post(&admin, "replay", &body([("event", Some(event.into()))]))?;
                says(screen, &answer, &says_event)
            }
            Command::Replay { which, since, event: None } => {
                let present = Present::new(jiff::Timestamp::now(), screen.zone());
                let since = present.given("--since", since, Direction::Ago)?;
                let answer = which.post(&admin, "replay", &body([("since", since.map(Into::into))]))?;
                let says_since =
                    format!("gets again what happened since {}", text(&answer, "replaying_since"));
                says(screen, &answer, &says_since)
            }
            Command::Deliveries { which, state, paging } => {
                let path = format!("{}/deliveries", which.path());
                let listed = Listed {
                    path: &path,
                    query: vec![("state", state)],
                    member: "deliveries",
                    columns: &DELIVERIES,
                    rows: as_they_are,
                };
                paging.show(&admin, screen, &listed)
            }
            Command::Test(which) => {
                // It changes nothing, so its key says nothing; and an endpoint may take longer than other calls do.
                let path = format!("{}/test", which.path());
                let answer = admin.post_patiently(&path, &body([]), "webhook-test")?;
                tested(screen, &answer)
            }
        }
    }
}

fn with_secret(screen: &mut Screen<'_>, answer: &Value) -> Result<(), Failure> {
    screen.show(answer, |screen, webhook| {
        screen.members(webhook, &MEMBERS)?;
        screen.line("The secret is shown this once: give it to the receiver now.")
    })
}

fn says(screen: &mut Screen<'_>, answer: &Value, what: &str) -> Result<(), Failure> {
    screen.show(answer, |screen, webhook| screen.line(format_args!("{} {what}", text(webhook, "id"))))
}

/// What came of a test; it fails where the test did.
fn tested(screen: &mut Screen<'_>, answer: &Value) -> Result<(), Failure> {
    screen.show(answer, |screen, test| {
        screen.members(test, &["webhook", "event", "delivered", "status", "error", "took_ms"])
    })?;
    if answer.get("delivered").and_then(Value::as_bool) == Some(true) {
        return Ok(());
    }
    let why = format!("the test event was not delivered: {}", text(answer, "error"));
    Err(Failure::new("undelivered", why).cure("look at the endpoint; nothing waits because of this test"))
}
