//! The few connections that only read. In WAL mode they never wait for the writer.

use super::fault::Fault;
use super::open::Premises;
use crate::store::{OpenError, StoreError};
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How many read at once.
const READERS: usize = 4;
/// How long to wait for a free one.
const PATIENCE: Duration = Duration::from_secs(5);

/// The connections that only read.
#[derive(Clone, Debug)]
pub struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
    fault: Arc<Fault>,
}

impl Readers {
    /// Opens them.
    pub fn open(premises: &Premises, fault: Arc<Fault>) -> Result<Self, OpenError> {
        let free = (0..READERS).map(|_| premises.reader()).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { free: Arc::new(Mutex::new(free)), turns: Arc::new(Semaphore::new(READERS)), fault })
    }

    /// Reads something from one snapshot, on a thread that may block.
    pub async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| StoreError::Overloaded)?.map_err(|_| StoreError::Stopped)?;
        let (free, fault) = (Arc::clone(&self.free), Arc::clone(&self.fault));
        let reading = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let taken = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut conn = taken.ok_or(StoreError::Stopped)?;
            let result = snapshot(&mut conn, read);
            fault.look(&result);
            free.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            result
        });
        reading.await.map_err(|error| StoreError::Backend(error.to_string()))?
    }

    /// Closes those that are not in use.
    pub fn close(&self) {
        self.turns.close();
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn snapshot<T>(
    conn: &mut Connection,
    read: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = conn.transaction()?;
    read(&transaction)
}
