//! `faregate demo`: the story of a paid API, played on real parts: Envoy with the filter, the ledger on
//! a file, a sample API, HTTP between them. Every step is checked; what is printed is what happened.

use crate::{
    address::{is_free, loopback},
    gate::{Gate, Plan, blocking},
    home::DEMO_ACCOUNT,
    up::Parts,
};
use clap::Args;
use faregate_client::{
    Failure, Screen,
    process::{STOP_OR_HANGUP, log_to_stderr, runtime, stop_signal},
};
use faregate_protocol::Credits;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Where the gate listens if the port is free; else on another free port.
const USUAL_PORT: u16 = 8080;
/// The longest that one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that a top-up may take to reopen the gate.
const REOPENS_WITHIN: Duration = Duration::from_secs(2);
/// What the ledger says in the end.
const AT_REST: &str = "6 spent, 0 held";
/// The maximum time until the ledger has all reports and all unused credits.
const AT_REST_WITHIN: Duration = Duration::from_secs(15);

/// How a shown curl sends the demo account's key.
const WITH_KEY: &str = " -H \"x-api-key: $KEY\"";

/// `faregate demo`.
#[derive(Args)]
pub struct Demo {
    #[command(flatten)]
    parts: Parts,
}

/// Runs one of this program's own commands, and gives what it prints.
pub type Faregate = fn(&[&str]) -> Result<String, Failure>;

impl Demo {
    /// Plays the scenario; `faregate` runs the commands in it.
    pub fn run(self, faregate: Faregate, screen: &mut Screen<'_>) -> Result<(), Failure> {
        log_to_stderr(false, "error")?;
        let runtime = runtime()?;
        let folder = tempfile::Builder::new().prefix("faregate-demo-").tempdir();
        let folder = folder
            .map_err(|error| Failure::new("data", format!("can't make a temporary directory: {error}")))?;
        let listen = if is_free(loopback(USUAL_PORT)) { loopback(USUAL_PORT) } else { loopback(0) };
        let plan = Plan {
            data: folder.path().to_owned(),
            listen,
            upstream: None,
            price: Credits::from_micros(1_000_000),
            envoy: self.parts.envoy(),
            filter: self.parts.filter(),
            usual_ports: false,
            portal: false,
        };
        let outcome = runtime.block_on(async move {
            let stop = stop_signal(&STOP_OR_HANGUP)?;
            tokio::pin!(stop);
            let interrupted = || Failure::new("interrupted", "the demo was interrupted");
            let mut gate = tokio::select! {
                gate = Gate::start(plan, |_| {}) => gate?,
                () = &mut stop => return Err(interrupted()),
            };
            let mut story = Story::of(&gate, faregate);
            let outcome = tokio::select! {
                outcome = blocking(move || { let outcome = story.tell(); Ok((story.lines, outcome)) }) => outcome,
                failure = gate.broken() => Err(failure),
                () = &mut stop => Err(interrupted()),
            };
            match &outcome {
                Ok((_, Ok(()))) => gate.stop().await?,
                // The first trouble is what counts; those of ending are left out.
                _ => gate.abandon().await.unwrap_or_default(),
            }
            outcome
        });
        let (lines, outcome) = outcome?;
        screen.show(&json!({ "ok": outcome.is_ok(), "transcript": lines }), |screen, _| {
            lines.iter().try_for_each(|line| screen.lines(line))
        })?;
        outcome
    }
}

/// What was done and seen so far.
struct Story {
    url: String,
    key: String,
    data: String,
    faregate: Faregate,
    agent: ureq::Agent,
    lines: Vec<String>,
}

/// An HTTP answer.
struct Answer {
    status: u16,
    body: String,
}

