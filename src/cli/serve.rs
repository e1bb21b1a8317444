//! `faregate serve`: runs the ledger until a signal stops it.

use crate::{
    certificates::Tls,
    place::{Limits, Place},
    when,
};
use clap::Args;
use faregate_client::{
    Failure,
    process::{STOP, log_to_stderr, runtime, stop_signal},
    tokens::{self, process_environment},
};
use faregate_ledger::{Secret, ServeConfig, WhereNone};
use std::{net::SocketAddr, time::Duration};

/// The tokens come from FAREGATE_GATEWAY_TOKEN and FAREGATE_ADMIN_TOKEN, or from the files that
/// FAREGATE_GATEWAY_TOKEN_FILE and FAREGATE_ADMIN_TOKEN_FILE name. There is no default.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    place: Place,
    /// Begin a new, empty ledger if there is none in this place yet; one that is there is used as it is
    #[arg(long)]
    init: bool,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    tls: Tls,
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
}

impl Serve {
    pub fn run(self, json: bool) -> Result<(), Failure> {
        let gateway_token = tokens::from_environment(tokens::GATEWAY, &process_environment)?;
        let admin_token = tokens::from_environment(tokens::ADMIN, &process_environment)?;
        if gateway_token == admin_token {
            return Err(Failure::new(
                "token",
                format!("{} and {} are the same", tokens::GATEWAY, tokens::ADMIN),
            )
            .cure("make two: a gateway must not be able to grant credits"));
        }
        log_to_stderr(json, "info")?;
        let mut database = self.place.database(&process_environment)?;
        self.limits.apply(&mut database)?;
        let (gateway_tls, admin_tls) = self.tls.files(&process_environment)?;
        let config = ServeConfig {
            database,
            where_none: if self.init { WhereNone::Begin } else { WhereNone::Refuse },
            gateway_listen: self.gateway_listen,
            admin_listen: self.admin_listen,
            gateway_tls,
            admin_tls,
            gateway_token: Secret::new(gateway_token),
            admin_token: Secret::new(admin_token),
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
