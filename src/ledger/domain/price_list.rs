//! The price list: what each model costs, and from when on.
//!
//! What must hold: a price that was valid at a time stays the answer for that time, whatever is added for later times. A
//! model is found by its exact name or by one that is the same but for one provider's name before it; nothing is guessed, so
//! a model that isn't found is an error to show, and never free.

#[cfg(test)]
mod tests;

use faregate_protocol::exchange::MAX_NAME_BYTES;
use faregate_protocol::prices::{InvalidPrices, ModelPrices};
use jiff::Timestamp;

/// The most entries of a list, of all models and times together.
pub const MAX_LISTED: usize = 50_000;

/// What a model costs from a time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The model's name as in requests (`gpt-5`), or behind its provider's (`openai/gpt-5`).
    pub model: String,
    /// Until the next entry of this model.
    pub prices: ModelPrices,
    /// What the model costs the seller, if that is known.
    pub cost: Option<ModelPrices>,
    /// The first moment.
    pub valid_from: Timestamp,
}

/// A list of prices, by model and time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    /// By model, and those of a model by time; each pair is there once.
    entries: Vec<Listed>,
    /// Where the entries begin of each model that is listed behind a provider's name, by its name without that.
    qualified: Vec<usize>,
    change: u64,
}

/// Why a model has no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPriced {
    /// The list doesn't have it.
    #[error("the price list has no model {model:?}; add it under this name, or under \"provider/{model}\"")]
    Unknown {
        /// What was asked for.
        model: String,
    },
    /// It has prices for later only.
    #[error("the price list has prices for {model:?} only from {from} on; add what it costs until then")]
    NotYet {
        /// What was asked for.
        model: String,
        /// When the first entry begins.
        from: Timestamp,
    },
    /// Several providers have it.
    #[error("the price list has {model:?} of several providers ({}); name the provider, or add an entry {model:?}", names.join(", "))]
    Ambiguous {
        /// What was asked for.
        model: String,
        /// The entries' names.
        names: Vec<String>,
    },
}

/// Why an entry can't be listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidListed {
    /// The name is unusable.
    #[error(
        "{model:?} is no model's name; use 1 to {MAX_NAME_BYTES} bytes without blanks and control characters"
    )]
    Name {
        /// What it says.
        model: String,
    },
    /// The prices are unusable.
    #[error("{model}: {why}")]
    Prices {
        /// Whose.
        model: String,
        /// What is wrong with them.
        why: InvalidPrices,
    },
    /// What the model costs the seller is unusable.
    #[error("{model}: cost: {why}")]
    Cost {
        /// Of which model.
        model: String,
        /// What is wrong with it.
        why: InvalidPrices,
    },
    /// The list is full.
    #[error("the price list would have more than {MAX_LISTED} entries; leave out models that aren't sold")]
    Full,
}

impl Listed {
    /// Whether the entry keeps all limits.
    ///
    /// # Errors
    /// Says what is wrong, and what to do.
    pub fn check(&self) -> Result<(), InvalidListed> {
        let model = || self.model.clone();
        let odd = |c: char| c.is_control() || c.is_whitespace();
        if self.model.is_empty() || self.model.len() > MAX_NAME_BYTES || self.model.chars().any(odd) {
            return Err(InvalidListed::Name { model: model() });
        }
        self.prices.check().map_err(|why| InvalidListed::Prices { model: model(), why })?;
        let cost = self.cost.as_ref().map_or(Ok(()), ModelPrices::check);
        cost.map_err(|why| InvalidListed::Cost { model: model(), why })
    }
}

impl PriceList {
    /// A list as it was stored: at its change number.
    ///
    /// # Errors
    /// As [`PriceList::add`].
    pub fn stored(entries: Vec<Listed>, change: u64) -> Result<Self, InvalidListed> {
        let mut list = Self::default();
        list.add(entries)?;
        list.change = change;
        Ok(list)
    }

    /// The number of the last change: it rises with each one, so two lists with the same number are the same.
    pub fn change(&self) -> u64 {
        self.change
    }

    /// All entries, by model and time.
    pub fn entries(&self) -> &[Listed] {
        &self.entries
    }

