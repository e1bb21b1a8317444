//! The ledger's listeners speak TLS: to whom, with which certificates, and what it says when they are wrong.

use crate::strangers::{Crowd, in_time};
use harness::{ADMIN_TOKEN, Authority, Process, binary, eventually, free_port, out_of};
use std::io::Read as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A ledger whose two listeners speak TLS.
struct World {
    process: Process,
    authority: Authority,
    gateway_port: u16,
    admin_port: u16,
    dir: TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::new();
        authority.write(dir.path(), "authority.pem");
        authority.issue(dir.path(), "ledger", "127.0.0.1");
        authority.issue(dir.path(), "gateway", "gateway.internal");
        let (gateway_port, admin_port) = (free_port(), free_port());
        let mut command = serve(dir.path(), (gateway_port, admin_port));
        command.args(["--tls-client-ca", "authority.pem", "--admin-tls"]);
        let process = Process::start("the ledger", &mut command, &dir.path().join("ledger.log"));
        let world = Self { process, authority, gateway_port, admin_port, dir };
        eventually("the ledger is ready", Duration::from_secs(30), async || {
            world.curl(world.admin_port, &[]) == "200"
        })
        .await;
        world
    }

    /// The status that curl gets for `/readyz`; when it gets none, what it says.
    fn curl(&self, port: u16, arguments: &[&str]) -> String {
        let mut command = Command::new("curl");
        command.current_dir(self.dir.path()).args([
            "-sS",
            "-m",
            "9",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
        ]);
        command.args(["--cacert", "authority.pem"]).args(arguments);
        let (good, said) = out_of(command.arg(format!("https://127.0.0.1:{port}/readyz")));
        if good { said } else { format!("nothing: {said}") }
    }

    /// The same, as the gateway.
    fn gateway(&self) -> String {
        self.curl(self.gateway_port, &["--cert", "gateway.pem", "--key", "gateway.key"])
    }

    /// When the certificates of the listeners expire, as the metrics say (Unix time).
    fn expires(&self, arguments: &[&str]) -> Vec<f64> {
        let mut command = Command::new("curl");
        command.current_dir(self.dir.path()).args(["-sS", "-m", "9"]).args(arguments);
        let (good, said) = out_of(command.arg(format!("https://127.0.0.1:{}/metrics", self.admin_port)));
        assert!(good, "{said}");
        let lines =
            said.lines().filter(|line| line.starts_with("faregate_certificate_expiry_timestamp_seconds{"));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect()
    }

    async fn says(&self, what: &str) {
        eventually(&format!("the ledger says {what:?}"), Duration::from_secs(30), async || {
            self.process.output().contains(what)
        })
        .await;
    }
}

