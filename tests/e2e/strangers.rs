//! Unauthenticated clients cannot lock gateways or operators out of the ledger, regardless of what they send.

mod crowd;

pub use crowd::Crowd;

use harness::{
    ADMIN_TOKEN, GATEWAY_TOKEN, LedgerProcess, Process, Setup, World, binary, eventually, free_port, get,
};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

/// More than a listener has connections.
const CROWD: usize = 1_100;
/// How long honest callers wait at most while strangers are there.
const SERVED: Duration = Duration::from_secs(2);

/// What must be done in time.
pub async fn in_time<T>(what: &str, call: impl Future<Output = T>) -> T {
    let start = Instant::now();
    // What blocks isn't cut short.
    let done = tokio::time::timeout(SERVED, call).await.ok().filter(|_| start.elapsed() <= SERVED);
    done.unwrap_or_else(|| panic!("{what} takes longer than {SERVED:?}: {:?}", start.elapsed()))
}

/// Status and body of a request over a connection of its own.
async fn ask(request: reqwest::RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap_or_else(|why| panic!("no answer: {why:?}"));
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

/// What a new gateway asks.
fn exchange(ledger: &LedgerProcess) -> reqwest::RequestBuilder {
    let url = format!("http://127.0.0.1:{}/gateway/v1/exchange", ledger.gateway_port);
    let message = json!({"protocol": 2, "gateway": "another", "entries": []});
    reqwest::Client::new().post(url).bearer_auth(GATEWAY_TOKEN).json(&message)
}

/// What a new operator and a new probe ask.
fn admin(ledger: &LedgerProcess, path: &str) -> reqwest::RequestBuilder {
    reqwest::Client::new()
        .get(format!("http://127.0.0.1:{}{path}", ledger.admin_port))
        .bearer_auth(ADMIN_TOKEN)
}

async fn everybody_is_served(world: &World, account: &str) {
    let key = in_time("opening an account", world.ledger.account(account, "10")).await;
    let paid =
        in_time("a paid request of a new caller", get(world.gate(), "/", &[("x-api-key", &key)])).await;
    assert_eq!(paid.status, 200, "{paid:?}");
    assert_eq!(in_time("a new gateway's exchange", ask(exchange(&world.ledger))).await.0, 200);
    assert_eq!(in_time("an operator", ask(admin(&world.ledger, "/admin/v1/accounts"))).await.0, 200);
    assert_eq!(in_time("a probe", ask(admin(&world.ledger, "/readyz"))).await, (200, "ready\n".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_or_incomplete_requests_do_not_lock_out_gateways() {
    let mut world = World::start(Setup::default()).await;
    everybody_is_served(&world, "before").await;
    let before_kb = world.ledger.process.private_kb();
    let mut crowds = Vec::new();
    for port in [world.ledger.gateway_port, world.ledger.admin_port] {
        for says in ["", "POST /gateway/v1/exchange HTTP/1.1\r\nhost: led", "GET /admin/v1/accounts HT"] {
            crowds.push(Crowd::gather(port, CROWD / if says.is_empty() { 1 } else { 2 }, says).await);
        }
    }

    everybody_is_served(&world, "during").await;
    // Also those whose connections are new: to the ledger this is another gateway.
    world.gateways[0].restart().await;
    everybody_is_served(&world, "afterwards").await;

    assert!(world.ledger.process.output().contains("a connection was closed for a new one"));
    let text = ask(admin(&world.ledger, "/metrics")).await.1;
    for listener in ["gateway", "admin"] {
        let figure = |name: &str| -> u64 {
            let start = format!("faregate_{name}{{listener=\"{listener}\"");
            let lines = text.lines().filter(|line| line.starts_with(&start));
            lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
        };
        let (open, closed) = (figure("connections"), figure("connections_closed_total"));
        assert!((1..=1_024).contains(&open) && closed >= 100, "{listener}: {open} open, {closed} closed");
    }
    let more_kb = world.ledger.process.private_kb().saturating_sub(before_kb);
    assert!(more_kb < 64 * 1024, "{more_kb} kB more");

    // They don't hold up the ledger's end either.
    assert_eq!(world.ledger.process.stop(), Some(0));
    assert!(!world.ledger.process.output().contains("took too long to finish"));
}

/// A connection that gives up waiting after a while, and what was said on it.
fn say(port: u16, what: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(40))).expect("a timeout");
    stream.write_all(what).expect("room to write");
    stream
}

/// All that is answered until the end.
fn answer(mut stream: &TcpStream) -> String {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    assert!(read.is_ok(), "the ledger closes it: {read:?}");
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(path: &str, token: &str, length: usize) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: ledger\r\nidempotency-key: k\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n")
        .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_requests_time_out() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    for port in [ledger.gateway_port, ledger.admin_port] {
        let silent = say(port, b"");
        let mut drips = say(port, b"GET /healthz HTTP/1.1\r\nx-slow: ");
        let token = if port == ledger.admin_port { ADMIN_TOKEN } else { GATEWAY_TOKEN };
        let path = if port == ledger.admin_port { "/admin/v1/accounts" } else { "/gateway/v1/exchange" };
        let mut body = say(port, &[head(path, token, 100), b"{".to_vec()].concat());
        let dripping = std::thread::spawn(move || {
            // Until the ledger has closed both.
            while drips.write_all(b"x").is_ok() | body.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_secs(1));
            }
            (drips, body)
        });
        assert_eq!(answer(&silent), "");
        let (mut drips, mut body) = dripping.join().expect("a thread that doesn't panic");
        let mut said = String::new();
        // What was written after the end may have reset it.
        let _ = drips.read_to_string(&mut said);
        assert_eq!(said, "", "half a head gets no answer");
        let _ = body.read_to_string(&mut said);
        assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("too_slow"), "{said}");
        let endless =
            answer(&say(port, format!("GET /healthz HTTP/1.1\r\nx: {}", "y".repeat(100_000)).as_bytes()));
        assert!(endless.starts_with("HTTP/1.1 431 "), "{endless}");
        // It speaks HTTP/1.1 alone.
        let other = answer(&say(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"));
        assert!(!other.contains("200"), "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_is_read_before_the_token_is_verified() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    for (port, path) in
        [(ledger.gateway_port, "/gateway/v1/exchange"), (ledger.admin_port, "/admin/v1/accounts")]
    {
        // They are answered before a byte of the body is there,
        let start = Instant::now();
        let refused = answer(&say(port, &head(path, "wrong", 9_000)));
        assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
        // also those who say nothing of its length, or send all of it before they listen.
        let endless =
            format!("POST {path} HTTP/1.1\r\nhost: l\r\ntransfer-encoding: chunked\r\n\r\n4\r\nendl");
        let refused = answer(&say(port, endless.as_bytes()));
        assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
        let refused = answer(&say(port, &[head(path, "wrong", 1 << 20), vec![b' '; 1 << 20]].concat()));
        assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");

        let before_kb = ledger.process.private_kb();
        let crowd: Vec<TcpStream> = (0..600)
            .map(|_| say(port, &[head(path, "wrong", 1 << 20), vec![b' '; 900_000]].concat()))
            .collect();
        let more_kb = ledger.process.private_kb().saturating_sub(before_kb);
        assert!(more_kb < 64 * 1024, "{more_kb} kB more for bodies of {} kB", crowd.len() * 900);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_gateways_use_no_more_than_the_memory_limit_for_bodies() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let before_kb = ledger.process.private_kb();
    // All of the 64 MiB, and no body is whole.
    let almost = [head("/gateway/v1/exchange", GATEWAY_TOKEN, 1 << 20), vec![b' '; (1 << 20) - 1]].concat();
    let mut stuck: Vec<TcpStream> = (0..64).map(|_| say(ledger.gateway_port, &almost)).collect();
    let rest = [head("/gateway/v1/exchange", GATEWAY_TOKEN, 65), vec![b' '; 64]].concat();
    stuck.push(say(ledger.gateway_port, &rest));

    eventually("others are refused", Duration::from_secs(9), async || {
        let refused = exchange(&ledger).send().await.expect("an answer");
        let hint = refused.headers().get("retry-after").is_some_and(|seconds| seconds.as_bytes() == b"1");
        let status = refused.status().as_u16();
        let said = refused.text().await.expect("a body");
        status == 503 && hint && said.contains("overloaded") && said.contains("bodies of other requests")
    })
    .await;
    let more_kb = ledger.process.private_kb().saturating_sub(before_kb);
    assert!(more_kb < 160 * 1024, "{more_kb} kB more");
    assert_eq!(
        in_time("an operator", ask(admin(&ledger, "/admin/v1/accounts"))).await.0,
        200,
        "operators have their own"
    );

    eventually("the stuck ones are given up", Duration::from_secs(30), async || {
        ask(exchange(&ledger)).await.0 == 200
    })
    .await;
    for stream in stuck {
        let said = answer(&stream);
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_without_a_token_do_not_write_to_the_database_each_time() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let probe = async || assert_eq!(ledger.readiness().await.expect("an answer").0.as_u16(), 200);
    let (before, start) = (ledger.metric("faregate_commits_total").await, Instant::now());
    for _ in 0..300 {
        probe().await;
    }
    let seconds = start.elapsed().as_secs_f64();
    let commits = ledger.metric("faregate_commits_total").await - before;
    // The ledger's own jobs write at times, too.
    assert!(commits <= seconds * 3.0 + 5.0, "{commits} commits for 300 probes in {seconds} s");
    eventually("a later probe writes", Duration::from_secs(10), async || {
        probe().await;
        ledger.metric("faregate_commits_total").await > before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_with_few_file_descriptors_limits_connections_and_serves() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (gateway_port, admin_port) = (free_port(), free_port());
    let mut command = Command::new("sh");
    // A soft limit is raised as far as the hard one allows.
    command
        .arg("-c")
        .arg(r#"ulimit -Sn 100 && ulimit -Hn 500 && exec "$@""#)
        .arg("sh")
        .arg(binary())
        .args(["serve", "--init"]);
    command.arg("--data").arg(dir.path().join("data"));
    command.args(["--gateway-listen", &format!("127.0.0.1:{gateway_port}")]);
    command.args(["--admin-listen", &format!("127.0.0.1:{admin_port}")]);
    command.env("FAREGATE_GATEWAY_TOKEN", GATEWAY_TOKEN).env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN);
    let process = Process::start("the ledger", &mut command, &dir.path().join("ledger.log"));
    let ready = async || {
        let client = reqwest::Client::new();
        client
            .get(format!("http://127.0.0.1:{admin_port}/readyz"))
            .send()
            .await
            .is_ok_and(|answer| answer.status() == 200)
    };
    eventually("the ledger is ready", Duration::from_secs(30), ready).await;
    let log = process.output();
    assert!(
        log.contains("open_files=500") && log.contains("connections=58") && log.contains("allow 2432"),
        "{log}"
    );

    let _crowds = [Crowd::gather(gateway_port, 400, "").await, Crowd::gather(admin_port, 400, "GET").await];

    assert!(in_time("a probe", ready()).await);
    assert!(!process.output().contains("can't be accepted"), "{}", process.output());
}
