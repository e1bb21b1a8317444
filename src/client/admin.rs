//! The client of the admin API that every administrative command uses.
//!
//! Blocking, with a deadline on every call and a bound on every answer. A write carries an
//! `Idempotency-Key`, so that it can be repeated safely when its answer was lost.

use crate::{
    Failure, authorities,
    tokens::{self, Environment},
};
use clap::Args;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};
use ureq::tls::TlsConfig;

/// Where the ledger's admin API listens by default.
const DEFAULT_SERVER: &str = "http://127.0.0.1:7402";
/// The variable that names another one.
const SERVER_VARIABLE: &str = "FAREGATE_ADMIN_URL";
/// The variable that names the authorities which the ledger's certificate may descend from.
const CA_VARIABLE: &str = "FAREGATE_ADMIN_CA";
/// The longest that one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that a batch may take; the ledger gives up after 30 s.
const BATCH_TIMEOUT: Duration = Duration::from_secs(40);
/// The longest that an audit may take.
const LONG_TIMEOUT: Duration = Duration::from_hours(1);
/// The longest to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The largest answer that is read.
const MAX_ANSWER_BYTES: u64 = 16 << 20;

/// Which ledger, and how writes are named.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Which ledger")]
pub struct Remote {
    /// The admin API's URL [env: FAREGATE_ADMIN_URL] [default: http://127.0.0.1:7402]
    #[arg(long, value_name = "URL", global = true)]
    pub server: Option<String>,
    /// For an https:// URL: a PEM file of the authorities that the ledger's certificate may descend from
    /// [env: FAREGATE_ADMIN_CA] [default: the system's]
    #[arg(long, value_name = "FILE", global = true)]
    pub server_ca: Option<PathBuf>,
    /// The data directory of a running `faregate up`: takes the URL and the token from there
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
    /// Repeat a write safely by giving it the key of the first try [default: a fresh one]
    #[arg(long, value_name = "KEY", global = true)]
    pub idempotency_key: Option<String>,
}

impl Remote {
    /// The client for this ledger; the token comes from the environment or the data directory.
    pub fn connect(&self) -> Result<Admin, Failure> {
        self.connect_with(&tokens::process_environment)
    }

    /// The same with another environment.
    pub fn connect_with(&self, environment: Environment<'_>) -> Result<Admin, Failure> {
        let (server, token) = if let Some(data) = &self.data {
            let url = data.join("admin-url");
            let server = std::fs::read_to_string(&url).map_err(|error| {
                Failure::new("data", format!("can't read {}: {error}", url.display()))
                    .cure(format!("start the gate with `faregate up --data {}` first", data.display()))
            })?;
            let token = tokens::from_file(&data.join("admin-token"), "--data");
            let cure = "it is the file that `faregate up` wrote; its ledger must be the one that runs";
            (server.trim().to_owned(), token.map_err(|failure| failure.cure(cure))?)
        } else {
            let server = environment(SERVER_VARIABLE).and_then(|url| url.into_string().ok());
            let server = server.unwrap_or_else(|| DEFAULT_SERVER.to_owned());
            let name = tokens::ADMIN;
            let both = environment(name).is_some() && environment(&format!("{name}_FILE")).is_some();
            let token = tokens::from_environment(name, environment).map_err(|failure| {
                if both {
                    return failure;
                }
                failure.cure(format!("set {name} or {name}_FILE to the token that the ledger was started with; for a `faregate up`, say --data DIR"))
            })?;
            (server, token)
        };
        let server = self.server.clone().unwrap_or(server);
        let ca = self.server_ca.clone().or_else(|| environment(CA_VARIABLE).map(PathBuf::from));
        Ok(Admin::with_authorities(&server, token, ca.as_deref())?
            .with_idempotency_key(self.idempotency_key.clone()))
    }
}

/// A connection to one ledger's admin API.
#[derive(Clone)]
pub struct Admin {
    agent: ureq::Agent,
    server: String,
    token: String,
    idempotency_key: Option<String>,
}

impl Admin {
    /// A client for the ledger at `server`, an `http://` or `https://` URL.
    pub fn new(server: &str, token: String) -> Result<Self, Failure> {
        Self::with_authorities(server, token, None)
    }

