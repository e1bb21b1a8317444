//! The connections of one listener: how many there are, and which of them must end when there are too many.
//!
//! On a connection that has shown the token its client is trusted; all others are strangers, health probes included. What must
//! hold: there are never more than the most, a newcomer gets in as long as anybody else can be closed for it, and strangers
//! go first: of the address that has the most of them the oldest.

use super::connection::{Connection, Peer, Phase, Reason};
use crate::log_limit::LogLimit;
use crate::metrics::{ListenerName, Metrics};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The most connections of one listener.
pub const MAX_CONNECTIONS: usize = 1_024;
/// The share of connections, as one in this many, that one address may hold without authentication.
const STRANGERS_PER_PEER: usize = 4;

/// The connections of a listener.
#[derive(Debug)]
pub struct Connections {
    listener: ListenerName,
    most: usize,
    metrics: Arc<Metrics>,
    open: Mutex<Open>,
    log: LogLimit,
    accept_log: LogLimit,
}

/// Those that are open, by the order in which they came.
#[derive(Debug, Default)]
struct Open {
    next: u64,
    all: BTreeMap<u64, Arc<Connection>>,
    strangers: BTreeMap<Peer, BTreeSet<u64>>,
    is_ending: bool,
}

/// Whether there is room for one more.
#[derive(Debug, PartialEq, Eq)]
enum Room {
    Free,
    /// If this one is closed.
    Instead(u64, Reason),
    /// All connections are busy with authenticated requests.
    Full,
}

impl Open {
    fn room(&self, peer: Peer, most: usize) -> Room {
        let mine = self.strangers.get(&peer);
        if let Some(oldest) =
            mine.filter(|mine| mine.len() >= most.div_ceil(STRANGERS_PER_PEER)).and_then(BTreeSet::first)
        {
            return Room::Instead(*oldest, Reason::Peer);
        }
        if self.all.len() < most {
            return Room::Free;
        }
        self.expendable().map_or(Room::Full, |number| Room::Instead(number, Reason::Full))
    }

    /// The one that is missed least: a stranger, else the one that is idle for the longest.
    fn expendable(&self) -> Option<u64> {
        let most = self
            .strangers
            .values()
            .filter_map(|theirs| Some((theirs.len(), Reverse(*theirs.first()?))))
            .max();
        let idle = || {
            self.all.iter().filter_map(|(number, connection)| Some((connection.idle_since()?, *number))).min()
        };
        most.map(|(_, Reverse(oldest))| oldest).or_else(|| idle().map(|(_, number)| number))
    }

    fn forget(&mut self, number: u64) -> Option<Arc<Connection>> {
        let connection = self.all.remove(&number)?;
        self.is_no_stranger(number, Peer::of(connection.address.ip()));
        Some(connection)
    }

    fn is_no_stranger(&mut self, number: u64, peer: Peer) {
        if let Some(theirs) = self.strangers.get_mut(&peer) {
            theirs.remove(&number);
            if theirs.is_empty() {
                self.strangers.remove(&peer);
            }
        }
    }
}

impl Connections {
    /// None yet, and so many at most.
    pub fn new(listener: ListenerName, most: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        let (log, accept_log) = (LogLimit::default(), LogLimit::default());
        Arc::new(Self { listener, most, metrics, open: Mutex::default(), log, accept_log })
    }

    /// The most there may be.
    pub fn most(&self) -> usize {
        self.most
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new one in, and has another closed for it if it must; `None` when none can be.
    pub fn admit(
        self: &Arc<Self>,
        address: SocketAddr,
        phase: Phase,
        now: Instant,
    ) -> Option<ConnectionSlot> {
        let peer = Peer::of(address.ip());
        let mut open = self.open();
        match open.room(peer, self.most) {
            Room::Free => {}
            Room::Instead(number, reason) => self.close(&mut open, number, reason, now),
            Room::Full => {
                drop(open);
                self.refuse(address, now);
                return None;
            }
        }
        let number = open.next;
        open.next = open.next.saturating_add(1);
        let connection = Arc::new(Connection::new(address, phase, now));
        open.all.insert(number, Arc::clone(&connection));
        open.strangers.entry(peer).or_default().insert(number);
        self.count(&open);
        drop(open);
        Some(ConnectionSlot { number, connection, connections: Arc::clone(self) })
    }

    /// The system has no room for one more: closes the one that is missed least.
    pub fn make_room(&self, why: &io::Error, now: Instant) {
        if let Some(others) = self.accept_log.permits(now) {
            let listener = self.listener.as_str();
            tracing::error!(listener, cause = %why, others, "a connection can't be accepted; raise the limit of open files (LimitNOFILE, ulimit -n)");
        }
        let mut open = self.open();
        if let Some(number) = open.expendable() {
            self.close(&mut open, number, Reason::Full, now);
        }
    }

    /// Closes those whose deadline has passed.
    pub fn sweep(&self, now: Instant) {
        let mut open = self.open();
        let is_ending = open.is_ending;
        let overdue = |(number, connection): (&u64, &Arc<Connection>)| {
            Some((*number, connection.overdue(is_ending, now)?))
        };
        let overdue: Vec<(u64, Reason)> = open.all.iter().filter_map(overdue).collect();
        for (number, reason) in overdue {
            self.close(&mut open, number, reason, now);
        }
    }

    /// From now on half a head is waited for no longer.
    pub fn end(&self) {
        self.open().is_ending = true;
    }

    fn close(&self, open: &mut Open, number: u64, reason: Reason, now: Instant) {
        let Some(connection) = open.forget(number) else { return };
        connection.close();
        self.count(open);
        self.metrics.connection_closed(self.listener, reason);
        if let Some(why) = reason.at_the_limit()
            && let Some(others) = self.log.permits(now)
        {
            let (listener, peer, open) = (self.listener.as_str(), connection.address, open.all.len());
            tracing::warn!(listener, %peer, open, others, "a connection was closed for a new one: {why}");
        }
    }

    fn refuse(&self, peer: SocketAddr, now: Instant) {
        self.metrics.connection_refused(self.listener);
        if let Some(others) = self.log.permits(now) {
            let (listener, open) = (self.listener.as_str(), self.most);
            tracing::warn!(listener, %peer, open, others, "a new connection was refused: all others are busy; run more ledgers");
        }
    }

    fn count(&self, open: &Open) {
        self.metrics.connections(self.listener, open.all.len());
    }
}

impl Reason {
    /// What limit it names, if it is one.
    const fn at_the_limit(self) -> Option<&'static str> {
        match self {
            Self::Full => Some("the listener has its most connections"),
            Self::Peer => Some("its address has too many that have not shown the token"),
            Self::Slow | Self::Idle | Self::Answered => None,
        }
    }
}

/// A connection's entry, which ends with it.
#[derive(Debug)]
pub struct ConnectionSlot {
    number: u64,
    /// The connection.
    pub connection: Arc<Connection>,
    connections: Arc<Connections>,
}

impl ConnectionSlot {
    /// The token was shown.
    pub fn trust(&self) {
        if self.connection.trust() {
            self.connections.open().is_no_stranger(self.number, Peer::of(self.connection.address.ip()));
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        if open.forget(self.number).is_some() {
            self.connections.count(&open);
        }
    }
}

#[cfg(test)]
mod tests;
