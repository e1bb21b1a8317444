//! Keeps what is known of tokens up to date, and writes down when they were used.

use super::rest;
use crate::store::Store;
use crate::store::tokens::PERIOD;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How many rounds it takes until uses are written down: about a minute, which is how exactly they are kept.
const ROUNDS: u32 = 30;
/// How long the last write may take when the ledger ends.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// Does both as long as the ledger runs.
pub async fn follow_tokens(store: Store, mut stop: watch::Receiver<bool>) {
    let mut round = 0_u32;
    let mut failing = false;
    while rest(&mut stop, PERIOD).await {
        let mut done = store.refresh_tokens().await;
        round = round.wrapping_add(1);
        if done.is_ok() && round.is_multiple_of(ROUNDS) {
            done = store.note_token_uses(Timestamp::now()).await;
        }
        match done {
            Ok(()) => failing = false,
            // While the database is unreachable, others say so.
            Err(error) if !failing => {
                failing = true;
                tracing::error!(%error, "could not read the tokens; those that are known still count");
            }
            Err(_) => {}
        }
    }
    // What was used since is written down before the ledger ends, if the database lets it.
    let _ = timeout(LAST_WRITE, store.note_token_uses(Timestamp::now())).await;
}
