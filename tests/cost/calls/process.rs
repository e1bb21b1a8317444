//! All else that the filter asks for: the clock, chance, attributes, statistics, the log, calls to the ledger.

use super::Status;
use crate::call::Call;
use crate::host::ROOT;

const LEDGER_ANSWER: u32 = 4;
const CONFIGURATION: u32 = 7;

/// Answers the call if it is one of these.
pub fn answer(call: &mut Call<'_>, name: &str) -> Option<Status> {
    Some(match name {
        "clock_time_get" => {
            let now = call.host().now_ns.to_le_bytes();
            call.put(2, &now);
            Status::Ok
        }
        "random_get" => {
            let size = call.number(1) as usize;
            call.put(0, &vec![0x5a; size]);
            Status::Ok
        }
        "environ_sizes_get" => {
            call.put(0, &[0; 4]);
            call.put(1, &[0; 4]);
            Status::Ok
        }
        "environ_get" | "set_tick_period_milliseconds" => Status::Ok,
        "get_buffer_bytes" => {
            let bytes = match call.number(0) {
                LEDGER_ANSWER => call.host().answer.clone(),
                CONFIGURATION => call.host().configuration.clone(),
                _ => return Some(Status::NotFound),
            };
            call.give(3, &bytes);
            Status::Ok
        }
        "get_property" => {
            let path = call.text(0);
            let status = call.host().current().and_then(|request| request.status);
            let value = match path.as_str() {
                "xds\0node\0id" => b"a-node".to_vec(),
                "response\0code" => match status {
                    Some(status) => i64::from(status).to_le_bytes().to_vec(),
                    None => return Some(Status::NotFound),
                },
                "upstream\0local_address" => b"127.0.0.1:80".to_vec(),
                "response\0code_details" => b"via_upstream".to_vec(),
                _ => return Some(Status::NotFound),
            };
            call.give(2, &value);
            Status::Ok
        }
        "set_property" => {
            let (_, value) = (call.text(0), call.text(2));
            if let Some(request) = call.host().current() {
                request.note = Some(value);
            }
            Status::Ok
        }
        "define_metric" => {
            let name = call.text(1);
            let metrics = &mut call.host().metrics;
            metrics.push((name, 0));
            let number = u32::try_from(metrics.len()).expect("few statistics");
            call.put(3, &number.to_le_bytes());
            Status::Ok
        }
        "increment_metric" => {
            let (place, more) = (call.number(0) as usize - 1, call.long(1).cast_signed());
            call.host().metrics[place].1 += more;
            Status::Ok
        }
        "log" => {
            let text = call.text(1);
            call.host().log.push(text);
            Status::Ok
        }
        "http_call" => {
            let (_, _, body) = (call.text(0), call.bytes(2), call.bytes(4));
            let host = call.host();
            host.sent += 1;
            let token = host.sent;
            host.messages.push_back((token, body));
            call.put(9, &token.to_le_bytes());
            Status::Ok
        }
        "set_effective_context" => {
            let context = call.number(0);
            let host = call.host();
            if context != ROOT && !host.requests.contains_key(&context) {
                return Some(Status::BadArgument);
            }
            host.context = context;
            Status::Ok
        }
        _ => return None,
    })
}
