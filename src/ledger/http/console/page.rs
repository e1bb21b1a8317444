//! What all pages have in common: the frame around them.

use crate::domain::access::AccessScope;
use crate::http::pages::page::zones;
pub use crate::http::pages::page::{html, sentence};
use crate::http::pages::show::Zone;

/// A page's address and name in the navigation.
pub const PAGES: [(&str, &str); 10] = [
    ("", "Overview"),
    ("/accounts", "Accounts"),
    ("/plans", "Plans"),
    ("/prices", "Prices"),
    ("/gateways", "Gateways"),
    ("/shadow", "Shadow"),
    ("/webhooks", "Webhooks"),
    ("/trail", "Trail"),
    ("/operators", "Operators"),
    ("/settings", "Settings"),
];

/// The frame around a page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The page's name.
    pub title: String,
    /// Which page of the navigation it belongs to.
    pub here: &'static str,
    /// Who looks.
    pub operator: String,
    /// What that operator may do.
    pub scope: AccessScope,
    /// What forms must show.
    pub form_token: String,
    /// The zone of times.
    pub zone: Zone,
    /// This page's path and query.
    pub path: String,
    /// The ledger's version.
    pub version: &'static str,
}

impl Frame {
    /// The pages of the navigation that this operator may see, and whether it is this one.
    pub fn pages(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let is_admin = self.scope == AccessScope::Admin;
        let seen = PAGES
            .into_iter()
            .filter(move |(path, _)| is_admin || !["/operators", "/webhooks"].contains(path));
        seen.map(|(path, name)| (path, name, path == self.here))
    }

    /// The zones that are offered: the chosen one, too.
    pub fn zones(&self) -> Vec<(&str, bool)> {
        zones(&self.zone)
    }

    /// Whether this operator may do what needs this scope.
    pub fn may(&self, needs: AccessScope) -> bool {
        self.scope >= needs
    }

    /// Whether this operator may help customers.
    pub fn may_support(&self) -> bool {
        self.may(AccessScope::Support)
    }

    /// Whether this operator may move credits.
    pub fn may_bill(&self) -> bool {
        self.may(AccessScope::Billing)
    }
}
