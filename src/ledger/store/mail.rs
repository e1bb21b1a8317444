//! Addresses that get events by mail, and the mails.
//!
//! What must hold: a mail is claimed before it is sent, so that ledgers on one database don't send it at the same time.

use super::queries::mail::DueMail;
use super::{Backend, Page, Store, StoreError, queries};
use crate::api;
use crate::command::webhooks::Claim;
use crate::domain::mail::endpoint;
use crate::domain::webhook::DeliveryState;
use crate::store::sqlite;
use jiff::Timestamp;
use rusqlite::Connection;

impl Store {
    /// An address.
    pub async fn mail_address(&self, id: String) -> Result<api::MailAddress, StoreError> {
        read!(self, reader => queries::mail::one(reader, &id))
    }

    /// A page of the addresses, oldest first; perhaps only those of an account.
    pub async fn mail_addresses(
        &self,
        account: Option<String>,
        page: Page,
    ) -> Result<api::MailAddresses, StoreError> {
        read!(self, reader => queries::mail::page(reader, account.as_deref(), &page))
    }

    /// A page of the mails to an address, newest first.
    pub async fn mails(
        &self,
        address: String,
        state: Option<DeliveryState>,
        page: Page,
    ) -> Result<api::Deliveries, StoreError> {
        let no = endpoint(read!(self, reader => queries::mail::number(reader, &address))?);
        read!(self, reader => queries::webhooks::deliveries(reader, no, state, &page))
    }

    /// How many mails wait to be sent.
    pub async fn waiting_mails(&self) -> Result<u64, StoreError> {
        read!(self, reader => queries::mail::waiting(reader))
    }

    /// Claims mails whose time has come, at most so many: each with the number of its attempt.
    pub async fn claim_mails(&self, most: usize, now: Timestamp) -> Result<Vec<(DueMail, u32)>, StoreError> {
        let mut due = read!(self, reader => queries::mail::due(reader, now, most))?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let claim = Claim(due.iter().map(|mail| mail.place).collect());
        let mut claimed = Vec::new();
        for outcome in self.tend(vec![claim], now).await? {
            for (place, attempt) in outcome? {
                let at = due.iter().position(|mail| mail.place == place);
                claimed.extend(at.map(|at| (due.swap_remove(at), attempt)));
            }
        }
        Ok(claimed)
    }
}
