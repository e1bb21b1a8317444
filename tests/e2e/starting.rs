//! How a ledger starts, and how it refuses to: where none should begin, without its port, without a password in any line,
//! on a database that wouldn't do.

use harness::{
    ADMIN_TOKEN, GATEWAY_TOKEN, LedgerProcess, PgBouncer, Postgres, Process, binary, eventually, out_of,
};
use reqwest::Method;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const URL: &str = "FAREGATE_DATABASE_URL";

/// `faregate serve` with these arguments, on free ports.
fn serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["serve", "--gateway-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command
        .args(arguments)
        .env("FAREGATE_GATEWAY_TOKEN", GATEWAY_TOKEN)
        .env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN);
    command
}

/// What it says when it doesn't start.
fn refused(command: &mut Command) -> String {
    let (done, said) = out_of(command);
    assert!(!done, "{said}");
    said
}

/// Runs it until it listens, and then stops it; what it has logged.
async fn started(command: &mut Command, log: &Path) -> String {
    let mut ledger = Process::start("the ledger", command, log);
    eventually("the ledger listens", Duration::from_secs(30), async || ledger.output().contains("listening"))
        .await;
    assert_eq!(ledger.stop(), Some(0));
    ledger.output()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_begins_only_where_it_is_asked_to() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("ledgre/data");
    let data = data.to_str().expect("a path");
    let said = refused(&mut serve(&["--data", data]));
    for part in [data, "no ledger", "--init", "mounted"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!dir.path().join("ledgre").exists(), "nothing is left behind");

    let log = |name: &str| dir.path().join(name);
    let first = started(&mut serve(&["--init", "--data", data]), &log("first")).await;
    assert!(first.contains("a new, empty one has begun"), "{first}");
    for arguments in [&["--data", data][..], &["--init", "--data", data]] {
        let later = started(&mut serve(arguments), &log(&format!("later-{}", arguments.len()))).await;
        assert!(!later.contains("a new, empty one has begun"), "{later}");
    }
    std::fs::remove_file(Path::new(data).join("ledger.db")).expect("a database");
    let said = refused(&mut serve(&["--init", "--data", data]));
    assert!(said.contains("faregate restore"), "what is lost isn't begun again: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_line_says_what_runs_where() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "1").await;
    ledger.account("bolt", "1").await;
    ledger.process.stop();
    let mut command = serve(&["--data", "ledger"]);
    let log = started(command.current_dir(dir.path()), &dir.path().join("log")).await;
    let first = log.lines().next().unwrap_or_default();
    let place = format!("place={}", dir.path().join("ledger").display());
    for part in
        ["the ledger starts", "version=\"0.1.0\"", "database=\"SQLite\"", &place, "accounts=2", "new=false"]
    {
        assert!(first.contains(part), "{part}: {first}");
    }
}

#[test]
fn an_address_that_is_taken_is_reported_before_any_file_is_touched() {
    let dir = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for flag in ["--gateway-listen", "--admin-listen"] {
        let mut command = Command::new(binary());
        command.args(["serve", "--init", flag, &address, "--data"]).arg(dir.path().join("data"));
        command.env("FAREGATE_GATEWAY_TOKEN", GATEWAY_TOKEN).env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN);
        let other = if flag == "--admin-listen" { "--gateway-listen" } else { "--admin-listen" };
        let said = refused(command.args([other, "127.0.0.1:0"]));
        assert!(said.contains(&address) && said.contains(flag), "{said}");
        assert!(!dir.path().join("data").exists());
    }
}

