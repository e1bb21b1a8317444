//! The `faregate` command: the command line, one small file per noun.
//!
//! Administrative commands are clients of the admin API and nothing more, so whatever they do, a
//! program can do too. `backup`, `restore` and `migrate` work on its database; `serve` runs the ledger, `up` and `demo` run a whole gate, `check` reads a
//! file, and neither it nor `explain` needs a ledger.
//!
//! What must hold: exit code 0 means done, 1 refused or failed, 2 wrong usage; with `--json`, stdout
//! carries JSON only, and errors are JSON on stderr; every error says what to do next.

mod account;
mod apply;
mod audit;
mod backup;
mod balance;
mod budget;
mod certificates;
mod check;
mod confirm;
mod corrections;
mod explain;
mod grant;
mod grants;
mod key;
mod leases;
mod migrate;
mod paging;
mod operator;
mod place;
mod plan;
mod prices;
mod restore;
mod serve;
mod shadow;
mod spreadsheet;
mod subscription;
mod team;
mod trail;
mod usage;
mod version;
mod when;
mod why;

#[cfg(test)]
mod tests;

use clap::{Parser, Subcommand, error::ErrorKind};
use faregate_client::{Failure, Screen, passwords::without_passwords};
use faregate_demo::{Demo, Up};
use std::{
    ffi::OsString,
    io::{IsTerminal as _, Write},
    process::ExitCode,
};

/// A paywall for HTTP APIs behind Envoy: the ledger, its accounts, and a gate to try out.
#[derive(Parser)]
#[command(name = "faregate", version = version::text(), arg_required_else_help = true)]
struct Cli {
    /// Print JSON: answers on stdout, errors on stderr
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the ledger
    Serve(serve::Serve),
    /// Run a gate to try out: the ledger, Envoy with the filter, and a sample API or your own
    Up(Up),
    /// Play the story of a paid API through a real Envoy, check every step, print the transcript
    Demo(Demo),
    /// Accounts: who pays
    Account(account::Account),
    /// API keys of an account
    Key(key::Key),
    /// Teams: some of an account's keys
    Team(team::Team),
    /// How much an account, a team or a key may use per period
    Budget(budget::Budget),
    /// Give credits to an account, take them back, change what was given
    Grant(grant::Grant),
    /// Put an account's balance right
    Adjust(corrections::Adjust),
    /// What was corrected: voided grants and adjustments
    Corrections(corrections::Corrections),
    /// What an account was given, and what is left of it
    Grants(grants::Grants),
    /// Plans: so many credits per period
    Plan(plan::Plan),
    /// What models cost: the ledger's price list
    Prices(prices::Prices),
    /// Subscribe an account to a plan
    Subscribe(subscription::Subscribe),
    /// What has become of an account's subscription, and what is to
    Subscription(subscription::Subscription),
    /// Make plans, prices, accounts, teams, subscriptions and budgets as a file says
    Apply(apply::Apply),
    /// Write plans, prices, accounts, teams, subscriptions and budgets as a file
    Export(apply::Export),
    /// What an account has left, and where the rest went
    Balance(balance::Balance),
    /// What was used: per minute, summed up by hours, days or months, or by model and tool
    Usage(usage::Usage),
    /// Why an account's requests are refused, and what cures it
    Why(why::Why),
    /// Who would have been refused, did the rules with `shadow` not only watch
    Shadow(shadow::Shadow),
    /// The live leases: which gateway holds whose credits, and what is at risk
    Leases(leases::Leases),
    /// Ask gateways to hand back what they don't need
    Recall(leases::Recall),
    /// Recompute every balance from the entries; fails where anything disagrees
    Audit(audit::Audit),
    /// Operators: who may administrate, and how much
    Operator(operator::Operator),
    /// Tokens of fleets of Envoys, beside the one of the environment
    GatewayToken(operator::GatewayToken),
    /// Who did what, from where, and what was there before
    Trail(trail::Trail),
    /// Write all that a ledger holds into a file, while it runs
    Backup(backup::Backup),
    /// Put a backup in an empty place, for a ledger to go on from there
    Restore(restore::Restore),
    /// Move a ledger that is stopped to another database
    Migrate(migrate::Migrate),
    /// Validate a filter configuration, also inside an Envoy configuration
    Check(check::Check),
    /// What a refusal means, what cures it, and what an operator checks
    Explain(explain::Explain),
    /// Print the version, the commit that it was built from, the protocol that it speaks, and the Envoys that it supports
    Version,
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, json),
    };
    let width = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
    match run(cli, width, &mut std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(json, &mut std::io::stderr().lock());
            failure.exit_code()
        }
    }
}

