//! Where a step's instructions go, function by function, for who wants to lower its price. `make profile` builds the filter
//! with the names of its functions, and says of which step.

use std::collections::BTreeMap;
use wasmparser::{KnownCustom, Name, Parser, Payload};

/// Part of the names of the steps that are shown.
const STEP: &str = "FAREGATE_PROFILE";
/// How many functions are shown of a step.
const MOST: usize = 40;

/// Whether functions are counted one by one.
pub fn is_wanted() -> bool {
    std::env::var_os(STEP).is_some()
}

/// How many functions the module has of its own.
pub fn functions(wasm: &[u8]) -> u32 {
    let count = |payload| match payload {
        Ok(Payload::FunctionSection(section)) => Some(section.count()),
        _ => None,
    };
    Parser::new(0).parse_all(wasm).find_map(count).unwrap_or(0)
}

/// The global, an `i64`, that counts the instructions of a function.
pub fn counter(function: u32) -> String {
    format!("function {function}")
}

/// Prints what each function ran of a step, if it is one of those that are wanted.
pub fn show(step: &str, mut counts: Vec<(u64, u32)>) {
    if std::env::var(STEP).is_ok_and(|part| !step.contains(&part)) {
        return;
    }
    let names = names(&std::fs::read(harness::filter()).expect("the filter can be read"));
    counts.sort_unstable_by(|one, other| other.cmp(one));
    let all: u64 = counts.iter().map(|(count, _)| count).sum();
    println!("{step}: {all} instructions");
    for (count, function) in counts.iter().take(MOST) {
        println!("{count:>8}  {}", names.get(function).map_or("?", String::as_str));
    }
}

/// The names of the module's own functions, as far as it has them.
fn names(wasm: &[u8]) -> BTreeMap<u32, String> {
    let (mut imported, mut names) = (0, BTreeMap::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::ImportSection(section)) => imported = section.count(),
            Ok(Payload::CustomSection(section)) => {
                let KnownCustom::Name(parts) = section.as_known() else { continue };
                let functions = parts.into_iter().filter_map(|part| match part {
                    Ok(Name::Function(functions)) => Some(functions),
                    _ => None,
                });
                let named = functions.flatten().filter_map(Result::ok);
                names.extend(named.filter_map(|function| {
                    Some((function.index.checked_sub(imported)?, function.name.to_owned()))
                }));
            }
            _ => {}
        }
    }
    names
}
