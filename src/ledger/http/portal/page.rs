//! What all pages of the portal have in common: the operator's brand and the frame around them.
//!
//! A further page is a line of [`PAGES`], a route and a module beside the others.

use super::state::Portal;
use crate::http::pages::page::zones;
use crate::http::pages::show::{Html, Zone};

/// The page of calls, which the operator may leave out.
pub const CALLS: &str = "/calls";

/// A page's address and name in the navigation.
pub const PAGES: [(&str, &str); 8] = [
    ("", "Home"),
    ("/usage", "Usage"),
    (CALLS, "Calls"),
    ("/keys", "Keys"),
    ("/plan", "Plan and prices"),
    ("/alerts", "Alerts"),
    ("/receipts", "Receipts"),
    ("/refusals", "Refusals"),
];

/// The operator's brand.
#[derive(Clone, Debug)]
pub struct Bare {
    /// What the portal is called.
    pub name: Html,
    /// The same as plain text.
    pub title: String,
    /// Whether there is a logo.
    pub has_logo: bool,
    /// By what the style sheet's address changes with it.
    pub version: String,
    /// The operator's own site.
    pub home: Option<String>,
    /// Where customers get help.
    pub support: Option<String>,
    /// A text of the operator's on the page on which customers sign in.
    pub sign_in: Option<Html>,
    /// And at the bottom of each page.
    pub footer: Option<Html>,
}

impl Bare {
    /// That of a portal.
    pub fn of(portal: &Portal) -> Self {
        let settings = &portal.settings;
        Self {
            name: Html::text(&settings.name),
            title: settings.name.clone(),
            has_logo: settings.logo.is_some(),
            version: portal.version.clone(),
            home: settings.home_url.clone(),
            support: settings.support_url.clone(),
            sign_in: settings.texts.sign_in.as_ref().map(|text| lines(text)),
            footer: settings.texts.footer.as_ref().map(|text| lines(text)),
        }
    }
}

/// A text of the operator's, with its lines.
pub fn lines(text: &str) -> Html {
    let lines: Vec<String> = text.lines().map(|line| Html::text(line).to_string()).collect();
    Html::trusted(lines.join("<br>"))
}

/// The frame around a page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The operator's brand.
    pub bare: Bare,
    /// The page's name.
    pub title: String,
    /// Which page of the navigation it belongs to.
    pub here: &'static str,
    /// Whose account it is.
    pub account: Html,
    /// Whether who looks may change nothing, because a key was shown.
    pub read_only: bool,
    /// What forms must show.
    pub form_token: String,
    /// The zone of times.
    pub zone: Zone,
    /// This page's path and query.
    pub path: String,
    /// Where the customer came from.
    pub back: Option<String>,
    /// Where credits are sold.
    pub top_up: Option<String>,
    /// Where plans are sold.
    pub upgrade: Option<String>,
    /// Whether this customer may make keys.
    pub may_make_keys: bool,
    /// Whether calls are shown.
    pub shows_calls: bool,
}

impl Frame {
    /// The pages of the navigation, and whether it is this one.
    pub fn pages(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let shown = PAGES.into_iter().filter(|(path, _)| self.shows_calls || *path != CALLS);
        shown.map(|(path, name)| (path, name, path == self.here))
    }

    /// The zones that are offered: the chosen one, too.
    pub fn zones(&self) -> Vec<(&str, bool)> {
        zones(&self.zone)
    }

    /// Whether this customer may make keys.
    pub const fn makes_keys(&self) -> bool {
        self.may_make_keys
    }
}
