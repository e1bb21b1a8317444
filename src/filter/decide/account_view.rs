//! What a caller may ask about itself, free of charge: `GET /.well-known/faregate` answers with its account, balance,
//! quota and limits, and with the price list.
//!
//! What must hold: nothing is charged, held or counted against a limit for it; without a key it shows the price list
//! or nothing; and a caller that asks all the time costs the ledger no more than one question per second and worker.

use super::gate::{Arrival, Gate, Outcome, no_credential};
use super::identity;
use super::lease::{self, Lease, Told};
use super::moment::Moment;
use super::refusal::{Refusal, link, quoted};
use super::request::Head;
use super::rules;
use super::settings::{HeaderMatch, PathMatch, Rule, Settings};
use super::shared::{self, SharedMemory};
use super::standing::{self, Header};
use faregate_protocol::exchange::{EntryAnswer, Facts};
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

/// Where it is.
pub const PATH: &str = "/.well-known/faregate";
/// For how long what the ledger said is shown to another request (ms).
const FRESH_MS: u64 = 1_000;

/// An answer of 200 to a request for the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Headers, in lower case.
    pub headers: Vec<Header>,
    /// JSON; `docs/callers.md` has its members.
    pub body: String,
}

/// Who asks, and what can be spent where.
struct Caller<'a> {
    facts: &'a Facts,
    told: Option<&'a Told>,
    /// What this gateway has in hand.
    here: Credits,
    now: Moment,
}

impl<M: SharedMemory> Gate<M> {
    /// Whether a request is for the view, and not for the API.
    pub(super) fn is_for_view(&self, head: &Head<'_>) -> bool {
        head.path() == PATH.as_bytes()
            && self.settings.account_view
            && (head.method() == b"GET" || head.method() == b"HEAD")
    }

    /// Answers a request for the view, or has it wait for the ledger.
    pub(super) fn view(
        &mut self,
        now: Moment,
        context: u32,
        head: &Head<'_>,
        property: impl Fn(&[String]) -> Option<Vec<u8>>,
    ) -> Arrival {
        let credential = match identity::find(&self.settings.identities, head, property, self.acquaintances())
        {
            Ok(caller) => caller.credential(),
            Err(identity::NoCredential::Missing) if self.settings.publish_prices => {
                return Arrival::Decided(self.shown(view(&self.settings, None)));
            }
            Err(why) => {
                let refusal = no_credential(why, &self.settings.identities);
                return Arrival::Decided(self.deny(refusal));
            }
        };
        let lease = self.names.lease(&credential);
        if let Some(record) = shared::read(&self.memory, &lease) {
            let told = Told::decode(&record.standing);
            if let Some(told) = told.filter(|told| now.millis_since(told.told_at) < FRESH_MS) {
                let (facts, here) = (&record.facts, record.spendable(now));
                let caller = Caller { facts, told: Some(&told), here, now };
                return Arrival::Decided(self.shown(view(&self.settings, Some(&caller))));
            }
        }
        let refused = self.recent.find(&self.names, &lease);
        if let Some(refusal) = self.recent.recall(now, refused, Credits::ZERO) {
            return Arrival::Decided(self.deny(Refusal { needed: None, ..refusal }));
        }
        if now < self.down_until {
            return Arrival::Decided(self.deny(Refusal::plain(RefusalCode::LedgerUnavailable)));
        }
        self.wait(now, context, &lease, credential, rules::find(&self.settings, head), None)
    }

    fn shown(&mut self, view: View) -> Outcome {
        self.counters.views += 1;
        Outcome::Show(view)
    }

    /// What becomes of those who wait for the view, now that the ledger has answered.
    pub(super) fn served_view(
        &mut self,
        now: Moment,
        lease: &str,
        answer: &EntryAnswer,
        record: Option<&Lease>,
        vouched: bool,
    ) -> Outcome {
        let refused = answer.refused.as_ref().map(|refused| refused.code).filter(|code| !code.is_short());
        match (&answer.facts, refused) {
            (Some(facts), None) => {
                let standing = answer.standing.as_ref();
                let told = standing.and_then(|standing| Told::decode(&Told::encode(now, standing)));
                let here = record.map_or(Credits::ZERO, |record| record.spendable(now));
                self.shown(view(&self.settings, Some(&Caller { facts, told: told.as_ref(), here, now })))
            }
            (facts, refused) => {
                let code = refused.unwrap_or(RefusalCode::InvalidKey);
                let refusal = Refusal { payer: facts.clone().map(Rc::new), vouched, ..Refusal::plain(code) };
                self.recent.remember(now, lease, refusal.clone());
                self.deny(refusal)
            }
        }
    }
}

/// Members of an object, or items of a list, one after the other.
struct Json(String);

impl Json {
    fn new(begin: char) -> Self {
        Self(begin.into())
    }

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

    fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &quoted(value));
    }

    fn end(mut self, end: char) -> String {
        self.0.push(end);
        self.0
    }
}

