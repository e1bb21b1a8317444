//! A refusal's text for a person, and its remedies.

use super::about;
use super::custom_texts::CustomTexts;
use super::language::BUILT_IN;
use super::link::fill;
use super::template::Text;
use super::{Refusal, RequestContext};
use crate::decide::base::calendar::human_readable;
use crate::decide::base::text::joined;
use crate::decide::settings::actions::{
    Action, CHANGE_REQUEST, CHOOSE_MODEL, CONTACT_OPERATOR, PAY_INVOICE, RAISE_BUDGET, REDUCE_COST, RETRY,
    SEND_KEY, TOP_UP, UPGRADE_PLAN, USE_SUCCESSOR, WAIT,
};
use crate::decide::settings::texts::{DETAIL, LABEL, TITLE};
use crate::decide::settings::{Deprecation, Wording};
use faregate_protocol::{Credits, RefusalCode};
use std::borrow::Cow;

/// What is counted in the singular.
const ONE: Credits = Credits::from_micros(1_000_000);

/// What a refusal says.
pub(super) struct Messages<'a> {
    pub(super) title: Cow<'static, str>,
    pub(super) detail: String,
    /// The language of the detail; `*`, where it isn't known.
    pub(super) language: &'a str,
    pub(super) remedies: Vec<Remedy<'a>>,
    pub(super) custom: CustomTexts<'a>,
}

/// A remedy.
pub(super) struct Remedy<'a> {
    action: Action,
    more: More<'a>,
}

/// A remedy's details.
enum More<'a> {
    Nothing,
    /// Where to do it.
    Url(String),
    /// When it helps.
    Until(&'a str),
    /// How much is left.
    Max(String),
    Seconds(u32),
}

impl Messages<'_> {
    /// Where to pay, if paying helps.
    pub(super) fn payment(&self) -> Option<&str> {
        self.remedies.iter().find_map(|remedy| match &remedy.more {
            More::Url(url) if [TOP_UP, PAY_INVOICE].contains(&remedy.action) => Some(url.as_str()),
            _ => None,
        })
    }
}

impl Remedy<'_> {
    /// What a person would do, and where.
    pub(super) fn label(&self, custom: &CustomTexts<'_>) -> (String, Option<&str>) {
        let Action(action, text) = self.action;
        let mut url = None;
        let after = match &self.more {
            More::Nothing => String::new(),
            More::Url(address) => {
                url = Some(address.as_str());
                String::new()
            }
            More::Until(at) => human_readable(at),
            More::Max(max) => max.clone(),
            More::Seconds(seconds) => joined(&[&seconds.to_string(), " s"]),
        };
        (custom.text(action, LABEL).map_or_else(|| joined(&[text, &after]), |(text, _)| text), url)
    }

    /// What a program reads.
    pub(super) fn write(&self, to: &mut Text) {
        to.member("{\"action\":", self.action.0);
        match &self.more {
            More::Nothing => {}
            More::Url(url) => to.member(",\"url\":", url),
            More::Until(at) => to.member(",\"until\":", at),
            More::Max(max) => to.member(",\"max\":", max),
            More::Seconds(seconds) => {
                to.push(",\"after_seconds\":");
                to.push(&seconds.to_string());
            }
        }
        to.push("}");
    }
}

/// The messages for a refusal in the caller's language: the operator's own where there are some, and else the built-in ones.
#[inline(never)]
pub(super) fn of<'a>(
    refusal: &'a Refusal,
    around: &RequestContext<'_>,
    wording: &'a Wording,
) -> Messages<'a> {
    let (title, detail, remedies) =
        trusted_identity(refusal).unwrap_or_else(|| built_in(refusal, around, wording));
    let custom = CustomTexts { texts: &wording.texts, language: around.language, refusal };
    let code = refusal.code.as_str();
    let title = custom.text(code, TITLE).map_or(Cow::Borrowed(title), |(title, _)| Cow::Owned(title));
    let (detail, language) = custom.text(code, DETAIL).unwrap_or((detail, BUILT_IN));
    Messages { title, detail, language, remedies, custom }
}

