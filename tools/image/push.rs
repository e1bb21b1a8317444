//! A folder's way into a registry, by skopeo: it knows registries, their tokens and their certificates.
//!
//! What must hold: only an image that was checked leaves, the registry keeps its digest, and nothing travels in the
//! clear but to this machine itself.

use crate::layout::{self, Digest};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The arguments of `push`.
#[derive(Args)]
pub struct Push {
    /// The registry, and a path in it: HOST[:PORT][/PATH]. Plain HTTP is spoken on loopback only
    #[arg(long)]
    registry: String,
    /// The tag
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
    /// The program that pushes
    #[arg(long, value_name = "FILE", default_value = "skopeo")]
    skopeo: PathBuf,
    /// The images' folders
    #[arg(required = true)]
    layouts: Vec<PathBuf>,
}

impl Push {
    pub fn run(&self) -> Result<()> {
        let registry = self.registry.trim_end_matches('/');
        let is_good = !registry.is_empty() && !registry.contains("://") && !registry.contains(['@', ' ']);
        ensure!(
            is_good,
            "--registry: found {:?}; write HOST[:PORT][/PATH], such as localhost:5000",
            self.registry
        );
        // Nothing leaves when anything is wrong.
        let digests = self.layouts.iter().map(|layout| layout::verify(layout)).collect::<Result<Vec<_>>>()?;
        for (layout, digest) in self.layouts.iter().zip(&digests) {
            let name = format!("{registry}/{}", layout::name(layout)?);
            self.push(layout, digest, &name).with_context(|| format!("{name}:{} is not pushed", self.tag))?;
            println!("{name}:{}@{digest}", self.tag);
        }
        Ok(())
    }

    fn push(&self, layout: &Path, digest: &Digest, name: &str) -> Result<()> {
        let dir = tempfile::tempdir()?;
        let digest_file = dir.path().join("digest");
        let mut skopeo = Command::new(&self.skopeo);
        // The policy is about signatures of images that come in; this one was made here.
        skopeo.args(["copy", "--insecure-policy", "--preserve-digests", "--digestfile"]).arg(&digest_file);
        if is_loopback(&self.registry) {
            skopeo.arg("--dest-tls-verify=false");
        }
        skopeo.arg(format!("oci:{}", layout.display())).arg(format!("docker://{name}:{}", self.tag));
        let said = skopeo.output().with_context(|| {
            format!("{} can't be run: install skopeo, or say SKOPEO=/path/to/skopeo", self.skopeo.display())
        })?;
        if !said.status.success() {
            bail!("{}", reason(&String::from_utf8_lossy(&said.stderr)));
        }
        let stored =
            fs::read_to_string(&digest_file).context("skopeo didn't say what the registry has stored")?;
        ensure!(stored.trim() == digest.to_string(), "the registry stored {}, not {digest}", stored.trim());
        Ok(())
    }
}

/// Whether a registry is on this machine.
fn is_loopback(registry: &str) -> bool {
    let host = registry.split('/').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Why skopeo failed, and a cure where the cause is one of the usual.
fn reason(said: &str) -> String {
    let last = said.trim().lines().last().unwrap_or("skopeo failed and said nothing");
    // Its log lines read time="…" level=fatal msg="…".
    let message = last.split_once("msg=").map_or(last, |(_, message)| message.trim_matches('"'));
    let message = message.replace("\\\"", "\"");
    let cures = [
        (&["unauthorized", "authentication required", "denied"][..], "sign in with `skopeo login`"),
        (
            &["connection refused", "no such host", "i/o timeout", "no route"][..],
            "is the registry's address right, and is it up?",
        ),
        (&["HTTP response to HTTPS"][..], "registries elsewhere than on loopback must speak HTTPS"),
    ];
    let cure = cures.iter().find(|(signs, _)| signs.iter().any(|sign| message.contains(sign)));
    cure.map_or(message.clone(), |(_, cure)| format!("{message}; {cure}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_registries_may_use_plain_http() {
        for here in ["localhost:5000", "127.0.0.1", "127.1.2.3:5000/team/x", "[::1]:5000"] {
            assert!(is_loopback(here), "{here}");
        }
        for away in [
            "localhost.example.com",
            "127.0.0.1.example.com:5000",
            "10.0.0.1:5000",
            "[::2]:5000",
            "ghcr.io/a",
        ] {
            assert!(!is_loopback(away), "{away}");
        }
    }

    #[test]
    fn push_errors_name_the_cause_and_a_fix() {
        let said = "time=\"2026-11-21T00:00:00Z\" level=fatal msg=\"pinging \\\"h\\\": unauthorized: no\"";
        assert_eq!(reason(said), "pinging \"h\": unauthorized: no; sign in with `skopeo login`");
        assert_eq!(reason(""), "skopeo failed and said nothing");
    }
}
