//! `faregate balance`: what an account has left, and where the rest went.

use clap::Args;
use faregate_client::{
    Failure, Screen,
    admin::{Remote, encoded},
    screen::text,
};
use serde_json::Value;

#[derive(Args)]
pub struct Balance {
    /// The account's identifier
    account: String,
    #[command(flatten)]
    remote: Remote,
}

impl Balance {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let path = format!("/admin/v1/accounts/{}/balance", encoded(&self.account));
        let answer = self.remote.connect()?.get(&path, &[])?;
        screen.show(&answer, |screen, balance| {
            let has_plan = balance.get("plan").is_some_and(Value::is_string);
            // What it is made of says something only beside a plan.
            let of_plan = has_plan || ["quota", "overdraft"].iter().any(|name| text(balance, name) != "0");
            let names = if of_plan { 11 } else { 9 };
            for name in ["account", "state", "plan"].into_iter().filter(|name| has_plan || *name != "plan") {
                screen.line(format_args!("{name:<names$}  {}", text(balance, name)))?;
            }
            let parts = [
                ("  quota", "of the plan"),
                ("  bought", "given by operators"),
                ("  overdraft", "what the plan lets it owe"),
            ];
            let mut amounts = vec![("available", "to spend")];
            amounts.extend(parts.into_iter().filter(|_| of_plan));
            amounts.extend([
                ("held", "in gateways' leases"),
                ("spent", ""),
                ("expired", ""),
                ("owed", "the next grant pays this first"),
                ("granted", "in all"),
                ("voided", "taken back by corrections"),
            ]);
            // Most accounts never need a correction.
            amounts.retain(|(name, _)| *name != "voided" || text(balance, name) != "0");
            let width = amounts.iter().map(|(name, _)| text(balance, name.trim()).len()).max().unwrap_or(0);
            for (name, meaning) in amounts {
                let line = format!("{name:<names$}  {:>width$}  {meaning}", text(balance, name.trim()));
                screen.line(line.trim_end())?;
            }
            Ok(())
        })
    }
}
