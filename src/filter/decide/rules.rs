//! Which rule a request falls under: the first whose every condition holds.
//!
//! Paths are compared as they come, without their query. The shipped Envoy configurations normalise
//! paths before the filter runs, so that `/v1//paid` can't dodge a rule for `/v1/paid`.

use super::bytes::same;
use super::request::Head;
use super::settings::{Match, PathMatch, Settings};

/// The number of the rule that decides, as [`Settings::rule`] takes it: one past the last stands for
/// `otherwise`.
pub fn find(settings: &Settings, head: &Head<'_>) -> usize {
    let path = head.path();
    settings.rules.iter().position(|rule| holds(&rule.matches, path, head)).unwrap_or(settings.rules.len())
}

fn holds(wanted: &Match, path: &[u8], head: &Head<'_>) -> bool {
    if let Some(wanted) = &wanted.path
        && !path_holds(wanted, path)
    {
        return false;
    }
    let method = || wanted.methods.is_empty() || wanted.methods.iter().any(|m| m.as_bytes() == head.method());
    let host = || wanted.host.as_ref().is_none_or(|host| head.host().eq_ignore_ascii_case(host.as_bytes()));
    let headers = || {
        wanted.headers.iter().all(|header| match &header.exact {
            Some(exact) => head.values(&header.name).any(|value| value == exact.as_bytes()),
            None => head.value(&header.name).is_some(),
        })
    };
    method() && host() && headers()
}

fn path_holds(wanted: &PathMatch, path: &[u8]) -> bool {
    match wanted {
        PathMatch::Exact(exact) => path.len() == exact.len() && same(path, exact.as_bytes()),
        PathMatch::Prefix(prefix) => path.len() >= prefix.len() && path.starts_with(prefix.as_bytes()),
        PathMatch::Template(segments) => {
            let mut parts = path.split(|b| *b == b'/');
            segments.iter().all(|segment| match (segment, parts.next()) {
                (Some(text), Some(part)) => part == text.as_bytes(),
                (None, Some(part)) => !part.is_empty(),
                (_, None) => false,
            }) && parts.next().is_none()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings() -> Settings {
        Settings::from_value(&json!({
            "ledger": {"cluster": "ledger", "token": {"env": "T"}},
            "identities": [{"bearer": true}],
            "rules": [
                {"name": "exact", "match": {"path": {"exact": "/a"}}, "price": "1"},
                {"name": "template", "match": {"path": {"template": "/items/{}/price"}}, "price": "1"},
                {"name": "host", "match": {"host": "Paid.example.com"}, "price": "1"},
                {"name": "write", "match": {"methods": ["POST", "PUT"], "path": {"prefix": "/b"}}, "price": "1"},
                {"name": "gold", "match": {"headers": [{"name": "x-tier", "exact": "gold"}, {"name": "x-any"}]}, "price": "1"},
            ],
            "otherwise": "free"
        }))
        .unwrap()
    }

    fn rule_for(method: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let mut all = vec![(":method", method), (":authority", host), (":path", path)];
        all.extend(headers);
        let all: Vec<_> = all.into_iter().map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec())).collect();
        let settings = settings();
        settings.rule(find(&settings, &Head::new(&all))).name.clone()
    }

    #[test]
    fn the_first_rule_whose_conditions_all_hold_decides() {
        for (method, host, path, rule) in [
            ("GET", "x", "/a", "exact"),
            ("GET", "x", "/a?b=/c", "exact"),
            ("GET", "x", "/a/", "otherwise"),
            ("GET", "x", "/items/7/price?q", "template"),
            ("GET", "x", "/items//price", "otherwise"),
            ("GET", "x", "/items/7/8/price", "otherwise"),
            ("GET", "x", "/items/7", "otherwise"),
            ("GET", "paid.EXAMPLE.com:8443", "/", "host"),
            ("POST", "x", "/bc", "write"),
            ("GET", "x", "/bc", "otherwise"),
            ("GET", "[::1]:80", "/", "otherwise"),
        ] {
            assert_eq!(rule_for(method, host, path, &[]), rule, "{method} {host} {path}");
        }
        assert_eq!(rule_for("GET", "x", "/", &[("x-tier", "gold"), ("x-any", "")]), "gold");
        assert_eq!(rule_for("GET", "x", "/", &[("x-tier", "gold")]), "otherwise");
        assert_eq!(rule_for("GET", "x", "/", &[("x-tier", "lead"), ("x-any", "1")]), "otherwise");
    }
}
