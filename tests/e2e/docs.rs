//! The documentation is true: its transcript, its examples and its lists are compared with the product.

mod admin_api;
mod architecture;
mod figures;
pub mod openapi;
mod settings;
mod transcript;
mod words;

use harness::project;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A page of the documentation.
pub fn page(name: &str) -> String {
    std::fs::read_to_string(project().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// The fenced blocks of this kind.
pub fn blocks(page: &str, kind: &str) -> Vec<String> {
    let start = format!("```{kind}\n");
    page.split(&start).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// The part of a page under this heading, up to the next.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let rest = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}")).1;
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

/// The cells of all rows of the tables in a text, without the lines above the rows.
fn rows(text: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_rule = |line: &&str| line.starts_with("|---");
    let body = |n: &usize| {
        lines[*n].starts_with('|') && !is_rule(&lines[*n]) && !lines.get(n + 1).is_some_and(is_rule)
    };
    let cells =
        |n: usize| lines[n].trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    (0..lines.len()).filter(body).map(cells).collect()
}

/// What is between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What is between backticks in the first cells of a text's tables.
fn first_cells(text: &str) -> BTreeSet<String> {
    rows(text).iter().flat_map(|row| quoted(&row[0]).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Every page that people read.
fn all_pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let examples = listed("envoy").into_iter().filter(|path| project().join(path).is_dir());
    let written = ["", "docs", "docs/decisions"].map(str::to_owned);
    for folder in written.into_iter().chain(examples) {
        let entries = std::fs::read_dir(project().join(&folder)).expect("a folder");
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|kind| kind == "md")));
    }
    assert!(found.len() > 8, "{found:?}");
    found
}

/// A heading as the anchor that Git hosts make of it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

#[test]
fn every_link_resolves() {
    for path in all_pages() {
        let text = std::fs::read_to_string(&path).expect("a page");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("https://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { path.clone() } else { path.parent().expect("a folder").join(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            let has = |line: &str| line.starts_with('#') && slug(line) == anchor;
            let target = std::fs::read_to_string(&target).unwrap_or_default();
            assert!(anchor.is_empty() || target.lines().any(has), "{}: {link}", path.display());
        }
    }
}

/// The pages of the project that a page links to.
fn linked(path: &Path) -> BTreeSet<PathBuf> {
    let text = std::fs::read_to_string(path).expect("a page");
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let folder = path.parent().expect("a folder");
    let pages = links.filter(|link| link.ends_with(".md") && !link.starts_with("https://"));
    pages.map(|link| folder.join(link).canonicalize().expect("a page")).collect()
}

#[test]
fn every_page_is_within_two_clicks_of_the_start_page() {
    let start = project().join("docs/README.md").canonicalize().expect("the start page");
    let mut reached = BTreeSet::from([start]);
    for _ in 0..2 {
        let next: Vec<PathBuf> = reached.iter().flat_map(|page| linked(page)).collect();
        reached.extend(next);
    }
    for path in all_pages() {
        assert!(reached.contains(&path.canonicalize().expect("a page")), "{}", path.display());
    }
}

#[test]
fn no_page_contains_a_local_path() {
    for path in all_pages() {
        let text = std::fs::read_to_string(&path).expect("a page");
        for place in ["/home/", "/work/", "/tmp/", "/root/", "/Users/"] {
            assert!(!text.contains(place), "{}: {place}", path.display());
        }
    }
}

#[test]
fn every_make_target_exists() {
    let makefile = page("Makefile");
    for path in all_pages() {
        let text = std::fs::read_to_string(&path).expect("a page");
        for target in quoted(&text).filter_map(|command| command.strip_prefix("make ")) {
            let target = target.split(' ').next().unwrap_or_default();
            assert!(makefile.contains(&format!("\n{target}: ")), "{}: make {target}", path.display());
        }
    }
}

/// The names of a folder's files and folders, sorted, as paths from the project's folder.
fn listed(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(project().join(folder)).unwrap_or_else(|why| panic!("{folder}: {why}"));
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = entries
        .filter_map(|entry| name(&entry.ok()?.path()))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    names.sort();
    names
}
