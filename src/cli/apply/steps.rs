//! What is done to a ledger so that it becomes what a file says: each write with its line for people, in stages.

use faregate_client::{Failure, Screen};
use serde_json::Value;

/// What is done before what: changes of one stage may come in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Plans.
    Plans,
    /// Prices of models.
    Prices,
    /// New accounts.
    Accounts,
    /// Accounts that were suspended.
    Resumed,
    /// Teams.
    Teams,
    /// Subjects.
    Keys,
    /// New subscriptions.
    Subscriptions,
    /// To which plan they change.
    NextPlans,
    /// What has become of them.
    Turns,
    /// Whether they end.
    Cancellations,
    /// New and larger budgets, the whole before its parts: of an account (0), of a team (1), of a key (2).
    Raised(u8),
    /// Thresholds, webhooks and addresses for mail.
    Announcing,
    /// Smaller budgets, parts before their whole: of a key (0), of a team (1), of an account (2).
    Lowered(u8),
    /// Accounts that may not spend.
    Stopped,
}

/// One write of the admin API.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When it is done.
    pub stage: Stage,
    /// What people read.
    pub line: String,
    /// Where it goes.
    pub path: String,
    /// What is sent.
    pub body: Value,
    /// The subject whose key's identifier goes into `target`: it may be known only when the key was made.
    pub subject: Option<(String, String)>,
}

/// All that is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// In this order.
    pub changes: Vec<Change>,
    /// How many entries of the file are there already.
    pub unchanged: usize,
}

impl Changes {
    /// One more.
    pub fn add(&mut self, stage: Stage, line: String, path: String, body: Value) {
        self.changes.push(Change { stage, line, path, body, subject: None });
    }

    /// How many are to be created, and how many to be changed.
    pub fn counts(&self) -> [usize; 2] {
        let created = self.changes.iter().filter(|change| change.line.starts_with('+')).count();
        [created, self.changes.len().saturating_sub(created)]
    }

    /// A line per change, at most so many, and how many there are.
    pub fn show(&self, most: usize, screen: &mut Screen<'_>) -> Result<(), Failure> {
        for change in self.changes.iter().take(most) {
            screen.line(&change.line)?;
        }
        let more = self.changes.len().saturating_sub(most);
        if more > 0 {
            screen.line(format_args!("… and {more} more; --dry-run shows all"))?;
        }
        let unchanged = self.unchanged;
        match self.counts() {
            [0, 0] => screen.line(format_args!("= {unchanged} unchanged")),
            [created, changed] => {
                screen.line(format_args!("= {created} to create, {changed} to change, {unchanged} unchanged"))
            }
        }
    }
}
