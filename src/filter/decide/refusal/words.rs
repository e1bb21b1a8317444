//! What a person reads, and what cures it.

use super::link::fill;
use super::{Refusal, Surroundings, cause, joined};
use crate::decide::settings::Wording;
use faregate_protocol::{Credits, RefusalCode};
use serde::Serialize;

/// What a refusal says.
pub(super) struct Words<'a> {
    pub(super) title: &'static str,
    pub(super) detail: String,
    pub(super) remedies: Vec<Remedy<'a>>,
}

/// What cures it.
#[derive(Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(super) enum Remedy<'a> {
    SendKey,
    TopUp(Link),
    UpgradePlan(Link),
    PayInvoice(Link),
    Wait { until: &'a str },
    RaiseBudget,
    ReduceCost { max: String },
    Retry { after_seconds: u32 },
    ContactOperator,
    UseSuccessor(Link),
}

/// Where to do it, if that is configured.
#[derive(Serialize)]
pub(super) struct Link {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl Words<'_> {
    /// Where to pay, when paying cures it.
    pub(super) fn payment(&self) -> Option<&str> {
        self.remedies.iter().find_map(|remedy| match remedy {
            Remedy::TopUp(link) | Remedy::PayInvoice(link) => link.url.as_deref(),
            _ => None,
        })
    }
}

impl Remedy<'_> {
    /// What a person would do, and where.
    pub(super) fn label(&self) -> (String, Option<&str>) {
        let (text, url) = match self {
            Self::SendKey => ("Send a valid API key", None),
            Self::TopUp(Link { url }) => ("Add credits", url.as_deref()),
            Self::UpgradePlan(Link { url }) => ("Choose a bigger plan", url.as_deref()),
            Self::PayInvoice(Link { url }) => ("Pay what is due", url.as_deref()),
            Self::Wait { until } => return (format!("Wait until {until}"), None),
            Self::RaiseBudget => ("Have the budget raised", None),
            Self::ReduceCost { max } => return (format!("Ask for something that costs at most {max}"), None),
            Self::Retry { after_seconds } => return (format!("Try again in {after_seconds} s"), None),
            Self::ContactOperator => ("Ask the operator of this API", None),
            Self::UseSuccessor(Link { url }) => ("Use what replaces it", url.as_deref()),
        };
        (text.to_owned(), url)
    }
}

/// The words for a refusal.
pub(super) fn of<'a>(refusal: &'a Refusal, around: &Surroundings<'_>, wording: &Wording) -> Words<'a> {
    if let Some(words) = vouched(refusal) {
        return words;
    }
    let link =
        |template: &Option<String>| Link { url: template.as_ref().map(|template| fill(template, refusal)) };
    let cause = cause::of(refusal.code);
    let mut detail = refusal.hint.unwrap_or(cause.detail).to_owned();
    let mut remedies = Vec::new();
    let mut renews = None;
    if let Some(reset) = refusal.cured_at() {
        renews = Some(&reset.at);
        remedies.push(Remedy::Wait { until: &reset.at });
    }
    match refusal.code {
        RefusalCode::InsufficientFunds => remedies.push(Remedy::TopUp(link(&wording.top_up_url))),
        RefusalCode::QuotaExhausted | RefusalCode::SubscriptionExpired => {
            if refusal.top_up {
                remedies.push(Remedy::TopUp(link(&wording.top_up_url)));
            }
            remedies.push(Remedy::UpgradePlan(link(&wording.upgrade_url)));
        }
        RefusalCode::KeyBudgetExhausted
        | RefusalCode::TeamBudgetExhausted
        | RefusalCode::AccountBudgetExhausted => remedies.push(Remedy::RaiseBudget),
        RefusalCode::PaymentPastDue => remedies.push(Remedy::PayInvoice(link(&wording.top_up_url))),
        RefusalCode::PlanExcludesRoute => remedies.push(Remedy::UpgradePlan(link(&wording.upgrade_url))),
        RefusalCode::RateLimited => {
            remedies.push(Remedy::Retry { after_seconds: refusal.wait_s });
            remedies.push(Remedy::UpgradePlan(link(&wording.upgrade_url)));
        }
        RefusalCode::LedgerUnavailable => remedies.push(Remedy::Retry { after_seconds: refusal.wait_s }),
        RefusalCode::AccountSuspended => remedies.push(Remedy::ContactOperator),
        RefusalCode::RouteRetired => remedies.push(Remedy::UseSuccessor(Link {
            url: around.deprecated.and_then(|deprecated| deprecated.link.clone()),
        })),
        RefusalCode::MissingKey
        | RefusalCode::InvalidKey
        | RefusalCode::KeyExpired
        | RefusalCode::KeyExcludesRoute => remedies.push(Remedy::SendKey),
    }
    if refusal.code.is_short() {
        let (needed, available) = (refusal.needed.unwrap_or_default(), refusal.available.unwrap_or_default());
        detail = format!(
            "This request costs {}; {} left{detail}.",
            counted(needed, "credit", "credits"),
            counted(available, "is", "are")
        );
        if let Some(at) = renews {
            detail = joined(&[&detail, " More comes at ", at, "."]);
        }
        if available.is_positive() {
            remedies.push(Remedy::ReduceCost { max: available.to_string() });
        }
    }
    Words { title: cause.title, detail, remedies }
}

fn counted(amount: Credits, one: &str, many: &str) -> String {
    format!("{amount} {}", if amount == Credits::from_micros(1_000_000) { one } else { many })
}

/// Of one whom Envoy knows by a certificate or a token: there is no key to send, only somebody to ask.
fn vouched<'a>(refusal: &Refusal) -> Option<Words<'a>> {
    let detail = match refusal.code {
        _ if !refusal.vouched => return None,
        RefusalCode::MissingKey => {
            "This request needs a verified identity, such as a client certificate's, and has none."
        }
        RefusalCode::InvalidKey => {
            "No account pays for this verified identity. Ask the operator of this API to add it to one."
        }
        RefusalCode::KeyExpired => {
            "The time in which this verified identity could pay is over. Ask the operator of this API to renew it."
        }
        _ => return None,
    };
    let remedies = vec![Remedy::ContactOperator];
    Some(Words { title: "Identity not accepted", detail: detail.to_owned(), remedies })
}
