//! Who is closed for whom.

use super::*;
use std::time::Duration;

fn listener(most: usize) -> Arc<Connections> {
    Connections::new(ListenerName::Gateway, most, Arc::default())
}

fn from(host: u8) -> SocketAddr {
    ([192, 0, 2, host], 9).into()
}

/// Whether these are open.
fn open(seats: &[&ConnectionSlot]) -> Vec<bool> {
    seats.iter().map(|seat| seat.connections.open().all.contains_key(&seat.number)).collect()
}

#[test]
fn the_busiest_peer_loses_its_oldest_unauthenticated_connection() {
    let (connections, now) = (listener(40), Instant::now());
    let admit = |host| connections.admit(from(host), Phase::Head, now).unwrap();
    let alone = admit(1);
    let crowd: Vec<ConnectionSlot> = (0..9).map(|_| admit(2)).collect();
    let rest: Vec<ConnectionSlot> = (3..33).map(admit).collect();
    let newcomer = admit(1);
    assert_eq!(open(&[&alone, &crowd[0], &crowd[1], &rest[0], &newcomer]), [true, false, true, true, true]);
    assert_eq!(connections.open().all.len(), 40);
}

#[test]
fn one_peers_unauthenticated_connections_are_capped_at_a_quarter() {
    let (connections, now) = (listener(40), Instant::now());
    let seats: Vec<ConnectionSlot> =
        (0..25).map(|_| connections.admit(from(1), Phase::Head, now).unwrap()).collect();
    assert_eq!(connections.open().all.len(), 10);
    assert_eq!(open(&[&seats[14], &seats[15], &seats[24]]), [false, true, true]);
}

#[test]
fn unauthenticated_clients_never_evict_busy_authenticated_connections() {
    let (connections, now) = (listener(4), Instant::now());
    let trusted: Vec<ConnectionSlot> = (0..4)
        .map(|host| {
            let seat = connections.admit(from(host), Phase::Head, now).unwrap();
            seat.connection.begin_answer(false, now);
            seat.trust();
            seat
        })
        .collect();
    assert!(connections.admit(from(9), Phase::Head, now).is_none(), "all are busy");
    connections.make_room(&io::Error::from_raw_os_error(24), now);
    assert_eq!(connections.open().all.len(), 4);

    for (n, seat) in [2, 1].into_iter().zip(&trusted) {
        seat.connection.turn(Phase::Answer, Phase::Idle, now + Duration::from_secs(n));
    }
    let stranger = connections.admit(from(9), Phase::Head, now).unwrap();
    assert_eq!(open(&[&trusted[0], &trusted[1], &stranger]), [true, false, true], "the longest idle one");
    let another = connections.admit(from(9), Phase::Head, now).unwrap();
    assert_eq!(open(&[&trusted[0], &stranger, &another]), [true, false, true], "then strangers each other");
}

#[test]
fn closed_connections_leave_no_state() {
    let (connections, now) = (listener(40), Instant::now());
    let slow = connections.admit(from(1), Phase::Head, now).unwrap();
    let busy = connections.admit(from(1), Phase::Answer, now).unwrap();
    connections.sweep(now + Duration::from_secs(9));
    assert_eq!(open(&[&slow, &busy]), [true, true]);
    connections.sweep(now + Duration::from_secs(10));
    assert_eq!(open(&[&slow, &busy]), [false, true]);
    busy.trust();
    drop((slow, busy));
    let open = connections.open();
    assert!(open.all.is_empty() && open.strangers.is_empty(), "{open:?}");
}
