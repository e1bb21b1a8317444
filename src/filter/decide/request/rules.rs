//! Which rule a request falls under: the first whose every condition holds.
//!
//! Paths are compared without their query and in their canonical form ([`crate::decide::base::spelling`]). The shipped Envoy configurations
//! normalise paths before the filter runs, so that `/v1//paid` can't dodge a rule for `/v1/paid`.
//!
//! Some requests can be read in more than one way: two hosts, a header with two values, a method in lower case, a `CONNECT`,
//! which has no path. What must hold: such a request is never cheaper than in its most expensive reading.

use crate::decide::base::head::Head;
use crate::decide::base::spelling::{self, Hosts};
use crate::decide::settings::{HeaderMatch, Match, Rule, Settings};
use faregate_protocol::Credits;
use std::cell::OnceCell;

/// The longest value of a header that is compared item by item, in bytes; a longer one may be anything.
const MOST_VALUE: usize = 4_096;

/// Whether a condition holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    No,
    /// In some readings of the request.
    Perhaps,
    Surely,
}

impl Fit {
    /// Combines several readings: how the condition fits all of them.
    fn of_all(readings: impl Iterator<Item = Self>) -> Self {
        readings.reduce(|all, one| if all == one { all } else { Self::Perhaps }).unwrap_or(Self::No)
    }

    /// Whether texts are the same. A difference in case is ambiguous.
    fn of_texts(this: &[u8], that: &[u8]) -> Self {
        if this == that {
            Self::Surely
        } else if this.eq_ignore_ascii_case(that) {
            Self::Perhaps
        } else {
            Self::No
        }
    }
}

/// The index of the matching rule, as [`Settings::rule`] takes it: one past the last means
/// `default`.
pub fn find(settings: &Settings, head: &Head<'_>) -> usize {
    let mut number = 0;
    // Most rules go by the path alone, and most paths are written in one way only.
    if head.is_plain() {
        number = next(&settings.rules, head.path());
        let Some(Rule { matches: Match { host, methods, headers, .. }, .. }) = settings.rules.get(number)
        else {
            return number;
        };
        if methods.is_empty() && headers.is_empty() && host.is_none() {
            return number;
        }
    }
    weigh(settings, head, number)
}

/// The same for any request, from the rule of this number on; those before it are for other paths.
#[inline(never)]
fn weigh(settings: &Settings, head: &Head<'_>, mut number: usize) -> usize {
    let form;
    let path = if head.is_plain() {
        head.path()
    } else {
        form = spelling::canonical(head.path());
        &form
    };
    let (mut perhaps, hosts) = (None, OnceCell::new());
    // What goes through a tunnel may be for any path.
    let tunnel = path.is_empty();
    loop {
        let rest = settings.rules.get(number..).unwrap_or_default();
        number += if tunnel { 0 } else { next(rest, path) };
        let Some(rule) = settings.rules.get(number) else {
            break;
        };
        let fit = fit(&rule.matches, tunnel, head, &hosts);
        if fit != Fit::No {
            let dearest = perhaps.map_or(number, |first| dearer(settings, first, number));
            if fit == Fit::Surely {
                return dearest;
            }
            perhaps = Some(dearest);
        }
        number += 1;
    }
    perhaps.map_or(number, |first| dearer(settings, first, number))
}

/// How many rules before the first one for this path.
fn next(rules: &[Rule], path: &[u8]) -> usize {
    let is_for = |rule: &Rule| match &rule.matches.path {
        Some(wanted) => wanted.holds(path),
        None => true,
    };
    rules.iter().position(is_for).unwrap_or(rules.len())
}

/// The more expensive of two rules, or else the stricter one; the first if they are equal.
#[inline(never)]
fn dearer(settings: &Settings, first: usize, second: usize) -> usize {
    let weight = |number: usize| match settings.rule(number) {
        Rule { shadow: true, .. } => (1, Credits::ZERO),
        Rule { retired: true, .. } => (2, Credits::ZERO),
        Rule { price: Some(price), .. } => (3, *price),
        Rule { price: None, .. } => (0, Credits::ZERO),
    };
    if weight(first) >= weight(second) { first } else { second }
}

/// How all of a rule whose path fits does, if only because there is none.
#[inline(never)]
fn fit<'a>(wanted: &Match, tunnel: bool, head: &Head<'a>, hosts: &OnceCell<Hosts<'a>>) -> Fit {
    let mut fit = if tunnel && wanted.path.is_some() { Fit::Perhaps } else { Fit::Surely };
    if !wanted.methods.is_empty() {
        fit = fit.min(method_fit(&wanted.methods, head.method()));
    }
    if let Some(host) = wanted.host.as_ref().filter(|_| fit > Fit::No) {
        fit = fit.min(host_fit(host.as_bytes(), hosts.get_or_init(|| Hosts::read(head.authority()))));
    }
    for header in &wanted.headers {
        if fit == Fit::No {
            break;
        }
        fit = fit.min(header_fit(header, head));
    }
    fit
}

