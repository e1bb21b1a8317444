//! What the ledger does for its database: nothing about money is decided here.

use crate::store::draft::{Draft, Stop};
use crate::store::engine::MaintenanceTask;
use crate::store::operation::Operation;
use jiff::Timestamp;

/// Does some chores.
#[derive(Clone, Debug)]
pub struct RunMaintenance(pub Vec<MaintenanceTask>);

impl Operation for RunMaintenance {
    type Output = ();

    fn decide(&self, draft: &mut Draft, _: Timestamp) -> Result<(), Stop> {
        self.0.iter().for_each(|chore| draft.tend(*chore));
        Ok(())
    }
}
