//! What an ID token says, and whether it is one for this client and this sign-in (OpenID Connect Core, section 3.1.3.7).
//!
//! What must hold: nothing of a token is believed before its signature is; none is taken that misses what the standard wants, and a
//! clock may differ from the provider's by [`CLOCK_SKEW`], no more.

use super::identity::is_subject;
use super::keys::{Algorithm, BadSignature, Keys};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// How far the provider's clock may be off.
pub const CLOCK_SKEW: Duration = Duration::from_mins(1);
/// The longest ID token, in bytes.
const MAX_TOKEN_BYTES: usize = 64 << 10;

/// A token that is taken apart, and not believed yet.
#[derive(Debug)]
pub struct IdToken<'a> {
    algorithm: Algorithm,
    key: Option<String>,
    signed: &'a str,
    signature: Vec<u8>,
    payload: Vec<u8>,
}

/// What a token must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who must have made it.
    pub issuer: &'a str,
    /// For whom.
    pub client: &'a str,
    /// For which sign-in.
    pub nonce: &'a str,
    /// With which access token it came.
    pub access_token: Option<&'a str>,
    /// When.
    pub now: Timestamp,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl<'a> IdToken<'a> {
    /// Takes a token apart.
    pub fn parse(token: &'a str) -> Result<Self, String> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(format!("has more than {MAX_TOKEN_BYTES} bytes"));
        }
        let unreadable = || "is no signed JSON Web Token".to_owned();
        let (signed, signature) = token.rsplit_once('.').ok_or_else(unreadable)?;
        let (header, payload) = signed.split_once('.').ok_or_else(unreadable)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| unreadable());
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        let header: Header = serde_json::from_slice(&header).map_err(|_| unreadable())?;
        if header.crit.is_some() {
            return Err("needs an extension that the ledger doesn't know".to_owned());
        }
        let algorithm = Algorithm::named(&header.alg).ok_or_else(|| {
            let found: String = header.alg.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
            format!("is signed by {found}; RS256 and ES256 are accepted")
        })?;
        Ok(Self { algorithm, key: header.kid, signed, signature, payload })
    }

    /// Whether one of these keys has signed it.
    pub fn is_signed_by(&self, keys: &Keys) -> Result<(), BadSignature> {
        keys.verify(self.algorithm, self.key.as_deref(), self.signed.as_bytes(), &self.signature)
    }

    /// What it claims, and about whom, if it says what it must. Its signature must be good.
    pub fn claims(&self, expected: &Expected<'_>) -> Result<(String, Map<String, Value>), String> {
        let claims: Map<String, Value> =
            serde_json::from_slice(&self.payload).map_err(|_| "holds no JSON object".to_owned())?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(expected.issuer) {
            return Err("was made by another issuer".to_owned());
        }
        check_audience(&claims, expected.client)?;
        check_times(&claims, expected.now)?;
        let nonce = text("nonce").unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
            return Err("is not for this sign-in: its nonce is another".to_owned());
        }
        if let (Some(hash), Some(token)) = (text("at_hash"), expected.access_token) {
            let half: Vec<u8> = Sha256::digest(token).iter().copied().take(16).collect();
            if hash != URL_SAFE_NO_PAD.encode(half) {
                return Err("came with an access token that is not its own".to_owned());
            }
        }
        let subject = text("sub").filter(|subject| is_subject(subject));
        let subject = subject.ok_or("names no subject, or one that isn't visible ASCII")?.to_owned();
        Ok((subject, claims))
    }
}

