//! `faregate explain`: what a refusal means, what cures it, and what an operator checks. Also writes that part of
//! `docs/refusals.md`, so that the page and the command say the same.

use clap::Args;
use faregate::decide::refusal::guide::{ACTIONS, status};
use faregate_client::{Failure, Screen};
use faregate_protocol::RefusalCode;
use serde_json::{Value, json};
use strsim::levenshtein;

/// How much of a name that isn't known is compared with those that are, in characters.
const MAX_COMPARED: usize = 64;

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
            _ if self.markdown => screen.lines(markdown().trim_end()),
            Some(name) => one(named(&name)?, screen),
            None => all(screen),
        }
    }
}

/// The code of this name, in any case and with blanks or dashes.
fn named(name: &str) -> Result<RefusalCode, Failure> {
    let plain = name.trim().to_ascii_lowercase().replace(['-', ' '], "_");
    let beginning: String = plain.chars().take(MAX_COMPARED).collect();
    RefusalCode::named(&plain).ok_or_else(|| {
        let failure = Failure::new("unknown_code", format!("there is no refusal {name:?}"));
        // As a whole, or one of its words.
        let away = |code: &RefusalCode| {
            let words = code.as_str().split('_').map(|word| levenshtein(&beginning, word) + 1);
            words.chain([levenshtein(&beginning, code.as_str())]).min().unwrap_or(usize::MAX)
        };
        let nearest = RefusalCode::ALL.into_iter().min_by_key(away);
        match nearest.filter(|code| away(code) <= plain.len().min(code.as_str().len()) / 2) {
            Some(code) => failure.cure(format!("did you mean {code}? `faregate explain` lists all")),
            None => failure.cure("`faregate explain` lists all"),
        }
    })
}

fn entry(code: RefusalCode) -> Value {
    let remedies: Vec<Value> = code
        .remedies()
        .iter()
        .map(|(action, when)| match *when {
            "" => json!({"action": action}),
            when => json!({"action": action, "when": when}),
        })
        .collect();
    json!({
        "code": code, "status": code.status(), "title": code.title(), "meaning": code.meaning(), "remedies": remedies,
        "check": code.check()
    })
}

fn all(screen: &mut Screen<'_>) -> Result<(), Failure> {
    let rows: Vec<Value> = RefusalCode::ALL.into_iter().map(entry).collect();
    screen.show(&json!({ "codes": rows }), |screen, all| {
        let rows = all.get("codes").cloned().unwrap_or_default();
        screen.table(&plain(&rows), &["code", "status", "meaning"])?;
        screen.line("(more: faregate explain CODE)")
    })
}

/// Without Markdown's backticks, which a terminal doesn't need.
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

fn one(code: RefusalCode, screen: &mut Screen<'_>) -> Result<(), Failure> {
    screen.show(&entry(code), |screen, _| {
        screen.line(format_args!("{code}: {}", code.title()))?;
        screen.line(format_args!("  status   {}", status(code).replace('`', "")))?;
        screen.line(format_args!("  meaning  {}", code.meaning().replace('`', "")))?;
        for (number, (action, when)) in code.remedies().iter().enumerate() {
            let label = if number == 0 { "cure" } else { "" };
            let comma = if when.is_empty() { "" } else { ", " };
            screen.line(format_args!(
                "  {label:<7}  {action}{comma}{when}: {}",
                asks(action).replace('`', "")
            ))?;
        }
        screen.line(format_args!("  check    {}", code.check().replace('`', "")))
    })
}

/// What an action asks of the caller.
fn asks(action: &str) -> &'static str {
    ACTIONS.iter().find(|(name, _)| *name == action).map_or("", |(_, asks)| asks)
}

/// The page's part.
pub fn markdown() -> String {
    let codes = RefusalCode::ALL
        .map(|code| format!("| [`{code}`](#{code}) | {} | {} |\n", code.status(), code.meaning()));
    let actions = ACTIONS.iter().map(|(action, asks)| format!("| `{action}` | {asks} |\n"));
    std::iter::once("## Codes\n\n| code | status | meaning |\n|---|---|---|\n".to_owned())
        .chain(codes)
        .chain(std::iter::once("\n| action | asks the caller to |\n|---|---|\n".to_owned()))
        .chain(actions)
        .chain(RefusalCode::ALL.map(section))
        .collect()
}

/// What the page says of one code, under a heading to which a link can lead.
fn section(code: RefusalCode) -> String {
    let remedies = code.remedies().iter().map(|(action, when)| match *when {
        "" => format!("`{action}`"),
        when => format!("`{action}`, {when}"),
    });
    let (meaning, status, check) = (sentence(code.meaning()), status(code), code.check());
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
