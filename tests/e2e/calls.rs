//! Single requests are recorded by gateways and found by operators; no charge depends on it, and nothing secret is in a record.

use harness::{LedgerProcess, Postgres, Process, Setup, World, binary, eventually, flood, get, patient};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

fn rules() -> Value {
    let mut rules = json!({
        "record": "all",
        "rules": [
            {"name": "render", "match": {"path": {"prefix": "/cost"}},
             "meter": {"header": "x-cost", "unit": "0.01", "hold": "1"}, "record": "metered"},
            {"name": "gpu", "match": {"path": {"prefix": "/slow"}}, "meter": {"seconds": "1", "hold": {"seconds": 30}}},
            {"name": "status", "match": {"path": {"prefix": "/status"}}, "price": "2"},
            {"name": "open", "match": {"path": {"prefix": "/open"}}, "price": "free"},
            {"name": "trial", "match": {"path": {"prefix": "/trial"}}, "price": "1", "shadow": true},
            {"name": "quiet", "match": {"path": {"prefix": "/quiet"}}, "price": "1", "record": "none"},
            {"name": "strict", "match": {"path": {"prefix": "/strict"}}, "price": "1", "record": "refused"},
            {"name": "some", "match": {"path": {"prefix": "/some"}}, "price": "1", "record": {"calls": "all", "one_in": 10}},
        ],
        "default": {"price": "1"}
    });
    // Machines that are busy with other tests take longer to answer.
    for (member, value) in patient().as_object().into_iter().flatten() {
        rules[member] = value.clone();
    }
    rules
}