    /// The same; a ledger that speaks TLS must show a certificate of one of the authorities in this file, or of one
    /// that the system trusts.
    fn with_authorities(server: &str, token: String, ca: Option<&Path>) -> Result<Self, Failure> {
        let server = server.trim_end_matches('/').to_owned();
        let encrypted = server.starts_with("https://");
        if !encrypted && !server.starts_with("http://") {
            let what = format!("{server:?} is no URL of a ledger: it must begin with http:// or https://");
            return Err(
                Failure::usage(what).cure("https:// is for a ledger that was started with --admin-tls")
            );
        }
        let tls = if encrypted { authorities::trust(ca)? } else { TlsConfig::default() };
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .tls_config(tls)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(TIMEOUT))
            .build();
        Ok(Self { agent: config.into(), server, token, idempotency_key: None })
    }

    fn with_idempotency_key(self, idempotency_key: Option<String>) -> Self {
        Self { idempotency_key, ..self }
    }

    /// Reads `path`; `query` holds names and values, absent ones are left out.
    pub fn get(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Value, Failure> {
        let mut url = format!("{}{path}", self.server);
        let mut mark = '?';
        for (name, value) in
            query.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)))
        {
            url.push(mark);
            url.push_str(name);
            url.push('=');
            url.push_str(&encoded(value));
            mark = '&';
        }
        self.get_within(TIMEOUT, &url)
    }

    /// Reads `path`, and waits up to an hour: an audit reads every entry that was ever made.
    pub fn get_patiently(&self, path: &str) -> Result<Value, Failure> {
        self.get_within(LONG_TIMEOUT, &format!("{}{path}", self.server))
    }

    fn get_within(&self, timeout: Duration, url: &str) -> Result<Value, Failure> {
        let get = self.agent.get(url).config().timeout_global(Some(timeout)).build();
        let sent = get.header("authorization", format!("Bearer {}", self.token)).call();
        self.answer(sent, None)
    }

    /// Writes to `path`.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.post_as(path, body, &self.key())
    }

    /// Writes to `path` with an idempotency key of the caller's.
    pub fn post_as(&self, path: &str, body: &Value, key: &str) -> Result<Value, Failure> {
        self.send(self.agent.post(format!("{}{path}", self.server)), body, key)
    }

    /// Writes to `path` with an idempotency key of the caller's, and waits longer: a batch is many writes.
    pub fn post_patiently(&self, path: &str, body: &Value, key: &str) -> Result<Value, Failure> {
        let post = self.agent.post(format!("{}{path}", self.server));
        self.send(post.config().timeout_global(Some(BATCH_TIMEOUT)).build(), body, key)
    }

    /// Has what is at `path` be as `body` says.
    pub fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let key = self.key();
        self.send(self.agent.put(format!("{}{path}", self.server)), body, &key)
    }

    /// Removes what is at `path`; `query` is a name and a value.
    pub fn delete(&self, path: &str, query: Option<(&str, String)>) -> Result<Value, Failure> {
        let key = self.key();
        let query = query.map(|(name, value)| format!("?{name}={}", encoded(&value))).unwrap_or_default();
        let request = self.agent.delete(format!("{}{path}{query}", self.server));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        self.answer(request.header("idempotency-key", &key).call(), Some(&key))
    }

    fn send(
        &self,
        request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        body: &Value,
        key: &str,
    ) -> Result<Value, Failure> {
        let sent = request
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .send(body.to_string());
        self.answer(sent, Some(key))
    }

    /// The idempotency key of a write.
    fn key(&self) -> String {
        self.idempotency_key.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string())
    }

    fn answer(
        &self,
        sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        written: Option<&str>,
    ) -> Result<Value, Failure> {
        let mut response = sent.map_err(|error| self.unanswered(&error, written))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let body = body.map_err(|error| self.unanswered(&error, written))?;
        let body: Option<Value> = serde_json::from_slice(&body).ok();
        match body {
            Some(answer) if status.is_success() => Ok(answer),
            Some(problem) if problem.get("code").is_some_and(Value::is_string) => {
                Err(self.refusal(status.as_u16(), &problem))
            }
            _ => Err(Failure::new(
                "no_ledger",
                format!("{} answered {status}, and not as a ledger does", self.server),
            )
            .cure(format!("name the ledger's admin address with --server or {SERVER_VARIABLE}"))),
        }
    }

    /// The ledger's own refusal, with what to do next where the command line knows it.
    pub fn refusal(&self, status: u16, problem: &Value) -> Failure {
        let member = |name| problem.get(name).and_then(Value::as_str).map(str::to_owned);
        let code = member("code").unwrap_or_default();
        let detail = member("detail").or_else(|| member("title")).unwrap_or_else(|| code.clone());
        let field = member("field");
        let detail = match &field {
            Some(field) if !detail.contains(field.as_str()) => format!("{field}: {detail}"),
            _ => detail,
        };
        let cure = match (status, code.as_str()) {
            (401, _) => Some(format!(
                "{} is neither an operator's token nor the admin token that the ledger at {} was started with (a running `faregate up` has its own: --data DIR)",
                tokens::ADMIN,
                self.server
            )),
            (404, _) => list_of(&detail).map(str::to_owned),
            (409, "idempotency_key_reused") => Some(
                "leave --idempotency-key out, or repeat the first command exactly (with --expires as a date: a length counts from now)"
                    .to_owned(),
            ),
            (503, _) => Some("try again in a moment".to_owned()),
            _ => None,
        };
        Failure { code, detail, status: Some(status), field, cure }
    }

    /// No answer came. A write may have happened all the same; its key makes repeating it safe.
    fn unanswered(&self, error: &ureq::Error, written: Option<&str>) -> Failure {
        let server = &self.server;
        match error {
            ureq::Error::Timeout(_) => {
                let failure =
                    Failure::new("timeout", format!("the ledger at {server} didn't answer in time"));
                failure.cure(match written {
                    Some(key) => {
                        format!("it may have been done all the same: repeat it with --idempotency-key {key}")
                    }
                    None => "is it frozen, or the machine overloaded? Try again".to_owned(),
                })
            }
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::usage(format!(
                "{server:?} is no URL of a ledger, or an argument can't stand in a header: {error}"
            )),
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => untrusted(server, error),
            ureq::Error::Io(io) if by_rustls(io) => untrusted(server, error),
            ureq::Error::BodyExceedsLimit(limit) => {
                Failure::new("too_large", format!("the answer is larger than {limit} bytes"))
                    .cure("ask for less with --limit")
            }
            other => {
                let failure =
                    Failure::new("unreachable", format!("can't reach the ledger at {server}: {other}"));
                let mut cure = format!(
                    "start it with `faregate serve` or `faregate up`, or name it with --server, {SERVER_VARIABLE} or --data"
                );
                if let Some(key) = written {
                    // Writing to a String can't fail.
                    let _ = write!(cure, "; to repeat safely: --idempotency-key {key}");
                }
                failure.cure(cure)
            }
        }
    }
}

