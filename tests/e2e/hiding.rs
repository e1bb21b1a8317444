//! What the API gets to see of a caller's key, and of headers that only the gate may set.

use crate::hostile::wire::{DATA, END_HEADERS, END_STREAM, H2, HEADERS, block, frame, get as head};
use harness::{Setup, World, get, speaks_http2};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn the_api_never_sees_a_key_if_credentials_are_hidden() {
    let identities =
        json!([{"header": "x-api-key"}, {"bearer": true}, {"cookie": "fg"}, {"query": "api_key"}]);
    let rules = json!([{"name": "free", "match": {"path": {"prefix": "/free"}}, "price": "free"}]);
    for hides in [true, false] {
        let config = json!({"identities": identities, "rules": rules, "hide_credentials": hides});
        let world = World::start(Setup { config, ..Setup::default() }).await;
        let key = world.ledger.account("acme", "100").await;
        let (bearer, cookie) = (format!("Bearer {key}"), format!("a=1; fg={key}; b=2"));
        for path in ["/", "/free", "/"] {
            for header in [("x-api-key", key.as_str()), ("authorization", &bearer), ("cookie", &cookie)] {
                assert_eq!(get(world.gate(), path, &[header]).await.status, 200);
                let last = world.upstream.last();
                assert_eq!(last.values().any(|value| value.contains(&key)), !hides, "{header:?}: {last:?}");
                if header.0 == "cookie" && hides {
                    assert_eq!(last.get("cookie").map(String::as_str), Some("a=1; b=2"));
                }
            }
            assert_eq!(get(world.gate(), &format!("{path}?api_key={key}&a=1"), &[]).await.status, 200);
            let last = world.upstream.last();
            assert!(
                last.values().all(|value| !value.contains(&key)),
                "a key in the query always goes: {last:?}"
            );
        }
        // A credential for the API itself stays.
        let own = [("authorization", "Bearer eyJ.own"), ("x-api-key", key.as_str())];
        assert_eq!(get(world.gate(), "/", &own).await.status, 200);
        assert_eq!(world.upstream.last().get("authorization").map(String::as_str), Some("Bearer eyJ.own"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_cannot_send_the_gates_own_headers_in_any_spelling() {
    let world = World::start(Setup {
        manager: json!({"http_protocol_options": {"enable_trailers": true}}),
        cluster: speaks_http2(),
        ..Setup::default()
    })
    .await;
    let key = world.ledger.account("acme", "100").await;
    let forged = [
        "x-faregate-account",
        "x_faregate_account",
        "x-faregate_account",
        "x_faregate-account",
        "x.faregate.plan",
        "X-Faregate-Key",
        "x-faregate-anything",
        "x~faregate~charge",
    ];
    for _ in 0..2 {
        let headers: Vec<_> =
            forged.iter().map(|name| (*name, "admin")).chain([("x-api-key", key.as_str())]).collect();
        assert_eq!(get(world.gate(), "/", &headers).await.status, 200);
        let last = world.upstream.last();
        assert!(last.values().all(|value| value != "admin"), "{last:?}");
        assert_eq!(last.get("x-faregate-account").map(String::as_str), Some("acme"));
    }
    let mut client = H2::connect(world.gate().port);
    let head: Vec<_> = head("/", &[("x-api-key", &key)]);
    client.send(&frame(HEADERS, END_HEADERS, 1, &block(&head)));
    client.send(&frame(DATA, 0, 1, b"{}"));
    let trailers = [("x-faregate-account", "admin"), ("x_faregate_plan", "admin"), ("x-checksum", "1")];
    client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&trailers)));
    client.read(1, Duration::from_secs(10));
    assert_eq!(client.statuses.get(&1), Some(&200));
    let last = world.upstream.last();
    assert_eq!(last.get("trailer x-checksum").map(String::as_str), Some("1"), "{last:?}");
    assert!(last.values().all(|value| value != "admin"), "{last:?}");
}
