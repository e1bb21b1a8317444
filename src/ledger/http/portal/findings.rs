//! What keeps an account's requests from passing, as pages show it.

use super::answers::OwnFinding;
use crate::domain::portal::helps;
use crate::http::pages::page::sentence;
use crate::http::pages::show::Html;

/// What is wrong, and what cures it.
pub struct Found {
    /// In a few words.
    pub title: String,
    /// What is wrong.
    pub what: Html,
    /// The code of the refusals.
    pub code: Html,
    /// What can be done, the best first.
    pub cures: Vec<String>,
    /// Whether more credits may help.
    pub tops_up: bool,
    /// Whether another plan may help.
    pub upgrades: bool,
}

impl Found {
    /// As a page shows it.
    pub fn of(finding: &OwnFinding) -> Self {
        Self {
            title: finding.title.clone(),
            what: Html::text(sentence(&finding.what)),
            code: Html::code(&finding.code),
            cures: finding.cures.clone(),
            tops_up: helps(&finding.code, "top_up"),
            upgrades: helps(&finding.code, "upgrade_plan"),
        }
    }
}
