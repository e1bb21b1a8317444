use super::{Failure, faregate};
use faregate_client::{Screen, Zone};
use serde_json::{Value, json};
use std::{fs::Permissions, io::Write, os::unix::fs::PermissionsExt};

fn good() -> Value {
    json!({
        "ledger": { "cluster": "faregate_ledger", "token": { "env": "FAREGATE_GATEWAY_TOKEN" } },
        "identities": [{ "header": "x-api-key" }],
        "default": { "price": "1" },
    })
}

/// An Envoy whose gate has this configuration, and nothing wrong around it.
fn envoy(configuration: &Value, failure_policy: &str) -> Value {
    let filter = |name: &str, kind: &str, config: Value| {
        let mut typed = config;
        typed["@type"] = format!("type.googleapis.com/envoy.extensions.filters.http.{kind}").into();
        json!({ "name": name, "typed_config": typed })
    };
    let plugin = json!({
        "name": "faregate", "failure_policy": failure_policy, "configuration": configuration,
        "vm_config": { "environment_variables": { "host_env_keys": ["FAREGATE_GATEWAY_TOKEN"] } },
    });
    json!({ "static_resources": {
        "clusters": [{ "name": "faregate_ledger" }, { "name": "api" }],
        "listeners": [{ "filter_chains": [{ "filters": [{ "typed_config": {
            "normalize_path": true, "merge_slashes": true, "path_with_escaped_slashes_action": "REJECT_REQUEST",
            "common_http_protocol_options": { "headers_with_underscores_action": "REJECT_REQUEST" },
            "http_filters": [
                filter("envoy.filters.http.wasm", "wasm.v3.Wasm", json!({ "config": plugin })),
                filter("envoy.filters.http.router", "router.v3.Router", json!({})),
            ],
        } }] }] }],
    } })
}

/// Where its connection manager and the gate's plugin are.
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
const PLUGIN: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config";

/// A configuration as Envoy wants it: text in an any-type.
fn text(configuration: &Value) -> Value {
    json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration.to_string() })
}

/// What `faregate check` says about a file with this text: (it is well, what was printed).
fn check(text: &str) -> (bool, String) {
    check_as("", text, &[])
}

/// The same for a file whose name ends so, with options.
fn check_as(suffix: &str, text: &str, options: &[&str]) -> (bool, String) {
    let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let mut printed = Vec::new();
    let words = [["faregate", "check", file.path().to_str().unwrap()].as_slice(), options].concat();
    let mut screen = Screen::new(false, Zone::default(), &mut printed);
    let done = crate::run(clap::Parser::try_parse_from(words).unwrap(), &mut screen);
    drop(screen);
    let printed = String::from_utf8(printed).unwrap();
    match done {
        Ok(()) => (true, printed),
        Err(failure) => (false, printed + &failure.to_string()),
    }
}

#[test]
fn valid_configurations_pass_in_envoy_istio_and_plain_files() {
    let as_string = text(&good());
    let variables = json!({ "env": [{ "name": "FAREGATE_GATEWAY_TOKEN", "valueFrom": "HOST" }] });
    let istio = json!({
        "kind": "WasmPlugin", "spec": { "url": "oci://x", "vmConfig": variables, "pluginConfig": good() },
    });
    for file in [good(), envoy(&as_string, "FAIL_RELOAD"), istio] {
        let (well, printed) = check(&file.to_string());
        assert!(well && printed.contains(": ok\n"), "{printed}");
    }
    let yaml = "ledger: {cluster: l, token: {env: T}}\nidentities:\n  - bearer: true\ndefault: free\n";
    assert!(check(yaml).0, "{}", check(yaml).1);
    assert!(check(&format!("kind: Other\n---\n{yaml}")).0);
}

