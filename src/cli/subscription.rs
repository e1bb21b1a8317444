//! `faregate subscribe` and `faregate subscription …`: which account has which plan.

use super::when::{Direction, Present};
use clap::{Args, Subcommand};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
};
use serde_json::{Value, json};

/// What a subscription shows, in this order.
const MEMBERS: [&str; 14] = [
    "account",
    "plan",
    "version",
    "next_plan",
    "state",
    "status",
    "starts_at",
    "period_started_at",
    "period_ends_at",
    "renews_at",
    "grace_until",
    "ends_at",
    "overdraft_used",
    "overdraft_used_before",
];

#[derive(Args)]
pub struct Subscribe {
    /// The account's identifier
    account: String,
    /// The plan's name
    plan: String,
    /// When it begins, or began: a date, a time (RFC 3339), or a length such as 30d from now [default: now]
    #[arg(long, value_name = "WHEN")]
    start: Option<String>,
    /// It is on trial until then: a date, a time (RFC 3339), or a length such as 14d
    #[arg(long, value_name = "WHEN")]
    trial: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Subscribe {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let asked = body([
            ("plan", Some(self.plan.into())),
            ("starts_at", time("--start", self.start, screen)?),
            ("trial_ends_at", time("--trial", self.trial, screen)?),
        ]);
        let path = format!("/admin/v1/accounts/{}/subscription", encoded(&self.account));
        let answer = self.remote.connect()?.post(&path, &asked)?;
        screen.show(&answer, |screen, answer| screen.members(answer, &MEMBERS))
    }
}

#[derive(Args)]
pub struct Subscription {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Subcommand)]
enum Command {
    /// Show the account's newest subscription
    Show {
        /// The account's identifier
        account: String,
    },
    /// It is paid for: ends a trial, or a grace period
    Activate {
        /// The account's identifier
        account: String,
    },
    /// A payment is missing: nothing may be spent after the grace period until it is activated
    PastDue {
        /// The account's identifier
        account: String,
        /// When the grace period ends: a date, a time (RFC 3339), or a length such as 7d
        #[arg(long, value_name = "WHEN")]
        grace: String,
    },
    /// Begin no further period until it is resumed
    Pause {
        /// The account's identifier
        account: String,
    },
    /// Begin periods again, or take a cancellation or a change of the plan back
    Resume {
        /// The account's identifier
        account: String,
    },
    /// End it with the running period
    Cancel {
        /// The account's identifier
        account: String,
        /// End it now, and take back what remains of its quota
        #[arg(long)]
        now: bool,
    },
    /// Change to another plan: at once if it gives more per period of the same kind, else with the next period
    Change {
        /// The account's identifier
        account: String,
        /// The other plan's name
        #[arg(long)]
        plan: String,
        /// Now: the difference of the quotas for what is left of the period is given, or taken back
        #[arg(long)]
        at_once: bool,
        /// With the next period
        #[arg(long, conflicts_with = "at_once")]
        at_period_end: bool,
    },
}

impl Subscription {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let of = |account: &str| format!("/admin/v1/accounts/{}/subscription", encoded(account));
        let (account, turn, what) = match self.command {
            Command::Show { account } => {
                let answer = admin.get(&of(&account), &[])?;
                return screen.show(&answer, |screen, answer| screen.members(answer, &MEMBERS));
            }
            Command::Activate { account } => (account, "activate", json!({})),
            Command::PastDue { account, grace } => {
                (account, "past-due", body([("grace_until", time("--grace", Some(grace), screen)?)]))
            }
            Command::Pause { account } => (account, "pause", json!({})),
            Command::Resume { account } => (account, "resume", json!({})),
            Command::Cancel { account, now } => (account, "cancel", json!({ "at_once": now })),
            Command::Change { account, plan, at_once, at_period_end } => {
                let said = at_once || at_period_end;
                let at_once = Some(at_once.into()).filter(|_| said);
                (account, "change", body([("plan", Some(plan.into())), ("at_once", at_once)]))
            }
        };
        let answer = admin.post(&format!("{}/{turn}", of(&account)), &what)?;
        screen.show(&answer, |screen, answer| screen.members(answer, &MEMBERS))
    }
}

/// A time as the admin API takes it.
fn time(flag: &str, given: Option<String>, screen: &Screen<'_>) -> Result<Option<Value>, Failure> {
    let present = Present::new(jiff::Timestamp::now(), screen.zone());
    Ok(present.given(flag, given, Direction::Ahead)?.map(Into::into))
}
