//! A full or failing disk: only stored writes are acknowledged, and everything else keeps working.

use super::{grant_one, granted};
use harness::storage::{Disk, Fault};
use harness::{Gateway, LedgerProcess, Setup, Upstream, envoy_config, eventually, flood, free_port, get};
use reqwest::StatusCode;
use std::time::Duration;

const SHORT_TIMEOUT: Duration = Duration::from_secs(20);

struct World {
    disk: Disk,
    ledger: LedgerProcess,
    key: String,
}

/// A ledger on a disk of its own, and `acme` with a thousand credits.
async fn world() -> World {
    let disk = Disk::make();
    let ledger = LedgerProcess::start(disk.dir(), &[], &disk.environment()).await;
    let key = ledger.account("acme", "1000").await;
    World { disk, ledger, key }
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_keep_working_on_a_full_disk_and_all_recovers_with_new_space() {
    let World { disk, mut ledger, key } = world().await;
    let upstream = Upstream::start().await;
    let ports = (free_port(), free_port());
    let ledgers = [ledger.gateway_port];
    let config = envoy_config(
        disk.dir(),
        "gateway",
        ports,
        (&ledgers, upstream.port),
        &Setup::default().filter_config(),
    );
    let gateways = [Gateway::start(disk.dir(), "gateway", &config, ports, &[]).await];
    assert_eq!(flood(&gateways, &key, 200, 2).await.get(&200), Some(&200));

    disk.fails(Fault::Full(6_000));

    let acknowledged = refused_for_now(&ledger, "disk_full", "the disk is full").await;
    assert_eq!(get(&gateways[0], "/", &[("x-api-key", &key)]).await.status, 200, "it has a lease");
    assert!(!ledger.process.has_ended(), "{}", ledger.process.output());

    disk.recovers();

    assert_recovers(&ledger, acknowledged).await;
    assert_eq!(flood(&gateways, &key, 200, 2).await.get(&200), Some(&200));
    ledger.nothing_is_held().await;
    let spent: u64 = ledger.balance("acme", "spent").await.parse().expect("whole credits");
    assert_eq!((spent, upstream.served()), (401, 401));
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_while_writes_fail() {
    let World { disk, ledger, .. } = world().await;
    disk.fails(Fault::Write);
    let acknowledged = refused_for_now(&ledger, "disk_failed", "the disk failed").await;
    disk.recovers();
    assert_recovers(&ledger, acknowledged).await;
    ledger.audit().await;
}

/// Grants until the ledger refuses, and ten times more; returns how many it acknowledged.
async fn refused_for_now(ledger: &LedgerProcess, code: &str, detail: &str) -> u64 {
    let (mut acknowledged, mut refused) = (0, 0);
    for number in 0..1_000 {
        let (status, answer) = grant_one(ledger, number).await.expect("an answer");
        if status == StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!(answer["code"], code, "{answer}");
            assert!(answer["detail"].as_str().is_some_and(|said| said.contains(detail)), "{answer}");
            refused += 1;
        } else {
            assert_eq!(status, StatusCode::CREATED, "{answer}");
            acknowledged += 1;
        }
        if refused == 10 {
            break;
        }
    }
    assert_eq!(refused, 10, "the fault shows");
    let (status, said) = ledger.readiness().await.expect("an answer");
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(said.contains(detail), "{said}");
    assert_eq!(granted(ledger).await, 1_000 + acknowledged, "reading goes on");
    acknowledged
}

/// The ledger recovers by itself, and refused writes have left no trace.
async fn assert_recovers(ledger: &LedgerProcess, acknowledged: u64) {
    eventually("the ledger is ready again", SHORT_TIMEOUT, async || {
        ledger.readiness().await.is_some_and(|(status, _)| status == StatusCode::OK)
    })
    .await;
    assert_eq!(granted(ledger).await, 1_000 + acknowledged);
    ledger.grant("acme", "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_stops_the_ledger_and_a_restart_keeps_acknowledged_writes() {
    let World { disk, mut ledger, .. } = world().await;
    for number in 0..5 {
        grant_one(&ledger, number).await.expect("an answer");
    }
    disk.fails(Fault::Sync);

    let answer = grant_one(&ledger, 5).await;

    assert!(answer.is_none_or(|(status, _)| status == StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(ledger.process.wait(SHORT_TIMEOUT), Some(1));
    let said = ledger.process.output();
    assert!(said.contains("error: the disk could not sync"), "{said}");
    disk.recovers();
    ledger.restart().await;
    let granted = granted(&ledger).await;
    assert!((1_005..=1_006).contains(&granted), "{granted}");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_torn_by_a_crash_does_no_harm() {
    let World { disk, mut ledger, .. } = world().await;
    let mut acknowledged = 0;
    let mut number = 0;
    for writes in [1, 2, 3, 4, 7, 12, 20] {
        disk.fails(Fault::Tear(writes));
        while let Some((status, answer)) = grant_one(&ledger, number).await {
            assert_eq!(status, StatusCode::CREATED, "{answer}");
            (acknowledged, number) = (acknowledged + 1, number + 1);
        }
        ledger.process.wait(SHORT_TIMEOUT);
        disk.recovers();
        ledger.restart().await;

        let granted = granted(&ledger).await;

        assert_eq!(granted, 1_000 + acknowledged, "the torn one was not committed");
        ledger.audit().await;
        number += 1;
    }
}
