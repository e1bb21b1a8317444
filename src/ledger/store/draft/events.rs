//! What has happened in an operation, and how endpoints and thresholds are found.

use super::{Draft, Stop};
use crate::domain::event::Happened;
use crate::domain::webhook::WebhookState;
use crate::store::rows::{AlertDefaultRow, WebhookRow};
use faregate_protocol::Credits;

impl Draft {
    /// Notes that something has happened.
    pub fn note_happened(&mut self, happened: Happened) {
        self.happened.push(happened);
    }

    /// What has happened in the operation so far.
    pub fn take_happened(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.happened)
    }

    /// Below which balance accounts are announced that say nothing else, as far as that was seen.
    pub fn guess_alert_below(&self) -> Option<Credits> {
        self.directory.alert_below()
    }

    /// The same, as it is.
    pub fn alert_below(&mut self) -> Result<Option<Credits>, Stop> {
        let row = self.get::<AlertDefaultRow>(&(AlertDefaultRow::ONE,))?;
        let below = row.and_then(|row| row.balance_below);
        self.directory.note_alert_below(below);
        Ok(below)
    }

    /// The endpoints in a state.
    pub fn endpoints_in(&mut self, state: WebhookState) -> Result<Vec<WebhookRow>, Stop> {
        Ok(self.webhooks_in(&(state,))?.cloned().collect())
    }

    /// The number of the endpoint with this identifier.
    pub fn endpoint_named(&mut self, id: &str) -> Result<Option<i64>, Stop> {
        Ok(self.webhooks_by_id(&(id.to_owned(),))?.next().map(|row| row.no))
    }

    /// An endpoint, locked.
    pub fn endpoint(&mut self, no: i64) -> Result<Option<WebhookRow>, Stop> {
        Ok(self.get::<WebhookRow>(&(no,))?.cloned())
    }
}