type BuiltIn<'a> = (&'static str, String, Vec<Remedy<'a>>);

#[inline(never)]
fn built_in<'a>(refusal: &'a Refusal, around: &RequestContext<'_>, wording: &Wording) -> BuiltIn<'a> {
    let mut detail = about::detail(refusal);
    let mut remedies = Vec::new();
    let mut renews = None;
    if let Some(reset) = refusal.cured_at() {
        renews = Some(&reset.at);
        remedies.push(Remedy { action: WAIT, more: More::Until(&reset.at) });
    }
    let actions: &[Action] = match refusal.code {
        RefusalCode::InsufficientFunds => &[TOP_UP],
        RefusalCode::QuotaExhausted | RefusalCode::SubscriptionExpired if refusal.top_up => {
            &[TOP_UP, UPGRADE_PLAN]
        }
        RefusalCode::QuotaExhausted | RefusalCode::SubscriptionExpired | RefusalCode::PlanExcludesRoute => {
            &[UPGRADE_PLAN]
        }
        RefusalCode::KeyBudgetExhausted
        | RefusalCode::TeamBudgetExhausted
        | RefusalCode::AccountBudgetExhausted => &[RAISE_BUDGET],
        RefusalCode::PaymentPastDue => &[PAY_INVOICE],
        RefusalCode::RateLimited => &[RETRY, UPGRADE_PLAN],
        RefusalCode::LedgerUnavailable => &[RETRY],
        RefusalCode::AccountSuspended | RefusalCode::WrongCell => &[CONTACT_OPERATOR],
        RefusalCode::RouteRetired => &[USE_SUCCESSOR],
        RefusalCode::InvalidBody
        | RefusalCode::UnsupportedEncoding
        | RefusalCode::BodyTooLarge
        | RefusalCode::HeaderMismatch => &[CHANGE_REQUEST],
        RefusalCode::UnknownModel => &[CHOOSE_MODEL, CONTACT_OPERATOR],
        RefusalCode::MissingKey
        | RefusalCode::InvalidKey
        | RefusalCode::KeyExpired
        | RefusalCode::KeyExcludesRoute => &[SEND_KEY],
    };
    for action in actions {
        let template = match *action {
            TOP_UP | PAY_INVOICE => wording.top_up_url.as_ref(),
            UPGRADE_PLAN => wording.upgrade_url.as_ref(),
            _ => None,
        };
        let more = match (template, around.deprecated, *action) {
            (Some(template), ..) => More::Url(fill(template, refusal)),
            (_, Some(Deprecation { link: Some(link), .. }), USE_SUCCESSOR) => More::Url(link.clone()),
            (.., RETRY) => More::Seconds(refusal.wait_s),
            _ => More::Nothing,
        };
        remedies.push(Remedy { action: *action, more });
    }
    if refusal.code.is_short() {
        let (needed, available) = (refusal.needed.unwrap_or_default(), refusal.available.unwrap_or_default());
        let (costs, left) = (needed.to_string(), available.to_string());
        let credits = if needed == ONE { " credit; " } else { " credits; " };
        let verb = if available == ONE { " is left" } else { " are left" };
        let fitting = refusal.fits.map(about::fitting).unwrap_or_default();
        let begin =
            if refusal.fits.is_some() { "This request may cost up to " } else { "This request costs " };
        detail = joined(&[begin, &costs, credits, &left, verb, &detail, ".", &fitting]);
        if let Some(at) = renews {
            detail = joined(&[&detail, " More comes on ", &human_readable(at), "."]);
        }
        if available.is_positive() {
            remedies.push(Remedy { action: REDUCE_COST, more: More::Max(left) });
        }
    }
    (refusal.code.title(), detail, remedies)
}

/// For a caller with a trusted identity: it can only ask the operator, not send a key.
fn trusted_identity<'a>(refusal: &Refusal) -> Option<BuiltIn<'a>> {
    let detail = match refusal.code {
        _ if !refusal.trusted_identity => return None,
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
    Some((
        "Identity not accepted",
        detail.to_owned(),
        vec![Remedy { action: CONTACT_OPERATOR, more: More::Nothing }],
    ))
}
