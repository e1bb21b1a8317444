//! Files that are no longer what the ledger wrote.

use super::{grant_one, granted};
use harness::{LedgerProcess, Process, Random, binary, eventually};
use reqwest::{Method, StatusCode};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const SHORT_TIMEOUT: Duration = Duration::from_secs(20);
const PAGE: usize = 4_096;

/// A folder with the data of a ledger that was stopped, and had granted `acme` 60 credits.
async fn stopped() -> TempDir {
    let dir = TempDir::with_prefix("faregate-damage-").expect("a folder");
    let mut ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.account("acme", "0").await;
    for number in 0..60 {
        grant_one(&ledger, number).await.expect("an answer");
    }
    assert_eq!(ledger.process.stop(), Some(0));
    dir
}

fn database(dir: &Path) -> PathBuf {
    dir.join("ledger/ledger.db")
}

/// A copy whose database file is changed.
fn changed(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) -> TempDir {
    let copy = TempDir::with_prefix("faregate-damage-").expect("a folder");
    std::fs::create_dir(copy.path().join("ledger")).expect("a folder");
    std::fs::copy(dir.join("ledger/ledger.lock"), copy.path().join("ledger/ledger.lock")).expect("a copy");
    let mut bytes = std::fs::read(database(dir)).expect("a database");
    change(&mut bytes);
    std::fs::write(database(copy.path()), bytes).expect("a copy");
    copy
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_refuses_to_start_on_a_damaged_file_and_leaves_it_unchanged() {
    type Change = fn(&mut Vec<u8>);
    let dir = stopped().await;
    let damages: [(&str, Change); 6] = [
        ("is damaged", |file| file[..PAGE].fill(0)),
        ("is damaged", |file| file.truncate(file.len() / 2 / PAGE * PAGE)),
        ("is damaged", |file| file.truncate(100)),
        ("is damaged", |file| file[PAGE..].fill(0x5A)),
        ("is damaged", |file| *file = b"Dear diary, this is no database.\n".repeat(500)),
        ("is empty or gone", Vec::clear),
    ];
    for (number, (saying, damage)) in damages.into_iter().enumerate() {
        let copy = changed(dir.path(), damage);
        let before = std::fs::read(database(copy.path())).expect("a file");

        let why = LedgerProcess::try_start(copy.path(), &[], &[]).await.err();

        let said = why.unwrap_or_else(|| panic!("damage {number} was not noticed"));
        let file = database(copy.path());
        for word in [saying, "faregate restore", file.to_str().expect("a path")] {
            assert!(said.contains(word), "damage {number}: {said}");
        }
        assert_eq!(std::fs::read(file).expect("a file"), before, "damage {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_start_exits_with_an_error_code() {
    let dir = stopped().await;
    let copy = changed(dir.path(), |file| file.truncate(3 * PAGE));
    let mut command = std::process::Command::new(binary());
    command.args(["serve", "--data"]).arg(copy.path().join("ledger"));
    command.args(["--gateway-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.envs([("FAREGATE_GATEWAY_TOKEN", "a-gateway-token-for-tests")]);
    command.envs([("FAREGATE_ADMIN_TOKEN", "an-admin-token-for-tests")]);
    let mut ledger = Process::start("the ledger", &mut command, &copy.path().join("log"));
    assert_eq!(ledger.wait(SHORT_TIMEOUT), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_corrupted_balance_goes_undetected() {
    let dir = stopped().await;
    let mut random = Random::new(11);
    let (mut refused, mut found, mut harmless) = (0, 0, 0);
    for number in 0..60 {
        let copy = changed(dir.path(), |file| {
            if number % 3 == 0 {
                let page = 1 + random.below(file.len() / PAGE - 1);
                file[page * PAGE..(page + 1) * PAGE].fill(0);
            } else {
                let at = random.below(file.len());
                file[at] ^= 1 << random.below(8);
            }
        });
        let Ok(ledger) = LedgerProcess::try_start(copy.path(), &[], &[]).await else {
            refused += 1;
            continue;
        };
        let ask = async |path: &str| ledger.ask(Method::GET, path, None, "a-question").await;
        let balance = ask("/admin/v1/accounts/acme/balance").await;
        let audit = ask("/admin/v1/audit").await;
        let noticed = audit.is_none_or(|(status, audit)| status != StatusCode::OK || audit["ok"] != true);
        let right =
            balance.is_some_and(|(_, balance)| balance["granted"] == "60" && balance["available"] == "60");
        assert!(right || noticed, "damage {number}: a wrong balance, and no word about it");
        if noticed { found += 1 } else { harmless += 1 }
    }
    assert!(refused >= 10, "{refused} refused, {found} found by the audit, {harmless} harmless");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_before_the_damage_in_a_log_is_kept() {
    let dir = stopped().await;
    let mut ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    for number in 60..80 {
        grant_one(&ledger, number).await.expect("an answer");
    }
    ledger.process.kill();
    let log = dir.path().join("ledger/ledger.db-wal");
    let whole = std::fs::read(&log).expect("a log");
    for (at, least, most) in [(whole.len() - 100, 70, 80), (whole.len() / 2, 60, 79), (40, 60, 60)] {
        let copy = changed(dir.path(), |_| {});
        let mut damaged = whole.clone();
        damaged[at..at + 8].fill(0xFF);
        std::fs::write(copy.path().join("ledger/ledger.db-wal"), damaged).expect("a log");

        let ledger = LedgerProcess::start(copy.path(), &[], &[]).await;

        let granted = granted(&ledger).await;
        assert!((least..=most).contains(&granted), "damage at {at}: {granted}");
        ledger.audit().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_ledger_exits_when_it_finds_damage() {
    let dir = stopped().await;
    let debug = [("FAREGATE_LOG".to_owned(), "debug".to_owned())];
    let mut ledger = LedgerProcess::start(dir.path(), &[], &debug).await;
    eventually("the check at the start is over", SHORT_TIMEOUT, async || {
        ledger.process.output().contains("all balances agree")
    })
    .await;
    let file = std::fs::File::options().write(true).open(database(dir.path())).expect("a database");
    let size = usize::try_from(file.metadata().expect("a size").len()).expect("not that large");
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![0x5A; size - PAGE], PAGE as u64).expect("damage");

    let answer = ledger.ask(Method::GET, "/admin/v1/audit", None, "a-question").await;

    assert!(answer.is_none_or(|(status, answer)| {
        status == StatusCode::SERVICE_UNAVAILABLE && answer["code"] == "database_damaged"
    }));
    assert_eq!(ledger.process.wait(SHORT_TIMEOUT), Some(1));
    let said = ledger.process.output();
    assert!(said.contains("error: the database is damaged"), "{said}");
}
