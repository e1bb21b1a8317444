//! Request heads at the gate, as bytes of any kind. A stranger leaves nothing in shared memory, no key stays in
//! the query, and a refusal says its reason in a few words.

use crate::memory::Memory;
use crate::odd;
use crate::play::{Budget, Report, play};
use faregate::decide::base::head::Head;
use faregate::decide::base::moment::Moment;
use faregate::decide::gate::Gate;
use faregate::decide::outcome::{Arrival, Outcome, Passage};
use faregate::decide::refusal::answer;
use faregate::decide::request::identity::without_key;
use faregate::decide::settings::{Settings, Wording};
use faregate_protocol::api_key;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// The largest body of a refusal, in bytes.
const BODY: usize = 16_000;
/// A gate's own entries in shared memory: its name, and who leads.
const OWN: usize = 2;

type Headers = Vec<(String, Vec<u8>)>;

fn settings(texts: Option<&Value>) -> Settings {
    let mut config = json!({
        "ledger": {"cluster": "ledger", "token": {"env": "T"}},
        "identities": [{"header": "x-api-key"}, {"bearer": true}, {"query": "api_key"}, {"query": "k"}, {"cookie": "fg"},
                       {"property": ["san"]}],
        "rules": [
            {"name": "free", "match": {"path": {"exact": "/free"}}, "price": "free"},
            {"name": "item", "match": {"host": "a.example", "methods": ["GET", "POST"], "path": {"template": "/items/{}/{}"}}, "price": "2"},
            {"name": "gold", "match": {"headers": [{"name": "x-tier", "exact": "gold"}]}, "price": "0.5", "shadow": true}
        ],
        "default": {"price": "1"}
    });
    if let Some(texts) = texts {
        config["texts"] = texts.clone();
    }
    Settings::from_value(&config).expect("a good configuration")
}

/// An operator's own words, now and then.
fn texts() -> impl Strategy<Value = Option<Value>> + Clone {
    let codes = &["missing_key", "invalid_key", "ledger_unavailable"];
    let text = "([^{}\\p{Cc}]|[{](account|key|plan|code|needed|available|resets_at|wait_seconds)[}]){1,12}";
    let language = (select(codes.as_slice()), text, text)
        .prop_map(|(code, detail, label)| json!({code: {"detail": detail}, "send_key": label}));
    let tag = select(&["*", "de", "de-AT", "en", "x-a"][..]).prop_map(str::to_owned);
    let languages = proptest::collection::btree_map(tag, language, 0..4);
    proptest::option::of(languages.prop_map(|languages| Value::Object(languages.into_iter().collect())))
}

/// What a caller may say about languages.
fn languages() -> impl Strategy<Value = Vec<u8>> + Clone {
    let pieces = &[
        "de",
        "DE-at",
        "en",
        "*",
        "x-a",
        "-",
        ",",
        ", ",
        ";",
        ";q=",
        "q=0",
        "0.5",
        "1.000",
        "0.0000001",
        "\t",
    ];
    let piece = prop_oneof![8 => select(pieces.as_slice()).prop_map(|piece| piece.as_bytes().to_vec()), 1 => odd::bytes(6)];
    prop_oneof![8 => vec(piece.clone(), 0..12), 1 => vec(piece, 0..800)].prop_map(|pieces| pieces.concat())
}

fn key() -> impl Strategy<Value = String> + Clone {
    (0_u8..3).prop_map(|byte| api_key::compose(&[byte; api_key::SECRET_LEN]).unwrap_or_default())
}

/// Something where a key belongs: one, two of them, or something else.
fn credential() -> impl Strategy<Value = Vec<u8>> + Clone {
    prop_oneof![
        3 => key().prop_map(String::into_bytes),
        1 => (key(), "[, ;&=]{1,2}", key()).prop_map(|(a, by, b)| [a, by, b].concat().into_bytes()),
        1 => (key(), any::<u8>(), any::<u8>()).prop_map(|(key, at, byte)| {
            let mut bytes = key.into_bytes();
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
            bytes
        }),
        1 => odd::bytes(60),
        1 => odd::text().prop_map(String::into_bytes),
    ]
}

