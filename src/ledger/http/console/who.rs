//! Which operator an identity is.
//!
//! What must hold: a subject that is linked to an operator is that operator and has its scope, whatever its claims say; one that was
//! revoked or has expired is not let in by a claim; without a link or a claim there is no way in.

use crate::domain::claim_rule::{ClaimRule, widest};
use crate::http::auth::Person;
use crate::http::denial::Denial;
use crate::oidc::Identity;
use crate::store::tokens::{Invalid, KnownToken, KnownTokens};
use jiff::Timestamp;
use std::sync::Arc;

/// Somebody who may use the console.
#[derive(Clone, Debug)]
pub enum Known<'a> {
    /// An operator, by the subject that is linked to it.
    Linked(Arc<KnownToken>),
    /// Somebody whom a claim lets in.
    Ruled {
        /// Who.
        person: Arc<Person>,
        /// By which rule.
        rule: &'a ClaimRule,
    },
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// There is neither an operator nor a rule for them.
    Stranger,
    /// Their link was revoked.
    Revoked,
    /// Its time is over.
    Expired,
}

impl Unknown {
    /// As it is counted and logged.
    pub const fn denial(self) -> Denial {
        match self {
            Self::Stranger => Denial::Unknown,
            Self::Revoked => Denial::Revoked,
            Self::Expired => Denial::Expired,
        }
    }
}

/// Finds out which operator an identity is.
pub fn who<'a>(
    identity: &Identity,
    tokens: &KnownTokens,
    rules: &'a [ClaimRule],
    now: Timestamp,
) -> Result<Known<'a>, Unknown> {
    match tokens.subject(&identity.issuer, &identity.subject, now) {
        Some(Ok(token)) => return Ok(Known::Linked(token)),
        Some(Err(Invalid::Expired)) => return Err(Unknown::Expired),
        Some(Err(_)) => return Err(Unknown::Revoked),
        None => {}
    }
    let rule = widest(rules, |claim| identity.values(claim)).ok_or(Unknown::Stranger)?;
    let person = Person::new(identity.email.as_deref(), &identity.subject, rule.scope);
    Ok(Known::Ruled { person: Arc::new(person), rule })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::{AccessScope, TokenKind};
    use crate::domain::{TokenId, key};
    use crate::store::rows::TokenRow;
    use serde_json::{Value, json};

    const ISSUER: &str = "https://login.test";

    fn identity(claims: &Value) -> Identity {
        Identity::of(ISSUER, "sub-1", claims.as_object().unwrap().clone(), String::new())
    }

    fn link(no: i64, scope: AccessScope) -> TokenRow {
        TokenRow {
            no,
            id: TokenId::stored(format!("token_{no}")),
            kind: TokenKind::Operator,
            name: "alice".into(),
            scope: Some(scope),
            hash: key::hash(&no.to_string()).to_vec(),
            issuer: Some(ISSUER.into()),
            subject: Some("sub-1".into()),
            ..TokenRow::default()
        }
    }

    fn found(rows: Vec<TokenRow>, claims: &Value) -> Result<(String, Option<AccessScope>), Unknown> {
        let tokens = KnownTokens::default();
        tokens.learn(rows);
        let rules =
            ["groups=ops:support", "email=boss@x.test:admin"].map(|rule| ClaimRule::parse(rule).unwrap());
        who(&identity(claims), &tokens, &rules, Timestamp::UNIX_EPOCH).map(|known| match known {
            Known::Linked(token) => (token.name().to_owned(), token.scope()),
            Known::Ruled { person, .. } => (person.name().to_owned(), Some(person.scope())),
        })
    }

    #[test]
    fn a_link_comes_before_claims_also_when_it_is_over() {
        let admin = json!({"email": "boss@x.test", "email_verified": true});
        let linked = found(vec![link(1, AccessScope::Read)], &admin);
        assert_eq!(linked, Ok(("alice".into(), Some(AccessScope::Read))));
        let past = Some(Timestamp::UNIX_EPOCH);
        let revoked = TokenRow { revoked_at: past, ..link(1, AccessScope::Read) };
        assert_eq!(found(vec![revoked.clone()], &admin), Err(Unknown::Revoked));
        let expired = TokenRow { expires_at: past, ..link(1, AccessScope::Read) };
        assert_eq!(found(vec![expired], &admin), Err(Unknown::Expired));
        let again = found(vec![revoked, link(2, AccessScope::Billing)], &admin);
        assert_eq!(again, Ok(("alice".into(), Some(AccessScope::Billing))));
        let elsewhere = TokenRow { issuer: Some("https://other.test".into()), ..link(1, AccessScope::Admin) };
        assert_eq!(found(vec![elsewhere], &json!({})), Err(Unknown::Stranger));
    }

    #[test]
    fn a_claim_lets_in_whom_the_trail_can_name() {
        let verified = json!({"groups": ["ops"], "email": "a@x.test", "email_verified": true});
        assert_eq!(found(vec![], &verified), Ok(("a@x.test".into(), Some(AccessScope::Support))));
        let unverified = json!({"groups": "ops", "email": "boss@x.test"});
        assert_eq!(found(vec![], &unverified), Ok(("oidc:sub-1".into(), Some(AccessScope::Support))));
        assert_eq!(found(vec![], &json!({"email": "boss@x.test"})), Err(Unknown::Stranger));
        assert_eq!(found(vec![], &json!({"groups": ["OPS", "ops "]})), Err(Unknown::Stranger));
    }
}
