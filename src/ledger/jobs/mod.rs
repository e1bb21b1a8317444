//! What happens without being asked. Each job is a loop that does bounded steps of work, rests, and
//! ends when the ledger shuts down.
//!
//! What must hold: a job that fails says so and tries again later; none holds the writer for longer
//! than one step at a time.

mod calls;
mod certificates;
mod collector;
mod expiry;
mod export;
mod faults;
mod inspection;
mod mail;
mod prune;
mod reclaimer;
mod renewal;
mod roll_up;
mod soon;
mod tokens;
mod webhooks;

pub use calls::{prune_calls, write_calls};
pub use certificates::follow;
pub use collector::Collector;
pub use expiry::expire;
pub use faults::see_faults;
pub use inspection::inspect;
pub use mail::send_mail;
pub use prune::prune;
pub use reclaimer::reclaim;
pub use renewal::renew;
pub use roll_up::roll_up;
pub use soon::announce_endings;
pub use tokens::follow_tokens;
pub use webhooks::deliver;

use std::time::Duration;
use tokio::sync::watch;

/// Sleeps. Returns whether to continue.
async fn rest(stop: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        // An error means that the sender is gone and can't stop us any more: stop as well.
        _ = stop.wait_for(|stop| *stop) => false,
    }
}
