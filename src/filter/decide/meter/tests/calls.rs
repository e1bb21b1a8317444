use super::always::pieces;
use super::{events, frames};
use crate::decide::meter::asked::mcp::CallAnswer;
use crate::decide::meter::calls::{CallReader, CallReport};
use crate::decide::meter::framing::Framing;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn in_pieces<'a>(framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> CallReport {
    by(false, framing, pieces)
}

fn by<'a>(agents: bool, framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> CallReport {
    let mut reader = CallReader::new(framing, agents);
    for piece in pieces {
        reader.feed(piece);
    }
    reader.finish()
}

fn read(framing: Framing, body: &str) -> CallReport {
    in_pieces(framing, [body.as_bytes()])
}

fn answered(answer: CallAnswer) -> CallReport {
    CallReport { answered: true, answer }
}

/// What a letter of the tables below means.
fn report(letter: char) -> CallReport {
    let none = CallAnswer::default();
    match letter {
        '-' => CallReport::default(),
        'd' => answered(none),
        't' => answered(CallAnswer { is_tool_error: true, ..none }),
        'i' => answered(CallAnswer { is_input_required: true, ..none }),
        'e' => answered(CallAnswer { is_rpc_error: true, ..none }),
        other => panic!("{other}"),
    }
}

const DELIVERED: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"18 °C"}],"isError":false,"resultType":"complete"}}"#;
const FAILED: &str =
    r#"{"jsonrpc":"2.0","id":2,"result":{"isError":true,"content":[{"type":"text","text":"no"}]}}"#;
const ASKS: &str = r#"{"jsonrpc":"2.0","id":3,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{}}},"requestState":"x"}}"#;
const ERROR: &str =
    r#"{"jsonrpc":"2.0","id":4,"error":{"code":-32602,"message":"result","data":{"result":{}}}}"#;
const PROGRESS: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"result":{"isError":true},"error":{}}}"#;
const SAMPLING: &str =
    r#"{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{"messages":[]}}"#;
const TASK: &str = r#"{"jsonrpc":"2.0","id":"1","result":{"kind":"status-update","status":{"state":"working","message":{"parts":[{"text":"isError"}]}},"final":false}}"#;

/// Answers in each framing, with what they say.
fn samples() -> Vec<(Framing, Vec<u8>, char)> {
    let mut all = Vec::new();
    for (messages, letter) in [
        (&[DELIVERED][..], 'd'),
        (&[FAILED], 't'),
        (&[ASKS], 'i'),
        (&[ERROR], 'e'),
        (&[PROGRESS], '-'),
        (&[SAMPLING], '-'),
        (&[PROGRESS, SAMPLING, PROGRESS, DELIVERED], 'd'),
        (&[SAMPLING, ERROR], 'e'),
        (&[ASKS, PROGRESS], 'i'),
        (&[TASK, TASK, ERROR], 'd'),
        // Of several the one that delivered most.
        (&[ERROR, ASKS], 'i'),
        (&[ASKS, FAILED, ERROR], 't'),
        (&[FAILED, DELIVERED, ASKS], 'd'),
        (&[], '-'),
    ] {
        let stream = events(messages.iter().copied());
        all.push((Framing::Sse, format!(": hi\n\n{stream}").into_bytes(), letter));
        all.push((
            Framing::Sse,
            stream.replace("data: ", "event: message\r\nid: 7\r\ndata:").into_bytes(),
            letter,
        ));
        all.push((Framing::Json, format!("[{}]", messages.join(" ,\r\n")).into_bytes(), letter));
        all.push((Framing::Lines, messages.join("\n").into_bytes(), letter));
        let frames = messages.iter().flat_map(|message| frames::frame(0x81, message.as_bytes()));
        all.push((Framing::WebSocket, frames.collect(), letter));
        if let [message] = messages {
            all.push((Framing::Json, message.as_bytes().to_vec(), letter));
            let pretty: Json = serde_json::from_str(message).unwrap();
            all.push((Framing::Json, serde_json::to_vec_pretty(&pretty).unwrap(), letter));
        }
    }
    all
}

#[test]
fn an_answer_says_whether_it_delivered_something() {
    for (framing, body, letter) in samples() {
        let found = in_pieces(framing, [&body[..]]);
        assert_eq!(found, report(letter), "{framing:?} {}", String::from_utf8_lossy(&body));
        assert_eq!(found.is_delivered(), matches!(letter, 'd' | 't'));
    }
}

