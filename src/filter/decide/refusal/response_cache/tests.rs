//! A cached answer equals a freshly rendered one.

use super::*;
use crate::decide::lease::Wait;
use crate::decide::settings::dialect;
use faregate_protocol::RefusalCode;
use faregate_protocol::exchange::{Facts, Limits, Rate, Reset};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

/// Rules that differ in what they say of themselves; with the payer's name in addresses, in texts, or nowhere.
fn settings(top_up_url: &str, texts: &serde_json::Value) -> Settings {
    let deprecated = |link| json!({"since": "2026-12-01", "link": link});
    let rule = |number: u8, deprecated| json!({"match": {"path": {"exact": format!("/{number}")}}, "price": "1", "deprecated": deprecated});
    Settings::from_value(&json!({
        "ledger": {"cluster": "ledger", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": "free",
        "top_up_url": top_up_url, "texts": texts,
        "rules": [rule(0, deprecated("https://example.com/0")), rule(1, deprecated("https://example.com/1"))],
    }))
    .unwrap()
}

/// Some refusals that are often the same, and often differ in one part.
fn refusal() -> impl Strategy<Value = Refusal> {
    let micros =
        || option::of(select(&[0, 500_000, 1_000_000, 2_000_000][..]).prop_map(Credits::from_micros));
    let credits = |micros| Credits::from_micros(micros);
    let reset = (select(&["2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"][..]), 1_u64..3, 0_u64..2).prop_map(
        move |(at, in_s, window_s)| Reset {
            at: at.into(),
            in_s,
            brings: credits(1_500_000),
            size: credits(9_000_000),
            window_s,
        },
    );
    let payer = (select(&["key_1", "key_2"][..]), select(&["acme", "<b>&\""][..]), option::of(Just("pro")));
    let payer = payer.prop_map(|(key, account, plan)| {
        Rc::new(Facts {
            key: key.into(),
            account: account.into(),
            plan: plan.map(str::to_owned),
            ..Facts::default()
        })
    });
    let rate = Rate { milli_per_s: 500, burst: 1 };
    let limits = (option::of(Just(rate)), option::of(1_u32..3))
        .prop_map(|(rate, concurrent)| Limits { rate, concurrent });
    let amounts = (micros(), micros(), option::of(reset), any::<bool>());
    let speed = (1_u32..3, limits, any::<bool>());
    let hint = option::of(select(&["Send it once.", "Come again."][..]));
    let about = option::of(select(&["gpt-9", "gpt-8\""][..]).prop_map(Rc::from));
    let of_body = (about, option::of(0_u64..3));
    let rest =
        (option::of(Just(402)), hint, option::of(payer), any::<bool>(), option::of(0_usize..3), of_body);
    (select(&RefusalCode::ALL[..]), amounts, speed, rest).prop_map(
        |(
            code,
            (needed, available, reset, top_up),
            (wait_s, limits, crowded),
            (status, hint, payer, trusted_identity, rule, (about, fits)),
        )| {
            Refusal {
                code,
                needed,
                available,
                reset,
                top_up,
                status,
                wait_s,
                limits,
                crowded,
                hint,
                about,
                fits,
                payer,
                trusted_identity,
                rule,
            }
        },
    )
}

/// One who is refused: what for, and in which format and language, from which page; the request's own path, id and number.
type Caller =
    (Refusal, (Dialect, usize, Option<&'static str>), (Vec<u8>, Option<Vec<u8>>, Option<&'static str>));

fn caller() -> impl Strategy<Value = Caller> {
    let dialects: Vec<Dialect> =
        dialect::NAMES.iter().map(|(_, dialect)| *dialect).chain([Dialect::GrpcWeb]).collect();
    let origin = option::of(select(&["https://a.example", "https://b.example"][..]));
    let bytes = || prop_oneof![vec(any::<u8>(), 0..12), vec(Just(b'/'), 1_020..1_030)];
    let own = (bytes(), option::of(bytes()), option::of(select(&["7", "\"a\\\"\""][..])));
    (refusal(), (select(dialects), 0_usize..3, origin), own)
}

/// One caller but for one part, which is another's.
fn but_for(part: usize, (mut refusal, mut reader, _): Caller, (other, other_reader, own): Caller) -> Caller {
    match part {
        0 => refusal.code = other.code,
        1 => refusal.needed = other.needed,
        2 => refusal.available = other.available,
        3 => refusal.reset = other.reset,
        4 => refusal.top_up = other.top_up,
        5 => refusal.status = other.status,
        6 => refusal.wait_s = other.wait_s,
        7 => refusal.limits = other.limits,
        8 => refusal.crowded = other.crowded,
        9 => refusal.hint = other.hint,
        10 => refusal.payer = other.payer,
        11 => refusal.trusted_identity = other.trusted_identity,
        12 => refusal.rule = other.rule,
        13 => reader.0 = other_reader.0,
        14 => reader.1 = other_reader.1,
        15 => reader.2 = other_reader.2,
        16 => refusal.about = other.about,
        17 => refusal.fits = other.fits,
        _ => {}
    }
    (refusal, reader, own)
}

/// Two callers that repeat with different requests, sometimes with parts of the other's.
fn callers() -> impl Strategy<Value = Vec<Caller>> {
    (caller(), caller()).prop_flat_map(|(one, two)| {
        let again = (select(vec![one, two]), caller(), 0_usize..22);
        vec(again.prop_map(|(known, other, part)| but_for(part, known, other)), 1..60)
    })
}

fn answer_anew(
    refusal: &Refusal,
    around: &RequestContext<'_>,
    settings: &Settings,
) -> (ResponseTemplate, Vec<u8>) {
    let deprecated = refusal.rule.and_then(|rule| settings.rule(rule).deprecated.as_ref());
    let around = RequestContext { deprecated, ..*around };
    let form = write(refusal, &around, &settings.wording);
    let body = form.body(&around).into_owned();
    (form, body)
}

proptest! {
    #[test]
    fn a_cached_refusal_equals_a_freshly_written_one(
        callers in callers(),
        top_up_url in select(&["https://example.com/", "https://example.com/{code}", "https://example.com/?a={account}", "https://example.com/?k={key}"][..]),
        texts in select(vec![
            json!({}),
            json!({"*": {"retry": "Again in {wait_seconds} s"}, "de": {"insufficient_funds": {"detail": "{needed} > {available}"}}}),
            json!({"*": {"invalid_key": {"detail": "{plan}"}}, "de": {"invalid_key": {"title": "{account}"}}}),
        ]),
    ) {
        let settings = settings(top_up_url, &texts);
        let mut answers = ResponseCache::new(&settings.wording);
        for (refusal, (dialect, language, origin), (path, request_id, rpc_id)) in &callers {
            let around = RequestContext {
                path, request_id: request_id.as_deref(), rpc_id: *rpc_id, dialect: *dialect, language: *language, origin: *origin, deprecated: None,
            };
            let form = answers.of(refusal, &around, &settings);
            let (fresh, body) = answer_anew(refusal, &around, &settings);
            prop_assert_eq!((form.status, form.grpc, &form.headers), (fresh.status, fresh.grpc, &fresh.headers));
            prop_assert_eq!(form.body(&around), body);
            prop_assert!(answers.places.len() <= MOST);
            prop_assert!(answers.places.iter().flatten().all(|kept| kept.form.size() <= MOST_BYTES));
            prop_assert!(answers.places.iter().flatten().all(|kept| kept.refusal.about.is_none()));
        }
    }
}

fn again(answers: &mut ResponseCache, settings: &Settings, refusals: [&Refusal; 2]) -> bool {
    let around = RequestContext { path: b"/", ..RequestContext::default() };
    let [first, second] = refusals.map(|refusal| answers.of(refusal, &around, settings));
    Rc::ptr_eq(&first, &second)
}

#[test]
fn repeated_refusals_reuse_the_cached_refusal() {
    let settings = settings("https://example.com/", &json!({}));
    let mut answers = ResponseCache::new(&settings.wording);
    let broke =
        Refusal { needed: Some(Credits::from_micros(1)), ..Refusal::plain(RefusalCode::InsufficientFunds) };
    let of = |key: &str| Refusal {
        payer: Some(Rc::new(Facts { key: key.into(), ..Facts::default() })),
        ..broke.clone()
    };
    assert!(again(&mut answers, &settings, [&of("key_1"), &of("key_1")]));
    assert!(again(&mut answers, &settings, [&of("key_1"), &of("key_2")]), "no word of it names the payer");
    let dearer = Refusal { needed: Some(Credits::from_micros(2)), ..broke.clone() };
    assert!(!again(&mut answers, &settings, [&broke, &dearer]));
    let fast = Refusal::throttled(Wait::Rate(1), None);
    assert!(again(&mut answers, &settings, [&fast, &fast]));
}

#[test]
fn a_refusal_that_names_its_payer_is_never_shared() {
    for (url, texts) in [
        ("https://example.com/?a={account}", json!({})),
        ("https://example.com/", json!({"de": {"top_up": "{key}"}})),
    ] {
        let settings = settings(url, &texts);
        let mut answers = ResponseCache::new(&settings.wording);
        let of = |key: &str| Refusal {
            payer: Some(Rc::new(Facts { key: key.into(), account: key.into(), ..Facts::default() })),
            ..Refusal::plain(RefusalCode::InsufficientFunds)
        };
        assert!(again(&mut answers, &settings, [&of("key_1"), &of("key_1")]));
        assert!(!again(&mut answers, &settings, [&of("key_1"), &of("key_2")]));
    }
}

#[test]
fn a_flood_of_unknown_models_evicts_nothing() {
    let settings = settings("https://example.com/", &json!({}));
    let mut answers = ResponseCache::new(&settings.wording);
    let around = RequestContext { path: b"/", ..RequestContext::default() };
    let causes = RefusalCode::ALL.map(Refusal::plain);
    for refusal in &causes {
        answers.of(refusal, &around, &settings);
    }
    let kept = |answers: &ResponseCache| -> Vec<_> {
        answers.places.iter().flatten().map(|kept| Rc::as_ptr(&kept.form)).collect()
    };
    let before = kept(&answers);
    assert_eq!(before.len(), MOST);
    for number in 0..1_000 {
        let refusal = Refusal::unknown_model(&format!("model-{number}"));
        let [first, second] = [(); 2].map(|()| answers.of(&refusal, &around, &settings));
        assert!(first == second && !Rc::ptr_eq(&first, &second));
    }
    assert_eq!(kept(&answers), before);
}

#[test]
fn another_number_of_fitting_tokens_is_another_answer() {
    let settings = settings("https://example.com/", &json!({}));
    let mut answers = ResponseCache::new(&settings.wording);
    let of = |fits| Refusal { fits, ..Refusal::plain(RefusalCode::InsufficientFunds) };
    assert!(again(&mut answers, &settings, [&of(Some(9)), &of(Some(9))]));
    assert!(!again(&mut answers, &settings, [&of(Some(9)), &of(Some(8))]));
    assert!(!again(&mut answers, &settings, [&of(Some(9)), &of(None)]));
}

#[test]
fn large_refusals_are_not_cached() {
    let (title, detail) = ("ä".repeat(200), "ä".repeat(1_000));
    let settings =
        settings("https://example.com/", &json!({"*": {"missing_key": {"title": title, "detail": detail}}}));
    let mut answers = ResponseCache::new(&settings.wording);
    let around = RequestContext { dialect: Dialect::OpenAi, path: b"/", ..RequestContext::default() };
    let missing = Refusal::plain(RefusalCode::MissingKey);
    let [first, second] = [(); 2].map(|()| answers.of(&missing, &around, &settings));
    assert!(first.size() > MOST_BYTES && first == second && !Rc::ptr_eq(&first, &second));
}
