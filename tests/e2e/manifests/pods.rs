//! What the ledger's pods are promised in `envoy/kubernetes/`.

use super::{objects, yaml};
use harness::{LedgerProcess, binary, out_of, project};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// A patch as it becomes when it is laid over the object of the base that it names; other objects as they are.
pub fn patched(path: &str, object: &Value, all: &[(String, Value)]) -> Value {
    let folder = Path::new(path).parent().expect("a folder").display().to_string();
    let rules = project().join(&folder).join("kustomization.yaml");
    let patches = rules.exists().then(|| yaml::file(&format!("{folder}/kustomization.yaml")).remove(0));
    let patches = patches.map_or(Value::Null, |rules| rules["patches"].clone());
    let is_patch = |it: &Value| it["path"].as_str().is_some_and(|name| path.ends_with(&format!("/{name}")));
    if !patches.as_array().is_some_and(|list| list.iter().any(is_patch)) {
        return object.clone();
    }
    let same =
        |it: &Value| it["kind"] == object["kind"] && it["metadata"]["name"] == object["metadata"]["name"];
    let base = all.iter().find(|(from, it)| from.contains("/base/") && same(it));
    let mut whole = base.unwrap_or_else(|| panic!("{path} patches nothing")).1.clone();
    let mut patch = object.clone();
    if patch["$patch"] == "delete" {
        patch.as_object_mut().expect("an object").remove("$patch");
    }
    lay_over(&mut whole, &patch);
    whole
}

fn lay_over(base: &mut Value, patch: &Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (name, value) in patch {
                lay_over(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, patch) => *base = patch.clone(),
    }
}

#[test]
fn a_kustomization_lists_all_files_in_its_folder() {
    for folder in ["envoy/kubernetes/base", "envoy/kubernetes/postgres"] {
        let rules = yaml::file(&format!("{folder}/kustomization.yaml")).remove(0);
        assert_eq!(
            (&rules["apiVersion"], &rules["kind"]),
            (&json!("kustomize.config.k8s.io/v1beta1"), &json!("Kustomization"))
        );
        let known = ["apiVersion", "kind", "namespace", "resources", "patches", "images"];
        assert!(
            rules.as_object().expect("an object").keys().all(|name| known.contains(&name.as_str())),
            "{rules}"
        );
        let list = |name: &str| rules[name].as_array().cloned().unwrap_or_default();
        let resources = list("resources").into_iter();
        let patches = list("patches").into_iter().map(|patch| patch["path"].clone());
        let listed: BTreeSet<String> =
            resources.chain(patches).map(|name| name.as_str().expect("a name").to_owned()).collect();
        let (folders, listed): (BTreeSet<String>, BTreeSet<String>) =
            listed.into_iter().partition(|name| name.starts_with("../"));
        assert!(folders.iter().all(|it| project().join(folder).join(it).join("kustomization.yaml").exists()));
        let own = format!("{folder}/kustomization.yaml");
        let there: BTreeSet<String> = yaml::below(folder)
            .into_iter()
            .filter(|path| *path != own)
            .map(|path| path.trim_start_matches(&format!("{folder}/")).to_owned())
            .collect();
        assert_eq!(listed, there, "{folder}");
    }
}

/// The pods of the ledger: one of the base, one of the overlay.
fn pods() -> Vec<Value> {
    let is_ledgers = |it: &Value| ["StatefulSet", "Deployment"].iter().any(|kind| it["kind"] == *kind);
    let all = objects().into_iter().filter(|(path, it)| {
        path.contains("/kubernetes/") && is_ledgers(it) && !path.ends_with("without-statefulset.yaml")
    });
    let pods: Vec<Value> = all.map(|(_, it)| it["spec"]["template"]["spec"].clone()).collect();
    assert_eq!(pods.len(), 2);
    pods
}

#[tokio::test]
async fn the_pods_flags_variables_and_probes_match_the_program() {
    let help = out_of(Command::new(binary()).args(["serve", "--help"])).1;
    let reference = std::fs::read_to_string(project().join("docs/production.md")).expect("the reference");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    for pod in pods() {
        let container = &pod["containers"][0];
        let arguments = container["args"].as_array().expect("arguments");
        assert_eq!(arguments[0], "serve");
        for flag in arguments.iter().skip(1).filter_map(Value::as_str) {
            let name = flag.split('=').next().expect("a name");
            assert!(
                help.contains(&format!("{name} ")) || help.contains(&format!("{name}\n")),
                "{flag}: {help}"
            );
        }
        for variable in container["env"].as_array().expect("variables") {
            let name = variable["name"].as_str().expect("a name");
            assert!(reference.contains(&format!("`{name}`")), "{name}");
            // What is secret comes from a Secret: as a file, or as a reference.
            let secret = name.ends_with("TOKEN") || name.ends_with("URL");
            assert!(!secret || variable["valueFrom"]["secretKeyRef"].is_object(), "{variable}");
        }
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let http = &container[probe]["httpGet"];
            assert_eq!(http["port"], "gateway");
            let url =
                format!("http://127.0.0.1:{}{}", ledger.gateway_port, http["path"].as_str().expect("a path"));
            assert_eq!(reqwest::get(&url).await.expect("an answer").status(), 200, "{url}");
        }
    }
    assert!(objects().iter().all(|(_, it)| it["kind"] != "Secret"), "tokens are made, not shipped");
}

#[test]
fn the_pods_run_with_minimal_privileges() {
    for pod in pods() {
        let own = &pod["securityContext"];
        assert_eq!((&own["runAsNonRoot"], &own["runAsUser"]), (&json!(true), &json!(65532)));
        assert_eq!(own["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["automountServiceAccountToken"], false);
        for container in pod["containers"].as_array().expect("containers") {
            let expected = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}});
            assert_eq!(container["securityContext"], expected);
            assert!(container["resources"]["limits"]["memory"].is_string());
            // Every place to write to is a volume.
            let mounts = container["volumeMounts"].as_array().expect("mounts");
            assert!(mounts.iter().any(|mount| mount["mountPath"] == "/tmp"));
        }
    }
    let policies: Vec<Value> = objects()
        .into_iter()
        .filter(|(path, _)| path.contains("/kubernetes/"))
        .map(|(_, it)| it)
        .filter(|it| it["kind"] == "NetworkPolicy")
        .collect();
    for policy in &policies {
        let ingress = policy["spec"]["ingress"].as_array().expect("rules");
        let ports: Vec<&Value> =
            ingress.iter().flat_map(|rule| rule["ports"].as_array().expect("ports")).collect();
        assert_eq!(ports, [&json!({"protocol": "TCP", "port": "gateway"})], "no pod reaches the admin port");
        assert!(ingress.iter().all(|rule| rule["from"].is_array()), "not for everybody");
    }
    assert_eq!(policies.len(), 2);
}
