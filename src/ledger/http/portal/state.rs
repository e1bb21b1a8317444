//! What the portal's handlers share.

use super::settings::PortalSettings;
use super::turns::Turns;
use crate::http::app::App;
use crate::http::auth::Denials;
use crate::http::connection::Peer;
use crate::http::connections::ConnectionSlot;
use crate::http::forwarded;
use crate::http::pages::STYLE;
use crate::http::pages::attempts::Attempts;
use crate::http::pages::session_value::hex;
use crate::log_limit::LogLimit;
use crate::metrics::ListenerName;
use axum::http::HeaderMap;
use sha2::{Digest as _, Sha256};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// How many changes the customers of one account may make within [`attempts::PERIOD`](crate::http::pages::attempts::PERIOD), at each
/// ledger.
pub const MAX_CHANGES: u32 = 30;

/// What is the portal's own in its style sheet.
const OWN_STYLE: &str = include_str!("portal.css");

/// How the portal is served.
#[derive(Clone, Copy, Debug, Default)]
pub struct PortalServedAs {
    /// Whether its listener speaks TLS.
    pub is_tls: bool,
    /// How many proxies stand before it whose `x-forwarded-for` and `x-forwarded-proto` are believed.
    pub trusted_proxies: u8,
}

/// The portal.
#[derive(Debug)]
pub struct Portal {
    /// What all listeners work on.
    pub app: Arc<App>,
    /// What the operator has decided.
    pub settings: PortalSettings,
    /// How it is served.
    pub served: PortalServedAs,
    /// Who failed to sign in.
    pub attempts: Attempts,
    /// How much each account's customers have changed.
    pub changes: Attempts<String, MAX_CHANGES>,
    /// Whose requests are under way.
    pub turns: Turns,
    /// Requests that were not let in.
    pub denials: Denials,
    /// Keeps sign-ins at a provider that is down from filling the log.
    pub sign_on_log: LogLimit,
    /// The style sheet.
    pub style: String,
    /// By what its address, and the logo's, change with it.
    pub version: String,
}

impl Portal {
    /// One with these settings.
    pub fn new(app: Arc<App>, settings: PortalSettings, served: PortalServedAs) -> Self {
        let accent = settings.accent.map(super::colors::style).unwrap_or_default();
        let style = [STYLE, OWN_STYLE, &accent].concat();
        let logo = settings.logo.as_ref().map_or([].as_slice(), |logo| &logo.bytes);
        let hash = Sha256::new().chain_update(&style).chain_update(logo).finalize();
        let version = hex(hash.get(..6).unwrap_or_default());
        let denials = Denials::new(ListenerName::Portal, Arc::clone(&app.metrics));
        let (attempts, changes, turns, sign_on_log) = Default::default();
        Self { app, settings, served, attempts, changes, turns, denials, sign_on_log, style, version }
    }

    /// Whether a request came over TLS, to the ledger or to a proxy that is trusted.
    pub fn is_tls(&self, headers: &HeaderMap) -> bool {
        let forwarded = || headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
        self.served.is_tls || self.served.trusted_proxies > 0 && forwarded()
    }
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct From {
    /// The connection.
    pub seat: Option<Arc<ConnectionSlot>>,
    /// The client's address, as the trail has it.
    pub client: String,
}

impl From {
    /// That of a request with these headers.
    pub fn of(portal: &Portal, headers: &HeaderMap, seat: Option<Arc<ConnectionSlot>>) -> Self {
        let socket = seat.as_ref().map(|seat| seat.connection.address.ip());
        let client = forwarded::client(headers, socket, portal.served.trusted_proxies);
        Self { seat, client }
    }

    /// By what attempts are counted.
    pub fn peer(&self) -> Option<Peer> {
        self.client.parse::<IpAddr>().ok().map(Peer::of)
    }

    /// The connection's address.
    pub fn socket(&self) -> Option<SocketAddr> {
        self.seat.as_ref().map(|seat| seat.connection.address)
    }

    /// Its client is known.
    pub fn trust(&self) {
        if let Some(seat) = &self.seat {
            seat.trust();
        }
    }
}
