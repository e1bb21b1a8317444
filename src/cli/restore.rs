//! `faregate restore`: puts a backup in an empty place, for a ledger to go on from there.

use super::{
    backup::{failure, show},
    place::Place,
};
use clap::Args;
use faregate_client::{Failure, Screen, terminal::Progress, tokens::process_environment};
use faregate_ledger::store::copy;
use serde_json::json;
use std::path::PathBuf;

/// The backup is only read. All that was booked since it was made is lost.
#[derive(Args)]
pub struct Restore {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Restore {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let to = self.place.database(&process_environment)?;
        let progress = Progress::new("restoring", screen.is_json());
        let holdings = copy::restore(&self.file, &to).map_err(failure)?;
        progress.end();
        let to = to.to_string();
        show(&holdings, &json!({ "to": to }), &format!("restored to {to}"), screen)
    }
}
