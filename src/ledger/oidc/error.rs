//! Why a sign-in came to nothing, for the log and for who wanted to sign in.

use super::MAX_AGE;

/// Why a sign-in came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// The answer doesn't belong to a sign-in that this browser has begun.
    #[error("the answer's state is not that of a sign-in that this browser has begun")]
    Foreign,
    /// The provider has another answer than a code.
    #[error("the provider answered {0}")]
    Refused(String),
    /// The answer comes from another provider.
    #[error("the answer names the issuer {0}")]
    OtherIssuer(String),
    /// The provider doesn't take the code.
    #[error("the provider doesn't take the code: {0}")]
    Code(String),
    /// The ID token is not one that lets in.
    #[error("the ID token {0}")]
    Token(String),
    /// The provider can't be asked, or answers what can't be used.
    #[error("the provider can't be used: {0}")]
    Provider(String),
    /// The provider doesn't know the ledger.
    #[error("the provider doesn't accept the ledger as a client: {0}")]
    Client(String),
    /// Too many sign-ins are under way.
    #[error("too many sign-ins are under way")]
    Busy,
}

impl OidcError {
    /// What happened, and what to do, for who wanted to sign in.
    pub fn advice(&self) -> String {
        let minutes = MAX_AGE.as_secs() / 60;
        match self {
            Self::Foreign => format!(
                "This sign-in was begun in another browser or tab, was finished already, or is older than {minutes} minutes. \
                 Begin again."
            ),
            Self::Refused(why) => format!(
                "Your identity provider has not signed you in: {why}. Begin again; if it stays so, ask who administrates the provider \
                 whether you may use Faregate."
            ),
            Self::OtherIssuer(_) => "The answer came from another identity provider than the one that was asked. Begin again; if it \
                 stays so, ask an admin to look into the ledger\u{2019}s log."
                .to_owned(),
            Self::Code(_) => {
                "Your identity provider doesn\u{2019}t accept this sign-in any more: it was finished already, or took too long. Begin \
                 again."
                    .to_owned()
            }
            Self::Token(why) => format!(
                "What your identity provider says of you can\u{2019}t be trusted: its ID token {why}. Begin again; if it stays so, ask \
                 an admin to look into the ledger\u{2019}s log."
            ),
            Self::Provider(_) => {
                "Your identity provider can\u{2019}t be reached, or answers what can\u{2019}t be used. Try again in a moment, or sign in \
                 with a token. The ledger\u{2019}s log says what is wrong."
                    .to_owned()
            }
            Self::Client(_) => {
                "Your identity provider doesn\u{2019}t accept the ledger. Ask an admin to check --oidc-client-id, the client\u{2019}s \
                 secret and its redirect URI, and sign in with a token until then."
                    .to_owned()
            }
            Self::Busy => "Many people are signing in just now. Try again in a moment.".to_owned(),
        }
    }
}
