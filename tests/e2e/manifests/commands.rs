//! The commands of the pages about clusters, run as they stand there up to what needs a cluster: a real kubectl makes,
//! labels and reads the objects, and none is sent anywhere.

use super::yaml;
use crate::docs::{blocks, page};
use harness::{LedgerProcess, out_of, project};
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What stands for kubectl on the PATH: it writes what would be sent into a file. An old kubectl calls a list of patches
/// otherwise, so a list is renamed in a copy before it is read.
const KUBECTL: &str = r#"#!/bin/bash
set -euo pipefail
export KUBECONFIG=/nonexistent/config
write() { "$REAL_KUBECTL" "$@" 2>>"$SENT.log" >>"$SENT" || { cat "$SENT.log" >&2; exit 1; }; echo '---' >>"$SENT"; }
all=("$@")
while [[ $1 == -n ]]; do shift 2; done
case "$1 $2" in
    create\ *) write "${all[@]}" --dry-run=client -o yaml ;;
    label\ namespace)
        "$REAL_KUBECTL" create namespace "$3" --dry-run=client -o yaml 2>/dev/null | write label --local -f - "${@:4}" -o yaml ;;
    apply\ -k)
        "$REAL_KUBECTL" kustomize "$3" 2>>"$SENT.log" >>"$SENT" || {
            copy=$(mktemp -d -p "$TMPDIR"); cp -rL "$(dirname "$3")" "$copy/all"; folder="$copy/all/$(basename "$3")"
            sed -i 's/^patches:/patchesStrategicMerge:/; s/^  - path: /  - /' "$folder/kustomization.yaml"
            write kustomize "$folder"
        }
        echo '---' >>"$SENT" ;;
    apply\ -f)
        shift
        while (($#)); do [[ $1 == -f ]]; write label --local -f "$2" checked=yes -o yaml; shift 2; done ;;
    patch\ deployment)
        [[ $4 == --patch-file ]]; write label --local -f "$5" checked=yes -o yaml ;;
    *port-forward*) ;;
    *) echo "no test knows: kubectl $*" >&2; exit 1 ;;
esac
"#;

/// The kubectl that `make setup` has fetched, or one that is there already.
fn kubectl() -> Option<PathBuf> {
    let found = std::env::var_os("KUBECTL").map(PathBuf::from).filter(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var_os("FAREGATE_NEED_KUBECTL").is_none(), "KUBECTL names no program");
        eprintln!("SKIPPED: kubectl is not installed (Debian: `make setup` fetches it)");
    }
    found
}

/// A folder in which somebody follows the pages.
struct Desk {
    dir: tempfile::TempDir,
    kubectl: PathBuf,
}