fn check_audience(claims: &Map<String, Value>, client: &str) -> Result<(), String> {
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audience.contains(&client) {
        return Err("is for another client".to_owned());
    }
    match claims.get("azp") {
        Some(party) if party.as_str() != Some(client) => Err("was given to another client".to_owned()),
        None if audience.len() > 1 => {
            Err("is for several clients and doesn't say to which it was given".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), String> {
    let (now, skew) = (now.as_second(), i64::try_from(CLOCK_SKEW.as_secs()).unwrap_or(i64::MAX));
    let expires = seconds(claims, "exp").ok_or("doesn't say when it expires")?;
    if expires.saturating_add(skew) <= now {
        return Err("has expired; compare the clocks of the ledger and the provider".to_owned());
    }
    let made = seconds(claims, "iat").ok_or("doesn't say when it was made")?;
    let begins = seconds(claims, "nbf").unwrap_or(made).max(made);
    if begins.saturating_sub(skew) > now {
        return Err("was made in the future; compare the clocks of the ledger and the provider".to_owned());
    }
    Ok(())
}

/// A time, in seconds; what is behind a point doesn't count.
fn seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let number = claims.get(name)?.as_number()?.to_string();
    number.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;

    fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.AAAA", part(header), part(claims))
    }

    fn claimed(claims: &Value) -> Result<String, String> {
        let token = token(&json!({"alg": "RS256"}), claims);
        let expected = Expected {
            issuer: "https://a",
            client: "faregate",
            nonce: "n",
            access_token: Some("access"),
            now: Timestamp::from_second(NOW).unwrap(),
        };
        IdToken::parse(&token).unwrap().claims(&expected).map(|(subject, _)| subject)
    }

    fn good(changes: &Value) -> Value {
        let mut claims = json!({"iss": "https://a", "aud": "faregate", "sub": "s", "nonce": "n", "iat": NOW, "exp": NOW + 300});
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    #[test]
    fn a_token_that_says_what_it_must_names_its_subject() {
        for changes in [
            json!({}),
            json!({"aud": ["faregate"]}),
            json!({"aud": ["faregate", "other"], "azp": "faregate"}),
            json!({"azp": "faregate"}),
            json!({"exp": NOW - 59, "iat": NOW - 400}),
            json!({"iat": NOW + 60, "nbf": NOW + 60}),
            json!({"exp": 1_800_000_300.5}),
        ] {
            assert_eq!(claimed(&good(&changes)), Ok("s".to_owned()), "{changes}");
        }
    }

    #[test]
    fn a_token_of_another_issuer_client_time_or_sign_in_says_nothing() {
        for (changes, said) in [
            (json!({"iss": "https://a/"}), "another issuer"),
            (json!({"iss": null}), "another issuer"),
            (json!({"aud": "other"}), "another client"),
            (json!({"aud": ["other"]}), "another client"),
            (json!({"aud": null}), "another client"),
            (json!({"aud": ["faregate", "other"]}), "several clients"),
            (json!({"aud": ["faregate", "other"], "azp": "other"}), "given to another"),
            (json!({"azp": "other"}), "given to another"),
            (json!({"azp": 7}), "given to another"),
            (json!({"exp": NOW - 60}), "expired"),
            (json!({"exp": null}), "expires"),
            (json!({"exp": "tomorrow"}), "expires"),
            (json!({"iat": null}), "when it was made"),
            (json!({"iat": NOW + 61}), "future"),
            (json!({"nbf": NOW + 61}), "future"),
            (json!({"nonce": "m"}), "nonce"),
            (json!({"nonce": null}), "nonce"),
            (json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), "access token"),
            (json!({"sub": null}), "subject"),
            (json!({"sub": ""}), "subject"),
            (json!({"sub": 7}), "subject"),
        ] {
            let why = claimed(&good(&changes)).unwrap_err();
            assert!(why.contains(said), "{changes}: {why}");
        }
    }

    #[test]
    fn what_is_no_token_or_chooses_its_own_algorithm_is_not_read() {
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": "RS256", "crit": ["b64"]}),
            json!({}),
        ] {
            assert!(IdToken::parse(&token(&header, &json!({}))).is_err(), "{header}");
        }
        for text in ["", "a", "a.b", "a.b.c.d", "..", &"x".repeat(MAX_TOKEN_BYTES + 1)] {
            assert!(IdToken::parse(text).is_err());
        }
    }
}