/// Does what one command line says; what it prints goes to `out`, which may be a terminal of some width.
fn run(cli: Cli, width: Option<usize>, out: &mut dyn Write) -> Result<(), Failure> {
    let mut screen = Screen::new(cli.json, out).fitting(width);
    match cli.command {
        Command::Serve(command) => command.run(cli.json),
        Command::Up(command) => command.run(cli.json),
        Command::Demo(command) => command.run(printed, &mut screen),
        Command::Account(command) => command.run(&mut screen),
        Command::Key(command) => command.run(&mut screen),
        Command::Team(command) => command.run(&mut screen),
        Command::Budget(command) => command.run(&mut screen),
        Command::Grant(command) => command.run(&mut screen),
        Command::Adjust(command) => command.run(&mut screen),
        Command::Corrections(command) => command.run(&mut screen),
        Command::Grants(command) => command.run(&mut screen),
        Command::Plan(command) => command.run(&mut screen),
        Command::Prices(command) => command.run(&mut screen),
        Command::Subscribe(command) => command.run(&mut screen),
        Command::Subscription(command) => command.run(&mut screen),
        Command::Apply(command) => command.run(&mut screen),
        Command::Export(command) => command.run(&mut screen),
        Command::Balance(command) => command.run(&mut screen),
        Command::Usage(command) => command.run(&mut screen),
        Command::Why(command) => command.run(&mut screen),
        Command::Shadow(command) => command.run(&mut screen),
        Command::Leases(command) => command.run(&mut screen),
        Command::Recall(command) => command.run(&mut screen),
        Command::Audit(command) => command.run(&mut screen),
        Command::Operator(command) => command.run(&mut screen),
        Command::GatewayToken(command) => command.run(&mut screen),
        Command::Trail(command) => command.run(&mut screen),
        Command::Backup(command) => command.run(&mut screen),
        Command::Restore(command) => command.run(&mut screen),
        Command::Migrate(command) => command.run(&mut screen),
        Command::Check(command) => command.run(&mut screen),
        Command::Explain(command) => command.run(&mut screen),
        Command::Version => version::run(&mut screen),
    }
}

/// Runs one of this program's commands, and gives what it prints.
fn printed(arguments: &[&str]) -> Result<String, Failure> {
    let cli = Cli::try_parse_from(["faregate"].iter().chain(arguments));
    let mut printed = Vec::new();
    run(cli.map_err(Failure::usage)?, None, &mut printed)?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// Help and version are answers; everything else that clap reports is wrong usage.
fn usage(error: &clap::Error, json: bool) -> ExitCode {
    let answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if json && !answer {
        let text = error.render().to_string();
        Failure::usage(text.trim().trim_start_matches("error: ")).print(true, &mut std::io::stderr().lock());
    } else {
        // Nothing is left to do when the terminal is gone.
        let _ = if answer { error.print() } else { print_usage(error) };
    }
    if answer { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

/// Prints what is wrong with a command line, without a password that may be in it.
fn print_usage(error: &clap::Error) -> std::io::Result<()> {
    let mut to = std::io::stderr().lock();
    let text = error.render();
    let text = if to.is_terminal() { text.ansi().to_string() } else { text.to_string() };
    write!(to, "{}", without_passwords(&text))
}
