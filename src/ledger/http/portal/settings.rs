//! What the operator decides about the portal: its name and looks, where customers pay, and what they may do with keys.
//!
//! What must hold: settings that are accepted work; what doesn't is named by its field, with what is expected.

use super::colors::Rgb;
use super::logo::Logo;
use crate::http::body::{self, Invalid};
use crate::http::link::is_web_address;
use crate::http::pages::show::encoded;
use serde::Deserialize;
use serde_json::Value;

/// The largest file of settings, in bytes.
pub const MAX_SETTINGS_BYTES: u64 = 64 * 1024;
/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 60;
/// The longest text, in characters.
const MAX_TEXT_CHARS: usize = 500;
/// The longest address, in bytes.
const MAX_URL_BYTES: usize = 2_000;
/// How many keys that work an account may have for its customer to make another one, when nothing else is said.
const MAX_KEYS: usize = 50;
/// The most that may be said.
const MOST_KEYS: usize = 1_000;
/// The placeholder for the account's identifier in an address.
const ACCOUNT: &str = "{account}";

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    name: Option<String>,
    accent: Option<String>,
    logo: Option<String>,
    url: Option<String>,
    home_url: Option<String>,
    support_url: Option<String>,
    top_up_url: Option<String>,
    upgrade_url: Option<String>,
    texts: Texts,
    keys: Keys,
    alerts: Option<bool>,
    calls: Option<bool>,
    key_sign_in: Option<bool>,
}

/// Texts of the operator's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Texts {
    /// On the page on which customers sign in.
    pub sign_in: Option<String>,
    /// At the top of the first page.
    pub home: Option<String>,
    /// At the bottom of each page.
    pub footer: Option<String>,
    /// At the bottom of a receipt, such as the seller's address.
    pub receipt: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    make: Option<bool>,
    rotate: Option<bool>,
    revoke: Option<bool>,
    most: Option<usize>,
}

/// What customers may do with keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRights {
    /// Make them.
    pub make: bool,
    /// Rotate them.
    pub rotate: bool,
    /// Revoke them.
    pub revoke: bool,
    /// With how many that work no other is made.
    pub most: usize,
}

/// The settings.
#[derive(Clone, Debug)]
pub struct PortalSettings {
    /// What the portal is called.
    pub name: String,
    /// The color of buttons and links; ours, when none is given.
    pub accent: Option<Rgb>,
    /// The logo.
    pub logo: Option<Logo>,
    /// Where customers reach the portal, without a slash at the end.
    pub url: Option<String>,
    /// The operator's own site.
    pub home_url: Option<String>,
    /// Where customers get help.
    pub support_url: Option<String>,
    /// Where credits are sold.
    pub top_up_url: Option<String>,
    /// Where plans are sold.
    pub upgrade_url: Option<String>,
    /// Texts.
    pub texts: Texts,
    /// What customers may do with keys.
    pub keys: KeyRights,
    /// Whether customers may set below which balance they are announced.
    pub alerts: bool,
    /// Whether customers see single calls, where gateways record them.
    pub calls: bool,
    /// Whether customers may sign in with a key, to read.
    pub key_sign_in: bool,
}

impl Default for PortalSettings {
    fn default() -> Self {
        Self {
            name: "Your account".to_owned(),
            accent: None,
            logo: None,
            url: None,
            home_url: None,
            support_url: None,
            top_up_url: None,
            upgrade_url: None,
            texts: Texts::default(),
            keys: KeyRights { make: true, rotate: true, revoke: true, most: MAX_KEYS },
            alerts: true,
            calls: true,
            key_sign_in: true,
        }
    }
}

impl PortalSettings {
    /// Reads them; `open` gives the contents of a file that they name.
    pub fn read(
        said: &Value,
        open: impl FnOnce(&str, u64) -> Result<Vec<u8>, String>,
    ) -> Result<Self, String> {
        let file: File = body::parse(said.to_string().as_bytes()).map_err(|wrong| wrong.sentence())?;
        Self::of(file, open).map_err(|wrong| wrong.sentence())
    }