#[test]
fn an_unsatisfiable_condition_is_reported_with_a_fix() {
    for (matches, place, found, allowed) in [
        (
            json!({ "path": { "exact": "/größe" } }),
            "rules[0].match.path.exact",
            "string \"/größe\"",
            "the path as clients send it: /gr%C3%B6%C3%9Fe",
        ),
        (
            json!({ "host": "api.example.com:443" }),
            "rules[0].match.host",
            "string \"api.example.com:443\"",
            "a host alone",
        ),
        (json!({ "methods": ["GTE"] }), "rules[0].match.methods[0]", "string \"GTE\"", "a method"),
        (
            json!({ "headers": [{ "name": "host" }] }),
            "rules[0].match.headers[0].name",
            "string \"host\"",
            "another header",
        ),
        (json!({}), "rules[1]", "a rule that no request reaches", "the narrower rule before the wider"),
    ] {
        let mut wrong = good();
        wrong["rules"] = json!([
            { "match": matches, "price": "1" },
            { "match": { "path": { "prefix": "/v2" } }, "price": "2" },
        ]);
        let (well, printed) = check(&envoy(&text(&wrong), "FAIL_RELOAD").to_string());
        let lines: Vec<&str> = printed.lines().map(str::trim).collect();
        let begins = |label: &str, text: &str| {
            lines
                .iter()
                .any(|line| line.strip_prefix(label).is_some_and(|rest| rest.trim_start().starts_with(text)))
        };
        assert!(
            !well && lines.iter().any(|line| line.ends_with(&format!("error: {place}"))),
            "{printed}\nshould name {place}"
        );
        assert!(
            begins("found", found) && begins("allowed", allowed),
            "{printed}\nshould say {found}, {allowed}"
        );
    }
}

#[test]
fn a_misspelled_field_is_reported_with_its_location() {
    let mut wrong = good();
    wrong["rules"] = json!([{ "name": "r", "pice": "1" }]);
    let (well, printed) = check(&envoy(&text(&wrong), "FAIL_RELOAD").to_string());
    assert!(!well);
    for part in [
        "static_resources.listeners[0]",
        "http_filters[0]",
        "config.configuration",
        "rules[0]",
        "pice",
        "found",
        "allowed",
    ] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
}

#[test]
fn a_filter_that_fails_open_is_rejected() {
    let (well, printed) = check(&envoy(&text(&good()), "FAIL_OPEN").to_string());
    assert!(!well && printed.contains("FAIL_RELOAD"), "{printed}");
}

#[test]
fn a_plugin_that_hides_bodies_is_rejected_if_a_rule_prices_by_them() {
    let mut metered = good();
    metered["request_bodies"] = json!(true);
    for (meter, needs) in [
        (json!({"llm": "openai", "prices": "ledger"}), true),
        (json!({"mcp": {}, "other": "1"}), true),
        (json!({"response_bytes": "1", "hold": "1"}), false),
    ] {
        metered["rules"] = json!([{"name": "r", "meter": meter}]);
        for (shows, hides) in [(json!(true), false), (json!(false), true), (Value::Null, true)] {
            let mut file = envoy(&text(&metered), "FAIL_RELOAD");
            file.pointer_mut(PLUGIN).unwrap()["allow_on_headers_stop_iteration"] = shows.clone();
            let (well, printed) = check(&file.to_string());
            assert_eq!(well, !(needs && hides), "{meter} {shows}: {printed}");
            assert_eq!(printed.contains("(plugin) allow_on_headers_stop_iteration"), !well, "{printed}");
        }
        assert!(check(&metered.to_string()).0, "without a plugin around it there is nothing to say");
    }
}

#[test]
fn a_configuration_may_be_a_struct() {
    let wrapped = json!({ "@type": "type.googleapis.com/google.protobuf.Struct", "value": good() });
    let (well, printed) = check(&envoy(&wrapped, "FAIL_RELOAD").to_string());
    assert!(well, "{printed}");
}