fn path() -> impl Strategy<Value = Vec<u8>> + Clone {
    let words = &[
        "/",
        "?",
        "&",
        "=",
        "#",
        ";",
        "%",
        "api_key",
        "api_key=",
        "api%5Fkey=",
        "k=",
        "K=",
        "items",
        "free",
        "//",
        "/../",
    ];
    let piece = prop_oneof![
        4 => select(words.as_slice()).prop_map(|word| word.as_bytes().to_vec()),
        2 => credential(),
        1 => odd::bytes(6),
    ];
    vec(piece, 0..12).prop_map(|pieces| [b"/".to_vec(), pieces.concat()].concat())
}

fn head() -> impl Strategy<Value = Headers> + Clone {
    let names = &[
        "x-api-key",
        "x-tier",
        "x-request-id",
        "x-faregate-account",
        "X-Faregate-Key",
        "host",
        "",
        "te",
        ":scheme",
    ];
    let header = prop_oneof![
        2 => path().prop_map(|path| (":path".to_owned(), path)),
        1 => select(&["GET", "POST", "CONNECT", "", "get", "OPTIONS"][..]).prop_map(|method| (":method".to_owned(), method.into())),
        1 => select(&["a.example", "A.EXAMPLE:80", "[::1]:80", "[", "]:", ":"][..]).prop_map(|host| (":authority".to_owned(), host.into())),
        3 => credential().prop_map(|value| ("x-api-key".to_owned(), value)),
        2 => ("(?i)(bearer|basic|b\u{e9}) ?", credential())
            .prop_map(|(scheme, value)| ("authorization".to_owned(), [scheme.into_bytes(), value].concat())),
        2 => ("[; a]{0,2}(fg|FG|f)=?", credential())
            .prop_map(|(name, value)| ("cookie".to_owned(), [name.into_bytes(), value].concat())),
        1 => languages().prop_map(|value| ("accept-language".to_owned(), value)),
        1 => select(&["text/html", "text/plain", "*/*"][..]).prop_map(|value| ("accept".to_owned(), value.into())),
        2 => (select(names.as_slice()), odd::bytes(40)).prop_map(|(name, value)| (name.to_owned(), value)),
        1 => (odd::text(), odd::bytes(10)),
    ];
    let preflight =
        (origin(), prop_oneof![3 => Just(b"POST".to_vec()), 1 => odd::bytes(6)], vec(header.clone(), 0..4));
    let preflight = preflight.prop_map(|(origin, method, more)| {
        let own =
            [(":method", b"OPTIONS".to_vec()), ("origin", origin), ("access-control-request-method", method)];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        own.into_iter().chain(more).collect::<Headers>()
    });
    let many = (1_usize..4_000, header.clone()).prop_map(|(times, header)| vec![header; times]);
    prop_oneof![8 => vec(header, 0..12), 2 => preflight, 1 => many]
}

/// Where a page may be from.
fn origin() -> impl Strategy<Value = Vec<u8>> + Clone {
    let pieces = &["https", "://", "a.example", ":", "443", "[::1]", "/", ",", " ", "null", "@"];
    prop_oneof![
        4 => Just(b"https://a.example".to_vec()),
        2 => vec(select(pieces.as_slice()), 0..6).prop_map(|pieces| pieces.concat().into_bytes()),
        1 => odd::bytes(20),
    ]
}

