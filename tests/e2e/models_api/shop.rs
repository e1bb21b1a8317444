//! One of the folders with its upstreams, a ledger, and an Envoy.

use crate::manifests::yaml;
use axum::body::{Bytes, HttpBody};
use faregate_protocol::Credits;
use faregate_protocol::prices::{ModelPrices, decimal};
use harness::{Gateway, LedgerProcess, ModelApi, filter, free_port};
use http_body::Frame;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tempfile::TempDir;

/// Far more than a busy machine takes, and less than `stream_idle_timeout`, after which Envoy ends what waits for nothing.
pub const AT_ONCE: Duration = Duration::from_secs(30);
/// Where the connection manager is in a configuration.
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
/// Where the gate's configuration is in its filter.
const GATE: &str = "/typed_config/config/configuration/value";

/// What runs.
pub struct Shop {
    pub ledger: LedgerProcess,
    pub gate: Gateway,
    /// The gate's configuration.
    config: Value,
    /// The upstreams, by the names of their clusters.
    apis: BTreeMap<String, ModelApi>,
    _dir: TempDir,
}

impl Shop {
    /// A folder as it ships, after a change of the gate's configuration.
    pub async fn start(folder: &str, change: impl Fn(&mut Value)) -> Self {
        Self::start_with(folder, |filters| {
            change(gate(filters).pointer_mut(GATE).expect("its configuration"))
        })
        .await
    }

    /// A folder as it ships, after a change of Envoy's HTTP filters.
    pub async fn start_with(folder: &str, change: impl Fn(&mut Vec<Value>)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
        let mut envoy = yaml::file(&format!("envoy/{folder}/envoy.yaml")).remove(0);
        let ports = (free_port(), free_port());
        envoy["static_resources"]["listeners"][0]["address"] = at(ports.0);
        envoy["admin"]["address"] = at(ports.1);
        let mut apis = BTreeMap::new();
        for cluster in envoy["static_resources"]["clusters"].as_array_mut().expect("clusters") {
            let name = cluster["name"].as_str().expect("a name").to_owned();
            let port = if name == "ledger" {
                ledger.gateway_port
            } else {
                let api = ModelApi::start().await;
                let port = api.port;
                apis.insert(name, api);
                port
            };
            cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = at(port);
            // They don't speak TLS.
            cluster.as_object_mut().expect("a cluster").remove("transport_socket");
        }
        let filters =
            envoy.pointer_mut(MANAGER).expect("a manager")["http_filters"].as_array_mut().expect("filters");
        let plugin = gate(filters);
        plugin["typed_config"]["config"]["vm_config"]["code"]["local"]["filename"] = json!(filter());
        // A busy machine takes its time.
        plugin.pointer_mut(GATE).expect("its configuration")["ledger"]["timeout_ms"] = json!(5_000);
        change(filters);
        let config = gate(filters).pointer(GATE).expect("its configuration").clone();
        let secrets: Vec<(String, String)> = ["openai", "anthropic", "gemini"]
            .map(|name| (format!("{}_API_KEY", name.to_uppercase()), format!("key-of-{name}")))
            .into();
        let gate = Gateway::start(dir.path(), folder, &envoy, ports, &secrets).await;
        Self { ledger, gate, config, apis, _dir: dir }
    }

    /// A request with this key.
    pub fn post(&self, path: &str, key: &str, body: &Value) -> reqwest::RequestBuilder {
        reqwest::Client::new().post(self.gate.url(path)).bearer_auth(key).body(body.to_string())
    }

    /// The upstream of this provider.
    pub fn api(&self, provider: &str) -> &ModelApi {
        &self.apis[provider]
    }

    /// How many requests have reached the providers, all together.
    pub fn arrived(&self) -> usize {
        self.apis.values().map(|api| api.sent().len()).sum()
    }

    /// What a model costs by the gate's configuration.
    pub fn prices(&self, model: &str) -> ModelPrices {
        let prices = &self.config["rules"][0]["meter"]["prices"][model];
        decimal::deserialize(prices).unwrap_or_else(|why| panic!("the prices of {model}: {why}"))
    }

    /// What an account has spent, once nothing is held any more.
    pub async fn spent(&self, account: &str) -> Credits {
        self.ledger.nothing_is_held().await;
        self.ledger.balance(account, "spent").await.parse().expect("an amount")
    }
}

/// A body of which the head doesn't say how long it is.
pub fn of_unknown_length(body: &Value) -> reqwest::Body {
    reqwest::Body::wrap(Unsized(Some(body.to_string().into())))
}

struct Unsized(Option<Bytes>);

impl HttpBody for Unsized {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// The gate's filter.
fn gate(filters: &mut [Value]) -> &mut Value {
    filters.iter_mut().find(|filter| filter["name"] == "faregate").expect("the gate")
}

fn at(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}
