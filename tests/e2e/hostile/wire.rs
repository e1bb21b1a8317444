//! Bytes on the wire, made by hand: HTTP/1 as somebody typed it, and HTTP/2 frame by frame.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The frame types that are used here.
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
/// Flags.
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A connection to a port of this machine.
pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    stream.set_write_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    stream
}

/// Sends these bytes as they are, then reads until nothing more comes; returns the statuses of all answers.
pub fn say(port: u16, bytes: &[u8]) -> Vec<u16> {
    let mut stream = connect(port);
    let _ = stream.write_all(bytes);
    statuses(&mut stream, Duration::from_millis(150))
}

/// The statuses of the answers that come: the first within seconds, the next after so much silence at most.
pub fn statuses(stream: &mut TcpStream, silence: Duration) -> Vec<u16> {
    let (mut said, mut piece) = (Vec::new(), [0; 4_096]);
    while let Ok(size @ 1..) = stream.read(&mut piece) {
        said.extend_from_slice(&piece[..size]);
        let _ = stream.set_read_timeout(Some(silence));
    }
    let text = String::from_utf8_lossy(&said).into_owned();
    let lines = text.split("HTTP/1.1 ").skip(1);
    lines.filter_map(|rest| rest.get(..3)?.parse().ok()).filter(|status| *status >= 200).collect()
}

/// An HTTP/2 client without manners.
pub struct H2 {
    stream: TcpStream,
    unread: Vec<u8>,
    /// What each stream was answered.
    pub statuses: BTreeMap<u32, u16>,
    /// Whether the connection is over.
    pub gone: bool,
}

impl H2 {
    /// Connects. Our table of headers is empty, so that every status comes spelt out.
    pub fn connect(port: u16) -> Self {
        let mut client =
            Self { stream: connect(port), unread: Vec::new(), statuses: BTreeMap::new(), gone: false };
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        client.send(&frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]));
        client
    }

    /// Sends bytes; nothing is said when the other side has closed.
    pub fn send(&mut self, bytes: &[u8]) {
        self.gone |= self.stream.write_all(bytes).is_err();
    }

    /// Reads until so many streams have an answer, the connection is over, or it was long enough.
    pub fn read(&mut self, answers: usize, most: Duration) {
        let (start, mut piece) = (Instant::now(), [0; 16_384]);
        while self.statuses.len() < answers && !self.gone && start.elapsed() < most {
            let left = most.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
            let _ = self.stream.set_read_timeout(Some(left));
            match self.stream.read(&mut piece) {
                Ok(0) => self.gone = true,
                Ok(size) => self.unread.extend_from_slice(&piece[..size]),
                Err(why) => self.gone |= why.kind() != std::io::ErrorKind::WouldBlock,
            }
            while let Some(header) = self.unread.first_chunk::<9>() {
                let [a, b, c, kind, flags, stream @ ..] = *header;
                let size = usize::try_from(u32::from_be_bytes([0, a, b, c])).expect("small");
                if self.unread.len() < 9 + size {
                    break;
                }
                let payload: Vec<u8> = self.unread.drain(..9 + size).skip(9).collect();
                self.take(kind, flags, u32::from_be_bytes(stream), &payload);
            }
        }
    }

    fn take(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        match kind {
            HEADERS => drop(self.statuses.entry(stream).or_insert_with(|| status(payload))),
            // A reset counts as an answer without a status.
            RST_STREAM => drop(self.statuses.entry(stream).or_insert(0)),
            SETTINGS if flags == 0 => self.send(&frame(SETTINGS, 1, 0, &[])),
            PING if flags == 0 => self.send(&frame(PING, 1, 0, payload)),
            GOAWAY => self.gone = true,
            _ => {}
        }
    }
}

/// One frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).expect("small").to_be_bytes();
    [&size[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A whole request without a body.
pub fn request(stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(headers))
}

/// Headers as literals that are never indexed, without compression.
pub fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in headers {
        out.push(0x10);
        for text in [name, value] {
            length(text.len(), &mut out);
            out.extend(text.bytes());
        }
    }
    out
}

/// The usual four and what comes behind them.
pub fn get<'a>(path: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", path)], more].concat()
}

fn length(size: usize, out: &mut Vec<u8>) {
    if size < 127 {
        out.push(u8::try_from(size).expect("small"));
        return;
    }
    out.push(127);
    let mut rest = size - 127;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).expect("small") | 128);
        rest /= 128;
    }
    out.push(u8::try_from(rest).expect("small"));
}

/// The status at the beginning of a block of headers; 0 when it can't be read.
fn status(block: &[u8]) -> u16 {
    let block = match block {
        [update, rest @ ..] if update >> 5 == 1 => rest,
        block => block,
    };
    match block {
        [indexed @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        // A literal whose name is that of `:status`; the value is three digits, compressed or not.
        [0x08 | 0x18 | 0x48, size, value @ ..] => digits(*size, value),
        _ => 0,
    }
}

fn digits(size: u8, value: &[u8]) -> u16 {
    let value = &value[..usize::from(size & 0x7f).min(value.len())];
    if size & 0x80 == 0 {
        return std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    }
    // Huffman's code of RFC 7541: 0, 1 and 2 have five bits, the other digits six.
    let mut bits = value.iter().flat_map(|byte| (0..8).rev().map(move |at| u16::from(byte >> at & 1)));
    (0..3).fold(0, |number, _| {
        let five = (0..5).fold(0, |code, _| code << 1 | bits.next().unwrap_or(1));
        let digit = if five < 3 {
            five
        } else {
            (five << 1 | bits.next().unwrap_or(1)).saturating_sub(0b01_1001) + 3
        };
        number * 10 + digit
    })
}
