//! A client of A2A's SDK talks to an agent of the same SDK through a metered rule, by JSON-RPC and REST, in either version.

use super::super::{is_caught_as, setup};
use super::{carried_out, serve};
use harness::{Clients, Process, Setup, World, free_port, patient};
use serde_json::{Value, json};

/// How a client talks to its agent, and which calls that has: version 0.3 can't list tasks.
const WAYS: [(&str, &str, &str); 4] = [
    ("JSONRPC", "1.0", "send stream get list impossible"),
    ("HTTP+JSON", "1.0", "send stream get list impossible"),
    ("JSONRPC", "0.3", "send stream get get impossible"),
    ("HTTP+JSON", "0.3", "send stream get get impossible"),
];

/// An agent behind a gate, whose messages cost 2 credits.
struct Agent {
    world: World,
    port: u16,
    clients: Clients,
    _server: Process,
}

impl Agent {
    /// `None` where the clients aren't installed.
    async fn start() -> Option<Self> {
        let clients = Clients::installed()?;
        let port = free_port();
        let mut setup = Setup { upstream: Some(port), ..setup() };
        setup.config["ledger"] = patient()["ledger"].clone();
        setup.config["rules"] =
            json!([{"name": "agent", "match": {"path": {"prefix": "/a2a"}}, "meter": {"a2a": "2"}}]);
        let world = World::start(setup).await;
        let server = serve(&clients, "a2a_server.py", port, &[("GATE", &world.gate().url(""))]).await;
        Some(Self { world, port, clients, _server: server })
    }

    fn call(&self, binding: &str, protocol: &str, key: &str, calls: &str) -> Value {
        let more = [("BINDING", binding), ("PROTOCOL", protocol), ("CALLS", calls)];
        self.clients.run("metered_a2a.py", self.world.gate(), key, &more)
    }

    /// Waits until an account has spent so much, and asserts that it stays so.
    async fn spent(&self, account: &str, amount: &str) {
        self.world.ledger.balance_becomes(account, "spent", amount).await;
        self.world.ledger.nothing_is_held().await;
        assert_eq!(self.world.ledger.balance(account, "spent").await, amount, "{account}");
        self.world.ledger.audit().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_cost_their_price_and_cards_and_tasks_are_free() {
    let Some(agent) = Agent::start().await else { return };
    for (number, (binding, protocol, calls)) in WAYS.into_iter().enumerate() {
        let account = format!("account-{number}");
        let key = agent.world.ledger.account(&account, "10").await;
        let said = agent.call(binding, protocol, &key, calls);
        let way = format!("{binding} {protocol}: {said}");
        let calls = &said["calls"];
        assert_eq!(said["name"], "a story's agent", "{way}");
        assert_eq!(calls[0]["events"], json!(["task"]), "{way}");
        assert_eq!(
            calls[1]["events"],
            json!(["task", "status_update", "artifact_update", "status_update"]),
            "{way}"
        );
        assert_eq!(calls[2]["artifact"], "done", "{way}");
        assert!(is_caught_as(&calls[4], "A2AError"), "{way}");
        // Two messages; the one that is an error costs nothing.
        agent.spent(&account, "4").await;
    }
    assert_eq!(carried_out(agent.port).await["messages"], json!(2 * WAYS.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_credits_gets_its_own_error_and_can_still_read_its_tasks() {
    let Some(agent) = Agent::start().await else { return };
    for (number, (binding, protocol, _)) in WAYS.into_iter().enumerate() {
        let account = format!("account-{number}");
        let key = agent.world.ledger.account(&account, "3").await;
        let said = agent.call(binding, protocol, &key, "send stream send get");
        let way = format!("{binding} {protocol}: {said}");
        for call in [&said["calls"][1], &said["calls"][2]] {
            assert!(is_caught_as(call, "A2AError"), "{way}");
            // The SDK shows the status; it leaves the body of such an answer aside.
            assert!(call["message"].as_str().is_some_and(|text| text.contains("402")), "{way}");
        }
        assert_eq!(said["calls"][3]["artifact"], "done", "{way}");
        agent.spent(&account, "2").await;
    }
    assert_eq!(carried_out(agent.port).await["messages"], json!(WAYS.len()));
}
