//! Requests that wait for the ledger, per payer, first come first served.

use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::SortedMap;
use crate::decide::lease::credential::Credential;
use crate::decide::request::quote::{Quote, Unquoted};
use faregate_protocol::Credits;
use std::mem::take;
use std::rc::Rc;

/// The most requests that may wait on one worker; more are refused at once.
pub const MAX_WAITING: usize = 10_000;
/// After an answer that helps no request and gives no reason, the ledger is asked again after this (ms).
pub(super) const AGAIN_MS: u64 = 20;

/// A waiting request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// The request's context, by which the host finds it again.
    pub context: u32,
    /// The number of its rule.
    pub rule: usize,
    /// What it costs.
    pub price: Credits,
    /// Whether it only asks for its sender's status, and costs nothing.
    pub view: bool,
    /// How long it waits for credits that are on their way.
    pub waits_until: Moment,
    /// When it is given up in any case.
    pub deadline: Moment,
    /// The credential to try if the ledger doesn't know its first one.
    pub fallback: Option<Credential>,
    /// What it is charged, if its body decides that.
    pub quote: Option<Rc<Quote>>,
}

/// A request that waits for a model's prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelWaiter {
    /// The request's context, by which the host finds it again.
    pub context: u32,
    /// The name of the model that was looked up.
    pub model: String,
    /// When it is given up.
    pub deadline: Moment,
    /// What is needed to decide about it.
    pub unquoted: Box<Unquoted>,
}

/// All waiting requests of one payer.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The payer's credential.
    pub credential: Credential,
    /// In order of arrival; never empty.
    pub waiters: Vec<Waiter>,
    /// The ledger is not asked before this.
    pub ask_at: Moment,
    /// Whether a message that asks for them is in flight.
    pub asked: bool,
    /// How many answers brought too little and gave no reason.
    pub rounds: u32,
}

impl Queue {
    /// Asks again, the first time at once: another worker's requests may have taken what was granted for these.
    pub(super) fn ask_again(&mut self, now: Moment) {
        self.ask_at = if self.rounds == 0 { now } else { now.plus_millis(AGAIN_MS) };
        self.rounds += 1;
    }
}

/// All waiting requests, by the name of their lease.
#[derive(Debug, Default)]
pub struct Waiting {
    queues: SortedMap<Queue>,
    /// In the queues, and elsewhere.
    count: usize,
}

impl Waiting {
    /// Adds a request; returns false when there is no room.
    pub fn push(&mut self, lease: &str, credential: Credential, waiter: Waiter) -> bool {
        if !self.has_room() {
            return false;
        }
        let queue = self.queues.entry(lease, || Queue {
            credential,
            waiters: Vec::new(),
            ask_at: Moment::ZERO,
            asked: false,
            rounds: 0,
        });
        if let Some(queue) = queue {
            queue.waiters.push(waiter);
            self.count += 1;
        }
        true
    }

    /// Whether one more request may wait.
    pub(super) fn has_room(&self) -> bool {
        self.count < MAX_WAITING
    }

    /// Counts requests that wait elsewhere: for a model's prices.
    pub(super) fn add_others(&mut self, count: usize) {
        self.count = self.count.saturating_add(count);
    }

    /// They no longer wait there.
    pub(super) fn remove_others(&mut self, count: usize) {
        self.count = self.count.saturating_sub(count);
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The payers to ask the ledger about now: at most `most`, each with the cheapest price and the sum of its waiting
    /// requests. They count as asked from here on.
    pub fn ask(&mut self, now: Moment, most: usize) -> Vec<(String, Credential, Credits, Credits)> {
        let due = self.queues.iter_from("").filter(|(_, queue)| !queue.asked && queue.ask_at <= now);
        let asking: Vec<_> = due
            .take(most)
            .map(|(lease, queue)| {
                let prices = || queue.waiters.iter().filter(|waiter| !waiter.view).map(|waiter| waiter.price);
                let least = prices().min().unwrap_or_default();
                let sum = prices().fold(Credits::ZERO, Credits::saturating_add);
                (lease.to_owned(), queue.credential.clone(), least, sum)
            })
            .collect();
        for (lease, ..) in &asking {
            if let Some(queue) = self.queues.get_mut(lease) {
                queue.asked = true;
            }
        }
        asking
    }

    /// Removes requests for the view from a queue; they are no longer counted.
    pub fn take_views(queue: &mut Queue) -> Vec<Waiter> {
        let (views, others) = take(&mut queue.waiters).into_iter().partition(|waiter| waiter.view);
        queue.waiters = others;
        views
    }

    /// Takes a payer's queue out, to serve it; [`Waiting::put_back`] takes what is left.
    pub fn take(&mut self, lease: &str) -> Option<Queue> {
        let queue = self.queues.remove(lease)?;
        self.count -= queue.waiters.len();
        Some(queue)
    }

    /// Puts requests back that continue to wait.
    pub fn put_back(&mut self, lease: &str, queue: Queue) {
        if !queue.waiters.is_empty() {
            self.count += queue.waiters.len();
            self.queues.insert(lease, queue);
        }
    }

    /// Removes every request whose deadline has passed, with the name of its lease.
    pub fn expire(&mut self, now: Moment) -> Vec<(String, Waiter)> {
        let late = |queue: &Queue| queue.waiters.iter().any(|waiter| waiter.deadline <= now);
        let leases: Vec<String> = self
            .queues
            .iter_from("")
            .filter(|(_, queue)| late(queue))
            .map(|(lease, _)| lease.to_owned())
            .collect();
        let mut over = Vec::new();
        for lease in leases {
            let Some(mut queue) = self.take(&lease) else {
                continue;
            };
            let (stay, go): (Vec<_>, Vec<_>) =
                take(&mut queue.waiters).into_iter().partition(|waiter| now < waiter.deadline);
            queue.waiters = stay;
            self.put_back(&lease, queue);
            over.extend(go.into_iter().map(|waiter| (lease.clone(), waiter)));
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_past_their_deadline_stop_waiting() {
        let at = |ms| Moment::from_nanos(1).plus_millis(ms);
        let mut waiting = Waiting::default();
        for (lease, context, deadline) in [("a", 1, 10), ("a", 2, 20), ("b", 3, 10)] {
            assert_eq!(waiting.len(), context as usize - 1);
            let deadline = at(deadline);
            let waiter = Waiter {
                context,
                rule: 0,
                price: Credits::ZERO,
                view: false,
                waits_until: deadline,
                deadline,
                fallback: None,
                quote: None,
            };
            assert!(waiting.push(lease, Credential::Key(lease.into()), waiter));
        }
        let mut expired = |ms| -> (Vec<u32>, usize, bool) {
            let over = waiting.expire(at(ms)).into_iter().map(|(_, waiter)| waiter.context).collect();
            (over, waiting.len(), waiting.is_empty())
        };
        assert_eq!(expired(9), (vec![], 3, false));
        assert_eq!(expired(10), (vec![1, 3], 1, false));
        assert_eq!(expired(19), (vec![], 1, false));
        assert_eq!(expired(20), (vec![2], 0, true));
    }
}
