//! Takes the usage for which the client didn't ask out of a stream of events: the chunk that has no choices.
//!
//! What must hold: only such an event is taken out, and all others pass byte for byte; how the stream is cut into chunks makes no
//! difference; and of the stream only its incomplete last event is held back, up to a limit.

use super::walk::{BodyError, Token, Walker};
use crate::decide::base::bytes::is_byte;

/// A longer event passes as it comes, in bytes. The one that is sought has less than one kilobyte.
pub const MAX_EVENT_BYTES: usize = 16 * 1_024;

/// Lets a stream of chat or completions pass without its extra usage.
#[derive(Debug)]
pub struct Strip {
    /// The last event, as long as it is incomplete.
    held: Vec<u8>,
    /// Whether that event was too long and passes as it comes.
    is_passing: bool,
    /// Whether the last event was taken out, so that the rest of its end is, too.
    is_dropped: bool,
    /// Whether the current line is empty up to now.
    is_empty_line: bool,
    /// Whether the last byte was a carriage return, to which a line feed may belong.
    is_after_return: bool,
}

impl Default for Strip {
    fn default() -> Self {
        Self {
            held: Vec::new(),
            is_passing: false,
            is_dropped: false,
            is_empty_line: true,
            is_after_return: false,
        }
    }
}

impl Strip {
    /// Takes the next chunk, and gives what may pass now.
    pub fn push(&mut self, mut chunk: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len().saturating_add(chunk.len()));
        while let Some(first) = chunk.first() {
            if self.is_after_return && *first == b'\n' {
                chunk = chunk.get(1..).unwrap_or_default();
                self.is_after_return = false;
                // Behind a complete event it is the rest of its end.
                if !self.held.is_empty() || self.is_passing {
                    self.keep(b"\n", &mut out);
                } else if !self.is_dropped {
                    out.push(b'\n');
                }
                continue;
            }
            let end = line_end(chunk);
            let (line, rest) =
                chunk.split_at_checked(end.map_or(chunk.len(), |end| end + 1)).unwrap_or_default();
            chunk = rest;
            self.keep(line, &mut out);
            self.is_after_return = line.last() == Some(&b'\r');
            let is_event_end = end == Some(0) && self.is_empty_line;
            self.is_empty_line = end.is_some();
            if is_event_end {
                self.is_dropped = !self.is_passing && is_extra_usage(&self.held);
                if !self.is_dropped {
                    out.extend_from_slice(&self.held);
                }
                self.held.clear();
                self.is_passing = false;
            }
        }
        out
    }

    /// The stream is over: gives what was held back.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Holds a part of an event back, or lets it pass if the event is too long.
    fn keep(&mut self, part: &[u8], out: &mut Vec<u8>) {
        if !self.is_passing && self.held.len().saturating_add(part.len()) > MAX_EVENT_BYTES {
            self.is_passing = true;
            out.append(&mut self.held);
        }
        let to = if self.is_passing { out } else { &mut self.held };
        to.extend_from_slice(part);
    }
}

/// Where the first line ends.
fn line_end(bytes: &[u8]) -> Option<usize> {
    position(bytes, b'\n', b'\r')
}

/// Where one of two bytes is first.
fn position(bytes: &[u8], one: u8, other: u8) -> Option<usize> {
    let mut at = 0;
    for eight in bytes.as_chunks().0 {
        let eight = u64::from_le_bytes(*eight);
        if (is_byte(eight, one) | is_byte(eight, other)) != 0 {
            break;
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|byte| *byte == one || *byte == other).map(|found| at + found)
}

/// Whether there is an empty list, as the event that is sought has: a quick look, before all of an event is read.
fn has_empty_list(mut data: &[u8]) -> bool {
    while let Some(at) = position(data, b'[', b'[') {
        data = data.get(at + 1..).unwrap_or_default().trim_ascii_start();
        if data.first() == Some(&b']') {
            return true;
        }
    }
    false
}

/// Whether an event is the one that has usage and no choices, and nothing else than one line of data.
fn is_extra_usage(event: &[u8]) -> bool {
    if !has_empty_list(event) {
        return false;
    }
    let mut lines = event.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    let Some(data) = lines.next().and_then(|line| line.strip_prefix(b"data:")) else { return false };
    lines.next().is_none() && has_only_usage(data) == Ok(true)
}

fn has_only_usage(data: &[u8]) -> Result<bool, BodyError> {
    let mut walker = Walker::new(data)?;
    let (mut choices, mut usages) = (0_usize, 0_usize);
    while let Some(event) = walker.step()? {
        let Some(key) = event.key.filter(|_| event.depth == 1) else { continue };
        if key.is("choices") {
            if event.token != (Token::Array { empty: true }) {
                return Ok(false);
            }
            choices = choices.saturating_add(1);
        }
        if key.is("usage") {
            if !matches!(event.token, Token::Object { .. }) {
                return Ok(false);
            }
            usages = usages.saturating_add(1);
        }
    }
    Ok(choices == 1 && usages == 1)
}

#[cfg(test)]
mod tests;
