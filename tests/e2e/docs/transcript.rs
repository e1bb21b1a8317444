//! The README's first screen, and its table of commands.

use super::{blocks, first_cells, page, section};
use harness::{binary, envoy, filter, out_of};
use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let mut command = Command::new(binary());
    let (done, printed) = out_of(command.arg("demo").env("ENVOY", envoy()).env("FAREGATE_WASM", filter()));
    assert!(done, "{printed}");

    let readme = page("README.md");
    let shown = blocks(&readme, "console").remove(0);

    assert_eq!(plain(&shown), plain(&printed), "the README's transcript is out of date: paste this one");
}

/// Without what differs from run to run: the port, the grant's identifier, and the number of entries,
/// which is one larger when a minute ends during the demo.
fn plain(transcript: &str) -> String {
    let lines = transcript.trim().lines().map(|line| {
        if let Some((before, rest)) = line.split_once("http://127.0.0.1:") {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            return format!("{before}http://127.0.0.1:PORT{rest}");
        }
        if let Some((before, rest)) = line.split_once("(grant_") {
            assert!(rest.len() == 35 && rest.ends_with(')'), "{line}");
            return format!("{before}(GRANT)");
        }
        if let Some((before, rest)) = line.split_once(" account and ") {
            assert!(rest.ends_with(" entries agree"), "{line}");
            return format!("{before} account and N entries agree");
        }
        line.to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_readme_names_every_command() {
    let (_, help) = out_of(Command::new(binary()).arg("--help"));
    let commands = help.split_once("\nOptions:\n").expect("groups of commands").0;
    let commands = commands.lines().filter_map(|line| line.strip_prefix("  "));
    let names = commands.filter_map(|line| line.split(' ').next());
    let names: BTreeSet<String> =
        names.filter(|name| *name != "help").map(|name| format!("faregate {name}")).collect();

    assert_eq!(first_cells(section(&page("README.md"), "Commands")), names);
}

#[test]
fn every_command_named_in_the_docs_exists() {
    let (_, help) = out_of(Command::new(binary()).arg("--help"));
    for path in super::all_pages() {
        let text = std::fs::read_to_string(&path).expect("a page");
        for command in super::quoted(&text).filter_map(|command| command.strip_prefix("faregate ")) {
            let name = command.split(' ').next().unwrap_or_default();
            let known = help.contains(&format!("\n  {name} "));
            assert!(known || name.starts_with('…'), "{}: faregate {command}", path.display());
        }
    }
}
