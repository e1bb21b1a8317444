//! The provider: what is known of it, and the two steps of a sign-in.
//!
//! What must hold: what it says of itself is asked for at most once in [`KEPT`], and once more where a token names a key that isn't
//! known; a provider that doesn't answer is left alone for [`FAILURE_KEPT`]; at most [`MAX_AT_ONCE`] sign-ins call it at a time.

use super::answer::Answer;
use super::attempt::Attempt;
use super::calls::{self, Call};
use super::error::OidcError;
use super::id_token::{Expected, IdToken};
use super::identity::{self, Identity};
use super::keys::{BadSignature, Keys};
use super::metadata::{ClientProof, Metadata};
use super::settings::{InvalidSetting, Settings, endpoint};
use crate::dialer::Dialer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;
use tokio::sync::{Mutex, Semaphore};

/// How long it counts what a provider says of itself, its keys included.
pub const KEPT: Duration = Duration::from_mins(10);
/// How long a provider that couldn't be asked isn't asked again.
const FAILURE_KEPT: Duration = Duration::from_secs(1);
/// How many sign-ins may call the provider at a time.
const MAX_AT_ONCE: usize = 16;
/// The longest code, in bytes.
const MAX_CODE_BYTES: usize = 4_096;
/// How much of a provider's own words is repeated, in characters.
const MAX_WORDS: usize = 200;
/// The longest ID token that fits into an address, in bytes.
pub const MAX_HINT_BYTES: usize = 4_096;
/// What forms and queries must not have as it is (RFC 3986, unreserved).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A provider of identities.
#[derive(Debug)]
pub struct Provider {
    settings: Settings,
    dialer: Dialer,
    known: Mutex<Known>,
    keys: Mutex<Option<(Instant, Arc<Keys>)>>,
    permits: Semaphore,
}

/// What it says of itself, and when that was read or failed.
#[derive(Debug, Default)]
struct Known {
    metadata: Option<(Instant, Arc<Metadata>)>,
    failure: Option<(Instant, String)>,
}

/// What the token endpoint answers.
#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

/// What it answers instead (RFC 6749, section 5.2).
#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenError {
    error: String,
    error_description: String,
}

impl Provider {
    /// One with these settings. It isn't asked yet.
    pub fn new(settings: Settings) -> Result<Self, InvalidSetting> {
        settings.check()?;
        let dialer = Dialer::new(settings.allow_private, settings.options.allow_private);
        let dialer = dialer.map_err(|why| InvalidSetting {
            option: settings.options.issuer,
            why: format!("can't be spoken to by TLS: {why}"),
        })?;
        let permits = Semaphore::new(MAX_AT_ONCE);
        Ok(Self { settings, dialer, known: Mutex::default(), keys: Mutex::default(), permits })
    }

