//! Authentication: a request shows one token, of the environment or of those that the ledger keeps, or it is refused.
//!
//! What must hold: nothing of a token is ever logged; who is refused can't fill the log; no request waits for the database
//! before it is let in.

use super::denial::Denial;
use crate::Secret;
use crate::domain::access::{AccessScope, ROOT, TokenKind};
use crate::log_limit::LogLimit;
use crate::metrics::{ListenerName, Metrics};
use crate::store::tokens::{Invalid, KnownToken, KnownTokens};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Somebody whom a claim of their identity lets in to the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    name: String,
    subject: String,
    scope: AccessScope,
}

impl Person {
    /// Named by the address of their e-mail, if the provider has verified it, else by the subject. No operator can have such a name.
    pub fn new(email: Option<&str>, subject: &str, scope: AccessScope) -> Self {
        let name = email.map_or_else(|| ["oidc:", subject].concat(), str::to_owned);
        Self { name, subject: subject.to_owned(), scope }
    }

    /// As a session has kept it.
    pub const fn kept(name: String, subject: String, scope: AccessScope) -> Self {
        Self { name, subject, scope }
    }

    /// As the trail calls them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What they may do.
    pub const fn scope(&self) -> AccessScope {
        self.scope
    }
}

/// Who shows a token.
#[derive(Clone, Debug)]
pub enum Caller {
    /// The token of the environment.
    Root,
    /// One that the ledger keeps.
    Named(Arc<KnownToken>),
    /// Somebody whom a claim lets in to the console.
    Person(Arc<Person>),
}

impl Caller {
    /// As the trail calls it.
    pub fn name(&self) -> &str {
        match self {
            Self::Root => ROOT,
            Self::Named(token) => token.name(),
            Self::Person(person) => person.name(),
        }
    }

    /// What the trail says of how they were let in: the identifier of the token, or the subject; none for the token of the environment.
    pub fn shown(&self) -> Option<String> {
        match self {
            Self::Root => None,
            Self::Named(token) => Some(token.id().to_owned()),
            Self::Person(person) => Some(["oidc:", &person.subject].concat()),
        }
    }

    /// The name of the token; none for that of the environment.
    pub fn token_name(&self) -> Option<&str> {
        match self {
            Self::Root | Self::Person(_) => None,
            Self::Named(token) => Some(token.name()),
        }
    }

    /// What it may do with the admin API.
    pub fn scope(&self) -> Option<AccessScope> {
        match self {
            Self::Root => Some(AccessScope::Admin),
            Self::Named(token) => token.scope(),
            Self::Person(person) => Some(person.scope()),
        }
    }
}

/// Finds out who shows the token in `Authorization: Bearer …`: one of these, which are compared in constant time, or one that is
/// known. On a refusal, whose it was, if that is known.
pub fn caller(
    headers: &HeaderMap,
    kind: TokenKind,
    roots: &[Secret],
    known: &KnownTokens,
    now: Timestamp,
) -> Result<Caller, (Denial, Option<Caller>)> {
    let Some(shown) = bearer(headers) else { return Err((Denial::Missing, None)) };
    // All of them are compared, so that the time says nothing of which one it was.
    if roots.iter().fold(false, |is, root| is | root.is(shown)) {
        return Ok(Caller::Root);
    }
    known.find(kind, shown, now).map(Caller::Named).map_err(|(why, token)| {
        let denial = match why {
            Invalid::Unknown => Denial::Unknown,
            Invalid::Expired => Denial::Expired,
            Invalid::Revoked => Denial::Revoked,
        };
        (denial, token.map(Caller::Named))
    })
}

/// The token that is shown exactly once.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (shown.next(), shown.next()) else { return None };
    let (scheme, shown) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(shown)
}

/// Who may use a listener.
#[derive(Debug)]
pub struct Access {
    /// The tokens of the environment: one, or two while it is rotated. Others are in the store.
    pub tokens: Vec<Secret>,
    /// Requests that were not let in.
    pub denials: Denials,
}

impl Access {
    /// With these tokens.
    pub fn new(listener: ListenerName, tokens: Vec<Secret>, metrics: &Arc<Metrics>) -> Self {
        Self { tokens, denials: Denials::new(listener, Arc::clone(metrics)) }
    }
}

/// Requests that one listener has not let in.
#[derive(Debug)]
pub struct Denials {
    listener: ListenerName,
    metrics: Arc<Metrics>,
    log: LogLimit,
}

impl Denials {
    /// None yet.
    pub fn new(listener: ListenerName, metrics: Arc<Metrics>) -> Self {
        Self { listener, metrics, log: LogLimit::default() }
    }

    /// Counts one, and logs it, at most one per second.
    pub fn note(&self, why: Denial, peer: Option<SocketAddr>, whose: Option<&Caller>) {
        self.metrics.deny(self.listener, why);
        if let Some(others) = self.log.permits(Instant::now()) {
            let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
            let (listener, reason) = (self.listener.as_str(), why.as_str());
            let whose = whose.map(Caller::name).unwrap_or_default();
            tracing::warn!(listener, peer, reason, token = ?whose, others, "a request was refused: its token doesn't let it in");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn either_of_two_tokens_lets_in_and_exactly_one_must_be_shown() {
        let roots = [Secret::new("the-new-token"), Secret::new("the-old-token")];
        let shows = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            let found =
                caller(&headers, TokenKind::Operator, &roots, &KnownTokens::default(), Timestamp::UNIX_EPOCH);
            found.map(|caller| caller.name().to_owned()).map_err(|(why, _)| why)
        };
        assert_eq!(shows(&["Bearer the-new-token"]), Ok(ROOT.to_owned()));
        assert_eq!(shows(&["bearer the-old-token"]), Ok(ROOT.to_owned()));
        assert_eq!(shows(&["Bearer the-odd-token"]), Err(Denial::Unknown));
        assert_eq!(shows(&[]), Err(Denial::Missing));
        assert_eq!(shows(&["Basic dGhlLW5ldy10b2tlbg"]), Err(Denial::Missing));
        assert_eq!(shows(&["Bearer the-new-token", "Bearer the-new-token"]), Err(Denial::Missing));
    }
}
