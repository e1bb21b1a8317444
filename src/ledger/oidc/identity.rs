//! Who somebody is, as the provider says.

use serde_json::{Map, Value};

/// The longest subject, in characters (OpenID Connect Core, section 2).
const MAX_SUBJECT_CHARS: usize = 255;
/// The longest address of an e-mail, in bytes.
const MAX_EMAIL_BYTES: usize = 254;

/// Whether a text can be a subject: of visible ASCII characters.
pub fn is_subject(text: &str) -> bool {
    (1..=MAX_SUBJECT_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Who somebody is.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Who says it.
    pub issuer: String,
    /// The identifier at the issuer, which is never given to another.
    pub subject: String,
    /// The address of the e-mail, if the provider has verified it.
    pub email: Option<String>,
    /// All claims.
    pub claims: Map<String, Value>,
    /// The ID token, to sign out with.
    pub id_token: String,
}

impl Identity {
    /// An identity of checked claims.
    pub fn of(issuer: &str, subject: &str, claims: Map<String, Value>, id_token: String) -> Self {
        let is_verified = claims.get("email_verified").is_some_and(|verified| *verified == true);
        let email =
            claims.get("email").and_then(Value::as_str).filter(|email| is_verified && is_email(email));
        Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            email: email.map(str::to_owned),
            claims,
            id_token,
        }
    }

    /// The values of a claim: of this name, or inside of others, as in `realm_access.roles`. That of `email` only if it is verified.
    pub fn values(&self, claim: &str) -> Vec<&str> {
        if claim == "email" {
            return self.email.as_deref().into_iter().collect();
        }
        match find(&self.claims, claim) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// A claim by its name, or by the names on the way to it with dots between.
pub fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(name) {
        return Some(found);
    }
    let mut names = name.split('.');
    let first = claims.get(names.next()?)?;
    names.try_fold(first, |value, name| value.as_object()?.get(name))
}

fn is_email(text: &str) -> bool {
    let (name, host) = text.rsplit_once('@').unwrap_or_default();
    !name.is_empty()
        && !host.is_empty()
        && text.len() <= MAX_EMAIL_BYTES
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn identity(claims: &Value) -> Identity {
        Identity::of("https://a", "s", claims.as_object().unwrap().clone(), String::new())
    }

    #[test]
    fn an_email_counts_only_when_it_is_verified() {
        for (claims, email) in [
            (json!({"email": "a@b.test", "email_verified": true}), Some("a@b.test")),
            (json!({"email": "a@b.test", "email_verified": false}), None),
            (json!({"email": "a@b.test", "email_verified": "true"}), None),
            (json!({"email": "a@b.test"}), None),
            (json!({"email": "root", "email_verified": true}), None),
            (json!({"email": "a@b\u{202e}", "email_verified": true}), None),
            (json!({"email_verified": true}), None),
        ] {
            let found = identity(&claims);
            assert_eq!(found.email.as_deref(), email, "{claims}");
            assert_eq!(found.values("email"), email.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_claim_is_a_text_or_a_list_wherever_it_is() {
        let found = identity(&json!({
            "groups": ["admins", 7, "support"], "role": "admin", "realm_access": {"roles": ["ops"]},
            "https://example.com/roles": ["x"], "number": 1
        }));
        assert_eq!(found.values("groups"), ["admins", "support"]);
        assert_eq!(found.values("role"), ["admin"]);
        assert_eq!(found.values("realm_access.roles"), ["ops"]);
        assert_eq!(found.values("https://example.com/roles"), ["x"]);
        for none in ["number", "groups.admins", "realm_access", "", "nowhere"] {
            assert!(found.values(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_subject_is_visible_ascii() {
        assert!(is_subject("auth0|123") && is_subject(&"x".repeat(255)));
        assert!(
            !is_subject("") && !is_subject("a b") && !is_subject("\u{e4}") && !is_subject(&"x".repeat(256))
        );
    }
}
