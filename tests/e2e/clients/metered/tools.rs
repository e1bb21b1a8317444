//! MCP clients of three makers call tools of an SDK's server through a metered rule, in either generation of the protocol.
//!
//! What must hold: what an account has spent is exactly the sum of the prices of the calls that were carried out.

use super::super::{is_caught_as, setup};
use super::{carried_out, serve};
use harness::{Clients, Process, Setup, World, eventually, free_port};
use serde_json::{Value, json};
use std::time::Duration;

/// A client, and the protocol that it is asked to speak.
const CALLERS: [(&str, &str); 5] = [
    ("metered_mcp.py", "2026-07-28"),
    ("metered_mcp.py", "legacy"),
    ("metered_mcp.mjs", "2026-07-28"),
    ("metered_mcp.mjs", "legacy"),
    ("metered_mcp_v1.mjs", "legacy"),
];

/// The protocol that a client should speak then.
fn version(protocol: &str) -> &str {
    if protocol == "legacy" { "2025-11-25" } else { protocol }
}

/// A server of tools behind a gate.
struct Tools {
    world: World,
    port: u16,
    clients: Clients,
    _server: Process,
}

impl Tools {
    /// `None` where the clients aren't installed.
    async fn start(is_json: &str) -> Option<Self> {
        let clients = Clients::installed()?;
        let port = free_port();
        let prices = json!({
            "search": "0.5", "report-*": "3", "forecast": "2", "fails": "0.25", "broken": "7", "help": "free"
        });
        let mut setup = Setup { upstream: Some(port), ..setup() };
        setup.config["ledger"] = harness::patient()["ledger"].clone();
        setup.config["rules"] = json!([
            {"name": "tools", "match": {"path": {"exact": "/mcp"}}, "meter": {"mcp": prices, "other": "1"}}
        ]);
        let world = World::start(setup).await;
        let server = serve(&clients, "mcp_server.py", port, &[("JSON", is_json)]).await;
        Some(Self { world, port, clients, _server: server })
    }

    /// Makes these calls one after the other, and returns what came of each.
    fn call(&self, (script, protocol): (&str, &str), key: &str, tools: &str) -> Value {
        let said =
            self.clients.run(script, self.world.gate(), key, &[("PROTOCOL", protocol), ("TOOLS", tools)]);
        assert_eq!(said["version"], version(protocol), "{script}: {said}");
        said
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
async fn each_tool_costs_its_price_whichever_client_calls_it() {
    for is_json in ["yes", "no"] {
        let Some(tools) = Tools::start(is_json).await else { return };
        for (number, caller) in CALLERS.into_iter().enumerate() {
            let account = format!("account-{number}");
            let key = tools.world.ledger.account(&account, "20").await;
            // With answers as JSON a server can't ask within a call.
            let asks = is_json == "no" || caller.1 != "legacy";
            let forecast = if asks { "forecast" } else { "report-sales" };
            let all = format!("- search report-sales {forecast} search fails broken nothing help -");
            let said = tools.call(caller, &key, &all);

            let texts: Vec<&str> = said["calls"]
                .as_array()
                .expect("calls")
                .iter()
                .filter_map(|call| call["text"].as_str())
                .collect();
            let third = if asks { "sunny in Oslo on Monday" } else { "sold" };
            assert_eq!(texts[..4], ["found it", "sold", third, "found it"], "{caller:?}: {said}");
            assert!(texts[4].contains("out of order") && texts[5].contains("nothing"), "{caller:?}: {said}");
            assert_eq!(texts[6], "helped", "{caller:?}: {said}");
            let calls = &said["calls"];
            assert_eq!(
                (&calls[0], &calls[0]["tools"][2]),
                (&calls[9], &json!("forecast")),
                "{caller:?}: {said}"
            );
            assert_eq!(calls[6]["code"], -32_050, "{caller:?}: {said}");
            if asks {
                assert_eq!(said["asked"], json!(["Which city?", "Which day in Oslo?"]), "{caller:?}");
            }
            // 0.5 + 3 + 2 + 0.5, a failed tool for 0.25, and one that isn't there for 1.
            tools.spent(&account, if asks { "7.25" } else { "8.25" }).await;
        }
        let done = carried_out(tools.port).await;
        assert_eq!(
            (&done["search"], &done["help"], &done["fails"]),
            (&json!(10), &json!(5), &json!(5)),
            "{done}"
        );
        if is_json == "no" {
            assert_eq!((&done["forecast"], &done["report-sales"]), (&json!(5), &json!(5)), "{done}");
            let usage = || tools.world.ledger.get("/admin/v1/usage?group=item&account=account-0");
            eventually("all usage is reported", Duration::from_secs(30), async || {
                usage().await["total"]["requests"] == 6
            })
            .await;
            let usage = usage().await;
            let items = usage["items"].as_array().expect("items");
            let forecast = items.iter().find(|item| item["item"] == "forecast").expect("a line");
            assert_eq!((&forecast["requests"], &forecast["credits"]), (&json!(1), &json!("2")), "{usage}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_questions_is_sold_once_and_needs_its_price_once() {
    let Some(tools) = Tools::start("no").await else { return };
    for (number, caller) in CALLERS.into_iter().enumerate() {
        let account = format!("account-{number}");
        let key = tools.world.ledger.account(&account, "2").await;
        let said = tools.call(caller, &key, "forecast");
        assert_eq!(said["calls"][0]["text"], "sunny in Oslo on Monday", "{caller:?}: {said}");
        tools.spent(&account, "2").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_credits_gets_its_own_error_and_can_still_list_the_tools() {
    let Some(tools) = Tools::start("no").await else { return };
    for (number, caller) in CALLERS.into_iter().enumerate() {
        let account = format!("account-{number}");
        let key = tools.world.ledger.account(&account, "1").await;
        let said = tools.call(caller, &key, "search report-sales search search help -");
        let calls = said["calls"].as_array().expect("calls");
        for (call, detail) in [
            (&calls[1], "This request costs 3 credits; 0.5 are left."),
            (&calls[3], "This request costs 0.5 credits; 0 are left."),
        ] {
            refused(caller.0, call, detail);
        }
        assert_eq!((&calls[2]["text"], &calls[4]["text"]), (&json!("found it"), &json!("helped")), "{said}");
        assert_eq!(calls[5]["tools"].as_array().map(Vec::len), Some(6), "{said}");
        tools.spent(&account, "1").await;
    }
    let done = carried_out(tools.port).await;
    assert_eq!((&done["search"], &done["report-sales"]), (&json!(10), &Value::Null), "{done}");
}

/// Asserts that a client shows the refusal as it shows errors.
fn refused(script: &str, call: &Value, detail: &str) {
    let body = match script {
        "metered_mcp.py" => {
            assert!(is_caught_as(call, "MCPError"), "{call}");
            call.clone()
        }
        "metered_mcp.mjs" => {
            assert!(is_caught_as(call, "SdkHttpError"), "{call}");
            serde_json::from_str::<Value>(call["data"]["text"].as_str().expect("a text")).expect("JSON")["error"].clone()
        }
        _ => {
            assert!(is_caught_as(call, "StreamableHTTPError"), "{call}");
            let body =
                call["message"].as_str().and_then(|text| Some(&text[text.find('{')?..])).expect("a body");
            serde_json::from_str::<Value>(body).expect("JSON")["error"].clone()
        }
    };
    assert_eq!((&body["code"], &body["message"]), (&json!(402), &json!(detail)), "{script}: {call}");
    assert_eq!(body["data"]["code"], "insufficient_funds", "{script}: {call}");
}
