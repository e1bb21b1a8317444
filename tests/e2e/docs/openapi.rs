//! The description of the admin API, `docs/openapi.json`, is true: each operation is carried out, and what is sent and answered fits
//! what it says.

use super::page;
use harness::LedgerProcess;
use jsonschema::Draft;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The description.
pub fn described() -> Value {
    serde_json::from_str(&page("docs/openapi.json")).expect("JSON")
}

/// Every operation below `/admin/`, by method and path.
pub fn operations() -> BTreeSet<(String, String)> {
    let described = described();
    let mut found = BTreeSet::new();
    for (path, methods) in described["paths"].as_object().expect("paths") {
        let methods = methods.as_object().expect("methods").keys().filter(|_| path.starts_with("/admin/"));
        found.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    found
}

/// Every operation in an order in which it can be carried out, with what is sent and the status that comes of it.
fn life(
    key: &str,
    idle: &str,
    grant: &str,
    (webhook, mail): (&str, &str),
) -> Vec<(Method, String, Option<Value>, u16)> {
    let get = |path: &str, status| (Method::GET, format!("/admin/v1/{path}"), None, status);
    let post = |path: &str, body, status| (Method::POST, format!("/admin/v1/{path}"), Some(body), status);
    let plan = json!({"name": "pro", "quota": "100", "period": "month", "every": 1, "anchor": "calendar", "time_zone": "Europe/Berlin",
        "rollover": "5", "overage": "overdraft", "overdraft": "0.5", "rate_per_second": "2.5", "burst": 5, "concurrent": 2,
        "products": [{"name": "chat"}, {"name": "img", "price": "4"}], "remainder": "operator", "warn_below": "1", "alert_below": "2"});
    vec![
        post("accounts", json!({"id": "two", "name": "Two"}), 201),
        post("accounts", json!({"id": "two"}), 409),
        post("accounts", json!({"nmae": "Two"}), 400),
        get("accounts?limit=1", 200),
        get("accounts?limit=0", 400),
        get("accounts?name=TWO&state=active&balance_below=1&limit=5", 200),
        get(
            "accounts?plan=pro&expiring_before=2099-01-01T00:00:00Z&renewing_before=2099-01-01T00:00:00Z",
            200,
        ),
        get("accounts?balance_below=-1", 400),
        get("accounts/two", 200),
        get("accounts/nobody", 404),
        post("accounts/two/suspend", json!({}), 200),
        post("accounts/two/resume", json!({}), 200),
        post("accounts/acme/teams", json!({"id": "lab", "name": "Lab"}), 201),
        get("accounts/acme/teams", 200),
        post(
            "accounts/acme/keys",
            json!({"team": "lab", "products": ["chat"], "note": "n", "expires_at": "2099-01-01T00:00:00Z"}),
            201,
        ),
        post("accounts/acme/keys", json!({"subject": "spiffe://a"}), 201),
        get("accounts/acme/keys", 200),
        get(&format!("keys/{key}"), 200),
        get("keys/none", 404),
        get("keys?prefix=fg_live_00&limit=2", 200),
        get("keys?prefix=00ab", 400),
        post(
            &format!("keys/{idle}/rotate"),
            json!({"overlap_seconds": 60, "expires_at": "2099-01-01T00:00:00Z"}),
            201,
        ),
        post(&format!("keys/{idle}/rotate"), json!({"overlap_seconds": 0, "expires_at": null}), 409),
        post(&format!("keys/{key}/rotate"), json!({}), 400),
        post(&format!("keys/{idle}/revoke"), json!({}), 200),
        post(
            "accounts/acme/budgets",
            json!({"scope": "key", "target": key, "credits": "9", "period": "day"}),
            200,
        ),
        get("accounts/acme/budgets", 200),
        post("accounts/acme/budgets/clear", json!({"scope": "key", "target": key}), 200),
        post(
            "accounts/acme/grants",
            json!({"amount": "1.5", "priority": 1, "note": "n", "source": "s", "expires_at": "2099-01-01T00:00:00Z"}),
            201,
        ),
        post("accounts/acme/grants", json!({"amount": 1.5}), 400),
        get("accounts/acme/grants", 200),
        get(&format!("grants/{grant}"), 200),
        post(
            &format!("grants/{grant}/change"),
            json!({"expires_at": null, "priority": 5, "note": null}),
            200,
        ),
        post(&format!("grants/{grant}/change"), json!({}), 400),
        post(&format!("grants/{grant}/void"), json!({"amount": "0.5", "spent": "owed", "note": "n"}), 201),
        post(&format!("grants/{grant}/void"), json!({"amount": "99"}), 400),
        post(&format!("grants/{grant}/void"), json!({}), 201),
        post(&format!("grants/{grant}/void"), json!({}), 409),
        post("accounts/acme/adjust", json!({"amount": "5"}), 201),
        post("accounts/acme/adjust", json!({"amount": "-1.5", "note": "n"}), 201),
        post("accounts/acme/adjust", json!({"amount": "-1000"}), 400),
        post("accounts/acme/adjust", json!({"amount": "-4", "missing": "owed"}), 201),
        get("accounts/acme/corrections?limit=2", 200),
        get("accounts/acme/grants?left=true&limit=1", 200),
        post("plans", plan, 201),
        post("plans", json!({"name": "free", "quota": "1", "period": "hour"}), 201),
        post(
            "plans/pro/change",
            json!({"quota": "200", "burst": null, "warn_below": null, "alert_below": null, "products": null, "at_once": true}),
            200,
        ),
        get("plans", 200),
        get("plans/pro", 200),
        post(
            "accounts/two/subscription",
            json!({"plan": "free", "trial_ends_at": "2099-01-01T00:00:00Z"}),
            201,
        ),
        post("accounts/two/subscription/activate", json!({}), 200),
        post("accounts/two/subscription/past-due", json!({"grace_until": "2099-01-01T00:00:00Z"}), 200),
        post("accounts/two/subscription/activate", json!({}), 200),
        post("accounts/two/subscription/change", json!({"plan": "pro", "at_once": false}), 200),
        post("accounts/two/subscription/pause", json!({}), 200),
        post("accounts/two/subscription/resume", json!({}), 200),
        get("accounts/two/subscription", 200),
        post("accounts/two/subscription/cancel", json!({"at_once": true}), 200),
        post("plans/free/archive", json!({}), 200),
        post("plans/pro/archive", json!({}), 200),
        get("plans?archived=true", 200),
        post("accounts/two/subscription", json!({"plan": "pro"}), 400),
        post("plans/pro/unarchive", json!({}), 200),
        get("accounts/acme/balance", 200),
        get("accounts/acme/usage?since=2026-01-01T00:00:00Z&limit=5", 200),
        post(
            "prices",
            json!({"entries": [{"model": "gpt-5", "prices": {"input": "1.25", "output": "10"}, "cost": {"input": "1", "output": "8"}}]}),
            200,
        ),
        post("prices", json!({"entries": [{"model": "a b", "prices": {"input": "1"}}]}), 400),
        (
            Method::PUT,
            "/admin/v1/prices/openai%2Fgpt-5".into(),
            Some(json!({"prices": {"input": "2"}, "valid_from": "2099-01-01T00:00:00Z"})),
            200,
        ),
        get("prices?limit=1", 200),
        get("prices/openai%2Fgpt-5", 200),
        get("prices/none", 404),
        (Method::DELETE, "/admin/v1/prices/gpt-5?from=2026-01-01T00:00:00Z".into(), None, 200),
        (Method::DELETE, "/admin/v1/prices/gpt-5".into(), None, 404),
        get("usage?group=item&account=acme", 200),
        get("usage?group=rule", 400),
        get("usage/sums?by=day&group=account,rule&time_zone=Europe/Berlin", 200),
        get("usage/sums?group=planet", 400),
        get("usage/forecast", 200),
        get("usage/forecast?account=acme&time_zone=Europe/Berlin", 200),
        get("usage/forecast?time_zone=Middle/Earth", 400),
        get("usage/sums?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z", 400),
        get("accounts/acme/why?price=2.5", 200),
        get("accounts/nobody/why", 404),
        get("shadow?account=acme", 200),
        get("shadow?account=nobody", 404),
        get("leases", 200),
        get("calls?account=acme&status=4xx&limit=5", 200),
        get("calls?status=999", 400),
        post("recall", json!({"gateway": "gate"}), 200),
        post("recall", json!({"gateway": "nowhere"}), 404),
        get("audit", 200),
        post("accounts/two/rename", json!({"name": "Two Ltd."}), 200),
        post(
            "batch",
            json!({"requests": [{"path": "/admin/v1/accounts", "body": {"id": "three"}}, {"method": "GET", "path": "/admin/v1/accounts/none"}]}),
            200,
        ),
        post("batch", json!({"requests": []}), 400),
        post("accounts/two/close", json!({}), 200),
        post("accounts/two/resume", json!({}), 409),
        post("accounts/two/reopen", json!({}), 200),
        post("accounts/two/close", json!({}), 200),
        post(
            "operators",
            json!({"name": "alice", "scope": "support", "expires_at": "2099-01-01T00:00:00Z"}),
            201,
        ),
        post("operators", json!({"name": "alice", "scope": "read"}), 409),
        post("operators", json!({"name": "root", "scope": "read"}), 400),
        post("operators", json!({"name": "bob", "scope": "write"}), 400),
        post("operators/alice/tokens", json!({}), 201),
        post("operators/alice/sign-out", json!({}), 200),
        post("operators", json!({"name": "lou", "scope": "read", "oidc_subject": "sub-1"}), 400),
        post("operators/nobody/tokens", json!({}), 404),
        get("operators?limit=1", 200),
        post("operators/alice/revoke", json!({}), 200),
        post("operators/alice/revoke", json!({"token": "token_none"}), 404),
        post("gateway-tokens", json!({"name": "eu-west"}), 201),
        get("gateway-tokens", 200),
        post("gateway-tokens/eu-west/revoke", json!({}), 200),
        get("trail?account=acme&operator=root&since=2026-01-01T00:00:00Z&limit=2", 200),
        get("trail?after=nowhere", 400),
        post("alerts", json!({"balance_below": "10"}), 200),
        get("alerts", 200),
        post("alerts", json!({"balance_below": 10}), 400),
        post("accounts/acme/alerts", json!({"balance_below": "2.5"}), 200),
        post("accounts/acme/alerts", json!({"balance_below": null}), 200),
        get("accounts/acme/alerts", 200),
        get("accounts/ghost/alerts", 404),
        get("events?account=acme&kind=grant.given&since=2026-01-01T00:00:00Z&limit=1", 200),
        get("events?kind=grant.taken", 400),
        get("events?account=ghost", 404),
        post(
            "webhooks",
            json!({"url": "https://receiver.invalid/", "events": ["grant.given"], "account": "acme"}),
            201,
        ),
        post(
            "accounts/acme/portal-links",
            json!({"return_url": "https://example.com/a", "lifetime_seconds": 60}),
            201,
        ),
        post("accounts/acme/portal-links", json!({"lifetime_seconds": 1}), 400),
        post("accounts/nobody/portal-links", json!({}), 404),
        post(
            "accounts/acme/portal-subjects",
            json!({"subject": "sub-1", "access": "read", "issuer": "https://login.example.com"}),
            200,
        ),
        post("accounts/acme/portal-subjects", json!({"subject": "a b"}), 400),
        post(
            "accounts/missing/portal-subjects",
            json!({"subject": "sub-1", "issuer": "https://login.example.com"}),
            404,
        ),
        get("portal-subjects?account=acme&subject=sub-1", 200),
        get("portal-subjects", 400),
        get("portal-subjects?account=ghost", 404),
        post(
            "accounts/acme/portal-subjects/remove",
            json!({"subject": "sub-1", "issuer": "https://login.example.com"}),
            200,
        ),
        post(
            "accounts/acme/portal-subjects/remove",
            json!({"subject": "sub-1", "issuer": "https://login.example.com"}),
            404,
        ),
        post("webhooks", json!({"url": "http://receiver.invalid/"}), 400),
        post("webhooks", json!({"url": "https://receiver.invalid/", "events": []}), 400),
        get("webhooks?limit=1", 200),
        get(&format!("webhooks/{webhook}"), 200),
        get("webhooks/none", 404),
        get(&format!("webhooks/{webhook}/deliveries?state=waiting&limit=1"), 200),
        post(&format!("webhooks/{webhook}/test"), json!({}), 200),
        post(&format!("webhooks/{webhook}/rotate-secret"), json!({"overlap_seconds": 60}), 200),
        post(&format!("webhooks/{webhook}/rotate-secret"), json!({"overlap_seconds": 9_999_999}), 400),
        post(&format!("webhooks/{webhook}/pause"), json!({}), 200),
        post(&format!("webhooks/{webhook}/resume"), json!({}), 200),
        post(&format!("webhooks/{webhook}/replay"), json!({"since": "2026-01-01T00:00:00Z"}), 200),
        post(&format!("webhooks/{webhook}/replay"), json!({"since": "2999-01-01T00:00:00Z"}), 400),
        post(&format!("webhooks/{webhook}/replay"), json!({"event": "event_none"}), 404),
        post(&format!("webhooks/{webhook}/replay"), json!({}), 400),
        post("mail", json!({"address": "a@x.example", "account": "acme", "events": ["balance.low"]}), 201),
        post("mail", json!({"address": "none"}), 400),
        get("mail?account=acme&limit=1", 200),
        get(&format!("mail/{mail}"), 200),
        get("mail/none", 404),
        get(&format!("mail/{mail}/deliveries?state=given_up&limit=1"), 200),
        post(&format!("mail/{mail}/delete"), json!({}), 200),
        post(&format!("mail/{mail}/delete"), json!({}), 404),
        post("mail-test", json!({"address": "a@x.example"}), 200),
        post("mail-test", json!({"address": "none"}), 400),
        post(&format!("webhooks/{webhook}/delete"), json!({}), 200),
        post(&format!("webhooks/{webhook}/delete"), json!({}), 404),
        get("openapi.json", 200),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_matches_its_openapi_description() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &["--portal-listen", "127.0.0.1:0"], &[]).await;
    let secret = ledger.account("acme", "12").await;
    let key =
        ledger.get("/admin/v1/accounts/acme/keys").await["keys"][0]["id"].as_str().expect("a key").to_owned();
    let (idle, _) = ledger.key("acme").await;
    let grants = ledger.get("/admin/v1/accounts/acme/grants").await;
    let grant = grants["grants"][0]["id"].as_str().expect("a grant").to_owned();
    let webhook = ledger.post("/admin/v1/webhooks", json!({"url": "https://receiver.invalid/"})).await;
    let webhook = webhook["id"].as_str().expect("a webhook").to_owned();
    let line = json!({"payer": key, "rule": "r", "requests": 1, "credits": 1_000_000, "refunds": 0});
    let shadow = json!({"payer": key, "rule": "r", "code": "rate_limited", "requests": 1});
    let exchange = json!({"protocol": 2, "gateway": "gate", "seen": 0,
        "entries": [{"payer": {"key": secret}, "lease": {"epoch": 1, "spent": 0, "returned": 0, "held": 0},
            "ask": {"least": 1_000_000, "need": 1_000_000, "want": 1_000_000}}],
        "usage": {"broker": "b", "seq": 1, "lines": [line], "shadow": [shadow]}});
    let (status, answer) = ledger.exchange(&exchange).await.expect("an answer");
    assert_eq!(status, 200, "{answer}");

    let described = described();
    let mut carried_out = BTreeSet::new();
    let mail = ledger.post("/admin/v1/mail", json!({"address": "ops@x.example"})).await;
    let mail = mail["id"].as_str().expect("an address").to_owned();
    for (method, path, body, expected) in life(&key, &idle, &grant, (&webhook, &mail)) {
        let (status, answer) = ledger.call(method.clone(), &path, body.clone()).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        let template = template(&described, &path);
        let operation = &described["paths"][&template][method.as_str().to_lowercase()];
        let response = resolved(&described, &operation["responses"][status.as_str()]);
        let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
        fits(
            &described,
            &response["content"][kind]["schema"],
            &answer,
            &format!("the answer of {method} {path}"),
        );
        let takes = &operation["requestBody"]["content"]["application/json"]["schema"];
        if let Some(body) = body.filter(|_| expected != 400 && !takes.is_null()) {
            fits(&described, takes, &body, &format!("what is sent to {method} {path}"));
        }
        if status.is_success() {
            carried_out.insert((method.to_string(), template));
        }
    }
    assert_eq!(carried_out, operations());
}

/// The path as the description has it.
fn template(described: &Value, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |template: &str| {
        let mut pairs = template.split('/').zip(path.split('/'));
        template.split('/').count() == path.split('/').count()
            && pairs.all(|(known, found)| known == found || known == "{id}")
    };
    let mut known = described["paths"].as_object().expect("paths").keys();
    known.find(|known| fits(known)).unwrap_or_else(|| panic!("{path} is not described")).clone()
}

/// What a reference leads to.
fn resolved<'a>(described: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    reference.map_or(value, |to| described.pointer(to).unwrap_or_else(|| panic!("{to} is nowhere")))
}