    fn of(file: File, open: impl FnOnce(&str, u64) -> Result<Vec<u8>, String>) -> Result<Self, Invalid> {
        let usual = Self::default();
        let logo = match &file.logo {
            None => None,
            Some(path) => {
                let about = |why: String| Invalid::field("logo", why);
                let bytes = open(path, Logo::MAX_BYTES).map_err(about)?;
                Some(Logo::read(bytes).map_err(about)?)
            }
        };
        let accent = match &file.accent {
            None => None,
            Some(text) => Some(Rgb::parse(text).ok_or_else(|| {
                Invalid::field("accent", format!("{text:?} is no color; an example is \"#0b6460\""))
            })?),
        };
        let name = match file.name {
            None => usual.name,
            Some(name) => text("name", Some(name), MAX_NAME_CHARS)?.unwrap_or_default(),
        };
        let texts = Texts {
            sign_in: text("texts.sign_in", file.texts.sign_in, MAX_TEXT_CHARS)?,
            home: text("texts.home", file.texts.home, MAX_TEXT_CHARS)?,
            footer: text("texts.footer", file.texts.footer, MAX_TEXT_CHARS)?,
            receipt: text("texts.receipt", file.texts.receipt, MAX_TEXT_CHARS)?,
        };
        let most = file.keys.most.unwrap_or(MAX_KEYS);
        if !(1..=MOST_KEYS).contains(&most) {
            return Err(Invalid::field("keys.most", format!("is {most}; it must be 1 to {MOST_KEYS}")));
        }
        let may = |said: Option<bool>| said.unwrap_or(true);
        Ok(Self {
            name,
            accent,
            logo,
            url: own_address(file.url)?,
            home_url: address("home_url", file.home_url)?,
            support_url: match file.support_url {
                Some(url) if is_mail(&url) => Some(url),
                other => address("support_url", other)?,
            },
            top_up_url: address("top_up_url", file.top_up_url)?,
            upgrade_url: address("upgrade_url", file.upgrade_url)?,
            texts,
            keys: KeyRights {
                make: may(file.keys.make),
                rotate: may(file.keys.rotate),
                revoke: may(file.keys.revoke),
                most,
            },
            alerts: may(file.alerts),
            calls: may(file.calls),
            key_sign_in: may(file.key_sign_in),
        })
    }

    /// Where this account's customer buys credits.
    pub fn top_up(&self, account: &str) -> Option<String> {
        self.top_up_url.as_deref().map(|url| filled(url, account))
    }

    /// Where this account's customer changes the plan.
    pub fn upgrade(&self, account: &str) -> Option<String> {
        self.upgrade_url.as_deref().map(|url| filled(url, account))
    }
}

fn filled(url: &str, account: &str) -> String {
    url.replace(ACCOUNT, &encoded(account))
}

fn text(field: &str, text: Option<String>, most: usize) -> Result<Option<String>, Invalid> {
    match text.map(|text| text.trim().to_owned()) {
        None => Ok(None),
        Some(text) if text.is_empty() => Err(Invalid::field(field, "is empty; leave it out")),
        Some(text) if text.chars().count() > most => {
            let found = text.chars().count();
            Err(Invalid::field(field, format!("has {found} characters; the most is {most}")))
        }
        Some(text) if text.chars().any(|c| c.is_control() && c != '\n') => {
            Err(Invalid::field(field, "holds a control character; take it out"))
        }
        text => Ok(text),
    }
}

fn address(field: &str, url: Option<String>) -> Result<Option<String>, Invalid> {
    match url {
        Some(url) if url.len() > MAX_URL_BYTES || !is_web_address(&url.replace(ACCOUNT, "account")) => {
            let why = format!(
                "{url:?} is no address of a page; give one that begins with https:// or http://, in ASCII; {ACCOUNT} in it is the account's identifier"
            );
            Err(Invalid::field(field, why))
        }
        url => Ok(url),
    }
}

