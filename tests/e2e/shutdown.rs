//! Orderly shutdown: unused credits are returned at once, and no sale is lost.

use harness::{Process, Setup, World, binary, eventually, filter, free_port, get};
use std::process::Command;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_drained_before_its_stop_leaves_no_held_credits() {
    let mut world = World::start(Setup { serve: &["--lease-ttl", "300s"], ..Setup::default() }).await;
    let key = world.ledger.account("acme", "1000").await;
    for _ in 0..7 {
        assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 200);
    }
    assert_ne!(world.ledger.balance("acme", "held").await, "0");

    // What a preStop hook does: no new connections, and hand back what is unused.
    assert!(world.gate().post("/drain_listeners?graceful&skip_exit").await);
    world.ledger.run(&["recall"]);
    // After 5 s without use it would be, too.
    eventually("everything is handed back", Duration::from_secs(4), async || {
        world.ledger.balance("acme", "held").await == "0"
    })
    .await;
    assert_eq!(world.gateways[0].process.stop(), Some(0));

    assert_eq!(world.ledger.balance("acme", "spent").await, "7");
    assert_eq!(world.ledger.balance("acme", "available").await, "993");
    assert!(world.ledger.run(&["leases"]).contains("at risk: 0"));
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn up_returns_all_credits_when_it_is_stopped_and_keeps_its_data() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let data = dir.path().join("data");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--data").arg(&data);
        harness::out_of(&mut command)
    };
    let port = free_port();
    let start = || {
        let mut command = Command::new(binary());
        command.args(["up", "--portal", "--listen", &format!("127.0.0.1:{port}")]).arg("--data").arg(&data);
        command.arg("--filter").arg(filter()).env("ENVOY", harness::envoy());
        Process::start("faregate up", &mut command, &dir.path().join("up.log"))
    };
    let call = async |key: &str| {
        let client = reqwest::Client::new();
        let answer =
            client.get(format!("http://127.0.0.1:{port}/hello")).header("x-api-key", key).send().await;
        answer.map_or(0, |answer| answer.status().as_u16())
    };

    let mut up = start();
    eventually("the gate is open", Duration::from_secs(30), async || call("none").await == 401).await;
    let key = std::fs::read_to_string(data.join("demo-key")).expect("the first run's key");
    for _ in 0..2 {
        assert_eq!(call(key.trim()).await, 200);
    }
    assert_eq!(up.stop(), Some(0), "{}", up.output());
    assert!(up.output().contains("GET /hello"), "a line per request: {}", up.output());

    let mut up = start();
    eventually("the gate is open again", Duration::from_secs(30), async || call("none").await == 401).await;
    eventually("the portal's address is printed", Duration::from_secs(30), async || {
        up.output().contains("As the customer: http://127.0.0.1:")
    })
    .await;
    let (_, link) = run(&["portal", "link", "demo", "--json"]);
    let link: serde_json::Value = serde_json::from_str(&link).expect("JSON");
    let page = reqwest::get(link["url"].as_str().expect("an address")).await.expect("an answer");
    assert_eq!(page.status(), 200, "{link}");
    let (_, balance) = run(&["balance", "demo", "--json"]);
    assert!(balance.contains("\"available\": \"3\"") || balance.contains("\"available\":\"3\""), "{balance}");
    assert!(balance.contains("\"held\": \"0\"") || balance.contains("\"held\":\"0\""), "{balance}");
    let (clean, said) = run(&["audit"]);
    assert!(clean, "{said}");
    assert_eq!(call(key.trim()).await, 200);
    assert_eq!(up.stop(), Some(0), "{}", up.output());
}
