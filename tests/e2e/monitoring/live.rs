//! A real ledger and real Envoys, scraped: whatever dashboards and alerts name is there, every panel shows something, and Prometheus,
//! as the page configures it, finds no alert while all is well, and the right ones when the ledger is killed.

use super::expressions::{metrics, of_dashboards};
use super::rules::alerts;
use crate::docs::{blocks, page};
use crate::metrics::promtool;
use harness::{
    Authority, Gateway, LedgerProcess, Process, Setup, World, envoy_config, eventually, free_port, get,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A world in which something is sold and refused all the time.
struct Site {
    world: World,
    /// An Envoy with the tag for codes, as all configurations under `envoy/` have it. The world's own has none.
    tagged: Gateway,
    /// Where its admin interface is.
    tagged_admin: u16,
    /// A ledger that speaks TLS with gateways.
    secure: LedgerProcess,
    rich: String,
    broke: String,
    _dir: tempfile::TempDir,
}

impl Site {
    async fn start() -> Self {
        let shadow = json!({"name": "beta", "match": {"path": {"prefix": "/beta"}}, "price": "1000000", "shadow": true});
        let setup = Setup { config: json!({"rules": [shadow]}), ..Setup::default() };
        let config = setup.filter_config();
        let world = World::start(setup).await;
        let (port, tagged_admin) = (free_port(), free_port());
        let behind = (&[world.ledger.gateway_port][..], world.upstream.port);
        let mut config = envoy_config(world.dir(), "tagged", (port, tagged_admin), behind, &config);
        config["stats_config"] = stats_config();
        let tagged = Gateway::start(world.dir(), "tagged", &config, (port, tagged_admin), &[]).await;

        let dir = tempfile::tempdir().expect("a folder");
        Authority::new().issue_until(dir.path(), "ledger", "127.0.0.1", 30);
        let file =
            |kind: &str| dir.path().join(format!("ledger.{kind}")).to_str().expect("a path").to_owned();
        let secure =
            LedgerProcess::start(dir.path(), &["--tls-cert", &file("pem"), "--tls-key", &file("key")], &[])
                .await;
        let rich = world.ledger.account("rich", "1000000").await;
        let broke = world.ledger.account("broke", "0").await;
        Self { world, tagged, tagged_admin, secure, rich, broke, _dir: dir }
    }

    /// A paid request, a refused one, and one that only shadow lets through, at the Envoy with the tag.
    async fn sell(&self) {
        for (path, key) in [("/", &self.rich), ("/", &self.broke), ("/beta", &self.broke)] {
            get(&self.tagged, path, &[("x-api-key", key)]).await;
        }
    }
}

/// What the page says to write into Envoy's bootstrap.
fn stats_config() -> Value {
    let blocks = blocks(&page("docs/monitoring.md"), "yaml");
    let block = blocks.iter().find(|block| block.starts_with("stats_config:")).expect("a tag for codes");
    let value: Value = serde_saphyr::from_str(block).expect("YAML");
    value["stats_config"].clone()
}

/// The names of the samples in a page for Prometheus.
fn samples(page: &str) -> BTreeSet<String> {
    let lines = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_that_dashboards_and_alerts_name_is_there() {
    let site = Site::start().await;
    let expressions = of_dashboards().into_iter().map(|(_, expression)| expression);
    let alerts = alerts().into_iter().map(|alert| alert["expr"].as_str().expect("an expression").to_owned());
    let named: BTreeSet<String> =
        expressions.chain(alerts).flat_map(|expression| metrics(&expression)).collect();
    assert!(named.len() > 40, "{named:?}");
    eventually(&format!("{} metrics are there", named.len()), Duration::from_secs(60), async || {
        site.sell().await;
        let mut found = BTreeSet::new();
        for ledger in [&site.world.ledger, &site.secure] {
            found.extend(samples(ledger.get("/metrics").await.as_str().expect("text")));
        }
        for gateway in [site.world.gate(), &site.tagged] {
            found.extend(samples(&gateway.admin("/stats/prometheus").await.expect("statistics")));
        }
        let missing: Vec<&String> = named.difference(&found).collect();
        println!("missing: {missing:?}");
        missing.is_empty()
    })
    .await;
}

/// A Prometheus with the page's configuration; `None`: it isn't here.
fn prometheus(dir: &Path, site: &Site) -> Option<(Process, String)> {
    let program = promtool()?.with_file_name("prometheus");
    if Command::new(&program).arg("--version").output().is_err() {
        println!("skipped: there is a promtool, but no prometheus beside it");
        return None;
    }
    let blocks = blocks(&page("docs/monitoring.md"), "yaml");
    let config = blocks.iter().find(|block| block.contains("scrape_configs:")).expect("a configuration");
    let ledgers =
        format!("127.0.0.1:{}\", \"127.0.0.1:{}", site.world.ledger.admin_port, site.secure.admin_port);
    let envoys = format!("127.0.0.1:{}", site.tagged_admin);
    let mut config = config.clone();
    for (from, to) in [("15s", "1s"), ("127.0.0.1:7402", &ledgers), ("127.0.0.1:9901", &envoys)] {
        assert!(config.contains(from), "{from} in {config}");
        config = config.replace(from, to);
    }
    std::fs::write(dir.join("prometheus.yaml"), config).expect("a file");
    std::fs::write(dir.join("rules.yaml"), page("docs/monitoring/rules.yaml")).expect("a file");
    let port = free_port();
    let mut command = Command::new(program);
    command.current_dir(dir).args(["--config.file=prometheus.yaml", "--storage.tsdb.path=data"]);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--log.level=warn");
    let process = Process::start("prometheus", &mut command, &dir.join("prometheus.log"));
    Some((process, format!("http://127.0.0.1:{port}/api/v1")))
}

/// What Prometheus answers; null while it doesn't.
async fn ask(url: &str, query: &[(&str, &str)]) -> Value {
    let answer = reqwest::Client::new().get(url).query(query).send().await;
    match answer {
        Ok(answer) => answer.json().await.unwrap_or(Value::Null),
        Err(_) => Value::Null,
    }
}

/// The alerts that Prometheus finds true by now, fired or still waiting to.
async fn found(url: &str) -> BTreeSet<String> {
    let answer = ask(&format!("{url}/alerts"), &[]).await;
    let alerts = answer["data"]["alerts"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
    alerts.iter().map(|alert| alert["labels"]["alertname"].as_str().expect("a name").to_owned()).collect()
}

/// Whether an expression has a value, and every value is a number.
fn shows_something(answer: &Value) -> bool {
    let values = answer["data"]["result"].as_array();
    values.is_some_and(|values| !values.is_empty() && values.iter().all(|value| value["value"][1] != "NaN"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_shows_something_and_alerts_appear_when_the_ledger_is_killed() {
    let mut site = Site::start().await;
    let dir = tempfile::tempdir().expect("a folder");
    let Some((_prometheus, url)) = prometheus(dir.path(), &site) else { return };

    for (place, expression) in of_dashboards() {
        eventually(&format!("{place} shows something: {expression}"), Duration::from_secs(60), async || {
            site.sell().await;
            let answer = ask(&format!("{url}/query"), &[("query", &expression)]).await;
            assert_ne!(answer["status"], "error", "{place}: {expression}: {answer}");
            shows_something(&answer)
        })
        .await;
    }

    let rules = ask(&format!("{url}/rules"), &[]).await;
    let groups = rules["data"]["groups"].as_array().expect("groups");
    let rules: Vec<&Value> =
        groups.iter().flat_map(|group| group["rules"].as_array().expect("rules")).collect();
    assert_eq!(rules.len(), alerts().len());
    for rule in rules {
        assert_eq!((&rule["health"], &rule["state"]), (&json!("ok"), &json!("inactive")), "{rule}");
    }

    site.world.ledger.process.kill();
    let expected = ["FaregateCallersRefusedWithoutLedger", "FaregateExchangesFail", "FaregateLedgerDown"];
    let expected: BTreeSet<String> = expected.map(str::to_owned).into();
    eventually("the alerts about a ledger that is gone appear", Duration::from_secs(180), async || {
        site.sell().await;
        let now = found(&url).await;
        assert!(now.is_subset(&expected), "{now:?}");
        now == expected
    })
    .await;
}
