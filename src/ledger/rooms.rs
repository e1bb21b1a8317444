//! The order of the rooms, kept by a test: SQL is only where databases are, nothing that decides waits
//! or looks at a clock, and no files need each other in a circle, also in the crates of the command. `make lint` runs it.

use faregate_imports::{Token, Tree, circles, is_in, shipped};
use std::collections::BTreeSet;
use std::path::Path;

/// Where SQL may stand.
const SQL_ROOMS: [&str; 7] = [
    "store/sqlite",
    "store/postgres",
    "store/queries",
    "store/calls",
    // What statements of both engines are made from.
    "store/statements",
    "store/lookups",
    "store/maintenance",
];
/// Where nothing waits, and no clock is looked at.
const DECISIONS: [&str; 2] = ["command", "domain"];
/// Files outside of those rooms that have SQL in them all the same. To be emptied.
const SQL_ELSEWHERE: &[&str] = &[];
/// Needs that close a circle: the first file needs the second one. To be emptied.
const CIRCLES: &[(&str, &str)] = &[];

/// The ledger, and the crates that are built on it, by their folders.
fn crates() -> impl Iterator<Item = (&'static str, Tree)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let crates = [("ledger", "lib.rs"), ("client", "lib.rs"), ("demo", "lib.rs"), ("cli", "main.rs")];
    crates.into_iter().map(move |(folder, root)| {
        let read = |name: &str| std::fs::read_to_string(src.join(folder).join(name)).ok();
        (folder, Tree::read(root, &read))
    })
}

#[test]
fn sql_appears_only_in_database_modules() {
    let mut found = BTreeSet::new();
    for (folder, tree) in crates() {
        let elsewhere = tree
            .files()
            .filter(|(name, _)| folder != "ledger" || !SQL_ROOMS.iter().any(|room| is_in(name, room)));
        let with_sql = elsewhere.filter(|(_, tokens)| !sql(tokens).is_empty());
        for (name, tokens) in with_sql {
            assert!(
                SQL_ELSEWHERE.contains(&name),
                "src/{folder}/{name} has SQL in it: {:?}; move it to one of {SQL_ROOMS:?}",
                sql(tokens)
            );
            found.insert(name.to_owned());
        }
    }
    let cured: Vec<_> = SQL_ELSEWHERE.iter().filter(|name| !found.contains(**name)).collect();
    assert!(cured.is_empty(), "{cured:?} have no SQL any more: take them off SQL_ELSEWHERE");
}

#[test]
fn decision_modules_neither_await_nor_read_the_clock() {
    for (folder, tree) in crates() {
        for (name, tokens) in tree.files().filter(|(name, _)| DECISIONS.iter().any(|room| is_in(name, room)))
        {
            let found = impure(tokens);
            assert!(
                found.is_empty(),
                "src/{folder}/{name} says {found:?}; let its caller wait, and give it the time"
            );
        }
    }
}

#[test]
fn there_are_no_import_cycles() {
    let mut unknown = CIRCLES.to_vec();
    let mut found = Vec::new();
    for (_, tree) in crates() {
        let mut needs = tree.needs();
        unknown.retain(|(from, to)| !needs.get_mut(from).is_some_and(|needed| needed.remove(to)));
        found.extend(circles(&needs));
    }
    assert!(found.is_empty(), "files need each other in a circle:\n{}", found.join("\n"));
    assert!(unknown.is_empty(), "{unknown:?} are no needs any more: take them off CIRCLES");
}

/// The literals that are SQL.
fn sql(tokens: &[Token]) -> Vec<&str> {
    let texts =
        tokens.iter().filter_map(|token| if let Token::Text(text) = token { Some(text) } else { None });
    texts.filter(|text| is_sql(text)).map(String::as_str).collect()
}

/// SQL is written in capitals here; a query in small letters is found where it begins with one.
fn is_sql(text: &str) -> bool {
    const SIGNS: [(&str, &str); 7] = [
        ("SELECT ", ""),
        ("INSERT ", " INTO "),
        ("INSERT INTO ", ""),
        ("UPDATE ", " SET "),
        ("DELETE FROM ", ""),
        ("CREATE TABLE ", ""),
        ("ALTER TABLE ", ""),
    ];
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ") + " ";
    let (said, capitals) = (line(text), line(&text.to_uppercase()));
    let follows = |text: &str, sign: &str, then: &str| {
        text.find(sign).is_some_and(|at| text.get(at..).is_some_and(|rest| rest.contains(then)))
    };
    let small =
        [("SELECT ", " FROM "), ("INSERT INTO ", "("), ("UPDATE ", " SET "), ("DELETE FROM ", " WHERE ")];
    SIGNS.iter().any(|(sign, then)| follows(&said, sign, then))
        || small.iter().any(|(sign, then)| capitals.starts_with(sign) && follows(&capitals, sign, then))
}

/// Words by which something waits, or looks at a clock.
fn impure(tokens: &[Token]) -> Vec<&str> {
    let waits = tokens.iter().filter_map(Token::word).filter(|word| ["async", "await"].contains(word));
    let looks =
        tokens.windows(3).filter(|three| [":", ":", "now"].iter().zip(*three).all(|(is, t)| t.is(is)));
    waits.chain(looks.map(|_| "::now")).collect()
}

#[test]
fn the_checks_recognize_sql_and_impure_code() {
    for text in [
        "SELECT 1",
        "select a\n from b",
        "WITH x AS (SELECT y FROM z)",
        "UPDATE a SET b = 1",
        "DELETE FROM a",
    ] {
        assert!(is_sql(text), "{text}");
    }
    for text in
        ["select a plan", "an UPDATE of the plan", "the update has set a limit", "insert into the disk"]
    {
        assert!(!is_sql(text), "{text}");
    }
    let pure = shipped("fn f<'a>(now: Timestamp) -> char { /* await */ let _ = r#\"\"async\"#; '\\'' }");
    assert_eq!(impure(&pure), [""; 0]);
    assert_eq!(impure(&shipped("async fn f() { Timestamp::now(); }")), ["async", "::now"]);
}