    /// What was configured.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whose identities these are.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Where a browser is sent to sign in; it comes back to `back_to`, and must remember the attempt until then.
    pub async fn begin(&self, attempt: &Attempt, back_to: &str) -> Result<String, OidcError> {
        let metadata = self.metadata().await?;
        let (state, nonce) = (attempt.state(back_to), attempt.nonce(back_to));
        let (scopes, challenge) = (self.settings.asked_scopes(), attempt.code_challenge(back_to));
        Ok(with_query(
            &metadata.authorization,
            &[
                ("response_type", "code"),
                ("client_id", &self.settings.client_id),
                ("redirect_uri", back_to),
                ("scope", &scopes),
                ("state", &state),
                ("nonce", &nonce),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        ))
    }

    /// Who somebody is that a browser has brought an answer about. Claims that are wanted and not in the ID token are asked for.
    pub async fn finish(
        &self,
        attempt: &Attempt,
        back_to: &str,
        answer: &Answer,
        wanted: &[&str],
        now: Timestamp,
    ) -> Result<Identity, OidcError> {
        let state = answer.state.as_deref().unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(attempt.state(back_to).as_bytes())) {
            return Err(OidcError::Foreign);
        }
        let _permit = self.permits.try_acquire().map_err(|_| OidcError::Busy)?;
        if let Some(issuer) = answer.issuer.as_deref().filter(|issuer| *issuer != self.issuer()) {
            return Err(OidcError::OtherIssuer(words(issuer)));
        }
        if let Some(error) = &answer.error {
            let description = answer.description.as_deref().unwrap_or_default();
            let between = if description.is_empty() { "" } else { ": " };
            return Err(OidcError::Refused(words(&[error, between, description].concat())));
        }
        let code = answer.code.as_deref().filter(|code| code.len() <= MAX_CODE_BYTES);
        let code = code.ok_or_else(|| OidcError::Refused("without a code".to_owned()))?;
        let metadata = self.metadata().await?;
        if metadata.names_issuer && answer.issuer.is_none() {
            return Err(OidcError::OtherIssuer("none, though the provider always names one".to_owned()));
        }
        let tokens = self.exchange(&metadata, code, back_to, &attempt.code_verifier(back_to)).await?;
        let id_token = tokens.id_token.ok_or_else(|| {
            OidcError::Provider(
                "its token endpoint gave no ID token; allow this client the scope openid".to_owned(),
            )
        })?;
        let access_token = tokens.access_token.as_deref();
        let expected = Expected {
            issuer: self.issuer(),
            client: &self.settings.client_id,
            nonce: &attempt.nonce(back_to),
            access_token,
            now,
        };
        let (subject, mut claims) = self.verified(&metadata, &id_token, &expected).await?;
        let is_missing = wanted.iter().any(|name| identity::find(&claims, name).is_none());
        if let (true, Some(userinfo), Some(token)) = (is_missing, &metadata.userinfo, access_token) {
            let bearer = format!("Bearer {token}");
            let found = calls::get(&self.dialer, userinfo, Some(&bearer)).await;
            let found = found.and_then(|body| about(&body, &subject)).map_err(OidcError::Provider)?;
            for (name, value) in found {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(Identity::of(self.issuer(), &subject, claims, id_token))
    }

    /// Where a browser is sent to sign out at the provider, too, if that is possible; it comes back to `back_to`.
    pub async fn end_session(&self, id_token: &str, back_to: &str) -> Option<String> {
        let metadata = self.metadata().await.ok()?;
        let end_session = metadata.end_session.as_deref()?;
        let mut query =
            vec![("client_id", self.settings.client_id.as_str()), ("post_logout_redirect_uri", back_to)];
        if (1..=MAX_HINT_BYTES).contains(&id_token.len()) {
            query.push(("id_token_hint", id_token));
        }
        Some(with_query(end_session, &query))
    }

    /// Exchanges a code.
    async fn exchange(
        &self,
        metadata: &Metadata,
        code: &str,
        back_to: &str,
        verifier: &str,
    ) -> Result<Tokens, OidcError> {
        let client = self.settings.client_id.as_str();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back_to),
            ("code_verifier", verifier),
        ];
        let mut authorization = None;
        match (&self.settings.secret, metadata.proof) {
            (Some(secret), ClientProof::Basic) => {
                let both = format!("{}:{}", encoded(client), encoded(secret.expose()));
                authorization = Some(format!("Basic {}", STANDARD.encode(both)));
            }
            (Some(secret), ClientProof::Post) => {
                fields.extend([("client_id", client), ("client_secret", secret.expose())]);
            }
            (None, _) => fields.push(("client_id", client)),
        }
        let form = pairs(&fields);
        let call = Call { authorization: authorization.as_deref(), form: Some(&form) };
        let (status, body) =
            calls::call(&self.dialer, &metadata.token, call).await.map_err(OidcError::Provider)?;
        if status.is_success() {
            let tokens = serde_json::from_slice(&body);
            return tokens
                .map_err(|_| OidcError::Provider("its token endpoint didn't answer with tokens".to_owned()));
        }
        let error: TokenError = serde_json::from_slice(&body).unwrap_or_default();
        let said = words(&format!("{} {}", error.error, error.error_description));
        Err(match error.error.as_str() {
            "invalid_grant" => OidcError::Code(said),
            "invalid_client" | "unauthorized_client" => OidcError::Client(said),
            _ => OidcError::Provider(format!("its token endpoint answered with status {status}: {said}")),
        })
    }

