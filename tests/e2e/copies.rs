//! `faregate export` and `faregate apply`: a ledger's configuration comes back the same from a file, and large files go fast.

use harness::{LedgerProcess, project};
use serde_json::json;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

const FILE: &str = r#"
[[plans]]
name = "pro"
quota = "100"
period = "month"

[[plans]]
name = "small"
quota = "10"
period = "month"

[[accounts]]
id = "acme"
name = "Zoë's \"Acme\""

[[accounts]]
id = "asleep"
state = "suspended"

[[accounts]]
id = "gone"
state = "closed"

[[accounts]]
id = "late"

[[accounts]]
id = "leaving"

[[accounts]]
id = "trying"

[[teams]]
account = "acme"
id = "lab"
name = "Lab"

[[teams]]
account = "asleep"
id = "lab"

[[keys]]
account = "acme"
subject = "spiffe://acme/app"
team = "lab"
products = ["chat", "embed"]
expires_at = "2099-01-01T00:00:00Z"
note = "the app"

[[keys]]
account = "late"
subject = "user-7"

[[subscriptions]]
account = "acme"
plan = "pro"
next_plan = "small"
starts_at = "2026-01-31T00:00:00Z"

[[subscriptions]]
account = "asleep"
plan = "small"
state = "paused"

[[subscriptions]]
account = "late"
plan = "small"
state = "past_due"
grace_until = "2099-01-01T00:00:00Z"

[[subscriptions]]
account = "leaving"
plan = "pro"
cancel_at_period_end = true

[[subscriptions]]
account = "trying"
plan = "pro"
trial_ends_at = "2099-01-01T00:00:00Z"

[[budgets]]
account = "acme"
credits = "50"
period = "week"
every = 2

[[budgets]]
account = "acme"
team = "lab"
credits = "20"
period = "day"
time_zone = "Europe/Berlin"

