//! Calls of tools that were sold too cheaply, twice, or not at all.

use crate::models::{got, setup};
use harness::{Answering, Scripted, World, eventually, patient};
use serde_json::{Value, json};
use std::time::Duration;

/// A gate with prices for tools before a server that answers to the byte as a story says.
struct Tools {
    world: World,
    api: Scripted,
}

impl Tools {
    async fn start() -> Self {
        let api = Scripted::start().await;
        let mut config = patient();
        config["request_bodies"] = json!(true);
        config["rules"] = json!([
            {"name": "tools", "match": {"path": {"prefix": "/mcp"}}, "meter": {"mcp": {"cheap": "0.1", "dear": "5"}, "other": "1"}},
            {"name": "agent", "match": {"path": {"prefix": "/a2a"}}, "meter": {"a2a": "2"}}
        ]);
        Self { world: World::start(setup(config, api.port)).await, api }
    }

    /// A request on an account of its own. Returns the status.
    async fn ask(&self, account: &str, path: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        let key = self.world.ledger.account(account, "10").await;
        let mut request = reqwest::Client::new().post(self.world.gate().url(path)).header("x-api-key", key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let got = got(request.header("content-type", "application/json").body(body.to_owned())).await;
        got.status
    }

    /// Asserts what accounts have spent, once nothing is held.
    async fn have_spent(&self, expected: &[(String, &str)]) {
        self.world.ledger.nothing_is_held().await;
        self.world.ledger.audit().await;
        for (account, spent) in expected {
            assert_eq!(self.world.ledger.balance(account, "spent").await, *spent, "{account}");
        }
    }
}

fn call(tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {"name": "cheap"}}})
}

