//! Events, what is announced of accounts, and the endpoints to which events are delivered.
//!
//! What must hold: a delivery is claimed before it is tried, so that ledgers on one database don't try it at the same time.

use super::{Backend, EventQuery, Page, Store, StoreError, queries};
use crate::api;
use crate::command::faults::SeeFaults;
use crate::command::soon::Quiet;
use crate::command::webhooks::{Attempted, Claim, DeliveryOutcome, Requeue};
use crate::domain::fault::FaultKind;
use crate::domain::outgoing::Message;
use crate::domain::webhook::{DeliveryState, wants};
use crate::store::engine::Engine as _;
use crate::store::queue::Urgency;
use crate::store::rows::{DeliveryKey, WebhookRow};
use crate::store::sqlite;
use jiff::Timestamp;
use rusqlite::Connection;

impl Store {
    /// A page of events, newest first.
    pub async fn events(&self, query: EventQuery) -> Result<api::Events, StoreError> {
        read!(self, reader => queries::events::page(reader, &query))
    }

    /// What is announced of an account, or of all that say nothing else.
    pub async fn alerts(&self, account: Option<String>) -> Result<api::Alerts, StoreError> {
        read!(self, reader => queries::events::alerts(reader, account.as_deref()))
    }

    /// Reads what is announced of accounts that say nothing else: another ledger may have changed it.
    pub async fn refresh_alerts(&self) -> Result<(), StoreError> {
        let below = read!(self, reader => queries::events::alert_below(reader))?;
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.directory().note_alert_below(below),
            Backend::Postgres(postgres) => postgres.engine().directory().note_alert_below(below),
        }
        Ok(())
    }

    /// An endpoint.
    pub async fn webhook(&self, id: String, now: Timestamp) -> Result<api::Webhook, StoreError> {
        read!(self, reader => queries::webhooks::one(reader, &id, now))
    }

    /// A page of the endpoints, oldest first.
    pub async fn webhooks(&self, page: Page, now: Timestamp) -> Result<api::Webhooks, StoreError> {
        read!(self, reader => queries::webhooks::page(reader, &page, now))
    }

    /// An endpoint with its secrets.
    pub async fn webhook_row(&self, id: String) -> Result<WebhookRow, StoreError> {
        read!(self, reader => queries::webhooks::row(reader, &id))
    }

    /// A page of an endpoint's deliveries, newest first.
    pub async fn deliveries(
        &self,
        webhook: String,
        state: Option<DeliveryState>,
        page: Page,
    ) -> Result<api::Deliveries, StoreError> {
        let no = read!(self, reader => queries::webhooks::row(reader, &webhook))?.no;
        read!(self, reader => queries::webhooks::deliveries(reader, no, state, &page))
    }

    /// How many events wait to be delivered.
    pub async fn waiting_deliveries(&self) -> Result<u64, StoreError> {
        read!(self, reader => queries::webhooks::waiting(reader))
    }

    /// Endpoints for which there is something to do.
    pub async fn busy_webhooks(&self, now: Timestamp) -> Result<Vec<WebhookRow>, StoreError> {
        read!(self, reader => queries::webhooks::busy(reader, now))
    }

    /// Claims deliveries to an endpoint whose time has come, at most so many: each with the number of its attempt.
    pub async fn claim_deliveries(
        &self,
        webhook: i64,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<(DeliveryKey, u32, Message)>, StoreError> {
        let due = read!(self, reader => queries::webhooks::due(reader, webhook, now, most))?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let claim = Claim(due.iter().map(|(place, _)| *place).collect());
        let mut claimed = Vec::new();
        for outcome in self.tend(vec![claim], now).await? {
            for (place, attempt) in outcome? {
                let message = due.iter().find(|(of, _)| *of == place).map(|(_, message)| message.clone());
                claimed.extend(message.map(|message| (place, attempt, message)));
            }
        }
        Ok(claimed)
    }

    /// Notes what came of an attempt to deliver an event.
    pub async fn attempted(&self, what: Attempted, now: Timestamp) -> Result<DeliveryOutcome, StoreError> {
        // It is waited for: what was delivered must not be delivered again because another ledger was busy with the row.
        self.queue.run(what, now, 1, Urgency::Own).await
    }

    /// Does the next step of an endpoint's replay, if there is one. Whether there is more.
    pub async fn replay(&self, endpoint: &WebhookRow, now: Timestamp) -> Result<bool, StoreError> {
        let Some(plan) = endpoint.replay.clone() else { return Ok(false) };
        let found = {
            let plan = plan.clone();
            read!(self, reader => queries::events::to_replay(reader, &plan, Self::STEP))?
        };
        let is_end = found.len() < Self::STEP;
        let (kinds, only) = (endpoint.kinds.as_deref(), endpoint.account);
        let events = found.into_iter().map(|(event, kind, time)| {
            let kind = api::EventKind::ALL.iter().find(|known| known.as_str() == kind);
            (event, time, kind.is_some_and(|kind| wants(kinds, only, *kind, event.0)))
        });
        let requeue = Requeue { webhook: endpoint.no, plan, events: events.collect(), is_end };
        for outcome in self.tend(vec![requeue], now).await? {
            outcome?;
        }
        Ok(!is_end)
    }

    /// Announces what ends soon; how many candidates there were.
    pub async fn announce_endings(&self, now: Timestamp) -> Result<usize, StoreError> {
        let found = read!(self, reader => queries::jobs::ending(reader, now, Self::STEP))?;
        let count = found.len();
        for outcome in self.tend(found, now).await? {
            outcome?;
        }
        let quiet = read!(self, reader => queries::jobs::refusing(reader, now, Self::STEP))?;
        let count = count.max(quiet.len());
        for outcome in self.tend(quiet.into_iter().map(Quiet).collect(), now).await? {
            outcome?;
        }
        Ok(count)
    }

    /// Says what this ledger sees that is wrong with it. It is written down where that is news.
    pub async fn see_faults(&self, seen: Vec<FaultKind>, now: Timestamp) -> Result<(), StoreError> {
        let known = read!(self, reader => queries::events::faults(reader))?;
        if !known.is_changed_by(&seen, now) {
            return Ok(());
        }
        self.queue.run(SeeFaults(seen), now, 1, Urgency::Own).await
    }
}
