//! Certificates for a private PostgreSQL server, each from a new authority of its own.

use super::programs::{Cluster, give};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

/// A server's certificate, its key, and the authority's certificate (PEM).
pub struct Certificate {
    /// What clients must be given to believe the server.
    pub root: String,
    server: String,
    key: String,
}

impl Certificate {
    /// One that is good for a host of this name.
    pub fn of(host: &str) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let signing_key = KeyPair::generate().expect("a key");
        let root = authority.self_signed(&signing_key).expect("a root certificate").pem();
        let issuer = Issuer::new(authority, signing_key);
        let key = KeyPair::generate().expect("a key");
        let server = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        let server = server.signed_by(&key, &issuer).expect("a certificate").pem();
        Self { root, server, key: key.serialize_pem() }
    }

    /// Makes a cluster use it, and refuse clients that don't encrypt.
    pub(super) fn install(&self, cluster: &Cluster) {
        let data = cluster.dir.join("data");
        for (name, text) in [("server.crt", &self.server), ("server.key", &self.key)] {
            let path = data.join(name);
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a private file");
            give(&path);
        }
        let settings = data.join("postgresql.conf");
        let before = fs::read_to_string(&settings).expect("the settings");
        fs::write(&settings, format!("{before}\nssl = on\nlog_connections = on\n")).expect("the settings");
        fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n").expect("the rules");
    }
}
