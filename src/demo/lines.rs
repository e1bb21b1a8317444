//! Lines for people who watch a gate. When stdout is closed, the gate keeps running.

use std::io::Write as _;

/// A line on stdout.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A line on stderr, for what is not an answer.
pub fn print_to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
