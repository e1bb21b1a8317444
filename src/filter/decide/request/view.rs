//! What a caller may ask about itself, free of charge: `GET /.well-known/faregate` answers with its account, balance,
//! quota and limits, and with the price list.
//!
//! What must hold: without a key it shows the price list or nothing; and the answer differs between callers, so no cache
//! may answer without revalidating its copy.

use super::conditional;
use super::price_list::PriceLists;
use crate::decide::base::bytes::mixed;
use crate::decide::base::moment::Moment;
use crate::decide::base::text::{joined_by, quoted};
use crate::decide::lease::{self, CachedStatus, Lease};
use crate::decide::refusal::rate_limit::fields;
use crate::decide::refusal::template::Headers;
use crate::decide::refusal::{Refusal, link};
use crate::decide::settings::meter::{Meter, MeterKind};
use crate::decide::settings::{HeaderMatch, PathMatch, Rule, Settings};
use faregate_protocol::exchange::Facts;
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

/// Its path.
pub const PATH: &str = "/.well-known/faregate";
/// Room for the names of the view's last members (bytes).
const AROUND: usize = 32;

/// The access log's entry for a request that was answered with its sender's status.
const SHOWN: &str = "faregate{decision=shown}";

/// An answer of the gate's own that is no refusal: to a request for the view, or to a browser's preflight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The HTTP status.
    pub status: u16,
    /// Its entry in the access log, as response code details.
    pub details: &'static str,
    /// The headers.
    pub headers: Headers,
    /// The view's JSON; `docs/callers.md` has its members.
    pub body: String,
    /// The view's entity-tag, which changes with its content.
    pub tag: String,
}

/// The caller, and what it can spend.
pub(in crate::decide) struct Caller<'a> {
    pub(in crate::decide) facts: &'a Facts,
    pub(in crate::decide) told: Option<&'a CachedStatus>,
    /// What this gateway's lease can still spend.
    pub(in crate::decide) here: Credits,
    pub(in crate::decide) now: Moment,
}

impl View {
    /// Becomes 304 for a caller that has the same version, according to [`conditional::held`]. Only the full answer has a
    /// content type.
    pub fn or_unchanged(&mut self, held: &[u8]) {
        if conditional::has(held, &self.tag) {
            self.status = 304;
            self.body.clear();
        } else {
            self.headers.add("content-type", &["application/json"]);
        }
    }
}

/// Members of an object, or items of a list, one after the other.
struct Json(String);

impl Json {
    #[inline(never)]
    fn new(begin: char) -> Self {
        Self(begin.into())
    }

    #[inline(never)]
    fn raw(&mut self, name: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        if !name.is_empty() {
            self.0.push('"');
            self.0.push_str(name);
            self.0.push_str("\":");
        }
        self.0.push_str(value);
    }

    #[inline(never)]
    fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &quoted(value));
    }

    #[inline(never)]
    fn end(mut self, end: char) -> String {
        self.0.push(end);
        self.0
    }
}

/// The view for this caller, or the public one.
pub(in crate::decide) fn view(
    settings: &Settings,
    lists: &mut PriceLists,
    caller: Option<&Caller<'_>>,
) -> View {
    // An owner's data must not get into shared caches.
    let cache = if caller.is_some() { "private, no-cache" } else { "no-cache" };
    let mut headers = Headers::default();
    headers.add("cache-control", &[cache]);
    let mut body = Json::new('{');
    if let Some(caller) = caller {
        let Facts { account, key, plan, .. } = caller.facts;
        body.text("account", account);
        body.text("key", key);
        if let Some(plan) = plan {
            body.text("plan", plan);
        }
        if let Some(status) = caller.told {
            let balance = status.balance(caller.here);
            body.text("balance", &balance.to_string());
            stand(&mut body, status, caller.now);
            for (name, value) in fields(status.policies(caller.now, balance)) {
                headers.add(name, &[&value]);
            }
        }
    }
    body.text("unit", "credits");
    // Where no rule has a product, no plan has prices of its own.
    let terms = caller.map(|caller| caller.facts).filter(|_| has_products(settings));
    let (list, version) =
        lists.of(terms.map(record_of_terms).unwrap_or_default(), |terms| prices(settings, terms));
    let links = links(settings, caller).unwrap_or_default();
    let parts = [mixed(body.0.as_bytes()), version, mixed(links.as_bytes())].map(u64::to_le_bytes);
    let tag = conditional::tag(mixed(parts.as_flattened()));
    headers.add("etag", &[&tag]);
    body.0.reserve(list.len() + links.len() + AROUND);
    body.raw("prices", list);
    if !links.is_empty() {
        body.raw("links", &links);
    }
    View { status: 200, details: SHOWN, headers, body: body.end('}') + "\n", tag }
}

