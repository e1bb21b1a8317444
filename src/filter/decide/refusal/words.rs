//! What a person reads, and what cures it.

use super::language::BUILT_IN;
use super::link::fill;
use super::own::Own;
use super::{Refusal, Surroundings, cause, joined};
use crate::decide::calendar::plainly;
use crate::decide::settings::Wording;
use crate::decide::settings::texts::{DETAIL, LABEL, TITLE};
use faregate_protocol::{Credits, RefusalCode};
use serde::Serialize;
use std::borrow::Cow;

/// What a refusal says.
pub(super) struct Words<'a> {
    pub(super) title: Cow<'static, str>,
    pub(super) detail: String,
    /// The language of the detail; `*`, where it isn't known.
    pub(super) language: &'a str,
    pub(super) remedies: Vec<Remedy<'a>>,
    pub(super) own: Own<'a>,
}

/// The names of all that may cure a refusal.
pub const ACTIONS: [&str; 10] = [
    "send_key",
    "top_up",
    "upgrade_plan",
    "pay_invoice",
    "wait",
    "raise_budget",
    "reduce_cost",
    "retry",
    "contact_operator",
    "use_successor",
];

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
    pub(super) fn label(&self, own: &Own<'_>) -> (String, Option<&str>) {
        let mut after = String::new();
        let mut url = None;
        let (action, text) = match self {
            Self::SendKey => ("send_key", "Send a valid API key"),
            Self::TopUp(link) => {
                url = link.url.as_deref();
                ("top_up", "Add credits")
            }
            Self::UpgradePlan(link) => {
                url = link.url.as_deref();
                ("upgrade_plan", "Choose a bigger plan")
            }
            Self::PayInvoice(link) => {
                url = link.url.as_deref();
                ("pay_invoice", "Pay what is due")
            }
            Self::Wait { until } => {
                after = plainly(until);
                ("wait", "Wait until ")
            }
            Self::RaiseBudget => ("raise_budget", "Have the budget raised"),
            Self::ReduceCost { max } => {
                after.push_str(max);
                ("reduce_cost", "Ask for something that costs at most ")
            }
            Self::Retry { after_seconds } => {
                after = joined(&[&after_seconds.to_string(), " s"]);
                ("retry", "Try again in ")
            }
            Self::ContactOperator => ("contact_operator", "Ask the operator of this API"),
            Self::UseSuccessor(link) => {
                url = link.url.as_deref();
                ("use_successor", "Use what replaces it")
            }
        };
        (own.text(action, LABEL).map_or_else(|| joined(&[text, &after]), |(text, _)| text), url)
    }
}

/// The words for a refusal in the caller's language: the operator's own where there are some, and else the built-in ones.
pub(super) fn of<'a>(refusal: &'a Refusal, around: &Surroundings<'_>, wording: &'a Wording) -> Words<'a> {
    let (title, detail, remedies) = vouched(refusal).unwrap_or_else(|| built_in(refusal, around, wording));
    let own = Own { texts: &wording.texts, language: around.language, refusal };
    let code = refusal.code.as_str();
    let title = own.text(code, TITLE).map_or(Cow::Borrowed(title), |(title, _)| Cow::Owned(title));
    let (detail, language) = own.text(code, DETAIL).unwrap_or((detail, BUILT_IN));
    Words { title, detail, language, remedies, own }
}

type BuiltIn<'a> = (&'static str, String, Vec<Remedy<'a>>);

fn built_in<'a>(refusal: &'a Refusal, around: &Surroundings<'_>, wording: &Wording) -> BuiltIn<'a> {
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
            detail = joined(&[&detail, " More comes on ", &plainly(at), "."]);
        }
        if available.is_positive() {
            remedies.push(Remedy::ReduceCost { max: available.to_string() });
        }
    }
    (cause.title, detail, remedies)
}

fn counted(amount: Credits, one: &str, many: &str) -> String {
    format!("{amount} {}", if amount == Credits::from_micros(1_000_000) { one } else { many })
}

/// Of one whom Envoy knows by a certificate or a token: there is no key to send, only somebody to ask.
fn vouched<'a>(refusal: &Refusal) -> Option<BuiltIn<'a>> {
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
    Some(("Identity not accepted", detail.to_owned(), vec![Remedy::ContactOperator]))
}
