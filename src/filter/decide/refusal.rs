//! The one place that words a refusal: cause → status, headers and an RFC 9457 problem body.
//!
//! What must hold: a caller is told to pay only when paying cures it, and to come back only when waiting
//! does. Nothing of the caller's is repeated except where JSON escapes it.

use super::lease::Wait;
use faregate_protocol::exchange::{Facts, Reset};
use faregate_protocol::{Credits, RefusalCode};
use serde::Serialize;

/// A refusal before it is worded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// What the request costs, where a rule was reached.
    pub needed: Option<Credits>,
    /// What the payer could still spend, where it is known.
    pub available: Option<Credits>,
    /// When more comes by itself.
    pub reset: Option<Reset>,
    /// Whether buying credits cures it.
    pub top_up: bool,
    /// The status, where the rule says another than the cause.
    pub status: Option<u16>,
    /// How long one who came too fast should stay away, in seconds.
    pub wait_s: u32,
    /// A narrower reason, for a person.
    pub hint: Option<&'static str>,
    /// Who is refused, where that is known: for the operator's log, not for the answer.
    pub payer: Option<Facts>,
    /// Whether the caller is known by an identity that Envoy vouches for, so that no other key can help.
    pub vouched: bool,
}

impl Refusal {
    /// For a cause that has nothing to do with amounts.
    pub fn plain(code: RefusalCode) -> Self {
        Self {
            code,
            needed: None,
            available: None,
            reset: None,
            top_up: false,
            status: None,
            wait_s: RETRY_AFTER,
            hint: None,
            payer: None,
            vouched: false,
        }
    }

    /// For one who came too fast.
    pub fn throttled(Wait(ms): Wait) -> Self {
        let wait_s = u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
        Self { wait_s, ..Self::plain(RefusalCode::RateLimited) }
    }

    /// When waiting alone cures it.
    fn cured_at(&self) -> Option<&Reset> {
        self.reset.as_ref().filter(|reset| self.needed.is_none_or(|needed| needed <= reset.brings))
    }
}

/// What surrounds the refused request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// The request's path without its query, which could hold a key.
    pub path: &'a [u8],
    /// Envoy's `x-request-id`.
    pub request_id: Option<&'a [u8]>,
    /// Where to top up.
    pub top_up_url: Option<&'a str>,
    /// Where to get a bigger plan.
    pub upgrade_url: Option<&'a str>,
}

/// A refusal ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: String,
}

/// The members of the body; see `docs/refusals.md`.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: String,
    instance: String,
    code: RefusalCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    needed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<&'a str>,
    retryable: bool,
    remedies: Vec<Remedy<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

