//! The certificate authorities that a client trusts for the ledger.

use crate::Failure;
use rustls::crypto::ring;
use std::{path::Path, sync::Arc};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Trusts the authorities in a PEM file, or else those that the system trusts.
pub fn trust(file: Option<&Path>) -> Result<TlsConfig, Failure> {
    let authorities = match file {
        Some(file) => in_file(file)?,
        None => of_system()?,
    };
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(authorities)))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build())
}

fn in_file(file: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let unfit = |why: String| {
        Failure::new("authority", format!("{}: {why}", file.display()))
            .cure("name a PEM file: it must hold -----BEGIN CERTIFICATE----- and what follows")
    };
    let size = std::fs::metadata(file).map_err(|error| unfit(format!("can't be read: {error}")))?.len();
    if size > MAX_FILE_BYTES {
        return Err(unfit(format!("is larger than {MAX_FILE_BYTES} bytes")));
    }
    let pem = std::fs::read(file).map_err(|error| unfit(format!("can't be read: {error}")))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(unfit(format!("can't be read as PEM: {error}"))),
        }
    }
    if found.is_empty() {
        return Err(unfit("holds no certificate in PEM form".to_owned()));
    }
    Ok(found)
}

fn of_system() -> Result<Vec<Certificate<'static>>, Failure> {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return Err(Failure::new("authority", "the system has no root certificates")
            .cure("name the ledger's authority with --server-ca FILE"));
    }
    Ok(found.into_iter().map(|certificate| Certificate::from_der(certificate.as_ref()).to_owned()).collect())
}
