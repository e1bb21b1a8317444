//! Has the ledger do what is listed, one write after the other.

use super::changes::Change;
use faregate_client::{Failure, admin::Admin};
use sha2::{Digest as _, Sha256};

/// Does one change. Its idempotency key follows from the run's and from what it is.
pub fn one(admin: &Admin, change: &Change, run: &str) -> Result<(), Failure> {
    let name = Sha256::digest(format!("{run}\n{}\n{}", change.path, change.body));
    let name = name.iter().take(16).fold(String::from("apply-"), |text, byte| format!("{text}{byte:02x}"));
    match admin.post_as(&change.path, &change.body, &name) {
        Ok(_) => Ok(()),
        Err(failure) => {
            let detail = format!("{}: {}", change.line, failure.detail);
            let cure = "what comes before it was done; apply the file again once this is cured".to_owned();
            let cure = failure.cure.map_or_else(|| cure.clone(), |more| format!("{more}; {cure}"));
            Err(Failure { detail, cure: Some(cure), ..failure })
        }
    }
}
