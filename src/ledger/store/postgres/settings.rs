//! The address of the PostgreSQL server, and the timeouts for it.
//!
//! The URL is libpq's: `postgres://user:password@host:port/database?sslmode=…`; several hosts with commas
//! between are tried in turn until one takes writes. `sslmode` is `disable`, `prefer` (the default),
//! `require` (encrypted, but with whomever) or `verify-full` (the server's certificate must be good for
//! the host's name). The password is in no message and no log.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// Why a URL doesn't say where the database is. It never repeats the URL, which has a password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Some other kind of database.
    #[error(
        "the database's URL begins with neither postgres:// nor postgresql://; write postgres://user:password@host/database"
    )]
    Scheme,
    /// An unknown way to encrypt.
    #[error("sslmode={0:?} in the database's URL is unknown; use disable, prefer, require or verify-full")]
    SslMode(String),
    /// An `@` that doesn't belong there: part of a password would be taken for a host, and shown.
    #[error(
        "the database's URL has an @ too many, or behind its host; in a user's name or a password write @ as %40, / as %2F, ? as %3F, # as %23 and % as %25"
    )]
    At,
    /// Anything else.
    #[error(
        "the database's URL can't be read ({0}); write postgres://user:password@host:5432/database?sslmode=verify-full"
    )]
    Form(String),
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    Disable,
    /// If the server can, without looking at its certificate.
    Prefer,
    /// Always, without looking at its certificate, unless a root certificate is given.
    Require,
    /// Always, and the certificate must be good for the host's name.
    VerifyFull,
}

/// All that the store must know about its server. Its `Debug` doesn't print the password.
#[derive(Clone)]
pub struct Settings {
    pub(super) server: tokio_postgres::Config,
    pub(super) encryption: Encryption,
    /// A file of root certificates (PEM) to trust instead of the system's.
    pub root_cert: Option<PathBuf>,
    /// The most connections of this ledger.
    pub pool_size: usize,
    /// How long to wait for a connection, a new or a free one.
    pub connect_timeout: Duration,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// How long one statement may wait for another ledger's transaction.
    pub lock_timeout: Duration,
}

impl Settings {
    /// The most connections, unless another number is given.
    pub const POOL_SIZE: usize = 8;
    /// How long to wait for a connection, unless another time is given.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    /// How long a statement may run, unless another time is given.
    pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
    /// How long a statement may wait for a lock, unless another time is given.
    pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

    /// Reads a URL; all else is as usual.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(BadUrl::Scheme);
        }
        let (_, rest) = url.split_once("://").ok_or(BadUrl::Scheme)?;
        let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.matches('@').count() > 1 || behind.contains('@') {
            return Err(BadUrl::At);
        }
        let shows_password = behind.contains("password");
        let (url, mode) = without_sslmode(url);
        let encryption = match mode {
            None | Some("prefer") => Encryption::Prefer,
            Some("disable") => Encryption::Disable,
            Some("require") => Encryption::Require,
            Some("verify-full") => Encryption::VerifyFull,
            Some(_) if shows_password => return Err(BadUrl::SslMode("…".into())),
            Some(other) => return Err(BadUrl::SslMode(other.chars().take(20).collect())),
        };
        let mut server: tokio_postgres::Config = url.parse().map_err(|error| {
            // The name of an option that isn't known may be what is behind an & in a password.
            BadUrl::Form(if shows_password { "an option in it is wrong".into() } else { why(&error) })
        })?;
        if server.get_hosts().is_empty() {
            return Err(BadUrl::Form("it names no host".into()));
        }
        if server.get_user().is_none() || server.get_dbname().is_none() {
            return Err(BadUrl::Form("it names no user or no database".into()));
        }
        server.ssl_mode(match encryption {
            Encryption::Disable => SslMode::Disable,
            Encryption::Prefer => SslMode::Prefer,
            Encryption::Require | Encryption::VerifyFull => SslMode::Require,
        });
        server.target_session_attrs(TargetSessionAttrs::ReadWrite).application_name("faregate");
        Ok(Self {
            server,
            encryption,
            root_cert: None,
            pool_size: Self::POOL_SIZE,
            connect_timeout: Self::CONNECT_TIMEOUT,
            statement_timeout: Self::STATEMENT_TIMEOUT,
            lock_timeout: Self::LOCK_TIMEOUT,
        })
    }

    /// How long a whole transaction may take before its connection is given up.
    pub(super) fn patience(&self) -> Duration {
        self.statement_timeout.saturating_mul(3)
    }
}

/// Where it is, for people: hosts, ports and the database's name.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        let ports = self.server.get_ports();
        for (n, host) in self.server.get_hosts().iter().enumerate() {
            f.write_str(if n == 0 { "" } else { "," })?;
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            if let Some(port) = ports.get(n).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.server.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({self})")
    }
}

/// What is wrong, in the driver's words; they name options, also unknown ones, and never values.
fn why(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Takes `sslmode` out of the query: the driver doesn't know `verify-full`.
fn without_sslmode(url: &str) -> (String, Option<&str>) {
    let Some((before, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mode = query.split('&').find_map(|pair| pair.strip_prefix("sslmode="));
    let others: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("sslmode=")).collect();
    (format!("{before}?{}", others.join("&")), mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_the_database_and_hides_the_password() {
        let settings =
            Settings::parse("postgres://me:hunter2@db.test:5433/money?sslmode=verify-full&connect_timeout=3")
                .unwrap();
        assert_eq!(settings.encryption, Encryption::VerifyFull);
        assert_eq!(settings.to_string(), "postgres://db.test:5433/money");
        assert!(!format!("{settings:?}").contains("hunter2"));
        let settings = Settings::parse("postgresql://me@a,b/money").unwrap();
        assert_eq!(
            (settings.encryption, settings.to_string().as_str()),
            (Encryption::Prefer, "postgres://a:5432,b:5432/money")
        );
    }

    #[test]
    fn an_invalid_url_is_explained_without_the_password() {
        for (url, says) in [
            ("mysql://me:hunter2@h/db", "neither postgres://"),
            ("postgres://me:hunter2@h/db?sslmode=maybe", "\"maybe\""),
            ("postgres://me:hunter2@h/db?hunter=3", "hunter"),
            ("postgres://me:hunter2@h:port/db", "port"),
            ("postgres://me:hunter2@x@h/db", "%40"),
            ("postgres://me:hun/ter2@h/db", "%40"),
            ("postgres://me:hun?ter2@h/db", "%40"),
            ("postgres://me:hun#ter2@h/db", "%40"),
            ("postgres://me:hun?sslmode=ter2@h/db", "%40"),
            ("postgres://h/db?user=me&password=hun@ter2", "%40"),
            ("postgres://h/db?user=me&password=hun&ter2", "an option in it"),
            ("postgres://h/db?user=me&password=hun&sslmode=ter2", "unknown"),
            ("host=h user=me password=hunter2 dbname=db", "neither postgres://"),
            ("postgres:///db?user=me", "no host"),
            ("postgres://h", "no user or no database"),
        ] {
            let said = Settings::parse(url).unwrap_err().to_string();
            assert!(said.contains(says) && !said.contains("ter2"), "{url}: {said}");
        }
    }
}
