//! What the workers of one Envoy share: data with stamps, and queues.

use super::Status;
use crate::call::Call;

/// Answers the call if it is about shared memory.
pub fn answer(call: &mut Call<'_>, name: &str) -> Option<Status> {
    Some(match name {
        "get_shared_data" => {
            let key = call.bytes(0);
            let Some((value, stamp)) = call.host().shared.get(&key).cloned() else {
                return Some(Status::NotFound);
            };
            call.give(2, &value);
            call.put(4, &stamp.to_le_bytes());
            Status::Ok
        }
        "set_shared_data" => {
            let (key, value, expected) = (call.bytes(0), call.bytes(2), call.number(4));
            let host = call.host();
            let differs = host.shared.get(&key).is_some_and(|(_, stamp)| *stamp != expected);
            if expected != 0 && differs {
                return Some(Status::CasMismatch);
            }
            host.stamp += 1;
            host.shared.insert(key, (value, host.stamp));
            Status::Ok
        }
        "register_shared_queue" => {
            let name = call.bytes(0);
            let queues = &mut call.host().queues;
            let place = queues.iter().position(|(own, _)| *own == name).unwrap_or_else(|| {
                queues.push((name, std::collections::VecDeque::new()));
                queues.len() - 1
            });
            call.put(2, &number(place).to_le_bytes());
            Status::Ok
        }
        "enqueue_shared_queue" => {
            let (queue, item) = (call.number(0), call.bytes(1));
            let host = call.host();
            let Some((_, items)) = host.queues.get_mut(place(queue)) else {
                return Some(Status::NotFound);
            };
            items.push_back(item);
            host.rung.push_back(queue);
            Status::Ok
        }
        "dequeue_shared_queue" => {
            let queue = call.number(0);
            let Some((_, items)) = call.host().queues.get_mut(place(queue)) else {
                return Some(Status::NotFound);
            };
            let Some(item) = items.pop_front() else {
                return Some(Status::Empty);
            };
            call.give(1, &item);
            Status::Ok
        }
        _ => return None,
    })
}

fn number(place: usize) -> u32 {
    u32::try_from(place + 1).expect("few queues")
}

fn place(number: u32) -> usize {
    number as usize - 1
}