impl Desk {
    fn new(kubectl: PathBuf) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("bin")).expect("a folder");
        let program = dir.path().join("bin/kubectl");
        std::fs::write(&program, KUBECTL).expect("a file");
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("a mode");
        symlink(harness::binary(), dir.path().join("bin/faregate")).expect("a link");
        symlink(project().join("envoy"), dir.path().join("envoy")).expect("a link");
        Self { dir, kubectl }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a block. Returns what it printed, and the objects that it would have sent.
    fn runs(&self, block: &str, more: &[(&str, &str)]) -> (String, Vec<Value>) {
        let sent = self.path("sent");
        std::fs::write(&sent, "").expect("a file");
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").expect("a PATH"));
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", block]).current_dir(self.dir.path());
        command.env("PATH", path).env("REAL_KUBECTL", &self.kubectl).env("SENT", &sent);
        command.env("TMPDIR", self.dir.path()).envs(more.iter().copied());
        let (done, said) = out_of(&mut command);
        assert!(done, "{block}\n{said}");
        let objects = yaml::documents(&read(&sent)).into_iter().filter(|object| !object.is_null()).collect();
        (said, objects)
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Every Secret's key that an object refers to and can't start without, as `namespace/secret/key`.
fn secrets_used(object: &Value) -> BTreeSet<String> {
    fn gather(it: &Value, found: &mut BTreeSet<(String, String)>) {
        match it {
            Value::Object(members) => {
                let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
                let reference = &it["secretKeyRef"];
                if reference.is_object() {
                    found.insert((text(reference, "name"), text(reference, "key")));
                }
                let volume = &it["secret"];
                for item in volume["items"].as_array().into_iter().flatten() {
                    found.insert((text(volume, "secretName"), text(item, "key")));
                }
                members.values().for_each(|member| gather(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
            _ => (),
        }
    }
    let mut found = BTreeSet::new();
    gather(object, &mut found);
    // Envoy Gateway runs its proxies in a namespace of its own, wherever the Gateway is.
    let namespace = if object["kind"] == "EnvoyProxy" { "envoy-gateway-system" } else { namespace(object) };
    found.into_iter().map(|(secret, key)| format!("{namespace}/{secret}/{key}")).collect()
}

fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or("default")
}

/// Every Secret's key that the commands make, likewise.
fn secrets_made(objects: &[Value]) -> BTreeSet<String> {
    let made = objects.iter().filter(|object| object["kind"] == "Secret").flat_map(|secret| {
        let name = secret["metadata"]["name"].as_str().expect("a name");
        let keys = secret["data"].as_object().into_iter().flat_map(serde_json::Map::keys);
        keys.map(move |key| format!("{}/{name}/{key}", namespace(secret)))
    });
    made.collect()
}

fn shell(readme: &str) -> Vec<String> {
    blocks(&page(readme), "shell")
}

#[tokio::test]
async fn the_commands_for_a_cluster_make_what_the_manifests_need() {
    let Some(kubectl) = kubectl() else { return };
    let desk = Desk::new(kubectl);
    let kubernetes = shell("envoy/kubernetes/README.md");
    assert_eq!(kubernetes.len(), 3, "begin, administrate, PostgreSQL");

    let (_, mut sent) = desk.runs(&kubernetes[0], &[]);
    assert!(sent.iter().any(|object| object["kind"] == "StatefulSet"), "{sent:#?}");

    // The ledger's pod reads the tokens from the files that the commands wrote, and the operator the other one.
    let tokens = ["gateway", "admin"].map(|name| read(&desk.path(&format!("{name}-token"))));
    let tokens = [("FAREGATE_GATEWAY_TOKEN", &tokens[0]), ("FAREGATE_ADMIN_TOKEN", &tokens[1])];
    let tokens = tokens.map(|(name, token)| (name.to_owned(), token.clone()));
    let data = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(data.path(), &[], &tokens).await;
    let forwarded = format!("http://127.0.0.1:{}", ledger.admin_port);
    let (said, _) = desk.runs(&kubernetes[1], &[("FAREGATE_ADMIN_URL", &forwarded)]);
    assert!(said.contains("no accounts"), "{said}");

    std::fs::write(desk.path("database-url"), "postgres://faregate@db.example.com/faregate").expect("a file");
    std::fs::write(desk.path("ca.crt"), "a certificate").expect("a file");
    let (_, on_postgres) = desk.runs(&kubernetes[2], &[]);
    assert!(on_postgres.iter().all(|object| object["kind"] != "StatefulSet"), "{on_postgres:#?}");
    assert!(on_postgres.iter().any(|object| object["kind"] == "Deployment"), "{on_postgres:#?}");
    sent.extend(on_postgres);

    for readme in ["envoy/istio/README.md", "envoy/gateway-api/README.md"] {
        let all = shell(readme);
        assert!(!all.is_empty(), "{readme}");
        sent.extend(all.iter().flat_map(|block| desk.runs(block, &[]).1));
    }

    let made = secrets_made(&sent);
    let used: BTreeSet<String> = sent.iter().flat_map(secrets_used).collect();
    assert!(used.len() > 4, "{used:?}");
    assert_eq!(used.difference(&made).collect::<Vec<_>>(), Vec::<&String>::new(), "of the Secrets {made:?}");
    assert_eq!(
        made.difference(&used).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "Secrets that nothing uses"
    );
    let lets_in = |object: &&Value| object["metadata"]["labels"]["faregate.dev/gateway"] == "true";
    let labelled: BTreeSet<&str> =
        sent.iter().filter(lets_in).filter_map(|object| object["metadata"]["name"].as_str()).collect();
    for token in used.iter().filter(|secret| secret.contains("/faregate-gateway-token/")) {
        let namespace = token.split('/').next().expect("a namespace");
        assert!(
            labelled.contains(namespace),
            "the ledger's network policy lets {namespace} in: {labelled:?}"
        );
    }
}