#[test]
fn a_file_without_a_filter_configuration_fails_the_check() {
    assert!(check("static_resources: {}").1.contains("no configuration of the Faregate filter"));
    assert!(check("a: [").1.contains("neither JSON nor YAML"));
    assert!(check("").1.contains("no configuration"));
    let unwrapped = envoy(&good(), "FAIL_RELOAD").to_string();
    assert!(check(&unwrapped).1.contains("StringValue"), "{}", check(&unwrapped).1);
    let missing = faregate(&["check", "nowhere.yaml"]).unwrap_err();
    assert!(missing.detail.contains("nowhere.yaml"));
}

#[test]
fn findings_can_be_printed_as_json() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(good().to_string().as_bytes()).unwrap();
    let printed = faregate(&["--json", "check", file.path().to_str().unwrap()]).unwrap();
    let answer: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(answer["ok"], json!(true));
    assert_eq!(answer["filters"][0]["problems"], json!([]));
}

#[test]
fn all_errors_are_reported_at_once_with_their_lines() {
    let yaml = "ledger: {cluster: l, token: {env: T}}
identities:
  - bearer: true
rules:
  - {name: cheap, match: {path: {exact: /a}}, pice: 1}
  - name: dear
    match: {path: {prefix: v1}}
    price: \"2\"
default: {price: 1}
lead: true
";
    let (well, printed) = check_as(".yaml", yaml, &[]);
    assert!(!well && printed.contains(": 5 errors\n"), "{printed}");
    for place in [
        ":5: error: rules[0].pice\n",
        ":5: error: rules[0].price\n",
        ":7: error: rules[1].match.path.prefix\n",
        ":9: error: default.price\n",
        ":10: error: lead\n",
    ] {
        assert!(printed.contains(place), "{place} is missing in {printed}");
    }
}

#[test]
fn a_cluster_and_a_variable_that_envoy_lacks_are_errors() {
    let mut wrong = good();
    wrong["ledger"] = json!({ "cluster": "legder", "token": { "env": "TOKEN" } });
    let (well, printed) = check(&envoy(&text(&wrong), "FAIL_RELOAD").to_string());
    assert!(!well && printed.contains(": 2 errors\n"), "{printed}");
    for part in [
        "error: ledger.cluster\n",
        "\"legder\"",
        "faregate_ledger, api",
        "error: ledger.token.env\n",
        "host_env_keys",
    ] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
    let mut discovers = envoy(&text(&good()), "FAIL_RELOAD");
    discovers["static_resources"]["clusters"] = json!([]);
    assert!(!check(&discovers.to_string()).0);
    discovers["dynamic_resources"] = json!({ "cds_config": { "ads": {} } });
    assert!(check(&discovers.to_string()).0, "clusters that are discovered aren't in the file");
    let mut twice = envoy(&text(&good()), "FAIL_RELOAD");
    twice.pointer_mut(PLUGIN).unwrap()["vm_config"]["environment_variables"]["key_values"] =
        json!({ "FAREGATE_GATEWAY_TOKEN": "x" });
    assert!(check(&twice.to_string()).1.contains("a second time"));
}

