//! CORS preflights: how they are recognized and how they are answered.

use super::*;
use crate::decide::request::view::PATH;

const PAGE: &str = "https://app.example.com";
const OTHER: &str = "https://evil.example.com";

/// What became of an `OPTIONS`: which way it passed, or the status of the gate's answer.
#[derive(Debug, PartialEq, Eq)]
enum PreflightOutcome {
    Preflight,
    Free,
    Watched,
    Answered(u16),
    Refused(RefusalCode),
}

struct Asked<'a> {
    origin: &'a str,
    path: &'a str,
    method: &'a str,
    more: &'a [(&'a str, &'a str)],
    ends: bool,
    property: Option<&'a str>,
}

const ASKED: Asked<'static> =
    Asked { origin: PAGE, path: "/", method: "POST", more: &[], ends: true, property: None };

fn headers(asked: &Asked<'_>) -> Vec<(String, Vec<u8>)> {
    let own = [
        (":method", "OPTIONS"),
        (":path", asked.path),
        ("origin", asked.origin),
        ("access-control-request-method", asked.method),
    ];
    let all = own.iter().chain(asked.more);
    all.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn outcome(gate: &mut Gate<Memory>, asked: &Asked<'_>) -> Outcome {
    let headers = headers(asked);
    let mut head = Head::new(&headers);
    head.ends = asked.ends;
    let property = |_: &[String]| asked.property.map(|value| value.as_bytes().to_vec());
    match gate.arrive(at(0), 1, &head, property) {
        Arrival::Decided(outcome) => outcome,
        Arrival::Waits | Arrival::NeedsBody(_) => panic!("{headers:?} waits for the ledger"),
    }
}

fn preflight_outcome(gate: &mut Gate<Memory>, asked: &Asked<'_>) -> PreflightOutcome {
    let preflight_outcome = match outcome(gate, asked) {
        Outcome::Pass(Passage::Preflight(_)) => PreflightOutcome::Preflight,
        Outcome::Pass(Passage::Free(_)) => PreflightOutcome::Free,
        Outcome::Pass(Passage::Shadow(_)) => PreflightOutcome::Watched,
        Outcome::Pass(Passage::Paid(charge)) => panic!("{charge:?}"),
        Outcome::Refuse(refusal) => PreflightOutcome::Refused(refusal.code),
        Outcome::Show(view) => PreflightOutcome::Answered(view.status),
    };
    let counted = gate.take_counters().preflights;
    assert_eq!(
        counted,
        u64::from(matches!(preflight_outcome, PreflightOutcome::Preflight | PreflightOutcome::Answered(_))),
        "{preflight_outcome:?}"
    );
    preflight_outcome
}

const MISSING: PreflightOutcome = PreflightOutcome::Refused(RefusalCode::MissingKey);
const GONE: PreflightOutcome = PreflightOutcome::Refused(RefusalCode::RouteRetired);

fn rules() -> Value {
    json!([
        {"match": {"path": {"exact": "/free"}}, "price": "free"},
        {"match": {"path": {"exact": "/gone"}, "methods": ["POST"]}, "retired": true},
        {"match": {"path": {"exact": "/watched"}}, "price": "1", "shadow": true},
        {"match": {"path": {"exact": "/watched-gone"}}, "retired": true, "shadow": true}
    ])
}

#[test]
fn only_requests_that_a_browser_sends_count_as_preflights() {
    let identities = json!([{"header": "x-api-key"}, {"bearer": true}, {"query": "key"}, {"cookie": "k"}, {"property": ["san"]}]);
    let mut gate = gate(&Memory::default(), &json!({"identities": identities}));
    assert_eq!(preflight_outcome(&mut gate, &ASKED), PreflightOutcome::Preflight);
    for origin in ["null", "http://localhost:3000", "http://[::1]:80", "chrome-extension://abcdef"] {
        assert_eq!(
            preflight_outcome(&mut gate, &Asked { origin, ..ASKED }),
            PreflightOutcome::Preflight,
            "{origin}"
        );
    }
    let plain = [
        ("access-control-request-headers", "x-api-key"),
        ("accept", "*/*"),
        ("x-forwarded-for", "::1"),
        ("x-request-id", "1"),
    ];
    assert_eq!(
        preflight_outcome(&mut gate, &Asked { more: &plain, path: "/?keys=1", ..ASKED }),
        PreflightOutcome::Preflight
    );

    for origin in
        ["", "*", "app.example.com", "https://app.example.com/", "https://a.example,https://b.example"]
    {
        assert_eq!(preflight_outcome(&mut gate, &Asked { origin, ..ASKED }), MISSING, "{origin:?}");
    }
    for method in ["", " ", "GET,POST", "G\u{e9}T", "GET /"] {
        assert_eq!(preflight_outcome(&mut gate, &Asked { method, ..ASKED }), MISSING, "{method:?}");
    }
    assert_eq!(preflight_outcome(&mut gate, &Asked { ends: false, ..ASKED }), MISSING);
    for (name, value) in [
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
        ("x-http-method-override", "DELETE"),
        ("x_http_method_override", "DELETE"),
        ("x-http_method-override", ""),
        ("x-http-method", "GET"),
        ("x-method-override", "GET"),
        ("x_method_override", "GET"),
        ("authorization", "Basic dTpw"),
        ("proxy-authorization", "Basic dTpw"),
        ("cookie", "a=b"),
        ("origin", PAGE),
        ("access-control-request-method", "GET"),
    ] {
        assert_eq!(
            preflight_outcome(&mut gate, &Asked { more: &[(name, value)], ..ASKED }),
            MISSING,
            "{name}"
        );
    }
    let invalid = PreflightOutcome::Refused(RefusalCode::InvalidKey);
    for (name, value) in [
        ("x-api-key", ""),
        ("x-api-key", "fg_live_typo"),
        ("authorization", "Bearer fg_live_typo"),
        ("cookie", "k=fg_live_typo"),
    ] {
        assert_eq!(
            preflight_outcome(&mut gate, &Asked { more: &[(name, value)], ..ASKED }),
            invalid,
            "{name}"
        );
    }
    assert_eq!(
        preflight_outcome(&mut gate, &Asked { more: &[("x_api_key", "fg_live_typo")], ..ASKED }),
        MISSING
    );
    assert_eq!(preflight_outcome(&mut gate, &Asked { path: "/?key=fg_live_typo", ..ASKED }), invalid);
    assert_eq!(
        preflight_outcome(&mut gate, &Asked { property: Some(""), ..ASKED }),
        PreflightOutcome::Preflight
    );
    let long = "s".repeat(2_000);
    assert_eq!(preflight_outcome(&mut gate, &Asked { property: Some(&long), ..ASKED }), invalid);
    let mut get = headers(&ASKED);
    get[0].1 = b"GET".to_vec();
    assert!(matches!(
        gate.arrive(at(0), 1, &Head::new(&get), |_| None),
        Arrival::Decided(Outcome::Refuse(_))
    ));
}

#[test]
fn the_configuration_decides_how_preflights_are_handled() {
    use PreflightOutcome::{Answered, Free, Preflight, Watched};
    let origins = json!([PAGE]);
    for (config, [page, other, free, free_other, gone, gone_other, watched, watched_gone]) in [
        (json!({}), [Preflight, Preflight, Free, Free, GONE, GONE, Preflight, Preflight]),
        (
            json!({"cors_origins": origins}),
            [Answered(204), Answered(403), Answered(204), Free, Answered(204), GONE, Preflight, Preflight],
        ),
        (
            json!({"cors_origins": origins, "preflight": "pass"}),
            [Preflight, Preflight, Free, Free, Answered(204), GONE, Preflight, Preflight],
        ),
        (
            json!({"cors_origins": origins, "preflight": "charge"}),
            [MISSING, MISSING, Free, Free, MISSING, MISSING, Watched, Watched],
        ),
        (
            json!({"cors_origins": origins, "preflight": "refuse"}),
            [Answered(403), Answered(403), Free, Free, GONE, GONE, Preflight, Preflight],
        ),
        (
            json!({"preflight": "refuse"}),
            [Answered(403), Answered(403), Free, Free, GONE, GONE, Preflight, Preflight],
        ),
    ] {
        let mut all = config.clone();
        all["rules"] = rules();
        let mut gate = gate(&Memory::default(), &all);
        let mut ask =
            |path: &str, origin: &str| preflight_outcome(&mut gate, &Asked { origin, path, ..ASKED });
        let found = [
            ask("/", PAGE),
            ask("/", OTHER),
            ask("/free", PAGE),
            ask("/free", OTHER),
            ask("/gone", PAGE),
            ask("/gone", OTHER),
            ask("/watched", PAGE),
            ask("/watched-gone", PAGE),
        ];
        assert_eq!(
            found,
            [page, other, free, free_other, gone, gone_other, watched, watched_gone],
            "{config}"
        );
    }
}

#[test]
fn a_preflight_falls_under_the_rule_of_the_announced_request() {
    let rules = json!([
        {"match": {"path": {"exact": "/gone"}, "methods": ["POST"]}, "retired": true},
        {"match": {"methods": ["GET"]}, "price": "free"},
        {"match": {"methods": ["OPTIONS"]}, "price": "free"}
    ]);
    let mut gate = gate(&Memory::default(), &json!({"rules": rules}));
    assert_eq!(
        preflight_outcome(&mut gate, &Asked { path: "/gone", ..ASKED }),
        GONE,
        "and not that of OPTIONS"
    );
    assert_eq!(
        preflight_outcome(&mut gate, &Asked { path: "/gone", method: "GET", ..ASKED }),
        PreflightOutcome::Free
    );
    assert_eq!(preflight_outcome(&mut gate, &Asked { method: "PUT", ..ASKED }), PreflightOutcome::Preflight);
}

#[test]
fn account_view_preflights_are_answered_in_every_preflight_mode() {
    for preflight in ["answer", "pass", "charge", "refuse"] {
        let mut gate = gate(&Memory::default(), &json!({"cors_origins": [PAGE], "preflight": preflight}));
        assert_eq!(
            preflight_outcome(&mut gate, &Asked { path: PATH, ..ASKED }),
            PreflightOutcome::Answered(204),
            "{preflight}"
        );
        assert_eq!(
            preflight_outcome(&mut gate, &Asked { path: PATH, origin: OTHER, ..ASKED }),
            PreflightOutcome::Answered(403)
        );
    }
    let mut gate = gate(&Memory::default(), &json!({}));
    assert_eq!(
        preflight_outcome(&mut gate, &Asked { path: PATH, ..ASKED }),
        PreflightOutcome::Answered(403),
        "the API has no such page"
    );
}

#[test]
fn answered_preflights_may_carry_a_query_key_or_a_certificate() {
    let identities = json!([{"query": "key"}, {"property": ["san"]}]);
    let mut gate = gate(&Memory::default(), &json!({"cors_origins": [PAGE], "identities": identities}));
    assert_eq!(
        preflight_outcome(&mut gate, &Asked { path: "/?key=fg_live_typo", ..ASKED }),
        PreflightOutcome::Answered(204)
    );
    assert_eq!(
        preflight_outcome(&mut gate, &Asked { property: Some("spiffe://a/b"), ..ASKED }),
        PreflightOutcome::Answered(204)
    );
}

#[test]
fn the_preflight_response_allows_the_requested_method_and_headers() {
    let mut gate = gate(&Memory::default(), &json!({"cors_origins": ["*"]}));
    let mut answer = |path, wanted: &str| {
        let more = [("access-control-request-headers", wanted)];
        let Outcome::Show(view) = outcome(&mut gate, &Asked { path, method: "DELETE", more: &more, ..ASKED })
        else {
            panic!("it isn't answered");
        };
        assert_eq!(
            (view.status, view.body.as_str(), view.details),
            (204, "", "faregate{decision=preflight}")
        );
        let headers = view.headers.written();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Head::read(&headers).all().map(|(name, value)| (text(name), text(value))).collect::<BTreeMap<_, _>>()
    };
    let meant = |methods: &str, wanted: Option<&str>| {
        let mut headers = BTreeMap::from([
            ("access-control-allow-origin".to_owned(), PAGE.to_owned()),
            ("access-control-allow-methods".to_owned(), methods.to_owned()),
            ("access-control-max-age".to_owned(), "600".to_owned()),
            ("vary".to_owned(), "origin".to_owned()),
        ]);
        headers.extend(wanted.map(|wanted| ("access-control-allow-headers".to_owned(), wanted.to_owned())));
        headers
    };
    assert_eq!(answer("/", "content-type,x-api-key"), meant("DELETE", Some("content-type,x-api-key")));
    assert_eq!(answer(PATH, "x-api-key"), meant("GET, HEAD", Some("x-api-key")));
    assert_eq!(answer("/", ""), meant("DELETE", None));
    assert_eq!(answer("/", &"x".repeat(1_025)), meant("DELETE", None), "it would be copied into our header");
    assert_eq!(answer("/", "a\r\nset-cookie: a=b"), meant("DELETE", None));
}

#[test]
fn pages_are_recognized_by_their_origin() {
    let reads = |origins: Value, origin: &str| {
        let gate = gate(&Memory::default(), &json!({"cors_origins": origins}));
        let headers = headers(&Asked { origin, ..ASKED });
        let head = Head::new(&headers);
        assert_eq!(gate.request_context(&head, None).origin, gate.page(&head));
        gate.page(&head).is_some()
    };
    assert!(reads(json!([PAGE]), PAGE) && reads(json!(["*"]), OTHER));
    assert!(!reads(json!([PAGE]), OTHER) && !reads(json!([]), PAGE) && !reads(json!([PAGE]), ""));
    assert!(
        !reads(json!(["*"]), "https://a.example\r\nset-cookie: a=b"),
        "it would stand in a header of ours"
    );
}