fn has_products(settings: &Settings) -> bool {
    settings.default.product.is_some() || settings.rules.iter().any(|rule| rule.product.is_some())
}

/// A record of a payer with these terms and no name; empty where there are no terms.
fn record_of_terms(Facts { products, key_products, .. }: &Facts) -> Vec<u8> {
    if products.is_none() && key_products.is_none() {
        return Vec::new();
    }
    let (products, key_products) = (products.clone(), key_products.clone());
    Lease::new(Facts { products, key_products, ..Facts::default() }).encode()
}

/// The price list, at the prices of the payer of this record.
#[inline(never)]
fn prices(settings: &Settings, record: &[u8]) -> String {
    let mut prices = Json::new('[');
    for rule in settings.rules.iter().chain([&settings.default]) {
        prices.raw("", &line(rule, record));
    }
    prices.end(']')
}

/// The quota, the limits and the threshold.
#[inline(never)]
fn stand(body: &mut Json, status: &CachedStatus, now: Moment) {
    if let Some(quota) = &status.quota {
        let mut object = Json::new('{');
        object.text("size", &quota.size.to_string());
        object.raw("window_s", &quota.window_s.to_string());
        object.text("resets_at", &quota.resets_at);
        object.raw("resets_in_s", &quota.resets.millis_since(now).div_ceil(1_000).to_string());
        body.raw("quota", &object.end('}'));
    }
    if !status.limits.is_none() {
        let mut object = Json::new('{');
        if let Some(rate) = status.limits.rate {
            let per_second = Credits::from_micros(i64::from(rate.milli_per_s) * 1_000);
            object.text("requests_per_second", &per_second.to_string());
            object.raw("burst", &rate.burst.to_string());
        }
        if let Some(concurrent) = status.limits.concurrent {
            object.raw("concurrent_requests", &concurrent.to_string());
        }
        body.raw("limits", &object.end('}'));
    }
    if let Some(threshold) = status.warn_below {
        body.text("warn_below", &threshold.to_string());
    }
}

/// One line of the price list; for a caller, at the caller's price.
#[inline(never)]
fn line(rule: &Rule, record: &[u8]) -> String {
    let mut object = Json::new('{');
    object.text("rule", &rule.name);
    let matches = &rule.matches;
    if let Some(host) = &matches.host {
        object.text("host", host);
    }
    match &matches.path {
        Some(PathMatch::Exact(path)) => object.text("path", path),
        Some(PathMatch::Prefix(path)) => object.text("path_prefix", path),
        Some(PathMatch::Template(segments)) => {
            let segments: Vec<&str> = segments.iter().map(|it| it.as_deref().unwrap_or("{}")).collect();
            object.text("path_template", &joined_by("/", &segments));
        }
        None => {}
    }
    list(&mut object, "methods", matches.methods.iter());
    list(&mut object, "headers", matches.headers.iter().map(|HeaderMatch { name, .. }| name));
    if let Some(product) = &rule.product {
        object.text("product", product);
    }
    if rule.deprecated.is_some() {
        object.raw("deprecated", "true");
    }
    if rule.retired {
        object.raw("retired", "true");
        return object.end('}');
    }
    let price = |list: Credits| lease::record_price(record, rule.product.as_deref(), list);
    match (rule.price.map(price), rule.meter.as_deref()) {
        (None, _) => object.text("price", "free"),
        (Some(Err(_)), _) => object.raw("included", "false"),
        (Some(Ok(price)), None) => object.text("price", &price.to_string()),
        (Some(Ok(hold)), Some(meter)) => metered(&mut object, meter, hold, price),
    }
    object.end('}')
}

