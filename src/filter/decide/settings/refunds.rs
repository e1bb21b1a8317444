//! Which answers release a charge: by their HTTP status, by their gRPC status, or because the API was never asked.

/// What `grpc:` takes in `refund_on`, by number (see grpc.github.io/grpc/core/md_doc_statuscodes.html).
pub const GRPC_CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
const UNAVAILABLE: u8 = 14;

/// What a rule's `refund_on` lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refunds {
    statuses: StatusSet,
    /// One bit for each number of [`GRPC_CODES`].
    grpc: u32,
    unserved: bool,
    /// Whether there is any, and any HTTP status below 300: each request asks.
    any: bool,
    success: bool,
}

impl Refunds {
    /// What holds where nothing is configured: the API could not be reached, or a proxy answered in its place.
    pub fn usual() -> Self {
        let mut refunds = Self::default();
        for status in [502, 503, 504] {
            refunds.add_status(status);
        }
        refunds.add_grpc(UNAVAILABLE);
        refunds.add_unserved();
        refunds
    }

    /// What holds for models where nothing is configured: any error.
    pub fn usual_of_models() -> Self {
        let mut refunds = Self::usual();
        (400..600).for_each(|status| refunds.add_status(status));
        refunds
    }

    /// Adds an HTTP status; one outside of 100 to 599 is in no set.
    pub fn add_status(&mut self, status: u16) {
        let added = self.statuses.insert(status);
        self.any |= added;
        self.success |= added && status < 300;
    }

    /// Adds a gRPC status by its number.
    pub fn add_grpc(&mut self, code: u8) {
        self.grpc |= grpc_bit(code);
        self.any |= grpc_bit(code) != 0;
    }

    /// Adds answers of Envoy's own to requests that never reached the API.
    pub fn add_unserved(&mut self) {
        (self.unserved, self.any) = (true, true);
    }

    /// Whether nothing is listed, so that the answer need not be read.
    pub fn is_empty(&self) -> bool {
        !self.any
    }

    /// Whether any HTTP status below 300 is listed.
    pub fn has_success(&self) -> bool {
        self.success
    }

    /// Whether this HTTP status is listed.
    pub fn has_status(&self, status: u16) -> bool {
        self.statuses.contains(status)
    }

    /// Whether this gRPC status is listed.
    pub fn has_grpc(&self, code: u8) -> bool {
        self.grpc & grpc_bit(code) != 0
    }

    /// Whether any gRPC status is listed, so that trailers have to be read.
    pub fn reads_trailers(&self) -> bool {
        self.grpc != 0
    }

    /// Whether answers to requests that never reached the API are listed.
    pub fn has_unserved(&self) -> bool {
        self.unserved
    }
}

fn grpc_bit(code: u8) -> u32 {
    if usize::from(code) < GRPC_CODES.len() { 1 << code } else { 0 }
}

/// A set of HTTP statuses from 100 to 599.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct StatusSet {
    bits: [u64; 8],
}

impl StatusSet {
    /// Adds a status. Returns whether it can be in a set.
    fn insert(&mut self, status: u16) -> bool {
        let Some(number) = status.checked_sub(100).filter(|number| *number < 500) else {
            return false;
        };
        self.bits.get_mut(usize::from(number / 64)).map(|word| *word |= 1 << (number % 64)).is_some()
    }

    fn contains(&self, status: u16) -> bool {
        let Some(number) = status.checked_sub(100) else {
            return false;
        };
        self.bits.get(usize::from(number / 64)).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn the_refund_set_contains_exactly_what_was_added(
            statuses in proptest::collection::btree_set(0_u16..800, 0..20), codes in proptest::collection::btree_set(0_u8..40, 0..5), unserved: bool,
        ) {
            let mut refunds = Refunds::default();
            for status in &statuses {
                refunds.add_status(*status);
            }
            for code in &codes {
                refunds.add_grpc(*code);
            }
            if unserved {
                refunds.add_unserved();
            }
            let wanted: BTreeSet<u16> = statuses.into_iter().filter(|status| (100..600).contains(status)).collect();
            let codes: BTreeSet<u8> = codes.into_iter().filter(|code| *code <= 16).collect();
            prop_assert_eq!((0..1_000).filter(|status| refunds.has_status(*status)).collect::<BTreeSet<_>>(), wanted.clone());
            prop_assert_eq!((0..=255).filter(|code| refunds.has_grpc(*code)).collect::<BTreeSet<_>>(), codes.clone());
            prop_assert_eq!((refunds.has_unserved(), refunds.reads_trailers()), (unserved, !codes.is_empty()));
            prop_assert_eq!(refunds.has_success(), wanted.iter().any(|status| *status < 300));
            prop_assert_eq!(refunds.is_empty(), wanted.is_empty() && codes.is_empty() && !unserved);
        }
    }
}
