//! What has happened in an operation, and how endpoints and thresholds are found.

use super::{Draft, Stop};
use crate::domain::AccountNo;
use crate::domain::event::Happened;
use crate::domain::webhook::WebhookState;
use crate::store::rows::{AlertDefaultRow, EventRow, FaultsRow, MailAddressRow, WebhookRow};
use faregate_protocol::Credits;
use jiff::Timestamp;

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

    /// The addresses that get mail about an account; about all, where it is zero.
    pub fn mail_about(&mut self, account: AccountNo) -> Result<Vec<MailAddressRow>, Stop> {
        Ok(self.mail_addresses_of(&(account,))?.cloned().collect())
    }

    /// The number of the address for mail with this identifier.
    pub fn mail_address_named(&mut self, id: &str) -> Result<Option<i64>, Stop> {
        Ok(self.mail_addresses_by_id(&(id.to_owned(),))?.next().map(|row| row.no))
    }

    /// What is wrong with the ledger, locked.
    pub fn faults(&mut self) -> Result<FaultsRow, Stop> {
        let one = FaultsRow::ONE;
        Ok(self.get::<FaultsRow>(&(one,))?.cloned().unwrap_or(FaultsRow { one, ..FaultsRow::default() }))
    }

    /// The event with this identifier.
    pub fn event_named(&mut self, id: &str) -> Result<Option<EventRow>, Stop> {
        Ok(self.events_by_id(&(id.to_owned(),))?.next().cloned())
    }

    /// Whether it was lately looked at whether requests of an account are refused: then nothing is to be done about another report.
    pub fn knows_refusing(&self, account: AccountNo, now: Timestamp) -> bool {
        self.directory.refusals_seen(account).is_some_and(|until_ms| now.as_millisecond() < until_ms)
    }

    /// Notes that it was looked at, until a time.
    pub fn note_refusing(&self, account: AccountNo, until: Timestamp) {
        self.directory.note_refusals_seen(account, until.as_millisecond());
    }

    /// An endpoint, locked.
    pub fn endpoint(&mut self, no: i64) -> Result<Option<WebhookRow>, Stop> {
        Ok(self.get::<WebhookRow>(&(no,))?.cloned())
    }
}
