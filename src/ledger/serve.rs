//! Starts the ledger: addresses, store, listeners, jobs. Ends it in the opposite order.
//!
//! What must hold: the files of a database are touched only by a process that has all its addresses, and nothing is accepted
//! on them before the store is open.

use crate::Secret;
use crate::descriptors;
use crate::domain::call_log::CallLimits;
use crate::domain::reclaim::Watch;
use crate::http::{
    self, Access, App, CachedProbes, Certificates, Connections, Listener, PortalServedAs, PortalSettings,
    PortalSignOn, ReservedAddress, ServedAs, SignOnConfig, SingleSignOn, TlsFiles,
};
use crate::jobs::{self, Collector};
use crate::mailer::{MailConfig, Mailer};
use crate::metrics::{ListenerName, Metrics};
use crate::oidc::{self, Provider};
use crate::otlp::OtlpConfig;
use crate::outgoing::Sender;
use crate::store::{Database, Store, WhereNone};
use anyhow::Context as _;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// The time that requests in flight get at shutdown.
const DRAIN: Duration = Duration::from_secs(5);
/// How many accounts are counted for the first line of the log.
const MOST_COUNTED: u32 = 1_000_000;

/// What `serve` needs to know.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// Where the data is.
    pub database: Database,
    /// What to do where there is no ledger yet.
    pub where_none: WhereNone,
    /// Where gateways exchange.
    pub gateway_listen: SocketAddr,
    /// Where operators administrate.
    pub admin_listen: SocketAddr,
    /// With which certificates gateways are spoken to; without, in the clear.
    pub gateway_tls: Option<TlsFiles>,
    /// With which certificates operators are spoken to; without, in the clear.
    pub admin_tls: Option<TlsFiles>,
    /// What gateways must show, unless they have a named token: one, or two while it is rotated.
    pub gateway_tokens: Vec<Secret>,
    /// What operators must show, unless they have a token of their own: one, or two while it is rotated.
    pub admin_tokens: Vec<Secret>,
    /// The portal for customers, where one is to be open.
    pub portal: Option<PortalConfig>,
    /// What the operator decides about the portal.
    pub portal_settings: PortalSettings,
    /// How many proxies stand before the admin API whose `x-forwarded-for` is believed.
    pub trusted_proxies: u8,
    /// How long the trail of what operators did is kept.
    pub keep_trail: Duration,
    /// How many call records are kept.
    pub call_limits: CallLimits,
    /// To which collector call records are exported; to none, without it.
    pub otlp: Option<OtlpConfig>,
    /// Whether events may be delivered to addresses of private networks, and without TLS.
    pub webhook_allow_private: bool,
    /// How events are sent by mail; without, none are.
    pub mail: Option<MailConfig>,
    /// How operators sign in to the console at a provider; by token alone, without it.
    pub single_sign_on: Option<SignOnConfig>,
    /// The provider at which customers sign in to the portal; otherwise than so, without it.
    pub portal_sign_on: Option<oidc::Settings>,
    /// How long a gateway may spend from a lease without a word from the ledger.
    pub lease_ttl: Duration,
    /// How much longer the ledger waits before it takes an unheard-of lease back.
    pub lease_grace: Duration,
}

/// Where the portal is.
#[derive(Clone, Debug)]
pub struct PortalConfig {
    /// Where customers look.
    pub listen: SocketAddr,
    /// With which certificates they are spoken to; without, in the clear.
    pub tls: Option<TlsFiles>,
    /// How many proxies stand before it whose `x-forwarded-for` and `x-forwarded-proto` are believed.
    pub trusted_proxies: u8,
}

impl ServeConfig {
    /// How long the trail is kept when nothing else is said: a year, and time to look into it.
    pub const KEEP_TRAIL: Duration = Duration::from_hours(400 * 24);
}

/// Where the listeners are, once they are bound.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The gateway API's address.
    pub gateway: SocketAddr,
    /// The admin API's address.
    pub admin: SocketAddr,
    /// The portal's, where it is open.
    pub portal: Option<SocketAddr>,
}

/// Runs the ledger until `shutdown` is ready.
pub async fn serve(config: ServeConfig, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let (tell, _) = oneshot::channel();
    serve_and_tell(config, tell, shutdown).await
}

