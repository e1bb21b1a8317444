//! The admin API answers as its description says, whatever it is asked: Schemathesis makes some thousand requests from the description,
//! valid and invalid.

use harness::{ADMIN_TOKEN, Clients, Setup, World};
use serde_json::json;

/// What requests are about, so that most of them reach something that is there.
const KNOWN: &str = r#"
[[operations]]
include-path-regex = "^/admin/v1/accounts/"
parameters = { "path.id" = "acme" }

[[operations]]
include-path-regex = "^/admin/v1/plans/"
parameters = { "path.id" = "pro" }

[[operations]]
include-path-regex = "^/admin/v1/prices/"
parameters = { "path.id" = "gpt-5" }
"#;

/// Answers are never a fault of the ledger, and have a status, a type and a body that the description knows.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_the_admin_api_is_as_its_description_says() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::start(Setup { gateways: 0, ..Setup::default() }).await;
    let ledger = &world.ledger;
    ledger.account("acme", "100").await;
    ledger.post("/admin/v1/accounts/acme/teams", json!({"id": "research"})).await;
    ledger.run(&["plan", "create", "pro", "--quota", "100", "--period", "month"]);
    ledger.run(&["subscribe", "acme", "pro"]);
    ledger.run(&["prices", "set", "gpt-5", "--input", "5", "--output", "25"]);
    clients.write("schemathesis.toml", KNOWN);

    let description = format!("http://127.0.0.1:{}/admin/v1/openapi.json", ledger.admin_port);
    let authorization = format!("Authorization: Bearer {ADMIN_TOKEN}");
    let (done, said) = clients.module(
        "schemathesis.cli",
        &[
            "--config-file",
            "schemathesis.toml",
            "--no-color",
            "run",
            &description,
            "--header",
            &authorization,
            "--phases",
            "examples,coverage,fuzzing",
            "--checks",
            CHECKS,
            "--max-examples",
            "15",
            "--seed",
            "1",
            "--workers",
            "2",
            "--continue-on-failure",
        ],
    );

    assert!(done, "{said}");
    let cases = said.lines().find(|line| line.trim_start().contains(" generated, "));
    let cases = cases.and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok());
    assert!(cases >= Some(1_000), "{cases:?} cases: {said}");
    ledger.audit().await;
}
