//! `faregate explain`: what a refusal means, what cures it, and what an operator checks. Also writes that part of
//! `docs/refusals.md`, so that the page and the command say the same.

use super::failure::Failure;
use super::screen::Screen;
use clap::Args;
use faregate::decide::refusal::guide::{self, ACTIONS, GUIDE, Guide};
use faregate_protocol::RefusalCode;
use serde_json::{Value, json};

#[derive(Args)]
pub struct Explain {
    /// The `code` of a refusal; without it, a list of all
    code: Option<String>,
    /// Print all of them as Markdown, as docs/refusals.md has them
    #[arg(long, conflicts_with_all = ["code", "json"])]
    markdown: bool,
}

impl Explain {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        match self.code {
            _ if self.markdown => screen.line(markdown().trim_end()),
            Some(name) => one(guide::of(named(&name)?), screen),
            None => all(screen),
        }
    }
}

/// The code of this name, in any case and with blanks or dashes.
fn named(name: &str) -> Result<RefusalCode, Failure> {
    let plain = name.trim().to_ascii_lowercase().replace(['-', ' '], "_");
    RefusalCode::named(&plain).ok_or_else(|| {
        let failure = Failure::new("unknown_code", format!("there is no refusal {name:?}"));
        // As a whole, or one of its words.
        let away = |code: &RefusalCode| {
            let words = code.as_str().split('_').map(|word| distance(&plain, word) + 1);
            words.chain([distance(&plain, code.as_str())]).min().unwrap_or(usize::MAX)
        };
        let nearest = RefusalCode::ALL.into_iter().min_by_key(away);
        match nearest.filter(|code| away(code) <= plain.len().min(code.as_str().len()) / 2) {
            Some(code) => failure.cure(format!("did you mean {code}? `faregate explain` lists all")),
            None => failure.cure("`faregate explain` lists all"),
        }
    })
}

/// How many letters must be put in, left out or changed to make one of the other (Levenshtein). Longer ones than any
/// code are cut.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (number, letter) in one.chars().take(64).enumerate() {
        let mut next = vec![number + 1];
        for ((expected, pair), left) in other.chars().zip(row.windows(2)).zip(0..) {
            let &[corner, above] = pair else { continue };
            let before = next.get(left).copied().unwrap_or_default();
            next.push((corner + usize::from(letter != expected)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn entry(guide: &Guide) -> Value {
    let remedies: Vec<Value> = guide
        .remedies
        .iter()
        .map(|(action, when)| match *when {
            "" => json!({"action": action}),
            when => json!({"action": action, "when": when}),
        })
        .collect();
    json!({
        "code": guide.code, "status": guide.cause().status, "title": guide.cause().title, "meaning": guide.meaning,
        "remedies": remedies, "check": guide.check
    })
}

fn all(screen: &mut Screen<'_>) -> Result<(), Failure> {
    let rows: Vec<Value> = GUIDE.iter().map(entry).collect();
    screen.show(&json!({ "codes": rows }), |screen, all| {
        let rows = all.get("codes").cloned().unwrap_or_default();
        screen.table(&plain(&rows), &["code", "status", "meaning"])?;
        screen.line("(more: faregate explain CODE)")
    })
}

/// Without Markdown's backticks, which nobody needs in a terminal.
fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('`', "")),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn one(guide: &Guide, screen: &mut Screen<'_>) -> Result<(), Failure> {
    screen.show(&entry(guide), |screen, _| {
        let cause = guide.cause();
        screen.line(format_args!("{}: {}", guide.code, cause.title))?;
        screen.line(format_args!("  status   {}", guide.status().replace('`', "")))?;
        screen.line(format_args!("  meaning  {}", guide.meaning.replace('`', "")))?;
        for (number, (action, when)) in guide.remedies.iter().enumerate() {
            let label = if number == 0 { "cure" } else { "" };
            let comma = if when.is_empty() { "" } else { ", " };
            screen.line(format_args!(
                "  {label:<7}  {action}{comma}{when}: {}",
                asks(action).replace('`', "")
            ))?;
        }
        screen.line(format_args!("  check    {}", guide.check.replace('`', "")))
    })
}

/// What an action asks of the caller.
fn asks(action: &str) -> &'static str {
    ACTIONS.iter().find(|(name, _)| *name == action).map_or("", |(_, asks)| asks)
}

/// The page's part.
pub fn markdown() -> String {
    let codes = GUIDE.iter().map(|Guide { code, meaning, .. }| {
        format!("| [`{code}`](#{code}) | {} | {meaning} |\n", guide::of(*code).cause().status)
    });
    let actions = ACTIONS.iter().map(|(action, asks)| format!("| `{action}` | {asks} |\n"));
    std::iter::once("## Codes\n\n| code | status | meaning |\n|---|---|---|\n".to_owned())
        .chain(codes)
        .chain(std::iter::once("\n| action | asks the caller to |\n|---|---|\n".to_owned()))
        .chain(actions)
        .chain(GUIDE.iter().map(section))
        .collect()
}

/// What the page says of one code, under a heading to which a link can lead.
fn section(guide: &Guide) -> String {
    let remedies = guide.remedies.iter().map(|(action, when)| match *when {
        "" => format!("`{action}`"),
        when => format!("`{action}`, {when}"),
    });
    let Guide { code, check, .. } = guide;
    let (meaning, status) = (sentence(guide.meaning), guide.status());
    let remedies = remedies.collect::<Vec<_>>().join("; ");
    format!(
        "\n## {code}\n\n{meaning}.\n\n- Status: {status}\n- Remedies: {remedies}\n- An operator checks: {check}\n"
    )
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect()
}