/// As [`serve`], and tells once both listeners are bound (port 0 picks a free one).
pub async fn serve_and_tell(
    config: ServeConfig,
    bound: oneshot::Sender<Bound>,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    anyhow::ensure!(!config.lease_ttl.is_zero(), "the lease's time to live is 0; use at least 1s");
    let single_sign_on = config.single_sign_on.map(SingleSignOn::new).transpose()?;
    let portal_provider = config.portal_sign_on.map(Provider::new).transpose()?;
    let (stop, stopping) = watch::channel(false);
    let mut jobs = JoinSet::new();
    let metrics = Arc::new(Metrics::default());
    let served = ServedAs {
        is_tls: config.admin_tls.is_some(),
        gateway_is_tls: config.gateway_tls.is_some(),
        keep_trail: config.keep_trail,
        lease_grace: config.lease_grace,
        stop: Some(stopping.clone()),
    };
    let gateway_certificates =
        certificates("gateway", config.gateway_tls, &metrics, &mut jobs, &stopping).await?;
    let admin_certificates = certificates("admin", config.admin_tls, &metrics, &mut jobs, &stopping).await?;
    let portal_served = config.portal.as_ref().map(|portal| PortalServedAs {
        is_tls: portal.tls.is_some(),
        trusted_proxies: portal.trusted_proxies,
    });
    let (portal_listen, portal_tls) = config.portal.map(|portal| (portal.listen, portal.tls)).unzip();
    let portal_certificates =
        certificates("portal", portal_tls.flatten(), &metrics, &mut jobs, &stopping).await?;
    let gateway = Taken::take("gateway", config.gateway_listen)?;
    let admin = Taken::take("admin", config.admin_listen)?;
    let portal = portal_listen.map(|address| Taken::take("portal", address)).transpose()?;
    let store = Store::open_where(&config.database, config.where_none, Arc::clone(&metrics)).await?;
    introduce(&config.database, &store).await?;
    let most = descriptors::connections(if portal.is_some() { 3 } else { 2 });
    let connections = |name| Connections::new(name, most, Arc::clone(&metrics));
    let (at_gateway, at_admin) = (connections(ListenerName::Gateway), connections(ListenerName::Admin));
    let at_portal = connections(ListenerName::Portal);
    let patience = config.lease_ttl.saturating_add(config.lease_grace);
    let watch = Arc::new(Mutex::new(Watch::new(patience)));
    store.refresh_alerts().await.context("can't read what is announced")?;
    store.refresh_tokens().await.context("can't read the tokens of operators and gateways")?;
    let collector = config.otlp.map(|config| Collector::new(config, &metrics)).transpose()?;
    let calls = store.call_log(config.call_limits).exported(collector.as_ref().map(Collector::exports));
    let sender = Sender::new(config.webhook_allow_private).context("can't speak TLS with endpoints")?;
    let portal = portal.map(|portal| portal.listen(portal_certificates)).transpose()?;
    let portal_address = portal.as_ref().map(Listener::address).transpose()?;
    let has_portal_url = config.portal_settings.url.is_some();
    let portal_url =
        config.portal_settings.url.clone().or_else(|| Some(url_at(portal_address?, portal_served?)));
    let portal_sign_on =
        portal_provider.map(|provider| PortalSignOn::new(provider, portal_url.as_deref())).transpose()?;
    let mailer = config.mail.map(Mailer::new).transpose().context("can't send mail")?;
    let app = Arc::new(App {
        store: store.clone(),
        gateway_access: Access::new(ListenerName::Gateway, config.gateway_tokens, &metrics),
        admin_access: Access::new(ListenerName::Admin, config.admin_tokens, &metrics),
        metrics,
        trusted_proxies: config.trusted_proxies,
        ttl_ms: u64::try_from(config.lease_ttl.as_millis()).unwrap_or(u64::MAX),
        watch: Arc::clone(&watch),
        looks: CachedProbes::default(),
        calls,
        portal_url,
        sender,
        mailer,
        single_sign_on,
        portal_sign_on,
    });
    let (gateway, admin) = (gateway.listen(gateway_certificates)?, admin.listen(admin_certificates)?);
    let addresses = Bound { gateway: gateway.address()?, admin: admin.address()?, portal: portal_address };
    tracing::info!(gateway = %addresses.gateway, admin = %addresses.admin, "listening");
    if let Some(portal) = portal_address {
        introduce_portal(portal, app.portal_url.as_deref().unwrap_or_default(), has_portal_url);
    }
    // There may be no receiver for the addresses.
    let _ = bound.send(addresses);

    let keep_trail = config.keep_trail;
    look_after(&mut jobs, &app, (watch, patience), keep_trail, &stopping);
    if let Some(collector) = collector {
        collector.begin(&mut jobs, &app, &stopping);
    }
    let mut servers = JoinSet::new();
    servers.spawn(http::serve(gateway, at_gateway, http::gateway_router(Arc::clone(&app)), stopping.clone()));
    if let (Some(listener), Some(served)) = (portal, portal_served) {
        let router = http::portal_router(Arc::clone(&app), config.portal_settings, served);
        servers.spawn(http::serve(listener, at_portal, router, stopping.clone()));
    }
    servers.spawn(http::serve(admin, at_admin, http::operator_router(app, served), stopping));

    let ended = tokio::select! {
        () = shutdown => Ok(()),
        why = store.gone() => Err(anyhow::anyhow!(why)),
        Some(server) = servers.join_next() => Err(anyhow::anyhow!("a listener has ended: {server:?}")),
    };
    tracing::info!("shutting down");
    let _ = stop.send(true);
    let under_way = async { while servers.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, under_way).await.is_err() {
        tracing::warn!("some requests took too long to finish; dropping them");
        servers.shutdown().await;
    }
    while jobs.join_next().await.is_some() {}
    store.close().await;
    ended
}