/// The records that a query finds, newest first, once there are so many.
async fn found(ledger: &LedgerProcess, query: &str, count: usize) -> Vec<Value> {
    let path = format!("/admin/v1/calls?limit=1000&{query}");
    let calls = async || ledger.get(&path).await["calls"].as_array().expect("a list").clone();
    eventually(&format!("{count} records of {query:?}"), Duration::from_secs(20), async || {
        calls().await.len() >= count
    })
    .await;
    let calls = calls().await;
    assert_eq!(calls.len(), count, "{query}: {calls:#?}");
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_found_with_what_became_of_it() {
    let world = World::start(Setup { config: rules(), ..Setup::default() }).await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "100").await;
    let poor = ledger.account("poor", "0").await;
    let headers = [("x-api-key", key.as_str())];
    let ask = async |path: &str, headers: &[(&str, &str)]| get(world.gate(), path, headers).await.status;
    assert_eq!(ask("/?card=4242", &headers).await, 200);
    let request_id = world.upstream.last()["x-request-id"].clone();
    assert_eq!(ask("/cost/25", &headers).await, 200);
    assert_eq!(ask("/slow/300", &headers).await, 200);
    assert_eq!(ask("/status/503", &headers).await, 503);
    assert_eq!(ask("/status/404", &headers).await, 404);
    assert_eq!(ask("/open", &[]).await, 200);
    assert_eq!(ask("/quiet", &headers).await, 200);
    assert_eq!(ask("/strict", &headers).await, 200);
    let poor_headers = [("x-api-key", poor.as_str())];
    assert_eq!(ask("/", &poor_headers).await, 402);
    assert_eq!(ask("/strict", &poor_headers).await, 402);
    assert_eq!(ask("/quiet", &poor_headers).await, 402);
    assert_eq!(ask("/trial", &poor_headers).await, 200);
    assert_eq!(ask("/", &[]).await, 401);

    // Each is there, as it was.
    let paid = &found(ledger, "account=acme&rule=default", 1).await[0];
    for (member, value) in [
        ("decision", json!("admitted")),
        ("charge", json!("1")),
        ("hold", json!("1")),
        ("status", json!(200)),
        ("request_id", json!(request_id)),
        ("code", Value::Null),
        ("item", Value::Null),
        ("basis", Value::Null),
        ("used", json!({})),
    ] {
        assert_eq!(paid[member], value, "{member} of {paid}");
    }
    assert!(paid["key"].as_str().is_some_and(|id| id.starts_with("key_")), "{paid}");
    let metered = &found(ledger, "rule=render", 1).await[0];
    assert_eq!((&metered["charge"], &metered["hold"]), (&json!("0.25"), &json!("1")), "{metered}");
    assert_eq!(metered["basis"], "reported");
    let timed = &found(ledger, "rule=gpu", 1).await[0];
    assert_eq!(timed["used"], json!({"second": 1}), "{timed}");
    assert!(timed["duration_ms"].as_u64().is_some_and(|ms| (300..10_000).contains(&ms)), "{timed}");
    let kept = &found(ledger, "rule=status&status=404", 1).await[0];
    assert_eq!((&kept["decision"], &kept["charge"]), (&json!("admitted"), &json!("2")));
    let released = &found(ledger, "rule=status&status=5xx", 1).await[0];
    assert_eq!((&released["decision"], &released["status"]), (&json!("released"), &json!(503)));
    assert_eq!(released["charge"], "0");
    let free = &found(ledger, "decision=free", 1).await[0];
    assert_eq!(
        (&free["account"], &free["rule"], &free["status"]),
        (&Value::Null, &json!("open"), &json!(200))
    );
    let refused = found(ledger, "decision=refused&account=poor", 2).await;
    assert!(
        refused.iter().all(|call| call["code"] == "insufficient_funds" && call["status"] == 402),
        "{refused:#?}"
    );
    // Two workers send theirs one after the other.
    let rules: BTreeSet<_> = refused.iter().map(|call| call["rule"].as_str().unwrap_or_default()).collect();
    assert_eq!(rules, ["default", "strict"].into());
    let shadow = &found(ledger, "decision=shadow", 1).await[0];
    assert_eq!(
        (&shadow["code"], &shadow["status"], &shadow["account"]),
        (&json!("insufficient_funds"), &json!(200), &json!("poor"))
    );
    let stranger = &found(ledger, "code=missing_key", 1).await[0];
    assert_eq!((&stranger["account"], &stranger["status"]), (&Value::Null, &json!(401)));
    found(ledger, "rule=quiet", 0).await;
    found(ledger, "status=4xx", 4).await;
    found(ledger, "", 10).await;

    // By command.
    let one = ledger.run(&["calls", "--request-id", &request_id]);
    assert!(
        one.lines().nth(1).is_some_and(|line| line.contains("acme") && line.contains(&request_id)),
        "{one}"
    );
    let page = ledger.run(&["calls", "poor", "--since", "1h", "--code", "insufficient_funds"]);
    assert_eq!(page.lines().count(), 4, "a head, and three calls: {page}");
    assert!(page.contains("shadow: insufficient_funds"), "{page}");
    let all = ledger.run(&["calls", "--all", "--json"]);
    let all: Value = serde_json::from_str(&all).expect("JSON");
    assert_eq!(all["calls"].as_array().map(Vec::len), Some(10));
    let first = ledger.run(&["calls", "--limit", "6", "--json"]);
    let first: Value = serde_json::from_str(&first).expect("JSON");
    let after = first["next"].as_str().expect("another page");
    let rest = ledger.run(&["calls", "--after", after, "--json"]);
    let rest: Value = serde_json::from_str(&rest).expect("JSON");
    assert_eq!(rest["calls"].as_array().map(Vec::len), Some(4));
    assert_eq!(rest["next"], Value::Null);

    // What is wrong is said, with the cure.
    for (arguments, words) in [
        (["--status", "600"], "a class such as 5xx"),
        (["--decision", "paid"], "must be one of admitted, released"),
        (["--after", "x"], "take it from an answer"),
    ] {
        let (done, said) = ledger.try_run(&["calls", arguments[0], arguments[1]]);
        assert!(!done && said.contains(words), "{said}");
    }

    // Nothing of a request is written down that could be a secret, and the folder is its owner's.
    let folder = world.dir().join("ledger").join("calls");
    let folder = if folder.is_dir() { folder } else { find_calls(world.dir()) };
    for file in std::fs::read_dir(&folder).expect("a folder").flatten() {
        let bytes = std::fs::read(file.path()).expect("a file");
        for secret in [key.as_str(), "4242", "card", "/cost", "x-api-key"] {
            let there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!there, "{secret} is in {:?}", file.path());
        }
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().expect("its facts").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.path());
    }
    assert_eq!(world.gate().stat("calls_dropped_total").await, 0);
    world.ledger.audit().await;
}

