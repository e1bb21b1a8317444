//! Requests to models through a real Envoy, to an upstream that speaks each API and records what it sent: the charge is exactly what
//! the answer reported times the prices; where the answer doesn't say, it stays within what was delivered.

mod ask_usage;
mod charged;
mod ended;
mod files;
mod listed;
mod refused;
mod sessions;
mod shared;
mod stopped;

use faregate_protocol::Credits;
use faregate_protocol::metering::{Quantities, UsageClass};
use faregate_protocol::prices::{ModelPrices, decimal};
use harness::{ModelApi, ModelCall, STEER, Sent, Setup, World, model_calls, patient};
use serde_json::{Value, json};

/// The largest request that the rule reads, in bytes.
pub const MAX_BODY: usize = 8_388_608;
/// How many bytes the gate takes for a token where nothing is reported.
pub const BYTES_PER_TOKEN: u64 = 2;

/// The most bytes that the gate adds to a body.
const MOST_ADDED: u64 = 64;

/// Credits per million tokens, by model; and per search.
pub fn prices() -> Value {
    let opus = json!({
        "input": "5", "cache_read": "0.5", "cache_write": "6.25", "cache_write_1h": "10", "output": "25", "search": "0.01"
    });
    json!({
        "gpt-5": {
            "input": "1.25", "cache_read": "0.125", "output": "10", "search": "0.025",
            "service": {"priority": {"input": "2.5", "cache_read": "0.25", "output": "20"}}
        },
        "claude-opus-5": opus, "anthropic.claude-opus-5-v1:0": opus,
        "gemini-3-pro": {"input": "2", "cache_read": "0.2", "output": "12"},
        "text-embedding-4": {"input": "0.13"},
        "llama4": {"input": "0.1", "output": "0.2"},
        "mistral-large": {"input": "2", "output": "6"},
        "command-a": {"input": "2.5", "output": "10", "search": "0.002"}
    })
}

/// What a model costs.
pub fn prices_of(model: &str) -> ModelPrices {
    decimal::deserialize(&prices()[model]).unwrap_or_else(|why| panic!("the prices of {model}: {why}"))
}

/// The gate's configuration: one rule for all paths, by usage. `meter` are members of the meter that differ.
pub fn config(meter: &Value) -> Value {
    let mut by_usage = json!({
        "llm": "auto", "prices": prices(),
        "hold": {"bytes_per_token": BYTES_PER_TOKEN, "image": 1500, "output": 8192, "at_most": "2"},
        "ask_for_usage": true, "no_usage": "estimate", "max_body_bytes": MAX_BODY
    });
    for (name, value) in meter.as_object().expect("an object of overrides") {
        by_usage[name] = value.clone();
    }
    let mut config = patient();
    config["rules"] = json!([{"name": "chat", "match": {"path": {"prefix": "/"}}, "meter": by_usage}]);
    config["request_bodies"] = json!(true);
    config
}

/// A setup with this configuration of the gate, before the API at this port.
pub fn setup(config: Value, port: u16) -> Setup<'static> {
    // What the gate holds back must fit into Envoy's buffers.
    let route = json!({
        "match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}, "request_body_buffer_limit": 2 * MAX_BODY
    });
    let routes = json!({"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]});
    Setup {
        config,
        plugin: json!({"allow_on_headers_stop_iteration": true}),
        manager: json!({"route_config": routes}),
        upstream: Some(port),
        ..Setup::default()
    }
}

/// A world whose upstream speaks the AI APIs.
pub struct Scene {
    pub world: World,
    pub api: ModelApi,
}

/// What a client got.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub body: Vec<u8>,
    /// Whether the answer came to its end.
    pub whole: bool,
}

impl Got {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The data of its server-sent events.
    pub fn events(&self) -> Vec<String> {
        let text = self.text();
        text.split("\n\n").filter_map(|event| event.split("data: ").nth(1)).map(str::to_owned).collect()
    }

    /// The code of a refusal, in whichever format it is.
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let places = ["/error/code", "/code", "/problem/code"];
        let code = places.iter().find_map(|place| body.pointer(place)?.as_str());
        code.unwrap_or_else(|| panic!("no code in {}", self.text())).to_owned()
    }
}