/// Several requests at one gate.
pub fn requests(budget: Budget, seed: u64) -> Report {
    let property =
        prop_oneof![3 => Just(None), 1 => odd::bytes(40).prop_map(Some), 1 => Just(Some(vec![b's'; 2_000]))];
    play(budget, seed, &(vec((head(), property), 1..6), texts()), |(requests, texts)| {
        let memory = Memory::default();
        let mut gate = Gate::new(settings(texts.as_ref()), memory.clone(), "fuzzed", Moment::ZERO);
        let now = Moment::from_nanos(1);
        for (context, (headers, property)) in requests.iter().enumerate() {
            let head = Head::new(headers);
            let context = u32::try_from(context).unwrap_or(0);
            let arrival = gate.arrive(now, context, &head, |_| property.clone());
            no_key_stays(&gate, &head)?;
            match arrival {
                Arrival::Decided(Outcome::Refuse(refusal) | Outcome::Pass(Passage::Shadow(refusal))) => {
                    let around = gate.request_context(&head, refusal.rule);
                    let form = gate.answer(&refusal, &around);
                    let said = answer(&refusal, &around, &gate.settings().wording);
                    prop_assert_eq!(form.body(&around), said.body.as_bytes(), "what is kept says the same");
                    prop_assert!(said.body.len() <= BODY, "a refusal of {} bytes", said.body.len());
                    prop_assert!(said.status == 200 || (400..=503).contains(&said.status));
                    prop_assert!(said.headers.iter().all(|(_, value)| !value.contains(char::is_control)));
                    let varies = said
                        .headers
                        .iter()
                        .any(|(name, value)| *name == "vary" && value.contains("language"));
                    let is_own =
                        texts.as_ref().and_then(Value::as_object).is_some_and(|texts| !texts.is_empty());
                    prop_assert_eq!(varies, is_own);
                    let built_in = answer(&refusal, &around, &Wording::default());
                    let elements = |body: &str| body.starts_with("<!").then(|| body.matches('<').count());
                    prop_assert_eq!(elements(&said.body), elements(&built_in.body), "{}", said.body);
                }
                Arrival::Decided(Outcome::Pass(passage)) => {
                    if matches!(passage, Passage::Preflight(_)) {
                        prop_assert_eq!(head.method(), b"OPTIONS");
                        prop_assert!(!head.value("origin").unwrap_or_default().is_empty());
                        let credentials = ["authorization", "cookie", "x-api-key"];
                        prop_assert!(credentials.iter().all(|name| head.value(name).is_none()));
                    } else {
                        prop_assert!(matches!(passage, Passage::Free(_)), "no caller has a lease");
                        prop_assert_eq!(head.path(), b"/free");
                    }
                }
                Arrival::Decided(Outcome::Show(view)) => {
                    prop_assert!(false, "no caller is known: {}", view.body);
                }
                Arrival::Waits | Arrival::NeedsBody(_) => {}
            }
        }
        let message =
            gate.next_message(now).map(|message| serde_json::to_vec(&message.body).unwrap_or_default());
        if let Some(message) = message {
            prop_assert_eq!(faregate_ledger::http::readable(&message), Ok(()));
        }
        prop_assert!(memory.len() <= OWN, "strangers left {} entries", memory.len());
        Ok(())
    })
}

/// No parameter that may hold a key is left in the path, and the rest of the query is.
fn no_key_stays(gate: &Gate<Memory>, head: &Head<'_>) -> Result<(), TestCaseError> {
    let pairs = |path: &[u8]| -> Vec<Vec<u8>> {
        let query = path.splitn(2, |byte| *byte == b'?').nth(1).unwrap_or_default();
        query.split(|byte| *byte == b'&').map(<[u8]>::to_vec).collect()
    };
    let holds_key = |pair: &Vec<u8>| {
        ["api_key", "k"].iter().any(|name| pair.split(|byte| *byte == b'=').next() == Some(name.as_bytes()))
    };
    let before = head.path_and_query();
    let after = without_key(&gate.settings().identities, before);
    let (old, new) = (pairs(before), pairs(after.as_deref().unwrap_or(before)));
    prop_assert!(!new.iter().any(holds_key), "{:?}", after);
    let kept: Vec<_> = old.into_iter().filter(|pair| !holds_key(pair)).collect();
    prop_assert!(new == kept || (kept.is_empty() && new == [b""]), "{:?} became {:?}", before, after);
    Ok(())
}
