//! What is known of one connection: what it waits for, since when, and whether it has shown the token.
//!
//! What must hold: every state in which a client can keep the ledger waiting has a deadline. Only answering has none here:
//! a request has a deadline of its own, and audits take long.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long the head of a request may take: from the connection's beginning, or from its own first byte.
pub const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take none of an answer.
pub const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may be idle on which no token was shown. Between the usual intervals of health checks,
/// so that none of them comes just when it is closed.
pub const STRANGER_IDLE: Duration = Duration::from_secs(45);
/// How long a connection may be idle on which the token was shown. Longer than Envoy keeps one, which is an hour: so
/// that Envoy closes it, and no message crosses its end.
pub const TRUSTED_IDLE: Duration = Duration::from_mins(75);
/// How long the rest of a refused request is read and dropped, so that its client can read why.
pub const LINGER: Duration = Duration::from_secs(2);
/// What is left of [`HEAD_PATIENCE`] when the ledger shuts down.
pub const HEAD_PATIENCE_AT_END: Duration = Duration::from_millis(500);

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The TLS handshake, which has a deadline of its own.
    Handshake,
    /// The head of a request.
    Head,
    /// The rest of a request, or the ledger's answer.
    Answer,
    /// The next request.
    Idle,
    /// The client's end of it.
    Closing,
}

/// Why the ledger closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The listener was full.
    Full,
    /// Its address had too many without a token.
    Peer,
    /// The client was too slow.
    Slow,
    /// It was idle for too long.
    Idle,
    /// The client was answered, and didn't close it.
    Answered,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Full, Self::Peer, Self::Slow, Self::Idle, Self::Answered];

    /// As it is written in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Peer => "peer",
            Self::Slow => "slow",
            Self::Idle => "idle",
            Self::Answered => "answered",
        }
    }
}

/// Where a client comes from: its address, or of IPv6 the network, in which one client may have any address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer(IpAddr);

impl Peer {
    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        /// The network's half of an address.
        const NETWORK: u128 = !0 << 64;
        match address.to_canonical() {
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() & NETWORK).into()),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// When the client last accepted response bytes.
    stalled: Option<Instant>,
    is_trusted: bool,
    /// Whether something of a request may still be on its way that nothing will read.
    is_unread: bool,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    /// Its client.
    pub address: SocketAddr,
    state: Mutex<State>,
    close: Notify,
}

impl Connection {
    /// A new one.
    pub fn new(address: SocketAddr, phase: Phase, now: Instant) -> Self {
        let state = State { phase, since: now, stalled: None, is_trusted: false, is_unread: true };
        Self { address, state: Mutex::new(state), close: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It goes from one phase, if it is in that, to another.
    pub fn turn(&self, from: Phase, to: Phase, now: Instant) {
        let mut state = self.state();
        if state.phase == from {
            (state.phase, state.since) = (to, now);
            state.is_unread |= to == Phase::Head;
        }
    }

    /// A request has come, and perhaps a body after it.
    pub fn begin_answer(&self, has_body: bool, now: Instant) {
        let mut state = self.state();
        (state.phase, state.since, state.is_unread) = (Phase::Answer, now, has_body);
    }

    /// The body has been read.
    pub fn body_read(&self) {
        self.state().is_unread = false;
    }

    /// The ledger shuts down: unless a request is being answered, its end needs no ceremony.
    pub fn end(&self) {
        let mut state = self.state();
        state.is_unread &= matches!(state.phase, Phase::Answer | Phase::Closing);
    }

    /// The client takes what is written, or doesn't.
    pub fn writes(&self, is_stalled: bool, now: Instant) {
        let mut state = self.state();
        state.stalled = if is_stalled { state.stalled.or(Some(now)) } else { None };
    }

    /// It ends. Whether something of a request may still be on its way.
    pub fn begin_close(&self, now: Instant) -> bool {
        let mut state = self.state();
        if state.phase != Phase::Closing {
            (state.phase, state.since) = (Phase::Closing, now);
        }
        state.is_unread
    }

    /// The token was shown. Whether that is new.
    pub fn trust(&self) -> bool {
        !std::mem::replace(&mut self.state().is_trusted, true)
    }

    /// Since when it is idle.
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.phase == Phase::Idle).then_some(state.since)
    }

