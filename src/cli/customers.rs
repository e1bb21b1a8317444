//! Whether `serve` opens a portal for customers, and what the operator decides about it.

use clap::Args;
use faregate_client::{Failure, tokens};
use faregate_ledger::{
    MAX_SETTINGS_BYTES, PortalConfig, PortalSettings, Secret, TlsFiles,
    http::MAX_PROXIES,
    oidc::{OptionNames, Settings},
};
use serde_json::Value;
use std::{
    fs::File,
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The portal for customers.
#[derive(Args)]
#[command(next_help_heading = "Portal")]
#[expect(clippy::struct_field_names, reason = "they are the names of the flags")]
pub struct Customers {
    /// Open the portal for customers at this address; without, there is none
    #[arg(long, value_name = "ADDRESS")]
    portal_listen: Option<SocketAddr>,
    /// A file (YAML or JSON) with the portal's name, color, logo, texts and addresses, and what customers may do
    #[arg(long, value_name = "FILE")]
    portal_settings: Option<PathBuf>,
    /// How many proxies before the portal add the client's address to x-forwarded-for, and say in x-forwarded-proto whether it speaks TLS
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=i64::from(MAX_PROXIES)))]
    portal_trusted_proxies: u8,
    /// Let customers sign in to the portal at the OpenID Connect provider with this issuer, such as https://login.example.com.
    /// The client's secret comes from FAREGATE_PORTAL_OIDC_CLIENT_SECRET, or from the file that
    /// FAREGATE_PORTAL_OIDC_CLIENT_SECRET_FILE names; a public client has none. The provider must allow to send browsers back
    /// to the portal's url with /portal/oidc behind it, and after signing out with /portal/sign-in behind it
    #[arg(long, value_name = "URL", requires_all = ["portal_oidc_client_id", "portal_listen"])]
    portal_oidc_issuer: Option<String>,
    /// By which identifier this provider knows the portal
    #[arg(long, value_name = "ID", requires = "portal_oidc_issuer")]
    portal_oidc_client_id: Option<String>,
    /// Ask this provider for this scope, too; may be repeated. openid, email and profile are always asked for
    #[arg(long, value_name = "SCOPE", requires = "portal_oidc_issuer")]
    portal_oidc_scope: Vec<String>,
    /// This provider may be in a private network or on this machine, and at http:// URLs
    #[arg(long, requires = "portal_oidc_issuer")]
    portal_oidc_allow_private: bool,
}

impl Customers {
    /// The provider at which customers sign in, if one was named.
    pub fn provider(&self, environment: tokens::Environment<'_>) -> Result<Option<Settings>, Failure> {
        let (Some(issuer), Some(client_id)) =
            (self.portal_oidc_issuer.clone(), self.portal_oidc_client_id.clone())
        else {
            return Ok(None);
        };
        let secret = tokens::client_secret(tokens::PORTAL_CLIENT_SECRET, environment)?;
        Ok(Some(Settings {
            options: OptionNames::PORTAL,
            issuer,
            client_id,
            secret: secret.map(Secret::new),
            scopes: self.portal_oidc_scope.clone(),
            allow_private: self.portal_oidc_allow_private,
        }))
    }

    /// Where the portal is to be, and its settings. These may name its address without it being open here.
    pub fn read(self, tls: Option<TlsFiles>) -> Result<(Option<PortalConfig>, PortalSettings), Failure> {
        if tls.is_some() && self.portal_listen.is_none() {
            return Err(
                Failure::usage("--portal-tls without --portal-listen").cure("say where the portal is to be")
            );
        }
        let settings = match &self.portal_settings {
            Some(file) => settings(file)?,
            None => PortalSettings::default(),
        };
        let trusted_proxies = self.portal_trusted_proxies;
        let portal = self.portal_listen.map(|listen| PortalConfig { listen, tls, trusted_proxies });
        Ok((portal, settings))
    }
}

/// The settings in a file. What they name lies beside it.
fn settings(file: &Path) -> Result<PortalSettings, Failure> {
    let failed = |why: String| Failure::new("portal_settings", format!("{}: {why}", file.display()));
    let text = bounded(file, MAX_SETTINGS_BYTES).map_err(failed)?;
    let text = String::from_utf8(text).map_err(|_| failed("is no text in UTF-8".to_owned()))?;
    let said: Option<Value> =
        serde_saphyr::from_str(&text).map_err(|error| failed(format!("neither JSON nor YAML: {error}")))?;
    let said = said.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let folder = file.parent().unwrap_or(Path::new("."));
    PortalSettings::read(&said, |name, most| bounded(&folder.join(name), most))
        .map_err(|why| failed(why).cure("docs/portal.md lists the fields"))
}

/// The contents of a file that isn't too large.
fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("can't read {}: {error}", path.display());
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|found| found > most) {
        return Err(format!("{} has more than {most} bytes", path.display()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PortalSettings, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portal.yaml");
        std::fs::write(&file, text).unwrap();
        std::fs::write(folder.path().join("logo.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>").unwrap();
        std::fs::write(folder.path().join("large.png"), vec![0; 200_000]).unwrap();
        settings(&file)
            .map_err(|failure| failure.to_string().replace(&*file.to_string_lossy(), "portal.yaml"))
    }

    #[test]
    fn settings_are_yaml_or_json_and_errors_name_the_field() {
        let settings = read("name: Acme\naccent: '#a01234'\nlogo: logo.svg\nkeys: {make: false}\n").unwrap();
        assert_eq!((settings.name.as_str(), settings.keys.make), ("Acme", false));
        assert!(settings.logo.is_some());
        assert_eq!(read(r#"{"name": "Acme"}"#).unwrap().name, "Acme");
        assert!(read("").is_ok(), "nothing is said");
        for (text, says) in [
            ("nam: Acme", "portal.yaml: nam: unknown field `nam`"),
            ("top_up_url: example.com", "portal.yaml: top_up_url: \"example.com\" is no address of a page"),
            ("logo: gone.png", "portal.yaml: logo: can't read"),
            ("logo: large.png", "portal.yaml: logo: "),
            ("name: [", "portal.yaml: neither JSON nor YAML"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.starts_with(says), "{text}: {why}");
        }
    }
}