/// The folder of call records below another.
fn find_calls(below: &std::path::Path) -> std::path::PathBuf {
    let mut open = vec![below.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).expect("a folder").flatten() {
            if entry.path().is_dir() {
                if entry.file_name() == "calls" {
                    return entry.path();
                }
                open.push(entry.path());
            }
        }
    }
    panic!("no folder of call records below {below:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_recorded_of_a_rule_that_samples() {
    let world = World::start(Setup { config: rules(), ..Setup::default() }).await;
    let key = world.ledger.account("acme", "1000").await;
    for _ in 0..300 {
        assert_eq!(get(world.gate(), "/some", &[("x-api-key", &key)]).await.status, 200);
    }
    let count = async || {
        let calls = world.ledger.get("/admin/v1/calls?limit=1000&rule=some").await;
        calls["calls"].as_array().map_or(0, Vec::len)
    };
    // One in ten of 300; fewer than 8 or more than 70 come once in a billion runs.
    eventually("a sample is there", Duration::from_secs(20), async || count().await >= 8).await;
    world.ledger.balance_becomes("acme", "spent", "300").await;
    assert!(count().await <= 70);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_follows_calls_as_they_come() {
    let world = World::start(Setup { config: rules(), ..Setup::default() }).await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "100").await;
    let headers = [("x-api-key", key.as_str())];
    get(world.gate(), "/", &headers).await;
    found(ledger, "account=acme", 1).await;
    let log = world.dir().join("followed");
    let url = format!("http://127.0.0.1:{}", ledger.admin_port);
    let mut command = Command::new(binary());
    command.args(["calls", "acme", "--follow", "--json"]);
    command.env("FAREGATE_ADMIN_URL", &url).env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN);
    let follower = Process::start("calls --follow", &mut command, &log);
    let lines = || -> Vec<Value> {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    };
    eventually("what was there is shown", Duration::from_secs(20), async || lines().len() == 1).await;
    for path in ["/status/404", "/cost/25", "/"] {
        get(world.gate(), path, &headers).await;
        get(world.gate(), "/open", &[]).await;
    }
    eventually("what comes is shown", Duration::from_secs(20), async || lines().len() == 4).await;
    let mut rules: Vec<_> =
        lines()[1..].iter().map(|call| call["rule"].as_str().expect("a name").to_owned()).collect();
    // Two workers send theirs one after the other.
    rules.sort_unstable();
    assert_eq!(rules, ["default", "render", "status"], "each once, only of acme");
    drop(follower);
}

