//! Callers with a sublease are recognized by their key alone, and no other caller is mistaken for one of them.

use super::*;
use proptest::prelude::*;

/// Requests of this cost little, so that subleases are cut.
const CHEAP: &str = "/cheap";
/// A subject that Envoy vouches for, where there is one.
type Subject<'a> = Option<&'a str>;

fn configuration() -> Value {
    json!({"identities": [
        {"header": "x-api-key"}, {"bearer": true}, {"query": "api_key"}, {"cookie": "fg"}, {"property": ["san"]}
    ]})
}

/// A gate that sells to the key from a sublease, and one that knows no callers.
fn gates() -> (Gate<Memory>, Gate<Memory>) {
    let memory = Memory::default();
    let mut ledger = FakeLedger::with(1_000);
    let mut knows = gate(&memory, &configuration());
    arrive(&mut knows, 0, 0, "/", &key());
    exchange_messages(&mut knows, &mut ledger, 0);
    charge(arrive(&mut knows, 10, 1, CHEAP, &key()));
    (knows, gate(&Memory::default(), &configuration()))
}

fn come(gate: &mut Gate<Memory>, headers: &[(&str, &[u8])], subject: Subject<'_>) -> Arrival {
    let path = if headers.iter().any(|(name, _)| *name == ":path") {
        &[][..]
    } else {
        &[(":path", CHEAP.as_bytes())]
    };
    let headers = headers.iter().chain(path).map(|(name, value)| ((*name).to_owned(), value.to_vec()));
    let headers: Vec<_> = headers.collect();
    gate.arrive(at(11), 7, &Head::new(&headers), |_| subject.map(|subject| subject.as_bytes().to_vec()))
}

fn is_paid(arrival: &Arrival) -> bool {
    matches!(arrival, Arrival::Decided(Outcome::Pass(Passage::Paid(_))))
}

#[test]
fn a_key_similar_to_a_known_one_is_refused_like_any_other() {
    let (mut knows, mut unknown_caller) = gates();
    let key = key();
    let mut wrong: Vec<Vec<u8>> = (0..key.len())
        .map(|at| {
            let mut wrong = key.clone().into_bytes();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            wrong
        })
        .collect();
    wrong.extend((0..key.len()).map(|len| key.as_bytes()[..len].to_vec()));
    let lease = knows.names.lease(&Credential::Key(key.clone()));
    let more = [
        format!("{key}0"),
        format!("{key},"),
        format!("{key},{key}"),
        format!(" {key}"),
        key.to_lowercase(),
        lease,
    ];
    wrong.extend(more.map(String::into_bytes));
    wrong.push([key.as_bytes(), &[0xff]].concat());
    for wrong in &wrong {
        let bearer = [b"Bearer ", wrong.as_slice()].concat();
        for headers in [("x-api-key", wrong), ("authorization", &bearer)] {
            let headers = [(headers.0, headers.1.as_slice())];
            let expected = come(&mut unknown_caller, &headers, None);
            let same = come(&mut knows, &headers, None);
            // Only around a bearer token blanks don't count.
            let is_it = headers[0].1 == format!("Bearer  {key}").as_bytes();
            assert_eq!(same == expected, !is_it, "{:?}", String::from_utf8_lossy(wrong));
            assert_eq!(is_paid(&same), is_it);
        }
    }
    assert!(is_paid(&come(&mut knows, &[("x-api-key", key.as_bytes())], None)), "it itself is known");
}

#[test]
fn a_known_key_is_found_in_every_location_but_not_if_sent_twice() {
    let (mut knows, mut unknown_caller) = gates();
    let key = key();
    let (bearer, path, cookie) =
        (format!("bearer {key}"), format!("{CHEAP}?api_key={key}"), format!("a=b; fg={key}"));
    for (name, value) in
        [("x-api-key", &key), ("authorization", &bearer), (":path", &path), ("cookie", &cookie)]
    {
        let header = (name, value.as_bytes());
        assert!(is_paid(&come(&mut knows, &[header], None)), "{name}");
        if name != ":path" {
            let twice = come(&mut knows, &[header, header], None);
            assert!(!is_paid(&twice));
            assert_eq!(twice, come(&mut unknown_caller, &[header, header], None), "{name}");
        }
    }
    let first = [("x-api-key", &b"no key"[..]), ("cookie", cookie.as_bytes())];
    assert!(is_paid(&come(&mut knows, &first, None)), "what is no key hides none");
}

#[test]
fn keys_and_subjects_are_never_confused() {
    let (mut knows, _) = gates();
    let key = key();
    assert_eq!(
        come(&mut knows, &[], Some(&key)),
        Arrival::Waits,
        "a subject of these letters is somebody else"
    );
    assert!(is_paid(&come(&mut knows, &[("x-api-key", key.as_bytes())], None)));
}

proptest! {
    #[test]
    fn any_other_credential_is_decided_as_by_a_fresh_worker(
        from in 0_usize..60, with in proptest::collection::vec(any::<u8>(), 0..4), to in 0_usize..60,
    ) {
        let (mut knows, mut unknown_caller) = gates();
        let key = key();
        let (from, to) = (from.min(key.len()), to.min(key.len()));
        let shown = [&key.as_bytes()[..from], &with, &key.as_bytes()[to..]].concat();
        let headers = [("x-api-key", shown.as_slice())];
        let (judged, expected) = (come(&mut knows, &headers, None), come(&mut unknown_caller, &headers, None));
        if shown == key.as_bytes() {
            prop_assert!(is_paid(&judged) && expected == Arrival::Waits);
        } else {
            prop_assert_eq!(judged, expected);
        }
    }
}
