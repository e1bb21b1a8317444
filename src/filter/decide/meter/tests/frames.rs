use super::*;

/// A frame of AWS's.
pub(super) fn aws(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).unwrap());
        head.extend(name.as_bytes());
        head.push(7);
        head.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        head.extend(value.as_bytes());
    }
    let mut frame = Vec::new();
    frame.extend(u32::try_from(16 + head.len() + payload.len()).unwrap().to_be_bytes());
    frame.extend(u32::try_from(head.len()).unwrap().to_be_bytes());
    frame.extend(crc(&frame).to_be_bytes());
    frame.extend(head);
    frame.extend(payload.as_bytes());
    frame.extend(crc(&frame).to_be_bytes());
    frame
}

/// An event of Bedrock's.
pub(super) fn bedrock(kind: &str, payload: &str) -> Vec<u8> {
    let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    aws(&headers, payload)
}

/// CRC-32 by its definition: the remainder of a division of polynomials.
fn crc(bytes: &[u8]) -> u32 {
    let mut register = u32::MAX;
    for bit in bytes.iter().flat_map(|byte| (0..8).map(move |place| byte >> place & 1)) {
        let carry = register & 1 ^ u32::from(bit);
        register = (register >> 1) ^ (carry * 0xEDB8_8320);
    }
    !register
}

