//! What the portal needs of the store: customers' sessions and links, and who they are.

use super::queries::portal::{Customer, FoundSession, ShownKey};
use super::{Backend, Page, Store, StoreError, queries};
use crate::api;
use crate::command::portal::{BeginPortalSession, EndPortalSession, UseLink, UsePortalSession};
use crate::domain::portal::PortalRefusal;
use crate::store::queue::Urgency;
use crate::store::rows::PortalLinkRow;
use crate::store::sqlite;
use jiff::Timestamp;
use rusqlite::Connection;

/// About how many rows signing in is about.
const SIGN_IN_WEIGHT: usize = 4;

impl Store {
    /// The session with this hash, whether it is over or not.
    pub async fn portal_session(&self, hash: [u8; 32]) -> Result<Option<FoundSession>, StoreError> {
        read!(self, reader => queries::portal::session(reader, &hash))
    }

    /// Whose the key with this hash is.
    pub async fn owner_of_key(&self, hash: [u8; 32]) -> Result<Option<(Customer, ShownKey)>, StoreError> {
        read!(self, reader => queries::portal::key(reader, &hash))
    }

    /// Whose customer a provider's subject is.
    pub async fn owner_of_subject(
        &self,
        issuer: String,
        subject: String,
    ) -> Result<Option<Customer>, StoreError> {
        read!(self, reader => queries::portal::of_subject(reader, &issuer, &subject))
    }

    /// The subjects of an account, or those of this name.
    pub async fn portal_subjects(
        &self,
        account: Option<String>,
        subject: Option<String>,
    ) -> Result<api::PortalSubjects, StoreError> {
        read!(self, reader => queries::portal::subjects(reader, account.as_deref(), subject.as_deref()))
    }

    /// The link with this hash, whether it may be used or not, and whose it is.
    pub async fn portal_link(&self, hash: [u8; 32]) -> Result<Option<(PortalLinkRow, Customer)>, StoreError> {
        read!(self, reader => queries::portal::link(reader, &hash))
    }

    /// How many keys of an account work, and how many were made since a time; of each as many as are asked for.
    pub async fn count_keys(
        &self,
        account: String,
        limit: usize,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<(usize, usize), StoreError> {
        read!(self, reader => queries::portal::count_keys(reader, &account, (limit, since, now)))
    }

    /// A version of a plan.
    pub async fn plan_version(&self, name: String, version: u32) -> Result<api::Plan, StoreError> {
        read!(self, reader => queries::plans::version(reader, &name, version))
    }

    /// A page of what an account was given other than by a plan, newest first.
    pub async fn receipts(
        &self,
        account: String,
        page: Page,
        now: Timestamp,
    ) -> Result<api::Grants, StoreError> {
        read!(self, reader => queries::grants::newest(reader, &account, &page, now))
    }

    /// Signs in with a link.
    pub async fn use_link(
        &self,
        link: UseLink,
        now: Timestamp,
    ) -> Result<Result<(), PortalRefusal>, StoreError> {
        self.queue.run(link, now, SIGN_IN_WEIGHT, Urgency::Urgent).await
    }

    /// Begins a session of a customer who is known by other means.
    pub async fn begin_portal_session(
        &self,
        session: BeginPortalSession,
        now: Timestamp,
    ) -> Result<Result<(), PortalRefusal>, StoreError> {
        self.queue.run(session, now, SIGN_IN_WEIGHT, Urgency::Urgent).await
    }

    /// Writes down that a session is used.
    pub async fn use_portal_session(
        &self,
        session: UsePortalSession,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.queue.run(session, now, 1, Urgency::Urgent).await
    }

    /// Ends a session.
    pub async fn end_portal_session(
        &self,
        session: EndPortalSession,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.queue.run(session, now, 1, Urgency::Urgent).await
    }
}
