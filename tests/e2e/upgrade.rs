//! Upgrades under steady paid traffic: nothing that was paid is refused, and what was served is what was charged.

mod changes;

use harness::{
    Gateway, LedgerProcess, Run, Setup, Steady, Tally, Upstream, World, envoy_config, eventually, filter,
    free_port,
};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// The filter as another release: the same code, and other bytes.
fn another_release(dir: &Path, name: &str) -> std::path::PathBuf {
    let mut module = std::fs::read(filter()).expect("the filter");
    // A custom section: its number, its length, the length of its name, its name.
    module.extend([0, 8, 7]);
    module.extend(b"release");
    let path = dir.join(name);
    std::fs::write(&path, module).expect("a module");
    path
}

/// Writes a file in one instant, as Envoy wants it.
fn put(dir: &Path, file: &str, resource: &Value) {
    let fresh = dir.join("fresh");
    std::fs::write(&fresh, json!({"resources": [resource]}).to_string()).expect("a file");
    std::fs::rename(fresh, dir.join(file)).expect("a file");
}

/// A ledger, an upstream, and callers with their keys.
struct Fixture {
    ledger: LedgerProcess,
    upstream: Upstream,
    keys: Vec<String>,
    ports: (u16, u16),
    dir: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ledger = LedgerProcess::start(dir.path(), &["--lease-ttl", "300s"], &[]).await;
        let upstream = Upstream::start().await;
        let keys = vec![ledger.account("a", "1000000").await, ledger.account("b", "1000000").await];
        Self { ledger, upstream, keys, ports: (free_port(), free_port()), dir }
    }

    fn config(&self) -> Value {
        let behind = ([self.ledger.gateway_port].to_vec(), self.upstream.port);
        let filter_config = Setup::default().filter_config();
        envoy_config(self.dir.path(), "gate", self.ports, (&behind.0, behind.1), &filter_config)
    }

    /// An Envoy that gives requests five seconds to move from an old listener to a new one.
    async fn start(&self, config: &Value) -> Gateway {
        std::fs::write(self.dir.path().join("gate.json"), config.to_string()).expect("a file");
        let arguments =
            ["--disable-hot-restart", "--component-log-level", "wasm:info", "--drain-time-s", "5"];
        let mut gate = Gateway::launch(self.run("gate", &arguments), self.ports);
        gate.is_ready().await;
        gate
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Run {
        Run {
            dir: self.dir.path().to_owned(),
            name: name.to_owned(),
            config: "gate.json".into(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: Vec::new(),
        }
    }

    /// Six callers, two of them with a key of their own.
    fn callers(&self, gate: &Gateway) -> Steady {
        let keys: Vec<&str> = [0, 0, 0, 1, 1, 1].iter().map(|at| self.keys[*at].as_str()).collect();
        Steady::start(&gate.url("/"), &keys)
    }

    /// All got what they paid for, and paid for what they got. Leases live for five minutes here: what is held
    /// any longer than it takes to hand it back has been forgotten.
    async fn all_agree(&self, status_counts: &Tally, others: &[String]) {
        assert_eq!(status_counts.keys().copied().collect::<Vec<_>>(), [200], "{status_counts:?} {others:?}");
        self.ledger.run(&["recall"]);
        self.ledger.nothing_is_held().await;
        let spent = self.spent().await;
        assert_eq!(
            (status_counts.get(&200), self.upstream.served()),
            (Some(&spent), spent),
            "charged is served"
        );
        eventually("usage says the same", Duration::from_secs(30), async || self.used().await >= spent).await;
        assert_eq!(self.used().await, spent, "usage is served");
        self.ledger.audit().await;
    }

    async fn spent(&self) -> u64 {
        let mut spent = 0;
        for account in ["a", "b"] {
            spent += self.ledger.balance(account, "spent").await.parse::<u64>().expect("whole credits");
        }
        spent
    }

    async fn used(&self) -> u64 {
        let mut used = 0;
        for account in ["a", "b"] {
            let usage = self.ledger.get(&format!("/admin/v1/accounts/{account}/usage")).await;
            used += usage["total"]["requests"].as_u64().unwrap_or(0);
        }
        used
    }
}

/// The filter of a configuration.
fn plugin(config: &mut Value) -> &mut Value {
    config.pointer_mut(&format!("{MANAGER}/http_filters/0")).expect("the filter")
}

#[tokio::test(flavor = "multi_thread")]
async fn another_filter_release_takes_over_through_ecds() {
    let ground = Fixture::new().await;
    let mut config = ground.config();
    let filter = plugin(&mut config);
    let mut typed = filter["typed_config"].clone();
    let wasm = typed["@type"].clone();
    let resource = |typed: &Value| json!({"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": "faregate", "typed_config": typed});
    put(ground.dir.path(), "filter.json", &resource(&typed));
    *filter = json!({"name": "faregate", "config_discovery": {"type_urls": [wasm], "config_source": {
        "resource_api_version": "V3", "path_config_source": {"path": ground.dir.path().join("filter.json")}
    }}});
    let gate = ground.start(&config).await;
    let callers = ground.callers(&gate);
    callers.wait_for_progress(500).await;

    for release in 1..=2 {
        let module = another_release(ground.dir.path(), &format!("{release}.wasm"));
        typed["config"]["vm_config"]["code"]["local"]["filename"] = json!(module);
        typed["config"]["vm_config"]["environment_variables"]["key_values"]["RELEASE"] =
            json!(release.to_string());
        put(ground.dir.path(), "filter.json", &resource(&typed));
        let reloads = "extension_config_discovery.http_filter.faregate.config_reload";
        eventually("Envoy has taken it", Duration::from_secs(20), async || {
            gate.envoy_stat(reloads).await > release
        })
        .await;
        callers.wait_for_progress(300).await;
    }
    let (status_counts, others) = callers.stop().await;

    ground.all_agree(&status_counts, &others).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_filter_release_takes_over_through_a_listener_update() {
    let ground = Fixture::new().await;
    let mut config = ground.config();
    let mut listener = config["static_resources"]["listeners"][0].take();
    config["static_resources"]["listeners"] = json!([]);
    listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
    put(ground.dir.path(), "listeners.json", &listener);
    config["dynamic_resources"] = json!({"lds_config": {
        "resource_api_version": "V3", "path_config_source": {"path": ground.dir.path().join("listeners.json")}
    }});
    let gate = ground.start(&config).await;
    let callers = ground.callers(&gate);
    callers.wait_for_progress(500).await;

    let code = "/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config/vm_config/code/local/filename";
    let module = another_release(ground.dir.path(), "another.wasm");
    *listener.pointer_mut(code).expect("the module") = json!(module);
    put(ground.dir.path(), "listeners.json", &listener);
    eventually("the old listener has drained", Duration::from_secs(20), async || {
        gate.envoy_stat("listener_manager.listener_modified").await == 1
            && gate.envoy_stat("listener_manager.total_listeners_draining").await == 0
            && gate.envoy_stat("listener_manager.total_filter_chains_draining").await == 0
    })
    .await;
    callers.wait_for_progress(500).await;
    let (status_counts, others) = callers.stop().await;

    ground.all_agree(&status_counts, &others).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_envoy_takes_over_by_hot_restart() {
    let ground = Fixture::new().await;
    let config = ground.config();
    std::fs::write(ground.dir.path().join("gate.json"), config.to_string()).expect("a file");
    let run = |epoch: &str, base: &[&str]| {
        let mut arguments = vec!["--parent-shutdown-time-s", "12", "--restart-epoch", epoch];
        arguments.extend(["--component-log-level", "wasm:info"]);
        arguments.extend(base);
        ground.run(&format!("gate-{epoch}"), &arguments)
    };
    let mut old =
        Gateway::launch(run("0", &["--use-dynamic-base-id", "--base-id-path", "base-id"]), ground.ports);
    old.is_ready().await;
    let base = std::fs::read_to_string(ground.dir.path().join("base-id")).expect("the base id");
    let callers = ground.callers(&old);
    callers.wait_for_progress(500).await;

    let mut new = Gateway::launch(run("1", &["--base-id", base.trim()]), ground.ports);
    new.is_ready().await;
    eventually("the old Envoy has ended", Duration::from_secs(30), async || {
        !Path::new(&format!("/proc/{}/exe", old.process.id())).exists()
    })
    .await;
    assert_eq!(old.process.wait(Duration::from_secs(5)), Some(0));
    callers.wait_for_progress(300).await;
    let (status_counts, others) = callers.stop().await;

    ground.all_agree(&status_counts, &others).await;
    let names = ground.ledger.get("/admin/v1/leases").await;
    assert_eq!(names["at_risk"], "0", "{names}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_ledger_takes_over_without_refusals() {
    let mut world = World::one().await;
    let keys = [world.ledger.account("a", "1000000").await, world.ledger.account("b", "1000000").await];
    let callers = Steady::start(&world.gate().url("/"), &[&keys[0], &keys[0], &keys[0], &keys[1], &keys[1]]);
    // Long enough for leases to have grown to what these callers need.
    callers.wait_for_progress(2_000).await;

    for _ in 0..2 {
        assert_eq!(world.ledger.process.stop(), Some(0));
        world.ledger.restart().await;
        callers.wait_for_progress(1_000).await;
    }
    let (status_counts, others) = callers.stop().await;

    assert_eq!(status_counts.keys().copied().collect::<Vec<_>>(), [200], "{status_counts:?} {others:?}");
    world.ledger.nothing_is_held().await;
    let mut spent = 0;
    for account in ["a", "b"] {
        spent += world.ledger.balance(account, "spent").await.parse::<u64>().expect("whole credits");
    }
    assert_eq!((status_counts.get(&200), world.upstream.served()), (Some(&spent), spent));
    world.ledger.audit().await;
}
