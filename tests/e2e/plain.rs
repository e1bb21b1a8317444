//! The folders in `envoy/`: what lies there is what runs here, but for the ports.

mod compose;
mod ecds;
mod limits;
mod logs;
mod mtls;
mod remote;

use harness::{Gateway, LedgerProcess, Site, Upstream, eventually, get, project};
use std::time::Duration;
use tempfile::TempDir;

/// A ledger, an upstream, and a copy of a folder.
struct World {
    ledger: LedgerProcess,
    upstream: Upstream,
    site: Site,
    _dir: TempDir,
}

impl World {
    async fn of(folder: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
        let upstream = Upstream::start().await;
        let known = [(7401, ledger.gateway_port), (7402, ledger.admin_port), (3000, upstream.port)];
        let site = Site::copy(dir.path(), folder, &known);
        Self { ledger, upstream, site, _dir: dir }
    }
}

/// What a caller with this key gets, and the code of a refusal.
async fn call(gate: &Gateway, key: &str) -> (u16, String) {
    let answer = get(gate, "/", &[("x-api-key", key)]).await;
    (answer.status, answer.body["code"].as_str().unwrap_or_default().to_owned())
}

/// Waits until Envoy has said this.
async fn says(gate: &Gateway, what: &str) {
    eventually(&format!("Envoy says {what:?}"), Duration::from_secs(60), async || {
        gate.process.output().contains(what)
    })
    .await;
}

#[test]
fn envoy_and_faregate_accept_every_shipped_configuration() {
    for entry in std::fs::read_dir(project().join("envoy")).expect("a folder").filter_map(Result::ok) {
        let folder = entry.file_name().into_string().expect("a name");
        assert!(entry.path().join("README.md").exists(), "{folder} says how it is run");
        // The others have manifests, or configurations that need what their own stories bring.
        if !entry.path().join("envoy.yaml").exists() || folder == "compose" {
            continue;
        }
        let dir = tempfile::tempdir().expect("a temporary folder");
        let site = Site::copy(dir.path(), &folder, &[]);
        if folder == "mtls" {
            site.run(&site.blocks(&folder)[0]);
        }
        let config = format!("envoy/{folder}/envoy.yaml");
        let (good, said) = site.validate(&config);
        assert!(good, "{config}: {said}");
        let gate = if folder == "ecds" { "envoy/ecds/filter.yaml" } else { &config };
        assert!(site.run(&format!("faregate check {gate}")).contains(": ok"), "{gate}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_ledger_cluster_is_reported_and_fails_closed() {
    let world = World::of("quickstart").await;
    let key = world.ledger.account("acme", "10").await;
    let config = world.site.text("envoy/quickstart/envoy.yaml");
    world
        .site
        .replace("envoy/quickstart/envoy.yaml", &config.replace("cluster: ledger\n", "cluster: cashier\n"));
    let mut gate = world.site.envoy("envoy/quickstart/envoy.yaml");
    gate.is_ready().await;

    let got = call(&gate, &key).await;

    assert_eq!(got, (503, "ledger_unavailable".to_owned()));
    says(&gate, "the ledger can't be asked: Envoy can't call cluster \"cashier\"").await;
    assert_eq!(world.upstream.served(), 0);
}