fn fits(described: &Value, schema: &Value, value: &Value, what: &str) {
    assert!(schema.is_object(), "{what} is not described");
    let whole = json!({"allOf": [schema], "components": described["components"]});
    let validator = jsonschema::options().with_draft(Draft::Draft202012).build(&whole).expect("a schema");
    let wrong: Vec<String> =
        validator.iter_errors(value).map(|why| format!("{}: {why}", why.instance_path())).collect();
    assert!(wrong.is_empty(), "{what}: {wrong:?} in {value}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_description_is_public_and_matches_the_committed_one() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let url = format!("http://127.0.0.1:{}/admin/v1/openapi.json", ledger.admin_port);
    let answer = reqwest::get(&url).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.text().await.expect("a text"), page("docs/openapi.json"));
}

#[test]
fn everything_in_the_openapi_description_is_documented() {
    let described = described();
    for (path, methods) in described["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            assert!(operation["summary"].is_string(), "{method} {path}");
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters {
                assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
            }
            let guarded = path.starts_with("/admin/") && !path.ends_with("openapi.json");
            assert_eq!(operation["security"].is_array(), guarded, "{method} {path}");
            assert_eq!(operation["responses"]["401"].is_object(), guarded, "{method} {path}");
        }
    }
    for (name, schema) in described["components"]["schemas"].as_object().expect("schemas") {
        assert!(schema["description"].is_string(), "{name}");
        for (field, about) in schema["properties"].as_object().into_iter().flatten() {
            // Of what may be null, it is the first of two possibilities that is explained.
            let text = [&about["description"], &about["oneOf"][0]["description"]]
                .into_iter()
                .find_map(Value::as_str);
            let text = text.unwrap_or_else(|| panic!("{name}.{field}"));
            assert!(!text.contains("[`"), "{name}.{field} names a Rust item: {text}");
        }
    }
}
