//! The administrative commands against a real ledger on a free port.

use super::faregate;
use faregate_client::Failure;
use faregate_ledger::{Database, Secret, ServeConfig, serve_and_tell};
use serde_json::Value;
use std::time::Duration;
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};

const TOKEN: &str = "an-admin-token-for-tests";

/// A running ledger with its data directory, as `faregate up` leaves it for other commands.
struct Ledger {
    folder: tempfile::TempDir,
    runtime: Runtime,
    task: Option<JoinHandle<anyhow::Result<()>>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Ledger {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let free = "127.0.0.1:0".parse().unwrap();
        let config = ServeConfig {
            database: Database::Directory(folder.path().to_owned()),
            gateway_listen: free,
            admin_listen: free,
            gateway_tls: None,
            admin_tls: None,
            gateway_token: Secret::new("a-gateway-token-for-tests"),
            admin_token: Secret::new(TOKEN),
            lease_ttl: Duration::from_secs(20),
            lease_grace: Duration::from_secs(10),
        };
        let (tell, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = runtime.spawn(serve_and_tell(config, tell, async move {
            let _ = stopped.await;
        }));
        let bound = runtime.block_on(started).expect("the ledger starts");
        std::fs::write(folder.path().join("admin-url"), format!("http://{}\n", bound.admin)).unwrap();
        std::fs::write(folder.path().join("admin-token"), TOKEN).unwrap();
        Self { folder, runtime, task: Some(task), stop: Some(stop) }
    }

    fn run(&self, line: &str) -> Result<String, Failure> {
        let data = self.folder.path().to_str().unwrap();
        let words: Vec<&str> = line.split(' ').chain(["--data", data]).collect();
        faregate(&words)
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.run(&format!("--json {line}")).unwrap()).unwrap()
    }

