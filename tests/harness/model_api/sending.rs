//! Sends an answer piece by piece, and records what was sent.
//!
//! What must hold: a piece is recorded when it is handed to the connection, never before; and whatever happens to the request, its
//! record says how it ended.

use super::reply::Piece;
use super::{End, Log, Sent};
use axum::body::Body;
use futures_util::TryStreamExt;
use futures_util::stream::unfold;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

/// How long an answer waits for its bytes to leave before its connection breaks.
const BEFORE_A_CUT: Duration = Duration::from_millis(20);

/// The place of a request in the log.
pub(super) struct Record {
    log: Log,
    at: usize,
}

impl Record {
    /// A request has arrived.
    pub fn new(log: Log, path: String, headers: BTreeMap<String, String>) -> Self {
        let sent = Sent {
            path,
            headers,
            body: Vec::new(),
            status: 0,
            usage: None,
            tier: None,
            text_bytes: 0,
            end: End::Running,
        };
        let at = {
            let mut all = log.lock().expect("not poisoned");
            all.push(sent);
            all.len() - 1
        };
        Self { log, at }
    }

    /// Changes what is recorded.
    pub fn note(&self, change: impl FnOnce(&mut Sent)) {
        change(&mut self.log.lock().expect("not poisoned")[self.at]);
    }
}

impl Drop for Record {
    /// What is dropped before its end has lost its client.
    fn drop(&mut self) {
        self.note(|sent| {
            if sent.end == End::Running {
                sent.end = End::ClientLeft;
            }
        });
    }
}

/// An answer on its way.
pub(super) struct Sending {
    pub record: Record,
    pub rest: VecDeque<Piece>,
    pub pause: Duration,
    /// The connection breaks at the end.
    pub broken: bool,
    pub begun: bool,
    /// The head says how long it is, so nobody asks for more than that.
    pub sized: bool,
}

impl Sending {
    /// The pieces as they are sent.
    pub fn body(self) -> Body {
        let pieces = unfold(self, |mut sending| async move {
            let is_first = !std::mem::replace(&mut sending.begun, true);
            if !is_first && !sending.pause.is_zero() && !sending.rest.is_empty() {
                tokio::time::sleep(sending.pause).await;
            }
            let Some(piece) = sending.rest.pop_front() else {
                if sending.broken {
                    // What was sent before leaves the connection's buffer.
                    tokio::time::sleep(BEFORE_A_CUT).await;
                }
                let end = if sending.broken { End::Cut } else { End::Finished };
                sending.record.note(|sent| sent.end = end);
                return (end == End::Cut).then_some((Err(io::ErrorKind::ConnectionReset), sending));
            };
            sending.record.note(|sent| {
                sent.text_bytes += piece.text;
                sent.usage = piece.usage.or(sent.usage);
                if sending.sized && !sending.broken && sending.rest.is_empty() {
                    sent.end = End::Finished;
                }
            });
            Some((Ok(piece.bytes), sending))
        });
        Body::from_stream(pieces.map_err(io::Error::from))
    }
}
