//! `faregate serve`: runs the ledger until a signal stops it.

use crate::{
    certificates::Tls,
    customers::Customers,
    mail_server::MailServer,
    oidc::ProviderOptions,
    otlp::Collector,
    place::{Limits, Place},
    when,
};
use clap::Args;
use faregate_client::{
    Failure,
    process::{STOP, log_to_stderr, runtime, stop_signal},
    tokens::{self, process_environment},
};
use faregate_ledger::{CallLimits, Secret, ServeConfig, WhereNone, http::MAX_PROXIES};
use std::{net::SocketAddr, time::Duration};

/// What is logged unless FAREGATE_LOG says otherwise. The pool warns of each connection that a server closes; the ledger says once that
/// the server is down.
const QUIET_POOL: &str = "info,deadpool.postgres=error";
/// Shorter than this, the trail would be gone before anybody looked.
const MIN_KEEP_TRAIL: Duration = Duration::from_hours(24);
/// For longer, call records are no log any more.
const MAX_CALL_DAYS: i64 = 3_660;

/// The tokens come from FAREGATE_GATEWAY_TOKEN and FAREGATE_ADMIN_TOKEN, or from the files that
/// FAREGATE_GATEWAY_TOKEN_FILE and FAREGATE_ADMIN_TOKEN_FILE name. There is no default. To rotate one, set
/// FAREGATE_GATEWAY_TOKEN_PREVIOUS or FAREGATE_ADMIN_TOKEN_PREVIOUS to the old one until nothing sends it any more.
#[derive(Args)]
pub struct Serve {
    /// Where gateways exchange
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7401")]
    gateway_listen: SocketAddr,
    /// Where operators administrate
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7402")]
    admin_listen: SocketAddr,
    /// How long a gateway may spend from a lease without a word from the ledger
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = when::duration)]
    lease_ttl: Duration,
    /// How much longer the ledger waits before it takes an unheard-of lease back
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = when::duration)]
    lease_grace: Duration,
    /// How long the trail of what operators did is kept
    #[arg(long, value_name = "TIME", default_value = "400d", value_parser = when::duration)]
    keep_trail: Duration,
    /// For how many days call records are kept; with 0 none are
    #[arg(long, value_name = "NUMBER", default_value_t = CallLimits::USUAL.days, value_parser = clap::value_parser!(u32).range(..=MAX_CALL_DAYS))]
    keep_calls_days: u32,
    /// How many call records are kept at most; the oldest days are dropped first
    #[arg(long, value_name = "NUMBER", default_value_t = CallLimits::USUAL.rows, value_parser = clap::value_parser!(u64).range(1..))]
    keep_calls: u64,
    /// How many proxies before the admin API add the client's address to x-forwarded-for; with 0 the trail has the address
    /// of the connection
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=i64::from(MAX_PROXIES)))]
    admin_trusted_proxies: u8,
    /// Deliver events also to addresses of private networks and of this machine, and to http:// URLs
    #[arg(long)]
    webhook_allow_private: bool,
    #[command(flatten)]
    place: Place,
    /// Begin a new, empty ledger if there is none in this place yet; one that is there is used as it is
    #[arg(long, help_heading = "Database")]
    init: bool,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    mail: MailServer,
    #[command(flatten)]
    collector: Collector,
    #[command(flatten)]
    tls: Tls,
    #[command(flatten)]
    customers: Customers,
    #[command(flatten)]
    oidc: ProviderOptions,
}

impl Serve {
    pub fn run(self, json: bool) -> Result<(), Failure> {
        let gateway_tokens = tokens_of(tokens::GATEWAY, tokens::PREVIOUS_GATEWAY)?;
        let admin_tokens = tokens_of(tokens::ADMIN, tokens::PREVIOUS_ADMIN)?;
        let shared = |(name, token): &(&'static str, String)| {
            let other = admin_tokens.iter().find(|(_, other)| other == token);
            other.map(|(other, _)| (*name, *other))
        };
        if let Some((gateway, admin)) = gateway_tokens.iter().find_map(shared) {
            return Err(Failure::new("token", format!("{gateway} and {admin} are the same"))
                .cure("make two: a gateway must not be able to grant credits"));
        }
        if self.keep_trail < MIN_KEEP_TRAIL {
            return Err(Failure::usage(format!("--keep-trail is {:?}; give at least 1d", self.keep_trail)));
        }
        log_to_stderr(json, QUIET_POOL)?;
        let mut database = self.place.database(&process_environment)?;
        self.limits.apply(&mut database)?;
        let mail = self.mail.config(&process_environment)?;
        let otlp = self.collector.config(&process_environment)?;
        let files = self.tls.files(&process_environment)?;
        let portal_sign_on = self.customers.provider(&process_environment)?;
        let (portal, portal_settings) = self.customers.read(files.portal)?;
        let single_sign_on = self.oidc.config(&process_environment)?;
        let config = ServeConfig {
            database,
            where_none: if self.init { WhereNone::Begin } else { WhereNone::Refuse },
            gateway_listen: self.gateway_listen,
            admin_listen: self.admin_listen,
            gateway_tls: files.gateway,
            admin_tls: files.admin,
            gateway_tokens: secrets(gateway_tokens),
            admin_tokens: secrets(admin_tokens),
            portal,
            portal_settings,
            trusted_proxies: self.admin_trusted_proxies,
            keep_trail: self.keep_trail,
            call_limits: CallLimits { days: self.keep_calls_days, rows: self.keep_calls },
            otlp,
            webhook_allow_private: self.webhook_allow_private,
            mail,
            single_sign_on,
            portal_sign_on,
            lease_ttl: self.lease_ttl,
            lease_grace: self.lease_grace,
        };
        runtime()?.block_on(async {
            let stop = stop_signal(&STOP)?;
            faregate_ledger::serve(config, stop)
                .await
                .map_err(|error| Failure::new("serve", format!("{error:#}")))
        })
    }
}

/// A listener's token and, while it is rotated, the one before; each with its variable.
fn tokens_of(name: &'static str, previous: &'static str) -> Result<Vec<(&'static str, String)>, Failure> {
    let mut found = vec![(name, tokens::from_environment(name, &process_environment)?)];
    found.extend(tokens::optional(previous, &process_environment)?.map(|token| (previous, token)));
    Ok(found)
}

fn secrets(tokens: Vec<(&'static str, String)>) -> Vec<Secret> {
    tokens.into_iter().map(|(_, token)| Secret::new(token)).collect()
}
