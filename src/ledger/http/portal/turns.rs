//! How many requests of customers are under way at a time.
//!
//! What must hold: customers never keep all of the database's readers busy, and those of one account don't keep out those of others.

use crate::domain::AccountNo;
use crate::http::codes::Code;
use crate::http::problem::Failure;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The most requests of customers that are under way at a time.
const MAX_AT_ONCE: usize = 16;
/// The most of one account, those that wait included.
const MAX_OF_ACCOUNT: usize = 8;
/// How long one waits for others to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Those that are under way.
#[derive(Debug)]
pub struct Turns {
    room: Arc<Semaphore>,
    by_account: Arc<Mutex<BTreeMap<AccountNo, usize>>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(MAX_AT_ONCE)), by_account: Arc::default() }
    }
}

/// One that is under way, until this is dropped.
#[derive(Debug)]
pub struct Turn {
    _of_account: OfAccount,
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct OfAccount {
    account: AccountNo,
    all: Arc<Mutex<BTreeMap<AccountNo, usize>>>,
}

impl Drop for OfAccount {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&self.account) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(all.remove(&self.account)),
        }
    }
}

impl Turns {
    /// Waits for a turn of this account.
    pub async fn take(&self, account: AccountNo) -> Result<Turn, Failure> {
        let busy = |why: &str| Failure::new(Code::Overloaded, why);
        let of_account = self
            .of_account(account)
            .ok_or_else(|| busy("too many requests of this account are under way; try again in a second"))?;
        let room = timeout(PATIENCE, Arc::clone(&self.room).acquire_owned()).await.ok().and_then(Result::ok);
        let room = room.ok_or_else(|| busy("the portal is busy; try again in a second"))?;
        Ok(Turn { _of_account: of_account, _room: room })
    }

    fn of_account(&self, account: AccountNo) -> Option<OfAccount> {
        let mut all = self.by_account.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(account).or_insert(0);
        if *count >= MAX_OF_ACCOUNT {
            return None;
        }
        *count = count.saturating_add(1);
        drop(all);
        Some(OfAccount { account, all: Arc::clone(&self.by_account) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_account_and_all_together_have_so_many_turns() {
        let turns = Turns::default();
        let mut taken = Vec::new();
        for _ in 0..MAX_OF_ACCOUNT {
            taken.push(turns.take(AccountNo(1)).await.unwrap());
        }
        assert!(turns.take(AccountNo(1)).await.unwrap_err().detail.contains("this account"));
        for _ in 0..MAX_OF_ACCOUNT {
            taken.push(turns.take(AccountNo(2)).await.unwrap());
        }
        assert!(turns.take(AccountNo(3)).await.unwrap_err().detail.contains("busy"));
        drop(taken);
        assert!(turns.by_account.lock().unwrap().is_empty(), "nothing is remembered of those that ended");
        assert!(turns.take(AccountNo(3)).await.is_ok());
    }
}
