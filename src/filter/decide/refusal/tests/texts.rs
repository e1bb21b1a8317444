//! Refusals in the operator's own messages.

use super::*;
use crate::decide::settings::actions::ACTIONS;
use proptest::prelude::*;
use proptest::sample::select;

/// The example of the reference.
fn example() -> Wording {
    let texts = json!({
        "de": {
            "insufficient_funds": {"title": "Guthaben reicht nicht", "detail": "Diese Anfrage kostet {needed} Credits; {available} sind noch da."},
            "top_up": "Guthaben aufladen"
        },
        "*": {"invalid_key": {"detail": "This key is not known at Example Inc."}, "retry": "Again in {wait_seconds} s, {account}"}
    });
    Wording { texts: own(&texts), ..wording() }
}

fn tells(dialect: Dialect, language: usize, refusal: &Refusal) -> Answer {
    answer(
        refusal,
        &RequestContext { path: b"/p", dialect, language, ..RequestContext::default() },
        &example(),
    )
}

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn german_texts_appear_in_every_format() {
    let says = "Diese Anfrage kostet 2 Credits; 0.5 sind noch da.";
    for (_, dialect) in dialect::NAMES {
        let answer = tells(dialect, 1, &short());
        assert!(answer.body.contains(says), "{dialect:?}: {}", answer.body);
        assert_eq!(header(&answer, "content-language"), Some("de"), "{dialect:?}");
        assert_eq!(header(&answer, "vary"), Some("accept-language"), "{dialect:?}");
    }
    let problem = body(&tells(Dialect::Problem, 1, &short()));
    assert_eq!(
        (&problem["title"], &problem["code"]),
        (&json!("Guthaben reicht nicht"), &json!("insufficient_funds"))
    );
    assert_eq!(problem["remedies"][0], json!({"action": "top_up", "url": "https://example.com/topup"}));
    let page = tells(Dialect::Html, 1, &short()).body;
    assert!(page.contains("lang=\"de\"") && page.contains("<h1>Guthaben reicht nicht</h1>"), "{page}");
    assert!(page.contains(">Guthaben aufladen</a>"), "{page}");
    let text = tells(Dialect::Text, 1, &short()).body;
    assert!(text.starts_with("402 Guthaben reicht nicht\n"), "{text}");
    assert!(text.contains("- Guthaben aufladen: https://example.com/topup\n"), "{text}");
    let web = tells(Dialect::GrpcWeb, 1, &short());
    assert!(header(&web, "grpc-message").unwrap().starts_with("Diese%20Anfrage%20kostet%202%20Credits"));
}

#[test]
fn missing_translations_fall_back_to_default_and_built_in_texts() {
    let invalid = Refusal::plain(RefusalCode::InvalidKey);
    for language in [0, 1] {
        let answer = tells(Dialect::Problem, language, &invalid);
        assert_eq!(body(&answer)["title"], "API key not valid");
        assert_eq!(body(&answer)["detail"], "This key is not known at Example Inc.");
        assert_eq!(header(&answer, "content-language"), None, "its language is unknown");
        assert_eq!(header(&answer, "vary"), Some("accept-language"));
        let page = tells(Dialect::Html, language, &invalid).body;
        assert!(page.contains("lang=\"\""), "{page}");
    }
    let answer = tells(Dialect::Html, 1, &Refusal::plain(RefusalCode::AccountSuspended));
    assert_eq!(header(&answer, "content-language"), Some("en"));
    assert!(
        answer.body.contains("lang=\"en\"") && answer.body.contains("Account suspended"),
        "{}",
        answer.body
    );
    let text = tells(Dialect::Text, 1, &Refusal::throttled(Wait::Rate(2_500), None)).body;
    assert!(
        text.contains("- Again in 3 s, \n- Choose a bigger plan"),
        "what isn't known is left empty: {text}"
    );
}

#[test]
fn without_custom_texts_no_language_headers_are_sent() {
    let answer = answer_in(Dialect::Html, &short());
    assert_eq!((header(&answer, "content-language"), header(&answer, "vary")), (None, None));
    assert!(answer.body.contains("lang=\"en\""));
}

