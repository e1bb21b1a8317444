//! All models of a list while they are gathered.

use super::draft::Draft;
use super::imported::{ImportError, Imported, MAX_MODELS, Reason};
use super::names::{Row, named};
use jiff::Timestamp;

/// What was gathered so far.
#[derive(Debug, Default)]
pub struct Collection {
    rows: Vec<Row>,
    skipped: Vec<Reason>,
    notes: Vec<Reason>,
    count: usize,
}

impl Collection {
    /// Adds what a provider's model costs from a time on, or the reason why it can't be charged for.
    ///
    /// # Errors
    /// If there are too many.
    pub fn add(
        &mut self,
        (provider, model): (&str, &str),
        valid_from: Option<Timestamp>,
        draft: &Draft,
    ) -> Result<(), ImportError> {
        self.count = self.count.saturating_add(1);
        if self.count > MAX_MODELS {
            return Err(ImportError::TooMany);
        }
        let name = format!("{provider}/{model}");
        let reason = |why| Reason { model: name.clone(), why };
        match draft.build() {
            Ok(prices) => {
                self.notes.extend(draft.notes().into_iter().map(reason));
                let (provider, model) = (provider.to_owned(), model.to_owned());
                self.rows.push(Row { provider, model, prices, valid_from });
            }
            Err(why) => self.skipped.push(reason(why)),
        }
        Ok(())
    }

    /// All of it, in order.
    pub fn finish(self) -> Imported {
        let (entries, twice) = named(&self.rows);
        let Self { mut skipped, mut notes, .. } = self;
        notes.extend(twice);
        for reasons in [&mut skipped, &mut notes] {
            reasons.sort();
            reasons.dedup();
        }
        Imported { entries, skipped, notes }
    }
}
