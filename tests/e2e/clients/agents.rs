//! Clients of MCP. A refused call of a tool is an error with a code to the program that runs the agent; or, where the rule says
//! so, a result that the model itself reads.

use super::{DETAIL, is_caught_as, refusals_are, setup};
use harness::{Clients, Setup, World};
use reqwest::header::{HeaderName, HeaderValue};
use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use std::time::Duration;

/// What costs nothing: to ask what there is, and to listen.
fn tools() -> Setup<'static> {
    let mut setup = setup();
    setup.config["rules"] = json!([
        {"match": {"methods": ["GET", "DELETE"]}, "price": "free"},
        {"match": {"headers": [{"name": "mcp-method", "exact": "server/discover"}]}, "price": "free"},
        {"match": {"path": {"exact": "/mcp-result"}}, "price": "1", "error_format": "mcp_result"}
    ]);
    setup
}

/// A call of a tool by the client in Rust, reported as the scripts report theirs.
async fn in_rust(world: &World, key: &str, endpoint: &str) -> Value {
    let header = (HeaderName::from_static("x-api-key"), HeaderValue::from_str(key).expect("a header"));
    let config = StreamableHttpClientTransportConfig::with_uri(world.gate().url(endpoint))
        .custom_headers([header].into_iter().collect());
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let transport = StreamableHttpClientTransport::from_config(config);
    let client = ().serve_with_lifecycle(transport, lifecycle).await.expect("a connection");
    let call = client.call_tool(CallToolRequestParams::new("forecast"));
    match tokio::time::timeout(Duration::from_secs(20), call).await.expect("an answer to its number") {
        Ok(result) => json!({"error": null, "result": result}),
        Err(ServiceError::McpError(why)) => {
            json!({"error": ["McpError"], "code": why.code, "message": why.message, "data": why.data})
        }
        Err(why) => json!({"error": [why.to_string()]}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_learn_what_is_missing_at_their_first_unpaid_call() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::start(tools()).await;
    let broke = world.ledger.account("broke", "0").await;
    let endpoint = [("ENDPOINT", "/mcp"), ("PROTOCOL", "2026-07-28")];

    for said in
        [clients.run("mcp_client.py", world.gate(), &broke, &endpoint), in_rust(&world, &broke, "/mcp").await]
    {
        assert!(is_caught_as(&said, "MCPError") || is_caught_as(&said, "McpError"), "{said}");
        assert_eq!((&said["code"], &said["message"]), (&json!(402), &json!(DETAIL)));
        assert_eq!(said["data"]["code"], "insufficient_funds");
        assert_eq!(said["data"]["remedies"][0]["action"], "top_up");
    }

    // Those in JavaScript leave a status that isn't 2xx to HTTP: the error carries it, and the whole answer as text.
    let said = clients.run("mcp_client.mjs", world.gate(), &broke, &endpoint);
    assert!(is_caught_as(&said, "SdkHttpError"), "{said}");
    assert_eq!(said["data"]["status"], 402);
    let body: Value = serde_json::from_str(said["data"]["text"].as_str().expect("a text")).expect("JSON");
    assert_eq!(
        (&body["error"]["code"], &body["error"]["data"]["code"]),
        (&json!(402), &json!("insufficient_funds"))
    );
    refusals_are(&world, 3).await;

    // Two credits pay for the two messages of the handshake.
    let two = world.ledger.account("two", "2").await;
    let said = clients.run("mcp_client_v1.mjs", world.gate(), &two, &endpoint);
    assert!(is_caught_as(&said, "StreamableHTTPError"), "{said}");
    assert_eq!(said["code"], 402);
    let body = said["message"].as_str().and_then(|text| Some(&text[text.find('{')?..])).expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((&body["id"], &body["error"]["data"]["code"]), (&json!(1), &json!("insufficient_funds")));
    refusals_are(&world, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_reads_the_refusal_as_a_tool_result_if_the_rule_says_so() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::start(tools()).await;
    let broke = world.ledger.account("broke", "0").await;
    let two = world.ledger.account("two", "2").await;
    let endpoint = [("ENDPOINT", "/mcp-result"), ("PROTOCOL", "2026-07-28")];
    for said in [
        clients.run("mcp_client.py", world.gate(), &broke, &endpoint),
        clients.run("mcp_client.mjs", world.gate(), &broke, &endpoint),
        clients.run("mcp_client_v1.mjs", world.gate(), &two, &endpoint),
        in_rust(&world, &broke, "/mcp-result").await,
    ] {
        assert_eq!((&said["error"], &said["result"]["isError"]), (&Value::Null, &json!(true)), "{said}");
        assert_eq!(said["result"]["content"][0]["text"], DETAIL);
        assert_eq!(said["result"]["structuredContent"]["code"], "insufficient_funds");
    }
    refusals_are(&world, 4).await;

    // Who can't pay for the handshake has called no tool: a result would pass for the answer to `initialize`.
    let said = clients.run("mcp_client_v1.mjs", world.gate(), &broke, &endpoint);
    assert!(is_caught_as(&said, "StreamableHTTPError"), "{said}");
    assert_eq!((&said["code"], &said["result"]), (&json!(402), &Value::Null), "{said}");
    refusals_are(&world, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paying_agent_gets_the_tool_result() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::start(tools()).await;
    let rich = world.ledger.account("rich", "10").await;
    let endpoint = [("ENDPOINT", "/mcp"), ("PROTOCOL", "2026-07-28")];
    for said in [
        clients.run("mcp_client.py", world.gate(), &rich, &endpoint),
        clients.run("mcp_client.mjs", world.gate(), &rich, &endpoint),
        clients.run("mcp_client_v1.mjs", world.gate(), &rich, &endpoint),
        in_rust(&world, &rich, "/mcp").await,
    ] {
        assert_eq!(
            (&said["error"], &said["result"]["content"][0]["text"]),
            (&Value::Null, &json!("sunny")),
            "{said}"
        );
    }
}