#[test]
fn vary_lists_both_accept_language_and_origin() {
    let around = RequestContext { origin: Some("https://app.example.com"), ..RequestContext::default() };
    let answer = answer(&short(), &around, &example());
    let vary: Vec<_> = answer.headers.iter().filter(|(name, _)| *name == "vary").collect();
    assert_eq!(vary, [&("vary".to_owned(), "accept-language, origin".to_owned())]);
}

#[test]
fn a_trusted_identity_gets_built_in_texts_unless_they_are_customized() {
    let trusted_identity = |code| Refusal { trusted_identity: true, ..Refusal::plain(code) };
    let expired = body(&tells(Dialect::Problem, 1, &trusted_identity(RefusalCode::KeyExpired)));
    assert_eq!(expired["title"], "Identity not accepted");
    let invalid = body(&tells(Dialect::Problem, 1, &trusted_identity(RefusalCode::InvalidKey)));
    assert_eq!(invalid["detail"], "This key is not known at Example Inc.");
    assert_eq!(invalid["remedies"], json!([{"action": "contact_operator"}]));
}

#[test]
fn every_placeholder_is_filled_in() {
    let all = "{account}|{plan}|{key}|{code}|{needed}|{available}|{resets_at}|{wait_seconds}";
    let texts = own(&json!({"*": {"quota_exhausted": {"detail": all}, "missing_key": {"detail": all}}}));
    let wording = Wording { texts, ..Wording::default() };
    let detail = |refusal: &Refusal| {
        body(&answer(refusal, &RequestContext::default(), &wording))["detail"].as_str().unwrap().to_owned()
    };
    let refusal = Refusal {
        code: RefusalCode::QuotaExhausted,
        reset: Some(Reset {
            at: "2026-12-01T00:00:00Z".into(),
            in_s: 60,
            brings: Credits::from_micros(9_000_000),
            size: Credits::ZERO,
            window_s: 0,
        }),
        payer: Some(Rc::new(Facts {
            key: "key_1".into(),
            account: "a&b".into(),
            plan: Some("pro".into()),
            ..Facts::default()
        })),
        ..short()
    };
    assert_eq!(detail(&refusal), "a&b|pro|key_1|quota_exhausted|2|0.5|2026-12-01T00:00:00Z|60");
    let too_little = Refusal {
        reset: refusal.reset.clone().map(|reset| Reset { brings: Credits::ZERO, ..reset }),
        ..refusal
    };
    assert!(detail(&too_little).ends_with("|2026-12-01T00:00:00Z|"), "waiting does not cure it");
    assert_eq!(detail(&Refusal::plain(RefusalCode::MissingKey)), "|||missing_key||||");
}

#[test]
fn every_remedy_has_the_label_of_its_action() {
    let labels: serde_json::Map<String, Value> =
        ACTIONS.iter().map(|action| ((*action).to_owned(), json!(format!("<{action}>")))).collect();
    let wording = Wording { texts: own(&json!({"*": labels})), ..Wording::default() };
    let mut seen = std::collections::BTreeSet::new();
    for code in RefusalCode::ALL {
        let brings = Credits::from_micros(9_000_000);
        let reset = Reset { at: "2026".into(), in_s: 1, brings, size: brings, window_s: 0 };
        let refusal = Refusal { code, reset: Some(reset), top_up: true, ..short() };
        let tell =
            |dialect| answer(&refusal, &RequestContext { dialect, ..RequestContext::default() }, &wording);
        let text = tell(Dialect::Text).body;
        for remedy in body(&tell(Dialect::Problem))["remedies"].as_array().unwrap() {
            let action = remedy["action"].as_str().unwrap().to_owned();
            assert!(text.contains(&format!("- <{action}>\n")), "{action}: {text}");
            seen.insert(action);
        }
    }
    assert_eq!(seen.len(), ACTIONS.len(), "{seen:?}");
}

