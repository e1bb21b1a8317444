//! Call records leave as OpenTelemetry logs, and metrics with them: what a collector gets of a real gate's requests, and what happens
//! where it is down, slow or lying. No charge depends on it.

mod receiver;

use harness::{
    Authority, GATEWAY_TOKEN, LedgerProcess, Postgres, Setup, World, eventually, flood, free_port, get,
    patient,
};
use receiver::{Receiver, listens};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Far more than the half second for which records wait, and the waits between attempts.
const SOON: Duration = Duration::from_secs(120);

fn rules() -> Value {
    let mut rules = json!({
        "record": "all",
        "rules": [
            {"name": "render", "match": {"path": {"prefix": "/cost"}}, "meter": {"header": "x-cost", "unit": "0.01", "hold": "1"}},
            {"name": "status", "match": {"path": {"prefix": "/status"}}, "price": "2"},
            {"name": "open", "match": {"path": {"prefix": "/open"}}, "price": "free"},
            {"name": "trial", "match": {"path": {"prefix": "/trial"}}, "price": "1", "shadow": true},
            {"name": "quiet", "match": {"path": {"prefix": "/quiet"}}, "price": "1", "record": "none"},
        ],
        "default": {"price": "1"}
    });
    // Machines that are busy with other tests take longer to answer.
    for (member, value) in patient().as_object().into_iter().flatten() {
        rules[member] = value.clone();
    }
    rules
}

/// Sends a batch of so many records as a gateway would.
async fn send(ledger: &LedgerProcess, sender: &str, number: u64, calls: Vec<Value>) -> u16 {
    let batch = json!({"protocol": 1, "gateway": "gw", "sender": sender, "number": number, "now_ms": 1_000, "calls": calls});
    let url = format!("http://127.0.0.1:{}/gateway/v1/calls", ledger.gateway_port);
    let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().expect("a client");
    let answer = client.post(url).bearer_auth(GATEWAY_TOKEN).json(&batch).send().await.expect("an answer");
    answer.status().as_u16()
}

fn free() -> Value {
    json!({"at_ms": 900, "duration_ms": 1, "rule": "r", "decision": "free"})
}

async fn metric(ledger: &LedgerProcess, result: &str) -> f64 {
    labelled(ledger, &format!("faregate_otlp_records_total{{result=\"{result}\"}}")).await
}

async fn labelled(ledger: &LedgerProcess, name: &str) -> f64 {
    let text = ledger.get("/metrics").await;
    let lines = text.as_str().unwrap_or_default().lines();
    let value = lines.filter_map(|line| line.strip_prefix(name)?.trim().parse().ok()).next();
    value.unwrap_or_else(|| panic!("no {name}"))
}

