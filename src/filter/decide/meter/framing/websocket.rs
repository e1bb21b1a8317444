//! The frames that a WebSocket server sends (RFC 6455, 5.2).
//!
//! What must hold: a message may come in fragments, with control frames between. A masked frame, or one of an extension such
//! as compression, isn't a server's to send unless it was negotiated: from there on the answer is ignored.

use super::body::{Body, take};

/// The most bytes of a message's frame.
const MAX_FRAME: u64 = 1 << 30;

/// The most bytes of the last message.
const MAX_LAST: usize = u16::MAX as usize;

/// The most bytes before a frame's payload.
const MAX_HEAD: usize = 10;

const FIN: u8 = 0x80;
const MASK: u8 = 0x80;
const CONTROL: u8 = 0x08;
const CLOSE: u8 = 0x08;

/// A message of text, and the end of the connection: what was sent violates a policy (RFC 6455, 7.4.1). A message is cut to
/// [`MAX_LAST`] bytes.
pub fn last_words(text: &[u8]) -> Vec<u8> {
    let text = take(text, MAX_LAST).0;
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let mut out = vec![FIN | 1, 126];
    out.extend(length.to_be_bytes());
    out.extend(text);
    out.extend([FIN | CLOSE, 2]);
    out.extend(1_008_u16.to_be_bytes());
    out
}

/// Where in the frames it is.
#[derive(Default)]
pub struct WebSocket {
    head: [u8; MAX_HEAD],
    have: u8,
    /// Of the payload, so much is to come.
    left: u64,
    in_payload: bool,
    broken: bool,
}

impl WebSocket {
    /// Reads on.
    pub fn feed(&mut self, bytes: &[u8], body: &mut dyn Body) {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            if self.broken {
                return;
            }
            if self.in_payload {
                let (run, behind) = take(rest, usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left = self.left.saturating_sub(u64::try_from(run.len()).unwrap_or(u64::MAX));
                if !self.is_control() {
                    body.data(run);
                }
                rest = behind;
            } else {
                self.head(*first);
                rest = behind;
            }
            if self.in_payload && self.left == 0 {
                self.end_frame(body);
            }
        }
    }

    /// Whether a message has ended, and none has begun.
    pub fn is_between(&self) -> bool {
        !self.in_payload && self.have == 0 && !self.broken && self.first() & FIN != 0
    }

    fn first(&self) -> u8 {
        self.head.first().copied().unwrap_or(0)
    }

    fn is_control(&self) -> bool {
        self.first() & CONTROL != 0
    }

    fn head(&mut self, byte: u8) {
        if let Some(place) = self.head.get_mut(usize::from(self.have)) {
            *place = byte;
        }
        self.have += 1;
        let [first, second, lengths @ ..] = self.head;
        let length = |bytes| take(&lengths, bytes).0.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let (length, need) = match second & !MASK {
            126 => (length(2), 4),
            127 => (length(8), 10),
            short => (u64::from(short), 2),
        };
        if self.have < 2 || self.have < need {
            return;
        }
        self.have = 0;
        self.left = length;
        self.in_payload = true;
        // Control frames are short, and in one piece.
        let is_control_wrong = self.is_control() && (length > 125 || first & FIN == 0);
        self.broken = second & MASK != 0 || first & 0x70 != 0 || length > MAX_FRAME || is_control_wrong;
    }

    fn end_frame(&mut self, body: &mut dyn Body) {
        self.in_payload = false;
        if self.is_control() {
            if self.first() & 0x0F == CLOSE {
                body.end();
            }
        } else if self.first() & FIN != 0 {
            body.end_event();
        }
    }
}
