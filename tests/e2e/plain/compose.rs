//! `envoy/compose`: Envoy's part of it, with what Docker would bring: names and a mounted file.

use super::{World, call};
use harness::filter;

#[tokio::test(flavor = "multi_thread")]
async fn the_compose_envoy_charges_and_refuses() {
    let world = World::of("compose").await;
    let key = world.ledger.account("acme", "2").await;
    let config = world.site.text("envoy/compose/envoy.yaml");
    let wasm = filter().canonicalize().expect("a path").display().to_string();
    let brought = [
        ("/etc/envoy/faregate.wasm", wasm.as_str()),
        ("address: ledger,", "address: 127.0.0.1,"),
        ("address: api,", "address: 127.0.0.1,"),
        ("address: 0.0.0.0,", "address: 127.0.0.1,"),
    ];
    let config = brought.iter().fold(config, |text, (name, place)| {
        assert!(text.contains(name), "{name}");
        text.replace(name, place)
    });
    world.site.replace("envoy/compose/envoy.yaml", &config);
    let (good, said) = world.site.validate("envoy/compose/envoy.yaml");
    assert!(good, "{said}");
    let mut gate = world.site.envoy("envoy/compose/envoy.yaml");
    gate.is_ready().await;

    for _ in 0..2 {
        assert_eq!(call(&gate, &key).await.0, 200);
    }

    assert_eq!(call(&gate, &key).await, (402, "insufficient_funds".to_owned()));
    assert_eq!(world.upstream.served(), 2);
}