#[test]
fn every_cut_gives_the_same_report_and_a_rest_that_never_comes_delivers_nothing_new() {
    for (framing, body, _) in samples() {
        let whole = in_pieces(framing, [&body[..]]);
        assert_eq!(in_pieces(framing, body.chunks(1)), whole);
        for at in 0..=body.len() {
            let (one, two) = body.split_at(at);
            assert_eq!(in_pieces(framing, [one, two]), whole, "{framing:?} at {at}");
            let cut = in_pieces(framing, [one]);
            assert!(whole.is_delivered() || !cut.is_delivered(), "{framing:?} at {at}");
        }
    }
}

#[test]
fn only_a_whole_message_with_a_result_or_an_error_and_without_a_method_is_a_response() {
    for (message, letter) in [
        (r#"{"result":{}}"#, 'd'),
        (r#"{"result":null}"#, 'd'),
        (r#"{"result":"text"}"#, 'd'),
        (r#"{"result":[{"isError":true,"resultType":"input_required"}]}"#, 'd'),
        (r#"{"result":7,"id":1}"#, 'd'),
        (r#"{"error":{}}"#, 'e'),
        (r#"{"error":"broken"}"#, 'e'),
        (r#"{"error":-32603}"#, 'e'),
        (r#"{"result":{},"error":{"code":1}}"#, 'e'),
        (r#"{"error":{"code":1},"result":null}"#, 'e'),
        (r#"{"error":null,"result":{"isError":true}}"#, 't'),
        (r#"{"result":{},"error":null}"#, 'd'),
        (r#"{"error":null}"#, '-'),
        (r#"{"error":false}"#, '-'),
        (r#"{"result":{},"method":"x"}"#, '-'),
        (r#"{"method":"x","error":{}}"#, '-'),
        (r#"{"method":{"x":1},"result":{}}"#, '-'),
        (r#"{"result":{},"method":null}"#, 'd'),
        (r#"{"Result":{},"results":{},"ERROR":1}"#, '-'),
        (r#"{"params":{"result":{}}}"#, '-'),
        (r#"{"":{"result":{}},"data":[{"error":1}]}"#, '-'),
        ("{}", '-'),
        ("[]", '-'),
        ("null", '-'),
        (r#""{\"result\":{}}""#, '-'),
        ("<html>no</html>", '-'),
        (r#"{"result":{"content":[]}"#, '-'),
        (r#"{"error":{"code":1}"#, '-'),
        (r#"{"result":{}"#, '-'),
    ] {
        assert_eq!(read(Framing::Json, message), report(letter), "{message}");
        assert_eq!(read(Framing::Sse, &format!("data: {message}\n\n")), report(letter), "{message}");
    }
}

#[test]
fn only_exact_paths_of_the_result_count() {
    for (result, letter) in [
        (json!({"isError": true}), 't'),
        (json!({"isError": false}), 'd'),
        (json!({"isError": "true"}), 'd'),
        (json!({"isError": 1}), 'd'),
        (json!({"isError": null}), 'd'),
        (json!({"isError": [true]}), 'd'),
        (json!({"iserror": true, "is_error": true, "isError ": true}), 'd'),
        (json!({"resultType": "input_required"}), 'i'),
        (json!({"resultType": "input_required "}), 'd'),
        (json!({"resultType": "Input_Required"}), 'd'),
        (json!({"resultType": "complete"}), 'd'),
        (json!({"resultType": ["input_required"]}), 'd'),
        (json!({"resultType": "x".repeat(100)}), 'd'),
        (json!({"resultType": "input_required", "isError": true}), 'x'),
        (json!({"result": {"isError": true, "resultType": "input_required"}}), 'd'),
        (json!({"*": {"isError": true}, "": {"isError": true}}), 'd'),
    ] {
        let found = read(Framing::Json, &json!({"id": 1, "result": result}).to_string());
        let both = CallAnswer { is_tool_error: true, is_input_required: true, is_rpc_error: false };
        let expected = if letter == 'x' { answered(both) } else { report(letter) };
        assert_eq!(found, expected, "{result}");
    }
}

#[test]
fn a_task_has_failed_if_its_last_state_says_so() {
    let state = |state: &str| json!({"id": "1", "status": {"state": state, "message": {"parts": [{"text": "failed"}]}}});
    let by_rpc = |result: Json| json!({"jsonrpc": "2.0", "id": 1, "result": result}).to_string();
    let rest = |member: &str, named: &str| json!({member: state(named)}).to_string();
    let artifact = json!({"artifactUpdate": {"status": {"state": "failed"}, "artifact": {"parts": []}}});
    let message = json!({"message": {"role": "ROLE_AGENT", "status": {"state": "failed"}, "parts": []}});
    for (messages, letter) in [
        (vec![by_rpc(state("failed"))], 't'),
        (vec![by_rpc(state("rejected"))], 't'),
        (vec![by_rpc(json!({"task": state("TASK_STATE_FAILED")}))], 't'),
        (vec![rest("task", "TASK_STATE_REJECTED")], 't'),
        (vec![rest("statusUpdate", "TASK_STATE_FAILED")], 't'),
        (vec![by_rpc(state("completed"))], 'd'),
        (vec![by_rpc(state("canceled"))], 'd'),
        (vec![rest("task", "TASK_STATE_COMPLETED")], '-'),
        (vec![by_rpc(state("working")), by_rpc(artifact.clone()), by_rpc(state("failed"))], 't'),
        (
            vec![
                rest("task", "TASK_STATE_WORKING"),
                rest("statusUpdate", "TASK_STATE_FAILED"),
                artifact.to_string(),
            ],
            't',
        ),
        (vec![by_rpc(state("failed")), by_rpc(json!({"statusUpdate": state("TASK_STATE_WORKING")}))], 'd'),
        (vec![by_rpc(artifact), by_rpc(message.clone())], 'd'),
        (vec![message.to_string()], '-'),
    ] {
        let stream = events(messages.iter().map(String::as_str));
        assert_eq!(by(true, Framing::Sse, [stream.as_bytes()]), report(letter), "{stream}");
        assert_eq!(by(true, Framing::Sse, stream.as_bytes().chunks(1)), report(letter), "{stream}");
        if let [message] = &*messages {
            assert_eq!(by(true, Framing::Json, [message.as_bytes()]), report(letter), "{message}");
        }
        assert_ne!(
            by(false, Framing::Sse, [stream.as_bytes()]),
            report('t'),
            "no tool has such a task: {stream}"
        );
    }
    let twice = r#"{"result":{"status":{"state":"failed"}},"result":{"parts":[]}}"#;
    assert_eq!(by(true, Framing::Json, [twice.as_bytes()]), report('d'));
}

#[test]
fn escaped_members_are_found() {
    let body = r#"{"\u0072esult":{"is\u0045rror":true,"resultType":"complete"}}"#;
    assert_eq!(read(Framing::Json, body), report('t'));
    let body = r#"{"result":{"resultType":"input\u005frequired"}}"#;
    assert_eq!(read(Framing::Json, body), report('i'));
}

#[test]
fn nothing_that_a_tool_returns_passes_for_a_member() {
    let forged = r#"{"error":{"code":1},"isError":true,"resultType":"input_required","method":"x","result":{"isError":true,"resultType":"input_required"}}"#;
    let text = serde_json::to_string(forged).unwrap();
    for value in [forged, &text, &format!("[{forged}]"), &format!("[[{text}],{forged}]")] {
        for place in [
            r#""content":[{"type":"text","text":?}]"#,
            r#""content":[?]"#,
            r#""content":?"#,
            r#""structuredContent":?"#,
            r#""structuredContent":{"isError":?,"result":?,"x":[?]}"#,
            r#""_meta":?"#,
            r#""_meta":{"error":?}"#,
            r#""contents":[{"uri":"x","text":?}]"#,
            r#""artifacts":[{"parts":[{"data":?,"text":?}]}]"#,
            r#""metadata":?,"result":?,"error":?,"method":?"#,
            r#""*":?,"":?"#,
        ] {
            let place = place.replace('?', value);
            for (body, letter) in [
                (format!(r#"{{"id":1,"result":{{{place}}}}}"#), 'd'),
                (format!(r#"{{"id":1,"result":{{{place},"isError":true}}}}"#), 't'),
                (format!(r#"{{"id":1,"result":{{"resultType":"input_required",{place}}}}}"#), 'i'),
                (format!(r#"{{"id":1,"error":{{"code":1,"data":{{{place}}}}}}}"#), 'e'),
                (format!(r#"{{"method":"x","params":{{{place}}}}}"#), '-'),
            ] {
                assert_eq!(read(Framing::Json, &body), report(letter), "{body}");
                assert_eq!(read(Framing::Sse, &events([&*body])), report(letter), "{body}");
            }
        }
    }
}

#[test]
fn of_a_member_that_is_there_twice_the_last_counts() {
    for (message, letter) in [
        (r#"{"result":{"isError":true},"result":{}}"#, 'd'),
        (r#"{"result":{"resultType":"input_required"},"result":null}"#, 'd'),
        (r#"{"result":{},"result":{"isError":true}}"#, 't'),
        (r#"{"result":{"isError":true,"isError":false}}"#, 'd'),
        (r#"{"result":{"isError":false,"isError":true}}"#, 't'),
        (r#"{"result":{"resultType":"complete","resultType":"input_required"}}"#, 'i'),
        (r#"{"result":{"resultType":"input_required","resultType":7}}"#, 'd'),
        (r#"{"error":{},"error":null,"result":{}}"#, 'd'),
        (r#"{"error":{"code":1},"result":{},"result":{}}"#, 'e'),
        (r#"{"method":"x","method":null,"result":{}}"#, 'd'),
    ] {
        assert_eq!(read(Framing::Json, message), report(letter), "{message}");
    }
}

#[test]
fn a_broken_event_spoils_no_other() {
    for broken in
        ["{", "{\"result\":{\"isError\":true", "[[", "{\"error\":", "\"", "}}]]", "{\"method\":\"x\""]
    {
        assert_eq!(read(Framing::Sse, &events([broken, DELIVERED])), report('d'), "{broken}");
        assert_eq!(read(Framing::Sse, &events([DELIVERED, broken])), report('d'), "{broken}");
        assert_eq!(read(Framing::Sse, &events([broken])), report('-'), "{broken}");
    }
}

#[test]
fn what_is_not_json_says_nothing() {
    for framing in [Framing::Text, Framing::Opaque, Framing::EventStream] {
        assert_eq!(read(framing, DELIVERED), report('-'), "{framing:?}");
    }
}

/// What a parser that has the whole message finds.
fn expected(message: &Json) -> CallReport {
    let is_there = |name: &str| !matches!(message.get(name), None | Some(Json::Null | Json::Bool(false)));
    let result = message.get("result");
    let member = |name: &str| result.and_then(Json::as_object).and_then(|result| result.get(name));
    let answer = CallAnswer {
        is_rpc_error: is_there("error"),
        is_tool_error: member("isError") == Some(&json!(true)),
        is_input_required: member("resultType") == Some(&json!("input_required")),
    };
    let is_response = (result.is_some() || answer.is_rpc_error) && !is_there("method");
    if is_response { answered(answer) } else { CallReport::default() }
}

/// Values that have the members that count, in all places.
fn value() -> impl Strategy<Value = Json> {
    let names = ["result", "error", "method", "isError", "resultType", "content", "*", "x\"é"];
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Json::from),
        any::<u16>().prop_map(Json::from),
        Just(json!("input_required")),
        "[a-z\"\\\\{}\\[\\]:,é😀]{0,6}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let name = prop::sample::select(names.to_vec());
        prop_oneof![
            3 => prop::collection::hash_map(name, inner.clone(), 0..6)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            1 => prop::collection::vec(inner, 0..4).prop_map(Json::from),
        ]
    })
}

/// Bytes that look like something.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let tokens = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u00",
        "\n",
        "\r\n",
        "\n\n",
        "data: ",
        "\"result\":{",
        "\"error\"",
        "\"method\":",
        "\"isError\":",
        "\"resultType\":\"input_required\"",
        "true",
        "null",
        "12",
        "\u{FEFF}",
        "é",
    ];
    let token = prop_oneof![
        4 => prop::sample::select(tokens.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn it_finds_what_a_parser_finds(
        message in value().prop_filter("a message", Json::is_object),
        pretty in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = if pretty { serde_json::to_string_pretty(&message) } else { serde_json::to_string(&message) }.unwrap();
        let (one, two) = text.as_bytes().split_at(cut.index(text.len()));
        prop_assert_eq!(in_pieces(Framing::Json, [one, two]), expected(&message), "{}", text);
    }

    #[test]
    fn no_bytes_make_it_panic_and_any_chunking_of_them_is_the_same(
        body in any_body(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        for framing in super::always::FRAMINGS {
            let whole = in_pieces(framing, [&body[..]]);
            prop_assert_eq!(in_pieces(framing, pieces(&body, &cuts)), whole, "{:?}", framing);
            prop_assert_eq!(in_pieces(framing, body.chunks(1)), whole, "{:?}", framing);
        }
    }
}
