//! A ledger, gateways and an upstream, started together.

use crate::authority::Authority;
use crate::gateway::{Gateway, envoy_config, ports};
use crate::ledger_process::LedgerProcess;
use crate::upstream::Upstream;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What a story's world is made of.
pub struct Setup<'a> {
    /// How many Envoys, each with two workers.
    pub gateways: usize,
    /// How many ledgers; more than one need a database that they share, named in `environment`.
    pub ledgers: usize,
    /// Further arguments to `faregate serve`.
    pub serve: &'a [&'a str],
    /// Members of the filter's configuration that differ from [`Setup::filter_config`].
    pub config: Value,
    /// Members of Envoy's connection manager that differ from [`envoy_config`].
    pub manager: Value,
    /// Members of the filter's plugin configuration in Envoy that are set besides.
    pub plugin: Value,
    /// Members of Envoy's listener that are set besides.
    pub listener: Value,
    /// Members of the API's cluster that are set besides.
    pub cluster: Value,
    /// Further HTTP filters, behind the gate.
    pub behind: Vec<Value>,
    /// Whether the gateways speak HTTP/3 instead, with a certificate of the authority in `authority.pem`.
    pub http3: bool,
    /// The filter that Envoy loads, if not the one that was built.
    pub filter: Option<PathBuf>,
    /// Environment variables of the ledger and of Envoy.
    pub environment: Vec<(String, String)>,
    /// The port of the API behind the gateways, if it isn't [`World::upstream`].
    pub upstream: Option<u16>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self {
            gateways: 1,
            ledgers: 1,
            serve: &[],
            config: json!({}),
            manager: json!({}),
            plugin: json!({}),
            listener: json!({}),
            cluster: json!({}),
            behind: Vec::new(),
            http3: false,
            filter: None,
            environment: Vec::new(),
            upstream: None,
        }
    }
}

impl Setup<'_> {
    /// Every request costs one credit of the `x-api-key`'s account.
    pub fn filter_config(&self) -> Value {
        let mut config = json!({
            "ledger": {"cluster": "ledger", "authority": "ledger.test", "token": {"env": "FAREGATE_GATEWAY_TOKEN"}, "timeout_ms": 500},
            "identities": [{"header": "x-api-key"}],
            "rules": [],
            "log_paid": true,
            "default": {"price": "1"}
        });
        for (name, value) in self.config.as_object().expect("an object of overrides") {
            config[name] = value.clone();
        }
        config
    }
}

/// Members of the API's cluster with which Envoy speaks HTTP/2 to it, as gRPC and trailers want it.
pub fn speaks_http2() -> Value {
    let options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}}
    });
    json!({"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}})
}

/// Everything that a story needs.
pub struct World {
    /// The ledger.
    pub ledger: LedgerProcess,
    /// Further ledgers on the same database.
    pub replicas: Vec<LedgerProcess>,
    /// The Envoys.
    pub gateways: Vec<Gateway>,
    /// The service behind them, unless the setup names another one.
    pub upstream: Upstream,
    dir: TempDir,
}

impl World {
    /// A world with one gateway.
    pub async fn one() -> Self {
        Self::start(Setup::default()).await
    }

    /// A world as described.
    pub async fn start(setup: Setup<'_>) -> Self {
        let dir = TempDir::with_prefix("faregate-story-").expect("a temporary folder");
        let upstream = Upstream::start().await;
        let ledger = LedgerProcess::start(dir.path(), setup.serve, &setup.environment).await;
        let mut replicas = Vec::new();
        for _ in 1..setup.ledgers {
            replicas.push(LedgerProcess::start(dir.path(), setup.serve, &setup.environment).await);
        }
        let ledgers: Vec<u16> =
            std::iter::once(&ledger).chain(&replicas).map(|ledger| ledger.gateway_port).collect();
        let mut gateways = Vec::new();
        for number in 0..setup.gateways {
            let name = format!("gateway-{number}");
            let ports = ports();
            let behind = (ledgers.as_slice(), setup.upstream.unwrap_or(upstream.port));
            let mut config = envoy_config(dir.path(), &name, ports, behind, &setup.filter_config());
            let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
            let manager = config.pointer_mut(manager).expect("a connection manager");
            for (name, value) in setup.manager.as_object().expect("an object of overrides") {
                manager[name] = value.clone();
            }
            for (name, value) in setup.plugin.as_object().expect("an object of overrides") {
                manager["http_filters"][0]["typed_config"]["config"][name] = value.clone();
            }
            let filters = manager["http_filters"].as_array_mut().expect("a list of filters");
            filters.splice(1..1, setup.behind.iter().cloned());
            if let Some(filter) = &setup.filter {
                manager["http_filters"][0]["typed_config"]["config"]["vm_config"]["code"] =
                    json!({"local": {"filename": filter}});
            }
            let resources = &mut config["static_resources"];
            for (place, members) in [("/listeners/0", &setup.listener), ("/clusters/1", &setup.cluster)] {
                let place = resources.pointer_mut(place).expect("a listener and two clusters");
                for (name, value) in members.as_object().expect("an object of overrides") {
                    place[name] = value.clone();
                }
            }
            if setup.http3 {
                speak_http3(dir.path(), &mut config["static_resources"]["listeners"][0]);
            }
            gateways.push(Gateway::start(dir.path(), &name, &config, ports, &setup.environment).await);
        }
        Self { ledger, replicas, gateways, upstream, dir }
    }

    /// The only gateway, or the first.
    pub fn gate(&self) -> &Gateway {
        self.gateways.first().expect("a gateway")
    }

    /// The world's folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// Has a listener speak HTTP/3.
fn speak_http3(dir: &Path, listener: &mut Value) {
    let authority = Authority::new();
    authority.write(dir, "authority.pem");
    authority.issue(dir, "gateway", "127.0.0.1");
    let certificate = json!({
        "certificate_chain": {"filename": dir.join("gateway.pem")}, "private_key": {"filename": dir.join("gateway.key")}
    });
    listener["address"]["socket_address"]["protocol"] = json!("UDP");
    listener["udp_listener_config"] = json!({"quic_options": {}});
    let chain = &mut listener["filter_chains"][0];
    chain["transport_socket"] = json!({
        "name": "quic",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport",
            "downstream_tls_context": {"common_tls_context": {"tls_certificates": [certificate]}}
        }
    });
    let manager = &mut chain["filters"][0]["typed_config"];
    manager["codec_type"] = json!("HTTP3");
    manager["http3_protocol_options"] = json!({});
}
