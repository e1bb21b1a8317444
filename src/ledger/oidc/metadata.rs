//! What a provider says of itself (OpenID Connect Discovery 1.0).

use super::keys::Algorithm;
use super::settings::{Settings, endpoint};
use crate::domain::outgoing::Target;
use serde::Deserialize;

/// What a provider publishes.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

/// How the ledger proves to the token endpoint which client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientProof {
    /// By its secret in a header.
    Basic,
    /// By its secret in the form.
    Post,
}

/// Where a provider's endpoints are, and what it can.
#[derive(Debug)]
pub struct Metadata {
    /// Where browsers are sent to.
    pub authorization: String,
    /// Where codes are exchanged.
    pub token: Target,
    /// Where its keys are.
    pub keys: Target,
    /// Where claims are that the ID token doesn't have.
    pub userinfo: Option<Target>,
    /// Where browsers are sent to sign out.
    pub end_session: Option<String>,
    /// How a client proves itself.
    pub proof: ClientProof,
    /// Whether each answer names the issuer.
    pub names_issuer: bool,
}

impl Metadata {
    /// Reads it.
    pub fn parse(body: &[u8], settings: &Settings) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(body)
            .map_err(|why| format!("what it says of itself is no OpenID configuration: {why}"))?;
        if document.issuer != settings.issuer {
            let option = settings.options.issuer;
            return Err(format!(
                "it calls itself {:?}, which is not the issuer that was asked; give {option} that, if it is the right one",
                document.issuer.chars().take(200).collect::<String>()
            ));
        }
        let place =
            |name: &str, url: &str| endpoint(url, settings).map_err(|why| format!("its {name} {why}"));
        let known = document.id_token_signing_alg_values_supported;
        if known.is_some_and(|all| !all.iter().any(|name| Algorithm::named(name).is_some())) {
            return Err(
                "it signs ID tokens neither by RS256 nor by ES256; choose one of these for this client"
                    .to_owned(),
            );
        }
        place("authorization_endpoint", &document.authorization_endpoint)?;
        let methods = document.token_endpoint_auth_methods_supported.unwrap_or_default();
        let takes = |method: &str| methods.iter().any(|known| known == method);
        let by_post = takes("client_secret_post") && !takes("client_secret_basic");
        // To end a session there is a convenience: without it signing in works all the same.
        let end_session =
            document.end_session_endpoint.filter(|url| place("end_session_endpoint", url).is_ok());
        Ok(Self {
            token: place("token_endpoint", &document.token_endpoint)?,
            keys: place("jwks_uri", &document.jwks_uri)?,
            userinfo: document
                .userinfo_endpoint
                .as_deref()
                .map(|url| place("userinfo_endpoint", url))
                .transpose()?,
            authorization: document.authorization_endpoint,
            end_session,
            proof: if by_post { ClientProof::Post } else { ClientProof::Basic },
            names_issuer: document.authorization_response_iss_parameter_supported.unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(changes: &Value) -> Result<Metadata, String> {
        let mut document = json!({"issuer": "https://a", "authorization_endpoint": "https://a/auth?tenant=1",
            "token_endpoint": "https://a/token", "jwks_uri": "https://b/keys"});
        document.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let settings = Settings {
            options: crate::oidc::OptionNames::CONSOLE,
            issuer: "https://a".to_owned(),
            client_id: "c".to_owned(),
            secret: None,
            scopes: Vec::new(),
            allow_private: false,
        };
        Metadata::parse(document.to_string().as_bytes(), &settings)
    }

    #[test]
    fn a_configuration_says_where_endpoints_are() {
        let found = read(&json!({"end_session_endpoint": "https://a/end"})).unwrap();
        assert_eq!((found.token.path.as_str(), found.keys.host.as_str()), ("/token", "b"));
        assert_eq!(found.proof, ClientProof::Basic);
        assert!(found.end_session.is_some() && found.userinfo.is_none() && !found.names_issuer);
        let posts =
            json!({"token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"]});
        assert_eq!(read(&posts).unwrap().proof, ClientProof::Post);
        let odd = json!({"end_session_endpoint": "http://a/end"});
        assert!(read(&odd).unwrap().end_session.is_none());
    }

    #[test]
    fn another_issuer_and_endpoints_inside_are_refused() {
        for (changes, said) in [
            (json!({"issuer": "https://a/"}), "calls itself"),
            (json!({"token_endpoint": "http://a/token"}), "token_endpoint"),
            (json!({"jwks_uri": "https://169.254.169.254/"}), "jwks_uri"),
            (json!({"authorization_endpoint": "javascript:alert(1)"}), "authorization_endpoint"),
            (json!({"userinfo_endpoint": "https://[::1]/"}), "userinfo_endpoint"),
            (json!({"id_token_signing_alg_values_supported": ["HS256", "none"]}), "RS256"),
            (json!({"issuer": 7}), "OpenID configuration"),
        ] {
            let why = read(&changes).unwrap_err();
            assert!(why.contains(said), "{changes}: {why}");
        }
    }
}
