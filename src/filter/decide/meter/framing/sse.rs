//! Server-sent events, as the WHATWG's HTML standard parses them (9.2.6).
//!
//! What must hold: lines end with LF, CR or CRLF, wherever a chunk ends. An event ends with an empty line, or with the
//! stream. Its `data` lines are one text with a line feed between. `[DONE]` as an event's data ends OpenAI's streams.

use super::super::find;
use super::super::short::Short;
use super::body::{Body, take};

const BOM: &[u8] = b"\xEF\xBB\xBF";
const DONE: &[u8] = b"[DONE]";

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    /// A line's field name.
    #[default]
    Name,
    /// The first byte of a value: a blank there isn't part of it.
    Data,
    Event,
    Other,
}

/// Where in a stream it is.
#[derive(Default)]
pub struct Sse {
    part: Part,
    /// At the first byte of a value: a blank here isn't part of it.
    at_value: bool,
    /// A CR came before: an LF here belongs to it.
    after_cr: bool,
    /// Lines came before, so there can be no byte order mark.
    begun: bool,
    /// The field's name, the event's, or the beginning of a data line.
    text: Short,
}

impl Sse {
    /// Reads on.
    pub fn feed(&mut self, bytes: &[u8], body: &mut dyn Body) {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                rest = behind;
            } else if self.part == Part::Name {
                rest = self.name(rest, body);
            } else if std::mem::take(&mut self.at_value) && *first == b' ' {
                rest = behind;
            } else {
                rest = self.value(rest, body);
            }
        }
    }

    /// The stream is over, and with it an event.
    pub fn finish(&mut self, body: &mut dyn Body) {
        if self.part != Part::Name {
            self.end_line(body);
        }
    }

    fn name<'a>(&mut self, bytes: &'a [u8], body: &mut dyn Body) -> &'a [u8] {
        let at = bytes.iter().position(|byte| matches!(byte, b':' | b'\n' | b'\r')).unwrap_or(bytes.len());
        let (run, rest) = take(bytes, at);
        self.text.push(run);
        let Some((mark, rest)) = rest.split_first() else { return rest };
        let name = self.text.bytes().unwrap_or(b"?");
        let name = if self.begun { name } else { name.strip_prefix(BOM).unwrap_or(name) };
        self.begun = true;
        if *mark == b':' {
            self.part = match name {
                b"data" => Part::Data,
                b"event" => Part::Event,
                _ => Part::Other,
            };
            self.at_value = true;
        } else {
            self.after_cr = *mark == b'\r';
            if name.is_empty() {
                body.end_event();
            }
        }
        self.text.clear();
        rest
    }

    fn value<'a>(&mut self, bytes: &'a [u8], body: &mut dyn Body) -> &'a [u8] {
        let (run, rest) = find::line(bytes);
        match self.part {
            Part::Data => {
                body.data(run);
                // Hardly any line is this one.
                match (self.text.bytes(), run.first()) {
                    (Some([]), Some(b'[')) | (Some([_, ..]), _) => self.text.push(run),
                    (_, None) => {}
                    _ => self.text.spoil(),
                }
            }
            Part::Event => self.text.push(run),
            Part::Name | Part::Other => {}
        }
        let Some((mark, rest)) = rest.split_first() else { return rest };
        self.after_cr = *mark == b'\r';
        self.end_line(body);
        rest
    }

    fn end_line(&mut self, body: &mut dyn Body) {
        match (self.part, self.text.bytes()) {
            (Part::Data, Some(DONE)) => body.end(),
            (Part::Data, _) => body.data(b"\n"),
            (Part::Event, Some(name)) => body.kind(name),
            _ => {}
        }
        self.text.clear();
        self.part = Part::Name;
    }
}
