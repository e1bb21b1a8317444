//! `faregate up`: a whole gate on this machine, to try out or to put in front of one's own API.
//!
//! It is for development: one data directory, loopback addresses, the demo key in a file. What runs in
//! production is `faregate serve` and an Envoy with the filter, each supervised by the system.

use crate::{
    access_log,
    fit::named,
    gate::{Gate, Plan},
    home::DEMO_ACCOUNT,
    upstream::Upstream,
};
use clap::Args;
use faregate_client::{
    Failure,
    process::{STOP_OR_HANGUP, log_to_stderr, runtime, stop_signal},
    terminal::{printable_json, say},
};
use faregate_protocol::Credits;
use serde_json::json;
use std::{net::SocketAddr, path::PathBuf};

/// `faregate up`.
#[derive(Args)]
pub struct Up {
    /// The API to put the gate in front of: http://host:port [default: a built-in sample API]
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Where to accept requests
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// What each request costs, in credits
    #[arg(long, value_name = "CREDITS", default_value = "1", value_parser = price, allow_hyphen_values = true)]
    price: Credits,
    /// Where everything is kept between runs
    #[arg(long, value_name = "DIR", default_value = ".faregate")]
    data: PathBuf,
    /// Open the portal for customers, too
    #[arg(long)]
    portal: bool,
    #[command(flatten)]
    parts: Parts,
}

/// Where the parts lie that are not in this program.
#[derive(Args, Clone)]
pub struct Parts {
    /// The Envoy binary [env: ENVOY] [default: envoy on PATH, or what `make setup` fetched]
    #[arg(long, value_name = "FILE")]
    envoy: Option<PathBuf>,
    /// The filter [env: FAREGATE_WASM] [default: faregate.wasm beside this program, or where cargo puts it]
    #[arg(long, value_name = "FILE")]
    filter: Option<PathBuf>,
}

impl Parts {
    pub fn envoy(&self) -> Option<PathBuf> {
        named(self.envoy.as_ref())
    }

    pub fn filter(&self) -> Option<PathBuf> {
        self.filter
            .clone()
            .or_else(|| std::env::var_os("FAREGATE_WASM").filter(|path| !path.is_empty()).map(PathBuf::from))
    }
}

fn price(text: &str) -> Result<Credits, String> {
    let price = Credits::parse(text).map_err(|why| why.to_string())?;
    if price.is_zero() {
        Err("a price is above zero; a gate that takes nothing is none".to_owned())
    } else {
        Ok(price)
    }
}

impl Up {
    /// Keeps the gate running until it is asked to stop.
    pub fn run(self, json: bool) -> Result<(), Failure> {
        let upstream = self.upstream.as_deref().map(Upstream::parse).transpose()?;
        log_to_stderr(json, "warn")?;
        let (sample, price, data) = (upstream.is_none(), self.price, self.data.clone());
        let plan = Plan {
            data: self.data,
            listen: self.listen,
            upstream,
            price,
            envoy: self.parts.envoy(),
            filter: self.parts.filter(),
            usual_ports: true,
            portal: self.portal,
        };
        runtime()?.block_on(async move {
            let stop = stop_signal(&STOP_OR_HANGUP)?;
            tokio::pin!(stop);
            let zone = jiff::tz::TimeZone::system();
            let show = move |line: &str| if json { say(&printable_json(line)) } else { say(&access_log::readable(line, &zone)) };
            let mut gate = tokio::select! {
                gate = Gate::start(plan, show) => gate?,
                () = &mut stop => return Ok(()),
            };
            welcome(&gate, sample, price, &data, json);
            let broken = tokio::select! {
                () = &mut stop => None,
                failure = gate.broken() => Some(failure),
            };
            if let Some(failure) = broken {
                // What is left is ended; its own troubles would hide the first.
                let _ = gate.abandon().await;
                return Err(failure);
            }
            if !json {
                say("\nstopping: credits are handed back, then everything ends");
            }
            let again = stop_signal(&STOP_OR_HANGUP)?;
            tokio::select! {
                stopped = gate.stop() => stopped,
                () = again => Err(Failure::new("interrupted", "ended at once; credits in leases are reclaimed in the next run")),
            }
        })
    }
}

/// Says where everything is, and what to try.
fn welcome(gate: &Gate, sample: bool, price: Credits, data: &std::path::Path, json: bool) {
    let base = format!("http://{}", gate.listen);
    let admin_url = std::fs::read_to_string(gate.home.file("admin-url")).unwrap_or_default();
    if json {
        let ready = json!({
            "event": "ready", "url": base, "admin_url": admin_url.trim(),
            "console_url": format!("{}/console", admin_url.trim()), "account": DEMO_ACCOUNT, "key": gate.key,
            "portal_url": gate.portal.map(|address| format!("http://{address}/portal")),
            "available": gate.available.to_string(), "price": price.to_string(), "data": data,
        });
        return say(&printable_json(&ready.to_string()));
    }
    let program = program_as_typed();
    let url = if sample { format!("{base}/hello") } else { format!("{base}/") };
    let paid = gate.available.micros() / price.micros().max(1);
    let top_up = format!("{program} grant {DEMO_ACCOUNT} 5 --data {}", data.display());
    let call = format!("curl -w '\\n' {url} -H 'x-api-key: {}'", gate.key);
    let token = data.join("admin-token");
    say(&format!(
        "the console: {}/console, signed in with the token in {}",
        admin_url.trim(),
        token.display()
    ));
    say(&format!(
        "the gate is open at {base}; a request costs {price}, the account {DEMO_ACCOUNT} has {}",
        gate.available
    ));
    say("\nTry in another terminal:\n");
    if (1..=20).contains(&paid) {
        say(&format!("  for i in $(seq {paid}); do {call}; done   # {paid} times 200"));
    }
    say(&format!("  {call}   # {}", if paid <= 20 { "402: the credits are used up" } else { "200" }));
    say(&format!("  {top_up}   # a top-up"));
    say(&format!("  {call}   # 200 again"));
    say(&format!("  {program} balance {DEMO_ACCOUNT} --data {}", data.display()));
    if let Some(portal) = gate.portal {
        say(&format!(
            "\nAs the customer: http://{portal}/portal with the key above, or with a link: {program} portal link {DEMO_ACCOUNT} --data {}",
            data.display()
        ));
    }
    say("\nCtrl-C stops everything. Requests:\n");
}

/// This program as it can be typed in the current directory.
fn program_as_typed() -> String {
    let program = PathBuf::from(std::env::args_os().next().unwrap_or_else(|| "faregate".into()));
    let here = std::env::current_dir().unwrap_or_default();
    program.strip_prefix(&here).unwrap_or(&program).display().to_string()
}
