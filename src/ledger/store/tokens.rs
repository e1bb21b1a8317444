//! What a ledger keeps of tokens in memory, so that no request waits for the database to be let in.
//!
//! What must hold: a token is compared by its hash alone; what another ledger has changed counts here within [`PERIOD`] and the
//! time of a read; a request that shows a token writes nothing.

use super::rows::TokenRow;
use crate::domain::access::{AccessScope, KeyState, TokenKind, state};
use crate::domain::key::hash;
use crate::domain::time::at;
use foldhash::HashMap;
use jiff::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How often the tokens are read again.
pub const PERIOD: Duration = Duration::from_secs(1);
/// Longer texts are no tokens.
const MAX_TOKEN_BYTES: usize = 128;
const MINUTE_MS: i64 = 60_000;

/// A token that was found.
#[derive(Debug)]
pub struct KnownToken {
    row: TokenRow,
    /// The minute in which it was last used here, and the one that was written down.
    used_minute: AtomicI64,
    written_minute: AtomicI64,
}

impl KnownToken {
    /// Its identifier.
    pub fn id(&self) -> &str {
        self.row.id.as_str()
    }

    /// Whose it is.
    pub fn name(&self) -> &str {
        &self.row.name
    }

    /// Who names the subject that it is; none for a token.
    pub fn issuer(&self) -> Option<&str> {
        self.row.issuer.as_deref()
    }

    /// What its operator may do.
    pub fn scope(&self) -> Option<AccessScope> {
        self.row.scope
    }
}

/// Why a token lets nothing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// There is none such.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

/// All tokens, by their hash.
#[derive(Debug, Default)]
pub struct KnownTokens(RwLock<HashMap<[u8; 32], Arc<KnownToken>>>);

impl KnownTokens {
    /// The token of this kind that was shown, and that it is used now. Of one that is no longer valid, whose it was.
    pub fn find(
        &self,
        kind: TokenKind,
        shown: &[u8],
        now: Timestamp,
    ) -> Result<Arc<KnownToken>, (Invalid, Option<Arc<KnownToken>>)> {
        let shown = std::str::from_utf8(shown).ok().filter(|text| text.len() <= MAX_TOKEN_BYTES);
        let shown = shown.filter(|text| text.starts_with(kind.prefix()));
        let found = shown.and_then(|text| {
            self.0.read().unwrap_or_else(PoisonError::into_inner).get(&hash(text)).map(Arc::clone)
        });
        let Some(token) = found.filter(|token| token.row.kind == kind && token.row.subject.is_none()) else {
            return Err((Invalid::Unknown, None));
        };
        if token.row.revoked_at.is_some() {
            return Err((Invalid::Revoked, Some(token)));
        }
        if token.row.expires_at.is_some_and(|at| at <= now) {
            return Err((Invalid::Expired, Some(token)));
        }
        token.used_minute.fetch_max(now.as_millisecond().div_euclid(MINUTE_MS), Ordering::Relaxed);
        Ok(token)
    }