#[derive(Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Remedy<'a> {
    SendKey,
    TopUp(Link<'a>),
    UpgradePlan(Link<'a>),
    PayInvoice(Link<'a>),
    Wait { until: &'a str },
    RaiseBudget,
    ReduceCost { max: String },
    Retry { after_seconds: u32 },
    ContactOperator,
}

#[derive(Serialize)]
struct Link<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

/// How much of a path or a request's id is kept while the request waits, and repeated in a refusal, in bytes.
pub const MOST_REPEATED: usize = 1_024;
/// How long a caller is asked to stay away when the ledger is (seconds).
const RETRY_AFTER: u32 = 1;

/// The HTTP status of a cause.
pub fn status(code: RefusalCode) -> u16 {
    match code {
        RefusalCode::MissingKey | RefusalCode::InvalidKey | RefusalCode::KeyExpired => 401,
        RefusalCode::InsufficientFunds
        | RefusalCode::QuotaExhausted
        | RefusalCode::SubscriptionExpired
        | RefusalCode::PaymentPastDue
        | RefusalCode::PlanExcludesRoute
        | RefusalCode::KeyBudgetExhausted
        | RefusalCode::TeamBudgetExhausted
        | RefusalCode::AccountBudgetExhausted => 402,
        RefusalCode::AccountSuspended | RefusalCode::KeyExcludesRoute => 403,
        RefusalCode::RateLimited => 429,
        RefusalCode::LedgerUnavailable => 503,
    }
}

/// Words a refusal.
pub fn answer(refusal: &Refusal, around: &Surroundings<'_>) -> Answer {
    let limited = refusal.code == RefusalCode::RateLimited;
    let status = refusal.status.unwrap_or(status(refusal.code));
    let retry_after = match refusal.code {
        RefusalCode::LedgerUnavailable | RefusalCode::RateLimited => Some(u64::from(refusal.wait_s)),
        _ => refusal.cured_at().map(|reset| reset.in_s),
    };
    let retryable = refusal.code == RefusalCode::LedgerUnavailable || limited;
    let (title, detail, remedies) = words(refusal, around);
    let lossy =
        |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..MOST_REPEATED).unwrap_or(bytes)).into_owned();
    let amounts = refusal.code.is_short();
    let problem = Problem {
        r#type: format!("urn:faregate:refusal:{}", refusal.code),
        title,
        status,
        detail,
        instance: lossy(around.path),
        code: refusal.code,
        needed: refusal.needed.filter(|_| amounts).map(|credits| credits.to_string()),
        available: refusal.available.filter(|_| amounts).map(|credits| credits.to_string()),
        unit: amounts.then_some("credits"),
        resets_at: refusal.reset.as_ref().map(|reset| reset.at.as_str()),
        retryable,
        remedies,
        request_id: around.request_id.map(lossy),
    };
    let mut headers = vec![
        ("content-type", "application/problem+json".to_owned()),
        ("cache-control", "no-store".to_owned()),
    ];
    if status == 401 {
        headers.push(("www-authenticate", "Bearer realm=\"faregate\"".to_owned()));
    }
    if let Some(seconds) = retry_after {
        headers.push(("retry-after", seconds.to_string()));
    }
    if !retryable {
        headers.push(("x-should-retry", "false".to_owned()));
    }
    if let (true, Some(url)) = (pays(refusal), around.top_up_url) {
        headers.push(("link", format!("<{url}>; rel=\"payment\"")));
    }
    // Serialising plain strings and numbers has no way to fail.
    let body = serde_json::to_string(&problem).unwrap_or_default();
    Answer { status, headers, body }
}

/// Whether paying cures it.
fn pays(refusal: &Refusal) -> bool {
    match refusal.code {
        RefusalCode::InsufficientFunds | RefusalCode::PaymentPastDue => true,
        code => code.is_short() && refusal.top_up,
    }
}

fn words<'a>(refusal: &'a Refusal, around: &Surroundings<'a>) -> (&'static str, String, Vec<Remedy<'a>>) {
    let upgrade = || Remedy::UpgradePlan(Link { url: around.upgrade_url });
    if let Some(words) = vouched(refusal) {
        return words;
    }
    let (title, otherwise, remedies) = match refusal.code {
        code if code.is_short() => return short(refusal, around),
        RefusalCode::MissingKey => {
            ("API key missing", "This request needs an API key and carries none.", vec![Remedy::SendKey])
        }
        RefusalCode::InvalidKey => (
            "API key not valid",
            "This API key is unknown or was revoked. Use another key, or ask for a new one.",
            vec![Remedy::SendKey],
        ),
        RefusalCode::KeyExpired => (
            "API key expired",
            "This API key has expired. Use another key, or ask for a new one.",
            vec![Remedy::SendKey],
        ),
        RefusalCode::PaymentPastDue => (
            "Payment past due",
            "A payment for this account's plan is overdue. Once it is paid, requests pass again.",
            vec![Remedy::PayInvoice(Link { url: around.top_up_url })],
        ),
        RefusalCode::PlanExcludesRoute => {
            ("Not in this plan", "This account's plan doesn't include this route.", vec![upgrade()])
        }
        RefusalCode::KeyExcludesRoute => (
            "Not for this API key",
            "This API key is limited to other products. Use another key of the account.",
            vec![Remedy::SendKey],
        ),
        RefusalCode::RateLimited => (
            "Too many requests",
            "This account's plan allows fewer requests per second, or at the same time.",
            vec![Remedy::Retry { after_seconds: refusal.wait_s }, upgrade()],
        ),
        RefusalCode::AccountSuspended => (
            "Account suspended",
            "This account is suspended or closed. Only the operator of this API can open it again.",
            vec![Remedy::ContactOperator],
        ),
        _ => (
            "Payment can't be checked right now",
            "This is our fault, not yours: nothing was charged, and there is nothing to pay. Try again soon.",
            vec![Remedy::Retry { after_seconds: refusal.wait_s }],
        ),
    };
    (title, refusal.hint.unwrap_or(otherwise).to_owned(), remedies)
}

