//! To which collector `serve` exports call records.

use crate::when;
use clap::Args;
use faregate_client::{Failure, private, terminal::warn, tokens::Environment};
use faregate_ledger::Secret;
use faregate_ledger::domain::otlp::{Endpoint, MAX_HEADERS_BYTES, headers};
use faregate_ledger::otlp::OtlpConfig;
use std::{path::Path, time::Duration};

/// The variable of the headers that the collector asks for.
const HEADERS: &str = "FAREGATE_OTLP_HEADERS";
/// The variable that names their file.
const HEADERS_FILE: &str = "FAREGATE_OTLP_HEADERS_FILE";
/// Metrics are sent no more often.
const MIN_METRICS_EVERY: Duration = Duration::from_secs(1);
/// What is sent may be compressed by this, or not.
const COMPRESSIONS: [&str; 2] = ["gzip", "none"];

/// Export of call records.
#[derive(Args)]
#[command(next_help_heading = "OpenTelemetry")]
#[expect(clippy::struct_field_names, reason = "they are the names of the flags")]
pub struct Collector {
    /// Export call records as OpenTelemetry logs to the collector at this URL, by OTLP over HTTP, such as
    /// http://127.0.0.1:4318; /v1/logs is appended. Headers that it asks for come from FAREGATE_OTLP_HEADERS as
    /// name=value,name=value, or from the file that FAREGATE_OTLP_HEADERS_FILE names
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// How what is exported is compressed
    #[arg(long, value_name = "HOW", default_value = "gzip", value_parser = COMPRESSIONS, requires = "otlp_endpoint")]
    otlp_compression: String,
    /// Export metrics, too, this often: those of /metrics, under the same names; /v1/metrics is appended to the URL
    #[arg(long, value_name = "TIME", value_parser = when::duration, requires = "otlp_endpoint")]
    otlp_metrics_every: Option<Duration>,
}

impl Collector {
    /// How the collector is reached, if there is one.
    pub fn config(self, environment: Environment<'_>) -> Result<Option<OtlpConfig>, Failure> {
        let Some(url) = self.otlp_endpoint else { return Ok(None) };
        let endpoint =
            Endpoint::parse(&url).map_err(|why| Failure::usage(format!("--otlp-endpoint: {why}")))?;
        if let Some(doubt) = endpoint.doubt() {
            warn(&format!("--otlp-endpoint: {doubt}"));
        }
        if let Some(every) = self.otlp_metrics_every.filter(|every| *every < MIN_METRICS_EVERY) {
            return Err(Failure::usage(format!("--otlp-metrics-every is {every:?}; give at least 1s")));
        }
        let headers = given_headers(environment)?;
        if !headers.is_empty() && !endpoint.logs.tls && !is_loopback(&endpoint) {
            warn(&format!(
                "--otlp-endpoint: the headers of {HEADERS} travel in the clear; https:// hides them"
            ));
        }
        Ok(Some(OtlpConfig {
            endpoint,
            headers: headers.into_iter().map(|(name, value)| (name, Secret::new(value))).collect(),
            gzip: self.otlp_compression == "gzip",
            metrics_every: self.otlp_metrics_every,
        }))
    }
}

fn is_loopback(endpoint: &Endpoint) -> bool {
    let target = &endpoint.logs;
    target.host == "localhost" || target.address().is_some_and(|address| address.is_loopback())
}

fn given_headers(environment: Environment<'_>) -> Result<Vec<(String, String)>, Failure> {
    let failure = |why: String| Failure::new("otlp", why);
    let (text, source) = match (environment(HEADERS), environment(HEADERS_FILE)) {
        (None, None) => return Ok(Vec::new()),
        (Some(_), Some(_)) => {
            return Err(
                failure(format!("both {HEADERS} and {HEADERS_FILE} are set")).cure("keep one of them")
            );
        }
        (Some(text), None) => {
            (text.into_string().map_err(|_| failure(format!("{HEADERS} is not text")))?, HEADERS)
        }
        (None, Some(path)) => {
            let path = Path::new(&path);
            if let Some(exposed) = private::exposed(path, private::OTHERS) {
                warn(&format!("{HEADERS_FILE}: {}: {}", exposed.what, exposed.cure));
            }
            let unreadable = |why: &dyn std::fmt::Display| {
                failure(format!("{HEADERS_FILE}: can't read {}: {why}", path.display()))
            };
            let length = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
            if length > MAX_HEADERS_BYTES as u64 {
                return Err(unreadable(&format!("it has more than {MAX_HEADERS_BYTES} bytes"))
                    .cure("name the file that has only headers"));
            }
            (std::fs::read_to_string(path).map_err(|error| unreadable(&error))?, HEADERS_FILE)
        }
    };
    headers(&text).map_err(|why| failure(format!("{source} {why}")))
}
