//! Connections that the ledger opens: to endpoints of webhooks, and to a provider of identities.
//!
//! What must hold: the address that is connected to is the one that was checked.

use crate::domain::outgoing::{Target, is_public};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

/// A connection, over TLS or in the clear.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// TLS that trusts the authorities that the system trusts.
pub fn system_tls() -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(tls))
}

/// Opens connections.
#[derive(Clone)]
pub struct Dialer {
    tls: Arc<ClientConfig>,
    private: bool,
    option: &'static str,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("private", &self.private).finish_non_exhaustive()
    }
}

impl Dialer {
    /// One that trusts the authorities that the system trusts. It calls addresses of private networks only if that is allowed, which
    /// this option does.
    pub fn new(private: bool, option: &'static str) -> Result<Self, rustls::Error> {
        Ok(Self { tls: system_tls()?, private, option })
    }

    /// Whether addresses of private networks may be called, and without TLS.
    pub const fn allows_private(&self) -> bool {
        self.private
    }

    /// Opens a connection.
    pub async fn open(&self, target: &Target) -> Result<Box<dyn Wire>, String> {
        let stream = self.connect(target).await?;
        if !target.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| format!("{} is no name that a certificate could have", target.host))?;
        let connecting = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream);
        let stream = connecting.await.map_err(|why| format!("no TLS with the endpoint: {why}"))?;
        Ok(Box::new(stream))
    }

    /// Connects to the first address that may be called, and answers.
    async fn connect(&self, target: &Target) -> Result<TcpStream, String> {
        let found = lookup_host((target.host.as_str(), target.port)).await;
        let found: Vec<SocketAddr> =
            found.map_err(|why| format!("{} can't be resolved: {why}", target.host))?.collect();
        let mut failed = format!("{} has no address", target.host);
        for address in found {
            if !self.private && !is_public(address.ip().to_canonical()) {
                failed = format!(
                    "{} is at {}, which is no address of the public internet; {} allows it",
                    target.host,
                    address.ip(),
                    self.option
                );
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(why) => failed = format!("can't connect to {address}: {why}"),
            }
        }
        Err(failed)
    }
}