/// A frame of a WebSocket server.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(u8::try_from(short).unwrap()),
        long @ 126..=0xFFFF => {
            frame.push(126);
            frame.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
        longer => {
            frame.push(127);
            frame.extend(u64::try_from(longer).unwrap().to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}"#;

fn five_and_seven() -> Option<Quantities> {
    used(&[(UsageClass::Input, 5), (UsageClass::Output, 7)])
}

#[test]
fn events_are_read_however_their_lines_end() {
    for end in ["\n", "\r\n", "\r"] {
        for (name, body) in [
            ("plain", format!("data: {USAGE}\n\ndata: [DONE]\n\n")),
            ("without blanks", format!("data:{USAGE}\n\ndata:[DONE]\n\n")),
            ("with a byte order mark", format!("\u{FEFF}data: {USAGE}\n\ndata: [DONE]\n\n")),
            ("with comments", format!(": hi\n\n:\ndata: {USAGE}\n: there\n\n\n\ndata: [DONE]\n\n")),
            (
                "with other fields",
                format!("id: 7\nretry: 1\nevent: x\ndata: {USAGE}\nid\n\ndata: [DONE]\n\n"),
            ),
            ("with a name behind", format!("data: {USAGE}\nevent: x\n\ndata: [DONE]\n\n")),
            ("cut after its last byte", format!("data: {USAGE}\n\ndata: [DONE]")),
            ("without an empty line at the end", format!("data: {USAGE}\ndata: [DONE]\n")),
        ] {
            let report = read(Dialect::OpenAi, Framing::Sse, body.replace('\n', end).as_bytes());
            assert_eq!(report.quantities, five_and_seven(), "{name} {end:?}");
            assert!(report.complete && !report.error, "{name} {end:?}");
        }
    }
}

#[test]
fn an_event_may_have_several_data_lines() {
    let body =
        "data: {\"usage\":\ndata: {\"prompt_tokens\": 5,\ndata:  \"completion_tokens\": 7\ndata: }}\n\n";
    assert_eq!(read(Dialect::OpenAi, Framing::Sse, body.as_bytes()).quantities, five_and_seven());
}

#[test]
fn what_is_no_data_line_is_ignored() {
    for line in [
        format!("datas: {USAGE}"),
        format!("Data: {USAGE}"),
        format!(" data: {USAGE}"),
        format!(": data: {USAGE}"),
        format!("data : {USAGE}"),
        format!("{}data: {USAGE}", "x".repeat(300)),
        USAGE.to_owned(),
    ] {
        let report = read(Dialect::OpenAi, Framing::Sse, format!("{line}\n\n").as_bytes());
        assert_eq!(report, Report::default(), "{line}");
    }
}

#[test]
fn only_done_alone_ends_a_stream() {
    for data in ["[DONE]x", "[DONE", "\"[DONE]\"", " [DONE]", "{\"choices\":[]}", ""] {
        let report = read(Dialect::OpenAi, Framing::Sse, format!("data: {data}\n\n").as_bytes());
        assert!(!report.complete, "{data}");
    }
}

#[test]
fn a_broken_event_spoils_no_other() {
    for broken in ["{", "{\"a", "[[[", "{\"usage\":{\"prompt_tokens\":99", "}}]]", "\"", "{\"a\":\"\\"] {
        let body = format!("data: {broken}\n\ndata: {USAGE}\n\n");
        assert_eq!(
            read(Dialect::OpenAi, Framing::Sse, body.as_bytes()).quantities,
            five_and_seven(),
            "{broken}"
        );
        let body = format!("{broken}\n{USAGE}\n");
        assert_eq!(
            read(Dialect::OpenAi, Framing::Lines, body.as_bytes()).quantities,
            five_and_seven(),
            "{broken}"
        );
    }
}

#[test]
fn a_document_that_is_cut_counts_as_if_it_were_not_there() {
    let body =
        r#"{"model":"m","choices":[{"message":{"content":"four"}}],"usage":{"prompt_tokens":5,"comple"#;
    let report = read(Dialect::OpenAi, Framing::Json, body.as_bytes());
    let expected = Report { model: Some("m".to_owned()), output_bytes: 4, ..Report::default() };
    assert_eq!(report, expected);
}

#[test]
fn an_aws_frame_with_a_wrong_checksum_or_length_ends_the_reading() {
    let right = bedrock("metadata", r#"{"usage":{"inputTokens":1,"outputTokens":2}}"#);
    let expected = used(&[(UsageClass::Input, 1), (UsageClass::Output, 2)]);
    let quantities = |frame: &[u8]| read(Dialect::Bedrock, Framing::EventStream, frame).quantities;
    assert_eq!(quantities(&right), expected);
    for place in 0..12 {
        let mut wrong = right.clone();
        wrong[place] ^= 1;
        assert_eq!(quantities(&[wrong, right.clone()].concat()), None, "{place}");
    }
    let prelude = |total: u32, headers: u32| {
        let mut frame = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        frame.extend(crc(&frame).to_be_bytes());
        frame
    };
    for (total, headers) in [(0, 0), (15, 0), (16, 1), (u32::MAX, 0), (100, u32::MAX), (1 << 20, 1 << 18)] {
        let frames = [prelude(total, headers), vec![0; 4], right.clone()].concat();
        assert_eq!(quantities(&frames), None, "{total} {headers}");
    }
    let empty = [prelude(16, 0), vec![0; 4], right].concat();
    assert_eq!(quantities(&empty), expected);
}

#[test]
fn headers_of_all_types_are_skipped() {
    let payload = br#"{"usage":{"inputTokens":1}}"#;
    for (kind, length) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)] {
        let mut head = vec![1, b'x', kind];
        head.extend(vec![0; length]);
        let mut frame = u32::try_from(16 + head.len() + payload.len()).unwrap().to_be_bytes().to_vec();
        frame.extend(u32::try_from(head.len()).unwrap().to_be_bytes());
        frame.extend(crc(&frame).to_be_bytes());
        frame.extend(head);
        frame.extend(payload);
        frame.extend([0; 4]);
        let report = read(Dialect::Bedrock, Framing::EventStream, &frame);
        assert_eq!(report.quantities, used(&[(UsageClass::Input, 1)]), "{kind}");
    }
}

#[test]
fn an_aws_exception_is_an_error() {
    let exception = [(":exception-type", "throttlingException"), (":message-type", "exception")];
    let body = [
        bedrock("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"four"}}"#),
        aws(&exception, r#"{"message":"too many"}"#),
    ];
    let report = read(Dialect::Bedrock, Framing::EventStream, &body.concat());
    assert_eq!(report, Report { error: true, output_bytes: 4, ..Report::default() });
}

const DONE: &str =
    r#"{"type":"response.done","response":{"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}}"#;

#[test]
fn a_message_may_come_in_fragments_with_control_frames_between() {
    let (one, two) = DONE.as_bytes().split_at(30);
    let (two, three) = two.split_at(20);
    let frames = [
        frame(0x01, one),
        frame(0x89, b"{\"ping"),
        frame(0x00, two),
        frame(0x8A, b""),
        frame(0x00, b""),
        frame(0x80, three),
        frame(0x88, &[3, 232]),
    ];
    let report = read(Dialect::OpenAi, Framing::WebSocket, &frames.concat());
    assert_eq!(
        report,
        Report { quantities: five_and_seven(), complete: true, adds: true, ..Report::default() }
    );
}

#[test]
fn frames_of_all_lengths_are_read() {
    for size in [0, 100, 126, 60_000, 70_000] {
        let filler = format!("{{\"type\":\"session.updated\",\"x\":\"{}\"}}", "y".repeat(size));
        let frames = [frame(0x81, filler.as_bytes()), frame(0x81, DONE.as_bytes())].concat();
        assert_eq!(read(Dialect::OpenAi, Framing::WebSocket, &frames).quantities, five_and_seven(), "{size}");
    }
}

#[test]
fn frames_that_a_server_must_not_send_end_the_reading() {
    let masked = {
        let mut frame = frame(0x81, b"abcdefgh");
        frame[1] |= 0x80;
        frame
    };
    let huge = [vec![0x81, 127], u64::MAX.to_be_bytes().to_vec()].concat();
    let compressed = frame(0xC1, b"abc");
    let long_ping = frame(0x89, &[b'x'; 126]);
    let ping_in_pieces = frame(0x09, b"x");
    for wrong in [masked, huge, compressed, long_ping, ping_in_pieces] {
        let frames = [wrong.clone(), frame(0x81, DONE.as_bytes())].concat();
        let nothing = Report { adds: true, ..Report::default() };
        assert_eq!(read(Dialect::OpenAi, Framing::WebSocket, &frames), nothing, "{wrong:?}");
    }
}

#[test]
fn plain_text_is_all_output_and_forges_nothing() {
    let report = read(Dialect::OpenAi, Framing::Text, USAGE.as_bytes());
    let output_bytes = u64::try_from(USAGE.len()).unwrap();
    assert_eq!(report, Report { output_bytes, ..Report::default() });
    assert_eq!(read(Dialect::OpenAi, Framing::Opaque, USAGE.as_bytes()), Report::default());
}
