//! Refusals of requests whose body decides the price: what is wrong, in every format, and no more of the caller's than that.

use super::*;
use crate::decide::meter::asked::mcp::{HeaderError, NAME_HEADER};
use crate::decide::refusal::about::MAX_ABOUT;
use proptest::prelude::*;

/// All causes that a request's body can have.
const OF_BODIES: [RefusalCode; 5] = [
    RefusalCode::InvalidBody,
    RefusalCode::UnsupportedEncoding,
    RefusalCode::BodyTooLarge,
    RefusalCode::UnknownModel,
    RefusalCode::HeaderMismatch,
];
/// Where a person reads the detail, by format.
const MESSAGES: [(Dialect, &str); 6] = [
    (Dialect::Problem, "/detail"),
    (Dialect::OpenAi, "/error/message"),
    (Dialect::Anthropic, "/error/message"),
    (Dialect::Gemini, "/error/message"),
    (Dialect::Mcp, "/error/message"),
    (Dialect::McpResult, "/result/content/0/text"),
];

fn all_dialects() -> impl Iterator<Item = Dialect> {
    dialect::NAMES.map(|(_, dialect)| dialect).into_iter().chain([Dialect::GrpcWeb])
}

fn in_body(answer: &Answer, pointer: &str) -> Value {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body.pointer(pointer).cloned().unwrap_or_default()
}

fn problem(refusal: &Refusal) -> Value {
    in_body(&answer_in(Dialect::Problem, refusal), "")
}

/// The problem within an answer of any format in JSON.
fn problem_in(answer: &Answer) -> Value {
    let places = ["/error/data", "/result/structuredContent", "/problem", ""];
    places.iter().map(|place| in_body(answer, place)).find(|found| !found.is_null()).unwrap()
}

#[test]
fn a_request_that_cannot_be_priced_is_never_asked_to_pay_or_to_retry() {
    for code in OF_BODIES {
        let answer = answer_in(Dialect::Problem, &Refusal::plain(code));
        assert_eq!(answer.status, code.status(), "{code}");
        assert!((400..=415).contains(&answer.status) && answer.status != 402, "{code}");
        assert_eq!(header(&answer, "x-should-retry"), Some("false"), "{code}");
        for name in ["retry-after", "link", "www-authenticate"] {
            assert_eq!(header(&answer, name), None, "{code}");
        }
        let body = in_body(&answer, "");
        assert_eq!(body["retryable"], false, "{code}");
        assert!(body["detail"].as_str().unwrap().ends_with("Nothing was charged."), "{body}");
        for absent in ["needed", "available", "unit", "model", "max_output_tokens"] {
            assert_eq!(body.get(absent), None, "{code}: {absent}");
        }
    }
}

#[test]
fn only_a_compressed_body_is_answered_with_the_encoding_that_is_accepted() {
    for code in RefusalCode::ALL {
        let answer = answer_in(Dialect::Problem, &Refusal::plain(code));
        let encoding = (code == RefusalCode::UnsupportedEncoding).then_some("identity");
        assert_eq!(header(&answer, "accept-encoding"), encoding, "{code}");
    }
}

#[test]
fn an_unknown_model_is_named_in_every_format() {
    let refusal = Refusal::unknown_model("gpt-9");
    let says = "No price is known for the model \"gpt-9\". Nothing was charged.";
    for (dialect, pointer) in MESSAGES {
        let answer = answer_in(dialect, &refusal);
        assert_eq!(in_body(&answer, pointer), says, "{dialect:?}");
        let problem = problem_in(&answer);
        assert_eq!((&problem["model"], &problem["detail"]), (&json!("gpt-9"), &json!(says)), "{dialect:?}");
    }
    assert!(answer_in(Dialect::Text, &refusal).body.contains(says));
    assert!(answer_in(Dialect::Html, &refusal).body.contains("the model &quot;gpt-9&quot;. Nothing"));
    assert_eq!(answer_in(Dialect::Grpc, &refusal).body, says);
    let web = answer_in(Dialect::GrpcWeb, &refusal);
    assert!(header(&web, "grpc-message").unwrap().contains("%22gpt-9%22"));
    assert_eq!(
        problem(&refusal)["remedies"],
        json!([{"action": "choose_model"}, {"action": "contact_operator"}])
    );
    assert_eq!(problem(&Refusal::plain(RefusalCode::UnknownModel)).get("model"), None);
}

#[test]
fn a_long_model_is_cut_between_characters() {
    let long = "ä".repeat(MAX_ABOUT);
    for refusal in [
        Refusal::unknown_model(&long),
        Refusal { about: Some(long.as_str().into()), ..Refusal::plain(RefusalCode::UnknownModel) },
        Refusal::unknown_model(&format!("{}\u{10348}", "ä".repeat(MAX_ABOUT / 2 - 1))),
    ] {
        let body = problem(&refusal);
        let model = body["model"].as_str().unwrap();
        assert!(model.len() <= MAX_ABOUT && model.len() + 4 > MAX_ABOUT && model.chars().all(|c| c == 'ä'));
        assert!(body["detail"].as_str().unwrap().contains(&format!("\"{model}\"")));
    }
}

#[test]
fn a_header_mismatch_has_the_error_code_that_mcp_gives_it() {
    let mismatch = Refusal::invalid_headers(&HeaderError::Mismatch(NAME_HEADER));
    for dialect in [Dialect::Mcp, Dialect::McpResult] {
        let answer = answer_in(dialect, &mismatch);
        assert_eq!((answer.status, in_body(&answer, "/error/code")), (400, json!(-32_020)), "{dialect:?}");
        assert_eq!(in_body(&answer, "/error/data/status"), 400, "{dialect:?}");
    }
    for code in RefusalCode::ALL.into_iter().filter(|code| *code != RefusalCode::HeaderMismatch) {
        let answer = answer_in(Dialect::Mcp, &Refusal::plain(code));
        assert_eq!(in_body(&answer, "/error/code"), code.status(), "{code}");
        let result = answer_in(Dialect::McpResult, &Refusal::plain(code));
        assert_eq!((result.status, in_body(&result, "/result/isError")), (200, json!(true)), "{code}");
    }
    assert_eq!(in_body(&answer_in(Dialect::Gemini, &mismatch), "/error/code"), 400);
}