    fn refused(&self, line: &str) -> Failure {
        self.run(line).expect_err(line)
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            self.runtime.block_on(task).unwrap().unwrap();
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

#[test]
fn an_account_gets_a_key_and_credits() {
    let mut ledger = Ledger::start();
    let account = ledger.run("account create demo --name Demo").unwrap();
    assert!(account.contains("id          demo") && account.contains("state       active"), "{account}");

    let key = ledger.run("key create demo --note laptop --expires 30d").unwrap();
    assert!(key.contains("fg_live_") && key.contains("shown this once"), "{key}");
    let keys = ledger.run("key list demo").unwrap();
    assert!(keys.starts_with("ID ") && keys.contains("laptop") && keys.lines().count() == 2, "{keys}");

    let granted = ledger.run("grant demo 5 --priority 10").unwrap();
    assert!(granted.starts_with("granted 5 to demo ("), "{granted}");
    assert_eq!(ledger.json("balance demo")["available"], "5");
    let balance = ledger.run("balance demo").unwrap();
    assert!(balance.contains("available  5  to spend"), "{balance}");

    assert!(ledger.run("usage demo").unwrap().contains("total: 0 requests"));
    assert!(ledger.run("leases").unwrap().contains("at risk: 0"));
    assert!(ledger.run("recall").unwrap().contains("0 leases"));
    assert!(ledger.run("audit").unwrap().starts_with("ok: "));
    ledger.stop();
}

#[test]
fn an_account_is_suspended_resumed_and_closed() {
    let ledger = Ledger::start();
    ledger.run("account create a").unwrap();
    ledger.run("account create b").unwrap();
    assert_eq!(ledger.json("account suspend a")["state"], "suspended");
    assert_eq!(ledger.json("account resume a")["state"], "active");
    assert_eq!(ledger.json("account close a")["state"], "closed");
    assert_eq!(ledger.refused("account resume a").status, Some(409));
    let page = ledger.run("account list --limit 1").unwrap();
    assert!(page.contains("closed") && page.contains("(more: --after a)"), "{page}");
    assert!(ledger.run("account list --after a").unwrap().contains('b'));
}

#[test]
fn revoking_a_key_prints_a_confirmation() {
    let ledger = Ledger::start();
    ledger.run("account create a").unwrap();
    let key = ledger.json("key create a --subject user-1");
    assert_eq!(key["subject"], "user-1");
    let id = key["id"].as_str().unwrap();
    assert_eq!(ledger.run(&format!("key revoke {id}")).unwrap(), format!("{id} is revoked\n"));
}

#[test]
fn a_write_repeated_with_its_idempotency_key_is_applied_once() {
    let ledger = Ledger::start();
    ledger.run("account create a").unwrap();
    let first = ledger.json("grant a 5 --idempotency-key invoice-7");
    assert_eq!(ledger.json("grant a 5 --idempotency-key invoice-7"), first);
    assert_eq!(ledger.json("balance a")["granted"], "5");
    let reused = ledger.refused("grant a 6 --idempotency-key invoice-7");
    assert_eq!(reused.code, "idempotency_key_reused");
    assert!(reused.cure.is_some());
}

#[test]
fn rejected_requests_name_the_field_and_the_fix() {
    let ledger = Ledger::start();
    ledger.run("account create a").unwrap();
    for amount in ["-1", "1e9", "0.0000001", "9223372036854775807", "0"] {
        let refused = ledger.refused(&format!("grant a {amount}"));
        assert_eq!(
            (refused.status, refused.field.as_deref()),
            (Some(400), Some("amount")),
            "{amount}: {refused}"
        );
    }
    let missing = ledger.refused("balance missing");
    assert_eq!(missing.status, Some(404));
    assert!(missing.cure.unwrap().contains("account list"));
    assert!(ledger.refused("key create a --expires tomorrow").detail.contains("--expires"));

    std::fs::write(ledger.folder.path().join("admin-token"), "another-token-than-that").unwrap();
    let stranger = ledger.refused("account list");
    assert_eq!(stranger.status, Some(401));
    assert!(stranger.cure.unwrap().contains("FAREGATE_ADMIN_TOKEN"));
}

#[test]
fn an_unreachable_ledger_is_reported_with_a_fix() {
    let mut ledger = Ledger::start();
    ledger.stop();
    let refused = ledger.refused("grant a 5");
    assert_eq!(refused.code, "unreachable");
    let cure = refused.cure.unwrap();
    assert!(cure.contains("faregate serve") && cure.contains("--idempotency-key"), "{cure}");
    assert_eq!(ledger.refused("account list --server ftp://x").code, "usage");
}

#[test]
fn prices_are_set_listed_shown_and_removed() {
    let ledger = Ledger::start();
    let set = "prices set openai/gpt-5 --input 1.25 --cache-read 0.125 --output 10 --search 0.01";
    assert_eq!(ledger.run(set).unwrap(), "openai/gpt-5 is set\n");
    assert_eq!(ledger.run(set).unwrap(), "openai/gpt-5 costs that already\n");
    let later = "prices set openai/gpt-5 --input 2 --output 12 --valid-from 2099-01-01T00:00:00Z";
    assert_eq!(ledger.json(later)["changed"], 1);
    let file = ledger.folder.path().join("prices.json");
    let text = r#"{"input": "3", "output": "15", "above": [{"input_tokens": 200000, "input": "6"}], "service": {"batch": {"input": "1"}}}"#;
    std::fs::write(&file, text).unwrap();
    ledger.run(&format!("prices set sonnet --file {}", file.display())).unwrap();

    let table = ledger.run("prices list").unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0].join(" "), "MODEL INPUT CACHE READ CACHE WRITE OUTPUT MORE VALID FROM");
    assert_eq!(rows[1][..6].join(" "), "openai/gpt-5 1.25 0.125 - 10 search");
    assert_eq!(rows[2].join(" "), "openai/gpt-5 2 - - 12 - 2099-01-01T00:00:00Z");
    assert!(table.contains("1 tier, batch"), "{table}");
    let first = ledger.run("prices list --limit 1").unwrap();
    assert!(first.contains("(more: --after ") && first.contains("openai/gpt-5)"), "{first}");
    assert_eq!(ledger.run("prices list --after openai/gpt-5").unwrap().lines().count(), 2);
    let shown = ledger.run("prices show sonnet").unwrap();
    assert!(
        shown.contains("  input  3\n") && shown.contains("  above 200000 input tokens\n    input  6\n"),
        "{shown}"
    );

