//! What people and programs see of the command line.

mod administration;
mod checking;
mod explaining;
mod metering;
mod prices;

use crate::{Cli, Failure};
use clap::Parser;

/// Runs one command line; gives what it prints.
fn faregate(words: &[&str]) -> Result<String, Failure> {
    let cli = Cli::try_parse_from(["faregate"].iter().chain(words)).map_err(Failure::usage)?;
    let mut printed = Vec::new();
    crate::run(cli, None, &mut printed)?;
    Ok(String::from_utf8(printed).unwrap())
}
