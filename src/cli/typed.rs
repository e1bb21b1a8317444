//! The ledger's refusals in terms of what was typed: `--expires` where it says `expires_at`.

use clap::Command;
use faregate_client::Failure;
use std::ffi::OsString;

/// Fields of the admin API whose options have other names: the field, and the option or the argument.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("expires_at", "expires"),
    ("starts_at", "start"),
    ("trial_ends_at", "trial"),
    ("grace_until", "grace"),
    ("rate_per_second", "rate"),
    ("products", "product"),
    ("period", "per"),
    ("id", "account"),
    ("target", "key"),
];

/// The command that these words name.
fn named<'a>(all: &'a Command, words: &[OsString]) -> &'a Command {
    words.iter().skip(1).fold(all, |command, word| command.find_subcommand(word).unwrap_or(command))
}

/// The failure, about the option or argument that its field came from. One that the command doesn't have stays as it is.
pub fn in_terms_of(failure: Failure, all: &Command, words: &[OsString]) -> Failure {
    let Some(field) = failure.field.clone() else { return failure };
    let command = named(all, words);
    let other = OTHER_NAMES.iter().filter(|(name, _)| *name == field).map(|(_, option)| (*option).to_owned());
    let option = std::iter::once(field.replace('_', "-")).chain(other).find_map(|name| {
        command.get_arguments().find(|argument| match argument.get_long() {
            Some(long) => long == name,
            None => argument.get_id().as_str() == name.replace('-', "_"),
        })
    });
    let Some(option) = option else { return failure };
    let name = match option.get_long() {
        Some(long) => format!("--{long}"),
        None => option.get_id().as_str().to_uppercase(),
    };
    let detail = match failure.detail.strip_prefix(&format!("{field}: ")) {
        Some(rest) => format!("{name}: {rest}"),
        None => failure.detail.clone(),
    };
    Failure { detail, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn a_refusal_names_the_option_that_was_typed() {
        let all = crate::Cli::command();
        let said = |line: &str, field: &str| {
            let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
            let failure = Failure::new("invalid_request", format!("{field}: is wrong"));
            in_terms_of(Failure { field: Some(field.into()), ..failure }, &all, &words).detail
        };
        for (line, field, named) in [
            ("faregate grant acme 5 --expires 1d", "expires_at", "--expires"),
            ("faregate grant acme x", "amount", "AMOUNT"),
            ("faregate --json plan create a --quota 1", "rate_per_second", "--rate"),
            ("faregate plan create a --quota x", "quota", "--quota"),
            ("faregate budget set acme --per day", "period", "--per"),
            ("faregate subscribe acme pro", "trial_ends_at", "--trial"),
            ("faregate account create A", "id", "ID"),
            ("faregate apply plans.toml", "quota", "quota"),
        ] {
            assert_eq!(said(line, field), format!("{named}: is wrong"), "{line}");
        }
    }
}
