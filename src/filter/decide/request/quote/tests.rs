//! What is held for requests, and what they come to however they end.

use super::*;
use crate::decide::base::head::Head;
use crate::decide::meter::framing::Framing;
use crate::decide::meter::reader::Reader;
use crate::decide::settings::Settings;
use crate::decide::settings::meter::{Meter, MeterKind};
use proptest::prelude::*;
use serde_json::{Value, json};

fn meter(meter: &Value) -> Meter {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
        "rules": [{"meter": meter}], "default": "free", "request_bodies": true,
    });
    let rule = Settings::from_value(&config).unwrap().rules.into_iter().next().unwrap();
    *rule.meter.unwrap()
}

/// A model at 1 credit per million tokens of input, and 10 of output, at two bytes per token.
fn models(more: &Value) -> Meter {
    let mut all = json!({
        "llm": "auto", "prices": {"m": {"input": "1", "output": "10", "service": {"priority": {"input": "2", "output": "20"}}}},
        "hold": {"bytes_per_token": 2, "output": 1_000}
    });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    meter(&all)
}

fn model_meter(meter: &Meter) -> &ModelMeter {
    let MeterKind::Models(models) = &meter.kind else { panic!("{meter:?}") };
    models
}

fn held(path: &str) -> HeldRequest {
    let head = [(":method".to_owned(), b"POST".to_vec()), (":path".to_owned(), path.as_bytes().to_vec())];
    HeldRequest::of(&Head::new(&head), true)
}

fn quoted(meter: &Meter, path: &str, body: &str) -> Quote {
    let models = model_meter(meter);
    let request = read_model(models, &held(path), body.as_bytes()).unwrap().unwrap();
    let place = models.find(&request.model).unwrap();
    let prices = models.prices_at(place).unwrap();
    quote(models, meter.fixed, &request, (PriceRef::Listed(place), prices), false)
}

fn micros(quote: &Quote) -> i64 {
    quote.list.micros()
}

