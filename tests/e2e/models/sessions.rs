//! Sessions over a WebSocket: each of their answers is charged by the usage that it reports, and a session ends when nothing is left.

use super::{Scene, config, prices_of, setup};
use faregate_protocol::Credits;
use faregate_protocol::metering::{Quantities, UsageClass};
use futures_util::{SinkExt, StreamExt};
use harness::{ModelApi, World};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A scene whose Envoy lets WebSockets pass.
async fn scene(meter: &Value) -> Scene {
    let api = ModelApi::start().await;
    let mut setup = setup(config(meter), api.port);
    setup.manager["upgrade_configs"] = json!([{"upgrade_type": "websocket"}]);
    let world = World::start(setup).await;
    Scene { world, api }
}

fn sold() -> Value {
    let hold = json!({"bytes_per_token": 2, "output": 200});
    json!({"hold": hold, "stop_at_zero": true})
}

async fn connect(scene: &Scene, key: &str, path: &str) -> Result<Socket, Error> {
    let url = scene.world.gate().url(path).replacen("http", "ws", 1);
    let mut request = url.into_client_request().expect("a request");
    request.headers_mut().insert("x-api-key", key.parse().expect("a header's value"));
    Ok(tokio_tungstenite::connect_async(request).await?.0)
}

/// Asks for an answer, and reads all of it. The last message.
async fn ask(socket: &mut Socket, usage: Value) -> Value {
    let asked = json!({"type": "response.create", "words": 20, "usage": usage});
    socket.send(Message::text(asked.to_string())).await.expect("it is sent");
    loop {
        let message = socket.next().await.expect("not the end").expect("a message");
        let Message::Text(text) = message else { continue };
        let event: Value = serde_json::from_str(&text).expect("JSON");
        if event["type"] != "response.output_text.delta" {
            return event;
        }
    }
}

fn cost(input: u64, output: u64) -> Credits {
    let mut used = Quantities::default();
    used.set(UsageClass::Input, input);
    used.set(UsageClass::Output, output);
    prices_of("gpt-5").cost(&used, None, Credits::ZERO)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_costs_the_sum_of_its_answers() {
    let scene = scene(&sold()).await;
    let key = scene.world.ledger.account("acme", "10").await;
    let mut socket = connect(&scene, &key, "/v1/realtime?model=gpt-5").await.expect("a session");
    for (input, output) in [(100, 50), (160, 700), (900, 4_000)] {
        assert_eq!(
            ask(&mut socket, json!({"input": input, "output": output})).await["type"],
            "response.done"
        );
    }
    socket.close(None).await.expect("it is closed");
    assert_eq!(scene.spent("acme").await, cost(1_160, 4_750));
    assert_eq!(scene.world.gate().stat("stopped_total").await, 0);
    let headers = scene.api.last().headers;
    assert!(!headers.contains_key("sec-websocket-extensions"), "nothing is compressed: {headers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_nothing_is_left_and_says_why() {
    let scene = scene(&sold()).await;
    let key = scene.world.ledger.account("acme", "0.02").await;
    let mut socket = connect(&scene, &key, "/v1/realtime?model=gpt-5").await.expect("a session");
    let mut answers = 0;
    let last = loop {
        let event = ask(&mut socket, json!({"input": 10, "output": 100})).await;
        if event["type"] != "response.done" {
            break event;
        }
        answers += 1;
        assert!(answers < 10_000, "it never ends");
    };
    assert_eq!(
        (last["type"].as_str(), last["code"].as_str()),
        (Some("error"), Some("insufficient_funds")),
        "{last}"
    );
    let close = socket.next().await.expect("not the end").expect("a message");
    assert!(matches!(&close, Message::Close(Some(frame)) if u16::from(frame.code) == 1_008), "{close:?}");
    drop(socket);
    let spent = scene.spent("acme").await;
    assert!(spent >= "0.02".parse().expect("an amount"), "{spent}");
    assert_eq!(scene.world.gate().stat("stopped_total").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_without_a_price_are_refused() {
    let scene = scene(&sold()).await;
    let key = scene.world.ledger.account("acme", "10").await;
    let poor = scene.world.ledger.account("poor", "0.000001").await;
    let unlimited = self::scene(&json!({})).await;
    let other = unlimited.world.ledger.account("acme", "10").await;
    for (scene, key, path, status) in [
        (&scene, &poor, "/v1/realtime?model=gpt-5", 402),
        (&scene, &key, "/v1/realtime?model=nothing", 404),
        (&scene, &key, "/v1/realtime", 400),
        (&scene, &key, "/v1/realtime?model=gpt-5&model=llama4", 400),
        (&unlimited, &other, "/v1/realtime?model=gpt-5", 400),
    ] {
        match connect(scene, key, path).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status().as_u16(), status, "{path}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    assert_eq!(scene.api.sent().len() + unlimited.api.sent().len(), 0);
    assert_eq!(scene.spent("acme").await, Credits::ZERO);
}
