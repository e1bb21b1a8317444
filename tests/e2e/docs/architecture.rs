//! Every source file opens with what it is for, the pages name only what exists, and the decisions are listed.

use super::{all_pages, listed, page, quoted, rows};
use harness::project;
use std::collections::BTreeSet;

#[test]
fn every_source_file_opens_with_a_module_comment() {
    let sources = sources("src");
    assert!(sources.len() > 200, "{}", sources.len());
    for path in sources.iter().filter(|path| path.ends_with(".rs")) {
        let text = page(path);
        let line = text.lines().next().unwrap_or_default();
        assert!(line.strip_prefix("//! ").is_some_and(|said| !said.is_empty()), "{path}: {line}");
    }
}

#[test]
fn every_file_named_in_a_page_exists() {
    // A record of a decision, or a line of the changelog, may name what is gone.
    let dated = |path: &std::path::Path| {
        path.ends_with("CHANGELOG.md") || path.parent().is_some_and(|folder| folder.ends_with("decisions"))
    };
    let mut count = 0;
    for path in all_pages().iter().filter(|path| !dated(path)) {
        let text = std::fs::read_to_string(path).expect("a page");
        let is_place = |name: &&str| {
            let starts =
                ["src/", "tests/", "tools/", "docs/", "envoy/"].iter().any(|it| name.starts_with(it));
            starts && name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
        };
        for name in quoted(&text).filter(is_place) {
            count += 1;
            // Methods of MCP, and certificates that the reader creates.
            let other = ["tools/call", "tools/list", "envoy/sidecar/certs"].contains(&name);
            assert!(other || project().join(name).exists(), "{}: {name}", path.display());
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_item_named_in_architecture_md_exists() {
    let all: String = sources("src")
        .iter()
        .map(|path| std::fs::read_to_string(project().join(path)).unwrap_or_default())
        .collect();
    let page = page("ARCHITECTURE.md");
    let names: BTreeSet<&str> = quoted(&page).filter(|name| name.contains("::")).collect();
    assert!(names.len() > 12, "{names:?}");
    for name in names {
        let (owner, item) = name.rsplit_once("::").expect("two parts");
        let has = |start: &str, end: &str, what: &str| all.contains(&format!("{start}{what}{end}"));
        let is_there = ["(", "<"].iter().any(|end| has("fn ", end, item)) || has("struct ", " ", item);
        assert!(is_there, "{name}: there is no {item}");
        let is_type = owner.starts_with(char::is_uppercase);
        let owned = [" for ", "impl ", "impl<M: SharedMemory> "]
            .iter()
            .any(|before| [" {", "<M> {"].iter().any(|after| has(before, after, owner)));
        let is_module = project_has_module(owner);
        assert!(if is_type { owned } else { is_module }, "{name}: there is no {owner}");
    }
}

#[test]
fn every_decision_is_listed_with_its_title_and_date() {
    let index = rows(&page("docs/decisions/README.md"));
    let records = listed("docs/decisions").into_iter().filter(|path| !path.ends_with("README.md"));
    let mut shown = BTreeSet::new();
    for path in records {
        let text = page(&path);
        let file = path.rsplit('/').next().expect("a name");
        let number: usize = file.split('-').next().and_then(|text| text.parse().ok()).expect("a number");
        let mut lines = text.lines();
        let title = lines.next().and_then(|line| line.strip_prefix(&format!("# {number}. ")));
        let date = lines.nth(1).and_then(|line| line.strip_prefix("Date: "));
        let (Some(title), Some(date)) = (title, date) else {
            panic!("{path}: a title, or a date, is missing")
        };
        for part in ["Context", "Decision", "Consequences"] {
            assert!(text.contains(&format!("\n**{part}.** ")), "{path}: {part}");
        }
        let row = [format!("[{number:04}]({file})"), title.to_owned(), date.to_owned()];
        assert!(index.iter().any(|cells| *cells == row), "{path} is not in the index: {row:?}");
        shown.insert(row[0].clone());
    }
    assert_eq!(index.len(), shown.len());
}

fn project_has_module(name: &str) -> bool {
    sources("src").iter().any(|path| path.ends_with(&format!("/{name}.rs")))
}

/// All source files below a folder, those of tests left out.
fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in listed(folder) {
        if project().join(&path).is_dir() {
            found.extend(sources(&path));
        } else if !path.ends_with(".toml") && !path.ends_with("/tests.rs") && !path.contains("/tests/") {
            found.push(path);
        }
    }
    found
}
