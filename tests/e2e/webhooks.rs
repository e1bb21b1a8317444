//! Webhooks: events come to receivers that verify them with libraries of others, in order, whatever receivers do.

use super::docs::{blocks, page};
use super::wall_clock::build_shim;
use faregate_ledger::api::EventKind;
use harness::{
    Answering, Authority, Clients, LedgerProcess, Postgres, Received, Scripted, eventually, free_port, out_of,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

/// Far more than the half second in which a ledger looks for events, and the five in which it tries again.
const SOON: Duration = Duration::from_secs(60);
/// With receivers on this machine.
const PRIVATE: [&str; 1] = ["--webhook-allow-private"];

async fn ledger() -> (LedgerProcess, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    (LedgerProcess::start(dir.path(), &PRIVATE, &[]).await, dir)
}

/// Makes a webhook to a port of this machine; its identifier and its secret.
async fn webhook(ledger: &LedgerProcess, port: u16) -> (String, String) {
    let made =
        ledger.post("/admin/v1/webhooks", json!({"url": format!("http://127.0.0.1:{port}/in?a=1")})).await;
    let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("no {name} in {made}")).to_owned();
    (text("id"), text("secret"))
}

async fn show(ledger: &LedgerProcess, id: &str) -> Value {
    ledger.get(&format!("/admin/v1/webhooks/{id}")).await
}

fn event(received: &Received) -> Value {
    serde_json::from_slice(&received.body).expect("JSON")
}

/// The events that a receiver got, each once, as account and number.
fn got(receiver: &Scripted) -> Vec<(String, i64)> {
    let mut seen = BTreeSet::new();
    let all = receiver.got().iter().map(event).collect::<Vec<_>>();
    let fresh = all.iter().filter(|event| seen.insert(event["id"].to_string()));
    fresh
        .map(|event| {
            let number = event["sequence"].as_str().and_then(|text| text.parse().ok()).expect("a number");
            (event["subject"].as_str().expect("an account").to_owned(), number)
        })
        .collect()
}

