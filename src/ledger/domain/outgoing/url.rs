//! Where an endpoint is: what a URL says of it, and which URLs are taken.

use crate::domain::terms::InvalidField;
use crate::domain::webhook::MAX_URL_BYTES;
use std::net::IpAddr;

/// What a URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether it is spoken to by TLS.
    pub tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The value of the header `host`.
    pub authority: String,
    /// The path and the query.
    pub path: String,
}

impl Target {
    /// The address that the host is, if it is none by name.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// Reads a URL. Without TLS, and to addresses of private networks, only where that is allowed.
pub fn target(url: &str, private: bool) -> Result<Target, InvalidField> {
    let invalid = |why: &str| InvalidField::new("url", why.to_owned());
    if url.len() > MAX_URL_BYTES {
        return Err(invalid("is longer than 2048 bytes; use a shorter one"));
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid("has a character that no URL has; escape it with %"));
    }
    let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) if private => (false, rest),
        (_, Some(_)) => {
            return Err(invalid(
                "begins with http://; use https://, or start the ledger with --webhook-allow-private for receivers in your own network",
            ));
        }
        _ => return Err(invalid("is no https:// URL")),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (Some(authority), Some(path)) = (rest.get(..end), rest.get(end..)) else {
        return Err(invalid("is no URL"));
    };
    if path.contains('#') {
        return Err(invalid("has a fragment behind #, which is sent to no server; leave it out"));
    }
    if authority.contains('@') {
        return Err(invalid("has a user name or a password; deliveries are signed instead, leave it out"));
    }
    let (host, port) = split(authority).ok_or_else(|| invalid("has no host, or a port that is none"))?;
    let target = Target {
        tls,
        host,
        port: port.unwrap_or(if tls { 443 } else { 80 }),
        authority: authority.to_owned(),
        path: if path.starts_with('/') { path.to_owned() } else { ["/", path].concat() },
    };
    if !private && target.address().is_some_and(|address| !super::is_public(address)) {
        return Err(invalid(
            "is an address of a private network, of this machine, or of no use on the internet; start the ledger with --webhook-allow-private to allow it",
        ));
    }
    Ok(target)
}

/// The host and the port of an authority.
fn split(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (host, port)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        (authority.get(..end)?, authority.get(end..)?)
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
        return None;
    }
    let port = match port {
        "" => None,
        port => Some(port.strip_prefix(':')?.parse().ok().filter(|port: &u16| *port > 0)?),
    };
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_an_endpoint_is() {
        let found = target("https://example.com/hooks?a=1", false).unwrap();
        assert_eq!(
            (found.tls, found.host.as_str(), found.port, found.path.as_str()),
            (true, "example.com", 443, "/hooks?a=1")
        );
        let found = target("http://[::1]:8080?x", true).unwrap();
        assert_eq!(
            (found.tls, found.host.as_str(), found.port, found.path.as_str()),
            (false, "::1", 8080, "/?x")
        );
        assert_eq!(found.authority, "[::1]:8080");
    }

    #[test]
    fn a_url_that_is_refused_says_why() {
        for (url, why) in [
            ("http://example.com/", "https"),
            ("ftp://example.com/", "https"),
            ("example.com", "https"),
            ("https://", "host"),
            ("https://:80/", "host"),
            ("https://a:0/", "port"),
            ("https://a:99999/", "port"),
            ("https://a:x/", "port"),
            ("https://[::1/", "host"),
            ("https://[example.com]/", "host"),
            ("https://me:secret@example.com/", "user name"),
            ("https://example.com/#x", "fragment"),
            ("https://example.com/a b", "character"),
            ("https://ex\u{e4}mple.com/", "character"),
            ("https://127.0.0.1/", "private"),
            ("https://[::1]/", "private"),
            ("https://169.254.169.254/latest", "private"),
            (&format!("https://a/{}", "x".repeat(2_048)), "2048"),
        ] {
            let error = target(url, false).unwrap_err().to_string();
            assert!(error.contains(why) && error.starts_with("url"), "{url}: {error}");
        }
    }
}