/// Where the portal is, for customers on this machine.
fn url_at(address: SocketAddr, portal: PortalServedAs) -> String {
    let scheme = if portal.is_tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// Begins what happens without being asked.
fn look_after(
    jobs: &mut JoinSet<()>,
    app: &App,
    (watch, patience): (Arc<Mutex<Watch>>, Duration),
    keep_trail: Duration,
    stopping: &watch::Receiver<bool>,
) {
    let (store, metrics, stopping) = (&app.store, &app.metrics, || stopping.clone());
    jobs.spawn(jobs::reclaim(store.clone(), watch, patience, stopping()));
    jobs.spawn(jobs::expire(store.clone(), stopping()));
    jobs.spawn(jobs::renew(store.clone(), stopping()));
    jobs.spawn(jobs::prune(store.clone(), keep_trail, stopping()));
    jobs.spawn(jobs::write_calls(app.calls.clone(), stopping()));
    jobs.spawn(jobs::prune_calls(app.calls.clone(), stopping()));
    jobs.spawn(jobs::roll_up(store.clone(), stopping()));
    jobs.spawn(jobs::follow_tokens(store.clone(), stopping()));
    jobs.spawn(jobs::announce_endings(store.clone(), stopping()));
    jobs.spawn(jobs::deliver(store.clone(), app.sender.clone(), Arc::clone(metrics), stopping()));
    if let Some(mailer) = &app.mailer {
        jobs.spawn(jobs::send_mail(store.clone(), mailer.clone(), Arc::clone(metrics), stopping()));
    }
    jobs.spawn(jobs::see_faults(store.clone(), Arc::clone(metrics), stopping()));
    jobs.spawn(jobs::inspect(store.clone(), Arc::clone(metrics), stopping()));
}

/// Reads a listener's certificates, if it has any, and lets them follow their files.
async fn certificates(
    name: &'static str,
    files: Option<TlsFiles>,
    metrics: &Arc<Metrics>,
    jobs: &mut JoinSet<()>,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<Option<Arc<Certificates>>> {
    let Some(files) = files else { return Ok(None) };
    let (certificates, seen) = Certificates::load(name, files, Arc::clone(metrics)).await?;
    jobs.spawn(jobs::follow(Arc::clone(&certificates), seen, stopping.clone()));
    Ok(Some(certificates))
}

/// Says what runs here, in the first line of the log.
async fn introduce(database: &Database, store: &Store) -> anyhow::Result<()> {
    let (kind, place) = match database {
        Database::Directory(dir) => ("SQLite", std::path::absolute(dir).unwrap_or_else(|_| dir.clone())),
        Database::Server(settings) => ("PostgreSQL", settings.to_string().into()),
    };
    let accounts = match store.count_accounts(MOST_COUNTED).await? {
        MOST_COUNTED => format!("{MOST_COUNTED} or more"),
        few => few.to_string(),
    };
    let (version, place, new) = (env!("CARGO_PKG_VERSION"), place.display(), store.is_new());
    tracing::info!(version, database = kind, %place, %accounts, new, "the ledger starts");
    if new {
        tracing::warn!("there was no ledger in this place: a new, empty one has begun");
    }
    Ok(())
}

/// Says where the portal is.
fn introduce_portal(portal: SocketAddr, url: &str, is_named: bool) {
    tracing::info!(%portal, url, "the portal for customers is open");
    if portal.ip().is_unspecified() && !is_named {
        tracing::warn!(
            "links to the portal begin with its listener's address, which customers can't reach; name another as url in --portal-settings"
        );
    }
}

/// An address that only this process has.
struct Taken {
    name: &'static str,
    address: SocketAddr,
    reserved: ReservedAddress,
}

impl Taken {
    fn take(name: &'static str, address: SocketAddr) -> anyhow::Result<Self> {
        let reserved = ReservedAddress::take(address).with_context(|| unusable(name, address))?;
        Ok(Self { name, address, reserved })
    }

    fn listen(self, certificates: Option<Arc<Certificates>>) -> anyhow::Result<Listener> {
        let Self { name, address, reserved } = self;
        Listener::listen(reserved, certificates).with_context(|| unusable(name, address))
    }
}

fn unusable(name: &str, address: SocketAddr) -> String {
    let what = if name == "portal" { "portal".to_owned() } else { format!("{name} API") };
    format!("can't listen on {address} for the {what}; choose another address with --{name}-listen")
}