/// Whether a receiver got so many events of each account, in order.
fn has_in_order(receiver: &Scripted, counts: &[(&str, i64)]) -> bool {
    let mut by_account = BTreeMap::<String, Vec<i64>>::new();
    for (account, number) in got(receiver) {
        by_account.entry(account).or_default().push(number);
    }
    let wanted: BTreeMap<String, Vec<i64>> =
        counts.iter().map(|(account, count)| ((*account).to_owned(), (1..=*count).collect())).collect();
    by_account == wanted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_read_and_verified_by_libraries_of_others() {
    let (ledger, _dir) = ledger().await;
    let receiver = Scripted::start().await;
    let (id, secret) = webhook(&ledger, receiver.port).await;
    ledger.account("acme", "5").await;
    eventually("the delivery", SOON, async || receiver.got().len() == 1).await;
    let rotated = ledger.run(&["--json", "webhook", "rotate-secret", &id, "--overlap", "1h"]);
    let rotated: Value = serde_json::from_str(&rotated).expect("JSON");
    let newer = rotated["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("whsec_") && newer.starts_with("whsec_") && newer != secret);
    ledger.grant("acme", "1").await;
    eventually("another delivery", SOON, async || receiver.got().len() == 2).await;

    // No secret is shown again, nor in the trail.
    let everywhere = [
        ledger.run(&["--json", "webhook", "show", &id]),
        ledger.run(&["--json", "webhook", "list"]),
        ledger.run(&["--json", "trail", "--full"]),
    ];
    for text in &everywhere {
        assert!(!text.contains(&secret) && !text.contains(&newer) && !text.contains("whsec_"), "{text}");
    }

    let Some(clients) = Clients::installed() else { return };
    for (received, secrets, amount) in
        [(&receiver.got()[0], vec![&secret], "5"), (&receiver.got()[1], vec![&secret, &newer], "1")]
    {
        let headers: BTreeMap<String, String> = received
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
            .collect();
        let body = String::from_utf8(received.body.to_vec()).expect("text");
        clients.write(
            "delivery.json",
            &json!({"headers": headers, "body": body, "secrets": secrets}).to_string(),
        );
        let (done, said) = clients.module("webhook_verifier", &[]);
        assert!(done, "{said}");
        let read: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!((&read["type"], &read["subject"]), (&json!("grant.given"), &json!("acme")), "{read}");
        assert_eq!(
            (&read["source"], &read["data"]["amount"]),
            (&json!("faregate"), &json!(amount)),
            "{read}"
        );
        assert_eq!(read["id"], headers["webhook-id"]);
    }
}

/// A page's snippet with a call of it behind, in a file that is run where `delivery.json` is.
fn run_snippet(dir: &std::path::Path, program: &str, file: &str, code: &str) {
    std::fs::write(dir.join(file), code).expect("a file");
    let (done, said) = out_of(Command::new(program).arg(file).current_dir(dir));
    assert!(done && said.contains("grant.given"), "{program}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_commands_and_snippets_work() {
    let (ledger, _dir) = ledger().await;
    ledger.account("acme", "5").await;
    let page = page("docs/events.md");
    let commands = blocks(&page, "bash");
    assert_eq!(commands.len(), 1);
    let script = commands[0].replace("faregate ", &format!("{} ", harness::binary().display()));
    let mut shell = Command::new("bash");
    shell.env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port));
    let (done, said) =
        out_of(shell.env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN).args(["-euc", &script]));
    assert!(done && said.contains("whsec_") && said.contains("balance.low"), "{said}");
    for kind in EventKind::ALL {
        assert!(page.contains(&format!("| `{}` |", kind.as_str())), "{kind:?} is not in the table");
    }

    let receiver = Scripted::start().await;
    let (_, secret) = webhook(&ledger, receiver.port).await;
    ledger.grant("acme", "1").await;
    eventually("the delivery", SOON, async || receiver.got().len() == 1).await;
    let received = receiver.got().remove(0);
    let headers: BTreeMap<_, _> =
        received.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
    let body = String::from_utf8(received.body.to_vec()).expect("text");
    let delivery = json!({"headers": headers, "body": body, "secret": secret}).to_string();
    let Some(clients) = Clients::installed() else { return };
    clients.write("delivery.json", &delivery);
    let python = &blocks(&page, "python")[0];
    let call = "import json\nd = json.load(open('delivery.json'))\nprint(receive(d['headers'], d['body'].encode(), d['secret']).get_type())\n";
    clients.write("from_the_page.py", &format!("{python}\n{call}"));
    let (done, said) = clients.module("from_the_page", &[]);
    assert!(done && said.contains("grant.given"), "{said}");
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("delivery.json"), &delivery).expect("a file");
    let call = "import { readFileSync } from 'node:fs';\nconst d = JSON.parse(readFileSync('delivery.json'));\nconsole.log(verify(d.headers, d.body, d.secret).type);\ntry { verify(d.headers, d.body + ' ', d.secret); console.log('forged'); process.exit(1); } catch {}\n";
    run_snippet(dir.path(), "node", "verify.mjs", &format!("{}\n{call}", blocks(&page, "js")[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_loses_nothing_and_blocks_no_other() {
    let (ledger, _dir) = ledger().await;
    let (good, failing, slow, redirecting, target) = (
        Scripted::start().await,
        Scripted::start().await,
        Scripted::start().await,
        Scripted::start().await,
        Scripted::start().await,
    );
    failing.answers(Answering::of("text/plain", "no").status(500));
    slow.answers(Answering::of("text/plain", "late").after(Duration::from_secs(3_600)));
    let location: &'static str = Box::leak(format!("http://127.0.0.1:{}/", target.port).into_boxed_str());
    redirecting.answers(Answering::of("text/plain", "").status(307).header("location", location));
    let down = free_port();
    let mut ids = BTreeMap::new();
    for (name, port) in [
        ("slow", slow.port),
        ("down", down),
        ("failing", failing.port),
        ("redirecting", redirecting.port),
        ("good", good.port),
    ] {
        ids.insert(name, webhook(&ledger, port).await.0);
    }
    for account in ["acme", "bolt"] {
        ledger.post("/admin/v1/accounts", json!({"id": account})).await;
    }
    for account in ["acme", "bolt", "acme", "acme", "bolt"] {
        ledger.grant(account, "1").await;
    }
    let all = [("acme", 3), ("bolt", 2)];
    eventually("the good one has all", SOON, async || has_in_order(&good, &all)).await;
    eventually("the failing one was asked", SOON, async || !failing.got().is_empty()).await;
    assert!(got(&failing).iter().all(|(_, number)| *number == 1), "the next waits for the first");
    failing.answers(Answering::of("text/plain", "yes"));
    eventually("the failing one has all", SOON, async || has_in_order(&failing, &all)).await;

    eventually("each failure is noted", SOON, async || {
        let mut noted = 0;
        for (name, why) in
            [("slow", "within"), ("down", "connect"), ("redirecting", "redirects (status 307)")]
        {
            let list = ledger.run(&["webhook", "deliveries", &ids[name], "--state", "waiting"]);
            noted += usize::from(list.contains(why));
        }
        noted == 3
    })
    .await;
    assert_eq!(target.got().len(), 0, "no redirect is followed");
    for name in ["slow", "down", "redirecting"] {
        let shown = show(&ledger, &ids[name]).await;
        assert_eq!((&shown["waiting"], &shown["state"]), (&json!(5), &json!("active")), "{name}: {shown}");
    }
    eventually("nothing waits for it", SOON, async || show(&ledger, &ids["good"]).await["waiting"] == 0)
        .await;
    slow.answers(Answering::default());
    eventually("the slow one has all", SOON, async || has_in_order(&slow, &all)).await;
    assert!(ledger.metric("faregate_webhook_deliveries_total").await >= 10.0);
    assert!(ledger.metric("faregate_waiting_webhook_deliveries").await >= 10.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_for_three_days_is_paused_and_resumes_with_all_that_waits() {
    let tools = tempfile::tempdir().expect("a temporary folder");
    let offset = tools.path().join("offset");
    let step = |seconds: i64| std::fs::write(&offset, seconds.to_string()).expect("the offset");
    step(0);
    let environment = [
        ("LD_PRELOAD".to_owned(), build_shim(tools.path())),
        ("WALL_CLOCK_OFFSET".to_owned(), offset.display().to_string()),
    ];
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut ledger = LedgerProcess::start(dir.path(), &PRIVATE, &environment).await;
    let receiver = Scripted::start().await;
    receiver.answers(Answering::of("text/plain", "no").status(503));
    let (id, _) = webhook(&ledger, receiver.port).await;
    ledger.account("acme", "1").await;
    eventually("it was tried", SOON, async || !receiver.got().is_empty()).await;
    step(3 * 86_400 + 60);
    eventually("it is failing", SOON, async || show(&ledger, &id).await["state"] == "failing").await;
    let listed = ledger.run(&["webhook", "list"]);
    assert!(listed.contains("failing") && listed.contains("3 days") && listed.contains("503"), "{listed}");
    let before = receiver.got().len();
    ledger.grant("acme", "2").await;
    receiver.answers(Answering::default());
    ledger.process.kill();
    ledger.restart().await;
    assert_eq!((receiver.got().len(), show(&ledger, &id).await["waiting"].clone()), (before, json!(2)));
    ledger.run(&["webhook", "resume", &id]);
    eventually("all is there", SOON, async || has_in_order(&receiver, &[("acme", 2)])).await;
    eventually("nothing waits", SOON, async || show(&ledger, &id).await["waiting"] == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_filtered_paused_replayed_tested_and_deleted() {
    let (ledger, _dir) = ledger().await;
    let receiver = Scripted::start().await;
    for account in ["acme", "bolt"] {
        ledger.post("/admin/v1/accounts", json!({"id": account})).await;
        ledger.grant(account, "5").await;
    }
    let (key, _) = ledger.key("acme").await;
    let url = format!("http://127.0.0.1:{}/", receiver.port);
    let made = ledger.run(&[
        "--json",
        "webhook",
        "create",
        &url,
        "--events",
        "grant.given,key.revoked",
        "--account",
        "acme",
    ]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let id = made["id"].as_str().expect("an identifier");
    for account in ["acme", "bolt"] {
        ledger.grant(account, "1").await;
    }
    ledger.run(&["key", "rotate", &key, "--overlap", "1h"]);
    ledger.run(&["key", "revoke", &key, "--yes"]);
    let types = || receiver.got().iter().map(|one| event(one)["type"].clone()).collect::<Vec<_>>();
    eventually("what it wants", SOON, async || types() == ["grant.given", "key.revoked"]).await;
    let times = |number: usize| event(&receiver.got()[number])["sequence"].clone();
    assert_eq!((times(0), times(1)), (json!("2"), json!("4")), "the others weren't for it");

    ledger.run(&["webhook", "pause", id]);
    ledger.grant("acme", "2").await;
    let said = ledger.run(&["webhook", "test", id]);
    assert!(said.contains("delivered") && said.contains("200"), "{said}");
    assert_eq!(types().last(), Some(&json!("webhook.test")), "a test goes out all the same");
    assert_eq!(show(&ledger, id).await["waiting"], 1);
    ledger.run(&["webhook", "resume", id]);
    eventually("what waited", SOON, async || types().len() == 4).await;

    ledger.run(&["webhook", "replay", id, "--since", "1h"]);
    // Also what happened before it was made.
    eventually("all again", SOON, async || types().len() == 8).await;
    let numbers: Vec<Value> = (4..8).map(times).collect();
    assert_eq!(numbers, ["1", "2", "4", "5"]);
    let first = |number: usize| event(&receiver.got()[number])["id"].clone();
    assert_eq!(first(5), first(0), "it has the identifier that it had");

    // One of them alone; but none that isn't for it.
    let one = first(0);
    ledger.run(&["webhook", "replay", id, "--event", one.as_str().expect("an identifier")]);
    eventually("that one again", SOON, async || types().len() == 9).await;
    assert_eq!((first(8), times(8)), (one, json!("2")));
    let foreign = ledger.get("/admin/v1/events?account=bolt").await["events"][0]["id"].clone();
    let (_, said) =
        ledger.try_run(&["webhook", "replay", id, "--event", foreign.as_str().expect("an identifier")]);
    assert!(said.contains("doesn't get"), "{said}");
    let (_, said) = ledger.try_run(&["webhook", "replay", id, "--event", "event_none"]);
    assert!(said.contains("there is no event") && said.contains("faregate events"), "{said}");

    ledger.run(&["webhook", "delete", id]);
    ledger.grant("acme", "3").await;
    let (found, said) = ledger.try_run(&["webhook", "show", id]);
    assert!(!found && said.contains("webhook list"), "{said}");
    assert!(ledger.run(&["webhook", "list"]).contains("(none)"));
    let (_, twice) = ledger.try_run(&["webhook", "pause", id]);
    assert!(twice.contains("there is no webhook"), "{twice}");
    assert_eq!(types().len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_calls_no_private_address_unless_it_may() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let receiver = Scripted::start().await;
    let port = receiver.port;
    for (url, why) in [
        (format!("http://127.0.0.1:{port}/"), "--webhook-allow-private"),
        (format!("https://127.0.0.1:{port}/"), "private network"),
        (format!("https://[::1]:{port}/"), "private network"),
        ("https://169.254.169.254/latest/meta-data".to_owned(), "private network"),
        ("https://me:secret@example.com/".to_owned(), "user name"),
        ("example.com".to_owned(), "https://"),
    ] {
        let (done, said) = ledger.try_run(&["webhook", "create", &url]);
        assert!(!done && said.contains(why) && said.to_lowercase().contains("url"), "{url}: {said}");
    }
    // A name says nothing of its address: that is found out when it is called. So are other ways to write one.
    for host in ["localhost", "127.1", "2130706433", "0x7f.1"] {
        let made = ledger.post("/admin/v1/webhooks", json!({"url": format!("https://{host}:{port}/")})).await;
        let (done, said) = ledger.try_run(&["webhook", "test", made["id"].as_str().expect("an identifier")]);
        assert!(!done && (said.contains("public internet") || said.contains("resolved")), "{host}: {said}");
    }
    assert_eq!(receiver.got().len(), 0);
    let (done, said) =
        ledger.try_run(&["webhook", "create", "https://example.com/", "--events", "balance.lo"]);
    assert!(!done && said.contains("balance.low"), "{said}");
    let (done, said) = ledger.try_run(&["webhook", "create", "https://example.com/", "--account", "ghost"]);
    assert!(!done && said.contains("there is no account"), "{said}");
    for _ in 4..20 {
        ledger.run(&["webhook", "create", "https://example.com/"]);
    }
    let (done, said) = ledger.try_run(&["webhook", "create", "https://example.com/"]);
    assert!(!done && said.contains("20 webhooks"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_https_endpoint_must_show_a_certificate_that_the_system_trusts() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let authority = Authority::new();
    let trusted = authority.write(dir.path(), "authority.pem");
    authority.issue(dir.path(), "receiver", "127.0.0.1");
    // Another ledger, which speaks TLS, and takes no such request.
    let (other, own) = (dir.path().join("receiver"), dir.path().join("own"));
    for folder in [&other, &own] {
        std::fs::create_dir(folder).expect("a folder");
    }
    let file = |name: &str| dir.path().join(name).display().to_string();
    let (certificate, key) = (file("receiver.pem"), file("receiver.key"));
    let tls = ["--tls-cert", certificate.as_str(), "--tls-key", key.as_str()];
    let receiver = LedgerProcess::start(&other, &tls, &[]).await;
    let port = receiver.gateway_port;
    let url = format!("https://127.0.0.1:{port}/");
    for (trusts, wanted) in [(true, "status 4"), (false, "no TLS with the endpoint")] {
        let environment: Vec<_> =
            trusts.then(|| ("SSL_CERT_FILE".to_owned(), trusted.display().to_string())).into_iter().collect();
        let folder = own.join(trusts.to_string());
        std::fs::create_dir(&folder).expect("a folder");
        let ledger = LedgerProcess::start(&folder, &PRIVATE, &environment).await;
        let made = ledger.post("/admin/v1/webhooks", json!({"url": url})).await;
        let id = made["id"].as_str().expect("an identifier");
        eventually(&format!("{wanted} of a test"), SOON, async || {
            ledger.try_run(&["webhook", "test", id]).1.contains(wanted)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ledgers_on_one_database_deliver_each_event_once() {
    let Some(server) = Postgres::start().await else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let environment = server.environment();
    let mut ledgers = Vec::new();
    for _ in 0..2 {
        ledgers.push(LedgerProcess::start(dir.path(), &PRIVATE, &environment).await);
    }
    let receiver = Scripted::start().await;
    receiver.answers(Answering::default().after(Duration::from_millis(20)));
    webhook(&ledgers[0], receiver.port).await;
    let accounts = ["acme", "bolt", "core", "dash"];
    for account in accounts {
        ledgers[0].post("/admin/v1/accounts", json!({"id": account})).await;
        ledgers[0].run(&["alert", "set", account, "--balance-below", "50"]);
    }
    for round in 0..10 {
        for (number, account) in accounts.iter().enumerate() {
            ledgers[(round + number) % 2].grant(account, "10").await;
        }
    }
    // One says that it is low; the other one says nothing more.
    for (number, account) in accounts.iter().enumerate() {
        for ledger in [&ledgers[number % 2], &ledgers[(number + 1) % 2]] {
            ledger.post(&format!("/admin/v1/accounts/{account}/adjust"), json!({"amount": "-30"})).await;
        }
    }
    // Ten grants, two adjustments, and that the balance is low.
    let all = accounts.map(|account| (account, 13));
    eventually("all are there", SOON, async || has_in_order(&receiver, &all)).await;
    assert_eq!(receiver.got().len(), 52, "each came once");
    eventually("no attempt was made twice", SOON, async || {
        let first = ledgers[0].metric("faregate_webhook_deliveries_total").await;
        let second = ledgers[1].metric("faregate_webhook_deliveries_total").await;
        // Whichever is quicker may do most of it.
        first + second == 52.0
    })
    .await;
}
