//! Conditions that no request can meet are rejected with a fix.

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn fault(matches: Value) -> Option<String> {
    let mut config = good();
    config["rules"] = json!([{"match": matches, "price": "1"}]);
    Settings::from_value(&config).err().map(|error| error.to_string())
}

#[test]
fn a_path_that_envoy_never_sends_is_rejected_with_a_fix() {
    for (path, cure) in [
        ("/größe", "the path as clients send it: /gr%C3%B6%C3%9Fe"),
        ("/a b", "the path as clients send it: /a%20b"),
        ("/a/../b", "a path without the segments . and .."),
        ("/a/%2e%2E/b", "a path without the segments . and .."),
        ("/./a", "a path without the segments . and .."),
        ("/a/..", "a path without the segments . and .."),
        ("//v1", "a path without //"),
        ("/v1//", "a path without //"),
        ("/b*", "a path without *: {\"prefix\": PATH} is for all that begins so"),
        ("/users/{id}", "a path without braces: {\"template\": PATH} has {}"),
        ("/a\\b", "a path with / for \\"),
        ("/a%00", "a path without %00"),
        ("/a%zz", "two hexadecimal digits behind each % (%25 stands for % itself)"),
        ("/a%4", "two hexadecimal digits"),
        ("/a%", "two hexadecimal digits"),
        ("/a?b=c", "a path that starts with / and has no query and no fragment"),
        ("/a#b", "a path that starts with / and has no query and no fragment"),
        ("v1", "a path that starts with /"),
    ] {
        let said = fault(json!({"path": {"exact": path}})).unwrap_or_default();
        let message = format!("rules[0].match.path.exact: found string {path:?}; allowed is {cure}");
        assert!(said.starts_with(&message), "{said}\nshould begin with\n{message}");
    }
    for (kind, path, cure) in [
        ("prefix", "/a/../b", "a path without the segments . and .."),
        ("prefix", "/b*", "a path without *"),
        ("template", "/items/{id}", "{} as a whole segment, such as /items/{}/price"),
        ("template", "/größe/{}", "the path as clients send it: /gr%C3%B6%C3%9Fe/{}"),
        ("template", "/{}/*", "a path without *"),
        ("template", "/{}//a", "a path without //"),
    ] {
        let said = fault(json!({"path": {kind: path}})).unwrap_or_default();
        let message = format!("rules[0].match.path.{kind}: found string {path:?}; allowed is {cure}");
        assert!(said.starts_with(&message), "{said}\nshould begin with\n{message}");
    }
    for (kind, path) in [
        ("exact", "/"),
        ("exact", "/v1/"),
        ("exact", "/g:generate;v=1/a@b/%2F/%2A/[x]/|"),
        ("exact", "/a%20b"),
        ("prefix", "/.well-known/."),
        ("prefix", "/a/.."),
        ("template", "/{}/%7B%7D/"),
    ] {
        assert_eq!(fault(json!({"path": {kind: path}})), None, "{path}");
    }
}

#[test]
fn a_host_condition_accepts_only_a_bare_host() {
    for host in [
        "api.example.com:443",
        "api.example.com.",
        "me@api.example.com",
        "https://api.example.com",
        "api.example.com/v1",
        "*.example.com",
        "*",
        "a,b",
        "größe.example",
        "a b",
        "a..b",
        "[::1]:80",
        "::1",
        "[]",
    ] {
        let said = fault(json!({"host": host})).unwrap_or_default();
        let message =
            format!("rules[0].match.host: found string {host:?}; allowed is a host alone, such as \"api");
        assert!(said.starts_with(&message), "{said}\nshould begin with\n{message}");
    }
    for host in ["localhost", "API_1.example-2.com", "xn--gre-6ka8i.example", "10.0.0.1", "[2001:db8::1]"] {
        assert_eq!(fault(json!({"host": host})), None, "{host}");
    }
}

#[test]
fn only_registered_methods_are_accepted() {
    for method in ["GTE", "get", "GET POST", "GET,POST", "PRI", "*", " GET", "G"] {
        let said = fault(json!({"methods": ["GET", method]})).unwrap_or_default();
        let message = format!(
            "rules[0].match.methods[1]: found string {method:?}; allowed is a method in capital letters: \"GET\", \"HEAD\""
        );
        assert!(said.starts_with(&message), "{said}\nshould begin with\n{message}");
    }
    assert_eq!(
        fault(json!({"methods": ["GET", "PROPFIND", "VERSION-CONTROL", "QUERY", "UNSUBSCRIBE"]})),
        None
    );
}