impl Scene {
    /// One with [`config`].
    pub async fn start() -> Self {
        Self::with(config(&json!({}))).await
    }

    /// One with this configuration.
    pub async fn with(config: Value) -> Self {
        Self::serving(config, &[]).await
    }

    /// One with this configuration, and further arguments to `faregate serve`.
    pub async fn serving(config: Value, serve: &[&str]) -> Self {
        let api = ModelApi::start().await;
        let world = World::start(Setup { serve, ..setup(config, api.port) }).await;
        Self { world, api }
    }

    /// A request, with what steers its answer.
    pub fn request(&self, key: &str, call: &ModelCall, steer: &Value) -> reqwest::RequestBuilder {
        let request = reqwest::Client::new().post(self.world.gate().url(call.path));
        let request = request.header("x-api-key", key).header(STEER, steer.to_string());
        request.header("content-type", "application/json").body(call.body.to_string())
    }

    /// Makes a request, and reads its answer to the end.
    pub async fn ask(&self, key: &str, call: &ModelCall, steer: &Value) -> Got {
        got(self.request(key, call, steer)).await
    }

    /// What an account has spent, once nothing is held any more and all entries add up.
    pub async fn spent(&self, account: &str) -> Credits {
        self.world.ledger.nothing_is_held().await;
        self.world.ledger.audit().await;
        self.world.ledger.balance(account, "spent").await.parse().expect("an amount")
    }
}

/// Sends a request, and reads its answer to the end.
pub async fn got(request: reqwest::RequestBuilder) -> Got {
    let mut answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    let whole = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    Got { status, body, whole }
}

/// The model that a request names, in its body or in its path.
pub fn model_of(sent: &Sent) -> String {
    let body: Value = serde_json::from_slice(&sent.body).unwrap_or_default();
    // Gemini's path has the model between `/models/` and a colon.
    let in_path = || Some(sent.path.split_once("/models/")?.1.split_once(':')?.0.to_owned());
    let by_path = || {
        let known = model_calls().into_iter().find(|call| call.path == sent.path);
        known.map(|call| call.model.to_owned()).or_else(in_path).expect("a known path")
    };
    body["model"].as_str().map_or_else(by_path, str::to_owned)
}

/// What an answer costs that reported its usage.
pub fn cost(sent: &Sent) -> Credits {
    let usage = sent.usage.unwrap_or_else(|| panic!("no usage was reported: {sent:?}"));
    prices_of(&model_of(sent)).cost(&usage, sent.tier.as_deref(), Credits::ZERO)
}

/// The least and the most that an answer may cost that was cut: the input exactly if it was reported, else by the body's size;
/// the output by the bytes of text, of which the client has read so many.
pub fn bounds(sent: &Sent, read: u64) -> (Credits, Credits) {
    let mut least = sent.usage.unwrap_or_default();
    let mut most = least;
    if sent.usage.is_none() {
        // What the gate adds to a body doesn't count.
        let size = sent.body.len() as u64;
        least.set(UsageClass::Input, size.saturating_sub(MOST_ADDED) / BYTES_PER_TOKEN);
        most.set(UsageClass::Input, size.div_ceil(BYTES_PER_TOKEN));
    }
    let tokens = |bytes: u64| bytes.div_ceil(BYTES_PER_TOKEN);
    let raise = |quantities: &mut Quantities, tokens: u64| {
        quantities.set(UsageClass::Output, quantities.get(UsageClass::Output).max(tokens));
    };
    raise(&mut least, tokens(read));
    raise(&mut most, tokens(sent.text_bytes));
    let prices = prices_of(&model_of(sent));
    let of = |quantities: &Quantities| prices.cost(quantities, sent.tier.as_deref(), Credits::ZERO);
    (of(&least), of(&most))
}

/// The bytes of the model's text in complete events of a stream of chat or messages.
pub fn text_in(body: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(body);
    let complete = text.rsplit_once("\n\n").map_or("", |(complete, _)| complete);
    let data = complete.split("\n\n").filter_map(|event| event.split("data: ").nth(1));
    let events = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let word = |event: Value| {
        let places = ["/choices/0/delta/content", "/delta/text"];
        places.iter().find_map(|place| Some(event.pointer(place)?.as_str()?.len() as u64)).unwrap_or(0)
    };
    events.map(word).sum()
}
