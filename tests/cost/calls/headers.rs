//! The head of a request, and what becomes of it.

use super::Status;
use crate::call::Call;
use crate::host::Request;

const REQUEST: u32 = 0;
const RESPONSE: u32 = 2;
const LEDGER_ANSWER: u32 = 6;

/// Answers the call if it is about heads.
pub fn answer(call: &mut Call<'_>, name: &str) -> Option<Status> {
    Some(match name {
        "get_header_map_pairs" => {
            let map = pairs(&read(call));
            call.give(1, &map);
            Status::Ok
        }
        "get_header_map_value" => {
            let name = call.text(1);
            let found = read(call).into_iter().find(|(own, _)| *own == name);
            let Some((_, value)) = found else {
                return Some(Status::NotFound);
            };
            call.give(3, &value);
            Status::Ok
        }
        "add_header_map_value" => {
            let header = (call.text(1), call.bytes(3));
            change(call, |request| request.head.push(header))
        }
        "replace_header_map_value" => {
            let (name, value) = (call.text(1), call.bytes(3));
            change(call, |request| {
                request.head.retain(|(own, _)| *own != name);
                request.head.push((name, value));
            })
        }
        "remove_header_map_value" => {
            let name = call.text(1);
            change(call, |request| request.head.retain(|(own, _)| *own != name))
        }
        "continue_stream" => change(call, |request| request.resumed = true),
        "send_local_response" => {
            let status = u16::try_from(call.number(0)).expect("a status");
            let (details, ..) = (call.text(1), call.bytes(3), call.bytes(5));
            change(call, |request| {
                request.note = Some(details);
                request.refused = Some(status);
                request.status = Some(status);
            })
        }
        _ => return None,
    })
}

/// The map that the first argument names.
fn read(call: &mut Call<'_>) -> Vec<(String, Vec<u8>)> {
    match call.number(0) {
        REQUEST => call.host().current().map(|request| request.head.clone()).unwrap_or_default(),
        RESPONSE => {
            let status = call.host().current().and_then(|request| request.status).unwrap_or_default();
            let head = [
                (":status", status.to_string()),
                ("content-type", "application/json".to_owned()),
                ("content-length", "1234".to_owned()),
                ("date", "Sun, 29 Nov 2026 12:00:00 GMT".to_owned()),
                ("x-envoy-upstream-service-time", "3".to_owned()),
            ];
            head.map(|(name, value)| (name.to_owned(), value.into_bytes())).to_vec()
        }
        LEDGER_ANSWER => vec![
            (":status".to_owned(), b"200".to_vec()),
            (faregate_protocol::exchange::MARKER_HEADER.to_owned(), b"2".to_vec()),
        ],
        other => panic!("the filter reads header map {other}, which tests/cost doesn't have"),
    }
}

fn change(call: &mut Call<'_>, change: impl FnOnce(&mut Request)) -> Status {
    match call.host().current() {
        Some(request) => {
            change(request);
            Status::Ok
        }
        None => Status::BadArgument,
    }
}

/// A map as proxy-wasm writes it: the number of pairs, the sizes of all, then each name and value with a zero behind.
fn pairs(map: &[(String, Vec<u8>)]) -> Vec<u8> {
    let size = |length: usize| u32::try_from(length).expect("a size of 32 bits").to_le_bytes();
    let mut bytes = size(map.len()).to_vec();
    for (name, value) in map {
        bytes.extend([size(name.len()), size(value.len())].concat());
    }
    for (name, value) in map {
        bytes.extend([name.as_bytes(), b"\0", value, b"\0"].concat());
    }
    bytes
}
