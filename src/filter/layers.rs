//! The order of the filter's layers, kept by a test: a file imports from its own layer and from lower ones only, and no files
//! import each other in a circle. `make lint` runs it.

use faregate_imports::{Tree, circles, upward};
use std::path::Path;

/// From the ground up: folders, and files by their names without `.rs`.
const LAYERS: [&[&str]; 8] = [
    // Texts, bytes, JSON, containers, time.
    &["decide/base"],
    // By what a payer is known, what it may spend here, and the memory in which that lies.
    &["decide/lease", "decide/meter"],
    // What the operator configured.
    &["decide/settings"],
    // What happened to charges, and how a refusal is worded.
    &["decide/usage", "decide/calls", "decide/settlement", "decide/refusal"],
    // Requests: credentials, rules and prices.
    &["decide/request"],
    // The outcome of a request.
    &["decide/outcome"],
    // One worker's gate.
    &["decide/gate"],
    // Envoy, and the crate as a whole.
    &["decide", "host", "lib"],
];

/// The crate as it ships.
fn filter() -> Tree {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Tree::read("lib.rs", &|name| std::fs::read_to_string(root.join(name)).ok())
}

#[test]
fn no_file_imports_upward() {
    let tree = filter();
    let found = upward(&tree.needs(), &LAYERS);
    assert!(found.is_empty(), "files of src/filter import upward:\n{}", found.join("\n"));
}

#[test]
fn there_are_no_import_cycles() {
    let tree = filter();
    let found = circles(&tree.needs());
    assert!(found.is_empty(), "files of src/filter import each other in a circle:\n{}", found.join("\n"));
}
