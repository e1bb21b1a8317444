//! The ledger's two APIs, in this process: the real routers on a real SQLite file. Whatever comes in, the answer
//! is the caller's fault or a success, short, and says where the fault is; and the books agree afterwards.

use crate::odd;
use crate::play::{Budget, Report, play};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use faregate_ledger::domain::reclaim::Watch;
use faregate_ledger::http::{Access, App, CachedProbes, admin_router, gateway_router};
use faregate_ledger::metrics::{ListenerName, Metrics};
use faregate_ledger::store::Store;
use faregate_ledger::{CallLimits, Database, Secret};
use faregate_protocol::calls;
use faregate_protocol::exchange::{MARKER_HEADER, PATH};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tower::ServiceExt;

const GATEWAY: &str = "a-gateway-token-for-fuzzing";
const ADMIN: &str = "an-admin-token-for-fuzzing";
/// The largest answer that tells of a fault, in bytes.
const FAULT: usize = 4_000;
/// The largest answer at all: a list of a thousand things.
const ANSWER: usize = 2 << 20;
/// After so many requests the books are audited.
const AUDIT_EVERY: u64 = 100;

struct Ledger {
    runtime: tokio::runtime::Runtime,
    gateway: Router,
    admin: Router,
    count: Cell<u64>,
    key: String,
    key_id: String,
    _dir: TempDir,
    _stop: tokio::sync::watch::Sender<bool>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Ledger {
    fn open() -> Self {
        let dir = TempDir::with_prefix("faregate-fuzz-").expect("a temporary folder");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let metrics = Arc::new(Metrics::default());
        let database = Database::Directory(dir.path().to_owned());
        let store = runtime.block_on(Store::open(&database, Arc::clone(&metrics))).expect("a store");
        let calls = store.call_log(CallLimits::USUAL);
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let writer = calls.clone();
        runtime.spawn(async move { writer.run(stopping).await });
        let access = |listener, token| Access::new(listener, vec![Secret::new(token)], &metrics);
        let app = Arc::new(App {
            store,
            gateway_access: access(ListenerName::Gateway, GATEWAY),
            admin_access: access(ListenerName::Admin, ADMIN),
            trusted_proxies: 1,
            metrics: Arc::clone(&metrics),
            ttl_ms: 20_000,
            watch: Arc::new(Mutex::new(Watch::new(Duration::from_secs(30)))),
            looks: CachedProbes::default(),
            calls,
            portal_url: None,
            mailer: None,
            single_sign_on: None,
            portal_sign_on: None,
            sender: faregate_ledger::outgoing::Sender::new(false).expect("it speaks TLS"),
        });
        let (gateway, admin) = (gateway_router(Arc::clone(&app)), admin_router(app));
        let mut ledger = Self {
            runtime,
            gateway,
            admin,
            count: Cell::new(0),
            key: String::new(),
            key_id: String::new(),
            _dir: dir,
            _stop: stop,
        };
        ledger.post("/admin/v1/accounts", &json!({"id": "acme"}));
        ledger.post("/admin/v1/accounts/acme/grants", &json!({"amount": "1000000"}));
        let key = ledger.post("/admin/v1/accounts/acme/keys", &json!({}));
        let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
        (ledger.key, ledger.key_id) = (text("key"), text("id"));
        ledger.post("/admin/v1/accounts/acme/keys", &json!({"subject": "somebody"}));
        ledger
    }

    fn number(&self) -> u64 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    fn ask(&self, router: &Router, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let response = router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
            let (head, body) = response.into_parts();
            let body = axum::body::to_bytes(body, ANSWER).await.expect("a body of bounded size");
            Answer { status: head.status.as_u16(), headers: head.headers, body: body.to_vec() }
        })
    }

    /// A request that must succeed.
    fn post(&self, path: &str, body: &Value) -> Value {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {ADMIN}"))
            .header("idempotency-key", format!("own-{}", self.number()))
            .body(Body::from(body.to_string()))
            .expect("a request");
        let answer = self.ask(&self.admin, request);
        assert!(answer.status < 300, "{}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// Every balance is what the entries say.
    fn audit(&self) -> Result<(), TestCaseError> {
        if !self.number().is_multiple_of(AUDIT_EVERY) {
            return Ok(());
        }
        let request = Request::get("/admin/v1/audit").header("authorization", format!("Bearer {ADMIN}"));
        let audit = self.ask(&self.admin, request.body(Body::empty()).expect("a request"));
        let audit: Value = serde_json::from_slice(&audit.body).unwrap_or_default();
        prop_assert_eq!(&audit["ok"], &Value::Bool(true), "{}", audit);
        Ok(())
    }
}

/// A gateway's messages.
pub fn exchange(budget: Budget, seed: u64) -> Report {
    let ledger = Ledger::open();
    let entry = |payer: Value| {
        json!({
            "payer": payer, "ended": {"epoch": 1, "spent": 1_000_000}, "on_credit": 2_000_000,
            "lease": {"epoch": 2, "spent": 0, "returned": 0, "held": 0},
            "ask": {"least": 1_000_000, "need": 2_000_000, "want": 20_000_000}
        })
    };
    let good = json!({
        "protocol": 2, "gateway": "gw", "seen": 0,
        "entries": [
            entry(json!({"key": ledger.key})),
            entry(json!({"subject": "somebody"})),
            {"payer": {"id": ledger.key_id}, "lease": {"epoch": 3, "spent": 1_000_000, "returned": 1_000_000, "held": 5}}
        ],
        "usage": {"broker": "b", "seq": 1, "lines": [
            {"payer": ledger.key_id, "rule": "default", "requests": 3, "credits": 3_000_000, "refunds": 1}
        ], "shadow": [
            {"payer": ledger.key_id, "rule": "beta", "code": "insufficient_funds", "requests": 2},
            {"rule": "beta", "code": "missing_key", "requests": 1}
        ]}
    });
    let bodies =
        odd::mutated_bytes(odd::mutated_json(good).prop_map(|document| document.to_string().into_bytes()));
    let bodies = prop_oneof![8 => bodies, 1 => odd::bytes(300), 1 => Just(vec![b'['; 200_000])];
    let tokens = prop_oneof![12 => Just(GATEWAY.to_owned()), 1 => Just(ADMIN.to_owned()), 1 => odd::text()];
    messages(&ledger, PATH, [200, 400, 401, 413], budget, seed, (bodies, tokens))
}

/// A gateway's records of requests.
pub fn calls(budget: Budget, seed: u64) -> Report {
    let ledger = Ledger::open();
    let good = json!({
        "protocol": 1, "gateway": "gw", "sender": "w", "number": 1, "now_ms": 9_000, "lost": 2,
        "calls": [
            {"at_ms": 8_000, "duration_ms": 5, "account": "acme", "key": ledger.key_id, "rule": "default",
             "item": "gpt-5", "decision": "admitted", "charge": 5, "hold": 9, "basis": "reported",
             "used": {"input": 7, "output": 9}, "status": 200, "request_id": "6b2b7c4e"},
            {"at_ms": 8_500, "duration_ms": 0, "rule": "default", "decision": "refused", "code": "missing_key", "status": 401}
        ]
    });
    let bodies =
        odd::mutated_bytes(odd::mutated_json(good).prop_map(|document| document.to_string().into_bytes()));
    let bodies = prop_oneof![8 => bodies, 1 => odd::bytes(300), 1 => Just(vec![b'['; 300_000])];
    let tokens = prop_oneof![12 => Just(GATEWAY.to_owned()), 1 => odd::text()];
    messages(&ledger, calls::PATH, [204, 400, 401, 413], budget, seed, (bodies, tokens))
}

/// Messages to the gateway API; the first of the statuses is a success.
fn messages(
    ledger: &Ledger,
    path: &str,
    statuses: [u16; 4],
    budget: Budget,
    seed: u64,
    messages: (impl Strategy<Value = Vec<u8>>, impl Strategy<Value = String>),
) -> Report {
    play(budget, seed, &messages, |(body, token)| {
        let request = Request::post(path).header("authorization", format!("Bearer {token}"));
        let Ok(request) = request.body(Body::from(body)) else { return Ok(()) };
        let answer = ledger.ask(&ledger.gateway, request);
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        prop_assert!(statuses.contains(&answer.status), "{}: {said}", answer.status);
        prop_assert!(answer.headers.contains_key(MARKER_HEADER));
        if answer.status != statuses[0] {
            let text = |name: &str| said[name].as_str().unwrap_or_default().len();
            prop_assert!(text("code") > 0 && text("detail") > 0, "{said}");
            prop_assert!(
                answer.body.len() <= FAULT,
                "{} bytes about a fault: {:.300}",
                answer.body.len(),
                said.to_string()
            );
            prop_assert!(token == GATEWAY || answer.status == 401);
        } else {
            prop_assert_eq!(token, GATEWAY);
        }
        ledger.audit()
    })
}

#[derive(Clone, Debug)]
struct AdminCall {
    method: &'static str,
    path: String,
    query: Option<String>,
    token: String,
    idempotency: Option<Vec<u8>>,
    body: Vec<u8>,
}

fn call(ledger: &Ledger) -> impl Strategy<Value = AdminCall> {
    let id = prop_oneof![
        6 => Just("acme".to_owned()),
        3 => Just(ledger.key_id.clone()),
        1 => odd::text(),
        1 => select(&["%ff", "%00", "%2F", "a%20b", ".", ".."][..]).prop_map(str::to_owned),
    ];
    let route = select(
        &[
            "/admin/v1/accounts",
            "/admin/v1/accounts/{}",
            "/admin/v1/accounts/{}/suspend",
            "/admin/v1/accounts/{}/resume",
            "/admin/v1/accounts/{}/balance",
            "/admin/v1/accounts/{}/usage",
            "/admin/v1/accounts/{}/keys",
            "/admin/v1/accounts/{}/grants",
            "/admin/v1/accounts/{}/adjust",
            "/admin/v1/accounts/{}/corrections",
            "/admin/v1/grants/{}",
            "/admin/v1/grants/{}/void",
            "/admin/v1/grants/{}/change",
            "/admin/v1/keys",
            "/admin/v1/keys/{}",
            "/admin/v1/keys/{}/rotate",
            "/admin/v1/keys/{}/revoke",
            "/admin/v1/shadow",
            "/admin/v1/leases",
            "/admin/v1/recall",
            "/admin/v1/operators",
            "/admin/v1/operators/{}/tokens",
            "/admin/v1/operators/{}/revoke",
            "/admin/v1/gateway-tokens",
            "/admin/v1/trail",
            "/admin/v1/{}",
            "/admin/v1/accounts/{}/{}",
            "/{}",
        ][..],
    );
    let path = (route, id).prop_map(|(route, id)| route.replace("{}", &id));
    let times = &[
        "2026-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "-009999-01-01T00:00:00Z",
        "soon",
        "0:0:x",
        "-1:-1:",
    ];
    let value = prop_oneof![
        select(times.as_slice()).prop_map(str::to_owned),
        odd::text(),
        odd::number().prop_map(|n| n.to_string())
    ];
    let name = prop_oneof![
        6 => select(&["limit", "after", "since", "until", "gateway", "name", "prefix", "expiring_before"][..]).prop_map(str::to_owned),
        1 => odd::text()
    ];
    let query = proptest::collection::vec((name, value), 1..3).prop_map(|pairs| {
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    });
    let document = prop_oneof![
        Just(json!({"id": "acme-2", "name": "Acme"})),
        Just(
            json!({"amount": "1.5", "priority": 5, "expires_at": "2099-12-31T00:00:00Z", "note": "n", "source": "s"})
        ),
        Just(json!({"note": "n", "expires_at": "2099-12-31T00:00:00Z", "subject": "somebody else"})),
        Just(json!({"amount": "-1.5", "missing": "owed", "note": "n"})),
        Just(json!({"amount": "1.5", "spent": "owed"})),
        Just(json!({"expires_at": null, "priority": 7, "note": null})),
        Just(json!({"overlap_seconds": 60, "expires_at": null})),
        Just(json!({"gateway": "gw"})),
        Just(json!({})),
    ];
    let mutated_json =
        document.prop_flat_map(odd::mutated_json).prop_map(|document| document.to_string().into_bytes());
    let body =
        prop_oneof![6 => odd::mutated_bytes(mutated_json), 1 => odd::bytes(100), 1 => Just(Vec::new())];
    let token = prop_oneof![15 => Just(ADMIN.to_owned()), 1 => Just(GATEWAY.to_owned()), 1 => odd::text()];
    let idempotency = prop_oneof![6 => Just(Some(b"FRESH".to_vec())), 1 => of(select(&["a", "b"][..]).prop_map(Vec::from)), 1 => of(odd::bytes(300))];
    let method = select(&["GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "BREW"][..]);
    (method, path, of(query), token, idempotency, body).prop_map(
        |(method, path, query, token, idempotency, body)| AdminCall {
            method,
            path,
            query,
            token,
            idempotency,
            body,
        },
    )
}

/// The admin API.
pub fn admin(budget: Budget, seed: u64) -> Report {
    let ledger = Ledger::open();
    play(budget, seed, &call(&ledger), |call| {
        let uri = call.query.iter().fold(call.path.clone(), |path, query| format!("{path}?{query}"));
        let mut request = Request::builder()
            .method(call.method)
            .uri(uri)
            .header("authorization", format!("Bearer {}", call.token));
        if let Some(key) = call.idempotency {
            let key = if key == b"FRESH" { format!("fresh-{}", ledger.number()).into_bytes() } else { key };
            request = request.header("idempotency-key", key);
        }
        let Ok(request) = request.body(Body::from(call.body.clone())) else { return Ok(()) };
        let answer = ledger.ask(&ledger.admin, request);
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        prop_assert!(answer.status < 500, "{}: {said}", answer.status);
        let open = ["/healthz", "/readyz", "/metrics"].contains(&call.path.as_str());
        prop_assert!(answer.status >= 400 || open || call.token == ADMIN, "no token, and {}", answer.status);
        if answer.status >= 400 {
            let kind = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok());
            prop_assert_eq!(kind, Some("application/problem+json"), "{} {}", answer.status, said);
            prop_assert!(
                answer.body.len() <= FAULT,
                "{} bytes about a fault: {:.300}",
                answer.body.len(),
                said.to_string()
            );
            prop_assert_eq!(&said["status"], &json!(answer.status));
            prop_assert!(said["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
            // Of an object with a fault, and of every query string, one can say where the fault is.
            let is_object = serde_json::from_slice::<Value>(&call.body).is_ok_and(|body| body.is_object());
            if said["code"] == "invalid_request" && (call.method == "GET" || is_object) {
                prop_assert!(said["field"].is_string(), "no field: {said}");
            }
        }
        ledger.audit()
    })
}
