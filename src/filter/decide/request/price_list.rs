//! A cache of rendered price lists, shared by callers with the same prices: with a thousand rules one has 150 kB.
//!
//! What must hold: a cached list equals the one that would be rendered for this caller. So each is kept together with the
//! terms that it was rendered from, which are compared in full; nothing else of a caller goes into it, and a gate's rules
//! never change. The cache is small, in number and in size.

use crate::decide::base::bytes::{mixed, same};

/// How many lists are cached: one for each plan with prices of its own, and one for all others.
const MOST_LISTS: usize = 16;
/// How large all of them together may be (bytes), unless it is only one. Terms have at most 5 kB each.
const MOST_BYTES: usize = 1 << 20;

/// The lists that are kept.
#[derive(Debug, Default)]
pub struct PriceLists(Vec<PriceList>);

#[derive(Debug)]
struct PriceList {
    terms: Vec<u8>,
    text: String,
    version: u64,
}

impl PriceLists {
    /// The list for callers with these terms, and a hash of it. It is rendered if it isn't cached.
    pub fn of(&mut self, terms: Vec<u8>, write: impl FnOnce(&[u8]) -> String) -> (&str, u64) {
        let known = self.0.iter().position(|list| same(&list.terms, &terms));
        let at = known.unwrap_or_else(|| {
            let text = write(&terms);
            let size: usize = self.0.iter().map(|list| list.text.len()).sum();
            if self.0.len() >= MOST_LISTS || size.saturating_add(text.len()) > MOST_BYTES {
                // Evicted lists are rendered again on demand.
                self.0.clear();
            }
            self.0.push(PriceList { terms, version: mixed(text.as_bytes()), text });
            self.0.len() - 1
        });
        self.0.get(at).map_or(("", 0), |list| (&list.text, list.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_price_list_cache_is_correct_and_bounded(
            asked in proptest::collection::vec((0_u8..40, 0_usize..300_000), 1..80),
        ) {
            let mut lists = PriceLists::default();
            let mut last = None;
            for (number, _) in &asked {
                // The same terms have the same list; the first is larger than all may be.
                let size = asked.iter().find(|(other, _)| number == other).map_or(0, |(_, size)| *size);
                let meant = format!("[{number}{}]", " ".repeat(if *number == 0 { MOST_BYTES } else { size }));
                let mut written = 0;
                let (text, version) = lists.of(vec![*number], |terms| {
                    assert_eq!(terms, [*number]);
                    written += 1;
                    meant.clone()
                });
                prop_assert!(text == meant && version == mixed(meant.as_bytes()));
                prop_assert!(written == 0 || last != Some(*number), "it was written a moment ago");
                last = Some(*number);
                let size: usize = lists.0.iter().map(|list| list.text.len()).sum();
                prop_assert!(lists.0.len() <= MOST_LISTS && (size <= MOST_BYTES || lists.0.len() == 1));
            }
        }
    }
}
