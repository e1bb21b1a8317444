//! What each event of a streamed answer costs Envoy in instructions, counted by callgrind: Faregate that reads what the answer used,
//! beside Faregate where the answer doesn't matter.
//!
//! The upstream sends an event of 320 bytes at a time and pauses, so that each is a callback of its own. A stream of one event is
//! counted as well, and what it costs is taken off: what remains belongs to the events.

use crate::envoy::{Backends, Envoy, Plan};
use crate::instructions::{callgrind, tell, total};
use crate::report;
use crate::variant::{gate, metering_gate};
use harness::LedgerProcess;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The size of an event in bytes.
const EVENT: usize = 320;
/// The time between two events: Envoy under callgrind takes one to three milliseconds for each.
const PAUSE: Duration = Duration::from_millis(8);
/// Streams before the count begins.
const WARM: u32 = 20;
/// The longest that one answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way to treat streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    /// Envoy without any filter.
    Bare,
    /// Faregate at a fixed price.
    Paid,
    /// Faregate by what the answer used.
    Metered,
    /// The same, and the usage is there only because the gate asked for it.
    Stripped,
    /// The same, and the answer ends when nothing is left.
    Stopping,
}

impl Variant {
    const ALL: [Self; 5] = [Self::Bare, Self::Paid, Self::Metered, Self::Stripped, Self::Stopping];

    const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Paid => "paid",
            Self::Metered => "metered",
            Self::Stripped => "metered_stripped",
            Self::Stopping => "metered_stopping",
        }
    }

    fn filter(self) -> Option<Value> {
        let metered = |more: Value| {
            let mut meter = json!({"llm": "openai", "prices": {"gpt-5": {"input": "1.25", "output": "10"}}});
            for (name, value) in more.as_object().into_iter().flatten() {
                meter[name] = value.clone();
            }
            metering_gate(&json!({"request_bodies": true, "rules": [{"name": "chat", "meter": meter}]}))
        };
        match self {
            Self::Bare => None,
            Self::Paid => Some(gate(&json!({}))),
            Self::Metered => Some(metered(json!({"ask_for_usage": false}))),
            Self::Stripped => Some(metered(json!({}))),
            Self::Stopping => Some(metered(json!({"ask_for_usage": false, "stop_at_zero": true}))),
        }
    }
}

/// Counts streams of so many events.
pub fn run(events: u32, only: &[&str]) {
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let (ledger, behind) = services.block_on(async {
        let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
        let behind =
            Backends { upstream: upstream().await, ledger: ledger.gateway_port, ..Backends::default() };
        (ledger, behind)
    });
    println!("{:<18}{:>14}{:>8}{:>12}", "variant", "per event", "÷ bare", "above bare");
    let (mut bare, mut all) = (f64::NAN, serde_json::Map::new());
    for variant in
        Variant::ALL.into_iter().filter(|variant| only.is_empty() || only.contains(&variant.name()))
    {
        let (envoy, key) = services.block_on(async {
            let plan = Plan {
                name: variant.name().to_owned(),
                filter: variant.filter(),
                workers: 1,
                under: callgrind(&dir.path().join(variant.name())),
            };
            let account = variant.name().replace('_', "-");
            (Envoy::start(dir.path(), &plan, behind).await, ledger.account(&account, "1000000").await)
        });
        let counted = count(&envoy, &key, variant, events, dir.path());
        let [_, middle, _] = counted[..] else { panic!("three runs") };
        if variant == Variant::Bare {
            bare = middle;
        }
        println!("{:<18}{middle:>14.0}{:>8.2}{:>12.0}", variant.name(), middle / bare, middle - bare);
        all.insert(variant.name().to_owned(), json!(counted));
    }
    services.block_on(async {
        ledger.nothing_is_held().await;
        ledger.audit().await;
    });
    report::keep("streams", &Value::Object(all));
}

/// Instructions per event of three runs, in order of size.
fn count(envoy: &Envoy, key: &str, variant: Variant, events: u32, dir: &Path) -> Vec<f64> {
    for _ in 0..WARM {
        stream(envoy, key, 20);
    }
    tell(envoy, &["instrumentation", "on"]);
    stream(envoy, key, events);
    let mut dumps = 0;
    let mut counted_while = |live: &mut dyn FnMut()| {
        tell(envoy, &["zero"]);
        live();
        tell(envoy, &["dump", "counted"]);
        dumps += 1;
        total(&dir.join(format!("{}.calls.{dumps}", variant.name())))
    };
    // Without what happens by time.
    let mut net = |events: u32| {
        let began = Instant::now();
        let busy = counted_while(&mut || stream(envoy, key, events));
        let took = began.elapsed();
        busy - counted_while(&mut || std::thread::sleep(took))
    };
    let mut counted: Vec<f64> = (0..3).map(|_| (net(events + 1) - net(1)) / f64::from(events)).collect();
    counted.sort_by(f64::total_cmp);
    counted
}

/// Asks for a stream of so many events, and reads it to its end.
fn stream(envoy: &Envoy, key: &str, events: u32) {
    let body = json!({"model": "gpt-5", "stream": true, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": events});
    let body = body.to_string();
    let mut connection = TcpStream::connect(("127.0.0.1", envoy.port)).expect("a connection");
    connection.set_read_timeout(Some(PATIENCE)).expect("a setting");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nx-api-key: {key}\r\nx-events: {events}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(head.as_bytes()).expect("a connection that takes requests");
    let (mut answer, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    while !answer.ends_with(b"0\r\n\r\n") {
        let count = connection.read(&mut piece).expect("an answer in time");
        assert!(count > 0, "the connection was closed: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..count]);
    }
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("[DONE]"), "{text}");
}

/// An upstream that streams as many events as the request's header says.
async fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let _ = connection.set_nodelay(true);
            tokio::spawn(answer(connection));
        }
    });
    port
}

async fn answer(mut connection: tokio::net::TcpStream) -> Option<()> {
    let chunk = |data: &str| format!("{:x}\r\n{data}\r\n", data.len());
    let event = chunk(&event());
    let last = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-5","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":400,"total_tokens":409}}"#;
    let last = chunk(&format!("{last}\n\ndata: [DONE]\n\n"));
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if connection.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let number = |name: &str| -> Option<usize> {
            head.split(name).nth(1)?.split("\r\n").next()?.trim().parse().ok()
        };
        let (length, events) = (number("\ncontent-length:").unwrap_or(0), number("\nx-events:").unwrap_or(1));
        while bytes.len() < end + length {
            if connection.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
        bytes.drain(..end + length);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        connection.write_all(head.as_bytes()).await.ok()?;
        for _ in 0..events {
            connection.write_all(event.as_bytes()).await.ok()?;
            tokio::time::sleep(PAUSE).await;
        }
        connection.write_all(format!("{last}0\r\n\r\n").as_bytes()).await.ok()?;
    }
}

/// An event as OpenAI sends it.
fn event() -> String {
    let before = r#"data: {"id":"chatcmpl-BkQz0Uy7","object":"chat.completion.chunk","created":1795000000,"model":"gpt-5","service_tier":"default","system_fingerprint":"fp_3407719c7f","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":""#;
    let behind = "\"}\n\n";
    let padding = EVENT.saturating_sub(before.len() + behind.len());
    format!("{before}{}{behind}", "x".repeat(padding))
}