    /// Adds entries; one for a model and moment that are listed already takes the old one's place. It is one change,
    /// or none if all is listed already. Returns how many entries are new or different.
    ///
    /// # Errors
    /// If an entry is unusable or there are too many; then nothing is changed.
    pub fn add(&mut self, entries: impl IntoIterator<Item = Listed>) -> Result<usize, InvalidListed> {
        let mut all = self.entries.clone();
        for entry in entries {
            entry.check()?;
            all.push(entry);
        }
        // The sort is stable, so of entries for one model and moment the newest is the last.
        all.sort_by(|one, two| key(one).cmp(&key(two)));
        all.reverse();
        all.dedup_by(|later, kept| key(later) == key(kept));
        all.reverse();
        if all.len() > MAX_LISTED {
            return Err(InvalidListed::Full);
        }
        let known =
            |entry: &Listed| self.position(entry).is_some_and(|at| self.entries.get(at) == Some(entry));
        let changed = all.iter().filter(|entry| !known(entry)).count();
        self.replace(all, changed);
        Ok(changed)
    }

    /// Removes the entries of a model from a moment on, so that none of them ever was. Returns how many.
    pub fn remove(&mut self, model: &str, from: Timestamp) -> usize {
        let (gone, kept): (Vec<_>, Vec<_>) =
            self.entries.iter().cloned().partition(|entry| entry.model == model && entry.valid_from >= from);
        self.replace(kept, gone.len());
        gone.len()
    }

    /// What a model costs at a time. With a provider the entry `provider/model` is looked for first; then `model`; then, if
    /// exactly one provider has it, that provider's.
    ///
    /// # Errors
    /// Says why there is no price, and what to do.
    pub fn find(&self, model: &str, provider: Option<&str>, at: Timestamp) -> Result<&Listed, NotPriced> {
        let qualified = provider.map(|provider| format!("{provider}/{model}"));
        let named = [qualified.as_deref(), Some(model)];
        let exact = named.into_iter().flatten().find(|name| !self.of(name).is_empty());
        let name = match exact {
            Some(name) => name,
            None => self.only_provider(model)?,
        };
        let entries = self.of(name);
        match (entries.iter().rfind(|entry| entry.valid_from <= at), entries.first()) {
            (Some(entry), _) => Ok(entry),
            (None, Some(first)) => Err(NotPriced::NotYet { model: name.to_owned(), from: first.valid_from }),
            (None, None) => Err(NotPriced::Unknown { model: model.to_owned() }),
        }
    }

    /// The entries of exactly this name, by time.
    pub fn of(&self, name: &str) -> &[Listed] {
        let start = self.entries.partition_point(|entry| entry.model.as_str() < name);
        let (_, rest) = self.entries.split_at_checked(start).unwrap_or_default();
        let count = rest.partition_point(|entry| entry.model == name);
        rest.split_at_checked(count).map_or(&[], |(found, _)| found)
    }

    /// The name of a model that is listed for one provider only.
    fn only_provider(&self, model: &str) -> Result<&str, NotPriced> {
        let start = self.qualified.partition_point(|at| without_provider(&self.entries, *at) < Some(model));
        let rest = self.qualified.iter().skip(start);
        let same = rest.take_while(|at| without_provider(&self.entries, **at) == Some(model));
        let names: Vec<_> =
            same.filter_map(|at| self.entries.get(*at)).map(|one| one.model.as_str()).collect();
        match names.as_slice() {
            [] => Err(NotPriced::Unknown { model: model.to_owned() }),
            [one] => Ok(one),
            _ => {
                let names = names.into_iter().map(str::to_owned).collect();
                Err(NotPriced::Ambiguous { model: model.to_owned(), names })
            }
        }
    }

    fn position(&self, entry: &Listed) -> Option<usize> {
        self.entries.binary_search_by(|listed| key(listed).cmp(&key(entry))).ok()
    }

    fn replace(&mut self, entries: Vec<Listed>, changed: usize) {
        if changed > 0 {
            let named = |at: usize| entries.get(at).map(|entry| entry.model.as_str());
            let begins = |at: &usize| at.checked_sub(1).and_then(named) != named(*at);
            let places = (0..entries.len()).filter(begins);
            let mut qualified: Vec<_> =
                places.filter(|at| without_provider(&entries, *at).is_some()).collect();
            qualified.sort_by_key(|at| without_provider(&entries, *at));
            (self.entries, self.qualified) = (entries, qualified);
            self.change = self.change.saturating_add(1);
        }
    }
}

/// The name of an entry's model behind its provider's, if it is listed so.
fn without_provider(entries: &[Listed], at: usize) -> Option<&str> {
    entries.get(at)?.model.split_once('/').map(|(_, rest)| rest)
}

fn key(entry: &Listed) -> (&str, Timestamp) {
    (&entry.model, entry.valid_from)
}
