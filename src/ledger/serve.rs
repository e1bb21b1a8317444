//! Starts the ledger: store, listeners, jobs. Ends it in the opposite order.

use crate::Secret;
use crate::descriptors;
use crate::domain::reclaim::Watch;
use crate::http::{self, App, CachedProbes, Certificates, Connections, Listener, TlsFiles};
use crate::jobs;
use crate::metrics::{ListenerName, Metrics};
use crate::store::{Database, Store};
use anyhow::Context as _;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// The time that requests in flight get at shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// What `serve` needs to know.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// Where the data is.
    pub database: Database,
    /// Where gateways exchange.
    pub gateway_listen: SocketAddr,
    /// Where operators administrate.
    pub admin_listen: SocketAddr,
    /// With which certificates gateways are spoken to; without, in the clear.
    pub gateway_tls: Option<TlsFiles>,
    /// With which certificates operators are spoken to; without, in the clear.
    pub admin_tls: Option<TlsFiles>,
    /// What gateways must show.
    pub gateway_token: Secret,
    /// What operators must show.
    pub admin_token: Secret,
    /// How long a gateway may spend from a lease without a word from the ledger.
    pub lease_ttl: Duration,
    /// How much longer the ledger waits before it takes an unheard-of lease back.
    pub lease_grace: Duration,
}

/// Where the listeners are, once they are bound.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The gateway API's address.
    pub gateway: SocketAddr,
    /// The admin API's address.
    pub admin: SocketAddr,
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
    let (stop, stopping) = watch::channel(false);
    let mut jobs = JoinSet::new();
    let metrics = Arc::new(Metrics::default());
    let gateway_certificates =
        certificates("gateway", config.gateway_tls, &metrics, &mut jobs, &stopping).await?;
    let admin_certificates = certificates("admin", config.admin_tls, &metrics, &mut jobs, &stopping).await?;
    let most = descriptors::connections();
    let connections = |name| Connections::new(name, most, Arc::clone(&metrics));
    let (at_gateway, at_admin) = (connections(ListenerName::Gateway), connections(ListenerName::Admin));
    let store = Store::open(&config.database, Arc::clone(&metrics)).await?;
    let patience = config.lease_ttl.saturating_add(config.lease_grace);
    let watch = Arc::new(Mutex::new(Watch::new(patience)));
    let app = Arc::new(App {
        store: store.clone(),
        metrics,
        gateway_token: config.gateway_token,
        admin_token: config.admin_token,
        ttl_ms: u64::try_from(config.lease_ttl.as_millis()).unwrap_or(u64::MAX),
        watch: Arc::clone(&watch),
        looks: CachedProbes::default(),
    });
    let gateway = listen("gateway", config.gateway_listen, gateway_certificates).await?;
    let admin = listen("admin", config.admin_listen, admin_certificates).await?;
    let addresses = Bound { gateway: gateway.address()?, admin: admin.address()? };
    tracing::info!(gateway = %addresses.gateway, admin = %addresses.admin, "listening");
    // There may be no receiver for the addresses.
    let _ = bound.send(addresses);

    jobs.spawn(jobs::reclaim(store.clone(), watch, patience, stopping.clone()));
    jobs.spawn(jobs::expire(store.clone(), stopping.clone()));
    jobs.spawn(jobs::renew(store.clone(), stopping.clone()));
    jobs.spawn(jobs::prune(store.clone(), stopping.clone()));
    jobs.spawn(jobs::inspect(store.clone(), stopping.clone()));
    let mut servers = JoinSet::new();
    servers.spawn(http::serve(gateway, at_gateway, http::gateway_router(Arc::clone(&app)), stopping.clone()));
    servers.spawn(http::serve(admin, at_admin, http::admin_router(app), stopping));

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

async fn listen(
    name: &str,
    address: SocketAddr,
    certificates: Option<Arc<Certificates>>,
) -> anyhow::Result<Listener> {
    Listener::bind(address, certificates).await.with_context(|| {
        format!("can't listen on {address} for the {name} API; choose another address with --{name}-listen")
    })
}
