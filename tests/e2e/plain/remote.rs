//! `envoy/remote`: the filter fetched over HTTP.

use super::{World, call, says};
use axum::Router;
use harness::{Gateway, filter, get};
use std::net::SocketAddr;

/// A web server with the filter.
async fn web(port: u16) {
    let module = std::fs::read(filter()).expect("the filter");
    let router = Router::new().route("/faregate.wasm", axum::routing::get(async move || module.clone()));
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let listener = tokio::net::TcpListener::bind(address).await.expect("a port");
    tokio::spawn(async move { axum::serve(listener, router).await });
}

/// No request passes, because Envoy doesn't even listen.
async fn is_closed(gate: &Gateway) {
    assert_eq!(get(gate, "/health", &[]).await.status, 0);
    assert!(gate.admin("/ready").await.is_some_and(|text| text.contains("INITIALIZING")));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_passes_until_the_filter_is_fetched() {
    let world = World::of("remote").await;
    let key = world.ledger.account("acme", "2").await;
    world.site.run(&world.site.blocks("remote")[1]);
    let mut gate = world.site.envoy("envoy/remote/envoy.local.yaml");
    says(&gate, "Remote data provider will retry").await;
    is_closed(&gate).await;

    web(world.site.port(8000)).await;
    gate.is_ready().await;

    let statuses = [call(&gate, &key).await.0, call(&gate, &key).await.0, call(&gate, &key).await.0];
    assert_eq!(statuses, [200, 200, 402]);
    assert_eq!(world.upstream.served(), 2);
    world.ledger.nothing_is_held().await;
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_with_a_wrong_hash_is_never_run() {
    let world = World::of("remote").await;
    web(world.site.port(8000)).await;
    let config = world.site.text("envoy/remote/envoy.yaml").replace("SHA256_OF_THE_FILTER", &"1".repeat(64));
    world.site.replace("envoy/remote/envoy.yaml", &config);

    let gate = world.site.envoy("envoy/remote/envoy.yaml");

    says(&gate, "data is invalid").await;
    is_closed(&gate).await;
    assert_eq!(gate.envoy_stat("wasm.remote_load_fetch_successes").await, 0);
    assert!(gate.envoy_stat("wasm.remote_load_cache_misses").await > 0);
    assert_eq!(world.upstream.served(), 0);
}
