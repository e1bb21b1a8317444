//! Where an answer may be ended early, and with what.

use super::frames::{aws, bedrock, frame};
use super::*;
use crate::decide::meter::framing::{eventstream, websocket};

/// Where the last whole event ends in the last of these pieces.
fn last_end(framing: Framing, pieces: &[&[u8]]) -> Option<usize> {
    let mut reader = Reader::new(Dialect::OpenAi, framing);
    for piece in pieces {
        reader.feed(piece);
    }
    reader.last_end(pieces.last().unwrap())
}

#[test]
fn an_answer_ends_only_where_an_event_ends() {
    for (framing, pieces, end) in [
        (Framing::Sse, &[&b"data: 1\n\ndata: 2"[..]][..], Some(9)),
        (Framing::Sse, &[b"data: 1\r\n\r\n"], Some(11)),
        (Framing::Sse, &[b"data: 1\r\rdata: 2\r"], Some(9)),
        (Framing::Sse, &[b"data: 1\n\ndata: 2\n\n: ", b"ping"], None),
        (Framing::Sse, &[b"data: 1\n"], None),
        (Framing::Lines, &[b"{}\n{}\n{"], Some(6)),
        (Framing::Lines, &[b"{}\n", b"{"], None),
        (Framing::Json, &[b"{}"], None),
        (Framing::Text, &[b"\n\n"], None),
        (Framing::Opaque, &[b"\n\n"], None),
    ] {
        assert_eq!(last_end(framing, pieces), end, "{framing:?} {pieces:?}");
    }
}

#[test]
fn binary_frames_end_with_a_piece_or_not_at_all() {
    let (event, message, part) = (bedrock("metadata", "{}"), frame(0x81, b"{}"), frame(0x01, b"{"));
    for (framing, frame) in [(Framing::EventStream, &event), (Framing::WebSocket, &message)] {
        for cut in 1..frame.len() {
            let (one, two) = frame.split_at(cut);
            assert_eq!(last_end(framing, &[one]), None, "{framing:?} {cut}");
            assert_eq!(last_end(framing, &[one, two]), Some(two.len()), "{framing:?} {cut}");
        }
    }
    assert_eq!(last_end(Framing::WebSocket, &[&part]), None, "the message goes on");
}

#[test]
fn the_last_frame_is_one_that_clients_read() {
    let payload = r#"{"message":"no"}"#;
    let headers = [
        (":message-type", "exception"),
        (":exception-type", "modelStreamErrorException"),
        (":content-type", "application/json"),
    ];
    assert_eq!(eventstream::exception(payload.as_bytes()), aws(&headers, payload));
    for size in [0, 5, 200, 65_535] {
        let text = vec![b'x'; size];
        let last = websocket::last_words(&text);
        let size = u16::try_from(size).unwrap().to_be_bytes();
        let expected = [&[0x81, 126][..], &size, &text, &[0x88, 2, 3, 240]].concat();
        assert_eq!(last, expected);
        assert_eq!(last_end(Framing::WebSocket, &[&last]), Some(last.len()));
    }
    assert_eq!(websocket::last_words(&vec![b'x'; 70_000]).len(), 65_535 + 8);
}
