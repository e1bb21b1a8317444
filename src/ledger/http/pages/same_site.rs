//! Whether a form was sent from our own page.
//!
//! What must hold: a request without any sign of where it comes from is refused, like one that names another site.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};

/// Where a browser says how the sender and the receiver of a request are related.
const FETCH_SITE: &str = "sec-fetch-site";

/// Whether a request comes from a page, as far as its browser says.
pub fn is_own(headers: &HeaderMap) -> bool {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(Some(value.to_str().unwrap_or_default())),
            (None, _) => Ok(None),
            _ => Err(()),
        }
    };
    let (Ok(site), Ok(origin), Ok(host)) = (one(FETCH_SITE), one(ORIGIN.as_str()), one(HOST.as_str())) else {
        return false;
    };
    let is_host = |origin: &str| {
        let origin: Option<Uri> = origin.parse().ok();
        let authority = origin.as_ref().and_then(Uri::authority);
        authority
            .is_some_and(|authority| host.is_some_and(|host| authority.as_str().eq_ignore_ascii_case(host)))
    };
    // Browsers that say it don't let pages change it, and a proxy may have changed the host.
    match (site, origin) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => is_host(origin),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_console_itself_may_send_forms() {
        let own = |site: Option<&'static str>, origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "ledger.test:7402".parse().unwrap());
            if let Some(site) = site {
                headers.insert(FETCH_SITE, site.parse().unwrap());
            }
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            is_own(&headers)
        };
        assert!(own(Some("same-origin"), Some("http://ledger.test:7402")));
        assert!(own(None, Some("https://LEDGER.test:7402")));
        assert!(own(Some("same-origin"), None));
        for (site, origin) in [
            (None, None),
            (None, Some("null")),
            (None, Some("http://evil.test")),
            (None, Some("http://ledger.test:7403")),
            (None, Some("http://ledger.test")),
            (Some("cross-site"), Some("http://ledger.test:7402")),
            (Some("same-site"), None),
            (Some("none"), None),
        ] {
            assert!(!own(site, origin), "{site:?} {origin:?}");
        }
    }
}
