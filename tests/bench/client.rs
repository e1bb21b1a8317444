//! A client of our own, for what `wrk` can't say: how long one request waits, and what exactly came back. It
//! speaks HTTP/1.1 over one connection that is kept alive, one request after the other.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The longest that one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// One answer.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
    pub took: Duration,
}

impl Client {
    /// Connects to a port on loopback.
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_nodelay(true).expect("a setting");
        stream.set_read_timeout(Some(PATIENCE)).expect("a setting");
        Self { stream, bytes: Vec::new() }
    }

    /// GETs the path that all benches ask for, with this key.
    pub fn get(&mut self, key: &str) -> Answer<'_> {
        let head = format!("GET /v1/things?n=1 HTTP/1.1\r\nhost: bench\r\nx-api-key: {key}\r\n\r\n");
        self.send(head.as_bytes())
    }

    /// POSTs JSON with this bearer token.
    pub fn post(&mut self, path: &str, token: &str, body: &[u8]) -> Answer<'_> {
        let length = body.len();
        let mut message = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
        .into_bytes();
        message.extend_from_slice(body);
        self.send(&message)
    }

    fn send(&mut self, message: &[u8]) -> Answer<'_> {
        let began = Instant::now();
        self.stream.write_all(message).expect("a connection that takes requests");
        self.bytes.clear();
        let head = loop {
            if let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.read_more();
        };
        let (status, length) = read_head(&self.bytes[..head]);
        while self.bytes.len() < head + length {
            self.read_more();
        }
        Answer { status, body: &self.bytes[head..head + length], took: began.elapsed() }
    }

    fn read_more(&mut self) {
        let before = self.bytes.len();
        self.bytes.resize(before + 64 * 1024, 0);
        let count = self.stream.read(&mut self.bytes[before..]).expect("an answer in time");
        assert!(count > 0, "the connection was closed");
        self.bytes.truncate(before + count);
    }
}

/// The status, and the length of the body.
fn read_head(head: &[u8]) -> (u16, usize) {
    let head = std::str::from_utf8(head).expect("an answer in ASCII");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    // 204 has no body, and none of its length.
    let length = if status == 204 { Some(0) } else { length };
    (status, length.expect("an answer that tells its length"))
}
