//! Calls to the ledger: how a message leaves, and which answers are believed.

use crate::decide::answer;
use crate::decide::settings::Ledger;
use faregate_protocol::exchange::{self, ExchangeRequest, ExchangeResponse, VERSION};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};
use std::time::Duration;

/// How much of the words is repeated in which Envoy says why there is no answer (bytes).
const MOST_SAID: usize = 300;

/// Sends a message. Returns the call's token, or why it couldn't leave.
pub(super) fn call(ledger: &Ledger, token: &str, message: &ExchangeRequest) -> Result<u32, String> {
    let body = serde_json::to_vec(message).map_err(|why| why.to_string())?;
    let authorization = format!("Bearer {token}");
    let headers = vec![
        (":method", "POST"),
        (":path", exchange::PATH),
        (":authority", &ledger.authority),
        ("authorization", &authorization),
        ("content-type", "application/json"),
        // Every exchange may be repeated, so a connection that broke is no reason to refuse anybody.
        ("x-envoy-retry-on", "connect-failure,refused-stream,reset"),
        ("x-envoy-max-retries", "1"),
    ];
    let timeout = Duration::from_millis(u64::from(ledger.timeout_ms));
    hostcalls::dispatch_http_call(&ledger.cluster, headers, Some(&body), Vec::new(), timeout).map_err(
        |status| format!("Envoy can't call cluster {:?} ({status:?}); is it configured?", ledger.cluster),
    )
}

/// Reads the answer of the call that Envoy is telling us about. Envoy answers failed calls by itself, so
/// only what carries the ledger's own header is believed.
pub(super) fn read_answer(body_size: usize) -> Result<ExchangeResponse, String> {
    let header = |name| hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, name).ok().flatten();
    let text = |bytes: Option<Vec<u8>>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    let status = text(header(":status"));
    let body = if body_size <= exchange::MAX_BODY_BYTES {
        hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, body_size)
            .ok()
            .flatten()
            .unwrap_or_default()
    } else {
        return Err(format!("an answer of {body_size} bytes"));
    };
    if header(exchange::MARKER_HEADER).is_none() {
        let status = if status.is_empty() { "no status" } else { &status };
        // Envoy says what went wrong, such as a certificate that it doesn't trust.
        let plain = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '?' };
        let said: String = body.iter().take(MOST_SAID).map(plain).collect();
        return Err(format!("no answer from the ledger ({status} {said})"));
    }
    if status != "200" {
        return Err(answer::read_error(&body).unwrap_or_else(|| format!("status {status}")));
    }
    answer::read(&body).filter(|answer| answer.protocol == VERSION).ok_or_else(|| {
        match answer::version(&body) {
            Some(other) if other != VERSION => {
                format!("it speaks protocol {other}, this gate {VERSION}; use the same release on both sides")
            }
            _ => "an answer that can't be read".to_owned(),
        }
    })
}
