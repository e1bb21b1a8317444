//! The map shows what is there, and the walks call functions by their names.

use super::{first_cells, listed, page, quoted, section};
use harness::project;
use std::collections::BTreeSet;

#[test]
fn the_code_map_shows_every_file() {
    let page = page("ARCHITECTURE.md");
    let shown = first_cells(section(&page, "Code map"));
    for path in &shown {
        assert!(project().join(path).exists(), "{path} is on the map and nowhere else");
    }
    let on_the_map = |path: &String| {
        // A folder that has a line of its own stands for what is in it.
        shown.contains(path) || shown.iter().any(|folder| folder.ends_with('/') && path.starts_with(folder))
    };
    let missing: Vec<String> = sources("src").into_iter().filter(|path| !on_the_map(path)).collect();
    assert!(missing.is_empty(), "not on the map: {missing:?}");
}

#[test]
fn what_the_walks_name_exists() {
    let all: String = sources("src")
        .iter()
        .map(|path| std::fs::read_to_string(project().join(path)).unwrap_or_default())
        .collect();
    let page = page("ARCHITECTURE.md");
    let names: BTreeSet<&str> = quoted(&page).filter(|name| name.contains("::")).collect();
    assert!(names.len() > 25, "{names:?}");
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
