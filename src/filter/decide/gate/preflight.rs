//! CORS preflights: a browser sends an `OPTIONS` before a page's request, without a key, because no page can add one.
//!
//! What must hold: only a request that a browser could send counts as a preflight: no body, no credential, no method
//! override, one origin and one method. Anything else is an ordinary request. On a paid route, a preflight reaches the API
//! only as the operator's `preflight` says; on a retired one, never.

use super::Gate;
use crate::decide::base::bytes::{all_are, is_token_byte};
use crate::decide::base::head::Head;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::outcome::{Outcome, Passage};
use crate::decide::refusal::template::Headers;
use crate::decide::refusal::{MAX_REPEATED, Refusal};
use crate::decide::request::view::View;
use crate::decide::request::{identity, rules};
use crate::decide::settings::cors::{Preflight, is_origin};
use crate::decide::settings::{Identity, Settings};
use faregate_protocol::RefusalCode;

/// How long a browser may cache an answer (seconds).
const MAX_AGE_S: &str = "600";
/// The access log's entry for a preflight that the gate answered, or refused.
const ANSWERED: &str = "faregate{decision=preflight}";
const REFUSED: &str = "faregate{decision=preflight_refused}";
/// The explanation for a person.
const NOT_ALLOWED: &str = "This origin's pages may not call this API.\n";
/// Headers that no browser sends with a preflight: credentials, a body, and method overrides.
const NEVER_SENT: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "content-length",
    "transfer-encoding",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

/// A preflight.
struct Asked<'a> {
    origin: &'a [u8],
    method: &'a str,
}

/// The decision about it.
enum ChargeOutcome {
    /// The gate answers: its page may go on, or, if it is none of `cors_origins`, may not.
    Answer,
    /// The gate answers: its page may not go on.
    Refuse,
    /// It goes to the API; the request that follows is charged.
    Pass,
    /// It goes to the API; the request that follows is free.
    Free,
    /// The route is retired.
    Gone,
}

impl<M: SharedMemory> Gate<M> {
    /// Decides about an `OPTIONS` if it is a preflight; `None`: it is an ordinary request.
    #[cold]
    #[inline(never)]
    pub(super) fn preflight(
        &mut self,
        head: &Head<'_>,
        property: impl Fn(&[String]) -> Option<Vec<u8>>,
    ) -> Option<Outcome> {
        let asked = Asked::read(head, &self.settings.identities)?;
        let page = self.reader(asked.origin);
        // The request that the page wants to send decides.
        let number = rules::find(&self.settings, &head.with_method(asked.method.as_bytes()));
        let at_view = self.is_at_view(head);
        let outcome =
            if at_view { ChargeOutcome::Answer } else { outcome(&self.settings, number, page.is_some())? };
        let outcome = match outcome {
            ChargeOutcome::Answer => {
                Outcome::Show(answer(head, page, if at_view { "GET, HEAD" } else { asked.method }))
            }
            ChargeOutcome::Refuse => Outcome::Show(answer(head, None, "")),
            ChargeOutcome::Pass if shows_credential(head, &self.settings.identities, property) => {
                return None;
            }
            ChargeOutcome::Pass => Outcome::Pass(Passage::Preflight(number)),
            ChargeOutcome::Free => return Some(Outcome::Pass(Passage::Free(number))),
            ChargeOutcome::Gone => {
                return Some(self.refuse(number, Refusal::plain(RefusalCode::RouteRetired)));
            }
        };
        self.counters.preflights += 1;
        Some(outcome)
    }
}

/// Decides about a preflight for the API; `None`: it is an ordinary request.
fn outcome(settings: &Settings, number: usize, for_page: bool) -> Option<ChargeOutcome> {
    let rule = settings.rule(number);
    match settings.preflight {
        Preflight::Charge => None,
        // The rule is in shadow mode.
        _ if rule.shadow => Some(ChargeOutcome::Pass),
        Preflight::Answer if for_page => Some(ChargeOutcome::Answer),
        // So that the page can read that the route is retired.
        Preflight::Pass if for_page && rule.retired => Some(ChargeOutcome::Answer),
        _ if rule.retired => Some(ChargeOutcome::Gone),
        _ if rule.price.is_none() => Some(ChargeOutcome::Free),
        Preflight::Pass => Some(ChargeOutcome::Pass),
        Preflight::Answer | Preflight::Refuse => Some(ChargeOutcome::Refuse),
    }
}

impl<'a> Asked<'a> {
    fn read(head: &Head<'a>, places: &[Identity]) -> Option<Self> {
        let origin = only(head, "origin").filter(|origin| is_origin(origin))?;
        let method = std::str::from_utf8(only(head, "access-control-request-method")?).ok()?;
        let is_method = !method.is_empty() && all_are(method.as_bytes(), is_token_byte);
        let is_sent = |(name, _): (&[u8], &[u8])| {
            let of_key = |place: &Identity| matches!(place, Identity::Header(own) if is_like(name, own));
            !NEVER_SENT.iter().any(|never| is_like(name, never)) && !places.iter().any(of_key)
        };
        (head.ends && is_method && head.all().all(is_sent)).then_some(Self { origin, method })
    }
}

/// The value of a header that occurs once.
fn only<'a>(head: &Head<'a>, name: &str) -> Option<&'a [u8]> {
    let mut values = head.values(name);
    values.next().filter(|_| values.next().is_none())
}

/// Whether CGI-like APIs treat both names as the same.
#[inline(never)]
fn is_like(name: &[u8], own: &str) -> bool {
    let same = |(one, two): (&u8, u8)| *one == two || (*one == b'_' && two == b'-');
    name.len() == own.len() && name.iter().zip(own.bytes()).all(same)
}

/// Whether it shows a credential where a browser may show one with a preflight, too: in its address, or as a certificate. An
/// API that is asked should be paid for it.
fn shows_credential(
    head: &Head<'_>,
    places: &[Identity],
    property: impl Fn(&[String]) -> Option<Vec<u8>>,
) -> bool {
    let of_connection = |place: &Identity| matches!(place, Identity::Property(path) if property(path).is_some_and(|value| !value.is_empty()));
    identity::without_key(places, head.path_and_query()).is_some() || places.iter().any(of_connection)
}

/// Lets a page of this origin go on, or none.
fn answer(head: &Head<'_>, page: Option<&str>, methods: &str) -> View {
    let mut headers = Headers::default();
    if let Some(origin) = page {
        headers.add("access-control-allow-origin", &[origin]);
        headers.add("access-control-allow-methods", &[methods]);
        let wanted = head.value("access-control-request-headers").unwrap_or_default();
        if let Ok(wanted) = std::str::from_utf8(wanted)
            && (1..=MAX_REPEATED).contains(&wanted.len())
            && all_are(wanted.as_bytes(), |byte| (b' '..=b'~').contains(&byte))
        {
            headers.add("access-control-allow-headers", &[wanted]);
        }
        headers.add("access-control-max-age", &[MAX_AGE_S]);
    }
    headers.add("vary", &["origin"]);
    let (status, details, body) =
        if page.is_some() { (204, ANSWERED, "") } else { (403, REFUSED, NOT_ALLOWED) };
    View { status, details, headers, body: body.to_owned(), tag: String::new() }
}
