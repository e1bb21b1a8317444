//! `faregate grants`: what an account was given, and what is left of it.

use super::paging::{Listed, Paging, as_they_are};
use clap::Args;
use faregate_client::{
    Failure, Screen,
    admin::{Remote, encoded},
};

/// What a list shows of each grant.
const COLUMNS: [&str; 8] = ["id", "kind", "amount", "remaining", "expires_at", "priority", "source", "note"];

#[derive(Args)]
pub struct Grants {
    /// The account's identifier
    account: String,
    /// Only those with something left
    #[arg(long)]
    left: bool,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    remote: Remote,
}

impl Grants {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let admin = self.remote.connect()?;
        let path = &format!("/admin/v1/accounts/{}/grants", encoded(&self.account));
        let query = vec![("left", self.left.then(|| "true".to_owned()))];
        let listed = Listed { path, query, member: "grants", columns: &COLUMNS, rows: as_they_are };
        self.paging.show(&admin, screen, &listed)
    }
}
