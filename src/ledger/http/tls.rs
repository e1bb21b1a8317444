//! The ledger's certificate, and whose certificates it asks for, read from PEM files.
//!
//! What must hold: what is taken into use is complete, belongs together, and is valid today; an error names
//! the file and the cure; nothing of a key is ever shown.

use jiff::Timestamp;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{Error, RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where the certificates are.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The ledger's own certificate, and those between it and the authority that clients trust.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities one of which must have signed a client's certificate; `None` asks for none.
    pub client_ca: Option<PathBuf>,
}

/// Why certificates can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}; {cure}")]
pub struct TlsError {
    file: String,
    why: String,
    cure: &'static str,
}

impl TlsError {
    fn new(file: &Path, why: impl Into<String>, cure: &'static str) -> Self {
        Self { file: file.display().to_string(), why: why.into(), cure }
    }

    /// The task that read the files didn't come back.
    pub fn lost(why: &impl std::fmt::Display) -> Self {
        Self::new(Path::new("the certificates' files"), why.to_string(), "restart the ledger")
    }
}

/// The files as they were at one moment.
pub struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl TlsFiles {
    /// Reads them.
    pub fn read(&self) -> Result<Contents, TlsError> {
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            client_ca: self.client_ca.as_deref().map(read).transpose()?,
        })
    }

    /// Makes of their contents what a listener needs, and says until when its certificate is valid.
    pub fn configuration(&self, contents: &Contents) -> Result<(ServerConfig, Timestamp), TlsError> {
        let chain = certificates(&self.certificate, &contents.certificate)?;
        let until = valid_until(&self.certificate, &chain)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|error| {
            let why = match error {
                pem::Error::NoItemsFound => "holds no private key in PEM form".to_owned(),
                other => format!("holds no private key that can be read ({other})"),
            };
            TlsError::new(
                &self.key,
                why,
                "give the key of the certificate, unencrypted: -----BEGIN PRIVATE KEY-----",
            )
        })?;
        let provider = Arc::new(ring::default_provider());
        let broken =
            |error: Error| TlsError::new(&self.certificate, error.to_string(), "give another certificate");
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(broken)?;
        let builder = match (&self.client_ca, &contents.client_ca) {
            (Some(file), Some(bytes)) => {
                let invalid = |why: String| {
                    TlsError::new(file, why, "give the authorities that sign gateways' certificates")
                };
                let mut roots = RootCertStore::empty();
                for certificate in certificates(file, bytes)? {
                    roots.add(certificate).map_err(|error| invalid(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| invalid(error.to_string()))?)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            Error::InconsistentKeys(_) => TlsError::new(
                &self.key,
                format!("holds another key than that of the certificate in {}", self.certificate.display()),
                "give the two that were made together; the ledger's own certificate comes first in its file",
            ),
            other => TlsError::new(
                &self.key,
                other.to_string(),
                "give an RSA, ECDSA or Ed25519 key and its certificate",
            ),
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok((config, until))
    }
}

impl Contents {
    /// By which a change is noticed.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for part in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten()
        {
            hasher.update(part.len().to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    File::open(file).and_then(|open| open.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(
        |error| {
            TlsError::new(file, format!("can't be read: {error}"), "name a PEM file that the ledger may read")
        },
    )?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let why = format!("is larger than {MAX_FILE_BYTES} bytes");
        return Err(TlsError::new(file, why, "name a PEM file of certificates or a key"));
    }
    Ok(bytes)
}

fn certificates(file: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let cure = "it must hold -----BEGIN CERTIFICATE----- and what follows";
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let found = found.map_err(|error| TlsError::new(file, format!("can't be read as PEM: {error}"), cure))?;
    if found.is_empty() {
        return Err(TlsError::new(file, "holds no certificate in PEM form", cure));
    }
    Ok(found)
}

/// Until when the first of these is valid, if it is now.
fn valid_until(file: &Path, chain: &[CertificateDer<'static>]) -> Result<Timestamp, TlsError> {
    let unread = || TlsError::new(file, "holds a certificate that can't be read", "give another certificate");
    let own = chain.first().ok_or_else(unread)?;
    let own = Certificate::from_der(own).map_err(|_| unread())?;
    let validity = own.tbs_certificate.validity;
    let date = |time: x509_cert::time::Time| Timestamp::try_from(time.to_system_time()).map_err(|_| unread());
    let (from, until) = (date(validity.not_before)?, date(validity.not_after)?);
    let now = Timestamp::now();
    if now > until {
        return Err(TlsError::new(file, format!("the certificate has expired on {until}"), "renew it"));
    }
    if now < from {
        let why = format!("the certificate is valid only from {from}");
        return Err(TlsError::new(file, why, "wait, give another, or set the machine's clock"));
    }
    Ok(until)
}
