//! What people and programs see of the command line.

mod administration;
mod checking;
mod explaining;
mod metering;
mod outputs;
mod prices;

use crate::{Failure, Screen, mistyped::mistyped};

/// Runs one command line; gives what it prints.
fn faregate(words: &[&str]) -> Result<String, Failure> {
    let cli = crate::read(["faregate"].iter().chain(words)).map_err(|error| mistyped(&error, words))?;
    let mut printed = Vec::new();
    let mut screen = Screen::new(cli.json, cli.zone.clone().unwrap_or_default(), &mut printed);
    crate::run(cli, &mut screen)?;
    drop(screen);
    Ok(String::from_utf8(printed).unwrap())
}