/// A result with this besides.
fn result(members: &Value) -> Answering {
    let mut result = json!({"content": [{"type": "text", "text": "done"}]});
    for (name, value) in members.as_object().expect("members") {
        result[name] = value.clone();
    }
    Answering::json(&json!({"jsonrpc": "2.0", "id": 1, "result": result}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_readers_may_take_differently_is_refused() {
    let tools = Tools::start().await;
    tools.api.answers(result(&json!({})));
    let dear = call("dear").to_string();
    let version = ("mcp-protocol-version", "2026-07-28");
    let refused: &[(&[(&str, &str)], String)] = &[
        // A cheap name before or behind the dear one.
        (&[], dear.replace(r#""name":"dear""#, r#""name":"cheap","name":"dear""#)),
        (&[], dear.replace(r#""name":"dear""#, r#""name":"dear","n\u0061me":"cheap""#)),
        (&[], dear.replace(r#""name":"dear""#, r#""name":"dear","Name":"cheap""#)),
        (&[], dear.replace(r#""method":"#, r#""method":"tools/list","method":"#)),
        (&[], json!([call("cheap"), call("dear")]).to_string()),
        (&[], format!("{} {dear}", call("cheap"))),
        // Headers that say something else, nothing, or two things.
        (&[version, ("mcp-method", "tools/call"), ("mcp-name", "cheap")], dear.clone()),
        (&[version, ("mcp-method", "tools/list")], dear.clone()),
        (&[version], dear.clone()),
        (&[version, ("mcp-method", "tools/call"), ("mcp-name", "dear"), ("mcp-name", "cheap")], dear.clone()),
        (&[version, ("mcp-method", "tools/call"), ("mcp-name", "=?base64?Y2hlYXA=?=")], dear.clone()),
        (&[version, ("mcp-method", "tools/call"), ("mcp-name", "dear")], json!([call("dear")]).to_string()),
    ];
    for (number, (headers, body)) in refused.iter().enumerate() {
        let status = tools.ask(&format!("refused-{number}"), "/mcp", headers, body).await;
        assert_eq!(status, 400, "{headers:?} {body}");
    }
    assert_eq!(tools.api.got().len(), 0);
    let headers = [version, ("mcp-method", "tools/call"), ("mcp-name", "=?base64?ZGVhcg==?=")];
    assert_eq!(tools.ask("same", "/mcp", &headers, &dear).await, 200);
    assert_eq!(tools.ask("alone", "/mcp", &[], &json!([call("dear")]).to_string()).await, 200);
    tools.have_spent(&[("same".into(), "5"), ("alone".into(), "5"), ("refused-0".into(), "0")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_without_a_price_is_neither_free_nor_refused() {
    let tools = Tools::start().await;
    tools.api.answers(result(&json!({})));
    let other = |method: &str| json!({"jsonrpc": "2.0", "id": 1, "method": method}).to_string();
    let mut expected = Vec::new();
    for (number, (body, spent)) in [
        (call("unlisted").to_string(), "1"),
        (call("DEAR").to_string(), "1"),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call"}).to_string(), "1"),
        (other("some/new-method"), "1"),
        // Without an id a server may carry it out all the same.
        (json!({"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "dear"}}).to_string(), "5"),
        (other("tools/list"), "0"),
        (other("ping"), "0"),
    ]
    .into_iter()
    .enumerate()
    {
        let account = format!("account-{number}");
        assert_eq!(tools.ask(&account, "/mcp", &[], &body).await, 200, "{body}");
        expected.push((account, spent));
    }
    tools.have_spent(&expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_result_that_asks_for_input_is_free_and_no_text_makes_it_so() {
    let tools = Tools::start().await;
    let asks = json!({"resultType": "input_required"});
    let text = asks.to_string();
    let notice = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"resultType": "input_required", "error": {}}});
    let whole = |result: Value| json!({"jsonrpc": "2.0", "id": 1, "result": result}).to_string();
    let done = whole(json!({"content": [], "isError": false}));
    let error =
        json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32_603, "message": "broken"}}).to_string();
    let mut expected = Vec::new();
    for (number, (answer, spent)) in [
        (result(&json!({})), "5"),
        (result(&asks), "0"),
        (result(&asks).in_pieces_of(1), "0"),
        (result(&json!({"content": [{"type": "text", "text": text, "resultType": "input_required"}]})), "5"),
        (result(&json!({"structuredContent": {"resultType": "input_required", "error": {"code": 1}}})), "5"),
        (result(&json!({"_meta": {"resultType": "input_required"}, "resultType": "complete"})), "5"),
        (result(&json!({"isError": true})), "5"),
        (Answering::of("application/json", error.clone()), "0"),
        (Answering::of("application/json", error).status(400), "0"),
        (Answering::events([notice.to_string().as_str(), done.as_str()]), "5"),
        (Answering::events([notice.to_string().as_str(), whole(asks.clone()).as_str()]), "0"),
        // The call arrived, and how it went is unknown.
        (Answering::events([notice.to_string().as_str()]).cut(), "5"),
        (Answering::of("text/plain", "what?"), "5"),
    ]
    .into_iter()
    .enumerate()
    {
        let account = format!("account-{number}");
        tools.api.answers(answer);
        tools.ask(&account, "/mcp", &[], &call("dear").to_string()).await;
        expected.push((account, spent));
    }
    tools.have_spent(&expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_pays_for_the_call_that_it_began() {
    let tools = Tools::start().await;
    tools.api.answers(result(&json!({})).after(Duration::from_secs(30)));
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": {"message": {}}});
    for (number, (path, body)) in [("/mcp", call("dear")), ("/a2a", message)].into_iter().enumerate() {
        let key = tools.world.ledger.account(&format!("account-{number}"), "10").await;
        let request = reqwest::Client::new().post(tools.world.gate().url(path)).header("x-api-key", key);
        let request = tokio::spawn(request.body(body.to_string()).send());
        eventually("the call has arrived", Duration::from_secs(20), async || {
            tools.api.got().len() == number + 1
        })
        .await;
        request.abort();
    }
    tools.have_spent(&[("account-0".into(), "5"), ("account-1".into(), "2")]).await;
}
