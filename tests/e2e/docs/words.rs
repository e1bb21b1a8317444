//! Words that read like a translation: how often they occur in sources and pages may only fall.

use super::{all_pages, listed};
use harness::project;
use std::path::PathBuf;

/// Each has a plainer sentence without it.
const WORDS: [&str; 6] = ["told", "nobody", "whoever", "anew", "meanwhile", "stands"];
/// How often all of them together may occur, most of it in names. Lower it when they become fewer.
const LIMIT: usize = 56;

#[test]
fn discouraged_words_stay_within_their_limit() {
    let mut files = all_pages();
    files.extend(below("src").into_iter().map(|path| project().join(path)));
    let mut found = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let words = text.split(|c| !is_part(c)).map(str::to_lowercase);
        let count = words.filter(|word| WORDS.contains(&word.as_str())).count();
        if count > 0 {
            found.push((path.strip_prefix(project()).map(PathBuf::from).expect("a file of ours"), count));
        }
    }
    let total: usize = found.iter().map(|(_, count)| count).sum();
    assert!(total <= LIMIT, "{total} of {WORDS:?}, at most {LIMIT} may be left: {found:?}");
}

/// All files below a folder.
fn below(folder: &str) -> Vec<String> {
    let is_folder = |path: &String| project().join(path).is_dir();
    let (folders, mut files): (Vec<_>, Vec<_>) = listed(folder).into_iter().partition(is_folder);
    files.extend(folders.iter().flat_map(|folder| below(folder)));
    files
}