#[test]
fn no_password_is_printed_however_a_database_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    for url in [
        "postgres://me:hunter2@127.0.0.1:1/db",
        "postgresql://me:hunter2@127.0.0.1:1/db",
        "postgres://me:x@hunter2@127.0.0.1:1/db",
        "postgres://me:x/hunter2@127.0.0.1:1/db",
        "postgres://me:x?hunter2=1@127.0.0.1:1/db",
        "postgres://me:x#hunter2@127.0.0.1:1/db",
        "postgres://me:x hunter2@127.0.0.1:1/db",
        "postgres://127.0.0.1:1/db?user=me&password=hunter2",
        "postgres://127.0.0.1:1/db?user=me&password=x&hunter2",
        "mysql://me:hunter2@127.0.0.1:1/db",
        "host=127.0.0.1 port=1 user=me password=hunter2 dbname=db",
        "host=127.0.0.1 port=1 user=me password='x hunter2' dbname=db",
    ] {
        let commands: [&[&str]; 9] = [
            &["serve", "--database", url],
            &["serve", "--data", url],
            &["serve", url],
            &["serve", "--json", "--database", url],
            &["backup", "--database", url, "backup"],
            &["restore", "--database", url, "backup"],
            &["migrate", "--from", url, "--to", "sqlite:there"],
            &["migrate", "--from", "sqlite:here", "--to", url],
            &["migrate", url],
        ];
        for arguments in commands {
            let mut command = Command::new(binary());
            command.args(arguments).current_dir(dir.path());
            command.env("FAREGATE_GATEWAY_TOKEN", GATEWAY_TOKEN).env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN);
            let (done, said) = out_of(&mut command);
            assert!(!done && !said.is_empty() && !said.contains("hunter2"), "{arguments:?}: {said}");
        }
        let said = refused(serve(&[]).env(URL, url));
        assert!(!said.contains("hunter2"), "{url}: {said}");
    }
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_file_that_another_program_has_locked_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "1").await;
    ledger.process.stop();
    let file = dir.path().join("ledger/ledger.db");
    let other = rusqlite::Connection::open(&file).expect("a database");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let said = refused(&mut serve(&["--data", dir.path().join("ledger").to_str().expect("a path")]));
    for part in [file.to_str().expect("a path"), "locked by another program", "sqlite3", "fuser"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    other.execute_batch("ROLLBACK").expect("no lock");
    ledger.restart().await;
    assert_eq!(ledger.balance("acme", "available").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_server_and_one_without_rights_are_refused_with_advice() {
    let Some(server) = Postgres::start().await else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let url = |user: &str| format!("postgres://{user}@127.0.0.1:{}/postgres?sslmode=disable", server.port());
    let said = refused(serve(&[]).env(URL, url("faregate")));
    for part in ["no ledger", "--init", "/postgres", "search_path"] {
        assert!(said.contains(part), "{part}: {said}");
    }

    server.sql("CREATE ROLE poor LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let said = refused(serve(&["--init"]).env(URL, url("poor")));
    for part in ["\"poor\"", "may not create tables", "\"public\"", "GRANT CREATE"] {
        assert!(said.contains(part), "{part}: {said}");
    }

    let log = started(serve(&["--init"]).env(URL, url("faregate")), &dir.path().join("log")).await;
    let first = log.lines().next().unwrap_or_default();
    let place = format!("place=postgres://127.0.0.1:{}/postgres", server.port());
    for part in ["database=\"PostgreSQL\"", &place, "accounts=0", "new=true"] {
        assert!(first.contains(part), "{part}: {first}");
    }
    let said = refused(serve(&[]).env(URL, url("poor")));
    for part in ["\"poor\"", "may not read and write the table", "connect as \"faregate\""] {
        assert!(said.contains(part), "{part}: {said}");
    }

    server.sql("ALTER ROLE poor SET search_path = nowhere");
    let said = refused(serve(&["--init"]).env(URL, url("poor")));
    assert!(said.contains("no schema of its search_path"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_in_transaction_mode_is_refused_and_one_in_session_mode_serves() {
    let Some(server) = Postgres::start().await else { return };
    for mode in ["transaction", "statement"] {
        let Some(pooler) = PgBouncer::start(&server, mode).await else { return };
        for (variable, url) in pooler.environment() {
            let said = refused(serve(&["--init"]).env(variable, url));
            for part in ["a connection pooler", "PgBouncer", "pool_mode = session"] {
                assert!(said.contains(part), "{mode}: {part}: {said}");
            }
        }
    }
    let Some(pooler) = PgBouncer::start(&server, "session").await else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &pooler.environment()).await;
    ledger.account("acme", "5").await;
    assert_eq!(ledger.balance("acme", "available").await, "5");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_logged_once_and_once_more_when_it_is_back() {
    let Some(mut server) = Postgres::start().await else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &server.environment()).await;
    ledger.account("acme", "5").await;
    let before = ledger.process.output().len();
    server.kill();
    let lines = |what: &str| {
        let log = ledger.process.output();
        log.get(before..).unwrap_or_default().lines().filter(|line| line.contains(what)).count()
    };
    eventually("the log says it", Duration::from_secs(20), async || {
        lines("the database can't be used;") == 1
    })
    .await;
    // There is no condition to wait for: in this time the jobs alone fail a dozen times.
    tokio::time::sleep(Duration::from_secs(4)).await;
    for _ in 0..20 {
        let body = Some(serde_json::json!({"amount": "1"}));
        let (status, _) = ledger.call(Method::POST, "/admin/v1/accounts/acme/grants", body).await;
        assert_eq!(status, 503);
    }
    let problems = lines("ERROR") + lines("WARN");
    assert!(problems <= 4, "{problems} lines:\n{}", ledger.process.output());
    assert_eq!(lines("the database can't be used;"), 1);

    server.restart().await;
    eventually("the log says that it is over", Duration::from_secs(30), async || {
        lines("the database can be used again") == 1
    })
    .await;
    assert!(lines("failures=") > 0);
    assert_eq!(ledger.balance("acme", "available").await, "5");
}
