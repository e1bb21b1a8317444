//! The one way by which text reaches people: what data carries can't move the cursor, change the title, hide text or
//! turn its direction. Every line that a program of ours writes to standard output or standard error goes through here; a test
//! (`src/cli/tests/outputs.rs`) refuses every other way.
//!
//! What must hold: a text that was made printable once stays as it is, so it may be made printable at several places; and
//! escaped JSON is the same JSON.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write};

/// Whether a terminal may act on a character, or people can't see it: control characters, marks that change the direction of
/// text, line and paragraph separators, and what has no width. The two joiners stay: names in many scripts, and emoji, need them.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The text on one line, with what a terminal may act on escaped: `\n`, `\u{1b}`, `\u{202e}`.
pub fn printable(text: &str) -> String {
    escaped(text, is_hidden, |c, out| out.extend(c.escape_default()))
}

/// The same text on the lines that it has.
pub fn printable_lines(text: &str) -> String {
    escaped(text, |c| c != '\n' && is_hidden(c), |c, out| out.extend(c.escape_default()))
}

/// JSON with the same characters escaped as JSON has it. They can only be within strings: serde_json writes no line breaks.
pub fn printable_json(json: &str) -> String {
    escaped(json, is_hidden, |c, out| {
        let mut units = [0; 2];
        out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
    })
}

fn escaped(text: &str, is_hidden: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { escape(c, &mut out) } else { out.push(c) }
    }
    out
}

/// Standard output, for a screen.
pub(crate) fn standard_output() -> io::Stdout {
    io::stdout()
}

/// Text on standard output, for people who watch. When it is closed, the program keeps running.
pub fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{}", printable_lines(text)).and_then(|()| out.flush());
}

/// Text on standard error, for what is no answer. Nothing is left to do when it is closed.
pub fn print_to_stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable_lines(text));
}

/// How many columns standard output has, where it is a terminal.
pub fn width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Whether a question can be put to people: input and standard error are terminals.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Puts a question, and gives the answer's first line, of which at most so many bytes are read.
///
/// # Errors
/// When the terminal is gone.
pub fn ask(text: &str, question: &str, most: u64) -> io::Result<String> {
    let mut out = io::stderr();
    write!(out, "{}\n{} ", printable(text), printable(question))?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().take(most).read_line(&mut answer)?;
    Ok(answer)
}

/// A warning on standard error: a line for people, or one of JSON for a program that was started with `--json`.
pub fn warn(text: &str) {
    let json = std::env::args_os().any(|argument| argument == "--json");
    let line = if json {
        printable_json(&serde_json::json!({ "warning": text }).to_string())
    } else {
        format!("warning: {}", printable(text))
    };
    print_to_stderr(&line);
}

/// How far something long has come, on standard error where people read that.
#[derive(Debug)]
pub struct Progress(indicatif::ProgressBar);

impl Progress {
    /// Of something that takes long. Nothing is shown where a program reads.
    pub fn new(what: &'static str, json: bool) -> Self {
        let bar = if json || !is_read_by_people()[1] {
            indicatif::ProgressBar::hidden()
        } else {
            indicatif::ProgressBar::new_spinner()
        };
        if let Ok(style) = indicatif::ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        Self(bar)
    }

    /// So much is to be done.
    pub fn expect(&self, number: usize) {
        if let Ok(style) = indicatif::ProgressStyle::with_template(
            "{msg} {wide_bar} {human_pos} of {human_len} ({eta} left)",
        ) {
            self.0.set_style(style);
        }
        self.0.set_length(u64::try_from(number).unwrap_or(u64::MAX));
    }

    /// So much more is done.
    pub fn advance(&self, number: usize) {
        self.0.inc(u64::try_from(number).unwrap_or(u64::MAX));
    }

    /// Done, or given up: the line is taken away.
    pub fn end(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A page of clap's, with its colours where there is a terminal.
pub fn show_help(page: &clap::builder::StyledStr) {
    let colours = is_read_by_people()[0] && std::env::var_os("NO_COLOR").is_none();
    let mut out = io::stdout().lock();
    let _ = if colours { write!(out, "{}", page.ansi()) } else { write!(out, "{page}") };
}

/// Where the log goes. Its lines and colours are our own; what data may have brought besides them is escaped.
#[derive(Debug)]
pub(crate) struct Log {
    pub colours: bool,
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let ours = |c| c == '\n' || (self.colours && c == '\u{1b}');
        let text = escaped(&text, |c| !ours(c) && is_hidden(c), |c, out| out.extend(c.escape_default()));
        io::stderr().lock().write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Whether people read standard output; and standard error.
pub fn is_read_by_people() -> [bool; 2] {
    [io::IsTerminal::is_terminal(&io::stdout()), io::IsTerminal::is_terminal(&io::stderr())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}]0;owned\u{7}\u{9b}31m\r\n\u{202e}evil\u{2066}\u{200b}\u{feff}\u{e0041}z";

    #[test]
    fn escapes_marks_and_controls_are_shown_as_text() {
        let shown = printable(HOSTILE);
        assert_eq!(
            shown,
            "a\\u{1b}]0;owned\\u{7}\\u{9b}31m\\r\\n\\u{202e}evil\\u{2066}\\u{200b}\\u{feff}\\u{e0041}z"
        );
        assert_eq!(printable(&shown), shown, "a second time changes nothing");
        assert_eq!(printable_lines("a\nb\u{1b}"), "a\nb\\u{1b}");
        for kept in ["Zoë", "日本語", "مرحبا", "👩\u{200d}💻", "🏳️\u{200d}🌈"] {
            assert_eq!(printable(kept), kept);
        }
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let value = serde_json::json!({ HOSTILE: [HOSTILE] });
        let text = printable_json(&value.to_string());
        assert!(!text.chars().any(is_hidden), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