/// Of a metered rule: by what it goes, what is held where that is the same for all requests, and what calls cost.
#[inline(never)]
fn metered(
    object: &mut Json,
    meter: &Meter,
    hold: Credits,
    price: impl Fn(Credits) -> Result<Credits, RefusalCode>,
) {
    object.text("metered_by", meter.name());
    if meter.fixed.is_positive()
        && let Ok(price) = price(meter.fixed)
    {
        object.text("price", &price.to_string());
    }
    match &meter.kind {
        MeterKind::Amount(_) => object.text("hold", &hold.to_string()),
        MeterKind::Models(_) => {}
        MeterKind::Calls(calls) => {
            let mut prices = Json::new('[');
            let listed = calls.prices.iter().map(|(name, list)| (name.as_str(), *list));
            for (name, list) in listed.chain([("*", calls.other)]) {
                let mut call = Json::new('{');
                call.text("name", name);
                if let Ok(price) = price(list) {
                    call.text("price", &price.to_string());
                }
                prices.raw("", &call.end('}'));
            }
            object.raw("calls", &prices.end(']'));
        }
    }
}

fn list<'a>(object: &mut Json, name: &str, items: impl Iterator<Item = &'a String>) {
    let mut all = Json::new('[');
    for item in items {
        all.text("", item);
    }
    if all.0.len() > 1 {
        object.raw(name, &all.end(']'));
    }
}

#[inline(never)]
fn links(settings: &Settings, caller: Option<&Caller<'_>>) -> Option<String> {
    // Filled in as for a caller that has to pay.
    let payer = caller.map(|caller| Rc::new(caller.facts.clone()));
    let broke = Refusal { payer, ..Refusal::plain(RefusalCode::InsufficientFunds) };
    let mut object = Json::new('{');
    for (name, template) in
        [("top_up", &settings.wording.top_up_url), ("upgrade", &settings.wording.upgrade_url)]
    {
        if let Some(template) = template {
            object.text(name, &link::fill(template, &broke));
        }
    }
    (object.0.len() > 1).then(|| object.end('}'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::base::head::Head;
    use faregate_protocol::exchange::{Limits, Rate};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const HOSTILE: &str = "[\"'<>&\\\\{}\\r\\n\\t\u{0}é✓ a-z0-9/._:-]{1,40}";

    proptest! {
        #[test]
        fn hostile_names_and_paths_do_not_break_the_account_view(
            account in HOSTILE, key in HOSTILE, plan in proptest::option::of(HOSTILE), path in "/[\"'<>&a-z]{0,40}", resets_at in HOSTILE,
            available in 0..i64::MAX, numbers in any::<[u64; 3]>(), milli_per_s in 1_u32.., burst in any::<u32>(),
        ) {
            let settings = Settings::from_value(&json!({
                "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
                "rules": [{"match": {"path": {"exact": path}}, "price": "1"}], "default": "free",
                "top_up_url": "https://x.example/?a={account}&p={plan}&k={key}"
            })).unwrap();
            let facts = Facts { account: account.clone(), key: key.clone(), plan: plan.clone(), ..Facts::default() };
            let [window_s, resets, now] = numbers;
            let available = Credits::from_micros(available);
            let status = CachedStatus {
                received_at: Moment::ZERO,
                available,
                quota: Some(lease::CachedQuota { size: available, window_s, resets_at, resets: Moment::from_nanos(resets) }),
                limits: Limits { rate: Some(Rate { milli_per_s, burst }), concurrent: None },
                warn_below: Some(available),
            };
            let caller = Caller { facts: &facts, told: Some(&status), here: Credits::MAX, now: Moment::from_nanos(now) };
            let View { headers, body, .. } = view(&settings, &mut PriceLists::default(), Some(&caller));
            let body: Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!((body["account"].as_str(), body["key"].as_str()), (Some(account.as_str()), Some(key.as_str())));
            prop_assert_eq!(body.get("plan").and_then(Value::as_str), plan.as_deref());
            prop_assert_eq!(body["prices"][0]["path"].as_str(), Some(path.as_str()));
            let link = body["links"]["top_up"].as_str().unwrap();
            prop_assert!(link.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\".contains(&byte)), "{}", link);
            let headers = headers.written();
            prop_assert!(Head::read(&headers).all().all(|(_, value)| value.iter().all(|byte| (b' '..=b'~').contains(byte))));
        }
    }
}
