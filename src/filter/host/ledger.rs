//! Calls to the ledger: sends messages, and checks which answers are the ledger's.
#![expect(
    unsafe_code,
    reason = "the SDK notes each call in its dispatcher, which isn't used here; the import is proxy-wasm's documented one"
)]

use crate::decide::base::text::visible;
use crate::decide::calls::BatchAnswer;
use crate::decide::gate::answer::{self, ResponseHints};
use crate::decide::settings::Ledger;
use faregate_protocol::exchange::{self, ExchangeRequest, ExchangeResponse, OLDEST, VERSION};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        call: *mut u32,
    ) -> u32;
}

/// What this gate is: the ledger shows it to operators.
const AGENT: &str = concat!("faregate/", env!("CARGO_PKG_VERSION"));
/// How much of Envoy's reason for a missing answer is repeated (bytes).
const MOST_SAID: usize = 300;

// An error says so in words, which are smaller than numbers that are formatted.
const _: () = assert!(OLDEST == 2 && VERSION == 3, "say the versions that this gate speaks in read_answer");

/// Sends a message. Returns the call's token, or why it couldn't be sent.
#[inline(never)]
pub(super) fn call(ledger: &Ledger, token: &str, message: &ExchangeRequest) -> Result<u32, String> {
    let body = serde_json::to_vec(message).map_err(|_| "the message can't be written".to_owned())?;
    post(ledger, token, exchange::PATH, &body)
}

/// Sends JSON to a path of the ledger's.
#[inline(never)]
pub(super) fn post(ledger: &Ledger, token: &str, path: &str, body: &[u8]) -> Result<u32, String> {
    let authorization = format!("Bearer {token}");
    let headers = [
        (":method", "POST"),
        (":path", path),
        (":authority", &ledger.authority),
        ("authorization", &authorization),
        ("content-type", "application/json"),
        ("user-agent", AGENT),
        // All that is sent is idempotent, so a broken connection is retried.
        ("x-envoy-retry-on", "connect-failure,refused-stream,reset"),
        ("x-envoy-max-retries", "1"),
    ];
    http_call(&ledger.cluster, &written(&headers), body, ledger.timeout_ms).map_err(|status| {
        format!("Envoy can't call cluster {} (status {status}); is it configured?", visible(&ledger.cluster))
    })
}

/// Makes Envoy call a cluster. Returns the call's token, or proxy-wasm's status.
#[inline(never)]
fn http_call(cluster: &str, headers: &[u8], body: &[u8], timeout_ms: u32) -> Result<u32, u32> {
    let mut call = 0;
    // SAFETY: during the call the host reads what the addresses and sizes say; there are no trailers. It writes the
    // token to the last address, which is that of a local u32.
    let status = unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            std::ptr::null(),
            0,
            timeout_ms,
            &raw mut call,
        )
    };
    if status == 0 { Ok(call) } else { Err(status) }
}

/// Headers as proxy-wasm has them: how many, the sizes of each name and value, and then these, a zero behind each.
#[inline(never)]
fn written(headers: &[(&str, &str)]) -> Vec<u8> {
    let size = |size: usize| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    let texts: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    let mut map = Vec::with_capacity(4 + texts);
    map.extend(size(headers.len()));
    for (name, value) in headers {
        map.extend(size(name.len()));
        map.extend(size(value.len()));
    }
    for text in headers.iter().flat_map(|(name, value)| [name, value]) {
        map.extend_from_slice(text.as_bytes());
        map.push(0);
    }
    map
}

/// Reads what the ledger says of a batch of call records.
#[inline(never)]
pub(super) fn read_batch_answer() -> BatchAnswer {
    let header = |name| hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, name).ok().flatten();
    if header(exchange::MARKER_HEADER).is_none() {
        return BatchAnswer::Again;
    }
    match header(":status").as_deref() {
        Some([b'2', ..]) => BatchAnswer::Stored,
        // What is wrong with the batch, or the path that an older ledger doesn't have, stays wrong. A token may be rotated.
        Some(b"400" | b"404" | b"405" | b"413") => BatchAnswer::Refused,
        _ => BatchAnswer::Again,
    }
}

/// Reads the answer of the call that Envoy is telling us about, and what is said beside it. Envoy generates answers to
/// failed calls, so only those with the ledger's own header are believed.
#[inline(never)]
pub(super) fn read_answer(body_size: usize, aside: &mut ResponseHints) -> Result<ExchangeResponse, String> {
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
    let Some(marker) = header(exchange::MARKER_HEADER) else {
        let status = if status.is_empty() { "no status" } else { &status };
        // Envoy says what went wrong, such as a certificate that it doesn't trust.
        let plain = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '?' };
        let said: String = body.iter().take(MOST_SAID).map(plain).collect();
        return Err(format!("no answer from the ledger ({status} {said})"));
    };
    let digit = |newest: u32, byte: &u8| newest.wrapping_mul(10).wrapping_add(u32::from(byte & 15));
    aside.newest = marker.iter().fold(0, digit);
    if status != "200" {
        return Err(answer::read_error(&body, aside).unwrap_or_else(|| format!("status {status}")));
    }
    let Some(answer) = answer::read(&body) else {
        return Err("an answer that can't be read".to_owned());
    };
    let other = answer.protocol;
    if !(OLDEST..=VERSION).contains(&other) {
        return Err(format!("it speaks protocol {other}, this gate 2 to 3; upgrade the older side"));
    }
    Ok(answer)
}