/// Of one whom Envoy knows by a certificate or a token: there is no key to send, only somebody to ask.
fn vouched<'a>(refusal: &Refusal) -> Option<(&'static str, String, Vec<Remedy<'a>>)> {
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

/// Of one who has too few credits, for whatever reason.
fn short<'a>(refusal: &'a Refusal, around: &Surroundings<'a>) -> (&'static str, String, Vec<Remedy<'a>>) {
    let needed = refusal.needed.unwrap_or_default();
    let available = refusal.available.unwrap_or_default();
    let credits = |amount: Credits, one: &str, many: &str| {
        format!("{amount} {}", if amount == Credits::from_micros(1_000_000) { one } else { many })
    };
    let (title, of) = match refusal.code {
        RefusalCode::QuotaExhausted => ("Quota used up", " of the plan's quota for this period"),
        RefusalCode::SubscriptionExpired => ("Subscription over", ", and the subscription is over"),
        RefusalCode::KeyBudgetExhausted => ("Budget used up", " of this API key's budget"),
        RefusalCode::TeamBudgetExhausted => ("Budget used up", " of the team's budget"),
        RefusalCode::AccountBudgetExhausted => ("Budget used up", " of the account's budget"),
        _ => ("Not enough credits", ""),
    };
    let mut detail = format!(
        "This request costs {}; {} left{of}.",
        credits(needed, "credit", "credits"),
        credits(available, "is", "are")
    );
    let mut remedies = Vec::new();
    if let Some(reset) = refusal.cured_at() {
        detail += &format!(" More comes at {}.", reset.at);
        remedies.push(Remedy::Wait { until: &reset.at });
    }
    if pays(refusal) {
        remedies.push(Remedy::TopUp(Link { url: around.top_up_url }));
    }
    match refusal.code {
        RefusalCode::QuotaExhausted | RefusalCode::SubscriptionExpired => {
            remedies.push(Remedy::UpgradePlan(Link { url: around.upgrade_url }));
        }
        RefusalCode::InsufficientFunds => {}
        _ => remedies.push(Remedy::RaiseBudget),
    }
    if available.is_positive() {
        remedies.push(Remedy::ReduceCost { max: available.to_string() });
    }
    (title, detail, remedies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn render(refusal: &Refusal) -> (u16, Vec<(&'static str, String)>, Value) {
        let around = Surroundings {
            path: b"/a\"b\xff",
            request_id: Some(b"r-1"),
            top_up_url: Some("https://example.com/topup"),
            upgrade_url: Some("https://example.com/plans"),
        };
        let answer = answer(refusal, &around);
        (answer.status, answer.headers, serde_json::from_str(&answer.body).unwrap())
    }

    #[test]
    fn a_caller_who_is_short_reads_how_much_and_what_cures_it() {
        let refusal = Refusal {
            needed: Some(Credits::from_micros(12_000_000)),
            available: Some(Credits::from_micros(1_000_000)),
            ..Refusal::plain(RefusalCode::InsufficientFunds)
        };
        let (status, headers, body) = render(&refusal);
        assert_eq!(status, 402);
        assert_eq!(
            body,
            json!({
                "type": "urn:faregate:refusal:insufficient_funds",
                "title": "Not enough credits",
                "status": 402,
                "detail": "This request costs 12 credits; 1 is left.",
                "instance": "/a\"b\u{fffd}",
                "code": "insufficient_funds",
                "needed": "12",
                "available": "1",
                "unit": "credits",
                "retryable": false,
                "remedies": [{"action": "top_up", "url": "https://example.com/topup"}, {"action": "reduce_cost", "max": "1"}],
                "request_id": "r-1"
            })
        );
        let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
        assert_eq!(header("content-type"), Some("application/problem+json"));
        assert_eq!(header("cache-control"), Some("no-store"));
        assert_eq!(header("x-should-retry"), Some("false"));
        assert_eq!(header("link"), Some("<https://example.com/topup>; rel=\"payment\""));
        assert_eq!(header("retry-after"), None);
    }

    #[test]
    fn nobody_is_told_to_pay_for_our_own_fault() {
        let (status, headers, body) = render(&Refusal::plain(RefusalCode::LedgerUnavailable));
        assert_eq!((status, &body["retryable"]), (503, &json!(true)));
        assert!(headers.contains(&("retry-after", "1".into())));
        assert!(!headers.iter().any(|(name, _)| *name == "link" || *name == "x-should-retry"));
        assert_eq!(body["remedies"], json!([{"action": "retry", "after_seconds": 1}]));
        assert_eq!((body.get("needed"), body.get("unit")), (None, None));
    }

    #[test]
    fn every_cause_has_its_status_and_only_true_remedies() {
        for code in RefusalCode::ALL {
            let (status, headers, body) = render(&Refusal::plain(code));
            assert_eq!(body["code"], code.as_str());
            assert_eq!(body["status"], status);
            assert!(!body["remedies"].as_array().unwrap().is_empty(), "{code}");
            assert_eq!(status == 401, headers.iter().any(|(name, _)| *name == "www-authenticate"), "{code}");
            let pays = body["remedies"].to_string().contains("https://example.com/topup");
            assert_eq!(pays, headers.iter().any(|(name, _)| *name == "link"), "{code}");
            assert!(!pays || status == 402, "{code}");
        }
    }

    #[test]
    fn who_has_used_up_a_quota_is_told_to_wait_only_when_waiting_cures_it() {
        let of = |needed: i64, top_up| Refusal {
            needed: Some(Credits::from_micros(needed * 1_000_000)),
            available: Some(Credits::ZERO),
            reset: Some(Reset {
                at: "2026-12-01T00:00:00Z".into(),
                in_s: 863_942,
                brings: Credits::from_micros(100_000_000),
            }),
            top_up,
            ..Refusal::plain(RefusalCode::QuotaExhausted)
        };
        let (status, headers, body) = render(&of(100, false));
        assert_eq!((status, &body["resets_at"]), (402, &json!("2026-12-01T00:00:00Z")));
        assert_eq!(
            body["remedies"],
            json!([
                {"action": "wait", "until": "2026-12-01T00:00:00Z"},
                {"action": "upgrade_plan", "url": "https://example.com/plans"}
            ])
        );
        assert!(headers.contains(&("retry-after", "863942".into())));
        assert!(headers.contains(&("x-should-retry", "false".into())), "no SDK waits that long");
        let (_, headers, body) = render(&of(101, true));
        assert_eq!(body["remedies"][0]["action"], "top_up", "the next quota would not do: {body}");
        assert!(!headers.iter().any(|(name, _)| *name == "retry-after"));
    }

    #[test]
    fn who_came_too_fast_is_told_when_to_come_back() {
        let (status, headers, body) = render(&Refusal::throttled(Wait(1_001)));
        assert_eq!((status, &body["retryable"]), (429, &json!(true)));
        assert_eq!(body["remedies"][0], json!({"action": "retry", "after_seconds": 2}));
        assert!(headers.contains(&("retry-after", "2".into())));
        let paid = Refusal { status: Some(402), ..Refusal::throttled(Wait(1)) };
        assert_eq!(render(&paid).0, 402, "as the rule has it");
    }

    #[test]
    fn one_known_by_a_certificate_is_told_whom_to_ask_and_not_to_send_a_key() {
        for code in [RefusalCode::MissingKey, RefusalCode::InvalidKey, RefusalCode::KeyExpired] {
            let (status, _, body) = render(&Refusal { vouched: true, ..Refusal::plain(code) });
            assert_eq!((status, &body["code"]), (401, &json!(code.as_str())));
            assert_eq!(body["remedies"], json!([{"action": "contact_operator"}]));
            assert!(body["detail"].as_str().unwrap().contains("verified identity"), "{body}");
        }
        let short = Refusal { vouched: true, ..Refusal::plain(RefusalCode::InsufficientFunds) };
        assert_eq!(render(&short).2["remedies"][0]["action"], "top_up");
    }
}