#[test]
fn each_api_has_its_own_status_for_a_request_that_cannot_be_priced() {
    for (code, openai, anthropic, gemini, grpc) in [
        (RefusalCode::InvalidBody, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT", 3),
        (
            RefusalCode::UnsupportedEncoding,
            "invalid_request_error",
            "invalid_request_error",
            "INVALID_ARGUMENT",
            12,
        ),
        (RefusalCode::BodyTooLarge, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT", 8),
        (RefusalCode::UnknownModel, "invalid_request_error", "not_found_error", "NOT_FOUND", 5),
        (
            RefusalCode::HeaderMismatch,
            "invalid_request_error",
            "invalid_request_error",
            "INVALID_ARGUMENT",
            3,
        ),
    ] {
        let of = |dialect, pointer| in_body(&answer_in(dialect, &Refusal::plain(code)), pointer);
        assert_eq!(of(Dialect::OpenAi, "/error/type"), openai, "{code}");
        assert_eq!(of(Dialect::Anthropic, "/error/type"), anthropic, "{code}");
        assert_eq!(of(Dialect::Gemini, "/error/status"), gemini, "{code}");
        assert_eq!(answer_in(Dialect::Grpc, &Refusal::plain(code)).grpc, Some(grpc), "{code}");
    }
}

#[test]
fn a_refusal_for_short_credits_says_how_many_output_tokens_fit() {
    for (fits, says) in [
        (0, "What is left pays for no output tokens."),
        (1, "What is left pays for at most 1 output token."),
        (120, "What is left pays for at most 120 output tokens."),
        (u64::MAX, "What is left pays for at most 18446744073709551615 output tokens."),
    ] {
        for code in RefusalCode::ALL {
            let plain = Refusal { code, ..short() };
            let refusal = Refusal { fits: Some(fits), ..plain.clone() };
            if !code.is_short() {
                assert_eq!(problem(&refusal), problem(&plain), "{code}");
                continue;
            }
            assert_eq!(problem(&refusal)["max_output_tokens"], fits, "{code}");
            assert_eq!(problem(&plain).get("max_output_tokens"), None, "{code}");
            for (dialect, pointer) in MESSAGES {
                let text = in_body(&answer_in(dialect, &refusal), pointer);
                let text = text.as_str().unwrap();
                assert!(text.starts_with("This request may cost up to 2 credits; 0.5 are left"), "{text}");
                assert!(text.ends_with(&format!(". {says}")), "{code} {dialect:?}: {text}");
            }
        }
    }
}

#[test]
fn a_refusal_for_short_credits_is_about_nothing_in_the_request() {
    let about = Refusal { about: Some("gpt-9".into()), ..short() };
    assert_eq!(problem(&about), problem(&short()));
}

/// What callers call a model, and what makes formats stumble.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "gpt-9",
        "\"",
        "\\",
        "</p><script>",
        "&lt;",
        "'",
        "%",
        "%0d%0a",
        "\r\nset-cookie: a=b",
        "\0",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{202e}",
        "\u{2066}",
        "💥",
        "{account}",
        "\\u0000",
        "]]>",
    ];
    let piece = prop_oneof![
        3 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn an_arbitrary_model_breaks_no_format(name in hostile(), code in proptest::sample::select(&OF_BODIES[..])) {
        let refusal = Refusal { about: Some(name.as_str().into()), ..Refusal::plain(code) };
        let is_model = code == RefusalCode::UnknownModel;
        let plain = answer_in(Dialect::Html, &Refusal::plain(code)).body.matches('<').count();
        let detail = problem(&refusal)["detail"].as_str().unwrap().to_owned();
        let odd = |c: char| c.is_control() || "\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}".contains(c);
        prop_assert!(!detail.contains(odd) && detail.len() <= MAX_ABOUT + 200, "{}", detail);
        for dialect in all_dialects() {
            let answer = answer_in(dialect, &refusal);
            let without = answer_in(dialect, &Refusal::plain(code));
            for ((name, value), other) in answer.headers.iter().zip(&without.headers) {
                prop_assert!(value.bytes().all(|b| (b' '..=b'~').contains(&b)), "{:?} {}: {:?}", dialect, name, value);
                prop_assert!(name == "grpc-message" || *value == other.1, "{:?} {}: {:?}", dialect, name, value);
            }
            prop_assert_eq!(answer.headers.len(), without.headers.len());
            match dialect {
                Dialect::Html => prop_assert_eq!(answer.body.matches('<').count(), plain, "{}", answer.body),
                Dialect::Text => prop_assert_eq!(answer.body.split('\n').nth(2), Some(detail.as_str())),
                Dialect::Grpc => prop_assert_eq!(&answer.body, &detail),
                Dialect::GrpcWeb => prop_assert_eq!(answer.body, ""),
                _ => {
                    let problem = problem_in(&answer);
                    prop_assert_eq!(problem["detail"].as_str(), Some(detail.as_str()));
                    let model = problem.get("model").and_then(Value::as_str);
                    prop_assert_eq!(model.is_some(), is_model);
                    prop_assert!(model.is_none_or(|model| name.starts_with(model) && model.len() <= MAX_ABOUT));
                }
            }
        }
    }
}
