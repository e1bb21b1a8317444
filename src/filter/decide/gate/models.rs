//! What one worker knows of models' prices, and the requests that wait for some.
//!
//! An answer is kept, also one that there is no price, and used until a newer one comes. What must hold: at most [`MAX_KNOWN`]
//! models are kept, and none is dropped that requests wait for or that a message in flight asks for; a model is in at most one
//! message in flight; prices that were answered under an older number of the price list never replace newer ones.

use super::waiting::ModelWaiter;
use crate::decide::base::moment::Moment;
use faregate_protocol::exchange::{MAX_ITEM_BYTES, MAX_MODELS, ModelAnswer};
use faregate_protocol::prices::ModelPrices;
use std::mem::take;
use std::rc::Rc;

/// The most models that a worker keeps.
pub const MAX_KNOWN: usize = 256;
/// A model without a price is asked for again after this at the earliest (ms).
const UNPRICED_MS: u64 = 5_000;
/// A model that an answer left out is asked for again after this (ms).
const SHORT_MS: u64 = 50;
/// How often that is doubled at most, while answers leave out all models.
const MOST_DOUBLED: u32 = 5;
/// The same after an answer from a ledger that didn't know the newest change (ms).
const OLDER_MS: u64 = 200;
/// The same after a message that failed (ms).
const LOST_MS: u64 = 1_000;
/// A model that no request used for this long is dropped (ms).
const UNUSED_MS: u64 = 10 * 60 * 1_000;
/// Behind every moment that a clock gives.
const NEVER: Moment = Moment::from_nanos(u64::MAX);

/// What the gate knows of a model's prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelLookup {
    /// These.
    Known(Rc<ModelPrices>),
    /// The ledger's price list has none.
    Unpriced,
    /// Nothing yet; the ledger is asked for them.
    NotYet,
}

/// A request that no longer waits, and what there is to know now; nothing if the ledger didn't say.
pub(super) type Answered = (ModelWaiter, Option<ModelLookup>);

/// One model.
#[derive(Debug, Default)]
struct Model {
    name: String,
    /// As they were answered; none while nothing was, or if there is no price.
    prices: Option<Rc<ModelPrices>>,
    /// The number of the price list under which that was answered.
    number: Option<u64>,
    /// It isn't asked for before this.
    ask_at: Moment,
    used_at: Moment,
    /// Whether a message in flight asks for it.
    asked: bool,
    /// How many requests wait for it.
    waiters: usize,
}

impl Model {
    fn lookup(&self) -> ModelLookup {
        match (&self.prices, self.number) {
            (Some(prices), _) => ModelLookup::Known(Rc::clone(prices)),
            (None, Some(_)) => ModelLookup::Unpriced,
            (None, None) => ModelLookup::NotYet,
        }
    }

    fn is_needed(&self) -> bool {
        self.asked || self.waiters > 0
    }
}

/// What a worker has seen of the number that all workers share.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SharedNews {
    /// When it was read.
    pub(super) looked_at: Moment,
    pub(super) number: u64,
    /// When it was heard from the ledger.
    pub(super) heard_at: Moment,
}

/// The models that a worker knows.
#[derive(Debug, Default)]
pub struct Models {
    /// In the order in which they were used, the last one last: the models that are used now are found at once. A map of them would
    /// make the filter ten kilobytes larger.
    known: Vec<Model>,
    waiting: Vec<ModelWaiter>,
    /// The number of the newest change that was heard of.
    newest: u64,
    /// No model is to be asked for before this.
    due_at: Moment,
    /// Asks for a model although its prices are up to date, to hear the number.
    polls: bool,
    /// How often in a row answers left out all models.
    short: u32,
    pub(super) shared: SharedNews,
}

