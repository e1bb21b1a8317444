//! A command line that can't be read, in words about what was typed.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use faregate_client::Failure;
use std::ffi::OsStr;

/// What is wrong with a command line of these words, and what to type.
pub fn mistyped(error: &clap::Error, words: &[impl AsRef<OsStr>]) -> Failure {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let allowed = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => values.as_slice(),
        _ => &[],
    };
    if let (ErrorKind::InvalidValue, Some(argument), [_, ..]) =
        (error.kind(), text(ContextKind::InvalidArg), allowed)
    {
        // `--period <PERIOD>`
        let name = argument.split(" <").next().unwrap_or(&argument);
        return match text(ContextKind::InvalidValue).filter(|found| !found.is_empty()) {
            Some(found) => Failure::usage(format!("{name} {found}: expected {}", or(allowed))),
            None => Failure::usage(format!("{name} needs a value: {}", or(allowed))),
        };
    }
    if let (ErrorKind::UnknownArgument, Some(argument)) = (error.kind(), text(ContextKind::InvalidArg))
        && words
            .iter()
            .skip_while(|word| word.as_ref() != "--")
            .any(|word| word.as_ref() == argument.as_str())
    {
        let what = format!("{argument} comes behind `--`, where nothing is an option");
        return Failure::usage(what).cure(format!("put {argument} before `--`"));
    }
    // clap's own: a sentence, how the command is used, and where its help is.
    let page = error.render().to_string();
    let mut parts = page.trim().trim_start_matches("error: ").split("\n\n");
    let what = parts.next().unwrap_or_default();
    let advice = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let advice = advice.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    let failure = Failure::usage(what);
    if advice.is_empty() { failure } else { failure.cure(advice) }
}

/// `hour, day or week`.
fn or(words: &[String]) -> String {
    match words {
        [all @ .., before, last] if !all.is_empty() => format!("{}, {before} or {last}", all.join(", ")),
        [before, last] => format!("{before} or {last}"),
        words => words.join(", "),
    }
}
