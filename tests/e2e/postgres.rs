//! Several ledgers share one PostgreSQL server, and any of them may answer any gateway at any time.
//! Ledgers and server are killed under load. Where PostgreSQL isn't installed, these stories say so and pass.

use harness::{
    Certificate, LedgerProcess, Load, Postgres, Setup, Tally, World, binary, eventually, flood, out_of,
    patient,
};
use std::process::Command;
use std::time::Duration;

async fn two_ledgers(server: &Postgres, gateways: usize, serve: &[&str]) -> World {
    let environment = server.environment();
    World::start(Setup { gateways, ledgers: 2, serve, config: patient(), environment, ..Setup::default() })
        .await
}

async fn spent(world: &World) -> u64 {
    world.ledger.balance("acme", "spent").await.parse().expect("whole credits")
}

/// What clients got, what the upstream served and what the ledger charged is the same.
async fn all_agree(world: &World, status_counts: &Tally) {
    world.ledger.nothing_is_held().await;
    let spent = spent(world).await;
    assert_eq!(
        (Some(&spent), spent),
        (status_counts.get(&200), world.upstream.served()),
        "{status_counts:?}"
    );
    assert_eq!(status_counts.get(&402), None, "no 402 for our troubles: {status_counts:?}");
    assert_eq!(status_counts.get(&0), None, "no request hangs: {status_counts:?}");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_and_two_ledgers_sell_exactly_the_balance() {
    let Some(server) = Postgres::start().await else { return };
    let world = two_ledgers(&server, 2, &[]).await;
    let key = world.ledger.account("acme", "1000").await;

    let status_counts = flood(&world.gateways, &key, 1_500, 24).await;

    assert_eq!(
        (status_counts.get(&200), status_counts.get(&402)),
        (Some(&1_000), Some(&500)),
        "{status_counts:?}"
    );
    assert_eq!(world.upstream.served(), 1_000);
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "available").await, "0");
    assert_eq!(world.ledger.balance("acme", "spent").await, "1000");
    world.ledger.audit().await;
    let answered = world.replicas[0].metric("faregate_exchanges_total").await;
    assert!(answered > 0.0, "both ledgers have a part in it");
    assert!(world.ledger.metric("faregate_database_size_bytes").await > 1_000_000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_ledger_kills_lose_nothing_and_charge_nothing_twice() {
    let Some(server) = Postgres::start().await else { return };
    let mut world = two_ledgers(&server, 2, &[]).await;
    let key = world.ledger.account("acme", "1000000").await;
    let load = Load::start(std::mem::take(&mut world.gateways), &key);
    for _ in 0..8 {
        load.wait_for_progress(&world.upstream, 300).await;
        world.replicas[0].restart().await;
    }
    load.wait_for_progress(&world.upstream, 300).await;

    let (gateways, status_counts) = load.stop().await;

    assert!(status_counts.get(&200) > Some(&0), "{status_counts:?}");
    all_agree(&world, &status_counts).await;
    drop(gateways);
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_and_restarting_the_database_loses_nothing() {
    let Some(mut server) = Postgres::start().await else { return };
    let mut world = two_ledgers(&server, 2, &[]).await;
    let key = world.ledger.account("acme", "1000000").await;
    let load = Load::start(std::mem::take(&mut world.gateways), &key);
    for _ in 0..3 {
        load.wait_for_progress(&world.upstream, 1_000).await;
        server.kill();
        eventually("both ledgers notice", Duration::from_secs(30), async || {
            let [one, two] = [world.ledger.readiness().await, world.replicas[0].readiness().await];
            [one, two].iter().flatten().all(|(status, _)| *status != 200)
        })
        .await;
        server.restart().await;
    }
    load.wait_for_progress(&world.upstream, 1_000).await;

    let (gateways, status_counts) = load.stop().await;

    assert!(status_counts.get(&200) > Some(&0), "{status_counts:?}");
    assert!(!world.ledger.process.has_ended() && !world.replicas[0].process.has_ended(), "the ledgers stay");
    all_agree(&world, &status_counts).await;
    drop(gateways);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ledgers_reclaim_a_lease_once() {
    let Some(server) = Postgres::start().await else { return };
    let mut world = two_ledgers(&server, 1, &["--lease-ttl", "2s", "--lease-grace", "1s"]).await;
    let key = world.ledger.account("acme", "1000").await;
    assert_eq!(flood(&world.gateways, &key, 10, 2).await.get(&200), Some(&10));
    assert_ne!(world.ledger.balance("acme", "held").await, "0");
    world.gateways[0].process.kill();

    world.ledger.nothing_is_held().await;

    // There is no condition to wait for: the other ledger has no part in it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let reclaims = "faregate_reclaims_total";
    assert_eq!(world.ledger.metric(reclaims).await + world.replicas[0].metric(reclaims).await, 1.0);
    let available: u64 = world.ledger.balance("acme", "available").await.parse().expect("whole credits");
    assert_eq!(available + spent(&world).await, 1_000);
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_server_is_trusted_only_with_the_right_certificate() {
    let certificate = Certificate::of("localhost");
    let Some(server) = Postgres::start_encrypted(&certificate).await else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let [right, wrong] = [("right.pem", certificate), ("wrong.pem", Certificate::of("localhost"))].map(
        |(name, certificate)| {
            let file = dir.path().join(name);
            std::fs::write(&file, certificate.root).expect("a file");
            file.to_str().expect("a path").to_owned()
        },
    );
    let url = |host: &str, mode: &str| {
        let url = format!("postgres://faregate@{host}:{}/postgres?sslmode={mode}", server.port());
        ("FAREGATE_DATABASE_URL".to_owned(), url)
    };
    let refused = |(variable, url): (String, String), root: &str| {
        let mut serve = Command::new(binary());
        serve.args(["serve", "--gateway-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        serve.args(["--database-root-cert", root]).env(variable, url);
        serve.envs([
            ("FAREGATE_GATEWAY_TOKEN", "a-token-of-16-chars"),
            ("FAREGATE_ADMIN_TOKEN", "b-token-of-16-chars"),
        ]);
        let (done, said) = out_of(&mut serve);
        assert!(!done, "{said}");
        said
    };

    let ledger = LedgerProcess::start(
        dir.path(),
        &["--database-root-cert", &right],
        &[url("localhost", "verify-full")],
    )
    .await;
    ledger.account("acme", "5").await;
    assert_eq!(ledger.balance("acme", "available").await, "5");
    assert!(server.log().contains("SSL enabled"), "{}", server.log());

    let said = refused(url("localhost", "verify-full"), &wrong);
    assert!(said.contains("invalid peer certificate"), "{said}");
    let said = refused(url("127.0.0.1", "verify-full"), &right);
    assert!(said.contains("not valid for name"), "{said}");
    let said = refused(url("localhost", "disable"), &right);
    assert!(said.contains("no encryption"), "{said}");
}