/// The command that lists what exists of what there is none of by this name, as the ledger says it.
fn list_of(detail: &str) -> Option<&'static str> {
    let what = detail.strip_prefix("there is no ")?;
    [
        ("account ", "`faregate account list` shows those that exist"),
        ("key ", "`faregate key list ACCOUNT` shows those that exist, each with its identifier"),
        ("plan ", "`faregate plan list` shows those that exist"),
        ("team ", "`faregate team list ACCOUNT` shows those that exist"),
        ("subscription of account ", "`faregate subscribe ACCOUNT PLAN` makes one"),
        ("budget of ", "`faregate budget list ACCOUNT` shows those that exist"),
        ("model ", "`faregate prices list` shows those that exist"),
        ("mail address ", "`faregate mail list` shows those that exist"),
        ("event ", "`faregate events` lists those of the last 30 days"),
        ("webhook ", "`faregate webhook list` shows those that exist"),
        ("gateway ", "`faregate leases` shows the gateways that hold credits"),
    ]
    .into_iter()
    .find(|(start, _)| what.starts_with(start))
    .map(|(_, cure)| cure)
}

fn by_rustls(error: &std::io::Error) -> bool {
    let cause: Option<&dyn std::error::Error> = error.get_ref().map(|cause| cause as _);
    cause.is_some_and(<dyn std::error::Error>::is::<rustls::Error>)
}

fn untrusted(server: &str, error: &ureq::Error) -> Failure {
    Failure::new("untrusted", format!("can't speak TLS with the ledger at {server}: {error}")).cure(format!(
        "give the authority of its certificate with --server-ca FILE or {CA_VARIABLE}, and its name as the certificate has it"
    ))
}

/// Characters that a URL may contain unescaped; all others could mean something there.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path segment or query value with everything escaped that could mean something else.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// A JSON object of the members that are there.
pub fn body<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