/// The portal's own address: a scheme and a host, with nothing behind it.
fn own_address(url: Option<String>) -> Result<Option<String>, Invalid> {
    let Some(url) = url else { return Ok(None) };
    let plain = url.trim_end_matches('/');
    let host = plain.split_once("://").map_or("", |(_, host)| host);
    if !is_web_address(plain) || host.contains(['/', '?', '#', '{']) {
        let why = format!(
            "{url:?} is not where a portal is; give a scheme and a host, as in \"https://portal.example.com\""
        );
        return Err(Invalid::field("url", why));
    }
    Ok(Some(plain.to_owned()))
}

/// Whether it is an address to write a mail to.
fn is_mail(url: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@._+-".contains(c);
    url.strip_prefix("mailto:")
        .is_some_and(|to| to.matches('@').count() == 1 && to.len() > 2 && to.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[expect(clippy::needless_pass_by_value, reason = "its callers write the value in place")]
    fn read(said: Value) -> Result<PortalSettings, String> {
        PortalSettings::read(&said, |path, _| match path {
            "logo.svg" => Ok(b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec()),
            "page.html" => Ok(b"<html>".to_vec()),
            other => Err(format!("can't read {other}")),
        })
    }

    #[test]
    fn settings_without_a_file_let_customers_look_and_care_for_their_keys() {
        let settings = read(json!({})).unwrap();
        assert_eq!((settings.name.as_str(), settings.key_sign_in), ("Your account", true));
        assert_eq!(settings.keys, KeyRights { make: true, rotate: true, revoke: true, most: 50 });
        assert_eq!(settings.top_up("acme"), None);
    }

    #[test]
    fn all_that_may_be_said_is_taken() {
        let settings = read(json!({
            "name": "Acme APIs", "accent": "#a01", "logo": "logo.svg", "url": "https://portal.example.com/",
            "home_url": "https://example.com", "support_url": "mailto:help@example.com",
            "top_up_url": "https://example.com/top-up?account={account}", "upgrade_url": "https://example.com/{account}/plan",
            "texts": {"sign_in": "Hello\nthere", "home": "Welcome.", "footer": "Acme Ltd", "receipt": "VAT 7"},
            "keys": {"make": false, "most": 3}, "alerts": false, "calls": false, "key_sign_in": false,
        }))
        .unwrap();
        assert_eq!(settings.url.as_deref(), Some("https://portal.example.com"));
        assert_eq!(settings.top_up("a&b").as_deref(), Some("https://example.com/top-up?account=a%26b"));
        assert_eq!(settings.keys, KeyRights { make: false, rotate: true, revoke: true, most: 3 });
        assert!(!settings.alerts && !settings.calls && !settings.key_sign_in);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        for (said, expected) in [
            (json!({"colour": "#fff"}), "colour: unknown field"),
            (json!({"name": ""}), "name: is empty"),
            (json!({"name": "x".repeat(61)}), "name: has 61 characters; the most is 60"),
            (json!({"accent": "green"}), "accent: \"green\" is no color"),
            (json!({"logo": "gone.png"}), "logo: can't read gone.png"),
            (json!({"logo": "page.html"}), "logo: is neither"),
            (json!({"url": "https://example.com/portal"}), "url: "),
            (json!({"top_up_url": "javascript:alert(1)"}), "top_up_url: "),
            (json!({"support_url": "mailto:a@b?cc=c"}), "support_url: "),
            (json!({"texts": {"home": "a\u{1b}b"}}), "texts.home: holds a control character"),
            (json!({"keys": {"most": 0}}), "keys.most: is 0; it must be 1 to 1000"),
            (json!({"keys": {"make": "yes"}}), "keys.make: "),
        ] {
            let why = read(said.clone()).unwrap_err();
            assert!(why.starts_with(expected), "{said}: {why}");
        }
    }
}
