//! `faregate migrate`: copies a ledger that is stopped to another database, as it is.

use super::{
    backup::{failure, show},
    place::URL,
};
use clap::Args;
use faregate_client::{
    Failure, Screen,
    terminal::Progress,
    tokens::{Environment, process_environment},
};
use faregate_ledger::{
    Database,
    store::{copy, postgres::Settings},
};
use serde_json::json;
use std::path::PathBuf;

/// A database is `sqlite:DIR`, `postgres://…`, or `postgres` for the URL in FAREGATE_DATABASE_URL. What it is
/// moved from stays as it is; no ledger may run on it any more.
#[derive(Args)]
pub struct Migrate {
    /// The database of a ledger that is stopped
    #[arg(long, value_name = "DATABASE")]
    from: String,
    /// An empty directory, or a PostgreSQL database without content
    #[arg(long, value_name = "DATABASE")]
    to: String,
    /// A file of root certificates (PEM) that a server's must descend from, instead of the system's
    #[arg(long, value_name = "FILE")]
    database_root_cert: Option<PathBuf>,
}

impl Migrate {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let from = self.database("--from", &self.from, &process_environment)?;
        let to = self.database("--to", &self.to, &process_environment)?;
        let progress = Progress::new("moving", screen.is_json());
        let holdings = copy::migrate(&from, &to).map_err(failure)?;
        progress.end();
        let (from, to) = (from.to_string(), to.to_string());
        let title = format!("moved from {from} to {to}");
        show(&holdings, &json!({ "from": from, "to": to }), &title, screen)
    }

    fn database(&self, flag: &str, text: &str, environment: Environment<'_>) -> Result<Database, Failure> {
        if let Some(dir) = text.strip_prefix("sqlite:").filter(|dir| !dir.is_empty()) {
            return Ok(Database::Directory(dir.into()));
        }
        let url = if text == "postgres" {
            let url = environment(URL).and_then(|url| url.into_string().ok()).filter(|url| !url.is_empty());
            url.ok_or_else(|| Failure::usage(format!("{flag} is postgres, and {URL} is not set")))?
        } else if text.contains("://") {
            text.to_owned()
        } else {
            return Err(Failure::usage(format!("{flag} is no database"))
                .cure(format!("give sqlite:DIR, postgres://user@host/database, or postgres with {URL}")));
        };
        let mut settings = Settings::parse(&url).map_err(|why| Failure::usage(format!("{flag}: {why}")))?;
        settings.root_cert.clone_from(&self.database_root_cert);
        Ok(Database::Server(Box::new(settings)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_arguments_are_parsed_and_passwords_never_echoed() {
        let line = Migrate { from: String::new(), to: String::new(), database_root_cert: None };
        let named = |text: &str, variable: Option<&str>| {
            let environment = |_: &str| variable.map(Into::into);
            line.database("--to", text, &environment).map(|database| database.to_string())
        };
        let url = "postgres://me:hunter2@db.test:5433/money";
        assert_eq!(named("sqlite:here", None).unwrap(), "here");
        assert_eq!(named(url, None).unwrap(), "postgres://db.test:5433/money");
        assert_eq!(named("postgres", Some(url)).unwrap(), "postgres://db.test:5433/money");
        for (text, variable, says) in [
            ("sqlite:", None, "--to is no database"),
            ("me:hunter2@db", None, "--to is no database"),
            ("mysql://me:hunter2@h/db", None, "neither postgres://"),
            ("postgres", None, "FAREGATE_DATABASE_URL is not set"),
        ] {
            let said = named(text, variable).unwrap_err().to_string();
            assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
        }
    }
}
