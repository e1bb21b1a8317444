//! Operators and fleets of gateways with tokens of their own, and the trail of what was done with them.

use crate::docs::openapi::{described, operations};
use harness::{
    ADMIN_TOKEN, Gateway, LedgerProcess, Postgres, Setup, World, binary, envoy_config, eventually, free_port,
    get, out_of,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// The scopes, the narrowest first.
const SCOPES: [&str; 4] = ["read", "support", "billing", "admin"];
/// Far more than the two seconds that it may take.
const SOON: Duration = Duration::from_secs(20);

async fn ledger() -> (LedgerProcess, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    (LedgerProcess::start(dir.path(), &[], &[]).await, dir)
}

/// A token as the ledger answers with it.
fn secret(answer: &Value) -> String {
    answer["token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
}

async fn operator(ledger: &LedgerProcess, name: &str, scope: &str) -> String {
    secret(&ledger.post("/admin/v1/operators", json!({"name": name, "scope": scope})).await)
}

async fn gateway_token(ledger: &LedgerProcess, name: &str) -> String {
    secret(&ledger.post("/admin/v1/gateway-tokens", json!({"name": name})).await)
}

/// A call of the admin API with this token.
async fn call_with(
    ledger: &LedgerProcess,
    token: &str,
    (method, path): (Method, &str),
    body: Option<Value>,
    forwarded: Option<&str>,
) -> (StatusCode, Value) {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let url = format!("http://127.0.0.1:{}{path}", ledger.admin_port);
    let mut request = reqwest::Client::new().request(method, url).bearer_auth(token);
    request = request.header("idempotency-key", format!("operator-{number}"));
    if let Some(forwarded) = forwarded {
        request = request.header("x-forwarded-for", forwarded);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.unwrap_or_default())
}

async fn get_with(ledger: &LedgerProcess, token: &str, path: &str) -> StatusCode {
    call_with(ledger, token, (Method::GET, path), None, None).await.0
}

/// Runs `faregate` with this operator's token.
fn run_as(ledger: &LedgerProcess, token: &str, arguments: &[&str]) -> (bool, String) {
    let url = format!("http://127.0.0.1:{}", ledger.admin_port);
    let environment = [("FAREGATE_ADMIN_URL", url.as_str()), ("FAREGATE_ADMIN_TOKEN", token)];
    out_of(Command::new(binary()).args(arguments).envs(environment))
}

/// What a gateway of this name says with this token.
async fn exchange_with(ledger: &LedgerProcess, token: &str, gateway: &str) -> (StatusCode, Value) {
    let url = format!("http://127.0.0.1:{}/gateway/v1/exchange", ledger.gateway_port);
    let message = json!({"protocol": 2, "gateway": gateway, "entries": []});
    let answer = reqwest::Client::new().post(url).bearer_auth(token).json(&message).send().await;
    let answer = answer.expect("an answer");
    (answer.status(), answer.json().await.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_do_exactly_what_the_description_says_of_its_scope() {
    let (ledger, _dir) = ledger().await;
    let described = described();
    for (width, scope) in SCOPES.iter().enumerate() {
        let token = operator(&ledger, &format!("of-{scope}"), scope).await;
        for (method, path) in operations() {
            let operation = &described["paths"][&path][method.to_lowercase()];
            let needs = &operation["security"][0]["admin_token"][0];
            let Some(needs) = SCOPES.iter().position(|scope| needs == scope) else {
                assert!(path.ends_with("openapi.json"), "{method} {path} names no scope");
                continue;
            };
            // Whatever is sent is wrong, so nothing is done that another call would miss.
            let place = path.replace("{id}", "missing");
            let method: Method = method.parse().expect("a method");
            let wrong = (method != Method::GET).then(|| json!({"wrong": true}));
            let (status, answer) = call_with(&ledger, &token, (method.clone(), &place), wrong, None).await;
            let refused = status == StatusCode::FORBIDDEN;
            assert_eq!(refused, width < needs, "{scope}: {method} {path}: {status} {answer}");
            assert!(!refused || answer["code"] == "forbidden", "{answer}");
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{scope}: {method} {path}");
        }
    }
    assert!(ledger.metric("faregate_auth_failures_total").await > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_rotates_and_revokes_tokens_on_the_command_line() {
    let (ledger, dir) = ledger().await;
    let (made, said) = run_as(
        &ledger,
        ADMIN_TOKEN,
        &["--json", "operator", "create", "alice", "--scope", "support", "--expires", "90d"],
    );
    assert!(made, "{said}");
    let first: Value = serde_json::from_str(&said).expect("JSON");
    let (token, id) = (secret(&first), first["id"].as_str().expect("an identifier"));
    assert!(token.starts_with("fg_operator_"), "{first}");
    ledger.account("acme", "5").await;

    let (done, said) = run_as(&ledger, &token, &["account", "suspend", "acme"]);
    assert!(done && said.contains("suspended"), "{said}");
    let (done, said) = run_as(&ledger, &token, &["grant", "acme", "5"]);
    assert!(!done && said.contains("billing") && said.contains("support"), "{said}");
    let (done, said) = run_as(&ledger, &token, &["operator", "list"]);
    assert!(!done && said.contains("admin"), "no token makes others: {said}");

    let said = ledger.run(&["--json", "operator", "token", "alice"]);
    let second = secret(&serde_json::from_str(&said).expect("JSON"));
    let listed = ledger.run(&["operator", "list"]);
    assert!(listed.contains("LAST USED AT") && listed.matches("alice").count() == 2, "{listed}");
    assert!(!listed.contains(&token) && !listed.contains(&second), "a token is shown once");
    ledger.run(&["operator", "revoke", "alice", "--token", id]);
    let (done, said) = run_as(&ledger, &token, &["balance", "acme"]);
    assert!(!done && said.contains("revoked"), "{said}");
    assert!(run_as(&ledger, &second, &["balance", "acme"]).0);
    ledger.run(&["operator", "revoke", "alice"]);
    assert!(!run_as(&ledger, &second, &["balance", "acme"]).0);

    // Of a token only the hash is kept, and nothing of it is logged.
    for file in ["ledger/ledger.db", "ledger/ledger.db-wal", "ledger.log"] {
        let bytes = std::fs::read(dir.path().join(file)).unwrap_or_default();
        let hidden = token.as_bytes().get(18..).expect("a long token");
        assert!(!bytes.windows(hidden.len()).any(|window| window == hidden), "{file}");
    }
    for name in ["root", "al ice", "al\u{1b}[2Jice", "al\u{202e}ice"] {
        let (done, said) = ledger.try_run(&["operator", "create", name, "--scope", "read"]);
        assert!(!done && !said.contains('\u{1b}') && !said.contains('\u{202e}'), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_environment_is_rotated_without_an_outage() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let old = [
        ("FAREGATE_ADMIN_TOKEN_PREVIOUS".to_owned(), "the-admin-token-before".to_owned()),
        ("FAREGATE_GATEWAY_TOKEN_PREVIOUS".to_owned(), "the-gateway-token-before".to_owned()),
    ];
    let ledger = LedgerProcess::start(dir.path(), &[], &old).await;
    for (token, status) in
        [(ADMIN_TOKEN, 200), ("the-admin-token-before", 200), ("the-gateway-token-before", 401)]
    {
        assert_eq!(get_with(&ledger, token, "/admin/v1/accounts").await, status, "{token}");
    }
    for (token, status) in
        [(harness::GATEWAY_TOKEN, 200), ("the-gateway-token-before", 200), ("the-admin-token-before", 401)]
    {
        assert_eq!(exchange_with(&ledger, token, "gw").await.0, status, "{token}");
    }
    drop(ledger);
    let same = [("FAREGATE_GATEWAY_TOKEN_PREVIOUS".to_owned(), ADMIN_TOKEN.to_owned())];
    let why = LedgerProcess::try_start(dir.path(), &[], &same).await.err().expect("it refuses");
    assert!(why.contains("FAREGATE_GATEWAY_TOKEN_PREVIOUS and FAREGATE_ADMIN_TOKEN are the same"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_token_can_report_in_the_name_of_a_fleets_envoy() {
    let world = World::start(Setup::default()).await;
    let key = world.ledger.account("acme", "50").await;
    let token = gateway_token(&world.ledger, "eu-west").await;
    let ports = (free_port(), free_port());
    let ledger = json!({"cluster": "ledger", "authority": "ledger.test", "token": {"value": token}});
    let filter = Setup { config: json!({"ledger": ledger}), ..Setup::default() }.filter_config();
    let behind = ([world.ledger.gateway_port], world.upstream.port);
    let config = envoy_config(world.dir(), "eu-west", ports, (&behind.0, behind.1), &filter);
    let envoy = Gateway::start(world.dir(), "eu-west", &config, ports, &[]).await;
    let mut name = String::new();
    for _ in 0..20 {
        assert_eq!(get(&envoy, "/", &[("x-api-key", &key)]).await.status, 200);
        // A lease that is idle for long is returned.
        let leases = world.ledger.get("/admin/v1/leases").await;
        if let Some(found) = leases["leases"][0]["gateway"].as_str() {
            name = found.to_owned();
            break;
        }
    }
    let thief = gateway_token(&world.ledger, "us-east").await;
    for stolen in [harness::GATEWAY_TOKEN, &thief] {
        let (status, answer) = exchange_with(&world.ledger, stolen, &name).await;
        assert_eq!((status.as_u16(), &answer["code"]), (403, &"forbidden".into()), "{name}: {answer}");
        assert!(answer["detail"].as_str().is_some_and(|text| text.contains("restart Envoy")), "{answer}");
    }
    assert!(world.ledger.metric("faregate_auth_failures_total").await >= 2.0);

    // A second token of the name is as good, and when the first is revoked nothing more is sold with it.
    let second = gateway_token(&world.ledger, "eu-west").await;
    assert_eq!(exchange_with(&world.ledger, &second, &name).await.0, 200);
    world.ledger.run(&["gateway-token", "revoke", "eu-west"]);
    assert_eq!(exchange_with(&world.ledger, &token, &name).await.0, 401);
    assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 200, "the others go on");
    drop(envoy);
    world.ledger.nothing_is_held().await;
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_of_a_batch_needs_its_own_scope() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "5").await;
    let (read, billing) =
        (operator(&ledger, "rita", "read").await, operator(&ledger, "bill", "billing").await);
    let batch = json!({"requests": [
        {"method": "GET", "path": "/admin/v1/accounts/acme/keys"},
        {"method": "POST", "path": "/admin/v1/accounts/acme/grants", "body": {"amount": "1"}},
        {"method": "POST", "path": "/admin/v1/plans", "body": {"name": "pro", "quota": "1", "period": "day"}},
    ]});
    for (token, expected) in [(&read, [200, 403, 403]), (&billing, [200, 201, 403])] {
        let path = (Method::POST, "/admin/v1/batch");
        let (status, answer) = call_with(&ledger, token, path, Some(batch.clone()), None).await;
        assert_eq!(status, 200, "{answer}");
        let statuses: Vec<_> = (0..3).map(|at| answer["answers"][at]["status"].clone()).collect();
        assert_eq!(statuses, expected, "{answer}");
    }
    let trail = ledger.get("/admin/v1/trail?operator=bill&limit=1").await;
    assert_eq!(trail["entries"][0]["command"], "give_grant", "by its own name: {trail}");
    let (done, said) = run_as(&ledger, &read, &["export"]);
    assert!(done && said.contains("[[accounts]]"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_shows_who_did_what_from_where_and_what_was_there_before() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &["--admin-trusted-proxies", "1"], &[]).await;
    let key = ledger.account("acme", "12").await;
    let token = operator(&ledger, "alice", "billing").await;
    let suspend = (Method::POST, "/admin/v1/accounts/acme/suspend");
    let proxied = Some("6.6.6.6, 192.0.2.7");
    let (status, answer) = call_with(&ledger, &token, suspend.clone(), None, proxied).await;
    assert_eq!(status, 200, "{answer}");
    let evil = json!({"amount": "3", "note": "\u{1b}[31mred\u{202e}"});
    let grant = (Method::POST, "/admin/v1/accounts/acme/grants");
    assert_eq!(call_with(&ledger, &token, grant, Some(evil), None).await.0, 201);
    assert_eq!(
        call_with(&ledger, &token, (Method::POST, "/admin/v1/plans"), Some(json!({})), None).await.0,
        403
    );

    let resume = json!({"method": "POST", "path": "/admin/v1/accounts/acme/resume"});
    let batch = (Method::POST, "/admin/v1/batch");
    let (status, answer) =
        call_with(&ledger, ADMIN_TOKEN, batch, Some(json!({"requests": [resume]})), Some("192.0.2.8")).await;
    assert_eq!((status.as_u16(), &answer["answers"][0]["status"]), (200, &json!(200)), "{answer}");
    let trail = ledger.get("/admin/v1/trail?operator=root&account=acme&limit=1").await;
    assert_eq!(trail["entries"][0]["from"], "192.0.2.8", "of a batch as well: {trail}");

    let trail = ledger.get("/admin/v1/trail?operator=alice&account=acme&limit=1").await;
    assert_eq!(trail["entries"][0]["command"], "give_grant", "{trail}");
    assert_eq!(trail["entries"][0]["from"], "127.0.0.1", "{trail}");
    assert_eq!(trail["entries"][0]["before"]["accounts"][0]["available"], "12", "{trail}");
    let after = trail["next"].as_str().expect("there is more");
    let trail = ledger.get(&format!("/admin/v1/trail?operator=alice&after={after}")).await;
    let entries = trail["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 1, "what was refused isn't in it: {trail}");
    let entry = &entries[0];
    assert_eq!((&entry["command"], &entry["from"]), (&"suspend_account".into(), &"192.0.2.7".into()));
    assert_eq!(entry["before"]["accounts"][0]["state"], "active", "{entry}");
    assert_eq!(entry["after"]["state"], "suspended", "{entry}");

    let shown = ledger.run(&["trail", "--account", "acme", "--since", "1h"]);
    assert!(shown.contains("alice") && shown.contains("root") && shown.contains("192.0.2.7"), "{shown}");
    let title = ledger.run(&["--zone", "Europe/Berlin", "trail", "--account", "acme"]);
    let title = title.lines().next().expect("titles");
    assert!(title.contains("AT (Europe/Berlin)") && !title.contains("FROM ("), "{title}");
    let full = ledger.run(&["trail", "--operator", "alice", "--full"]);
    assert!(full.contains("red") && !full.contains('\u{1b}'), "{full:?}");
    let all = ledger.get("/admin/v1/trail").await.to_string();
    let secrets = [token.as_str(), key.as_str(), ADMIN_TOKEN];
    assert!(secrets.iter().all(|secret| !all.contains(secret)), "no secret enters the trail");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_tokens_are_counted_and_cannot_fill_the_log() {
    let (ledger, dir) = ledger().await;
    let expired = json!({"name": "late", "scope": "read", "expires_at": "2099-01-01T00:00:00Z"});
    ledger.post("/admin/v1/operators", expired).await;
    for number in 0..60 {
        let wrong = format!("fg_operator_wrong-{number}");
        assert_eq!(get_with(&ledger, &wrong, "/admin/v1/accounts").await, 401);
        assert_eq!(exchange_with(&ledger, &wrong, "gw").await.0, 401);
    }
    assert!(ledger.metric("faregate_auth_failures_total").await >= 120.0);
    let log = std::fs::read_to_string(dir.path().join("ledger.log")).expect("a log");
    let lines = log.lines().filter(|line| line.contains("its token doesn't let it in")).count();
    // One per second and listener.
    assert!((2..60).contains(&lines), "{lines} lines: {log}");
    assert!(log.contains("127.0.0.1") && !log.contains("wrong-"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_ledger_counts_on_the_others_of_its_database() {
    let Some(server) = Postgres::start().await else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let environment = server.environment();
    let one = LedgerProcess::start(dir.path(), &[], &environment).await;
    let other = tempfile::tempdir().expect("a temporary folder");
    let two = LedgerProcess::start(other.path(), &[], &environment).await;
    let token = operator(&one, "alice", "read").await;
    let fleet = gateway_token(&one, "eu-west").await;
    let there = async || get_with(&two, &token, "/admin/v1/accounts").await == 200;
    eventually("the operator's token counts", SOON, there).await;
    let there = async || exchange_with(&two, &fleet, "gw-1").await.0 == 200;
    eventually("the fleet's token counts", SOON, there).await;
    assert_eq!(exchange_with(&one, harness::GATEWAY_TOKEN, "gw-1").await.0, 403, "it is tied on both");
    one.post("/admin/v1/operators/alice/revoke", json!({})).await;
    assert_eq!(get_with(&one, &token, "/admin/v1/accounts").await, 401, "at once where it was revoked");
    let gone = async || get_with(&two, &token, "/admin/v1/accounts").await == 401;
    eventually("it is revoked everywhere", SOON, gone).await;
    let trail = two.get("/admin/v1/trail").await;
    assert_eq!(trail["entries"][0]["command"], "revoke_operator", "{trail}");
    one.audit().await;
}
