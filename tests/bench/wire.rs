//! A client of our own that waits without a thread, so that hundreds of them cost little: HTTP/1.1 over one
//! connection that is kept alive, one request after the other. It hangs up when an answer takes too long.

use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection; opened when it is needed.
pub struct Connection {
    port: u16,
    stream: Option<TcpStream>,
    bytes: Vec<u8>,
}

/// One answer.
pub struct Reply<'a> {
    pub status: u16,
    /// How long not to come again, if it says so.
    pub retry_after: Option<Duration>,
    pub body: &'a [u8],
    pub took: Duration,
}

/// No answer came: it took too long, or the connection couldn't be opened or was closed.
#[derive(Clone, Copy, Debug)]
pub struct NoAnswer;

impl From<std::io::Error> for NoAnswer {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

/// What is read of an answer's head.
struct Head {
    status: u16,
    length: usize,
    retry_after: Option<Duration>,
    closes: bool,
}

/// The head of a POST of JSON, without the end: the body's length comes last.
pub fn post(path: &str, token: &str, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\n{more}content-length: "
    )
}

impl Connection {
    /// One to a port on loopback.
    pub fn to(port: u16) -> Self {
        Self { port, stream: None, bytes: Vec::new() }
    }

    /// Sends a whole message, and waits so long for the answer.
    pub async fn send(&mut self, message: &[u8], patience: Duration) -> Result<Reply<'_>, NoAnswer> {
        let began = Instant::now();
        let read = tokio::time::timeout(patience, self.exchange(message)).await.unwrap_or(Err(NoAnswer));
        let (head, start) = read.inspect_err(|_| self.stream = None)?;
        if head.closes {
            self.stream = None;
        }
        let body = &self.bytes[start..start + head.length];
        Ok(Reply { status: head.status, retry_after: head.retry_after, body, took: began.elapsed() })
    }

    async fn exchange(&mut self, message: &[u8]) -> Result<(Head, usize), NoAnswer> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
                stream.set_nodelay(true)?;
                none.insert(stream)
            }
        };
        stream.write_all(message).await?;
        self.bytes.clear();
        let mut searched = 0_usize;
        loop {
            more(stream, &mut self.bytes).await?;
            let from = searched.saturating_sub(3);
            let end = self.bytes[from..].windows(4).position(|four| four == b"\r\n\r\n");
            searched = self.bytes.len();
            if let Some(end) = end {
                let start = from + end + 4;
                let head = head(&self.bytes[..start]).ok_or(NoAnswer)?;
                while self.bytes.len() < start + head.length {
                    more(stream, &mut self.bytes).await?;
                }
                return Ok((head, start));
            }
        }
    }
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), NoAnswer> {
    bytes.reserve(64 * 1024);
    let count = stream.read_buf(bytes).await?;
    if count == 0 { Err(NoAnswer) } else { Ok(()) }
}

fn head(head: &[u8]) -> Option<Head> {
    let head = std::str::from_utf8(head).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let field = |wanted: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then(|| value.trim()))
    };
    let length = field("content-length")?.parse().ok()?;
    let retry_after = field("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let closes = field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Some(Head { status, length, retry_after, closes })
}
