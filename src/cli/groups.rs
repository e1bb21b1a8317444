//! `faregate --help`: commands by what they are for. clap lists them in one row, so the page's template has the groups.

use clap::Command;

/// Groups in the order of the page.
const GROUPS: [(&str, &[&str]); 6] = [
    (
        "Customers",
        &["account", "key", "team", "budget", "grant", "grants", "adjust", "corrections", "balance"],
    ),
    ("Plans and prices", &["plan", "subscribe", "subscription", "prices", "apply", "export"]),
    ("What happened", &["usage", "why", "calls", "shadow", "events", "leases", "recall", "audit", "trail"]),
    (
        "The ledger",
        &[
            "serve",
            "alert",
            "webhook",
            "mail",
            "portal",
            "operator",
            "gateway-token",
            "backup",
            "restore",
            "migrate",
        ],
    ),
    ("The gate", &["check", "explain", "up", "demo"]),
    ("This program", &["completions", "man", "version", "help"]),
];
/// What isn't in a group yet.
const OTHERS: &str = "More";

/// The command with its commands in groups.
pub fn grouped(mut command: Command) -> Command {
    command.build();
    let known = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let all: Vec<(String, String)> = command
        .get_subcommands()
        .map(|one| (one.get_name().to_owned(), one.get_about().map(ToString::to_string).unwrap_or_default()))
        .collect();
    let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut page = String::from("{about}\n\n{usage-heading} {usage}\n");
    let others: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).filter(|name| !known(name)).collect();
    for (title, names) in GROUPS.iter().copied().chain([(OTHERS, others.as_slice())]) {
        let listed = names.iter().filter_map(|name| all.iter().find(|(found, _)| found == name));
        let lines: Vec<_> = listed.map(|(name, about)| format!("  {name:<width$}  {about}\n")).collect();
        if !lines.is_empty() {
            page.extend(["\n", title, ":\n"]);
            page.extend(lines);
        }
    }
    command.help_template(page + "\nOptions:\n{options}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    /// What begins the names of the options under a heading. A group's heading goes on behind it, so a group comes last.
    const HEADINGS: [(&str, &[&str]); 11] = [
        ("Which ledger", &["server", "server_ca", "data", "idempotency_key"]),
        ("Database", &["data", "database", "init"]),
        ("Database server", &["database_"]),
        ("TLS", &["tls_", "admin_tls", "portal_tls"]),
        ("Portal", &["portal_"]),
        ("Mail", &["smtp_", "mail_"]),
        ("OpenTelemetry", &["otlp_"]),
        ("Single sign-on", &["oidc_", "console_url"]),
        ("Take away", &["no_", "all_"]),
        ("Output", &["json", "zone"]),
        (
            "Terms",
            &[
                "every",
                "anchor",
                "time_zone",
                "rollover",
                "over",
                "rate",
                "burst",
                "concurrent",
                "product",
                "remainder",
                "warn_below",
                "alert_below",
            ],
        ),
    ];

    fn each(command: &Command, seen: &mut Vec<String>) {
        for argument in command.get_arguments() {
            let (name, id) = (command.get_name(), argument.get_id().as_str());
            let Some(heading) = argument.get_help_heading() else { continue };
            let found = HEADINGS.iter().find(|(known, _)| *known == heading);
            let is_its = found.is_some_and(|(_, begins)| begins.iter().any(|begin| id.starts_with(begin)));
            if !is_its || argument.is_positional() {
                seen.push(format!("{name}: {id} is under {heading:?}"));
            }
        }
        command.get_subcommands().for_each(|command| each(command, seen));
    }

    #[test]
    fn an_option_is_under_the_heading_of_its_group() {
        let mut seen = Vec::new();
        each(&crate::Cli::command(), &mut seen);
        assert_eq!(seen, Vec::<String>::new());
    }

    #[test]
    fn every_command_is_listed_once() {
        let mut command = grouped(crate::Cli::command());
        let page = command.render_help().to_string();
        for subcommand in command.get_subcommands() {
            let line = format!("\n  {} ", subcommand.get_name());
            assert_eq!(page.matches(&line).count(), 1, "{line}: {page}");
        }
        assert!(page.contains("\nCustomers:\n  account ") && page.contains("--json"), "{page}");
        for (_, names) in GROUPS {
            for name in names {
                assert!(page.contains(&format!("\n  {name} ")), "{name} is no command");
            }
        }
    }
}