    /// What an ID token claims, if it may be believed.
    async fn verified(
        &self,
        metadata: &Metadata,
        id_token: &str,
        expected: &Expected<'_>,
    ) -> Result<(String, Map<String, Value>), OidcError> {
        let token = IdToken::parse(id_token).map_err(OidcError::Token)?;
        let asked_at = Instant::now();
        let mut signed = token.is_signed_by(&*self.keys(metadata, None).await?);
        if signed == Err(BadSignature::UnknownKey) {
            // It may have been made since.
            signed = token.is_signed_by(&*self.keys(metadata, Some(asked_at)).await?);
        }
        signed.map_err(|why| {
            OidcError::Token(
                match why {
                    BadSignature::UnknownKey => "is signed by a key that the provider doesn't publish",
                    BadSignature::Wrong => "has a wrong signature",
                }
                .to_owned(),
            )
        })?;
        token.claims(expected).map_err(OidcError::Token)
    }

    /// What the provider says of itself.
    async fn metadata(&self) -> Result<Arc<Metadata>, OidcError> {
        let mut known = self.known.lock().await;
        if let Some((read_at, metadata)) = &known.metadata
            && read_at.elapsed() < KEPT
        {
            return Ok(Arc::clone(metadata));
        }
        if let Some((failed_at, why)) = &known.failure
            && failed_at.elapsed() < FAILURE_KEPT
        {
            return Err(OidcError::Provider(why.clone()));
        }
        match self.discover().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                known.metadata = Some((Instant::now(), Arc::clone(&metadata)));
                Ok(metadata)
            }
            Err(why) => {
                known.failure = Some((Instant::now(), why.clone()));
                Err(OidcError::Provider(why))
            }
        }
    }

    async fn discover(&self) -> Result<Metadata, String> {
        let target = endpoint(&self.settings.discovery_url(), &self.settings)?;
        Metadata::parse(&calls::get(&self.dialer, &target, None).await?, &self.settings)
    }

    /// The provider's keys; read after this moment, if one is given.
    async fn keys(&self, metadata: &Metadata, after: Option<Instant>) -> Result<Arc<Keys>, OidcError> {
        let mut known = self.keys.lock().await;
        if let Some((read_at, keys)) = &*known
            && read_at.elapsed() < KEPT
            && after.is_none_or(|after| *read_at > after)
        {
            return Ok(Arc::clone(keys));
        }
        let body = calls::get(&self.dialer, &metadata.keys, None).await.map_err(OidcError::Provider)?;
        let keys = Arc::new(Keys::parse(&body).map_err(OidcError::Provider)?);
        *known = Some((Instant::now(), Arc::clone(&keys)));
        Ok(keys)
    }
}

/// What the userinfo endpoint says, if it is about this subject.
fn about(body: &[u8], subject: &str) -> Result<Map<String, Value>, String> {
    let claims: Map<String, Value> = serde_json::from_slice(body).map_err(|_| {
        "its userinfo endpoint didn't answer with JSON; signed answers are not read".to_owned()
    })?;
    if claims.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err("its userinfo endpoint speaks of another subject than the ID token".to_owned());
    }
    Ok(claims)
}

/// So much of another's words as may be shown.
fn words(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' });
    plain.take(MAX_WORDS).collect::<String>().trim().to_owned()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn pairs(fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(name, value)| [name, "=", &encoded(value)].concat());
    pairs.collect::<Vec<_>>().join("&")
}

/// An address with more in its query.
fn with_query(url: &str, fields: &[(&str, &str)]) -> String {
    let between = if url.contains('?') { "&" } else { "?" };
    [url, between, &pairs(fields)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_added_to_one_that_is_there() {
        assert_eq!(with_query("https://a/b", &[("c", "d e&")]), "https://a/b?c=d%20e%26");
        assert_eq!(with_query("https://a/b?t=1", &[("c", "d"), ("e", "~")]), "https://a/b?t=1&c=d&e=~");
    }

    #[test]
    fn claims_about_another_subject_are_refused() {
        assert!(about(br#"{"sub":"s","groups":["a"]}"#, "s").is_ok());
        assert!(about(br#"{"sub":"t"}"#, "s").is_err() && about(b"{}", "s").is_err());
        assert!(about(b"eyJ.eyJ.x", "s").unwrap_err().contains("signed"));
    }

    #[test]
    fn a_providers_words_are_shown_plainly() {
        assert_eq!(words("access_denied: \u{202e}no\n<b>"), "access_denied:  no <b>");
        assert_eq!(words(&"x".repeat(999)).len(), MAX_WORDS);
    }
}