    let removed = ledger.run("prices remove openai/gpt-5 --from 2098-01-01T00:00:00Z").unwrap();
    assert_eq!(removed, "1 version of the prices of openai/gpt-5 removed\n");
    assert_eq!(ledger.json("prices remove openai/gpt-5")["removed"], 1);
    let gone = ledger.refused("prices show openai/gpt-5");
    assert!(gone.status == Some(404) && gone.cure.as_deref().unwrap().contains("prices list"), "{gone}");
    for (line, why) in [
        ("prices set a --input -1", "input"),
        ("prices set a --input 1e9", "input"),
        ("prices set a", "no class has a price"),
        ("prices set a --input 1 --valid-from tomorrow", "--valid-from"),
        ("prices import nowhere.json --from litellm --margin 0", "--margin"),
        ("prices import nowhere.json --from litellm", "nowhere.json"),
    ] {
        let refused = ledger.refused(line);
        assert!(refused.detail.contains(why), "{line}: {refused}");
    }
    let odd = ledger.refused(&format!("prices set {} --input 1", "m".repeat(129)));
    assert_eq!((odd.status, odd.field.as_deref()), (Some(400), Some("id")), "{odd}");
}

#[test]
fn a_public_price_list_is_imported_and_what_it_cannot_price_is_shown() {
    let ledger = Ledger::start();
    let lists = concat!(env!("CARGO_MANIFEST_DIR"), "/../ledger/domain/price_import/tests");
    for (name, format, model) in [
        ("genai_prices", "genai-prices", "claude-fable-5"),
        ("litellm", "litellm", "gpt-6-rosalind"),
        ("models_dev", "models.dev", "claude-opus-4-6"),
    ] {
        let import = format!("prices import {lists}/{name}.json --from {format} --margin 1.2");
        let dry = ledger.run(&format!("{import} --dry-run")).unwrap();
        assert!(dry.contains(model) && dry.ends_with("(a dry run: nothing was set)\n"), "{dry}");
        let first = ledger.json(&import);
        let entries = first["entries"].as_u64().unwrap();
        assert!(first["changed"].as_u64().unwrap() > 0, "{first}");
        let again = ledger.json(&import);
        assert_eq!((again["changed"].as_u64(), again["unchanged"].as_u64()), (Some(0), Some(entries)));
        let said = ledger.run(&import).unwrap();
        assert!(said.ends_with(&format!("{entries} entries: 0 changed, {entries} unchanged\n")), "{said}");
        for skipped in first["skipped"].as_array().unwrap() {
            assert!(said.contains(skipped["why"].as_str().unwrap()), "{said}");
        }
    }
    assert_eq!(ledger.json("prices show claude-opus-4-6")["versions"].as_array().unwrap().len(), 1);
    let wrong = ledger.refused(&format!("prices import {lists}/litellm.json --from genai-prices"));
    assert!(wrong.detail.contains("litellm.json"), "{wrong}");
}

#[test]
fn prices_in_a_file_are_applied_once_and_exported() {
    let ledger = Ledger::start();
    let file = ledger.folder.path().join("prices.toml");
    let text = "[[prices]]\nmodel = \"openai/gpt-5\"\nprices = { input = \"1.25\", above = [{ input_tokens = 9, input = \"2\" }] }\n";
    std::fs::write(&file, text).unwrap();
    let apply = format!("apply {}", file.display());
    assert_eq!(ledger.run(&apply).unwrap(), "+ prices of openai/gpt-5\n= 0 unchanged\n");
    assert_eq!(ledger.run(&apply).unwrap(), "= 1 unchanged\n");
    let exported = ledger.run("export").unwrap();
    assert!(exported.contains("openai/gpt-5") && exported.contains("valid_from"), "{exported}");
    std::fs::write(&file, exported).unwrap();
    assert_eq!(ledger.run(&apply).unwrap(), "= 1 unchanged\n");
}

#[test]
fn usage_is_summed_by_model() {
    let ledger = Ledger::start();
    ledger.run("account create a").unwrap();
    let none = ledger.run("usage a --group model").unwrap();
    assert_eq!(none, "(none)\ntotal: 0 requests, 0 credits\n");
    assert_eq!(ledger.json("usage a --group tool")["items"].as_array().unwrap().len(), 0);
    assert_eq!(ledger.refused("usage missing --group model").status, Some(404));
}
