//! Reads the YAML files under `envoy/`.

use harness::project;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The documents of a text.
pub fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

/// The only document of a text.
pub fn document(text: &str) -> Value {
    let mut all = documents(text);
    assert_eq!(all.len(), 1, "one document");
    all.remove(0)
}

/// The documents of a file, named from the project's folder.
pub fn file(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(project().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"));
    documents(&text)
}

/// All YAML files below a folder, as paths from the project's folder.
pub fn below(folder: &str) -> Vec<String> {
    fn gather(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                gather(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "yaml") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    gather(&project().join(folder), &mut found);
    let name = |path: PathBuf| path.strip_prefix(project()).expect("below").display().to_string();
    let mut names: Vec<String> = found.into_iter().map(name).collect();
    names.sort();
    names
}
