//! Where a ledger keeps its data: in a directory, or on a PostgreSQL server.

use super::when;
use clap::Args;
use faregate_client::{Failure, tokens::Environment};
use faregate_ledger::{Database, store::postgres::Settings};
use std::{path::PathBuf, time::Duration};

/// The variable that gives the server's URL: on a command line its password would show in the process list.
pub const URL: &str = "FAREGATE_DATABASE_URL";

/// Either `--data` or `--database`.
#[derive(Args)]
#[command(next_help_heading = "Database")]
pub struct Place {
    /// The directory of the database (SQLite); made when it doesn't exist
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Instead of --data: a PostgreSQL server, which several ledgers may share, as
    /// postgres://user:password@host:port/database?sslmode=verify-full; or set FAREGATE_DATABASE_URL
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    database: Option<String>,
    /// A file of root certificates (PEM) that the server's must descend from, instead of the system's
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    database_root_cert: Option<PathBuf>,
}

/// How a ledger that serves uses its server.
#[derive(Args)]
#[command(next_help_heading = "Database server")]
#[expect(clippy::struct_field_names, reason = "they are the names of the flags")]
pub struct Limits {
    /// The most connections to the server
    #[arg(long, value_name = "NUMBER", default_value_t = Settings::POOL_SIZE as u64, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    database_connections: u64,
    /// How long to wait for a connection to the server
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = when::duration)]
    database_connect_timeout: Duration,
    /// How long one statement may run
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = when::duration)]
    database_statement_timeout: Duration,
    /// How long one statement may wait for another ledger's transaction
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = when::duration)]
    database_lock_timeout: Duration,
}

impl Place {
    /// The one database that flags and environment name.
    pub fn database(self, environment: Environment<'_>) -> Result<Database, Failure> {
        let variable = environment(URL).filter(|url| !url.is_empty());
        let is_server = |dir: &PathBuf| {
            let dir = dir.to_string_lossy();
            dir.contains("://") || dir.contains("password=")
        };
        if self.data.as_ref().is_some_and(is_server) {
            return Err(Failure::usage("--data names a directory, and what is given names a server")
                .cure(format!("give the URL of a PostgreSQL server in {URL}, or as --database")));
        }
        let url = match (&self.data, &self.database, variable) {
            (Some(_), _, Some(_)) => {
                return Err(Failure::usage(format!("both --data and {URL} are given"))
                    .cure("keep one of them, so that it is clear where the money is"));
            }
            (Some(dir), _, None) => return Ok(Database::Directory(dir.clone())),
            (None, Some(url), _) => url.clone(),
            (None, None, Some(url)) => {
                url.into_string().map_err(|_| Failure::usage(format!("{URL} is not text")))?
            }
            (None, None, None) => {
                return Err(Failure::usage("it isn't said where the data is").cure(format!(
                    "give --data DIR for a SQLite file, or --database URL (or {URL}) for a PostgreSQL server"
                )));
            }
        };
        self.server(&url)
    }

    fn server(self, url: &str) -> Result<Database, Failure> {
        let mut settings = Settings::parse(url).map_err(Failure::usage)?;
        settings.root_cert = self.database_root_cert;
        Ok(Database::Server(Box::new(settings)))
    }
}

impl Limits {
    /// Sets them, where they mean something.
    pub fn apply(&self, database: &mut Database) -> Result<(), Failure> {
        let Database::Server(settings) = database else { return Ok(()) };
        for (flag, time) in [
            ("--database-connect-timeout", self.database_connect_timeout),
            ("--database-statement-timeout", self.database_statement_timeout),
            ("--database-lock-timeout", self.database_lock_timeout),
        ] {
            if time < Duration::from_millis(10) || time > Duration::from_hours(1) {
                return Err(Failure::usage(format!("{flag} is {time:?}; give 10ms to 1h")));
            }
        }
        settings.pool_size = usize::try_from(self.database_connections).unwrap_or(Settings::POOL_SIZE);
        settings.connect_timeout = self.database_connect_timeout;
        settings.statement_timeout = self.database_statement_timeout;
        settings.lock_timeout = self.database_lock_timeout;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        limits: Limits,
    }

    fn database(line: &str, variable: Option<&str>) -> Result<String, String> {
        let words = std::iter::once("serve").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let environment = |_: &str| variable.map(Into::into);
        let named = line.place.database(&environment).and_then(|mut database| {
            line.limits.apply(&mut database)?;
            Ok(database)
        });
        match named {
            Ok(database) => Ok(format!("{database:?}")),
            Err(failure) => Err(format!("{failure} {}", failure.cure.clone().unwrap_or_default())),
        }
    }

    #[test]
    fn exactly_one_database_must_be_given_and_its_password_is_never_shown() {
        let url = "postgres://me:hunter2@db.test:5433/money";
        let server = "Server(Settings(postgres://db.test:5433/money))";
        assert_eq!(database("--data here", None).unwrap(), "Directory(\"here\")");
        assert_eq!(database(&format!("--database {url}"), None).unwrap(), server);
        assert_eq!(database("", Some(url)).unwrap(), server);
        for (line, variable, says) in [
            ("", None, "--data DIR"),
            ("--data here", Some(url), "keep one of them"),
            ("--data postgres://me:hunter2@h/db", None, "--data names a directory"),
            ("--data here --database postgres://h/db", None, "cannot be used with"),
            ("--database mysql://me:hunter2@h/db", None, "postgres://"),
            ("--database postgres://me:hunter2@h/db --database-lock-timeout 1ms", None, "10ms"),
        ] {
            let said = database(line, variable).unwrap_err();
            assert!(said.contains(says) && !said.contains("hunter2"), "{line}: {said}");
        }
    }
}
