//! Which provider, and as whom the ledger comes to it.

use crate::Secret;
use crate::domain::outgoing::{Target, is_public, target};

/// What providers always get asked for.
const SCOPES: [&str; 3] = ["openid", "email", "profile"];
/// The most scopes besides.
const MAX_SCOPES: usize = 16;
/// The longest text of a setting, in bytes.
const MAX_TEXT_BYTES: usize = 512;

/// What the options are called by which a provider is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionNames {
    /// That of the issuer.
    pub issuer: &'static str,
    /// That of the client's identifier.
    pub client_id: &'static str,
    /// That of scopes.
    pub scope: &'static str,
    /// The one that allows private networks.
    pub allow_private: &'static str,
}

impl OptionNames {
    /// Those of the provider of operators.
    pub const CONSOLE: Self = Self {
        issuer: "--oidc-issuer",
        client_id: "--oidc-client-id",
        scope: "--oidc-scope",
        allow_private: "--oidc-allow-private",
    };
    /// Those of the provider of customers.
    pub const PORTAL: Self = Self {
        issuer: "--portal-oidc-issuer",
        client_id: "--portal-oidc-client-id",
        scope: "--portal-oidc-scope",
        allow_private: "--portal-oidc-allow-private",
    };
}

/// What an operator has configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the options are called.
    pub options: OptionNames,
    /// The issuer, letter by letter as the provider calls itself.
    pub issuer: String,
    /// By which identifier the provider knows the ledger.
    pub client_id: String,
    /// What proves it; none for a public client.
    pub secret: Option<Secret>,
    /// Scopes to ask for besides `openid`, `email` and `profile`.
    pub scopes: Vec<String>,
    /// Whether the provider may be in a private network, and without TLS.
    pub allow_private: bool,
}

/// Why settings can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option} {why}")]
pub struct InvalidSetting {
    /// The option.
    pub option: &'static str,
    /// What is wrong, and what to do.
    pub why: String,
}

impl Settings {
    /// Checks all of them.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let invalid = |option, why: &str| Err(InvalidSetting { option, why: why.to_owned() });
        if let Err(why) = endpoint(&self.issuer, self) {
            return Err(InvalidSetting { option: self.options.issuer, why });
        }
        if self.issuer.contains('?') {
            return invalid(self.options.issuer, "has a query; an issuer has none");
        }
        if !is_text(&self.client_id) {
            return invalid(
                self.options.client_id,
                "is no identifier of a client; copy it from the provider",
            );
        }
        let is_scope = |scope: &String| is_text(scope) && !scope.contains(['"', '\\']);
        if self.scopes.len() > MAX_SCOPES || !self.scopes.iter().all(is_scope) {
            return invalid(
                self.options.scope,
                "is no scope, or there are more than 16; a scope is a word without blanks",
            );
        }
        Ok(())
    }

    /// The scopes to ask for.
    pub fn asked_scopes(&self) -> String {
        let more = self.scopes.iter().map(String::as_str).filter(|scope| !SCOPES.contains(scope));
        SCOPES.into_iter().chain(more).collect::<Vec<_>>().join(" ")
    }

    /// Where the provider describes itself.
    pub fn discovery_url(&self) -> String {
        [self.issuer.trim_end_matches('/'), "/.well-known/openid-configuration"].concat()
    }
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TEXT_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Where a URL of the provider leads, if it may be called.
pub fn endpoint(url: &str, settings: &Settings) -> Result<Target, String> {
    let target = target(url, true).map_err(|invalid| invalid.why)?;
    let option = settings.options.allow_private;
    if settings.allow_private {
        return Ok(target);
    }
    if !target.tls {
        return Err(format!(
            "begins with http://; use https://, or start the ledger with {option} for a provider in your own network"
        ));
    }
    if target.address().is_some_and(|address| !is_public(address)) {
        return Err(format!(
            "is an address of a private network or of this machine; start the ledger with {option} to allow it"
        ));
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(issuer: &str) -> Settings {
        Settings {
            options: OptionNames::CONSOLE,
            issuer: issuer.to_owned(),
            client_id: "faregate".to_owned(),
            secret: None,
            scopes: Vec::new(),
            allow_private: false,
        }
    }

    #[test]
    fn an_issuer_is_a_public_https_url_unless_more_is_allowed() {
        assert_eq!(settings("https://login.example.com/tenant/v2.0").check(), Ok(()));
        for (issuer, said) in [
            ("http://login.example.com", "https://"),
            ("https://10.0.0.1", "private"),
            ("login.example.com", "https"),
            ("https://a?b=c", "query"),
            ("https://a#b", "fragment"),
        ] {
            let why = settings(issuer).check().unwrap_err().to_string();
            assert!(why.starts_with("--oidc-issuer") && why.contains(said), "{issuer}: {why}");
        }
        let inside = Settings { allow_private: true, ..settings("http://127.0.0.1:9000") };
        assert_eq!(inside.check(), Ok(()));
        assert_eq!(inside.discovery_url(), "http://127.0.0.1:9000/.well-known/openid-configuration");
    }

    #[test]
    fn scopes_are_words_and_asked_for_once() {
        let with = |scopes: &[&str]| Settings {
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            ..settings("https://a")
        };
        assert_eq!(with(&["groups", "email"]).asked_scopes(), "openid email profile groups");
        assert!(with(&["a b"]).check().is_err() && with(&[""]).check().is_err());
    }
}