fn serve(dir: &Path, (gateway, admin): (u16, u16)) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(dir).args(["serve", "--init", "--data", "data"]);
    command.args(["--gateway-listen", &format!("127.0.0.1:{gateway}")]);
    command.args(["--admin-listen", &format!("127.0.0.1:{admin}")]);
    command.args(["--tls-cert", "ledger.pem", "--tls-key", "ledger.key"]);
    command
        .env("FAREGATE_GATEWAY_TOKEN", "a-gateway-token-for-tests")
        .env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_gateway_with_a_certificate_of_the_authority_is_accepted() {
    let world = World::new().await;
    assert_eq!(world.gateway(), "200");

    let without = world.curl(world.gateway_port, &[]);
    assert!(without.starts_with("nothing"), "{without}");
    world.says("peer sent no certificates").await;

    Authority::new().issue(world.dir.path(), "stranger", "gateway.internal");
    eventually("the ledger says why", Duration::from_secs(30), async || {
        let strange = world.curl(world.gateway_port, &["--cert", "stranger.pem", "--key", "stranger.key"]);
        assert!(strange.starts_with("nothing"), "{strange}");
        // One line per second.
        world.process.output().contains("UnknownIssuer")
    })
    .await;

    let (plain, said) = out_of(Command::new("curl").args([
        "-sS",
        "-m",
        "9",
        &format!("http://127.0.0.1:{}/readyz", world.gateway_port),
    ]));
    assert!(!plain, "{said}");
    assert_eq!(world.gateway(), "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_verifies_the_ledgers_certificate() {
    let world = World::new().await;
    let run = |ca: &str| {
        let mut command = Command::new(binary());
        command.current_dir(world.dir.path()).env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN);
        command.args(["account", "list", "--server", &format!("https://127.0.0.1:{}", world.admin_port)]);
        out_of(command.env("FAREGATE_ADMIN_CA", ca))
    };

    let (good, said) = run("authority.pem");
    assert!(good, "{said}");

    Authority::new().write(world.dir.path(), "other.pem");
    let (good, said) = run("other.pem");
    assert!(!good && said.contains("UnknownIssuer") && said.contains("--server-ca FILE"), "{said}");
    let (good, said) = run("nowhere.pem");
    assert!(!good && said.contains("nowhere.pem: can't be read"), "{said}");
    let (good, said) = run("ledger.key");
    assert!(!good && said.contains("ledger.key: holds no certificate in PEM form"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_certificates_are_loaded_and_broken_ones_are_ignored() {
    let world = World::new().await;
    let newer = Authority::new();
    newer.write(world.dir.path(), "newer.pem");

    // Half of a pair, and rubbish: the old ones stay.
    std::fs::copy(world.dir.path().join("gateway.pem"), world.dir.path().join("ledger.pem")).expect("a copy");
    world.says("ledger.key: holds another key than that of the certificate in ledger.pem").await;
    assert_eq!(world.gateway(), "200");
    std::fs::write(world.dir.path().join("ledger.pem"), "rubbish").expect("a file");
    world.says("ledger.pem: holds no certificate in PEM form").await;
    assert_eq!(world.gateway(), "200");

    let before = world.expires(&["--cacert", "authority.pem"]);
    newer.issue(world.dir.path(), "ledger", "127.0.0.1");
    world.says("new certificates are in use").await;
    let after = world.expires(&["--cacert", "newer.pem"]);
    assert!(before.len() == 2 && after.len() == 2, "{before:?} {after:?}: both listeners have a certificate");
    let now = std::time::UNIX_EPOCH.elapsed().expect("a time").as_secs_f64();
    assert!(
        before.iter().zip(&after).all(|(before, after)| *before > now && after >= before),
        "{before:?} {after:?}"
    );
    let renewed = world.curl(
        world.gateway_port,
        &["--cacert", "newer.pem", "--cert", "gateway.pem", "--key", "gateway.key"],
    );
    assert_eq!(renewed, "200");

    // The authority of clients follows its file as well.
    newer.write(world.dir.path(), "authority.pem");
    eventually("the old gateway is turned away", Duration::from_secs(30), async || world.gateway() != "200")
        .await;
    newer.issue(world.dir.path(), "gateway", "gateway.internal");
    assert_eq!(world.gateway(), "200");
    drop(world.authority);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_handshake_blocks_no_other_and_times_out() {
    let world = World::new().await;
    let start = Instant::now();
    let idle: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(("127.0.0.1", world.gateway_port)).expect("a connection"))
        .collect();

    assert_eq!(world.gateway(), "200");

    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    for mut stream in idle {
        stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a timeout");
        let read = stream.read_to_end(&mut Vec::new());
        assert!(read.is_ok(), "closed by the ledger: {read:?}");
    }
    world.says("not done within 10s").await;
    assert_eq!(world.gateway(), "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_handshakes_do_not_lock_out_gateways() {
    let mut world = World::new().await;
    // A TLS record that says more is to come, and the beginning of a ClientHello.
    let half = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice();
    let mut crowds = Vec::new();
    for port in [world.gateway_port, world.admin_port] {
        crowds.push(Crowd::gather(port, 1_100, half).await);
        crowds.push(Crowd::gather(port, 1_100, "").await);
    }

    assert_eq!(in_time("a gateway", async { world.gateway() }).await, "200");
    assert_eq!(in_time("an operator", async { world.curl(world.admin_port, &[]) }).await, "200");
    world.says("a connection was closed for a new one").await;
    assert_eq!(world.process.stop(), Some(0));
    assert!(!world.process.output().contains("took too long to finish"));
}

#[test]
fn certificate_errors_are_reported_at_startup() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let authority = Authority::new();
    authority.issue(dir.path(), "good", "127.0.0.1");
    authority.issue(dir.path(), "other", "127.0.0.1");
    authority.issue_until(dir.path(), "expired", "127.0.0.1", -1);
    std::fs::write(dir.path().join("rubbish"), "rubbish").expect("a file");
    std::fs::write(dir.path().join("huge"), vec![b'a'; (1 << 20) + 1]).expect("a file");
    for (certificate, key, ca, says) in [
        ("none.pem", "good.key", "good.pem", "none.pem: can't be read: No such file or directory"),
        ("good.pem", "none.key", "good.pem", "none.key: can't be read: No such file or directory"),
        ("good.pem", "good.key", "none.pem", "none.pem: can't be read: No such file or directory"),
        (
            "rubbish",
            "good.key",
            "good.pem",
            "rubbish: holds no certificate in PEM form; it must hold -----BEGIN",
        ),
        ("good.pem", "rubbish", "good.pem", "rubbish: holds no private key in PEM form; give the key of the"),
        ("good.pem", "good.key", "rubbish", "rubbish: holds no certificate in PEM form"),
        (
            "good.pem",
            "other.key",
            "good.pem",
            "other.key: holds another key than that of the certificate in good.pem",
        ),
        ("expired.pem", "expired.key", "good.pem", "expired.pem: the certificate has expired on "),
        ("huge", "good.key", "good.pem", "huge: is larger than 1048576 bytes"),
    ] {
        let mut command = Command::new(binary());
        command.current_dir(dir.path()).args(["serve", "--data", "data", "--tls-cert", certificate]);
        command.args(["--tls-key", key, "--tls-client-ca", ca]);
        command.env("FAREGATE_GATEWAY_TOKEN", "a-gateway-token-for-tests");
        let (good, said) = out_of(command.env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN));
        assert!(!good && said.contains(says), "{said}\nshould hold\n{says}");
    }
}
