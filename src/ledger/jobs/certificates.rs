//! Lets a listener's certificates follow their files.

use super::rest;
use crate::http::{Certificates, Seen};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Looks at them as long as the ledger runs.
pub async fn follow(certificates: Arc<Certificates>, mut seen: Seen, mut stop: watch::Receiver<bool>) {
    let mut suspect = None;
    while rest(&mut stop, EVERY).await {
        certificates.look(&mut seen, &mut suspect).await;
    }
}
