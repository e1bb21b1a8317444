//! How many streams of events are open, of each session and in all.

use std::sync::{Arc, Mutex, PoisonError};

/// The most streams at once, of all operators.
const MAX_STREAMS: usize = 64;
/// The most streams of one session at once. A browser has six connections to a host.
const MAX_OF_SESSION: usize = 4;

/// The streams that are open, by their sessions.
#[derive(Debug, Default)]
pub struct Streams(Mutex<Vec<[u8; 32]>>);

/// The place of a stream among those that are open.
pub struct Place {
    streams: Arc<Streams>,
    session: [u8; 32],
}

impl Streams {
    /// Takes a place, if there is one.
    pub fn enter(self: &Arc<Self>, session: [u8; 32]) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.iter().filter(|of| **of == session).count();
        if open.len() >= MAX_STREAMS || own >= MAX_OF_SESSION {
            return None;
        }
        open.push(session);
        drop(open);
        Some(Place { streams: Arc::clone(self), session })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|of| *of == self.session) {
            open.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_bounded_by_session_and_in_all() {
        let streams = Arc::new(Streams::default());
        let own: Vec<_> = (0..6).filter_map(|_| streams.enter([1; 32])).collect();
        assert_eq!(own.len(), MAX_OF_SESSION);
        let others: Vec<_> = (2..99).filter_map(|other| streams.enter([other; 32])).collect();
        assert_eq!(own.len() + others.len(), MAX_STREAMS);
        drop(own);
        assert!(streams.enter([1; 32]).is_some(), "who goes makes room");
    }
}
