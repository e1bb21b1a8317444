//! `faregate completions` and `faregate man`: what a shell and `man` know of the commands, made from their definitions.

use clap::{Args, Command};
use clap_complete::Shell;
use faregate_client::{Failure, Screen};
use serde_json::json;
use std::path::PathBuf;

/// For bash: `faregate completions bash > /etc/bash_completion.d/faregate`; for zsh: into a file `_faregate` in a folder of
/// `$fpath`; for fish: `~/.config/fish/completions/faregate.fish`.
#[derive(Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script for these commands.
    pub fn run(self, mut command: Command, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "faregate", &mut script);
        let script = String::from_utf8_lossy(&script).into_owned();
        screen.show(&json!({ "script": script }), |screen, _| screen.lines(script.trim_end()))
    }
}

/// One page per command: `faregate.1`, `faregate-grant.1` …
#[derive(Args)]
pub struct Man {
    /// The folder, which is made when it doesn't exist
    dir: PathBuf,
}

impl Man {
    /// Writes the pages of these commands.
    pub fn run(self, command: Command, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let failed = |error| Failure::new("io", format!("can't write {}: {error}", self.dir.display()));
        std::fs::create_dir_all(&self.dir).map_err(failed)?;
        let command = command.disable_help_subcommand(true);
        clap_mangen::generate_to(command, &self.dir).map_err(failed)?;
        let pages = std::fs::read_dir(&self.dir).map_err(failed)?.filter_map(Result::ok);
        let pages = pages.filter(|page| page.path().extension().is_some_and(|end| end == "1")).count();
        let answer = json!({ "dir": self.dir, "pages": pages });
        screen.show(&answer, |screen, _| screen.line(format_args!("{pages} pages in {}", self.dir.display())))
    }
}