/// What an operator may write, and what makes formats stumble.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => select(&["{account}", "{plan}", "{key}", "{code}", "{needed}", "{resets_at}", "{wait_seconds}", "\"", "\\", "</p>",
                      "<script>", "&lt;", "'", "%", "%0a", "ü", "漢", "💥", "\u{2028}", "\u{202e}", " ", "\\u0000", "]]>"][..])
            .prop_map(str::to_owned),
        1 => "[^{}\\p{Cc}]{1,8}",
    ];
    proptest::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat())
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next().unwrap()).to_digit(16).unwrap();
        bytes.push(if byte == b'%' { u8::try_from(digit() * 16 + digit()).unwrap() } else { byte });
    }
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #[test]
    fn arbitrary_texts_and_names_break_no_format(
        title in text(), detail in text(), label in text(),
        account in prop_oneof![Just("\"><script>".to_owned()), ".{1,20}", "[\r\n\t<>\"\\\\]{1,8}"],
        path in proptest::collection::vec(any::<u8>(), 0..30),
        code in select(&RefusalCode::ALL[..]),
    ) {
        let mut german = json!({code.as_str(): {"title": title, "detail": detail}});
        for action in ACTIONS {
            german[action] = json!(label);
        }
        let wording = Wording { texts: own(&json!({"de": german})), ..wording() };
        let payer = Facts { key: "key_1".into(), account, plan: Some("<b>".into()), ..Facts::default() };
        let refusal = Refusal { code, payer: Some(payer.into()), ..short() };
        let meant = |template: &str| link::fill_text(template, &refusal);
        prop_assert!(!meant(&detail).contains(char::is_control));
        let plain = answer_in(Dialect::Html, &Refusal { code, ..short() }).body.matches('<').count();
        for dialect in dialect::NAMES.map(|(_, dialect)| dialect).into_iter().chain([Dialect::GrpcWeb]) {
            let around = RequestContext { path: &path, dialect, language: 1, ..RequestContext::default() };
            let answer = answer(&refusal, &around, &wording);
            for (name, value) in &answer.headers {
                prop_assert!(value.bytes().all(|b| (b' '..=b'~').contains(&b)), "{:?} {}: {:?}", dialect, name, value);
            }
            match dialect {
                Dialect::Html => {
                    prop_assert_eq!(answer.body.matches('<').count(), plain, "{}", answer.body);
                    prop_assert!(!answer.body.contains("<script"));
                }
                Dialect::Text => {
                    let lines: Vec<&str> = answer.body.split('\n').collect();
                    prop_assert_eq!(lines[0], format!("{} {}", answer.status, meant(&title)));
                    prop_assert_eq!(lines[2], meant(&detail));
                    prop_assert!(lines[3].starts_with(&format!("- {}", meant(&label))), "{:?}", lines);
                    prop_assert!(lines.len() <= 7 && !answer.body.contains(|c: char| c != '\n' && c.is_control()));
                }
                Dialect::Grpc => prop_assert_eq!(&answer.body, &meant(&detail)),
                Dialect::GrpcWeb => {
                    prop_assert_eq!(percent_decoded(header(&answer, "grpc-message").unwrap()), meant(&detail));
                }
                _ => {
                    let body = body(&answer);
                    let problem = ["/error/data", "/result/structuredContent", "/problem", ""]
                        .iter().find_map(|place| body.pointer(place)).unwrap();
                    prop_assert_eq!(&problem["title"], &json!(meant(&title)));
                    prop_assert_eq!(&problem["detail"], &json!(meant(&detail)));
                    let message = ["/error/message", "/result/content/0/text", "/detail"]
                        .iter().find_map(|place| body.pointer(place)).unwrap();
                    prop_assert_eq!(message, &json!(meant(&detail)));
                }
            }
        }
    }

    #[test]
    fn filled_in_texts_are_bounded_in_size(account in ".{1,128}", times in 1_usize..222) {
        let texts = own(&json!({"*": {"invalid_key": {"detail": "{account}".repeat(times)}}}));
        let payer = Facts { account: account.clone(), ..Facts::default() };
        let refusal = Refusal { payer: Some(payer.into()), ..Refusal::plain(RefusalCode::InvalidKey) };
        let answer = answer(&refusal, &RequestContext::default(), &Wording { texts, ..Wording::default() });
        let detail = body(&answer)["detail"].as_str().unwrap().to_owned();
        let whole: String = account.repeat(times).chars().filter(|c| !c.is_control()).collect();
        prop_assert!(detail.len() <= link::MAX_FILLED && detail.len() + 4 > link::MAX_FILLED.min(whole.len()));
        prop_assert!(whole.starts_with(&detail));
    }
}
