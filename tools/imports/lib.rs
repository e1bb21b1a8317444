//! Which files of a crate import which, so that tests can keep their order: no circles, and nothing that
//! imports upward. The ledger's `rooms.rs` and the filter's `layers.rs` are such tests.
//!
//! It reads tokens, not types: what it can't tell apart counts as an import. It is built for tests only, so a
//! file that is missing ends it.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "built for tests only")]

mod tokens;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
pub use tokens::{Token, shipped};
pub use tree::{Read, Tree};

/// The files that each file needs.
pub type Needs<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Whether a file is in a folder, or is the module file beside it: `store.rs` and `store/rows.rs` are in `store`.
pub fn is_in(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

/// The imports that lead upward, where `layers` lists folders from the lowest layer to the highest, and the files that are in
/// no layer.
pub fn upward(needs: &Needs<'_>, layers: &[&[&str]]) -> Vec<String> {
    let layer = |file: &str| layers.iter().position(|layer| layer.iter().any(|folder| is_in(file, folder)));
    let mut found = Vec::new();
    for (file, needed) in needs {
        let Some(own) = layer(file) else {
            found.push(format!("{file} is in no layer"));
            continue;
        };
        let above = needed.iter().filter(|needed| layer(needed).is_some_and(|layer| layer > own));
        found.extend(above.map(|needed| format!("{file} imports {needed}")));
    }
    found
}

/// A shortest circle through every file that is in one and in none of the circles found before.
pub fn circles(needs: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for start in needs.keys().filter_map(|start| shortest(needs, start)) {
        if start.iter().all(|file| !seen.contains(file)) {
            seen.extend(start.iter().copied());
            found.push(start.join(" -> "));
        }
    }
    found
}

/// The shortest way from a file back to it.
fn shortest<'a>(needs: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut ways = vec![vec![start]];
    let mut been = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in way.last().and_then(|last| needs.get(last)).into_iter().flatten() {
                let way = [way.as_slice(), &[*next]].concat();
                if *next == start {
                    return Some(way);
                }
                if been.insert(*next) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate of a few files, by name and text.
    fn crate_of(files: &[(&str, &str)]) -> Vec<String> {
        let files: BTreeMap<&str, &str> = files.iter().copied().collect();
        let tree = Tree::read("lib.rs", &|name| files.get(name).map(|text| (*text).to_owned()));
        circles(&tree.needs())
    }

    #[test]
    fn import_cycles_are_found_through_reexports_but_not_in_pure_reexporters() {
        let lib = ("lib.rs", "mod a; mod b;");
        let parent = ("a/mod.rs", "mod one; pub use one::{One, Two as Pair};");
        let b = ("b.rs", "use crate::a::One; pub fn b(_: One) {}");
        let straight = [lib, parent, ("a/one.rs", "pub struct One; pub struct Two; // crate::b::b"), b];
        assert_eq!(crate_of(&straight), [""; 0]);
        let tested = ("a/one.rs", "#[cfg(test)] mod tests { use crate::b::b; } pub struct One;");
        assert_eq!(crate_of(&[lib, parent, tested, b]), [""; 0]);
        for one in ["use crate::b::b; pub struct One;", "pub struct One; fn f() { crate::b::b(One) }"] {
            assert_eq!(crate_of(&[lib, parent, ("a/one.rs", one), b]), ["a/one.rs -> b.rs -> a/one.rs"]);
        }
        let parent = ("a/mod.rs", "mod one; pub use one::One; pub struct Three(One);");
        let one = ("a/one.rs", "use super::Three; pub struct One;");
        assert_eq!(crate_of(&[lib, parent, one, b]), ["a/mod.rs -> a/one.rs -> a/mod.rs"]);
        let glob = ("a/mod.rs", "mod one; pub use one::*;");
        let one = ("a/one.rs", "pub struct One; fn f() { crate::b::b(One) }");
        assert_eq!(crate_of(&[lib, glob, one, b]), ["a/one.rs -> b.rs -> a/one.rs"]);
    }

    #[test]
    fn upward_imports_and_files_without_a_layer_are_found() {
        let needs: Needs<'_> = [
            ("a.rs", ["b/one.rs"].into()),
            ("b/one.rs", ["b/two.rs"].into()),
            ("b/two.rs", BTreeSet::new()),
            ("bb.rs", BTreeSet::new()),
        ]
        .into();
        assert_eq!(upward(&needs, &[&["b"], &["a"]]), ["bb.rs is in no layer"]);
        assert_eq!(upward(&needs, &[&["a", "bb"], &["b"]]), ["a.rs imports b/one.rs"]);
    }
}
