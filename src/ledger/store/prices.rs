//! What a ledger keeps of the price list in memory, so that exchanges needn't read it.
//!
//! What must hold: an exchange that asks for no model waits for the database at most once per [`PERIOD`], and only one
//! exchange does; one with usage of models waits once more after a change, for the list. What is kept is never older than that,
//! also when another ledger has changed the list.

use crate::domain::price_list::PriceList;
use crate::domain::price_news::PriceNews;
use faregate_protocol::exchange::{MAX_ITEM_BYTES, MAX_MODELS, ModelAnswer};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the number of the newest change is read: a gateway that sends a heartbeat per second hears of a change within
/// two seconds.
pub const PERIOD: Duration = Duration::from_millis(500);
/// The most bytes of prices in one answer, so that the rest of it fits as well.
const MAX_ANSWER_BYTES: usize = 128 << 10;

/// What is known of the price list.
#[derive(Debug, Default)]
pub struct KnownPrices {
    known: Mutex<Known>,
    /// Held by the one who reads the list.
    pub reading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    read_at: Option<Instant>,
    news: PriceNews,
    list: Option<Arc<PriceList>>,
}

impl KnownPrices {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller should read what is new; it is asked once per [`PERIOD`]. Gives the change that is known.
    pub fn due(&self, now: Instant, at_once: bool) -> Option<u64> {
        let mut known = self.known();
        let recent = known.read_at.is_some_and(|at| now.saturating_duration_since(at) < PERIOD);
        if recent && !at_once {
            return None;
        }
        known.read_at = Some(now);
        Some(known.news.change)
    }

    /// Has the next exchange read what is new.
    pub fn expire(&self) {
        self.known().read_at = None;
    }

    /// Takes in what is new.
    pub fn learn(&self, news: PriceNews) {
        let mut known = self.known();
        if news.change > known.news.change {
            known.news = news;
        }
    }

    /// The number that gateways hear.
    pub fn number(&self, now: Timestamp) -> Option<u64> {
        self.known().news.number(now)
    }

    /// The list, if it is that of the newest change that is known.
    pub fn list(&self) -> Option<Arc<PriceList>> {
        let known = self.known();
        known.list.clone().filter(|list| list.change() >= known.news.change)
    }

    /// Keeps the list.
    pub fn keep(&self, list: &Arc<PriceList>) {
        self.known().list = Some(Arc::clone(list));
    }
}

/// What a gateway hears about the models that it asks for, in their order. It ends early where prices would be too long: the
/// gateway asks for the rest again.
pub fn answers(list: &PriceList, models: &[String], now: Timestamp) -> Vec<ModelAnswer> {
    let mut length = 0_usize;
    let answer = |model: &String| {
        let found = (model.len() <= MAX_ITEM_BYTES).then(|| list.find(model, None, now).ok()).flatten();
        ModelAnswer { prices: found.map(|entry| entry.prices.clone()) }
    };
    let fits = |answer: &ModelAnswer| {
        length = length.saturating_add(serde_json::to_vec(answer).map_or(0, |json| json.len()));
        length <= MAX_ANSWER_BYTES
    };
    models.iter().take(MAX_MODELS).map(answer).take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_looked_at_once_per_period_or_on_request() {
        let (known, start) = (KnownPrices::default(), Instant::now());
        assert_eq!(known.due(start, false), Some(0));
        assert_eq!(known.due(start + PERIOD / 2, false), None);
        assert_eq!(known.due(start + PERIOD / 2, true), Some(0));
        assert_eq!(known.due(start + PERIOD, false), None, "counted from the last look");
        known.learn(PriceNews { change: 3, moments: Vec::new() });
        known.learn(PriceNews { change: 2, moments: Vec::new() });
        assert_eq!(known.due(start + PERIOD * 2, false), Some(3), "an older look changes nothing");
        known.expire();
        assert_eq!(known.due(start + PERIOD * 2, false), Some(3));
        assert!(known.list().is_none());
    }
}