fn view(settings: &Settings, caller: Option<&Caller<'_>>) -> View {
    let mut headers =
        vec![("content-type", "application/json".to_owned()), ("cache-control", "no-store".to_owned())];
    let mut body = Json::new('{');
    if let Some(caller) = caller {
        let Facts { account, key, plan, .. } = caller.facts;
        body.text("account", account);
        body.text("key", key);
        if let Some(plan) = plan {
            body.text("plan", plan);
        }
        if let Some(told) = caller.told {
            let balance = told.balance(caller.here);
            body.text("balance", &balance.to_string());
            stand(&mut body, told, caller.now);
            headers.extend(standing::fields(told.policies(caller.now, balance)));
        }
    }
    body.text("unit", "credits");
    let record = caller.map(|caller| Lease::new(caller.facts.clone()).encode());
    let mut prices = Json::new('[');
    for rule in settings.rules.iter().chain([&settings.otherwise]) {
        prices.raw("", &line(rule, record.as_deref()));
    }
    body.raw("prices", &prices.end(']'));
    if let Some(links) = links(settings, caller) {
        body.raw("links", &links);
    }
    View { headers, body: body.end('}') + "\n" }
}

/// The quota, the limits and the threshold.
fn stand(body: &mut Json, told: &Told, now: Moment) {
    if let Some(quota) = &told.quota {
        let mut object = Json::new('{');
        object.text("size", &quota.size.to_string());
        object.raw("window_s", &quota.window_s.to_string());
        object.text("resets_at", &quota.resets_at);
        object.raw("resets_in_s", &quota.resets.millis_since(now).div_ceil(1_000).to_string());
        body.raw("quota", &object.end('}'));
    }
    if !told.limits.is_none() {
        let mut object = Json::new('{');
        if let Some(rate) = told.limits.rate {
            let per_second = Credits::from_micros(i64::from(rate.milli_per_s) * 1_000);
            object.text("requests_per_second", &per_second.to_string());
            object.raw("burst", &rate.burst.to_string());
        }
        if let Some(concurrent) = told.limits.concurrent {
            object.raw("concurrent_requests", &concurrent.to_string());
        }
        body.raw("limits", &object.end('}'));
    }
    if let Some(threshold) = told.warn_below {
        body.text("warn_below", &threshold.to_string());
    }
}

/// One line of the price list; for a caller, at the caller's price.
fn line(rule: &Rule, record: Option<&[u8]>) -> String {
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
            object.text("path_template", &segments.join("/"));
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
    match rule
        .price
        .map(|list| record.map_or(Ok(list), |record| lease::price(record, rule.product.as_deref(), list)))
    {
        None => object.text("price", "free"),
        Some(Ok(price)) => object.text("price", &price.to_string()),
        Some(Err(_)) => object.raw("included", "false"),
    }
    object.end('}')
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

fn links(settings: &Settings, caller: Option<&Caller<'_>>) -> Option<String> {
    // Filled in as for one who has to pay.
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
    use faregate_protocol::exchange::{Limits, Rate};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const HOSTILE: &str = "[\"'<>&\\\\{}\\r\\n\\t\u{0}é✓ a-z0-9/._:-]{1,40}";

    proptest! {
        #[test]
        fn no_name_and_no_path_break_it(
            account in HOSTILE, key in HOSTILE, plan in proptest::option::of(HOSTILE), path in "/[\"'<>&a-z]{0,40}", resets_at in HOSTILE,
            available in 0..i64::MAX, numbers in any::<[u64; 3]>(), milli_per_s in 1_u32.., burst in any::<u32>(),
        ) {
            let settings = Settings::from_value(&json!({
                "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
                "rules": [{"match": {"path": {"exact": path}}, "price": "1"}], "otherwise": "free",
                "top_up_url": "https://x.example/?a={account}&p={plan}&k={key}"
            })).unwrap();
            let facts = Facts { account: account.clone(), key: key.clone(), plan: plan.clone(), ..Facts::default() };
            let [window_s, resets, now] = numbers;
            let available = Credits::from_micros(available);
            let told = Told {
                told_at: Moment::ZERO,
                available,
                quota: Some(lease::ToldQuota { size: available, window_s, resets_at, resets: Moment::from_nanos(resets) }),
                limits: Limits { rate: Some(Rate { milli_per_s, burst }), concurrent: None },
                warn_below: Some(available),
            };
            let caller = Caller { facts: &facts, told: Some(&told), here: Credits::MAX, now: Moment::from_nanos(now) };
            let View { headers, body } = view(&settings, Some(&caller));
            let body: Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!((body["account"].as_str(), body["key"].as_str()), (Some(account.as_str()), Some(key.as_str())));
            prop_assert_eq!(body.get("plan").and_then(Value::as_str), plan.as_deref());
            prop_assert_eq!(body["prices"][0]["path"].as_str(), Some(path.as_str()));
            let link = body["links"]["top_up"].as_str().unwrap();
            prop_assert!(link.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\".contains(&byte)), "{}", link);
            prop_assert!(headers.iter().all(|(_, value)| value.bytes().all(|byte| (b' '..=b'~').contains(&byte))));
        }
    }
}
