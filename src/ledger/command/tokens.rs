//! Tokens of operators and of fleets of gateways: made, revoked, noted as used; and which gateway is tied to which.
//!
//! What must hold: a name has one scope; a gateway that was heard of with a named token is that fleet's, as long as the fleet has a
//! token that is valid.

use super::times::future;
use crate::api;
use crate::domain::access::{
    AccessScope, KeyState, MAX_TOKENS, MAX_TOKENS_PER_NAME, OidcSubject, TokenKind, TokenName, state,
};
use crate::domain::{GatewayNo, TokenId};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::operation::Operation;
use crate::store::record::Record as _;
use crate::store::rows::{GatewayRow, TokenRow};
use jiff::Timestamp;

/// A new token.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its identifier.
    pub id: TokenId,
    /// Its SHA-256.
    pub hash: [u8; 32],
    /// How it begins.
    pub prefix: String,
    /// When it stops to be accepted.
    pub expires_at: Option<Timestamp>,
    /// Whose.
    pub holder: Holder,
    /// What identifies the operator, if it is no token.
    pub identity: Option<OidcSubject>,
}

/// Who gets a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A new operator.
    NewOperator(TokenName, AccessScope),
    /// An operator that has tokens.
    Operator(String),
    /// A fleet of gateways.
    Gateways(TokenName),
}

impl Holder {
    fn parts(&self) -> (TokenKind, &str) {
        match self {
            Self::NewOperator(name, _) => (TokenKind::Operator, name.as_str()),
            Self::Operator(name) => (TokenKind::Operator, name),
            Self::Gateways(name) => (TokenKind::Gateway, name.as_str()),
        }
    }
}

fn tokens_of(draft: &mut Draft, kind: TokenKind, name: &str) -> Result<Vec<TokenRow>, Stop> {
    Ok(draft.tokens_of(&(kind, name.to_owned()))?.cloned().collect())
}

fn is_valid(row: &TokenRow, now: Timestamp) -> bool {
    state(row.revoked_at, row.expires_at, now) == KeyState::Active
}

/// Makes a token.
pub fn create(draft: &mut Draft, asked: &NewToken, now: Timestamp) -> Result<api::Token, Stop> {
    let expires_at = future(asked.expires_at, now)?;
    let (kind, name) = asked.holder.parts();
    let others = tokens_of(draft, kind, name)?;
    let valid = others.iter().filter(|row| is_valid(row, now)).count();
    let scope = match &asked.holder {
        Holder::NewOperator(_, scope) if valid == 0 => Some(*scope),
        Holder::NewOperator(..) => return Err(Refusal::OperatorExists(name.to_owned()).into()),
        Holder::Operator(_) => match others.last() {
            Some(newest) => newest.scope,
            None => return Err(missing(kind, name)),
        },
        Holder::Gateways(_) => None,
    };
    if valid >= MAX_TOKENS_PER_NAME {
        let limit = i64::try_from(MAX_TOKENS_PER_NAME).unwrap_or(i64::MAX);
        return Err(Refusal::TooMany { what: "valid tokens of this name", limit }.into());
    }
    if draft.count_tokens()? >= MAX_TOKENS {
        return Err(Refusal::TooMany { what: "tokens", limit: MAX_TOKENS }.into());
    }
    let identity = asked.identity.clone();
    if let Some(OidcSubject { issuer, subject }) = &identity
        && let Some(row) = draft.tokens_by_subject(&(issuer.clone(), subject.clone()))?.next()
    {
        return Err(Refusal::SubjectLinked(row.name.clone(), row.id.to_string()).into());
    }
    let (issuer, subject) = identity.map(|OidcSubject { issuer, subject }| (issuer, subject)).unzip();
    let row = TokenRow {
        no: draft.number(TokenRow::TABLE)?,
        id: asked.id.clone(),
        kind,
        name: name.to_owned(),
        scope,
        hash: asked.hash.to_vec(),
        prefix: asked.prefix.clone(),
        issuer,
        subject,
        expires_at,
        revoked_at: None,
        used_at: None,
        created_at: now,
    };
    draft.put(row.clone());
    Ok(shown(&row, now))
}

/// Revokes all tokens of a name, or one of them. Repeating it changes nothing. Gives those that were meant.
pub fn revoke(
    draft: &mut Draft,
    kind: TokenKind,
    name: &str,
    only: Option<&str>,
    now: Timestamp,
) -> Result<api::Tokens, Stop> {
    let all = tokens_of(draft, kind, name)?;
    if all.is_empty() {
        return Err(missing(kind, name));
    }
    let mut tokens = Vec::new();
    for mut row in all.into_iter().filter(|row| only.is_none_or(|id| row.id.as_str() == id)) {
        if row.revoked_at.is_none() {
            row.revoked_at = Some(now);
            draft.put(row.clone());
        }
        tokens.push(shown(&row, now));
    }
    match only {
        Some(id) if tokens.is_empty() => {
            Err(Refusal::NotFound { what: "token of this name", id: id.to_owned() }.into())
        }
        _ => Ok(api::Tokens { tokens, next: None }),
    }
}

fn missing(kind: TokenKind, name: &str) -> Stop {
    Refusal::NotFound { what: kind.holder(), id: name.to_owned() }.into()
}

/// What the admin API shows.
pub fn shown(row: &TokenRow, now: Timestamp) -> api::Token {
    api::Token {
        id: row.id.as_str().to_owned(),
        name: row.name.clone(),
        scope: row.scope,
        token: None,
        prefix: row.prefix.clone(),
        oidc_issuer: row.issuer.clone(),
        oidc_subject: row.subject.clone(),
        state: state(row.revoked_at, row.expires_at, now),
        expires_at: row.expires_at,
        last_used_at: row.used_at,
        created_at: row.created_at,
    }
}

/// Lets a message in that names a gateway, or refuses it; `token` is the name of the token that came with it, none for that of the
/// environment. The first named token that a gateway comes with keeps it.
pub fn tie(draft: &mut Draft, gateway: GatewayNo, token: Option<&str>, now: Timestamp) -> Result<(), Stop> {
    let Some(row) = draft.get::<GatewayRow>(&(gateway,))?.cloned() else { return Ok(()) };
    if row.token.as_deref() == token {
        return Ok(());
    }
    if let Some(other) = &row.token
        && tokens_of(draft, TokenKind::Gateway, other)?.iter().any(|row| is_valid(row, now))
    {
        return Err(Refusal::ForeignGateway.into());
    }
    draft.put(GatewayRow { token: token.map(str::to_owned), ..row });
    Ok(())
}

/// Writes down when tokens were last used.
#[derive(Clone, Debug)]
pub struct NoteUses(pub Vec<(i64, Timestamp)>);

impl Operation for NoteUses {
    type Output = ();

    fn decide(&self, draft: &mut Draft, _: Timestamp) -> Result<(), Stop> {
        let mut missing = false;
        for (no, used_at) in &self.0 {
            match draft.get::<TokenRow>(&(*no,)).map(Option::<&_>::cloned) {
                Ok(Some(row)) if row.used_at.is_none_or(|known| known < *used_at) => {
                    draft.put(TokenRow { used_at: Some(*used_at), ..row });
                }
                Ok(_) => {}
                Err(Stop::Missing) => missing = true,
                Err(other) => return Err(other),
            }
        }
        if missing { Err(Stop::Missing) } else { Ok(()) }
    }
}
