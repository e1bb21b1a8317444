//! `faregate balance`: what an account has left, and where the rest went.

use clap::Args;
use faregate_client::{
    Failure, Screen,
    admin::{Remote, encoded},
    screen::text,
};

#[derive(Args)]
pub struct Balance {
    #[command(flatten)]
    remote: Remote,
    /// The account's identifier
    account: String,
}

impl Balance {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let path = format!("/admin/v1/accounts/{}/balance", encoded(&self.account));
        let answer = self.remote.connect()?.get(&path, &[])?;
        screen.show(&answer, |screen, balance| {
            for name in ["account", "state"] {
                screen.line(format_args!("{name:<9}  {}", text(balance, name)))?;
            }
            let amounts = [
                ("available", "to spend"),
                ("held", "in gateways' leases"),
                ("spent", ""),
                ("expired", ""),
                ("owed", "the next grant pays this first"),
                ("granted", "in all"),
            ];
            let width = amounts.iter().map(|(name, _)| text(balance, name).len()).max().unwrap_or(0);
            for (name, meaning) in amounts {
                let line = format!("{name:<9}  {:>width$}  {meaning}", text(balance, name));
                screen.line(line.trim_end())?;
            }
            Ok(())
        })
    }
}