fn method_fit(wanted: &[String], method: &[u8]) -> Fit {
    wanted.iter().map(|wanted| Fit::of_texts(method, wanted.as_bytes())).max().unwrap_or(Fit::No)
}

/// Hosts are the same in any case.
fn host_fit(wanted: &[u8], asked: &Hosts<'_>) -> Fit {
    let fit = |host: &[u8]| if host.eq_ignore_ascii_case(wanted) { Fit::Surely } else { Fit::No };
    match asked {
        Hosts::One(host) => fit(host),
        Hosts::Several(hosts) => {
            let hosts = hosts.strip_suffix(b",").unwrap_or_default();
            Fit::of_all(hosts.split(|byte| *byte == b',').map(fit))
        }
        Hosts::Endless => Fit::Perhaps,
    }
}

/// A header may come several times, and each may hold several values.
fn header_fit(wanted: &HeaderMatch, head: &Head<'_>) -> Fit {
    let mut values = head.values(&wanted.name);
    let Some(exact) = &wanted.exact else {
        return if values.next().is_some() { Fit::Surely } else { Fit::No };
    };
    Fit::of_all(values.map(|value| {
        if value.len() > MOST_VALUE {
            return Fit::Perhaps;
        }
        let items = value.split(|byte| *byte == b',');
        Fit::of_all(items.map(|item| Fit::of_texts(item.trim_ascii(), exact.as_bytes())))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn settings(rules: &Value, default: &Value) -> Settings {
        Settings::from_value(&json!({
            "ledger": {"cluster": "ledger", "token": {"env": "T"}},
            "identities": [{"bearer": true}],
            "rules": rules,
            "default": default
        }))
        .unwrap()
    }

    fn falls_under(
        settings: &Settings,
        method: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> String {
        let mut all = vec![(":method", method), (":authority", host), (":path", path)];
        all.extend(headers);
        let all: Vec<_> = all.into_iter().map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec())).collect();
        settings.rule(find(settings, &Head::new(&all))).name.clone()
    }

    #[test]
    fn the_first_matching_rule_decides() {
        let settings = settings(
            &json!([
                {"name": "exact", "match": {"path": {"exact": "/a"}}, "price": "1"},
                {"name": "template", "match": {"path": {"template": "/items/{}/price"}}, "price": "1"},
                {"name": "host", "match": {"host": "Paid.example.com"}, "price": "1"},
                {"name": "write", "match": {"methods": ["POST", "PUT"], "path": {"prefix": "/b"}}, "price": "1"},
                {"name": "gold", "match": {"headers": [{"name": "x-tier", "exact": "gold"}, {"name": "x-any"}]}, "price": "1"},
            ]),
            &json!("free"),
        );
        for (method, host, path, rule) in [
            ("GET", "x", "/a", "exact"),
            ("GET", "x", "/a?b=/c", "exact"),
            ("GET", "x", "/a/", "default"),
            ("GET", "x", "/items/7/price?q", "template"),
            ("GET", "x", "/items//price", "default"),
            ("GET", "x", "/items/7/8/price", "default"),
            ("GET", "x", "/items/7", "default"),
            ("GET", "paid.EXAMPLE.com:8443", "/", "host"),
            ("POST", "x", "/bc", "write"),
            ("GET", "x", "/bc", "default"),
            ("GET", "[::1]:80", "/", "default"),
        ] {
            assert_eq!(falls_under(&settings, method, host, path, &[]), rule, "{method} {host} {path}");
        }
        let gold = |headers: &[(&str, &str)]| falls_under(&settings, "GET", "x", "/", headers);
        assert_eq!(gold(&[("x-tier", "gold"), ("x-any", "")]), "gold");
        assert_eq!(gold(&[("x-tier", "gold")]), "default");
        assert_eq!(gold(&[("x-tier", "lead"), ("x-any", "1")]), "default");
    }

    #[test]
    fn every_spelling_of_a_path_matches_the_same_rule() {
        let settings = settings(
            &json!([
                {"name": "exact", "match": {"path": {"exact": "/g%3agenerate"}}, "price": "1"},
                {"name": "prefix", "match": {"path": {"prefix": "/gr%c3%b6%C3%9Fe/"}}, "price": "1"},
                {"name": "template", "match": {"path": {"template": "/a@b/{}/%7B%7D"}}, "price": "1"},
            ]),
            &json!("free"),
        );
        for (path, rule) in [
            ("/g:generate", "exact"),
            ("/g%3Agenerate?x", "exact"),
            ("/%67:generat%65", "exact"),
            ("/g%253Agenerate", "default"),
            ("/gr%C3%B6%c3%9fe/x", "prefix"),
            ("/a%40b/%20/%7b%7d", "template"),
            ("/a@b/%/{}", "template"),
            ("/a@b/x/y", "default"),
            ("/a@b%2Fx/%7B%7D", "default"),
        ] {
            assert_eq!(falls_under(&settings, "GET", "x", path, &[]), rule, "{path}");
        }
    }

    #[test]
    fn an_ambiguous_request_costs_its_most_expensive_reading() {
        let rules = json!([
            {"name": "health", "match": {"path": {"exact": "/health"}}, "price": "free"},
            {"name": "cheap", "match": {"host": "cheap.example"}, "price": "1"},
            {"name": "dear", "match": {"host": "dear.example"}, "price": "10"},
            {"name": "old", "match": {"host": "old.example"}, "retired": true},
            {"name": "gold", "match": {"headers": [{"name": "x-tier", "exact": "gold"}]}, "price": "free"},
            {"name": "deep", "match": {"headers": [{"name": "x-mode", "exact": "deep"}]}, "price": "10"},
            {"name": "read", "match": {"methods": ["GET"]}, "price": "2"},
            {"name": "watched", "match": {"methods": ["PUT"]}, "price": "100", "shadow": true},
        ]);
        let settings = settings(&rules, &json!({"price": "3"}));
        for (host, rule) in [
            ("cheap.example.", "cheap"),
            ("me@cheap.example:80", "cheap"),
            ("CHEAP.example,cheap.example", "cheap"),
            ("cheap.example,x", "default"),
            ("x,dear.example", "dear"),
            ("cheap.example,dear.example", "dear"),
            ("dear.example:80@cheap.example", "dear"),
            ("d%65ar.example", "dear"),
            // A retired rule takes only its exact host; an ambiguous host is sold.
            ("old.example", "old"),
            ("old.example,x", "default"),
            (&"x".repeat(2_000), "dear"),
        ] {
            assert_eq!(falls_under(&settings, "DELETE", host, "/", &[]), rule, "{host}");
            assert_eq!(falls_under(&settings, "DELETE", host, "/health", &[]), "health");
        }
        let long = "gold,".repeat(1_000);
        for (headers, rule) in [
            (vec![("x-mode", "deep")], "deep"),
            (vec![("x-mode", "deep,deep")], "deep"),
            (vec![("x-mode", "deep , deep")], "deep"),
            (vec![("x-mode", "deep"), ("x-mode", "deep")], "deep"),
            (vec![("x-mode", "Deep")], "deep"),
            (vec![("x-mode", "plain, deep")], "deep"),
            (vec![("x-mode", "plain"), ("x-mode", "deep")], "deep"),
            (vec![("x-mode", "deeper")], "default"),
            (vec![("x-tier", "gold,gold")], "gold"),
            (vec![("x-tier", "gold,lead")], "default"),
            (vec![("x-tier", "lead"), ("x-tier", "gold")], "default"),
            (vec![("x-tier", "Gold")], "default"),
            (vec![("x-tier", &long)], "default"),
            (vec![("x-tier", "gold"), ("x-mode", "deep")], "gold"),
        ] {
            assert_eq!(falls_under(&settings, "DELETE", "x", "/", &headers), rule, "{headers:?}");
        }
        for (method, rule) in [
            ("GET", "read"),
            ("HEAD", "read"),
            ("get", "default"),
            ("PUT", "watched"),
            ("put", "default"),
            ("DELETE", "default"),
        ] {
            assert_eq!(falls_under(&settings, method, "x", "/", &[]), rule, "{method}");
        }
    }

    #[test]
    fn a_tunnel_may_match_any_path_because_it_has_none() {
        let paid = json!({"name": "paid", "match": {"path": {"prefix": "/paid"}}, "price": "2"});
        let root = json!({"name": "root", "match": {"path": {"template": "/{}"}}, "price": "free"});
        let tunnel = json!({"name": "tunnel", "match": {"methods": ["CONNECT"]}, "price": "free"});
        for (rules, default, rule) in [
            (json!([root, paid]), json!("free"), "paid"),
            (json!([root, paid]), json!({"price": "1"}), "paid"),
            (json!([root, paid]), json!({"price": "3"}), "default"),
            (json!([tunnel, paid]), json!("free"), "tunnel"),
            (json!([paid, tunnel]), json!("free"), "paid"),
        ] {
            let settings = settings(&rules, &default);
            assert_eq!(falls_under(&settings, "CONNECT", "a:80", "", &[]), rule, "{rules}");
        }
    }
}