/// The identifiers of all requests that were recorded, each once.
async fn recorded(ledger: &LedgerProcess) -> BTreeSet<String> {
    let all = ledger.run(&["calls", "--all", "--json"]);
    let all: Value = serde_json::from_str(&all).expect("JSON");
    let calls = all["calls"].as_array().expect("a list");
    let ids: BTreeSet<_> =
        calls.iter().map(|call| call["request_id"].as_str().expect("an identifier").to_owned()).collect();
    assert_eq!(ids.len(), calls.len(), "none is stored twice");
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_for_a_ledger_that_is_away_and_are_stored_once() {
    let mut world = World::start(Setup { config: rules(), ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100000").await;
    for _ in 0..4 {
        let counts = flood(&world.gateways, &key, 200, 4).await;
        assert_eq!(counts.get(&200), Some(&200), "{counts:?}");
        world.ledger.restart().await;
    }
    eventually("all are stored", Duration::from_secs(30), async || {
        recorded(&world.ledger).await.len() == 800
    })
    .await;
    assert_eq!(world.gate().stat("calls_dropped_total").await, 0);
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_has_no_room_for_is_counted_and_no_request_waits() {
    let mut world = World::start(Setup { config: rules(), ..Setup::default() }).await;
    let key = world.ledger.account("acme", "1000000").await;
    assert_eq!(flood(&world.gateways, &key, 10, 1).await.get(&200), Some(&10));
    let stored = world.ledger.metric("faregate_call_records_total").await;
    world.ledger.process.kill();
    // Refused requests are recorded as well; each worker has room for about 6,000.
    let counts = flood(&world.gateways, "no key", 30_000, 16).await;
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [401], "{counts:?}");
    eventually("the loss is counted", Duration::from_secs(20), async || {
        world.gate().stat("calls_dropped_total").await > 0
    })
    .await;
    world.ledger.restart().await;
    eventually("the rest is stored, and the ledger knows of the loss", Duration::from_secs(60), async || {
        let metric = async |name| world.ledger.metric(name).await;
        let dropped = f64::from(u32::try_from(world.gate().stat("calls_dropped_total").await).expect("few"));
        // What came before the kill was counted by the process that is gone.
        let now = metric("faregate_call_records_total").await;
        let all = 30_010.0 - dropped;
        (now - all).abs() <= stored.max(10.0) && metric("faregate_lost_call_records_total").await > 0.0
    })
    .await;
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ledgers_on_postgresql_share_one_log() {
    let Some(server) = Postgres::start().await else { return };
    let environment = server.environment();
    let mut world =
        World::start(Setup { gateways: 2, ledgers: 2, config: rules(), environment, ..Setup::default() })
            .await;
    let key = world.ledger.account("acme", "100000").await;
    for _ in 0..3 {
        let counts = flood(&world.gateways, &key, 400, 8).await;
        assert_eq!(counts.get(&200), Some(&400), "{counts:?}");
        world.replicas[0].restart().await;
    }
    eventually("all are stored", Duration::from_secs(40), async || {
        recorded(&world.ledger).await.len() == 1_200
    })
    .await;
    assert_eq!(recorded(&world.replicas[0]).await, recorded(&world.ledger).await);
    let gateways: BTreeSet<String> = world.ledger.get("/admin/v1/calls?limit=1000").await["calls"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|call| call["gateway"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(gateways.len(), 2, "{gateways:?}");
    let one = recorded(&world.ledger).await.into_iter().next().expect("one");
    found(&world.replicas[0], &format!("request_id={one}"), 1).await;
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_days_are_removed_and_a_full_day_takes_no_more() {
    let serve = ["--keep-calls", "50", "--keep-calls-days", "2"];
    let mut world = World::start(Setup { config: rules(), serve: &serve, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100000").await;
    flood(&world.gateways, &key, 1, 1).await;
    found(&world.ledger, "", 1).await;
    let folder = find_calls(world.dir());
    std::fs::write(folder.join("2020-02-03.db"), "not a database").expect("a file");
    world.ledger.restart().await;
    eventually("the old day is gone", Duration::from_secs(20), async || {
        !folder.join("2020-02-03.db").exists()
    })
    .await;

    flood(&world.gateways, &key, 150, 4).await;
    eventually("the rest is counted", Duration::from_secs(20), async || {
        world.ledger.metric("faregate_lost_call_records_total").await >= 100.0
    })
    .await;
    found(&world.ledger, "", 50).await;

    // A file that is damaged costs its own records, and the log goes on.
    world.ledger.process.kill();
    let today = std::fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.path());
    for path in today {
        std::fs::write(&path, vec![b'x'; 8_192]).expect("a file");
    }
    world.ledger.restart().await;
    flood(&world.gateways, &key, 5, 1).await;
    found(&world.ledger, "", 5).await;
    assert!(
        std::fs::read_dir(&folder)
            .expect("a folder")
            .flatten()
            .any(|entry| entry.path().extension().is_some_and(|name| name == "unreadable"))
    );
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_taken_only_from_its_gateway_and_within_bounds() {
    let world = World::start(Setup { config: rules(), ..Setup::default() }).await;
    let ledger = &world.ledger;
    let url = format!("http://127.0.0.1:{}/gateway/v1/calls", ledger.gateway_port);
    let client = reqwest::Client::new();
    let send = async |token: &str, batch: &Value| {
        let answer = client.post(&url).bearer_auth(token).json(batch).send().await.expect("an answer");
        assert!(answer.headers().contains_key("x-faregate-ledger"));
        (answer.status().as_u16(), answer.text().await.unwrap_or_default())
    };
    let call = json!({"at_ms": 1, "duration_ms": 1, "rule": "a", "decision": "free", "later": "ignored"});
    let batch =
        json!({"protocol": 1, "gateway": "gw", "sender": "w", "number": 1, "now_ms": 5, "calls": [call]});
    let with = |member: &str, value: Value| {
        let mut batch = batch.clone();
        batch[member] = value;
        batch
    };
    let token = harness::GATEWAY_TOKEN;
    assert_eq!(send(token, &batch).await.0, 204);
    assert_eq!(send(token, &batch).await.0, 204, "again");
    found(ledger, "", 1).await;
    for (member, value, words) in [
        ("protocol", json!(9), "this ledger speaks 1"),
        ("number", json!(0), "numbered from 1"),
        ("gateway", json!(""), "must have 1 to 128"),
        (
            "calls",
            json!([{"at_ms": 1, "duration_ms": 1, "rule": "a", "decision": "free", "charge": -1}]),
            "calls[0].charge",
        ),
        (
            "calls",
            json!([{"at_ms": 1, "duration_ms": 1, "rule": "x".repeat(500), "decision": "free"}]),
            "calls[0].rule",
        ),
        ("calls", json!([{"at_ms": 1}]), "duration_ms"),
        (
            "calls",
            json!(vec![json!({"at_ms": 1, "duration_ms": 1, "rule": "a", "decision": "free"}); 4_097]),
            "too many",
        ),
    ] {
        let (status, said) = send(token, &with(member, value)).await;
        assert!(status == 400 && said.contains(words), "{member}: {status} {said}");
    }
    let large = json!({"protocol": 1, "gateway": "gw", "sender": "w", "number": 2, "now_ms": 5, "calls": [], "more": "x".repeat(300_000)});
    assert_eq!(send(token, &large).await.0, 413);
    assert_eq!(send("wrong", &with("number", json!(3))).await.0, 401);

    // A gateway that came with the token of its fleet is spoken for by no other.
    let fleet = |name: &str| {
        let made = ledger.run(&["gateway-token", "create", name, "--json"]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        made["token"].as_str().expect("a token").to_owned()
    };
    let (own, other) = (fleet("east"), fleet("west"));
    let exchange = json!({"protocol": 3, "gateway": "gw-east", "entries": []});
    let exchanged = client
        .post(format!("http://127.0.0.1:{}/gateway/v1/exchange", ledger.gateway_port))
        .bearer_auth(&own)
        .json(&exchange)
        .send()
        .await
        .expect("an answer");
    assert_eq!(exchanged.status(), 200);
    let of_east =
        json!({"protocol": 1, "gateway": "gw-east", "sender": "e", "number": 1, "now_ms": 5, "calls": []});
    eventually("the tie is known", Duration::from_secs(10), async || send(&other, &of_east).await.0 == 403)
        .await;
    assert_eq!(send(token, &of_east).await.0, 403);
    assert_eq!(send(&own, &of_east).await.0, 204);
}
