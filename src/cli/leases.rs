//! `faregate leases` and `faregate recall`: what gateways hold, and asking for it back.

use clap::Args;
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body},
    screen::{count, text},
};
use serde_json::{Value, json};

#[derive(Args)]
pub struct Leases {
    /// Only those of this gateway
    #[arg(long)]
    gateway: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Leases {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let answer = self.remote.connect()?.get("/admin/v1/leases", &[("gateway", self.gateway)])?;
        screen.show(&answer, |screen, answer| {
            let columns = [
                "gateway",
                "account",
                "key",
                "epoch",
                "granted",
                "spent",
                "returned",
                "held",
                "at_risk",
                "heard_ms_ago",
            ];
            screen.table(answer.get("leases").unwrap_or(&json!([])), &columns)?;
            screen.line(format_args!("at risk: {}", text(answer, "at_risk")))?;
            screen.next_page(answer)
        })
    }
}

#[derive(Args)]
pub struct Recall {
    /// Only this gateway
    #[arg(long)]
    gateway: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Recall {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let what = body([("gateway", self.gateway.map(Into::into))]);
        let answer = self.remote.connect()?.post("/admin/v1/recall", &what)?;
        screen.show(&answer, |screen, answer| {
            let asked = count(answer.get("leases").and_then(Value::as_u64).unwrap_or(0), "lease", "leases");
            screen.line(format_args!("asked for {asked}; `faregate leases` shows what is still out"))
        })
    }
}
