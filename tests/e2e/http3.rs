//! Over HTTP/3 Envoy tells the filter of a request's end in another way: it is gone, without having been logged.

use harness::{Clients, Setup, World, eventually};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn http_3_requests_are_charged_refunded_and_refused_like_any_others() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::start(Setup { http3: true, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "2").await;
    let authority = world.dir().join("authority.pem");

    let more = [("PATHS", "/a /status/503 /b /c"), ("AUTHORITY", authority.to_str().expect("a path"))];
    let said = clients.run("http3_client.py", world.gate(), &key, &more);

    assert_eq!(said["statuses"], json!([200, 503, 200, 402]));
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "spent").await, "2");
    assert_eq!(world.upstream.served(), 3);
    let gate = world.gate();
    eventually("the statistics are flushed", Duration::from_secs(2), async || {
        (gate.stat("admitted_total").await, gate.stat("refunds_total").await) == (3, 1)
    })
    .await;
    world.ledger.audit().await;
}
