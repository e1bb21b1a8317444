//! Scenarios on a real ledger on real sockets.

use crate::{Bound, Secret, ServeConfig, api, serve_and_tell};
use faregate_protocol::exchange::{ExchangeResponse, MARKER_HEADER};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use ureq::http::{HeaderMap, Response};

const GATEWAY: &str = "the-gateway-token";
const ADMIN: &str = "the-admin-token-";
static COUNT: AtomicU64 = AtomicU64::new(1);

struct World {
    runtime: tokio::runtime::Runtime,
    agent: ureq::Agent,
    bound: Bound,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<tokio::task::JoinHandle<anyhow::Result<()>>>,
    dir: tempfile::TempDir,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }

    fn is_problem(&self, status: u16, code: &str, field: Option<&str>) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem: api::Problem = serde_json::from_str(&self.body).unwrap();
        assert_eq!((problem.status, problem.code.as_str(), problem.field.as_deref()), (status, code, field));
        assert!(!problem.detail.is_empty());
    }
}

/// Longer than it takes a busy machine to look at a lease that was just opened.
const LEASE_TTL_MS: u64 = 3_000;

fn config(data: &Path) -> ServeConfig {
    ServeConfig {
        database: crate::Database::Directory(data.to_owned()),
        where_none: crate::WhereNone::Begin,
        gateway_listen: ([127, 0, 0, 1], 0).into(),
        admin_listen: ([127, 0, 0, 1], 0).into(),
        gateway_tls: None,
        admin_tls: None,
        gateway_tokens: vec![Secret::new(GATEWAY)],
        admin_tokens: vec![Secret::new(ADMIN)],
        portal: None,
        portal_settings: crate::PortalSettings::default(),
        trusted_proxies: 0,
        otlp: None,
        webhook_allow_private: false,
        mail: None,
        single_sign_on: None,
        portal_sign_on: None,
        keep_trail: ServeConfig::KEEP_TRAIL,
        call_limits: crate::CallLimits::USUAL,
        lease_ttl: Duration::from_millis(LEASE_TTL_MS),
        lease_grace: Duration::from_millis(200),
    }
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (tell, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = runtime.spawn(serve_and_tell(config(dir.path()), tell, async {
            let _ = stopped.await;
        }));
        let bound = runtime.block_on(started).unwrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        Self { runtime, agent, bound, stop: Some(stop), serving: Some(serving), dir }
    }

    fn read(result: Result<Response<ureq::Body>, ureq::Error>) -> Answer {
        let mut response = result.unwrap();
        let body = response.body_mut().read_to_string().unwrap();
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    fn get(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.bound.admin);
        Self::read(self.agent.get(url).header("authorization", format!("Bearer {ADMIN}")).call())
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        let key = format!("fresh-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.post_raw(path, Some(&key), body.to_string().as_bytes())
    }

    fn post_raw(&self, path: &str, key: Option<&str>, body: &[u8]) -> Answer {
        let url = format!("http://{}{path}", self.bound.admin);
        let mut request = self.agent.post(url).header("authorization", format!("Bearer {ADMIN}"));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        Self::read(request.send(body))
    }

    fn exchange_raw(&self, token: &str, body: &[u8]) -> Answer {
        let url = format!("http://{}/gateway/v1/exchange", self.bound.gateway);
        Self::read(self.agent.post(url).header("authorization", format!("Bearer {token}")).send(body))
    }

    fn exchange(&self, entry: &Value) -> ExchangeResponse {
        let body = json!({"protocol": 2, "gateway": "gw", "seen": 0, "entries": [entry]});
        let answer = self.exchange_raw(GATEWAY, body.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// An account with a key and credits; gives the key.
    fn customer(&self, id: &str, amount: &str) -> Value {
        assert_eq!(self.post("/admin/v1/accounts", &json!({"id": id})).status, 201);
        assert_eq!(
            self.post(&format!("/admin/v1/accounts/{id}/grants"), &json!({"amount": amount})).status,
            201
        );
        self.post(&format!("/admin/v1/accounts/{id}/keys"), &json!({})).json()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            let ended = self.runtime.block_on(serving);
            if !std::thread::panicking() {
                ended.unwrap().unwrap();
            }
        }
    }
}

fn ask(key: &str, least: i64) -> Value {
    let amount = least * 1_000_000;
    json!({
        "payer": {"key": key},
        "lease": {"epoch": 1, "spent": 0, "returned": 0, "held": 0},
        "ask": {"least": amount, "need": amount, "want": amount},
    })
}

#[test]
fn a_key_obtains_a_lease_and_the_balance_shows_it() {
    let world = World::new();
    let key = world.customer("acme", "5");
    let secret = key["key"].as_str().unwrap();
    assert!(faregate_protocol::api_key::is_well_formed(secret.as_bytes()));
    assert!(secret.starts_with("fg_live_00") && key["id"].as_str().unwrap().starts_with("key_00"), "{key}");
    let answer = world.exchange(&ask(secret, 2));
    let entry = &answer.entries[0];
    assert_eq!(entry.facts.as_ref().unwrap().account, "acme");
    assert_eq!(entry.lease.unwrap().ttl_ms, LEASE_TTL_MS);
    let balance = world.get("/admin/v1/accounts/acme/balance").json();
    assert_eq!(balance["available"], "3");
    assert_eq!(balance["held"], "2");
    let leases: api::Leases = serde_json::from_str(&world.get("/admin/v1/leases").body).unwrap();
    assert_eq!((leases.leases[0].gateway.as_str(), leases.at_risk.to_string().as_str()), ("gw", "2"));
    assert!(world.get("/metrics").body.contains("faregate_at_risk_credits 2.0"));
    assert_eq!(world.get("/admin/v1/audit").json()["ok"], true);

    let start = Instant::now();
    while world.get("/admin/v1/accounts/acme/balance").json()["held"] != "0" {
        assert!(start.elapsed() < Duration::from_mins(1), "a silent gateway's lease comes back");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(world.get("/admin/v1/audit").json()["ok"], true);
    let keys = world.get("/admin/v1/accounts/acme/keys").body;
    assert!(!keys.contains(secret), "a key is shown once");
}

#[test]
fn suspended_accounts_and_revoked_keys_are_refused() {
    let world = World::new();
    let key = world.customer("acme", "5");
    let secret = key["key"].as_str().unwrap();
    assert_eq!(world.post("/admin/v1/accounts/acme/suspend", &json!({})).json()["state"], "suspended");
    let refused = world.exchange(&ask(secret, 1)).entries[0].refused.clone().unwrap();
    assert_eq!(refused.code.as_str(), "account_suspended");
    assert_eq!(world.post("/admin/v1/accounts/acme/resume", &json!({})).json()["state"], "active");
    let id = key["id"].as_str().unwrap();
    assert_eq!(world.post(&format!("/admin/v1/keys/{id}/revoke"), &json!({})).json()["state"], "revoked");
    let refused = world.exchange(&ask(secret, 1)).entries[0].refused.clone().unwrap();
    assert_eq!(refused.code.as_str(), "invalid_key");
    assert_eq!(world.post("/admin/v1/accounts/acme/close", &json!({})).json()["state"], "closed");
    world.post("/admin/v1/accounts/acme/resume", &json!({})).is_problem(409, "account_closed", None);
    world.post("/admin/v1/accounts/acme/grants", &json!({"amount": "1"})).is_problem(
        409,
        "account_closed",
        None,
    );
}

#[test]
fn invalid_amounts_are_rejected_naming_the_field() {
    let world = World::new();
    world.customer("acme", "5");
    let path = "/admin/v1/accounts/acme/grants";
    for amount in [
        json!("-1"),
        json!("1e9"),
        json!("0.0000001"),
        json!("9223372036854775807"),
        json!("0"),
        json!(5),
        json!(0.5),
        json!(null),
    ] {
        world.post(path, &json!({"amount": amount})).is_problem(400, "invalid_request", Some("amount"));
    }
    world.post(path, &json!({})).is_problem(400, "invalid_request", Some("amount"));
    let grant = |more: Value| {
        let mut body = json!({"amount": "1"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.post(path, &body)
    };
    grant(json!({"priority": 1001})).is_problem(400, "invalid_request", Some("priority"));
    grant(json!({"tip": 1})).is_problem(400, "invalid_request", Some("tip"));
    grant(json!({"expires_at": "soon"})).is_problem(400, "invalid_request", Some("expires_at"));
    grant(json!({"expires_at": "2001-01-01T00:00:00Z"})).is_problem(
        400,
        "invalid_request",
        Some("expires_at"),
    );
    grant(json!({"note": "x".repeat(201)})).is_problem(400, "invalid_request", Some("note"));
    assert_eq!(world.get("/admin/v1/accounts/acme/balance").json()["granted"], "5", "nothing was booked");
}

#[test]
fn a_repeated_request_replays_the_first_response() {
    let world = World::new();
    let body = br#"{"name": "Acme"}"#;
    let first = world.post_raw("/admin/v1/accounts", Some("k-1"), body);
    let again = world.post_raw("/admin/v1/accounts", Some("k-1"), body);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(again.headers[api::REPLAYED_HEADER], "true");
    assert!(first.headers.get(api::REPLAYED_HEADER).is_none());
    let other = world.post_raw("/admin/v1/accounts", Some("k-1"), b"{}");
    other.is_problem(409, "idempotency_key_reused", None);
    for key in [None, Some(""), Some("with blank"), Some("x".repeat(256).as_str())] {
        let answer = world.post_raw("/admin/v1/accounts", key, b"{}");
        answer.is_problem(400, "missing_idempotency_key", None);
    }
    let path = format!("/admin/v1/accounts/{}/keys", first.json()["id"].as_str().unwrap());
    let key = world.post_raw(&path, Some("k-2"), b"{}");
    let again = world.post_raw(&path, Some("k-2"), b"{}");
    again.is_problem(409, "key_already_shown", None);
    assert!(again.body.contains(key.json()["id"].as_str().unwrap()), "{}", again.body);
}

#[test]
fn a_request_without_the_token_is_refused() {
    let world = World::new();
    for token in ["", "wrong", GATEWAY] {
        let url = format!("http://{}/admin/v1/accounts", world.bound.admin);
        let answer =
            World::read(world.agent.get(url).header("authorization", format!("Bearer {token}")).call());
        answer.is_problem(401, "unauthorized", None);
    }
    let answer = world.exchange_raw(ADMIN, b"{}");
    assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some("unauthorized")));
    assert_eq!(answer.headers[MARKER_HEADER], "3");
}

#[test]
fn malformed_requests_get_clear_errors() {
    let world = World::new();
    world.get("/admin/v1/nothing").is_problem(404, "not_found", None);
    world.get("/admin/v1/accounts/ghost").is_problem(404, "not_found", None);
    world.get("/admin/v1/recall").is_problem(405, "method_not_allowed", None);
    world.get("/admin/v1/accounts?limit=0").is_problem(400, "invalid_request", Some("limit"));
    world.get("/admin/v1/accounts?limit=x").is_problem(400, "invalid_request", Some("limit"));
    world.get("/admin/v1/accounts?limit=1&limit=2").is_problem(400, "invalid_request", Some("limit"));
    world.get("/admin/v1/accounts?limits=1").is_problem(400, "invalid_request", Some("limits"));
    world.get("/admin/v1/accounts/acme/usage?since=soon").is_problem(400, "invalid_request", Some("since"));
    world.get("/admin/v1/shadow?since=soon").is_problem(400, "invalid_request", Some("since"));
    world.get("/admin/v1/shadow?account=ghost").is_problem(404, "not_found", None);
    world.get("/admin/v1/accounts/%ff").is_problem(400, "invalid_request", Some("id"));
    let endless = world.get(&format!("/admin/v1/accounts/{}", "x".repeat(20_000)));
    endless.is_problem(404, "not_found", None);
    assert!(endless.body.len() < 1_000, "{} bytes", endless.body.len());
    world.post("/admin/v1/accounts", &json!({"id": "Not Plain"})).is_problem(
        400,
        "invalid_request",
        Some("id"),
    );
    world.post_raw("/admin/v1/accounts", Some("k"), b"{").is_problem(400, "invalid_request", None);
    world.post_raw("/admin/v1/accounts", Some("k"), &vec![b' '; 65 * 1024]).is_problem(
        413,
        "too_large",
        None,
    );
    assert_eq!(world.post("/admin/v1/accounts", &json!({"id": "acme"})).status, 201);
    world.post("/admin/v1/accounts", &json!({"id": "acme"})).is_problem(409, "account_exists", None);

    let refused = |body: &[u8]| {
        let answer = world.exchange_raw(GATEWAY, body);
        assert_eq!(answer.headers[MARKER_HEADER], "3");
        let error = answer.json();
        (
            answer.status,
            error["code"].as_str().unwrap().to_owned(),
            error["detail"].as_str().unwrap().to_owned(),
        )
    };
    let (status, code, detail) = refused(br#"{"protocol": 4, "gateway": "g", "entries": {}}"#);
    assert_eq!((status, code.as_str()), (400, "unsupported_protocol"), "{detail}");
    let entry = ask("k", 1).to_string();
    let (sold, watched) = (
        r#"{"payer":"key_1","rule":"r","requests":1,"credits":1,"refunds":0}"#,
        r#"{"rule":"r","code":"missing_key","requests":1}"#,
    );
    let usage = |sold: &[&str], watched: &[&str]| {
        let (sold, watched) = (sold.join(","), watched.join(","));
        let report = format!(r#"{{"broker":"b","seq":1,"lines":[{sold}],"shadow":[{watched}]}}"#);
        format!(r#"{{"protocol":2,"gateway":"g","usage":{report}}}"#).into_bytes()
    };
    for (body, named) in [
        (b"{".to_vec(), ""),
        (br#"{"protocol": 2}"#.to_vec(), "gateway"),
        (br#"{"protocol": 2, "gateway": ""}"#.to_vec(), "gateway"),
        (
            br#"{"protocol": 2, "gateway": "g", "entries": [{"payer": {"id": "k"}, "tip": 1}]}"#.to_vec(),
            "entries[0].tip",
        ),
        (
            usage(&[r#"{"payer":"k","rule":"r","requests":1,"credits":1,"refunds":0,"tip":1}"#], &[]),
            "usage.lines[0].tip",
        ),
        (
            format!(
                r#"{{"protocol":2,"gateway":"g","entries":[{}]}}"#,
                entry.replace(r#""spent":0"#, r#""spent":-1"#)
            )
            .into_bytes(),
            "entries[0].lease.spent",
        ),
        (
            format!(
                r#"{{"protocol":2,"gateway":"g","entries":[{}]}}"#,
                vec![entry.as_str(); 1_001].join(",")
            )
            .into_bytes(),
            "entries",
        ),
        (
            usage(&[], &[r#"{"payer":"","rule":"r","code":"rate_limited","requests":1}"#]),
            "usage.shadow[0].payer",
        ),
        (usage(&[], &[r#"{"rule":"","code":"rate_limited","requests":1}"#]), "usage.shadow[0].rule"),
        (
            usage(&[], &[r#"{"rule":"r","code":"rate_limited","requests":1000000001}"#]),
            "usage.shadow[0].requests",
        ),
        (usage(&[sold; 500], &[watched; 501]), "usage.lines, usage.shadow and usage.refused"),
        (usage(&[sold; 1_001], &[]), "usage.lines"),
    ] {
        let (status, code, detail) = refused(&body);
        assert_eq!((status, code.as_str()), (400, "invalid_request"), "{detail}");
        assert!(detail.starts_with(named), "{detail}");
    }
    assert_eq!(refused(&vec![b' '; (1 << 20) + 1]).0, 413);
    let url = format!("http://{}/elsewhere", world.bound.gateway);
    let lost = World::read(world.agent.get(url).call());
    assert_eq!((lost.status, lost.headers[MARKER_HEADER].to_str().unwrap()), (404, "3"));
}

#[test]
fn a_gateway_may_ask_for_prices_alone() {
    let world = World::new();
    let ask = |models: &Value| {
        let message = json!({"protocol": 2, "gateway": "gw", "entries": [], "models": models});
        world.exchange_raw(GATEWAY, message.to_string().as_bytes())
    };
    let answer = ask(&json!(["gpt-5", "o9"]));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!((&answer["entries"], &answer["models"]), (&json!([]), &json!([{}, {}])));
    for (models, named) in [
        (json!([""]), "models[0]"),
        (json!(["m", "m".repeat(129)]), "models[1]"),
        (json!(vec!["m"; 33]), "33 are too many"),
    ] {
        let refused = ask(&models);
        assert!(refused.status == 400 && refused.body.contains(named), "{}", refused.body);
    }
}

#[test]
fn gateways_are_answered_in_their_version_and_unknown_fields_are_ignored() {
    let world = World::new();
    let key = world.customer("acme", "5");
    let entry = ask(key["key"].as_str().unwrap(), 2);
    for version in [2, 3] {
        let mut message = json!({"protocol": version, "gateway": "gw", "seen": 0, "entries": [entry]});
        let plain = world.exchange_raw(GATEWAY, message.to_string().as_bytes());
        message["tips"] = json!([1]);
        message["usage"] = json!({"broker": "b", "seq": version, "lines": [], "shadow": [
            {"rule": "r", "code": "wrong_planet", "requests": 1}, {"rule": "r", "code": "missing_key", "requests": 2, "tip": 1}
        ]});
        let answer = world.exchange_raw(GATEWAY, message.to_string().as_bytes());
        assert_eq!((plain.status, answer.status), (200, 200), "{} {}", plain.body, answer.body);
        assert_eq!(answer.headers[MARKER_HEADER], "3", "the newest that it speaks");
        let (plain, mut answer) = (plain.json(), answer.json());
        assert_eq!((&plain["protocol"], &answer["usage_seq"]), (&json!(version), &json!(version)));
        answer.as_object_mut().unwrap().remove("usage_seq");
        assert_eq!(plain, answer);
    }
    let watched = world.get("/admin/v1/shadow").json();
    assert!(
        watched.to_string().contains("missing_key") && !watched.to_string().contains("planet"),
        "{watched}"
    );
}

#[test]
fn an_unfinished_body_times_out_with_an_error() {
    use super::app::{REQUEST_TIMEOUT, in_time};
    use super::problem::Failure;
    use axum::{Router, body::Bytes, middleware::from_fn_with_state, routing::post};
    use std::io::{Read as _, Write as _};

    assert_eq!(REQUEST_TIMEOUT, Duration::from_secs(30));
    let little = Duration::from_millis(50);
    let router = Router::new()
        .route("/", post(async |_: Bytes| ""))
        .layer(from_fn_with_state(little, in_time::<Failure>));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = runtime.spawn(async move { axum::serve(listener, router).await });
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nendles").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains(r#""code":"too_slow""#), "{answer}");
    serving.abort();
}

#[test]
fn probes_and_scrapes_need_no_token() {
    let world = World::new();
    for (address, path) in [
        (world.bound.gateway, "/healthz"),
        (world.bound.gateway, "/readyz"),
        (world.bound.admin, "/healthz"),
        (world.bound.admin, "/readyz"),
        (world.bound.admin, "/metrics"),
    ] {
        assert_eq!(
            World::read(world.agent.get(format!("http://{address}{path}")).call()).status,
            200,
            "{path}"
        );
    }
    let hidden = World::read(world.agent.get(format!("http://{}/metrics", world.bound.gateway)).call());
    assert_eq!(hidden.status, 404);
}

#[test]
fn data_survives_a_restart() {
    let mut world = World::new();
    let key = world.customer("acme", "5");
    world.exchange(&ask(key["key"].as_str().unwrap(), 2));
    let second = world.runtime.block_on(crate::serve(config(world.dir.path()), async {}));
    assert!(second.unwrap_err().to_string().contains("another ledger is running"));
    drop(world.stop.take());
    world.runtime.block_on(world.serving.take().unwrap()).unwrap().unwrap();

    let (tell, started) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let data = config(world.dir.path());
    world.serving = Some(world.runtime.spawn(serve_and_tell(data, tell, async {
        let _ = stopped.await;
    })));
    world.stop = Some(stop);
    world.bound = world.runtime.block_on(started).unwrap();
    let balance = world.get("/admin/v1/accounts/acme/balance").json();
    assert_eq!((&balance["granted"], &balance["spent"]), (&json!("5"), &json!("0")));
    assert_eq!(world.get("/admin/v1/audit").json()["ok"], true);
}
