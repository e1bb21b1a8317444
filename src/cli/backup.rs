//! `faregate backup`: writes all that a ledger holds at one moment into a file. The ledger may be running, and
//! isn't asked.

use super::place::Place;
use clap::Args;
use faregate_client::{Failure, Screen, terminal::Progress, tokens::process_environment};
use faregate_ledger::store::copy::{self, CopyError, Holdings};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The file is a SQLite database, whichever database the ledger has; only its owner can read it.
#[derive(Args)]
pub struct Backup {
    /// The file to make
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Backup {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let from = self.place.database(&process_environment)?;
        let progress = Progress::new("backing up", screen.is_json());
        let holdings = copy::backup(&from, &self.file).map_err(failure)?;
        progress.end();
        let file = self.file.display().to_string();
        show(&holdings, &json!({ "file": file }), &format!("backed up to {file}"), screen)
    }
}

/// Shows what a copy holds.
pub fn show(holdings: &Holdings, place: &Value, title: &str, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let mut answer = json!(holdings);
    if let (Some(answer), Some(place)) = (answer.as_object_mut(), place.as_object()) {
        answer.extend(place.clone());
    }
    screen.show(&answer, |screen, answer| {
        screen.line(format_args!("{title}; all books agree"))?;
        screen.members(answer, &["accounts", "keys", "grants", "leases", "entries", "bytes"])
    })
}

/// Why nothing was copied; the message says what to do.
pub fn failure(error: CopyError) -> Failure {
    Failure::new("copy", error)
}