    /// Why it must be closed now, if it must.
    pub fn overdue(&self, is_ending: bool, now: Instant) -> Option<Reason> {
        let state = *self.state();
        let past = |since: Instant, patience| now.saturating_duration_since(since) >= patience;
        if state.stalled.is_some_and(|since| past(since, WRITE_PATIENCE)) {
            return Some(Reason::Slow);
        }
        let (patience, reason) = match state.phase {
            Phase::Answer => return None,
            Phase::Handshake if !is_ending => return None,
            Phase::Handshake | Phase::Head if is_ending => (HEAD_PATIENCE_AT_END, Reason::Slow),
            Phase::Handshake | Phase::Head => (HEAD_PATIENCE, Reason::Slow),
            Phase::Idle if state.is_trusted => (TRUSTED_IDLE, Reason::Idle),
            Phase::Idle => (STRANGER_IDLE, Reason::Idle),
            Phase::Closing => (LINGER, Reason::Answered),
        };
        past(state.since, patience).then_some(reason)
    }

    /// Closes it regardless of its state.
    pub fn close(&self) {
        self.close.notify_one();
    }

    /// Ready when it must be closed.
    pub async fn must_close(&self) {
        self.close.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(phase: Phase) -> (Connection, Instant) {
        let now = Instant::now();
        (Connection::new(([127, 0, 0, 1], 9).into(), phase, now), now)
    }

    #[test]
    fn a_waiting_connection_has_a_deadline_in_every_phase() {
        for (phase, patience, reason) in [
            (Phase::Head, HEAD_PATIENCE, Reason::Slow),
            (Phase::Idle, STRANGER_IDLE, Reason::Idle),
            (Phase::Closing, LINGER, Reason::Answered),
        ] {
            let (connection, start) = connection(phase);
            let before = start + patience.saturating_sub(Duration::from_millis(1));
            assert_eq!(connection.overdue(false, before), None, "{phase:?}");
            assert_eq!(connection.overdue(false, start + patience), Some(reason), "{phase:?}");
        }
    }

    #[test]
    fn dripping_bytes_do_not_extend_the_deadline_of_a_request_head() {
        let (connection, start) = connection(Phase::Idle);
        for second in 1..=11 {
            connection.turn(Phase::Idle, Phase::Head, start + Duration::from_secs(second));
        }
        assert_eq!(connection.overdue(false, start + Duration::from_secs(11)), Some(Reason::Slow));
    }

    #[test]
    fn authenticated_connections_may_idle_for_longer_than_an_hour() {
        let (connection, start) = connection(Phase::Idle);
        assert!(connection.trust() && !connection.trust());
        assert_eq!(connection.overdue(false, start + Duration::from_hours(1)), None);
        assert_eq!(connection.overdue(false, start + TRUSTED_IDLE), Some(Reason::Idle));
    }

    #[test]
    fn a_stalled_response_times_out_and_progress_resets_the_deadline() {
        let (connection, start) = connection(Phase::Answer);
        let after = |seconds| start + Duration::from_secs(seconds);
        connection.writes(true, start);
        connection.writes(true, after(29));
        connection.writes(false, after(29));
        assert_eq!(connection.overdue(false, after(3_000)), None);
        connection.writes(true, after(40));
        assert_eq!(
            (connection.overdue(false, after(69)), connection.overdue(false, after(70))),
            (None, Some(Reason::Slow))
        );
    }

    #[test]
    fn an_incomplete_head_does_not_delay_a_shutdown() {
        for phase in [Phase::Handshake, Phase::Head] {
            let (connection, start) = connection(phase);
            assert_eq!(connection.overdue(true, start), None);
            assert_eq!(connection.overdue(true, start + HEAD_PATIENCE_AT_END), Some(Reason::Slow));
        }
    }

    #[test]
    fn a_peer_is_an_ipv4_address_or_an_ipv6_network() {
        let of = |text: &str| Peer::of(text.parse().unwrap());
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:1:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }
}
