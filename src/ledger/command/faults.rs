//! What is wrong with the ledger itself, as each ledger on the database sees it.

use super::events::note;
use crate::domain::AccountNo;
use crate::domain::event::EventKind;
use crate::domain::fault::FaultKind;
use crate::store::draft::{Draft, Stop};
use crate::store::operation::Operation;
use crate::store::rows::FaultsRow;
use jiff::Timestamp;
use serde_json::json;

/// What a ledger sees now; nothing where all is well.
#[derive(Clone, Debug)]
pub struct SeeFaults(pub Vec<FaultKind>);

impl Operation for SeeFaults {
    type Output = ();

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
        let mut row = draft.faults()?;
        if !row.faults.is_changed_by(&self.0, now) {
            return Ok(());
        }
        let turns = row.faults.see(&self.0, now);
        draft.put(FaultsRow { changed_at: now, ..row });
        let ledger = AccountNo::default();
        for kind in turns.begun {
            let data = json!({"fault": kind.as_str(), "what": kind.what(), "cure": kind.cure()});
            note(draft, EventKind::LedgerFault, ledger, data);
        }
        for (fault, since) in turns.over {
            let data = json!({"fault": fault, "since": since.to_string()});
            note(draft, EventKind::LedgerFaultOver, ledger, data);
        }
        Ok(())
    }
}
