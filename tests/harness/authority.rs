//! A certificate authority of a story's own.

use jiff::{Timestamp, ToSpan as _};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// An authority of its own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate (PEM).
    pub pem: String,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a root certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Writes its certificate into this folder; returns the file.
    pub fn write(&self, dir: &Path, file: &str) -> PathBuf {
        let path = dir.join(file);
        std::fs::write(&path, &self.pem).expect("a file");
        path
    }

    /// Writes NAME.pem and NAME.key into this folder: a certificate for a host, valid for a day.
    pub fn issue(&self, dir: &Path, name: &str, host: &str) {
        self.issue_until(dir, name, host, 1);
    }

    /// The same, valid until so many days from now; fewer than 0 for one that has expired.
    pub fn issue_until(&self, dir: &Path, name: &str, host: &str, days: i64) {
        let now = Timestamp::now();
        let at = |hours: i64| SystemTime::from(now + hours.hours());
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        params.not_before = at(-48).into();
        params.not_after = at(days * 24).into();
        // Another name than the authority's, or it would pass for one that has signed itself.
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        for (kind, text) in [("pem", certificate.pem()), ("key", key.serialize_pem())] {
            // As a careful administrator does it: whole, or not at all.
            let fresh = dir.join(format!("{name}.{kind}.new"));
            std::fs::write(&fresh, text).expect("a file");
            std::fs::rename(fresh, dir.join(format!("{name}.{kind}"))).expect("a file");
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
