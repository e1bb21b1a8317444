//! `envoy/mtls`: gateway and ledger know each other by certificates, and renew them under traffic.

use super::{call, says};
use harness::{LedgerProcess, Postgres, Site, Steady, Upstream, eventually, out_of};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Two ledgers on a PostgreSQL where that is installed, else one on a file.
struct World {
    ledgers: Vec<LedgerProcess>,
    upstream: Upstream,
    site: Site,
    dir: TempDir,
    _server: Option<Postgres>,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let upstream = Upstream::start().await;
        // The certificates come first: the ledgers need them.
        let makes_certificates = Site::copy(&dir.path().join("first"), "mtls", &[]);
        makes_certificates.run(&makes_certificates.blocks("mtls")[0]);
        let certs = dir.path().join("certs");
        std::fs::rename(dir.path().join("first/certs"), &certs).expect("certificates");
        let server = Postgres::start().await;
        let environment = server.as_ref().map(Postgres::environment).unwrap_or_default();
        let flags = flags(&certs);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let mut ledgers = vec![LedgerProcess::start(dir.path(), &flags, &environment).await];
        if server.is_some() {
            ledgers.push(LedgerProcess::start(dir.path(), &flags, &environment).await);
        }
        let mut known = vec![(3000, upstream.port), (7401, ledgers[0].gateway_port)];
        known.extend(ledgers.get(1).map(|ledger| (7411, ledger.gateway_port)));
        let site = Site::copy(dir.path(), "mtls", &known);
        Self { ledgers, upstream, site, dir, _server: server }
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The function of the README that makes a certificate.
    fn issue(&self) -> String {
        let block = self.site.blocks("mtls").remove(0);
        let start = block.find("issue()").expect("the function");
        let end = block.find("\n}\n").expect("its end") + 3;
        block[start..end].to_owned()
    }
}

fn flags(certs: &Path) -> Vec<String> {
    let file = |name: &str| certs.join("current").join(name).display().to_string();
    [("--tls-cert", "ledger.pem"), ("--tls-key", "ledger.key"), ("--tls-client-ca", "authority.pem")]
        .into_iter()
        .flat_map(|(flag, name)| [flag.to_owned(), file(name)])
        .collect()
}

/// The serial number of the certificate that a ledger shows, to a client with the gateway's.
fn shown(world: &World, port: u16) -> String {
    let certs: PathBuf = world.dir().join("certs/current");
    let script = format!(
        "openssl s_client -connect 127.0.0.1:{port} -cert gateway.pem -key gateway.key </dev/null 2>/dev/null \
         | openssl x509 -noout -serial"
    );
    out_of(Command::new("bash").args(["-c", &script]).current_dir(certs)).1
}

#[tokio::test(flavor = "multi_thread")]
async fn renewing_certificates_on_both_sides_refuses_no_request() {
    let world = World::new().await;
    let ledger = &world.ledgers[0];
    // Small leases that are renewed all the time, so that a ledger who couldn't be asked would be missed.
    let keys = [ledger.account("a", "3000").await, ledger.account("b", "3000").await];
    let mut gate = world.site.envoy("envoy/mtls/envoy.yaml");
    gate.is_ready().await;
    let callers = Steady::start(&gate.url("/"), &[&keys[0], &keys[0], &keys[1], &keys[1]]);
    callers.wait_for_progress(300).await;
    let before: Vec<String> = world.ledgers.iter().map(|ledger| shown(&world, ledger.gateway_port)).collect();
    let update = "cluster.ledger.client_ssl_socket_factory.ssl_context_update_by_sds";
    let updates = gate.envoy_stat(update).await;

    world.site.run(&(world.issue() + &world.site.blocks("mtls")[1]));

    eventually("all show new certificates", Duration::from_secs(10), async || {
        let renewed =
            |(ledger, before): (&LedgerProcess, &String)| shown(&world, ledger.gateway_port) != *before;
        gate.envoy_stat(update).await > updates && world.ledgers.iter().zip(&before).all(renewed)
    })
    .await;
    callers.wait_for_progress(600).await;
    let (status_counts, others) = callers.stop().await;

    assert_eq!(status_counts.keys().copied().collect::<Vec<_>>(), [200], "{others:?}");
    ledger.nothing_is_held().await;
    let mut spent = 0;
    for account in ["a", "b"] {
        spent += ledger.balance(account, "spent").await.parse::<u64>().expect("whole credits");
    }
    assert_eq!((status_counts.get(&200), world.upstream.served()), (Some(&spent), spent));
    assert_eq!(gate.stat("exchange_failures_total").await, 0);
    let shown = gate.admin("/stats/prometheus").await.expect("statistics");
    let labelled = "faregate_refused_total{code=\"insufficient_funds\"} ";
    assert!(shown.contains(labelled), "the code of a refusal is a label: {shown}");
    ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_a_certificate_is_rejected_and_both_sides_log_why() {
    let world = World::new().await;
    let key = world.ledgers[0].account("acme", "10").await;
    let config = world.site.text("envoy/mtls/envoy.yaml");
    let (start, end) = (
        config.find("            tls_certificate_sds").expect("it"),
        config.find("            combined_").expect("it"),
    );
    world.site.replace("envoy/mtls/envoy.yaml", &[&config[..start], &config[end..]].concat());
    let mut gate = world.site.envoy("envoy/mtls/envoy.yaml");
    gate.is_ready().await;

    let got = call(&gate, &key).await;

    assert_eq!(got, (503, "ledger_unavailable".to_owned()));
    says(&gate, "the ledger can't be asked: no answer from the ledger (503").await;
    let said = world.ledgers[0].process.output();
    assert!(
        said.contains("its TLS handshake failed") && said.contains("peer sent no certificates"),
        "{said}"
    );
    assert_eq!(world.upstream.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_certificate_of_another_authority_is_rejected() {
    let world = World::new().await;
    let key = world.ledgers[0].account("acme", "10").await;
    harness::Authority::new().write(world.dir(), "other.pem");
    let authority = world.site.text("envoy/mtls/authority.yaml");
    world
        .site
        .replace("envoy/mtls/authority.yaml", &authority.replace("certs/current/authority.pem", "other.pem"));
    let mut gate = world.site.envoy("envoy/mtls/envoy.yaml");
    gate.is_ready().await;

    let got = call(&gate, &key).await;

    assert_eq!(got, (503, "ledger_unavailable".to_owned()));
    says(&gate, "the ledger can't be asked: no answer from the ledger (503").await;
    says(&gate, "CERTIFICATE_VERIFY_FAILED").await;
    assert!(gate.envoy_stat("cluster.ledger.ssl.fail_verify_error").await > 0);
    let said = world.ledgers[0].process.output();
    assert!(said.contains("its TLS handshake failed") && said.contains("received fatal alert: "), "{said}");
    assert_eq!(world.upstream.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_certificate_with_another_name_is_rejected() {
    let world = World::new().await;
    let key = world.ledgers[0].account("acme", "10").await;
    let config = world.site.text("envoy/mtls/envoy.yaml");
    world
        .site
        .replace("envoy/mtls/envoy.yaml", &config.replace("exact: ledger.internal", "exact: other.internal"));
    let mut gate = world.site.envoy("envoy/mtls/envoy.yaml");
    gate.is_ready().await;

    assert_eq!(call(&gate, &key).await, (503, "ledger_unavailable".to_owned()));
    says(&gate, "CERTIFICATE_VERIFY_FAILED").await;
    assert!(gate.envoy_stat("cluster.ledger.ssl.fail_verify_san").await > 0);
    assert_eq!(world.upstream.served(), 0);
}
