//! How an admitted request ended, according to Envoy's view of its answer, and whether that releases the charge.
//!
//! What must hold: work that the API did is charged, work that it never did can be released; and an answer that Envoy
//! passes on unchanged costs one read of its headers.

use crate::decide::base::bytes::same;
use crate::decide::base::head::Walk;
use crate::decide::settings::refunds::Refunds;

const GRPC_STATUS: &[u8] = b"grpc-status";
/// The length of `x-envoy-upstream-service-time`, by which Envoy's router marks what comes from upstream. The end of the name
/// is looked at besides: answers of Envoy's own have no such header.
const SERVICE_TIME: usize = 29;
/// The details of an answer that the upstream gave.
const VIA_UPSTREAM: &[u8] = b"via_upstream";
/// The details of an answer that Envoy's cache filter keeps, or has just stored: it is the API's.
const CACHE: &[u8] = b"cache.";
/// The details of a request that Envoy starts again with another path (an internal redirect), or with other routes.
const INTERNAL_REDIRECT: &[u8] = b"internal_redirect";
/// Behind this the details say how a response broke HTTP.
const RESET: &[u8] = b"upstream_reset_before_response_started{";
const PROTOCOL_ERROR: &[u8] = b"protocol_error";

/// How an admitted request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client got an answer, or a part of it.
    Answered(Answer),
    /// There was no answer, but the API had been asked.
    Cut,
    /// The client disconnected before the API was asked.
    NeverAsked,
}

impl End {
    /// The API answered with this HTTP status.
    pub fn answered(status: u16) -> Self {
        Self::Answered(Answer { status, ..Answer::default() })
    }

    /// Whether this ending releases the charge.
    pub fn releases(&self, refunds: &Refunds) -> bool {
        match self {
            Self::NeverAsked => true,
            Self::Cut => false,
            Self::Answered(answer) => answer.releases(refunds),
        }
    }
}

/// The parts of an answer that matter to a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The gRPC status, of the headers or the trailers.
    pub grpc: Option<u8>,
    /// Its origin.
    pub origin: Origin,
}

impl Default for Answer {
    /// An answer that was not read, because nothing depends on it.
    fn default() -> Self {
        Self { status: 200, grpc: None, origin: Origin::Api }
    }
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the API, or from Envoy after the API was asked.
    Api,
    /// From Envoy, and the API was never asked.
    Unserved,
    /// From Envoy, because it couldn't take the API's answer: that breaks HTTP, or its headers are too large.
    Unreadable,
}

impl Answer {
    /// Reads the headers of an answer. `details` asks Envoy for `response.code_details`, and `reached` whether a connection
    /// to the API stood; both are expensive, so they are asked only where the headers leave it open.
    pub fn read(
        map: &[u8],
        refunds: &Refunds,
        details: impl FnOnce() -> Option<Vec<u8>>,
        reached: impl FnOnce() -> bool,
    ) -> Self {
        let Seen { status, grpc, timed } = Seen::read(map);
        let mut answer = Self { status, grpc, origin: Origin::Api };
        let usual = timed && (200..300).contains(&status);
        let asks = if answer.is_listed(refunds) { status == 502 } else { refunds.has_unserved() && !usual };
        if asks {
            answer.origin = Origin::of(details().as_deref(), reached);
        }
        answer
    }

    fn releases(self, refunds: &Refunds) -> bool {
        match self.origin {
            Origin::Api => self.is_listed(refunds),
            Origin::Unserved => refunds.has_unserved() || self.is_listed(refunds),
            Origin::Unreadable => false,
        }
    }

    /// Whether its HTTP or its gRPC status is listed.
    fn is_listed(self, refunds: &Refunds) -> bool {
        // The usual answer is known at a glance.
        let usual = self.grpc.is_none() && self.status < 300 && !refunds.has_success();
        !usual && (refunds.has_status(self.status) || self.grpc.is_some_and(|code| refunds.has_grpc(code)))
    }
}

impl Origin {
    /// By Envoy's details of the response, and by whether a connection to the API stood.
    pub fn of(details: Option<&[u8]>, reached: impl FnOnce() -> bool) -> Self {
        let details = details.unwrap_or_default();
        if details == VIA_UPSTREAM || details.starts_with(CACHE) {
            return Self::Api;
        }
        if !reached() {
            return Self::Unserved;
        }
        let reset = details.strip_prefix(RESET);
        if reset.is_some_and(|why| why.starts_with(PROTOCOL_ERROR)) { Self::Unreadable } else { Self::Api }
    }
}

/// Whether Envoy goes on with the same request in another stream.
pub fn is_redirected(details: &[u8]) -> bool {
    details == INTERNAL_REDIRECT
}

/// A gRPC status as headers and trailers have it: one or two digits.
pub fn grpc_status(digits: &[u8]) -> Option<u8> {
    match *digits {
        [one @ b'0'..=b'9'] => Some(one - b'0'),
        [ten @ b'1'..=b'9', one @ b'0'..=b'9'] => Some((ten - b'0') * 10 + (one - b'0')),
        _ => None,
    }
}

/// What of an answer's headers matters.
struct Seen {
    status: u16,
    grpc: Option<u8>,
    /// Whether the router reported the upstream's time.
    timed: bool,
}

impl Seen {
    fn read(map: &[u8]) -> Self {
        let mut seen = Self { status: 0, grpc: None, timed: false };
        if let Some(walk) = Walk::over(map) {
            walk.each(|len| matches!(len, 7 | 11 | 29), |name, value| seen.see(name, value));
        }
        seen
    }

    #[inline]
    fn see(&mut self, name: &[u8], value: &[u8]) {
        match name {
            [b':', ..] => self.status = http_status(value),
            [.., b'i', b'c', b'e', b'-', b't', b'i', b'm', b'e'] => self.timed |= name.len() == SERVICE_TIME,
            name if same(name, GRPC_STATUS) => self.grpc = grpc_status(value),
            _ => {}
        }
    }
}

/// A status of three digits; 0 for anything else.
#[inline]
pub fn http_status(digits: &[u8]) -> u16 {
    match *digits {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
