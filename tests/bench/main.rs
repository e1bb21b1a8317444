//! The bench: what charging costs, beside what people would use instead, in one run on one machine.
//!
//! One Envoy per variant, each with one worker, in front of one plain upstream. The variants take turns,
//! several times over, so that a machine that is slow for a while is slow for all of them. What is compared is
//! the median of each variant, as a ratio to bare Envoy. CPU comes from the process's own accounting.
//!
//! `bench paths [ROUNDS SECONDS]` compares the ways of charging. All that is measured stands in
//! `target/bench/<name>.json`.

mod envoy;
mod figures;
mod load;
mod paths;
mod report;
mod upstream;
mod variant;

use std::process::ExitCode;

const USAGE: &str = "usage: bench paths [ROUNDS SECONDS [VARIANT …]]";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
    match words.as_slice() {
        ["paths"] => paths::run(7, 4, &[]),
        ["paths", rounds, seconds, only @ ..] => match (number(rounds), number(seconds)) {
            (Some(rounds), Some(seconds)) => paths::run(rounds, seconds, only),
            _ => return wrong(),
        },
        _ => return wrong(),
    }
    ExitCode::SUCCESS
}

fn wrong() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
