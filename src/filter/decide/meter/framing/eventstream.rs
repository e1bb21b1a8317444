//! The binary frames of AWS, `application/vnd.amazon.eventstream`.
//!
//! A frame is: its length, the length of its headers, and the CRC-32 of both; the headers; a payload, here JSON; the CRC-32
//! of all. What must hold: the first checksum and the lengths are right, or the rest of the answer is ignored. The second
//! checksum isn't checked: TLS keeps what it would find, and it would cost more than all the rest.

use super::super::short::Short;
use super::body::{Body, take};

/// The most bytes of a frame, as in AWS's SDKs: 16 MiB of payload, 128 KiB of headers.
const MAX_FRAME: u32 = 16 * 1024 * 1024 + MAX_HEADERS + OVERHEAD;
const MAX_HEADERS: u32 = 128 * 1024;

/// Both lengths, and both checksums.
const OVERHEAD: u32 = 16;
const PRELUDE: u8 = 12;

#[derive(Clone, Copy, Default)]
enum Part {
    /// The lengths and their checksum.
    #[default]
    Prelude,
    /// How long a header's name is.
    NameLength,
    /// A header's name.
    Name,
    /// A header's type.
    Type,
    /// How long a header's value is.
    ValueLength,
    /// A header's value.
    Value,
    /// The payload.
    Payload,
    /// The checksum of the frame.
    Checksum,
    /// The frames make no sense.
    Broken,
}

/// Where in the frames it is.
#[derive(Default)]
pub struct EventStream {
    part: Part,
    /// How much of this part came.
    done: u32,
    /// How much of this part is to come; of the prelude, `PRELUDE` less what came.
    left: u32,
    headers: u32,
    payload: u32,
    prelude: [u8; PRELUDE as usize],
    /// The header says what kind of event this is.
    is_kind: bool,
    /// A header's name or value.
    text: Short,
}

impl EventStream {
    /// Reads on.
    pub fn feed(&mut self, bytes: &[u8], body: &mut dyn Body) {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            match self.part {
                Part::Broken => return,
                Part::Payload | Part::Name | Part::Value | Part::Checksum => rest = self.run(rest, body),
                Part::Prelude => {
                    self.prelude(*first);
                    rest = behind;
                }
                Part::NameLength | Part::Type | Part::ValueLength => {
                    self.headers = self.headers.saturating_sub(1);
                    self.length(*first);
                    rest = behind;
                }
            }
            self.go_on(body);
        }
    }

    /// Whether a frame has ended, and none has begun.
    pub fn is_between(&self) -> bool {
        matches!(self.part, Part::Prelude) && self.done == 0
    }

    /// Enters the next part, past those of which nothing is to come.
    fn go_on(&mut self, body: &mut dyn Body) {
        loop {
            match self.part {
                Part::Name if self.left == 0 => {
                    self.is_kind = matches!(self.text.bytes(), Some(b":event-type" | b":message-type"));
                    self.part = Part::Type;
                }
                Part::Value if self.left == 0 => {
                    if let (true, Some(kind)) = (self.is_kind, self.text.bytes()) {
                        body.kind(kind);
                    }
                    self.part = Part::NameLength;
                }
                Part::NameLength if self.headers == 0 => self.enter(Part::Payload, self.payload),
                Part::Payload if self.left == 0 => self.enter(Part::Checksum, 4),
                Part::Checksum if self.left == 0 => {
                    body.end_event();
                    self.enter(Part::Prelude, 0);
                }
                Part::Type | Part::ValueLength if self.headers == 0 => self.part = Part::Broken,
                _ => return,
            }
        }
    }

    fn enter(&mut self, part: Part, left: u32) {
        self.part = part;
        self.left = left;
        self.done = 0;
        self.text.clear();
    }

    fn run<'a>(&mut self, bytes: &'a [u8], body: &mut dyn Body) -> &'a [u8] {
        let (run, rest) = take(bytes, usize::try_from(self.left).unwrap_or(usize::MAX));
        let length = u32::try_from(run.len()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_sub(length);
        match self.part {
            Part::Payload => body.data(run),
            Part::Name | Part::Value => {
                self.headers = self.headers.saturating_sub(length);
                self.text.push(run);
            }
            _ => {}
        }
        rest
    }

    fn prelude(&mut self, byte: u8) {
        if let Some(place) = usize::try_from(self.done).ok().and_then(|at| self.prelude.get_mut(at)) {
            *place = byte;
        }
        self.done = self.done.saturating_add(1);
        if self.done < u32::from(PRELUDE) {
            return;
        }
        let (lengths, checksum) = take(&self.prelude, 8);
        let (total, headers) = take(lengths, 4);
        let (total, headers) = (number(total), number(headers));
        let is_right = crc(lengths) == number(checksum);
        let payload = total.checked_sub(OVERHEAD).and_then(|both| both.checked_sub(headers));
        match payload {
            Some(payload) if is_right && total <= MAX_FRAME && headers <= MAX_HEADERS => {
                self.headers = headers;
                self.payload = payload;
                self.enter(Part::NameLength, 0);
            }
            _ => self.part = Part::Broken,
        }
    }

    /// A header's lengths and type.
    fn length(&mut self, byte: u8) {
        match self.part {
            Part::NameLength => self.enter(Part::Name, u32::from(byte)),
            Part::Type => match byte {
                0 | 1 => self.enter(Part::Value, 0),
                2 => self.enter(Part::Value, 1),
                3 => self.enter(Part::Value, 2),
                4 => self.enter(Part::Value, 4),
                5 | 8 => self.enter(Part::Value, 8),
                6 | 7 => self.enter(Part::ValueLength, 0),
                9 => self.enter(Part::Value, 16),
                _ => self.part = Part::Broken,
            },
            _ if self.done == 0 => {
                self.done = 1;
                self.left = u32::from(byte) << 8;
            }
            _ => self.enter(Part::Value, self.left | u32::from(byte)),
        }
        if self.left > self.headers {
            self.part = Part::Broken;
        }
    }
}

/// A frame that says that a stream ends with an error.
pub fn exception(payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [
        (":message-type", "exception"),
        (":exception-type", "modelStreamErrorException"),
        (":content-type", "application/json"),
    ] {
        for (text, lengths) in [(name, 1), (value, 2)] {
            if lengths == 2 {
                // The type of a text, and the upper half of its length.
                headers.extend([7, 0]);
            }
            headers.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            headers.extend(text.as_bytes());
        }
    }
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut frame = Vec::new();
    frame.extend(size(headers.len() + payload.len() + OVERHEAD as usize));
    frame.extend(size(headers.len()));
    frame.extend(crc(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend(payload);
    frame.extend(crc(&frame).to_be_bytes());
    frame
}

/// A number of four bytes.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// CRC-32 as in gzip.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    !crc
}
