//! The `faregate` command: the command line, one small file per noun.
//!
//! Administrative commands are clients of the admin API and nothing more, so whatever they do, a
//! program can do too. `backup`, `restore` and `migrate` work on its database; `serve` runs the ledger, `up` and `demo` run a whole gate, `check` reads a
//! file, and neither it nor `explain` needs a ledger.
//!
//! What must hold: exit codes are those of docs/command-line.md; with `--json`, stdout carries JSON only, and errors are JSON on stderr;
//! every error says what to do next; and nothing is printed but through `faregate_client`'s `terminal`.

mod account;
mod alert;
mod apply;
mod audit;
mod backup;
mod balance;
mod budget;
mod calls;
mod certificates;
mod check;
mod choices;
mod confirm;
mod corrections;
mod customers;
mod events;
mod explain;
mod grant;
mod grants;
mod groups;
mod key;
mod leases;
mod mail;
mod mail_server;
mod migrate;
mod mistyped;
mod oidc;
mod operator;
mod otlp;
mod paging;
mod place;
mod plan;
mod portal;
mod prices;
mod restore;
mod serve;
mod shadow;
mod shell;
mod spreadsheet;
mod subscription;
mod team;
mod trail;
mod typed;
mod usage;
mod version;
mod webhook;
mod when;
mod why;

#[cfg(test)]
mod tests;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind};
use faregate_client::{
    Failure, Screen, Zone, passwords::without_passwords, terminal, tokens::process_environment,
};
use faregate_demo::{Demo, Up};
use mistyped::mistyped;
use std::{ffi::OsString, process::ExitCode};

/// A paywall for HTTP APIs behind Envoy: the ledger, its accounts, and a gate to try out.
#[derive(Parser)]
#[command(name = "faregate", version = version::text(), arg_required_else_help = true)]
struct Cli {
    /// Print JSON: answers on stdout, errors on stderr
    #[arg(long, global = true, help_heading = "Output")]
    json: bool,
    /// Show times in this time zone, and begin dates in it [env: TZ] [default: UTC]
    #[arg(long, global = true, value_name = "ZONE", value_parser = Zone::named, help_heading = "Output")]
    zone: Option<Zone>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the ledger
    Serve(Box<serve::Serve>),
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
    /// What happened about accounts: a low balance, a key that was revoked, a period that began
    Events(events::Events),
    /// Single requests, as gateways recorded them
    Calls(calls::Calls),
    /// Below which balance an account is announced
    Alert(alert::Alert),
    /// Where events are delivered
    Webhook(webhook::Webhook),
    /// The portal for customers: links by which they sign in
    Portal(portal::Portal),
    /// Who gets events by mail
    Mail(mail::Mail),
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
    /// Print a script by which a shell completes commands and options
    Completions(shell::Completions),
    /// Write the man pages of all commands into a folder
    Man(shell::Man),
    /// Print the version, the commit that it was built from, the protocol that it speaks, and the Envoys that it supports
    Version,
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let cli = match read(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments, json),
    };
    let mut screen = Screen::of_process(cli.json, cli.zone()).fitting(terminal::width());
    match run(cli, &mut screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            typed::in_terms_of(failure.clone(), &Cli::command(), &arguments).print(json);
            failure.exit_code()
        }
    }
}

/// Reads one command line.
fn read(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&groups::grouped(Cli::command()).try_get_matches_from(words)?)
}

impl Cli {
    /// The zone in which times are shown.
    fn zone(&self) -> Zone {
        self.zone.clone().unwrap_or_else(|| Zone::of_environment(process_environment("TZ")))
    }
}

/// Does what one command line says.
fn run(cli: Cli, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(command) => command.run(cli.json),
        Command::Up(command) => command.run(cli.json),
        Command::Demo(command) => command.run(printed, screen),
        Command::Account(command) => command.run(screen),
        Command::Key(command) => command.run(screen),
        Command::Team(command) => command.run(screen),
        Command::Budget(command) => command.run(screen),
        Command::Grant(command) => command.run(screen),
        Command::Adjust(command) => command.run(screen),
        Command::Corrections(command) => command.run(screen),
        Command::Grants(command) => command.run(screen),
        Command::Plan(command) => command.run(screen),
        Command::Prices(command) => command.run(screen),
        Command::Subscribe(command) => command.run(screen),
        Command::Subscription(command) => command.run(screen),
        Command::Apply(command) => command.run(screen),
        Command::Export(command) => command.run(screen),
        Command::Balance(command) => command.run(screen),
        Command::Usage(command) => command.run(screen),
        Command::Why(command) => command.run(screen),
        Command::Shadow(command) => command.run(screen),
        Command::Leases(command) => command.run(screen),
        Command::Events(command) => command.run(screen),
        Command::Calls(command) => command.run(screen),
        Command::Alert(command) => command.run(screen),
        Command::Webhook(command) => command.run(screen),
        Command::Mail(command) => command.run(screen),
        Command::Recall(command) => command.run(screen),
        Command::Audit(command) => command.run(screen),
        Command::Operator(command) => command.run(screen),
        Command::GatewayToken(command) => command.run(screen),
        Command::Trail(command) => command.run(screen),
        Command::Portal(command) => command.run(screen),
        Command::Backup(command) => command.run(screen),
        Command::Restore(command) => command.run(screen),
        Command::Migrate(command) => command.run(screen),
        Command::Check(command) => command.run(screen),
        Command::Explain(command) => command.run(screen),
        Command::Completions(command) => command.run(Cli::command(), screen),
        Command::Man(command) => command.run(Cli::command(), screen),
        Command::Version => version::run(screen),
    }
}

/// Runs one of this program's commands, and gives what it prints.
fn printed(arguments: &[&str]) -> Result<String, Failure> {
    let cli = read(["faregate"].iter().chain(arguments)).map_err(|error| mistyped(&error, arguments))?;
    let mut printed = Vec::new();
    let mut screen = Screen::new(cli.json, Zone::default(), &mut printed);
    run(cli, &mut screen)?;
    drop(screen);
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// Help and version are answers; everything else that clap reports is wrong usage.
fn usage(error: &clap::Error, words: &[OsString], json: bool) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        terminal::show_help(&error.render());
        return ExitCode::SUCCESS;
    }
    if !json && error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        terminal::print_to_stderr(&without_passwords(error.render().to_string().trim_end()));
        return ExitCode::from(2);
    }
    let failure = mistyped(error, words);
    failure.print(json);
    failure.exit_code()
}
