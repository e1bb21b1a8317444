//! Figures over all accounts: what was used and refused, who is near the end, what models earned. Counted in the background
//! ([`super::survey`]); what was used since is read when it is looked at, by however many.

mod ending;
mod items;
mod usage;

pub use ending::{NEAR_END_DAYS, NearEnds};
pub use items::Earned;
pub use usage::{Live, MAX_ACCOUNTS};

use super::survey::{Counted, Survey, Turn};
use crate::api::Shadow;
use crate::http::shared::Shared;
use crate::store::{ShadowQuery, Store, StoreError};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How old what was used since the last count may be.
const LIVE_KEPT: Duration = Duration::from_secs(2);
/// How many lines of what shadow rules would have refused are counted.
pub const SHADOW_ROWS: usize = 100;

/// The figures that were counted last.
#[derive(Debug, Default)]
pub struct Figures {
    turn: Turn,
    usage: Arc<Survey<usage::Usage>>,
    live: Shared<Option<Arc<Live>>>,
    ending: Arc<Survey<ending::Ending>>,
    items: Arc<Survey<items::Items>>,
    shadow: Arc<Survey<ShadowTop>>,
}

/// A ledger, and what says when it shuts down.
pub type Ledger<'a> = (&'a Store, &'a watch::Receiver<bool>);

impl Figures {
    /// What was used, up to now; none where it takes too long to count that for the first time.
    pub async fn usage(&self, (store, stop): Ledger<'_>, now: Timestamp) -> Option<Arc<Live>> {
        let counted = self.usage.look(store, &self.turn, stop, usage::Usage).await?;
        self.live.get_within(LIVE_KEPT, usage::live(store, counted, now)).await
    }

    /// Who is near the end.
    pub async fn ending(&self, (store, stop): Ledger<'_>) -> Option<Counted<NearEnds>> {
        self.ending.look(store, &self.turn, stop, ending::Ending).await
    }

    /// What models and tools earned.
    pub async fn earned(&self, (store, stop): Ledger<'_>) -> Option<Counted<Earned>> {
        self.items.look(store, &self.turn, stop, items::Items).await
    }

    /// What rules in shadow mode would have refused.
    pub async fn shadow(&self, (store, stop): Ledger<'_>) -> Option<Counted<Shadow>> {
        self.shadow.look(store, &self.turn, stop, ShadowTop).await
    }
}

/// Counts what rules in shadow mode would have refused.
#[derive(Debug)]
struct ShadowTop;

impl super::survey::Count for ShadowTop {
    type Sum = Shadow;

    async fn count(
        &self,
        store: &Store,
        _: Option<&Shadow>,
        pace: &super::survey::Pace,
        _: Timestamp,
    ) -> Result<Shadow, StoreError> {
        let query = ShadowQuery { limit: SHADOW_ROWS, ..ShadowQuery::default() };
        Ok(pace.step(store.shadow(query)).await?.0)
    }
}
