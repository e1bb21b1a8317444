//! Which certificates `serve` shows, and asks for.

use clap::Args;
use faregate_client::{Failure, tokens::Environment};
use faregate_ledger::TlsFiles;
use std::path::PathBuf;

/// The variables that stand for the flags of the same names.
const CERT: &str = "FAREGATE_TLS_CERT";
const KEY: &str = "FAREGATE_TLS_KEY";
const CLIENT_CA: &str = "FAREGATE_TLS_CLIENT_CA";

/// TLS on the ledger's listeners.
#[derive(Args)]
#[command(next_help_heading = "TLS")]
#[expect(clippy::struct_field_names, reason = "they are the names of the flags")]
pub struct Tls {
    /// Speak TLS with gateways: a PEM file of the ledger's certificate, and behind it those between it and the
    /// authority; or set FAREGATE_TLS_CERT. New contents are taken into use within seconds
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM); or set FAREGATE_TLS_KEY
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Let only those gateways in whose certificate one of these authorities (PEM) has signed; or set
    /// FAREGATE_TLS_CLIENT_CA
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// Speak TLS with operators, too, with the same certificate; none is asked of them
    #[arg(long)]
    admin_tls: bool,
    /// Speak TLS with customers in the portal, too, with the same certificate; none is asked of them
    #[arg(long)]
    portal_tls: bool,
}

/// The files of each listener; without, it speaks in the clear.
#[derive(Debug, Default)]
pub struct Files {
    /// Of the gateway listener.
    pub gateway: Option<TlsFiles>,
    /// Of the admin listener.
    pub admin: Option<TlsFiles>,
    /// Of the portal.
    pub portal: Option<TlsFiles>,
}

impl Tls {
    /// The files of each listener.
    pub fn files(self, environment: Environment<'_>) -> Result<Files, Failure> {
        let or = |flag: Option<PathBuf>, variable| {
            flag.or_else(|| environment(variable).filter(|path| !path.is_empty()).map(PathBuf::from))
        };
        let (certificate, key) = (or(self.tls_cert, CERT), or(self.tls_key, KEY));
        let client_ca = or(self.tls_client_ca, CLIENT_CA);
        let missing = |given: &str, flag: &str, variable: &str| {
            Err(Failure::usage(format!("{given} without {flag}"))
                .cure(format!("give {flag} FILE or set {variable}, or leave TLS out altogether")))
        };
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let admin = TlsFiles { certificate, key, client_ca: None };
                let gateway = TlsFiles { client_ca, ..admin.clone() };
                Ok(Files {
                    gateway: Some(gateway),
                    admin: self.admin_tls.then(|| admin.clone()),
                    portal: self.portal_tls.then_some(admin),
                })
            }
            (Some(_), None) => missing("--tls-cert", "--tls-key", KEY),
            (None, Some(_)) => missing("--tls-key", "--tls-cert", CERT),
            (None, None) if client_ca.is_some() => missing("--tls-client-ca", "--tls-cert", CERT),
            (None, None) if self.admin_tls => missing("--admin-tls", "--tls-cert", CERT),
            (None, None) if self.portal_tls => missing("--portal-tls", "--tls-cert", CERT),
            (None, None) => Ok(Files::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        tls: Tls,
    }

    fn files(line: &str, variables: &[&str]) -> Result<Files, Failure> {
        let words = std::iter::once("serve").chain(line.split_whitespace());
        let environment = |name: &str| variables.contains(&name).then(|| name.to_lowercase().into());
        Line::try_parse_from(words).unwrap().tls.files(&environment)
    }

    #[test]
    fn incomplete_tls_options_are_rejected() {
        let none = files("", &[]).unwrap();
        assert!(none.gateway.is_none() && none.admin.is_none() && none.portal.is_none());
        let all = files("--tls-cert c --admin-tls --portal-tls", &[KEY, CLIENT_CA]).unwrap();
        let (gateway, admin, portal) = (all.gateway.unwrap(), all.admin.unwrap(), all.portal.unwrap());
        assert_eq!((portal.certificate, portal.client_ca), ("c".into(), None));
        assert_eq!((gateway.certificate, gateway.key), ("c".into(), "faregate_tls_key".into()));
        assert_eq!(gateway.client_ca, Some("faregate_tls_client_ca".into()));
        assert_eq!(admin.client_ca, None, "operators are known by their token");
        let gateways = files("--tls-cert c --tls-key k", &[]).unwrap();
        assert!(gateways.admin.is_none() && gateways.portal.is_none());
        for (line, says) in [
            ("--tls-cert c", "--tls-cert without --tls-key"),
            ("--tls-key k", "--tls-key without --tls-cert"),
            ("--tls-client-ca a", "--tls-client-ca without --tls-cert"),
            ("--admin-tls", "--admin-tls without --tls-cert"),
            ("--portal-tls", "--portal-tls without --tls-cert"),
        ] {
            assert_eq!(files(line, &[]).unwrap_err().to_string(), says);
        }
    }
}