impl Story {
    fn of(gate: &Gate, faregate: Faregate) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
        Self {
            url: format!("http://{}/hello", gate.listen),
            key: gate.key.clone(),
            data: gate.home.path.display().to_string(),
            faregate,
            agent: config.timeout_global(Some(REQUEST_TIMEOUT)).build().into(),
            lines: Vec::new(),
        }
    }

    fn tell(&mut self) -> Result<(), Failure> {
        self.say("# No key, no entry.");
        self.curl_refused(false, 401, "missing_key")?;

        self.say("\n# A request costs 1 credit, and this account has 5.");
        self.curl_five_times()?;

        self.say("\n# The credits are used up.");
        self.curl_refused(true, 402, "insufficient_funds")?;

        self.say("\n# A top-up reopens the gate.");
        self.faregate(&["grant", DEMO_ACCOUNT, "5"])?;
        self.curl_until_open()?;

        self.say("\n# A moment later the gateway has returned what it didn't need.");
        self.await_rest()?;
        self.faregate(&["balance", DEMO_ACCOUNT])?;
        self.faregate(&["audit"])
    }

    fn say(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    /// A request that must be refused, shown as the commands that would pick the same out of the answer.
    fn curl_refused(&mut self, with_key: bool, status: u16, code: &str) -> Result<(), Failure> {
        let header = if with_key { WITH_KEY } else { "" };
        self.say(&format!("$ curl -s {}{header} | jq -c '{{status, code, detail}}'", self.url));
        let answer = self.request(with_key)?;
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let member = |name| body.get(name).cloned().unwrap_or_default();
        let [shown_status, shown_code, detail] = ["status", "code", "detail"].map(member);
        self.say(&format!(r#"{{"status":{shown_status},"code":{shown_code},"detail":{detail}}}"#));
        let found = format!("{} {}", answer.status, shown_code.as_str().unwrap_or("no code"));
        expect("the answer", &format!("{status} {code}"), &found)
    }

    fn curl_five_times(&mut self) -> Result<(), Failure> {
        self.say(&format!("$ for i in 1 2 3 4 5; do {}; done", self.paid_curl()));
        for _ in 0..5 {
            let answer = self.request(true)?;
            self.show(&answer);
            expect("a paid request", "200", &answer.status.to_string())?;
        }
        Ok(())
    }

    fn paid_curl(&self) -> String {
        format!("curl -sw ' %{{http_code}}\\n' {}{WITH_KEY}", self.url)
    }

    fn show(&mut self, answer: &Answer) {
        self.say(&format!("{} {}", answer.body.trim_end(), answer.status));
    }

    fn request(&self, with_key: bool) -> Result<Answer, Failure> {
        let failed =
            |error: ureq::Error| Failure::new("request", format!("{} can't be asked: {error}", self.url));
        let mut request = self.agent.get(&self.url);
        if with_key {
            request = request.header("x-api-key", &self.key);
        }
        let mut response = request.call().map_err(failed)?;
        let body = response.body_mut().read_to_string().map_err(failed)?;
        Ok(Answer { status: response.status().as_u16(), body })
    }

    /// Runs one of this program's own commands.
    fn faregate(&mut self, arguments: &[&str]) -> Result<(), Failure> {
        self.say(&format!("$ faregate {}", arguments.join(" ")));
        let printed = self.run(arguments, false)?;
        self.lines.extend(printed.trim_end().lines().map(str::to_owned));
        Ok(())
    }

    fn run(&self, arguments: &[&str], json: bool) -> Result<String, Failure> {
        let own = ["--data", self.data.as_str()];
        let words = arguments.iter().chain(&own).chain(json.then_some(&"--json"));
        (self.faregate)(&words.copied().collect::<Vec<_>>())
    }

    /// The paid request after a top-up. Until a gate has learnt of it (two seconds at most), it remembers
    /// that the caller was broke; those refusals cost nothing and are left out of the transcript.
    fn curl_until_open(&mut self) -> Result<(), Failure> {
        self.say(&format!("$ {}", self.paid_curl()));
        let deadline = Instant::now() + REOPENS_WITHIN;
        let mut answer = self.request(true)?;
        while answer.status == 402 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
            answer = self.request(true)?;
        }
        self.show(&answer);
        expect("a request after the top-up", "200", &answer.status.to_string())
    }

    /// Waits until the ledger has heard of all six paid requests, and nothing is held for more.
    fn await_rest(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + AT_REST_WITHIN;
        loop {
            let balance: Value =
                serde_json::from_str(&self.run(&["balance", DEMO_ACCOUNT], true)?).unwrap_or_default();
            let member = |name| balance.get(name).and_then(Value::as_str).unwrap_or_default();
            let found = format!("{} spent, {} held", member("spent"), member("held"));
            if found == AT_REST || Instant::now() >= deadline {
                return expect("what the ledger says", AT_REST, &found);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn expect(what: &str, expected: &str, found: &str) -> Result<(), Failure> {
    if expected == found { Ok(()) } else { Err(differs(what, expected, found)) }
}

fn differs(what: &str, expected: &str, found: &str) -> Failure {
    Failure::new("demo", format!("the story goes wrong here: {what} should be {expected}, and is {found}"))
}
