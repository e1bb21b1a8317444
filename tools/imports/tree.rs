//! The files of a crate as modules, and which file needs which other one.
//!
//! A name is followed to the file that defines it, through whatever passes it on; so a module that only
//! re-exports (`pub use`) needs nothing. What it can't tell apart, it takes for a need.

use super::Needs;
use super::tokens::{Token, end_of_group, shipped};
use std::collections::{BTreeMap, BTreeSet};

/// Reads a file, if it is there; its name is relative to the crate's root, with `/` between.
pub type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a module brings into its scope from elsewhere.
struct Import {
    /// The name that it gets here; `*` for whatever is there.
    name: String,
    path: Vec<String>,
    passed_on: bool,
}

/// A file.
struct File {
    name: String,
    module: Vec<String>,
    children: BTreeSet<String>,
    imports: Vec<Import>,
    tokens: Vec<Token>,
    /// Paths in the code, outside of imports.
    paths: Vec<Vec<String>>,
}

/// A crate's files, without those that are built for tests only.
#[derive(Default)]
pub struct Tree {
    files: Vec<File>,
    by_module: BTreeMap<Vec<String>, usize>,
}

impl Tree {
    /// Reads a crate, from its root file on.
    pub fn read(root: &str, read: Read<'_>) -> Self {
        let mut tree = Self::default();
        tree.add(root, Vec::new(), read);
        tree
    }

    fn add(&mut self, name: &str, module: Vec<String>, read: Read<'_>) {
        let text = read(name).unwrap_or_else(|| panic!("{name} is missing"));
        let tokens = shipped(&text);
        let folder = match name.rsplit_once('/') {
            Some((folder, "mod.rs")) => format!("{folder}/"),
            None if module.is_empty() => String::new(),
            _ => format!("{}/", name.trim_end_matches(".rs")),
        };
        let mut file = File { name: name.to_owned(), module, ..scan(tokens) };
        let children = std::mem::take(&mut file.children);
        for child in children {
            let places = [format!("{folder}{child}.rs"), format!("{folder}{child}/mod.rs")];
            if let Some(place) = places.iter().find(|place| read(place).is_some()) {
                let module = [file.module.as_slice(), std::slice::from_ref(&child)].concat();
                self.add(place, module, read);
                file.children.insert(child);
            }
        }
        self.by_module.insert(file.module.clone(), self.files.len());
        self.files.push(file);
    }

    /// Every file's name, and what ships of it.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[Token])> {
        self.files.iter().map(|file| (file.name.as_str(), file.tokens.as_slice()))
    }

    /// Which file needs which other one.
    pub fn needs(&self) -> Needs<'_> {
        self.files.iter().map(|file| (file.name.as_str(), self.needs_of(file))).collect()
    }

    fn needs_of<'a>(&'a self, file: &File) -> BTreeSet<&'a str> {
        let imported = file.imports.iter().filter(|import| !import.passed_on);
        let paths = imported.map(|import| &import.path).chain(&file.paths);
        let found = paths.filter_map(|path| self.home(&file.module, path, 0));
        found.filter(|home| *home != file.name).collect()
    }

    /// The file that defines what a path leads to; none for a module as such, and for what is not in this crate.
    fn home(&self, module: &[String], path: &[String], depth: u8) -> Option<&str> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => return self.within(&[], rest, depth),
            "self" => return self.within(module, rest, depth),
            "super" => return self.within(module.get(..module.len().checked_sub(1)?)?, rest, depth),
            _ => {}
        }
        let file = &self.files[*self.by_module.get(module)?];
        let known = file.children.contains(first) || file.imports.iter().any(|import| import.name == *first);
        if known { self.within(module, path, depth) } else { None }
    }

    /// The same for a path that begins in a module.
    fn within(&self, module: &[String], path: &[String], depth: u8) -> Option<&str> {
        let file = &self.files[*self.by_module.get(module)?];
        let (first, rest) = path.split_first()?;
        if first == "super" {
            return self.home(module, path, depth);
        }
        if file.children.contains(first) {
            return self.within(&[module, std::slice::from_ref(first)].concat(), rest, depth);
        }
        if depth > 8 || first == "*" {
            return Some(&file.name);
        }
        if let Some(import) = file.imports.iter().find(|import| import.name == *first) {
            return self.imported(module, &[import.path.as_slice(), rest].concat(), depth + 1);
        }
        for import in file.imports.iter().filter(|import| import.name == "*" && import.passed_on) {
            let from = import.path.split_last().map_or(&[][..], |(_, from)| from);
            let further = [from, path].concat();
            if let Some(home) = self.imported(module, &further, depth + 1)
                && self.files.iter().any(|file| file.name == home && defines(&file.tokens, first))
            {
                return Some(home);
            }
        }
        Some(&file.name)
    }

    /// The same for the path of an import; it is no name that another import has brought in.
    fn imported(&self, module: &[String], path: &[String], depth: u8) -> Option<&str> {
        let first = path.first()?;
        let file = &self.files[*self.by_module.get(module)?];
        let here = ["crate", "self", "super"].contains(&first.as_str()) || file.children.contains(first);
        if here { self.home(module, path, depth) } else { None }
    }
}

