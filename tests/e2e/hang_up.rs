//! Disconnecting clients and failing upstreams: undone work is not charged, and no credits are lost.

use harness::{Setup, World, eventually, get};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

fn hang_up_after(port: u16, path: &str, key: &str, patience: Duration) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n").expect("a request");
    std::thread::sleep(patience);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_while_waiting_is_not_charged_and_loses_no_lease() {
    let world = World::one().await;
    let key = world.ledger.account("acme", "100").await;
    world.ledger.process.signal("STOP");
    for _ in 0..10 {
        hang_up_after(world.gate().port, "/", &key, Duration::from_millis(20));
    }
    world.ledger.process.signal("CONT");

    eventually("everybody's wait is over", Duration::from_secs(5), async || {
        world.gate().envoy_stat("http.gate.downstream_rq_active").await == 0
    })
    .await;
    assert_eq!(world.upstream.served(), 0);
    assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 200);
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "spent").await, "1");
    assert_eq!(world.ledger.balance("acme", "available").await, "99");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_while_the_upstream_works_is_charged() {
    let world = World::one().await;
    let key = world.ledger.account("acme", "100").await;
    hang_up_after(world.gate().port, "/slow/2000", &key, Duration::from_millis(400));
    world.ledger.nothing_is_held().await;
    assert_eq!((world.upstream.served(), world.ledger.balance("acme", "spent").await), (1, "1".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_503_refunds_the_charge_once() {
    let world = World::one().await;
    let key = world.ledger.account("acme", "3").await;
    let headers = [("x-api-key", key.as_str())];
    for _ in 0..10 {
        assert_eq!(get(world.gate(), "/status/503", &headers).await.status, 503);
    }
    assert_eq!(
        get(world.gate(), "/status/500", &headers).await.status,
        500,
        "not in refund_on: it is charged"
    );
    assert_eq!(get(world.gate(), "/", &headers).await.status, 200);
    assert_eq!(get(world.gate(), "/", &headers).await.status, 200);
    assert_eq!(get(world.gate(), "/", &headers).await.status, 402, "released once each, not more");
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "spent").await, "3");
    eventually("the refunds are counted", Duration::from_secs(2), async || {
        world.gate().stat("refunds_total").await == 10
    })
    .await;
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_charged_if_the_upstream_is_unreachable() {
    let mut world = World::start(Setup::default()).await;
    let key = world.ledger.account("acme", "3").await;
    // The one that the gateway knows is gone from here on.
    world.upstream = harness::Upstream::start().await;
    for _ in 0..5 {
        assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 503);
    }
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "available").await, "3");
}