[[budgets]]
account = "acme"
subject = "spiffe://acme/app"
credits = "5"
period = "hour"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_export_applied_to_an_empty_ledger_is_the_same_text() {
    let dir = tempfile::tempdir().expect("a folder");
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    for folder in [&here, &there] {
        std::fs::create_dir(folder).expect("a folder");
    }
    let ledger = LedgerProcess::start(&here, &[], &[]).await;
    let file = dir.path().join("file.toml");
    let path = file.display().to_string();
    std::fs::write(&file, FILE).expect("a file");
    let said = ledger.run(&["apply", &path]);
    assert!(said.contains("= 20 to create, 6 to change, 0 unchanged\n"), "{said}");
    assert!(said.ends_with("done: 26 changes\n"), "{said}");
    assert_eq!(ledger.run(&["apply", &path]), "= 20 unchanged\n");

    let exported = ledger.run(&["export"]);
    for part in [
        "state = \"closed\"",
        "state = \"suspended\"",
        "next_plan = \"small\"",
        "starts_at = \"2026-01-31T00:00:00Z\"",
        "state = \"paused\"",
        "grace_until = \"2099-01-01T00:00:00Z\"",
        "cancel_at_period_end = true",
        "trial_ends_at = \"2099-01-01T00:00:00Z\"",
        "products = [\"chat\", \"embed\"]",
        "subject = \"spiffe://acme/app\"\ncredits = \"5\"",
    ] {
        assert!(exported.contains(part), "{part} is not in {exported}");
    }
    std::fs::write(&file, &exported).expect("a file");
    assert!(
        ledger.run(&["apply", "--check", &path]).starts_with("= "),
        "nothing differs from its own export"
    );
    let copy = LedgerProcess::start(&there, &[], &[]).await;
    copy.run(&["apply", &path]);
    assert_eq!(copy.run(&["export"]), exported);
    for ledger in [&ledger, &copy] {
        let subscription = ledger.get("/admin/v1/accounts/leaving/subscription").await;
        assert!(subscription["ends_at"].is_string() && subscription["renews_at"].is_null(), "{subscription}");
        ledger.audit().await;
    }

    // Changes go the way that commands go, and the second time there are none.
    let changed = exported
        .replace("state = \"paused\"", "state = \"active\"")
        .replace("state = \"past_due\"\ngrace_until = \"2099-01-01T00:00:00Z\"", "state = \"active\"")
        .replace("cancel_at_period_end = true", "cancel_at_period_end = false")
        .replace("credits = \"50\"", "credits = \"15\"")
        .replace("credits = \"20\"", "credits = \"15\"");
    std::fs::write(&file, changed).expect("a file");
    let (done, said) = copy.try_run(&["apply", "--check", &path]);
    assert!(!done && said.contains("the ledger differs from"), "{said}");
    let said = copy.run(&["apply", &path]);
    for line in ["asleep: paused → active", "late: past_due → active", "leaving: goes on after its period"]
    {
        assert!(said.contains(&format!("~ subscription of {line}\n")), "{line}: {said}");
    }
    assert!(copy.run(&["apply", "--check", &path]).starts_with("= "));
    // What can't be made so is refused with its line before anything is done.
    std::fs::write(
        &file,
        exported.replace("id = \"late\"\nstate = \"active\"", "id = \"late\"\nstate = \"closed\""),
    )
    .expect("a file");
    let (done, said) = copy.try_run(&["apply", &path]);
    assert!(!done && said.contains("close it with `faregate account close late`"), "{said}");
    copy.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_applied_in_batches() {
    /// In a debug build on a busy machine. One by one, with four requests to look each up, it takes many minutes.
    const WITHIN: Duration = Duration::from_secs(60);
    let number: usize =
        std::env::var("FAREGATE_ACCOUNTS").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let mut text = String::new();
    for n in 0..number {
        let _ = write!(text, "[[accounts]]\nid = \"a{n}\"\nname = \"Account {n}\"\n\n");
    }
    let file = dir.path().join("accounts.toml");
    std::fs::write(&file, text).expect("a file");
    let path = file.display().to_string();
    let began = Instant::now();
    let said = ledger.run(&["apply", &path]);
    let first = began.elapsed();
    assert!(said.ends_with(&format!("done: {number} changes\n")), "{said}");
    assert!(said.contains(&format!("… and {} more; --dry-run shows all\n", number - 100)), "{said}");
    let began = Instant::now();
    assert_eq!(ledger.run(&["apply", &path]), format!("= {number} unchanged\n"));
    println!("{number} accounts: {first:?} to make, {:?} to compare", began.elapsed());
    assert!(first < WITHIN, "{first:?}");
    assert!(project().exists());
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_does_what_its_requests_would_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "5").await;
    let batch = json!({"requests": [
        {"path": "/admin/v1/accounts", "body": {"id": "new"}},
        {"path": "/admin/v1/accounts", "body": {"id": "acme"}},
        {"method": "GET", "path": "/admin/v1/accounts/acme/balance"},
        {"path": "/admin/v1/accounts/acme/grants", "body": {"amount": "2"}},
        {"path": "/admin/v1/batch", "body": {"requests": []}},
        {"path": "/admin/v1/accounts", "body": {"nmae": "x"}},
    ]});
    let ask = async || {
        ledger
            .ask(reqwest::Method::POST, "/admin/v1/batch", Some(batch.clone()), "once")
            .await
            .expect("an answer")
    };
    let (status, answer) = ask().await;
    assert_eq!(status, 200, "{answer}");
    let statuses = |answer: &serde_json::Value| -> Vec<u64> {
        answer["answers"]
            .as_array()
            .expect("answers")
            .iter()
            .filter_map(|one| one["status"].as_u64())
            .collect()
    };
    assert_eq!(statuses(&answer), [201, 409, 200, 201, 404, 400], "{answer}");
    assert_eq!(answer["answers"][5]["body"]["field"], "nmae");
    let (_, again) = ask().await;
    assert_eq!(statuses(&again), [201, 409, 200, 201, 404, 400], "{again}");
    assert_eq!(again["answers"][3], answer["answers"][3], "a grant is given once");
    assert_eq!(ledger.balance("acme", "granted").await, "7");
    for wrong in [
        json!({"requests": []}),
        json!({"requests": [{"path": "/metrics"}]}),
        json!({"requests": vec![json!({"path": "/admin/v1/plans"}); 1001]}),
    ] {
        let (status, answer) = ledger.call(reqwest::Method::POST, "/admin/v1/batch", Some(wrong)).await;
        assert_eq!(status, 400, "{answer}");
    }
    let client = reqwest::Client::new();
    let url = format!("http://127.0.0.1:{}/admin/v1/batch", ledger.admin_port);
    let stranger =
        client.post(url).header("idempotency-key", "x").json(&batch).send().await.expect("an answer");
    assert_eq!(stranger.status(), 401);
    ledger.audit().await;
}