/// Whether an item of this name stands in a file.
fn defines(tokens: &[Token], name: &str) -> bool {
    const ITEMS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "union"];
    tokens.windows(2).any(|pair| ITEMS.iter().any(|item| pair[0].is(item)) && pair[1].is(name))
}

/// What a file declares, brings in and names.
fn scan(tokens: Vec<Token>) -> File {
    let (mut children, mut imports, mut paths) = (BTreeSet::new(), Vec::new(), Vec::new());
    let mut n = 0;
    while n < tokens.len() {
        let word = |at: usize| tokens.get(at).and_then(Token::word);
        if word(n) == Some("use") {
            let end = (n..tokens.len()).find(|at| tokens[*at].is(";")).unwrap_or(tokens.len());
            let passed_on = n > 0 && (tokens[n - 1].is("pub") || tokens[n - 1].is(")"));
            branches(&tokens[n + 1..end], &[], passed_on, &mut imports);
            n = end;
        } else if word(n) == Some("mod") && tokens.get(n + 2).is_some_and(|next| next.is(";")) {
            children.extend(word(n + 1).map(str::to_owned));
            n += 2;
        } else if let Some(first) = word(n) {
            let (start, mut path) = (n, vec![first.to_owned()]);
            while tokens.get(n + 1).is_some_and(|t| t.is(":"))
                && tokens.get(n + 2).is_some_and(|t| t.is(":"))
                && let Some(next) = word(n + 3)
            {
                path.push(next.to_owned());
                n += 3;
            }
            // Behind a point it is a field or a method.
            if !start.checked_sub(1).is_some_and(|before| tokens[before].is(".")) {
                paths.push(path);
            }
        }
        n += 1;
    }
    File { name: String::new(), module: Vec::new(), children, imports, tokens, paths }
}

/// The branches of what stands behind `use`.
fn branches(tokens: &[Token], prefix: &[String], passed_on: bool, imports: &mut Vec<Import>) {
    let mut path = prefix.to_vec();
    let mut n = 0;
    let mut alias = None;
    while n < tokens.len() {
        match &tokens[n] {
            Token::Word(word) if word == "as" => {
                alias = tokens.get(n + 1).and_then(Token::word).map(str::to_owned);
                n += 1;
            }
            Token::Word(word) => path.push(word.clone()),
            Token::Mark('*') => path.push("*".to_owned()),
            Token::Mark('{') => {
                let end = end_of_group(tokens, n);
                let inside = &tokens[n + 1..end - 1];
                let mut start = 0;
                let mut at = 0;
                while at <= inside.len() {
                    if at == inside.len() || inside[at].is(",") {
                        branches(&inside[start..at], &path, passed_on, imports);
                        start = at + 1;
                    } else if inside[at].is("{") {
                        at = end_of_group(inside, at) - 1;
                    }
                    at += 1;
                }
                return;
            }
            _ => {}
        }
        n += 1;
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if path.len() > prefix.len() || !tokens.is_empty() {
        let name = alias.or_else(|| path.last().cloned()).unwrap_or_default();
        imports.push(Import { name, path, passed_on });
    }
}