    /// The operator's token with this identifier, and that it is used now; none when it lets nothing in any more.
    pub fn operators(&self, id: &str, now: Timestamp) -> Option<Arc<KnownToken>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let token = known.values().find(|token| token.row.id.as_str() == id).map(Arc::clone)?;
        let is_valid = state(token.row.revoked_at, token.row.expires_at, now) == KeyState::Active;
        if !is_valid || token.row.kind != TokenKind::Operator {
            return None;
        }
        token.used_minute.fetch_max(now.as_millisecond().div_euclid(MINUTE_MS), Ordering::Relaxed);
        Some(token)
    }

    /// The operator that this subject identifies, and that it is used now; none when nothing ever did. Of one that lets nothing in any
    /// more, why.
    pub fn subject(
        &self,
        issuer: &str,
        subject: &str,
        now: Timestamp,
    ) -> Option<Result<Arc<KnownToken>, Invalid>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_theirs =
            |row: &TokenRow| row.issuer.as_deref() == Some(issuer) && row.subject.as_deref() == Some(subject);
        let newest = known.values().filter(|token| is_theirs(&token.row)).max_by_key(|token| token.row.no)?;
        Some(match state(newest.row.revoked_at, newest.row.expires_at, now) {
            KeyState::Active => {
                newest.used_minute.fetch_max(now.as_millisecond().div_euclid(MINUTE_MS), Ordering::Relaxed);
                Ok(Arc::clone(newest))
            }
            KeyState::Expired => Err(Invalid::Expired),
            KeyState::Revoked => Err(Invalid::Revoked),
        })
    }

    /// Takes in all tokens that there are.
    pub fn learn(&self, rows: Vec<TokenRow>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = rows.into_iter().filter_map(|row| {
            let hash: [u8; 32] = row.hash.as_slice().try_into().ok()?;
            let written = row.used_at.map_or(0, |at| at.as_millisecond().div_euclid(MINUTE_MS));
            let used = known.get(&hash).map_or(0, |token| token.used_minute.load(Ordering::Relaxed));
            let (used_minute, written_minute) = (AtomicI64::new(used), AtomicI64::new(written));
            Some((hash, Arc::new(KnownToken { row, used_minute, written_minute })))
        });
        let fresh = fresh.collect();
        *known = fresh;
    }

    /// The numbers of tokens that were used in a minute that isn't written down yet, each with that minute.
    pub fn uses(&self) -> Vec<(i64, Timestamp)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let used = known.values().filter_map(|token| {
            let minute = token.used_minute.load(Ordering::Relaxed);
            let is_new = minute > token.written_minute.load(Ordering::Relaxed);
            is_new.then(|| (token.row.no, at(minute.saturating_mul(MINUTE_MS))))
        });
        used.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TokenId;

    fn row(no: i64, kind: TokenKind, secret: &str) -> TokenRow {
        let id = TokenId::stored(format!("token_{no}"));
        TokenRow { no, id, kind, name: "alice".into(), hash: hash(secret).to_vec(), ..TokenRow::default() }
    }

    fn minute(minute: i64) -> Timestamp {
        at(minute * MINUTE_MS + 12_345)
    }

    #[test]
    fn a_token_lets_in_until_it_expires_or_is_revoked() {
        let known = KnownTokens::default();
        let find = |shown: &str, minute_now| {
            let found = known.find(TokenKind::Operator, shown.as_bytes(), minute(minute_now));
            found.map(|token| token.id().to_owned()).map_err(|(why, _)| why)
        };
        let secret = "fg_operator_x";
        assert_eq!(find(secret, 1), Err(Invalid::Unknown));
        known.learn(vec![TokenRow { expires_at: Some(minute(5)), ..row(1, TokenKind::Operator, secret) }]);
        assert_eq!(find(secret, 4), Ok("token_1".to_owned()));
        assert_eq!(find(secret, 5), Err(Invalid::Expired));
        assert_eq!(find("fg_operator_y", 4), Err(Invalid::Unknown));
        assert_eq!(find(&"fg_operator_".repeat(99), 4), Err(Invalid::Unknown));
        let other = known.find(TokenKind::Gateway, secret.as_bytes(), minute(4));
        assert_eq!(other.unwrap_err().0, Invalid::Unknown, "the other listener's");
        known.learn(vec![TokenRow { revoked_at: Some(minute(1)), ..row(1, TokenKind::Operator, secret) }]);
        assert_eq!(find(secret, 4), Err(Invalid::Revoked));
    }

    #[test]
    fn a_use_is_noted_once_per_minute() {
        let known = KnownTokens::default();
        let token = row(7, TokenKind::Gateway, "fg_gateway_x");
        known.learn(vec![token.clone()]);
        assert_eq!(known.uses(), []);
        for _ in 0..3 {
            known.find(TokenKind::Gateway, b"fg_gateway_x", minute(9)).unwrap();
        }
        let noted = at(9 * MINUTE_MS);
        assert_eq!(known.uses(), [(7, noted)]);
        known.learn(vec![token.clone()]);
        assert_eq!(known.uses(), [(7, noted)], "it isn't forgotten before it is written");
        known.learn(vec![TokenRow { used_at: Some(noted), ..token }]);
        assert_eq!(known.uses(), []);
    }
}