async fn becomes(ledger: &LedgerProcess, result: &str, count: f64) {
    eventually(&format!("{count} are counted as {result}"), SOON, async || {
        metric(ledger, result).await >= count
    })
    .await;
    let found = metric(ledger, result).await;
    assert!((found - count).abs() < 0.5, "{result}: {found}, not {count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_leaves_as_a_log_record_with_what_became_of_it() {
    let Some(receiver) = Receiver::start().await else { return };
    let url = receiver.url();
    let environment =
        vec![("FAREGATE_OTLP_HEADERS".to_owned(), "Authorization=Bearer%20s3cret,x-scope=acme".to_owned())];
    let serve = ["--otlp-endpoint", &url];
    let world = World::start(Setup { config: rules(), serve: &serve, environment, ..Setup::default() }).await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "100").await;
    let poor = ledger.account("poor", "0").await;
    let (headers, poor_headers) = ([("x-api-key", key.as_str())], [("x-api-key", poor.as_str())]);
    let ask = async |path: &str, headers: &[(&str, &str)]| get(world.gate(), path, headers).await.status;
    assert_eq!(ask("/?card=4242", &headers).await, 200);
    let request_id = world.upstream.last()["x-request-id"].clone();
    assert_eq!(ask("/cost/25", &headers).await, 200);
    assert_eq!(ask("/status/503", &headers).await, 503);
    assert_eq!(ask("/status/404", &headers).await, 404);
    assert_eq!(ask("/open", &[]).await, 200);
    assert_eq!(ask("/quiet", &headers).await, 200);
    assert_eq!(ask("/", &poor_headers).await, 402);
    assert_eq!(ask("/trial", &poor_headers).await, 200);
    assert_eq!(ask("/", &[]).await, 401);

    let records = receiver.gets(8).await;
    let find = |rule: &str, decision: &str, account: Value| {
        let is = |record: &&Value| {
            let of = &record["attributes"];
            of["faregate.rule"] == rule
                && of["faregate.decision"] == decision
                && of["faregate.account"] == account
        };
        let mut found = records.iter().filter(is);
        let one = found.next().unwrap_or_else(|| panic!("no record of {rule}, {decision}: {records:#?}"));
        assert!(found.next().is_none(), "two records of {rule}, {decision}");
        one
    };
    let paid = find("default", "admitted", json!("acme"));
    for (member, value) in [
        ("event", json!("faregate.call")),
        ("scope", json!("faregate.calls")),
        ("body", json!("admitted")),
        ("severity", json!(9)),
        ("severity_text", json!("INFO")),
    ] {
        assert_eq!(paid[member], value, "{member} of {paid}");
    }
    for (name, value) in [
        ("faregate.charge_microcredits", json!(1_000_000)),
        ("faregate.hold_microcredits", json!(1_000_000)),
        ("faregate.request_id", json!(request_id)),
        ("http.response.status_code", json!(200)),
    ] {
        assert_eq!(paid["attributes"][name], value, "{name} of {paid}");
    }
    assert!(paid["attributes"]["faregate.key"].as_str().is_some_and(|id| id.starts_with("key_")), "{paid}");
    assert!(paid["attributes"]["faregate.gateway"].as_str().is_some_and(|name| !name.is_empty()), "{paid}");
    let resource = &paid["resource"];
    assert_eq!(
        (&resource["service.name"], &resource["service.version"]),
        (&json!("faregate"), &json!(env!("CARGO_PKG_VERSION")))
    );
    assert!(resource["service.instance.id"].as_str().is_some_and(|id| id.len() == 36), "{resource}");
    let now = u64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos())
        .expect("before 2500");
    let (time, observed) =
        (paid["time"].as_u64().expect("a time"), paid["observed"].as_u64().expect("a time"));
    assert!(time <= observed && observed <= now && now - time < 600_000_000_000, "{time} {observed} {now}");
    let metered = &find("render", "admitted", json!("acme"))["attributes"];
    assert_eq!(
        (&metered["faregate.charge_microcredits"], &metered["faregate.hold_microcredits"]),
        (&json!(250_000), &json!(1_000_000))
    );
    assert_eq!(metered["faregate.basis"], "reported");
    let released = &find("status", "released", json!("acme"))["attributes"];
    assert_eq!(
        (&released["faregate.charge_microcredits"], &released["http.response.status_code"]),
        (&json!(0), &json!(503))
    );
    let refused = find("default", "refused", json!("poor"));
    assert_eq!((&refused["severity"], &refused["body"]), (&json!(13), &json!("refused: insufficient_funds")));
    assert_eq!(refused["attributes"]["faregate.code"], "insufficient_funds");
    assert_eq!(find("trial", "shadow", json!("poor"))["attributes"]["http.response.status_code"], 200);
    find("open", "free", Value::Null);
    assert_eq!(find("default", "refused", Value::Null)["attributes"]["faregate.code"], "missing_key");

    // All charges together are what was spent, but for the request that isn't recorded.
    let charge =
        |record: &Value| record["attributes"]["faregate.charge_microcredits"].as_i64().expect("an amount");
    assert_eq!(records.iter().map(charge).sum::<i64>(), 3_250_000);
    ledger.balance_becomes("acme", "spent", "4.25").await;

    // They came where the specification says, compressed, over one connection, with the header; and no secret is in them.
    let requests = receiver.requests();
    for request in &requests {
        let headers = &request["headers"];
        assert_eq!(
            (&request["path"], &headers["content-type"]),
            (&json!("/v1/logs"), &json!("application/x-protobuf"))
        );
        assert_eq!((&headers["content-encoding"], &headers["x-scope"]), (&json!("gzip"), &json!("acme")));
        assert_eq!(headers["authorization"], "Bearer s3cret");
        assert_eq!(request["connection"], requests[0]["connection"], "one connection: {requests:#?}");
    }
    let text = Value::from(records).to_string();
    for secret in [key.as_str(), "4242", "card", "/cost", "x-api-key", GATEWAY_TOKEN] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(!ledger.process.output().contains("s3cret"));
    becomes(ledger, "sent", 8.0).await;
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_collector_takes_records_and_metrics_and_passes_them_on() {
    let Some(receiver) = Receiver::start().await else { return };
    let (port, grpc_port) = (free_port(), free_port());
    let (port_text, grpc_text, to) = (port.to_string(), grpc_port.to_string(), receiver.url());
    let packages = receiver.clients.otlp_packages().display().to_string();
    let environment = [
        ("PYTHONPATH", packages.as_str()),
        ("PORT", port_text.as_str()),
        ("GRPC_PORT", grpc_text.as_str()),
        ("TO", to.as_str()),
    ];
    let _collector = receiver.clients.start("otlp_collector.py", &environment);
    listens(port).await;
    let url = format!("http://127.0.0.1:{port}");
    let serve = ["--otlp-endpoint", url.as_str(), "--otlp-metrics-every", "1s"];
    let world = World::start(Setup { config: rules(), serve: &serve, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100000").await;
    assert_eq!(flood(&world.gateways, &key, 500, 8).await.get(&200), Some(&500));
    let records = receiver.gets(500).await;
    let charge =
        |record: &Value| record["attributes"]["faregate.charge_microcredits"].as_i64().expect("an amount");
    assert_eq!(records.iter().map(charge).sum::<i64>(), 500_000_000);
    assert!(
        records
            .iter()
            .all(|record| record["event"] == "faregate.call"
                && record["resource"]["service.name"] == "faregate")
    );
    becomes(&world.ledger, "sent", 500.0).await;
    eventually("it passes metrics on", SOON, async || {
        receiver.lines("METRICS").iter().any(|metric| {
            metric["name"] == "faregate_call_records_total"
                && metric["points"][0]["value"].as_i64() == Some(500)
        })
    })
    .await;
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_for_a_collector_that_is_down_and_no_request_does() {
    let Some(mut receiver) = Receiver::away(&[]) else { return };
    let url = receiver.url();
    let serve = ["--otlp-endpoint", &url];
    let world = World::start(Setup { config: rules(), serve: &serve, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100000").await;
    assert_eq!(flood(&world.gateways, &key, 300, 8).await.get(&200), Some(&300));
    eventually("all are stored", SOON, async || {
        world.ledger.metric("faregate_call_records_total").await >= 300.0
    })
    .await;
    world.ledger.balance_becomes("acme", "spent", "300").await;
    eventually("the log says that none takes them", SOON, async || {
        world.ledger.process.output().contains("call records can't be exported")
    })
    .await;

    receiver.behaves("busy");
    receiver.comes().await;
    eventually("it is asked", SOON, async || !receiver.requests().is_empty()).await;
    receiver.behaves("limit");
    eventually("it is asked again", SOON, async || {
        receiver.requests().iter().any(|one| one["how"][0] == "limit")
    })
    .await;
    receiver.behaves("");
    receiver.gets(300).await;
    // It asked for a second.
    let requests = receiver.requests();
    let at = |n: usize| requests[n]["at"].as_f64().expect("a time");
    assert!(at(1) - at(0) >= 1.0, "{requests:#?}");

    // Gone in the middle, and back: what comes in between waits.
    receiver.goes();
    assert_eq!(flood(&world.gateways, &key, 200, 8).await.get(&200), Some(&200));
    eventually("all are stored", SOON, async || {
        world.ledger.metric("faregate_call_records_total").await >= 500.0
    })
    .await;
    receiver.comes().await;
    receiver.gets(500).await;
    becomes(&world.ledger, "sent", 500.0).await;
    for result in ["refused", "no_room", "given_up"] {
        assert!(metric(&world.ledger, result).await < 0.5, "{result}");
    }
    assert!(world.ledger.process.output().contains("call records are exported again"));
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_room_is_counted_and_gateways_wait_for_nothing() {
    let Some(receiver) = Receiver::start().await else { return };
    receiver.behaves("slow");
    let (ledger, _dir) = receiver.ledger(&[]).await;
    // The first one is being exported while the others come.
    assert_eq!(send(&ledger, "a", 1, vec![free(); 100]).await, 204);
    eventually("it is being exported", SOON, async || !receiver.requests().is_empty()).await;
    for number in 2..=21 {
        assert_eq!(send(&ledger, "a", number, vec![free(); 3_000]).await, 204);
    }
    becomes(&ledger, "no_room", 10_000.0).await;
    assert!((ledger.metric("faregate_otlp_waiting_records").await - 50_000.0).abs() < 0.5);
    assert!((ledger.metric("faregate_call_records_total").await - 60_100.0).abs() < 0.5, "all are stored");
    // A collector that answers nothing is left after ten seconds, and gets all that waited once it is well.
    receiver.behaves("");
    receiver.gets(50_100).await;
    becomes(&ledger, "sent", 50_100.0).await;
    let largest =
        receiver.requests().iter().filter_map(|request| request["bytes"].as_u64()).max().expect("some");
    assert!(largest < 4 << 20, "{largest} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_collector_refuses_is_counted_and_not_sent_again() {
    let Some(receiver) = Receiver::start().await else { return };
    let (ledger, _dir) = receiver.ledger(&["--otlp-compression", "none"]).await;
    let mut number = 0;
    let mut one = async |how: &str| {
        receiver.behaves(how);
        number += 1;
        assert_eq!(send(&ledger, "a", number, vec![free(); 3]).await, 204);
    };
    one("refuse").await;
    becomes(&ledger, "refused", 3.0).await;
    one("redirect").await;
    becomes(&ledger, "refused", 6.0).await;
    one("partial").await;
    becomes(&ledger, "refused", 7.0).await;
    becomes(&ledger, "sent", 2.0).await;
    // An answer without an end counts by its status, and is not read.
    one("lying").await;
    becomes(&ledger, "sent", 5.0).await;
    // A collector that hangs up is asked again.
    one("hangup").await;
    eventually("it hangs up", SOON, async || receiver.requests().iter().any(|one| one["how"][0] == "hangup"))
        .await;
    receiver.behaves("");
    becomes(&ledger, "sent", 8.0).await;
    let requests = receiver.requests();
    for how in ["refuse", "redirect", "partial", "lying"] {
        let count = requests.iter().filter(|request| request["how"][0] == how).count();
        assert_eq!(count, 1, "{how}: {requests:#?}");
    }
    assert!(requests.iter().all(|request| request["headers"]["content-encoding"].is_null()));
    // Of what comes within a second only the first is logged.
    let log = ledger.process.output();
    assert!(log.contains("status 400") && log.contains("no such thing"), "{log}");
    assert!(
        labelled(&ledger, "faregate_otlp_requests_total{signal=\"logs\",result=\"failed\"}").await >= 3.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_sent_again_is_exported_once_stored_or_not() {
    let Some(receiver) = Receiver::start().await else { return };
    let mut count = 0;
    for keep in [["--keep-calls-days", "7"], ["--keep-calls-days", "0"]] {
        let (mut ledger, _dir) = receiver.ledger(&keep).await;
        let (a, b) = (format!("a{}", keep[1]), format!("b{}", keep[1]));
        for (sender, number) in [(&a, 1), (&a, 1), (&a, 2), (&b, 1), (&a, 1)] {
            assert_eq!(send(&ledger, sender, number, vec![free(); 2]).await, 204);
        }
        count += 6;
        receiver.gets(count).await;
        becomes(&ledger, "sent", 6.0).await;
        let stored = if keep[1] == "0" { 0.0 } else { 6.0 };
        assert!((ledger.metric("faregate_call_records_total").await - stored).abs() < 0.5);
        if keep[1] == "7" {
            // What is stored is known after a restart, too.
            ledger.restart().await;
            assert_eq!(send(&ledger, &a, 2, vec![free(); 2]).await, 204);
            assert_eq!(send(&ledger, &a, 3, vec![free(); 1]).await, 204);
            count += 1;
            receiver.gets(count).await;
            becomes(&ledger, "sent", 1.0).await;
        }
    }
    // Records are exported also where the day has no room for them.
    let (ledger, _dir) = receiver.ledger(&["--keep-calls", "2"]).await;
    assert_eq!(send(&ledger, "full", 1, vec![free(); 5]).await, 204);
    receiver.gets(count + 5).await;
    assert!((ledger.metric("faregate_call_records_total").await - 2.0).abs() < 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_ledgers_on_postgresql_one_exports_each_record() {
    let Some(server) = Postgres::start().await else { return };
    let Some(receiver) = Receiver::start().await else { return };
    let url = receiver.url();
    let serve = ["--otlp-endpoint", &url];
    let environment = server.environment();
    let setup =
        Setup { gateways: 2, ledgers: 2, config: rules(), serve: &serve, environment, ..Setup::default() };
    let world = World::start(setup).await;
    let key = world.ledger.account("acme", "100000").await;
    assert_eq!(flood(&world.gateways, &key, 400, 8).await.get(&200), Some(&400));
    let records = receiver.gets(400).await;
    let gateways: BTreeSet<_> = records
        .iter()
        .map(|record| record["attributes"]["faregate.gateway"].as_str().expect("a name"))
        .collect();
    assert_eq!(gateways.len(), 2, "{gateways:?}");
    // A batch that goes to one ledger and again to the other.
    for ledger in [&world.ledger, &world.replicas[0], &world.ledger] {
        assert_eq!(send(ledger, "twice", 1, vec![free(); 3]).await, 204);
    }
    assert_eq!(send(&world.replicas[0], "twice", 2, vec![free(); 1]).await, 204);
    receiver.gets(404).await;
    let sent = metric(&world.ledger, "sent").await + metric(&world.replicas[0], "sent").await;
    assert!((sent - 404.0).abs() < 0.5, "{sent}");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_ends_exports_what_waits_and_waits_for_no_collector() {
    let Some(mut receiver) = Receiver::start().await else { return };
    for keep in [["--keep-calls-days", "7"], ["--keep-calls-days", "0"]] {
        receiver.behaves("busy");
        let (mut ledger, _dir) = receiver.ledger(&keep).await;
        let before = receiver.records().len();
        assert_eq!(send(&ledger, keep[1], 1, vec![free(); 3_000]).await, 204);
        assert_eq!(send(&ledger, keep[1], 2, vec![free(); 3_000]).await, 204);
        eventually("they wait", SOON, async || {
            receiver.requests().last().is_some_and(|one| one["how"][0] == "busy")
        })
        .await;
        receiver.behaves("");
        assert_eq!(ledger.process.stop(), Some(0));
        receiver.gets(before + 6_000).await;
    }
    // One that is down is waited for five seconds; here the limit is far above that, for a busy machine.
    receiver.goes();
    let (mut ledger, _dir) = receiver.ledger(&[]).await;
    assert_eq!(send(&ledger, "c", 1, vec![free(); 10]).await, 204);
    let began = Instant::now();
    assert_eq!(ledger.process.stop(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let log = ledger.process.output();
    assert!(
        log.contains("call records were not exported before the ledger ended") && log.contains("10"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_travel_over_tls_to_a_collector_whose_certificate_is_trusted() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let authority = Authority::new();
    let trusted = authority.write(dir.path(), "authority.pem");
    authority.issue(dir.path(), "collector", "127.0.0.1");
    let file = |name: &str| dir.path().join(name).display().to_string();
    let (certificate, key) = (file("collector.pem"), file("collector.key"));
    let Some(receiver) = Receiver::start_with(&[("CERT", &certificate), ("KEY", &key)]).await else { return };
    let headers = dir.path().join("headers");
    std::fs::write(&headers, "Authorization=Bearer s3cret\nx-scope=acme\n").expect("a file");
    let url = format!("https://127.0.0.1:{}/otlp/", receiver.port);
    let mut environment = vec![
        ("SSL_CERT_FILE".to_owned(), trusted.display().to_string()),
        ("FAREGATE_OTLP_HEADERS_FILE".to_owned(), headers.display().to_string()),
    ];
    let ledger = LedgerProcess::start(dir.path(), &["--otlp-endpoint", &url], &environment).await;
    assert_eq!(send(&ledger, "a", 1, vec![free(); 2]).await, 204);
    receiver.gets(2).await;
    let request = &receiver.requests()[0];
    assert_eq!(
        (&request["path"], &request["headers"]["authorization"]),
        (&json!("/otlp/v1/logs"), &json!("Bearer s3cret"))
    );

    environment.remove(0);
    let ledger = ledger.restart_with(&["--otlp-endpoint", &url], &environment).await;
    assert_eq!(send(&ledger, "a", 2, vec![free(); 2]).await, 204);
    eventually("the certificate isn't trusted", SOON, async || {
        ledger.process.output().contains("no TLS with the endpoint")
    })
    .await;
    receiver.gets(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_leave_under_the_names_that_prometheus_sees() {
    let Some(receiver) = Receiver::start().await else { return };
    let (mut ledger, _dir) = receiver.ledger(&["--otlp-metrics-every", "1s"]).await;
    ledger.account("acme", "2.5").await;
    let of = |name: &str| receiver.lines("METRICS").into_iter().rfind(|metric| metric["name"] == name);
    eventually("the grant is exported", SOON, async || {
        of("faregate_granted_credits_total")
            .is_some_and(|metric| metric["points"][0]["value"].as_f64() == Some(2.5))
    })
    .await;
    let page = ledger.get("/metrics").await;
    for line in page.as_str().expect("a page").lines() {
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        let metric = of(name).unwrap_or_else(|| panic!("{name} isn't exported"));
        let expected = if kind == "counter" { "sum" } else { kind };
        assert_eq!(
            (&metric["kind"], &metric["scope"]),
            (&json!(expected), &json!("faregate.ledger")),
            "{name}"
        );
    }
    let ready = of("faregate_ready").expect("a metric");
    assert_eq!(ready["points"][0]["value"], 1, "{ready}");
    let commits = of("faregate_commit_duration_seconds").expect("a metric");
    assert_eq!(
        (&commits["unit"], &commits["whole"]["histogram"]["aggregationTemporality"]),
        (&json!("s"), &json!("AGGREGATION_TEMPORALITY_CUMULATIVE"))
    );
    let requests = receiver.requests();
    assert!(requests.iter().all(|request| request["path"] == "/v1/metrics"), "{requests:#?}");

    // Once more at the end.
    let count = receiver.requests().len();
    receiver.behaves("");
    assert_eq!(ledger.process.stop(), Some(0));
    assert!(receiver.requests().len() > count);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_collectors_settings_is_said_at_the_start_with_the_cure() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let start = async |arguments: &[&str], environment: &[(&str, &str)]| {
        let environment: Vec<_> =
            environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        LedgerProcess::try_start(dir.path(), arguments, &environment).await.err().expect("it refuses")
    };
    for (arguments, words) in [
        (
            ["--otlp-endpoint", "127.0.0.1:4318"].as_slice(),
            "--otlp-endpoint: \"127.0.0.1:4318\" is no http:// or https:// URL",
        ),
        (&["--otlp-endpoint", "http://127.0.0.1:4318/v1/logs"], "leave that out"),
        (&["--otlp-endpoint", "http://a:b@c"], "FAREGATE_OTLP_HEADERS"),
        (&["--otlp-endpoint", "http://a", "--otlp-metrics-every", "10ms"], "at least 1s"),
        (&["--otlp-endpoint", "http://a", "--otlp-compression", "zip"], "gzip"),
        (&["--otlp-metrics-every", "10s"], "--otlp-endpoint"),
    ] {
        let said = start(arguments, &[]).await;
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let endpoint = ["--otlp-endpoint", "http://127.0.0.1:1"];
    for (environment, words) in [
        ([("FAREGATE_OTLP_HEADERS", "s3cret")].as_slice(), "write it as name=value"),
        (
            &[("FAREGATE_OTLP_HEADERS_FILE", "/nonexistent")],
            "FAREGATE_OTLP_HEADERS_FILE: can't read /nonexistent",
        ),
        (&[("FAREGATE_OTLP_HEADERS", "a=s3cret"), ("FAREGATE_OTLP_HEADERS_FILE", "/x")], "keep one of them"),
    ] {
        let said = start(&endpoint, environment).await;
        assert!(said.contains(words) && !said.contains("s3cret"), "{environment:?}: {said}");
    }
}