impl Models {
    /// Whether no model is known or asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The number of the newest change that was heard of.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether something may have to be asked now.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.due_at <= now
    }

    /// The prices of a model, which a request wants to use.
    pub(super) fn lookup(&mut self, now: Moment, name: &str) -> ModelLookup {
        if !(1..=MAX_ITEM_BYTES).contains(&name.len()) {
            return ModelLookup::Unpriced;
        }
        let place = self.known.iter().rposition(|model| model.name == name);
        let mut model = match place {
            Some(place) => self.known.remove(place),
            None if self.known.len() >= MAX_KNOWN && !self.drop_one() => return ModelLookup::NotYet,
            None => {
                self.due_at = Moment::ZERO;
                Model { name: name.to_owned(), ..Model::default() }
            }
        };
        model.used_at = now;
        let lookup = model.lookup();
        self.known.push(model);
        lookup
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Model> {
        self.known.iter_mut().rfind(|model| model.name == name)
    }

    /// Makes room: names that have no price go first, because callers can make up any number of them.
    fn drop_one(&mut self) -> bool {
        let free = |model: &Model| !model.is_needed();
        let unpriced = self.known.iter().position(|model| free(model) && model.prices.is_none());
        let place = unpriced.or_else(|| self.known.iter().position(free));
        place.map(|place| self.known.remove(place)).is_some()
    }

    /// Drops the models that no request has used for a while.
    pub(super) fn drop_unused(&mut self, now: Moment) {
        self.known.retain(|model| model.is_needed() || now.millis_since(model.used_at) < UNUSED_MS);
    }

    /// Makes a request wait for a model that was just looked up; gives it back if there was no room for the model.
    pub(super) fn wait(&mut self, waiter: ModelWaiter) -> Result<(), ModelWaiter> {
        let Some(model) = self.get_mut(&waiter.model) else { return Err(waiter) };
        model.waiters += 1;
        self.waiting.push(waiter);
        Ok(())
    }

    /// Has one model asked for again, for the number that comes with the answer.
    pub(super) fn poll(&mut self) {
        self.polls = true;
    }

    /// The models to ask for now, at most [`MAX_MODELS`], or only those that requests wait for. They count as asked from here on.
    pub(super) fn ask(&mut self, now: Moment, only_awaited: bool) -> Vec<String> {
        let mut names = Vec::new();
        if self.is_due(now) {
            self.due_at = NEVER;
            for model in &mut self.known {
                if model.asked || model.number == Some(self.newest) {
                    continue;
                }
                let is_due = model.ask_at <= now && (!only_awaited || model.waiters > 0);
                if is_due && names.len() < MAX_MODELS {
                    model.asked = true;
                    names.push(model.name.clone());
                } else {
                    self.due_at = self.due_at.min(model.ask_at);
                }
            }
        }
        if take(&mut self.polls) && !only_awaited && names.is_empty() {
            let place = self.known.iter().rposition(|model| !model.asked && model.prices.is_some());
            let place = place.unwrap_or_else(|| self.known.len().saturating_sub(1));
            if let Some(model) = self.known.get_mut(place).filter(|model| !model.asked) {
                model.asked = true;
                names.push(model.name.clone());
            }
        }
        names
    }

    /// Takes in the number of the newest change of the price list: what was answered under another one is asked for again.
    pub(super) fn hear(&mut self, number: u64) {
        if number > self.newest {
            self.newest = number;
            self.due_at = Moment::ZERO;
        }
    }

    /// Takes in what the ledger says of models that it was asked for, under this number. It may say nothing of the last ones.
    /// Gives the requests that waited for them.
    pub(super) fn take_in(
        &mut self,
        now: Moment,
        names: &[String],
        answers: Vec<ModelAnswer>,
        number: u64,
    ) -> Vec<Answered> {
        if names.is_empty() {
            return Vec::new();
        }
        self.short = if answers.is_empty() { self.short.saturating_add(1) } else { 0 };
        let pause = SHORT_MS << self.short.saturating_sub(1).min(MOST_DOUBLED);
        let newest = self.newest;
        let mut answers = answers.into_iter();
        for name in names {
            let answer = answers.next();
            let Some(model) = self.get_mut(name) else { continue };
            model.asked = false;
            let wait = match answer {
                None => pause,
                Some(_) if model.number.is_some_and(|known| number < known) => OLDER_MS,
                Some(ModelAnswer { prices }) => {
                    model.prices = prices.map(Rc::new);
                    model.number = Some(number);
                    match model.prices {
                        None => UNPRICED_MS,
                        Some(_) if number < newest => OLDER_MS,
                        Some(_) => 0,
                    }
                }
            };
            model.ask_at = now.plus_millis(wait);
        }
        self.due_at = Moment::ZERO;
        self.resolve(false, &|waiter| names.contains(&waiter.model))
    }

    /// A message that asked for these models has failed; `again` if it is sent again at once. Gives the requests that give up.
    pub(super) fn lose(&mut self, now: Moment, names: &[String], again: bool) -> Vec<Answered> {
        if names.is_empty() {
            return Vec::new();
        }
        for name in names {
            if let Some(model) = self.get_mut(name) {
                model.asked = false;
                model.ask_at = if again { now } else { now.plus_millis(LOST_MS) };
            }
        }
        self.due_at = Moment::ZERO;
        if again {
            return Vec::new();
        }
        let given_up = self.resolve(true, &|waiter| names.contains(&waiter.model));
        // What nobody waits for is asked for when the next request needs it.
        let is_over = |model: &Model| model.number.is_none() && model.ask_at > now;
        self.known.retain(|model| model.is_needed() || !is_over(model));
        given_up
    }

    /// The requests whose deadline has passed.
    pub(super) fn expire(&mut self, now: Moment) -> Vec<Answered> {
        if self.waiting.iter().any(|waiter| waiter.deadline <= now) {
            return self.resolve(true, &|waiter| waiter.deadline <= now);
        }
        Vec::new()
    }

    /// Takes out those of these requests whose model was answered, or all of them if they give up.
    fn resolve(&mut self, give_up: bool, which: &dyn Fn(&ModelWaiter) -> bool) -> Vec<Answered> {
        let mut resolved = Vec::new();
        for waiter in take(&mut self.waiting) {
            let model = if which(&waiter) { self.get_mut(&waiter.model) } else { None };
            let lookup = model.as_ref().map_or(ModelLookup::NotYet, |model| model.lookup());
            match model.filter(|_| give_up || !matches!(lookup, ModelLookup::NotYet)) {
                Some(model) => {
                    model.waiters = model.waiters.saturating_sub(1);
                    let lookup = Some(lookup).filter(|lookup| !matches!(lookup, ModelLookup::NotYet));
                    resolved.push((waiter, lookup));
                }
                None => self.waiting.push(waiter),
            }
        }
        resolved
    }
}
