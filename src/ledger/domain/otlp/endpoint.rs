//! Where a collector is: the URL that an operator gives, and one for each kind of signal below it.

use crate::domain::outgoing::{Target, target};

/// What the specification appends for logs.
const LOGS: &str = "/v1/logs";
/// What it appends for metrics.
const METRICS: &str = "/v1/metrics";
/// The port at which collectors speak gRPC by custom.
const GRPC_PORT: u16 = 4317;

/// A collector's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// As it was given, without a slash at its end.
    pub url: String,
    /// Where logs go.
    pub logs: Target,
    /// Where metrics go.
    pub metrics: Target,
}

impl Endpoint {
    /// Reads a URL; what is wrong with it, and the cure.
    pub fn parse(given: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("{given:?} {why}"));
        if !given.starts_with("http://") && !given.starts_with("https://") {
            return wrong("is no http:// or https:// URL; give one such as http://127.0.0.1:4318");
        }
        // Not repeated: it may have a password.
        let authority = given.split_once("://").map_or("", |(_, rest)| rest);
        if authority.split(['/', '?', '#']).next().unwrap_or_default().contains('@') {
            return Err(
                "has a user name or a password; leave it out, and give the header that says who calls in \
                        FAREGATE_OTLP_HEADERS"
                    .to_owned(),
            );
        }
        if given.contains('?') {
            return Err(
                "has a query; leave it out, and give what the collector asks for in FAREGATE_OTLP_HEADERS"
                    .to_owned(),
            );
        }
        if authority.is_empty() || authority.starts_with('/') {
            return wrong("has no host; give one such as http://127.0.0.1:4318");
        }
        let url = given.trim_end_matches('/');
        if let Some(signal) = [LOGS, METRICS].into_iter().find(|signal| url.ends_with(signal)) {
            return wrong(&format!("ends with {signal}; leave that out, it is appended"));
        }
        let at =
            |signal| target(&[url, signal].concat(), true).map_err(|why| format!("{given:?} {}", why.why));
        Ok(Self { url: url.to_owned(), logs: at(LOGS)?, metrics: at(METRICS)? })
    }

    /// What is probably wrong with it.
    pub fn doubt(&self) -> Option<&'static str> {
        (self.logs.port == GRPC_PORT).then_some(
            "port 4317 speaks gRPC by custom; OTLP over HTTP, which is sent, is mostly at port 4318",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_has_a_path_below_the_url() {
        for (url, path) in [
            ("http://127.0.0.1:4318", "/v1/logs"),
            ("http://127.0.0.1:4318/", "/v1/logs"),
            ("https://otlp.example.com/prefix", "/prefix/v1/logs"),
            ("https://otlp.example.com/prefix/", "/prefix/v1/logs"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(endpoint.logs.path, path, "{url}");
            assert_eq!(endpoint.metrics.path, path.replace("logs", "metrics"), "{url}");
            assert_eq!(endpoint.doubt(), None);
        }
        assert!(Endpoint::parse("http://[::1]:4317").unwrap().doubt().is_some());
    }

    #[test]
    fn a_url_that_is_refused_says_why_and_shows_no_password() {
        for (url, why) in [
            ("127.0.0.1:4318", "give one such as"),
            ("grpc://127.0.0.1:4317", "give one such as"),
            ("http://127.0.0.1:4318/v1/logs", "leave that out"),
            ("http://127.0.0.1:4318/v1/metrics/", "leave that out"),
            ("http://a:0", "port"),
            ("http://", "host"),
            ("http://a/#b", "fragment"),
            ("http://a b/", "character"),
        ] {
            let said = Endpoint::parse(url).unwrap_err();
            assert!(said.contains(why), "{url}: {said}");
        }
        for url in ["https://me:hunter2@a/", "https://a/?key=hunter2", "http://me:hunter2@"] {
            let said = Endpoint::parse(url).unwrap_err();
            assert!(said.contains("FAREGATE_OTLP_HEADERS") && !said.contains("hunter2"), "{url}: {said}");
        }
    }
}
