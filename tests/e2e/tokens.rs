//! The gateway token as it comes out of files, variables and configurations: both sides read the same, or refuse it by name.

use harness::{
    ADMIN_TOKEN, GATEWAY_TOKEN, Process, Setup, World, binary, envoy, envoy_config, eventually, filter,
    free_port, get, out_of,
};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// A VM that takes the token from Envoy's own environment, as operators have it.
fn from_envoys_environment() -> Value {
    json!({"vm_config": {
        "vm_id": "faregate", "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": filter()}},
        "environment_variables": {"host_env_keys": ["FAREGATE_GATEWAY_TOKEN"]}
    }})
}

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trailing_line_break_is_not_part_of_a_token_on_either_side() {
    for end in ["\n", "\r\n", ""] {
        let token = format!("{GATEWAY_TOKEN}{end}");
        let environment = vec![variable("FAREGATE_GATEWAY_TOKEN", &token)];
        let world =
            World::start(Setup { environment, plugin: from_envoys_environment(), ..Setup::default() }).await;
        let key = world.ledger.account("acme", "5").await;
        assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 200, "{end:?}");
    }
    // In the configuration itself, and an operator's.
    let ledger = json!({"cluster": "ledger", "authority": "ledger.test", "token": {"value": format!("{GATEWAY_TOKEN}\n")}});
    let environment = vec![variable("FAREGATE_ADMIN_TOKEN", &format!("{ADMIN_TOKEN}\n"))];
    let world =
        World::start(Setup { config: json!({"ledger": ledger}), environment, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "5").await;
    assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 200);
    world.ledger.balance_becomes("acme", "spent", "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_reads_a_kubernetes_secret_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("gateway");
    std::fs::write(&file, format!("{GATEWAY_TOKEN}\n")).expect("a file");
    let (gateway, admin) = (free_port(), free_port());
    let mut command = Command::new(binary());
    command.args(["serve", "--init", "--data"]).arg(dir.path().join("ledger"));
    command.args(["--gateway-listen", &format!("127.0.0.1:{gateway}")]);
    command.args(["--admin-listen", &format!("127.0.0.1:{admin}")]);
    command.env("FAREGATE_GATEWAY_TOKEN_FILE", &file).env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN);
    let ledger = Process::start("the ledger", &mut command, &dir.path().join("ledger.log"));
    let call = async || {
        let url = format!("http://127.0.0.1:{gateway}/gateway/v1/exchange");
        let message = json!({"protocol": 2, "gateway": "gw"});
        let answer = reqwest::Client::new().post(url).bearer_auth(GATEWAY_TOKEN).json(&message).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    };
    eventually("the ledger takes the token", Duration::from_secs(20), call).await;
    drop(ledger);
    for wrong in
        ["a token-with-a-blank", " a-token-with-a-blank", "two-line-breaks-here\n\n", "a-tab-\t-inside-it"]
    {
        let mut command = Command::new(binary());
        std::fs::write(&file, wrong).expect("a file");
        command.args(["serve", "--init", "--data"]).arg(dir.path().join("ledger"));
        let (good, said) = out_of(
            command.env("FAREGATE_GATEWAY_TOKEN_FILE", &file).env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN),
        );
        assert!(!good && said.contains("FAREGATE_GATEWAY_TOKEN_FILE") && said.contains("blanks"), "{said}");
        assert!(said.contains("openssl rand -hex 32") && !said.contains(wrong.trim()), "{said}");
    }
}

#[test]
fn envoy_rejects_a_token_that_no_header_can_carry_naming_the_variable() {
    let dir = tempfile::tempdir().expect("a folder");
    let says = |plugin: &Value, config: &Value, token: &str| {
        let filter_config = Setup { config: config.clone(), ..Setup::default() }.filter_config();
        let mut envoy_config = envoy_config(dir.path(), "token", (1, 2), (&[3], 4), &filter_config);
        let at = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config";
        for (name, value) in plugin.as_object().expect("an object") {
            envoy_config.pointer_mut(at).expect("the filter")[name] = value.clone();
        }
        let file = dir.path().join("envoy.json");
        std::fs::write(&file, envoy_config.to_string()).expect("a file");
        let mut command = Command::new(envoy());
        out_of(command.args(["--mode", "validate", "-c"]).arg(file).env("FAREGATE_GATEWAY_TOKEN", token))
    };
    let from_outside = from_envoys_environment();
    for wrong in ["a token-with-a-blank", " a-token", "a-token\n\n", "a-\ttoken", "\n"] {
        let (good, said) = says(&from_outside, &json!({}), wrong);
        let message = "ledger.token.env: found no token in the environment variable \"FAREGATE_GATEWAY_TOKEN\" in the VM; allowed is visible ASCII characters";
        assert!(!good && said.contains(message), "{wrong:?}: {said}");
        assert!(wrong == "\n" || !said.contains(wrong), "the token is not shown: {said}");
    }
    let (good, said) = says(&from_outside, &json!({}), "a-token-with-a-line-break\r\n");
    assert!(good, "{said}");
    let written = json!({"ledger": {"cluster": "ledger", "token": {"value": "a token"}}});
    let (good, said) = says(&json!({}), &written, "");
    assert!(
        !good && said.contains("ledger.token.value: found string; allowed is a string of 1 to 4096 visible"),
        "{said}"
    );
    let file = dir.path().join("filter.json");
    std::fs::write(&file, Setup { config: written, ..Setup::default() }.filter_config().to_string())
        .expect("a file");
    let (good, said) = out_of(Command::new(binary()).arg("check").arg(&file));
    assert!(!good && said.contains("ledger.token.value"), "{said}");
}
