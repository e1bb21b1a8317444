//! How operators and customers sign in at providers of OpenID Connect: which provider, where it sends them back to, and what claims let
//! operators do.

use crate::domain::claim_rule::{ClaimRule, MAX_RULES};
use crate::domain::outgoing::{Target, target};
use crate::oidc::{InvalidSetting, OptionNames, Provider, Settings};

/// The path of the console.
const CONSOLE: &str = "/console";

/// What an operator has configured.
#[derive(Clone, Debug)]
pub struct SignOnConfig {
    /// The provider.
    pub settings: Settings,
    /// Where browsers find the console.
    pub console_url: String,
    /// What claims let their owners do; who has a subject linked to an operator needs none.
    pub rules: Vec<ClaimRule>,
}

/// The same, checked.
#[derive(Debug)]
pub struct SingleSignOn {
    /// The provider.
    pub provider: Provider,
    /// What claims let their owners do.
    pub rules: Vec<ClaimRule>,
    console: String,
}

impl SingleSignOn {
    /// Checks it. The provider isn't asked yet.
    pub fn new(config: SignOnConfig) -> Result<Self, InvalidSetting> {
        let console = console(&config.console_url, config.settings.allow_private)
            .map_err(|why| InvalidSetting { option: "--console-url", why })?;
        if config.rules.len() > MAX_RULES {
            let why = format!("is given more than {MAX_RULES} times; put people into groups");
            return Err(InvalidSetting { option: "--oidc-claim", why });
        }
        Ok(Self { provider: Provider::new(config.settings)?, rules: config.rules, console })
    }

    /// Where the provider sends browsers back to after a sign-in.
    pub fn back_to(&self) -> String {
        [&self.console, "/oidc"].concat()
    }

    /// Where the provider sends browsers back to after they signed out.
    pub fn signed_out(&self) -> String {
        [&self.console, "/sign-in"].concat()
    }

    /// The claims that rules are about.
    pub fn wanted(&self) -> Vec<&str> {
        let mut wanted: Vec<&str> = self.rules.iter().map(|rule| rule.claim.as_str()).collect();
        if !wanted.is_empty() {
            // By it the trail names who has no operator.
            wanted.push("email");
        }
        wanted
    }
}

/// How customers sign in to the portal at a provider.
#[derive(Debug)]
pub struct PortalSignOn {
    /// The provider.
    pub provider: Provider,
    portal: String,
}

impl PortalSignOn {
    /// The same, of a portal that customers reach there.
    pub fn new(provider: Provider, portal: Option<&str>) -> Result<Self, InvalidSetting> {
        let why = match portal.map(|url| portal_at(url, provider.settings().allow_private)) {
            Some(Ok(portal)) => return Ok(Self { provider, portal }),
            Some(Err(why)) => why,
            None => "there is no portal".to_owned(),
        };
        let why = format!(
            "can't send customers back: {why}; name the portal's address as url in --portal-settings"
        );
        Err(InvalidSetting { option: OptionNames::PORTAL.issuer, why })
    }

    /// Where the provider sends browsers back to after a sign-in.
    pub fn back_to(&self) -> String {
        [&self.portal, "/portal/oidc"].concat()
    }

    /// Where the provider sends browsers back to after they signed out.
    pub fn signed_out(&self) -> String {
        [&self.portal, "/portal/sign-in"].concat()
    }
}

/// The portal's address, if a browser can be sent there and what it brings isn't read on the way.
fn portal_at(url: &str, in_the_clear: bool) -> Result<String, String> {
    let target = target(url, true).map_err(|invalid| invalid.why)?;
    if target.address().is_some_and(|address| address.is_unspecified()) {
        return Err(format!("{url} is no address that customers reach"));
    }
    if !target.tls && !is_here(&target) && !in_the_clear {
        return Err(format!("{url} begins with http://, and sign-ins can be read on the way"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// Whether it is on this machine.
fn is_here(target: &Target) -> bool {
    target.host == "localhost" || target.address().is_some_and(|address| address.is_loopback())
}

/// The console's address without a slash at its end.
fn console(url: &str, in_the_clear: bool) -> Result<String, String> {
    let target = target(url, true).map_err(|invalid| invalid.why)?;
    if target.path.trim_end_matches('/') != CONSOLE {
        return Err(
            "is no address of the console: it ends in /console, such as https://ledger.example.com/console"
                .to_owned(),
        );
    }
    if !target.tls && !is_here(&target) && !in_the_clear {
        return Err("begins with http://; use https://, or sign-ins can be read on the way".to_owned());
    }
    Ok(url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consoles_address_is_its_own_and_safe() {
        for url in ["https://a.test/console", "https://a.test:8443/console/", "http://localhost:7402/console"]
        {
            assert_eq!(console(url, false).as_deref(), Ok(url.trim_end_matches('/')));
        }
        for (url, said) in [
            ("https://a.test", "/console"),
            ("https://a.test/console?x=1", "/console"),
            ("https://a.test/x/console", "/console"),
            ("http://a.test/console", "https://"),
            ("a.test/console", "https"),
        ] {
            assert!(console(url, false).unwrap_err().contains(said), "{url}");
        }
        assert!(console("http://a.test/console", true).is_ok());
    }

    #[test]
    fn customers_are_sent_back_only_to_where_they_can_come() {
        for url in ["https://portal.test", "http://127.0.0.1:7403", "https://portal.test:8443/"] {
            assert_eq!(portal_at(url, false).as_deref(), Ok(url.trim_end_matches('/')));
        }
        for url in ["http://0.0.0.0:7403", "http://portal.test", "https://[::]:7403"] {
            assert!(portal_at(url, false).is_err(), "{url}");
        }
        assert!(portal_at("http://portal.test", true).is_ok());
    }
}