#[test]
fn only_matchable_headers_with_a_single_value_are_accepted() {
    for (header, message) in [
        (
            json!({"name": "Host"}),
            "headers[0].name: found string \"Host\"; allowed is another header; a match has",
        ),
        (
            json!({"name": ":path"}),
            "headers[0].name: found string \":path\"; allowed is another header; a match has",
        ),
        (
            json!({"name": "x-faregate-plan"}),
            "headers[0].name: found string \"x-faregate-plan\"; allowed is another",
        ),
        (
            json!({"name": "x", "exact": "a, b"}),
            "headers[0].exact: found string \"a, b\"; allowed is one value: without",
        ),
        (
            json!({"name": "x", "exact": " a"}),
            "headers[0].exact: found string \" a\"; allowed is one value: without",
        ),
        (
            json!({"name": "x", "exact": "a\n"}),
            "headers[0].exact: found string \"a\\n\"; allowed is one value: without",
        ),
    ] {
        let said = fault(json!({"headers": [header]})).unwrap_or_default();
        assert!(said.contains(message), "{said}\nshould hold\n{message}");
    }
    let twice = fault(json!({"headers": [{"name": "x", "exact": "a"}, {"name": "X", "exact": "b"}]}));
    let message = "rules[0].match.headers[1]: found \"x\"; allowed is one item for each header";
    assert_eq!(twice.as_deref(), Some(message));
    assert_eq!(fault(json!({"headers": [{"name": "x-e", "exact": "ü"}, {"name": "y"}]})), None);
}

#[test]
fn an_unreachable_rule_is_rejected() {
    let order = |before: &Value, rule: &Value| {
        let mut config = good();
        config["rules"] = json!([{"match": before, "price": "1"}, {"match": rule, "price": "2"}]);
        Settings::from_value(&config).err().map(|error| error.to_string())
    };
    let path = |kind: &str, path: &str| json!({"path": {kind: path}});
    for (wider, narrower) in [
        (json!({}), json!({"methods": ["GET"]})),
        (path("prefix", "/"), path("exact", "/v1")),
        (path("prefix", "/v1"), path("prefix", "/v1/a")),
        (path("prefix", "/v1"), path("template", "/v1/{}")),
        (path("prefix", "/v1/"), path("template", "/v1/{}/a")),
        (path("template", "/v1/{}"), path("exact", "/v1/a")),
        (path("template", "/{}/{}"), path("template", "/v1/{}")),
        (json!({"methods": ["GET", "POST"]}), json!({"methods": ["POST"]})),
        (json!({"methods": ["GET"]}), json!({"methods": ["HEAD"]})),
        (
            json!({"headers": [{"name": "x"}]}),
            json!({"headers": [{"name": "y"}, {"name": "x", "exact": "1"}]}),
        ),
        (json!({"host": "a"}), json!({"host": "A", "path": {"exact": "/"}})),
    ] {
        let said = order(&wider, &narrower).unwrap_or_default();
        let message = "rules[1]: found a rule that no request reaches: all that it matches falls under \"rule-1\"; allowed is the narrower rule before the wider";
        assert!(said.starts_with(message), "{wider} {narrower}: {said}");
        assert_eq!(order(&narrower, &wider), None, "{narrower} {wider}");
        assert!(order(&wider, &wider).is_some(), "{wider} twice");
    }
    assert!(order(&path("exact", "/a:b"), &path("exact", "/a%3ab")).is_some(), "another spelling");
    for (before, rule) in [
        (path("prefix", "/v1/a"), path("template", "/v1/{}")),
        (path("exact", "/v1"), path("prefix", "/v1")),
        (path("template", "/{}"), path("prefix", "/v1")),
        (path("template", "/{}/a"), path("template", "/{}/{}")),
        (json!({"methods": ["GET"]}), json!({"methods": ["POST"]})),
        (json!({"methods": ["GET"]}), json!({})),
        (json!({"host": "a"}), json!({"host": "b"})),
        (json!({"headers": [{"name": "x", "exact": "1"}]}), json!({"headers": [{"name": "x"}]})),
        (json!({"host": "a", "path": {"prefix": "/"}}), path("prefix", "/v1")),
    ] {
        assert_eq!(order(&before, &rule), None, "{before} {rule}");
    }
}