#[test]
fn the_order_of_filters_is_checked() {
    let filter = |name: &str| {
        let (name, kind) = name.split_once(' ').unwrap();
        let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{name}.v3.{kind}");
        json!({ "name": format!("envoy.filters.http.{name}"), "typed_config": { "@type": kind } })
    };
    let chain = |configuration: &Value, before: &[&str], behind: &[&str]| {
        let mut file = envoy(&text(configuration), "FAIL_RELOAD");
        let filters = file.pointer_mut(MANAGER).unwrap()["http_filters"].as_array_mut().unwrap();
        filters.truncate(1);
        filters.extend(behind.iter().map(|name| filter(name)));
        filters.splice(0..0, before.iter().map(|name| filter(name)));
        file.to_string()
    };
    let (jwt, rbac, router) = ("jwt_authn JwtAuthentication", "rbac RBAC", "router Router");
    assert!(check(&chain(&good(), &[jwt, rbac], &[router])).1.contains(": ok\n"));
    for behind in [jwt, rbac, "local_ratelimit LocalRateLimit", "ratelimit RateLimit", "ext_authz ExtAuthz"] {
        let file = chain(&good(), &[], &[behind, router]);
        let (well, printed) = check(&file);
        assert!(well && printed.contains("ok, with 1 warning\n"), "{printed}");
        assert!(printed.contains("warning: (connection manager) http_filters[1]\n"), "{printed}");
        let (well, printed) = check_as(".json", &file, &["--strict"]);
        assert!(!well && printed.ends_with("there are warnings, and --strict is given"), "{printed}");
    }
    for behind in [&[][..], &[router, "lua Lua"]] {
        let (well, printed) = check(&chain(&good(), &[], behind));
        assert!(!well && printed.contains("envoy.filters.http.router as the last filter"), "{printed}");
    }
    let mut claims = good();
    claims["identities"] = json!([{ "property": ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "payload", "sub"] }]);
    assert!(check(&chain(&claims, &[jwt], &[router])).0);
    for behind in [&[router][..], &[jwt, router]] {
        let (well, printed) = check(&chain(&claims, &[], behind));
        assert!(!well && printed.contains("error: identities[0].property\n"), "{printed}");
    }
}

#[test]
fn settings_by_which_a_rule_could_be_bypassed_are_warnings() {
    let mut by_path = good();
    by_path["rules"] = json!([{ "match": { "path": { "prefix": "/v1" } }, "price": "2" }]);
    let mut file = envoy(&text(&by_path), "FAIL_RELOAD");
    let manager = file.pointer_mut(MANAGER).unwrap();
    for name in [
        "normalize_path",
        "merge_slashes",
        "path_with_escaped_slashes_action",
        "common_http_protocol_options",
    ] {
        manager.as_object_mut().unwrap().remove(name);
    }
    let (well, printed) = check(&file.to_string());
    assert!(well && printed.contains("ok, with 4 warnings\n"), "{printed}");
    let manager = file.pointer_mut(MANAGER).unwrap();
    manager["normalizePath"] = json!(true);
    manager["mergeSlashes"] = json!(true);
    manager["pathWithEscapedSlashesAction"] = json!("UNESCAPE_AND_REDIRECT");
    manager["commonHttpProtocolOptions"] = json!({ "headersWithUnderscoresAction": "ALLOW" });
    let (well, printed) = check(&file.to_string());
    assert!(well && printed.contains(": ok\n"), "{printed}");
    let plain = envoy(&text(&good()), "FAIL_RELOAD");
    let mut bare = plain.clone();
    bare.pointer_mut(MANAGER).unwrap().as_object_mut().unwrap().remove("normalize_path");
    assert!(check(&bare.to_string()).1.contains(": ok\n"), "no rule matches by path");
}

/// What `faregate check` says of a good file and of a program in Envoy's place.
fn check_with_envoy(script: &str) -> Result<String, Failure> {
    let dir = tempfile::tempdir().unwrap();
    let [file, program] = ["gate.json", "envoy"].map(|name| dir.path().join(name));
    std::fs::write(&file, good().to_string()).unwrap();
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    faregate(&["check", file.to_str().unwrap(), "--envoy", program.to_str().unwrap()])
}

#[test]
fn a_given_envoy_must_be_compatible() {
    let printed = check_with_envoy("[ $1 = --version ] && echo version: 1/1.37.2/ || true").unwrap();
    assert!(printed.contains("envoy: ok, Envoy 1.37.2"), "{printed}");
    let failure = check_with_envoy("echo version: 1/1.30.2/").unwrap_err();
    assert_eq!(failure.detail, "the filter can't run in this Envoy");
    assert!(failure.cure.unwrap().contains("--envoy"));
}
