//! How operators sign in to the console at a provider of OpenID Connect.

use clap::Args;
use faregate_client::{Failure, tokens};
use faregate_ledger::{
    Secret,
    domain::claim_rule::ClaimRule,
    http::SignOnConfig,
    oidc::{OptionNames, Settings},
};

/// Single sign-on to the console.
#[derive(Args)]
#[command(next_help_heading = "Single sign-on")]
pub struct ProviderOptions {
    /// Let operators sign in to the console at the OpenID Connect provider with this issuer, such as
    /// https://login.example.com. The client's secret comes from FAREGATE_OIDC_CLIENT_SECRET, or from the file that
    /// FAREGATE_OIDC_CLIENT_SECRET_FILE names; a public client has none
    #[arg(long, value_name = "URL", requires_all = ["oidc_client_id", "console_url"])]
    oidc_issuer: Option<String>,
    /// By which identifier the provider knows the ledger
    #[arg(long, value_name = "ID", requires = "oidc_issuer")]
    oidc_client_id: Option<String>,
    /// Where browsers find the console, such as https://ledger.example.com/console. The provider must allow to send
    /// them back to this with /oidc behind it, and after signing out with /sign-in behind it
    #[arg(long, value_name = "URL", requires = "oidc_issuer")]
    console_url: Option<String>,
    /// Who has this value in this claim has this scope, such as groups=faregate-admins:admin; may be repeated. Others
    /// need an operator with their subject: `faregate operator create NAME --scope SCOPE --oidc-subject SUBJECT`
    #[arg(long, value_name = "CLAIM=VALUE:SCOPE", requires = "oidc_issuer", value_parser = ClaimRule::parse)]
    oidc_claim: Vec<ClaimRule>,
    /// Ask the provider for this scope, too, such as groups; may be repeated. openid, email and profile are always
    /// asked for
    #[arg(long, value_name = "SCOPE", requires = "oidc_issuer")]
    oidc_scope: Vec<String>,
    /// The provider may be in a private network or on this machine, and at http:// URLs
    #[arg(long, requires = "oidc_issuer")]
    oidc_allow_private: bool,
}

impl ProviderOptions {
    /// What was configured, if anything was.
    pub fn config(self, environment: tokens::Environment<'_>) -> Result<Option<SignOnConfig>, Failure> {
        let (Some(issuer), Some(client_id), Some(console_url)) =
            (self.oidc_issuer, self.oidc_client_id, self.console_url)
        else {
            return Ok(None);
        };
        let settings = Settings {
            options: OptionNames::CONSOLE,
            issuer,
            client_id,
            secret: tokens::client_secret(tokens::CLIENT_SECRET, environment)?.map(Secret::new),
            scopes: self.oidc_scope,
            allow_private: self.oidc_allow_private,
        };
        Ok(Some(SignOnConfig { settings, console_url, rules: self.oidc_claim }))
    }
}
