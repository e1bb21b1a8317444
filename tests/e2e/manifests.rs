//! The manifests under `envoy/` for Kubernetes, Istio, Envoy Gateway and Compose: each is what the publisher of its
//! kind takes, field by field, and says what the product understands. What can be booted is booted.

mod boot;
mod commands;
mod pods;
mod schemas;
pub mod yaml;

use harness::{binary, envoy, filter, out_of, project};
use schemas::Schemas;
use serde_json::{Value, json};
use std::process::Command;

const FOLDERS: [&str; 3] = ["envoy/gateway-api", "envoy/istio", "envoy/kubernetes"];

/// All objects of the manifests that a cluster would be given, each with the file that it is from.
fn objects() -> Vec<(String, Value)> {
    let files = FOLDERS.into_iter().flat_map(yaml::below);
    let all = files.flat_map(|path| {
        let documents = yaml::file(&path);
        documents.into_iter().map(move |document| (path.clone(), document))
    });
    let is_given = |(_, it): &(String, Value)| it["kind"] != "Kustomization";
    let given: Vec<(String, Value)> = all.filter(is_given).collect();
    assert!(given.len() > 20, "{}", given.len());
    given.iter().map(|(path, it)| (path.clone(), pods::patched(path, it, &given))).collect()
}

#[test]
fn every_manifest_matches_its_published_schema() {
    let schemas = Schemas::load();
    for (path, object) in objects() {
        let problems = schemas.problems(&object);
        assert!(problems.is_empty(), "{path}: {} {problems:#?}", object["kind"]);
    }
    for composition in yaml::file("envoy/compose/compose.yaml") {
        let problems = schemas.problems_of_kind("compose", &composition);
        assert!(problems.is_empty(), "{problems:#?}");
    }
}

#[test]
fn an_unknown_field_is_found_anywhere_in_a_manifest() {
    let schemas = Schemas::load();
    let mut places = 0;
    let compose = yaml::file("envoy/compose/compose.yaml").into_iter().map(|it| ("compose".to_owned(), it));
    for (path, object) in objects().into_iter().chain(compose) {
        for place in
            schemas::objects_in(&object).into_iter().filter(|place| !schemas::is_free(&object, place))
        {
            let mut changed = object.clone();
            changed.pointer_mut(&place).expect("a place")["a_field_that_nobody_knows"] = json!("x");
            let found = if path == "compose" {
                schemas.problems_of_kind("compose", &changed)
            } else {
                schemas.problems(&changed)
            };
            assert!(!found.is_empty(), "{path}: {} {place:?}", object["kind"]);
            places += 1;
        }
    }
    assert!(places > 200, "{places} places");
}

#[test]
fn the_plugins_have_a_valid_filter_configuration() {
    let said =
        |path: &str| out_of(Command::new(binary()).args(["check", "--json"]).arg(project().join(path)));
    for path in [
        "envoy/compose/envoy.yaml",
        "envoy/ecds/envoy.yaml",
        "envoy/ecds/filter.yaml",
        "envoy/gateway-api/faregate.yaml",
        "envoy/istio/ingress-gateway.yaml",
        "envoy/istio/sidecar.yaml",
        "envoy/models/envoy.yaml",
        "envoy/mtls/envoy.yaml",
        "envoy/prompts/envoy.yaml",
        "envoy/quickstart/envoy.yaml",
        "envoy/remote/envoy.yaml",
        "envoy/sidecar/server.yaml",
    ] {
        let (good, text) = said(path);
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}"));
        assert!(good && report["filters"].as_array().is_some_and(|all| all.len() == 1), "{path}: {text}");
        assert_eq!(report["filters"][0]["warnings"], serde_json::json!([]), "{path}: {text}");
    }
    for (path, marker) in [
        ("envoy/istio/sidecar.yaml", "default: {price: \"1\"}"),
        ("envoy/gateway-api/faregate.yaml", "failOpen: false"),
    ] {
        let text = std::fs::read_to_string(project().join(path)).expect("a manifest");
        assert!(text.contains(marker), "{path}");
        let wrong = text.replace(marker, &marker.replace("false", "true").replace("\"1\"", "1"));
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("wrong.yaml"), wrong).expect("a file");
        let (good, said) = out_of(Command::new(binary()).arg("check").arg(dir.path().join("wrong.yaml")));
        assert!(!good && said.contains("allowed"), "{path}: {said}");
    }
}

#[test]
fn the_compose_envoy_differs_from_the_quickstarts_only_in_addresses() {
    let read = |path: &str| std::fs::read_to_string(project().join(path)).expect("a configuration");
    let (ours, theirs) = (read("envoy/compose/envoy.yaml"), read("envoy/quickstart/envoy.yaml"));
    let body = |text: &str| {
        text.lines().skip_while(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    let (ours, theirs) = (body(&ours), body(&theirs));
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs) {
        let may = ["socket_address:", "type: S", "filename:", "id: ", "cluster: "];
        assert!(may.iter().any(|it| ours.contains(it) && theirs.contains(it)), "{ours:?} and {theirs:?}");
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("envoy.yaml");
    let text = ours.join("\n").replace("/etc/envoy/faregate.wasm", &filter().display().to_string());
    std::fs::write(&file, text).expect("a file");
    let mut command = Command::new(envoy());
    command.args(["--mode", "validate", "--config-path"]).arg(&file);
    let (good, said) = out_of(command.env("FAREGATE_GATEWAY_TOKEN", harness::GATEWAY_TOKEN));
    assert!(good, "{said}");
}