fn model_quote(quote: &Quote) -> &ModelQuote {
    let QuoteKind::Model(model) = &quote.kind else { panic!("{quote:?}") };
    model
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn a_hold_covers_the_body_and_the_limit_of_the_output() {
    let usual = models(&json!({}));
    // 40 bytes are 20 tokens at most: 20 micro-credits; and 100 tokens of output cost 1,000.
    let body = r#"{"model":"m","max_tokens":100,"x":"1234"}"#;
    assert_eq!((body.len(), micros(&quoted(&usual, CHAT, body))), (41, 21 + 1_000));
    let priority = r#"{"model":"m","max_tokens":100,"service_tier":"priority"}"#;
    assert_eq!(micros(&quoted(&usual, CHAT, priority)), 2 * 28 + 2_000);
    let endless = r#"{"model":"m","messages":[]}"#;
    assert_eq!(micros(&quoted(&usual, CHAT, endless)), 14 + 10_000, "the rule's own limit");
    let twice = r#"{"model":"m","max_tokens":100,"n":2}"#;
    assert_eq!(micros(&quoted(&usual, CHAT, twice)), 18 + 2_000);
    let bounded = models(&json!({"hold": {"output": 1_000_000, "at_most": "0.5"}}));
    assert_eq!(micros(&quoted(&bounded, CHAT, endless)), 500_000);
    let last = r#"{"max_tokens":100,"messages":[],"model":"m"}"#;
    assert_eq!(micros(&quoted(&usual, "/v1/messages", last)), 22 + 1_000);
}

#[test]
fn what_has_no_price_is_never_free() {
    let usual = models(&json!({}));
    let models = model_meter(&usual);
    for (path, body) in [
        (CHAT, ""),
        (CHAT, "{"),
        (CHAT, "{}"),
        (CHAT, r#"{"model":"m","model":"n"}"#),
        ("/v1/responses", r#"{"model":"m","background":true}"#),
        ("/v1/files", r#"{"model":"m"}"#),
        ("/v1/messages/batches", r#"{"model":"m"}"#),
    ] {
        assert!(read_model(models, &held(path), body.as_bytes()).is_err(), "{path} {body}");
    }
    for path in ["/v1/messages/count_tokens", "/v1beta/models/m:countTokens?x"] {
        assert_eq!(read_model(models, &held(path), b"{}"), Ok(None), "{path}");
    }
    let mut read = held("/v1/models");
    read.is_read = true;
    assert_eq!(read_model(models, &read, b""), Ok(None));
}

fn sent(path: &str, content_type: &str) -> HeldRequest {
    let head = [(":method", "POST"), (":path", path), ("content-type", content_type)];
    HeldRequest::of(&Head::new(&head.map(|(name, value)| (name.to_owned(), value.into()))), false)
}

/// A form with these fields, and a file of so many bytes.
fn form(fields: &[(&str, &str)], file: usize) -> Vec<u8> {
    let field =
        |(name, value)| format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let file = [
        &b"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"[..],
        &vec![b'{'; file],
        b"\r\n",
    ];
    let fields: String = fields.iter().copied().map(field).collect();
    [&file.concat(), fields.as_bytes(), b"--B--\r\n"].concat()
}

const FORM: &str = "multipart/form-data; boundary=B";

#[test]
fn audio_is_held_by_its_size_and_charged_by_seconds_or_tokens() {
    let prices = json!({"whisper": {"second": "0.0001"}, "transcribe": {"input": "1", "audio_input": "6", "output": "10"}});
    let meter = models(&json!({"prices": prices}));
    let quoted = |model: &str| {
        let body = form(&[("model", model), ("response_format", "json")], 200_000);
        let request = sent("/v1/audio/transcriptions", FORM);
        let request = read_model(model_meter(&meter), &request, &body).unwrap().unwrap();
        let place = model_meter(&meter).find(model).unwrap();
        let prices = model_meter(&meter).prices_at(place).unwrap();
        quote(model_meter(&meter), Credits::ZERO, &request, (PriceRef::Listed(place), prices), false)
    };
    // 100 seconds at 2,000 bytes each; or 1,000 tokens of audio, 14 bytes of text, and the rule's limit of 1,000 tokens of output.
    assert_eq!(micros(&quoted("whisper")), 100 * 100);
    assert_eq!(micros(&quoted("transcribe")), 6 * (1_000 + 7) + 10 * 1_000);
    let seconds = r#"{"text":"hi","usage":{"type":"duration","seconds":8.2}}"#;
    let tokens = r#"{"text":"hi","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":5,"total_tokens":19}}"#;
    let verbose = r#"{"task":"transcribe","duration":8.2,"segments":[{"id":0,"text":"hi","tokens":[1]}],"text":"hi","usage":{"type":"duration","seconds":9}}"#;
    let done = format!(
        "data: {{\"type\":\"transcript.text.delta\",\"delta\":\"hi\"}}\n\ndata: {{\"type\":\"transcript.text.done\",{}\n\n",
        tokens.trim_start_matches('{')
    );
    let cut = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"0123456789\"}\n\n";
    for (model, content_type, body, end, micros, basis) in [
        ("whisper", "application/json", seconds, AnswerEnd::Whole, 900, Basis::Reported),
        ("whisper", "application/json", verbose, AnswerEnd::Whole, 900, Basis::Reported),
        ("transcribe", "application/json", tokens, AnswerEnd::Whole, 4 + 60 + 50, Basis::Reported),
        ("transcribe", "text/event-stream", &done, AnswerEnd::Whole, 4 + 60 + 50, Basis::Reported),
        ("transcribe", "text/event-stream", cut, AnswerEnd::Cut, 7 + 6_000 + 50, Basis::Estimated),
        (
            "whisper",
            "text/plain; charset=utf-8",
            "1\n00:00:00,000",
            AnswerEnd::Whole,
            10_000,
            Basis::Estimated,
        ),
        ("transcribe", "text/vtt", "0123456789", AnswerEnd::Whole, 7 + 6_000 + 50, Basis::Estimated),
    ] {
        let quote = quoted(model);
        let model = model_quote(&quote);
        let mut reader = Reader::new(model.dialect, Framing::choose(Some(content_type), model.dialect));
        reader.feed(body.as_bytes());
        let settled = settle(model_meter(&meter), Credits::ZERO, model, Some(&reader.finish()), end);
        assert_eq!((settled.list.map(Credits::micros), settled.basis), (Some(micros), basis), "{body}");
    }
}

#[test]
fn a_form_is_read_where_the_api_has_one() {
    let usual = models(&json!({}));
    let read = |path: &str, content_type: &str, body: &[u8]| {
        read_model(model_meter(&usual), &sent(path, content_type), body)
    };
    let edit = form(&[("prompt", "a hat"), ("n", "3"), ("model", "m")], 50_000);
    let request = read("/v1/images/edits", FORM, &edit).unwrap().unwrap();
    assert_eq!((request.model.as_str(), request.asked.choices, request.asked.images), ("m", 3, 1));
    assert_eq!((request.asked.text_bytes, request.asked.image_bytes), (7, 50_000));
    assert!(
        read("/v1/images/edits", "application/json", br#"{"model":"m","prompt":"x"}"#).unwrap().is_some()
    );
    let deployed = read("/openai/deployments/w/audio/translations", FORM, &form(&[], 9)).unwrap().unwrap();
    assert_eq!((deployed.model.as_str(), deployed.dialect), ("w", Dialect::OpenAi));

    let audio = "/v1/audio/transcriptions";
    let body = form(&[("model", "m")], 9);
    for (path, content_type, body, error) in [
        (audio, "application/json", &b"{\"model\":\"m\"}"[..], None),
        (audio, "multipart/form-data", &body, None),
        (audio, "multipart/form-data; boundary=A; boundary=B", &body, None),
        (audio, FORM, &form(&[], 9), None),
        (audio, "multipart/form-data; boundary=A", &body, Some(BodyError::Form { at: 0 })),
        (audio, FORM, &body[..body.len() - 4], Some(BodyError::Form { at: body.len() - 4 })),
        (
            audio,
            FORM,
            &form(&[("model", "m"), ("model", "n")], 9),
            Some(BodyError::Duplicate { name: "model" }),
        ),
        (
            audio,
            FORM,
            &form(&[("model", "m"), ("Model", "n")], 9),
            Some(BodyError::Spelling { name: "model" }),
        ),
        (audio, FORM, &form(&[("model[]", "m")], 9), Some(BodyError::Spelling { name: "model" })),
        (audio, FORM, &form(&[("model", &"m".repeat(1_000))], 9), Some(BodyError::TooLong { name: "model" })),
        (audio, FORM, &form(&[("model", &"m".repeat(2_000))], 9), None),
        (
            "/v1/images/edits",
            FORM,
            &form(&[("model", "m"), ("n", "x")], 9),
            Some(BodyError::WrongType { name: "n" }),
        ),
        (CHAT, FORM, &body, Some(BodyError::Malformed { at: 1 })),
    ] {
        match (read(path, content_type, body), error) {
            (Err(Unpriced::Unsold(_)), None) => {}
            (found, error) => {
                assert_eq!(found.unwrap_err(), Unpriced::Body(error.unwrap()), "{path} {content_type}");
            }
        }
    }
}

#[test]
fn calls_cost_what_is_listed_for_their_tool() {
    let meter = meter(&json!({"mcp": {"search": "0.5", "report-*": "3"}, "other": "1"}));
    let MeterKind::Calls(calls) = &meter.kind else { panic!("{meter:?}") };
    let call = |method: &str, name: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"name":"{name}"}}}}"#)
    };
    let price = |body: &str| {
        let quote = read_calls(calls, Credits::ZERO, &held("/mcp"), body.as_bytes());
        quote
            .map(|quote| quote.map(|quote| (quote.list.to_string(), quote.item.map(|item| item.to_string()))))
    };
    let of = |cost: &str, item: &str| Ok(Some((cost.to_owned(), Some(item.to_owned()))));
    assert_eq!(price(&call("tools/call", "search")), of("0.5", "search"));
    assert_eq!(price(&call("tools/call", "report-a")), of("3", "report-a"));
    assert_eq!(price(&call("tools/call", "x")), of("1", "x"));
    assert_eq!(price(&call("tools/list", "x")), Ok(None));
    assert_eq!(price(r#"[{"id":1,"method":"ping"},{"id":2,"method":"tools/list"}]"#), Ok(None));
    let batch = format!("[{},{}]", call("tools/call", "x"), call("tools/call", "y"));
    assert!(matches!(price(&batch), Err(Unpriced::Unsold(_))));
    assert!(matches!(price("{"), Err(Unpriced::Body(_))));
}

fn report(used: &[(UsageClass, u64)], complete: bool, output_bytes: u64) -> Report {
    let mut quantities = Quantities::default();
    for (class, count) in used {
        quantities.set(*class, *count);
    }
    let quantities = Some(quantities);
    Report { quantities, complete, output_bytes, ..Report::default() }
}

#[test]
fn a_request_comes_to_what_its_answer_says_however_it_ends() {
    use AnswerEnd::{Cut, None as Unanswered, Whole};
    let usual = models(&json!({}));
    let quote = quoted(&usual, CHAT, r#"{"model":"m","max_tokens":100}"#);
    let silent = Report { output_bytes: 40, ..Report::default() };
    let failed = Report { error: true, ..Report::default() };
    let cut_failure = Report { error: true, output_bytes: 40, ..Report::default() };
    let (input, output) = (UsageClass::Input, UsageClass::Output);
    for (said, end, micros, basis) in [
        (Some(report(&[(input, 7), (output, 5)], true, 999)), Whole, Some(57), Basis::Reported),
        (Some(report(&[], true, 999)), Whole, Some(0), Basis::Reported),
        (Some(report(&[(input, 7), (output, 5)], false, 0)), Whole, Some(57), Basis::Reported),
        // Its input is exact, and its output at least what was delivered.
        (Some(report(&[(input, 7), (output, 1)], false, 40)), Cut, Some(207), Basis::Estimated),
        (Some(report(&[(input, 7), (output, 50)], false, 40)), Cut, Some(507), Basis::Estimated),
        // The body has 30 bytes.
        (Some(silent.clone()), Cut, Some(215), Basis::Estimated),
        (Some(silent.clone()), Whole, Some(215), Basis::Estimated),
        (Some(failed), Whole, Some(0), Basis::Estimated),
        (Some(cut_failure), Whole, Some(215), Basis::Estimated),
        (None, Unanswered, Some(15), Basis::Estimated),
        // It was compressed all the same.
        (None, Whole, None, Basis::Held),
    ] {
        let settled = settle(model_meter(&usual), Credits::ZERO, model_quote(&quote), said.as_ref(), end);
        assert_eq!((settled.list.map(Credits::micros), settled.basis), (micros, basis), "{said:?} {end:?}");
    }
    for (no_usage, micros) in [("hold", None), ("free", Some(0))] {
        let meter = models(&json!({"no_usage": no_usage}));
        let settled = settle(model_meter(&meter), Credits::ZERO, model_quote(&quote), Some(&silent), Whole);
        assert_eq!(settled.list.map(Credits::micros), micros, "{no_usage}");
    }
}

#[test]
fn images_without_usage_come_to_as_many_as_were_asked_for() {
    let usual = models(&json!({"hold": {"output": 1_000, "bytes_per_token": 2}}));
    let quote = quoted(&usual, "/v1/images/generations", r#"{"model":"m","n":3,"prompt":"a"}"#);
    // 32 bytes are 16 tokens; and 3 images of 1,000 tokens at the price of output.
    let without = |end, error| {
        let report = Report { complete: true, error, ..Report::default() };
        let settled = settle(model_meter(&usual), Credits::ZERO, model_quote(&quote), Some(&report), end);
        (settled.list.map(Credits::micros), settled.basis, settled.used.get(UsageClass::ImageOutput))
    };
    assert_eq!(without(AnswerEnd::Whole, false), (Some(16 + 30_000), Basis::Estimated, 3_000));
    assert_eq!(without(AnswerEnd::Cut, false), (Some(16), Basis::Estimated, 0), "no image came");
    assert_eq!(without(AnswerEnd::Whole, true), (Some(0), Basis::Estimated, 0));
    let said = report(&[(UsageClass::ImageOutput, 70)], true, 0);
    let settled =
        settle(model_meter(&usual), Credits::ZERO, model_quote(&quote), Some(&said), AnswerEnd::Whole);
    assert_eq!((settled.list.map(Credits::micros), settled.basis), (Some(700), Basis::Reported));
}

#[test]
fn the_service_that_answered_has_its_price() {
    let usual = models(&json!({}));
    let (input, whole) = (UsageClass::Input, AnswerEnd::Whole);
    for (asked, answered, micros) in [
        ("auto", None, 7),
        ("auto", Some("priority"), 14),
        ("priority", Some("default"), 7),
        ("priority", None, 14),
    ] {
        let quote = quoted(&usual, CHAT, &format!(r#"{{"model":"m","service_tier":"{asked}"}}"#));
        let said = Report { service_tier: answered.map(str::to_owned), ..report(&[(input, 7)], true, 0) };
        let settled = settle(model_meter(&usual), Credits::ZERO, model_quote(&quote), Some(&said), whole);
        assert_eq!(settled.list.map(Credits::micros), Some(micros), "{asked} {answered:?}");
    }
}

/// A request for a WebSocket.
fn session(path: &str) -> HeldRequest {
    let head = [
        (":method".to_owned(), b"GET".to_vec()),
        (":path".to_owned(), path.as_bytes().to_vec()),
        ("upgrade".to_owned(), b"WebSocket".to_vec()),
    ];
    HeldRequest::of(&Head::new(&head), false)
}

#[test]
fn a_session_holds_one_answer_of_the_model_that_its_query_names() {
    let sold = models(&json!({"stop_at_zero": true}));
    let read = |meter: &Meter, path: &str| read_model(model_meter(meter), &session(path), b"");
    for path in
        ["/v1/realtime?model=m", "/openai/realtime?api-version=1&deployment=m", "/v1/realtime?mode%6c=%6d"]
    {
        let request = read(&sold, path).unwrap().unwrap();
        assert_eq!((request.model.as_str(), request.shape), ("m", RequestShape::Session), "{path}");
        let models = model_meter(&sold);
        let place = models.find("m").unwrap();
        let prices = models.prices_at(place).unwrap();
        let quote = quote(models, sold.fixed, &request, (PriceRef::Listed(place), prices), false);
        assert_eq!(micros(&quote), 10_000, "{path}");
    }
    for path in [
        "/v1/realtime",
        "/v1/realtime?model=",
        "/v1/realtime?model=m&model=n",
        "/v1/realtime?model=m&deployment=m",
    ] {
        assert!(matches!(read(&sold, path), Err(Unpriced::Unsold(_))), "{path}");
    }
    assert!(matches!(read(&models(&json!({})), "/v1/realtime?model=m"), Err(Unpriced::Unsold(_))));
}

#[test]
fn a_session_comes_to_the_sum_of_its_answers_and_what_came_since() {
    let meter = models(&json!({"stop_at_zero": true}));
    let path = "/v1/realtime?model=m";
    let request = read_model(model_meter(&meter), &session(path), b"").unwrap().unwrap();
    let place = model_meter(&meter).find("m").unwrap();
    let prices = model_meter(&meter).prices_at(place).unwrap();
    let quote = quote(model_meter(&meter), Credits::ZERO, &request, (PriceRef::Listed(place), prices), false);
    for (since, micros, basis) in [(0, 57, Basis::Reported), (8, 97, Basis::Estimated)] {
        let said = report(&[(UsageClass::Input, 7), (UsageClass::Output, 5)], false, since);
        let said = Report { adds: true, ..said };
        let settled =
            settle(model_meter(&meter), Credits::ZERO, model_quote(&quote), Some(&said), AnswerEnd::Cut);
        assert_eq!((settled.list.map(Credits::micros), settled.basis), (Some(micros), basis));
        let now = so_far(model_meter(&meter), Credits::ZERO, model_quote(&quote), &said);
        assert_eq!(now, settled.list);
    }
}

proptest! {
    #[test]
    fn the_largest_limit_that_fits_is_found(available in 1_i64..30_000, cap in 1_u64..2_000, choices in 1_u64..4) {
        let usual = models(&json!({}));
        let body = format!(r#"{{"model":"m","max_tokens":{cap},"n":{choices}}}"#);
        let quote = quoted(&usual, CHAT, &body);
        let affordable = |list: Credits| list.micros() <= available;
        prop_assume!(!affordable(quote.list));
        let input = i64::try_from(body.len().div_ceil(2)).unwrap();
        let tokens = (available - input).max(0) / 10 / i64::try_from(choices).unwrap();
        let expected = u64::try_from(tokens).ok().filter(|tokens| *tokens > 0);
        let fitted = fit(model_meter(&usual), Credits::ZERO, &quote, affordable);
        prop_assert_eq!(fitted.as_ref().and_then(Quote::fitted), expected);
        prop_assert!(fitted.is_none_or(|quote| affordable(quote.list)));
    }

    #[test]
    fn no_request_within_its_estimate_costs_more_than_its_hold(size in 0_usize..3_000, cap in 0_u64..5_000, input in 0_u64..2_000, output in 0_u64..5_000) {
        let usual = models(&json!({}));
        let body = format!(r#"{{"model":"m","max_tokens":{cap},"x":"{}"}}"#, "a".repeat(size));
        let quote = quoted(&usual, CHAT, &body);
        let said = report(&[(UsageClass::Input, input.min(body.len() as u64 / 2)), (UsageClass::Output, output.min(cap))], true, 0);
        let settled = settle(model_meter(&usual), Credits::ZERO, model_quote(&quote), Some(&said), AnswerEnd::Whole);
        prop_assert!(settled.list.unwrap() <= quote.list);
    }
}
