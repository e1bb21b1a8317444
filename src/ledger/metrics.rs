//! What the ledger counts about itself, for Prometheus.
//!
//! What must hold: names follow Prometheus' conventions: base units as suffixes, `_total` on counters, `_info` on what only has labels.
//! `promtool check metrics` finds nothing (a scenario runs it).

mod exports;

use crate::domain::unbooked::Unbooked;
use crate::exposition::classic;
use crate::http::{Denial, Reason};
use exports::ExportMetrics;
pub use exports::{ExportResult, Signal};
use faregate_protocol::exchange::VERSION as PROTOCOL;
use faregate_protocol::{Credits, RefusalCode};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A gauge of a number with a fraction, for amounts in credits.
type Amount = Gauge<f64, AtomicU64>;

/// Why callers were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabel {
    code: CodeLabel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CodeLabel(RefusalCode);

impl prometheus_client::encoding::EncodeLabelValue for CodeLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.0.as_str())
    }
}

/// What comes of an attempt to deliver an event.
const DELIVERY_RESULTS: [&str; 2] = ["delivered", "failed"];

/// Where call records were lost: at a gateway that had no room for them, or here, where the day was full.
const LOST_AT: [&str; 2] = ["gateway", "ledger"];
/// What comes of an attempt to send a mail.
const MAIL_RESULTS: [&str; 3] = ["delivered", "failed", "given_up"];

/// The reason of a connection that was closed as soon as it came.
const REFUSED: &str = "refused";

/// One of the two listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenerName {
    /// The gateway API's.
    Gateway,
    /// The admin API's.
    Admin,
    /// The portal's.
    Portal,
}

impl ListenerName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gateway, Self::Admin, Self::Portal];
}

impl ListenerName {
    /// As it is written in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Admin => "admin",
            Self::Portal => "portal",
        }
    }
}

/// Whose connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabel {
    listener: &'static str,
}

/// Whose connections, and why they were closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClosedLabel {
    listener: &'static str,
    reason: &'static str,
}

/// Who asked whom, and why that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DenialLabel {
    listener: &'static str,
    reason: &'static str,
}

/// Where call records were lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LostLabel {
    at: &'static str,
}

/// What came of an attempt to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabel {
    result: &'static str,
}

/// All counters; they begin at zero with the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Messages from gateways that were answered.
    pub exchanges: Counter,
    /// Entries in these.
    pub entries: Counter,
    /// Messages from gateways that were rejected because the writer was too busy.
    pub overloads: Counter,
    /// Transactions.
    pub commits: Counter,
    /// Jobs per transaction.
    pub batch_size: Histogram,
    /// Seconds per transaction, from its first statement to the end of the commit.
    pub commit_seconds: Histogram,
    /// Transactions retried after a conflict with another ledger (PostgreSQL).
    pub transaction_retries: Counter,
    /// Grants given by operators.
    pub grants: Counter,
    /// Credits in these.
    pub granted_credits: Counter<f64, AtomicU64>,
    /// Grants given because a period of a subscription had begun.
    pub renewals: Counter,
    /// Leases that were taken back from silent gateways.
    pub reclaims: Counter,
    /// Entries answered with a refusal, by code.
    pub refusals: Family<RefusalLabel, Counter>,
    /// Requests that rules in shadow let through, by the code of what would have refused them.
    pub shadow_refusals: Family<RefusalLabel, Counter>,
    /// Usage lines about keys that the ledger doesn't know; they were not booked.
    pub unknown_usage_lines: Counter,
    connections: Family<ListenerLabel, Gauge>,
    connections_closed: Family<ClosedLabel, Counter>,
    auth_failures: Family<DenialLabel, Counter>,
    /// Entries that were refused because what they report can't be true, or can't be booked.
    pub unbooked_entries: Counter,
    /// Credits that gateways said they had sold, and that were not charged.
    pub unbooked_credits: Counter<f64, AtomicU64>,
    at_risk_credits: Amount,
    open_leases: Gauge,
    queued_operations: Gauge,
    database_size: Gauge,
    ready: Gauge,
    certificate_expiry: Family<ListenerLabel, Gauge>,
    /// Call records that were stored.
    pub call_records: Counter,
    lost_calls: Family<LostLabel, Counter>,
    exports: ExportMetrics,
    deliveries: Family<DeliveryLabel, Counter>,
    waiting_deliveries: Gauge,
    mails: Family<DeliveryLabel, Counter>,
    waiting_mails: Gauge,
    books_disagree: AtomicBool,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("faregate"),
            exchanges: Counter::default(),
            entries: Counter::default(),
            overloads: Counter::default(),
            commits: Counter::default(),
            batch_size: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            commit_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 14)),
            transaction_retries: Counter::default(),
            grants: Counter::default(),
            granted_credits: Counter::default(),
            renewals: Counter::default(),
            reclaims: Counter::default(),
            refusals: Family::default(),
            shadow_refusals: Family::default(),
            unknown_usage_lines: Counter::default(),
            connections: Family::default(),
            connections_closed: Family::default(),
            auth_failures: Family::default(),
            unbooked_entries: Counter::default(),
            unbooked_credits: Counter::default(),
            at_risk_credits: Amount::default(),
            open_leases: Gauge::default(),
            queued_operations: Gauge::default(),
            database_size: Gauge::default(),
            ready: Gauge::default(),
            certificate_expiry: Family::default(),
            call_records: Counter::default(),
            lost_calls: Family::default(),
            exports: ExportMetrics::default(),
            deliveries: Family::default(),
            waiting_deliveries: Gauge::default(),
            mails: Family::default(),
            waiting_mails: Gauge::default(),
            books_disagree: AtomicBool::new(false),
        };
        let m = &mut metrics;
        let r = &mut m.registry;
        let build = [("version", env!("CARGO_PKG_VERSION").to_owned()), ("protocol", PROTOCOL.to_string())];
        r.register("build", "Which build this is; always 1", Info::new(build.to_vec()));
        r.register("exchanges", "Messages from gateways that were answered", m.exchanges.clone());
        r.register("exchange_entries", "Entries in the messages from gateways", m.entries.clone());
        r.register("overloads", "Requests turned away because the writer was too busy", m.overloads.clone());
        r.register("commits", "Database transactions", m.commits.clone());
        r.register("commit_batch_size", "Jobs per transaction", m.batch_size.clone());
        let seconds = m.commit_seconds.clone();
        r.register("commit_duration_seconds", "Seconds per transaction", seconds);
        let retries = m.transaction_retries.clone();
        r.register("transaction_retries", "Transactions tried again after a collision", retries);
        r.register("grants", "Grants given by operators", m.grants.clone());
        r.register("granted_credits", "Credits given by operators", m.granted_credits.clone());
        r.register("renewals", "Grants given by plans as time went on", m.renewals.clone());
        r.register("reclaims", "Leases taken back from silent gateways", m.reclaims.clone());
        r.register("refusals", "Entries answered with a refusal", m.refusals.clone());
        let shadow = m.shadow_refusals.clone();
        r.register("shadow_refusals", "Requests that only a rule in shadow let through", shadow);
        let lines = m.unknown_usage_lines.clone();
        r.register("unknown_usage_lines", "Usage lines about unknown keys, not booked", lines);
        r.register("connections", "Open connections", m.connections.clone());
        let (closed, denials) = (m.connections_closed.clone(), m.auth_failures.clone());
        for listener in ListenerName::ALL {
            m.connections.get_or_create(&ListenerLabel { listener: listener.as_str() }).set(0);
            for reason in Reason::ALL.map(Reason::as_str).into_iter().chain([REFUSED]) {
                closed.get_or_create(&ClosedLabel { listener: listener.as_str(), reason }).inc_by(0);
            }
            for reason in Denial::ALL.map(Denial::as_str) {
                denials.get_or_create(&DenialLabel { listener: listener.as_str(), reason }).inc_by(0);
            }
        }
        r.register("auth_failures", "Requests that were refused for their token", denials);
        r.register("connections_closed", "Connections that the ledger closed or refused", closed);
        let entries = m.unbooked_entries.clone();
        r.register("unbooked_entries", "Entries that were beyond belief, or can't be booked", entries);
        let credits = m.unbooked_credits.clone();
        r.register("unbooked_credits", "Credits that gateways reported beyond belief, not charged", credits);
        r.register("at_risk_credits", "Credits in open leases", m.at_risk_credits.clone());
        r.register("open_leases", "Open leases", m.open_leases.clone());
        register_calls(r, &m.call_records, &m.lost_calls);
        m.exports.register(r);
        for result in DELIVERY_RESULTS {
            m.deliveries.get_or_create(&DeliveryLabel { result }).inc_by(0);
        }
        r.register("webhook_deliveries", "Attempts to deliver an event to an endpoint", m.deliveries.clone());
        let waiting = m.waiting_deliveries.clone();
        r.register("waiting_webhook_deliveries", "Events that wait to be delivered to an endpoint", waiting);
        for result in MAIL_RESULTS {
            m.mails.get_or_create(&DeliveryLabel { result }).inc_by(0);
        }
        r.register("mails", "Attempts to send an event by mail", m.mails.clone());
        r.register("waiting_mails", "Mails that wait to be sent", m.waiting_mails.clone());
        let queued = m.queued_operations.clone();
        r.register("queued_operations", "Operations that wait for a transaction", queued);
        r.register("database_size_bytes", "What the database takes on its disk", m.database_size.clone());
        r.register("ready", "1 if a write to the database works, as /readyz says", m.ready.clone());
        let expiry = m.certificate_expiry.clone();
        r.register("certificate_expiry_timestamp_seconds", "When a listener's certificate expires", expiry);
        metrics
    }
}

fn register_calls(r: &mut Registry, stored: &Counter, lost: &Family<LostLabel, Counter>) {
    r.register("call_records", "Call records that were stored", stored.clone());
    for at in LOST_AT {
        lost.get_or_create(&LostLabel { at }).inc_by(0);
    }
    r.register("lost_call_records", "Call records that were dropped for lack of room", lost.clone());
}

impl Metrics {
    /// Counts a refusal.
    pub fn refuse(&self, code: RefusalCode) {
        self.refusals.get_or_create(&RefusalLabel { code: CodeLabel(code) }).inc();
    }

    /// Counts what a rule that only watches would have refused.
    pub fn would_refuse(&self, code: RefusalCode, requests: u64) {
        self.shadow_refusals.get_or_create(&RefusalLabel { code: CodeLabel(code) }).inc_by(requests);
    }

    /// Counts what was not charged.
    pub fn unbooked(&self, what: &Unbooked) {
        self.unbooked_entries.inc();
        self.unbooked_credits.inc_by(as_credits(what.lost()));
    }

    /// Counts a grant.
    pub fn grant(&self, amount: Credits) {
        self.grants.inc();
        self.granted_credits.inc_by(as_credits(amount));
    }

    /// Notes what is in open leases now.
    pub fn at_risk(&self, leases: i64, credits: Credits) {
        self.open_leases.set(leases);
        self.at_risk_credits.set(as_credits(credits));
    }

    /// Counts call records that gateways had no room for, and that there was no room for here.
    pub fn lost_calls(&self, by_gateways: u64, here: u64) {
        for (at, count) in LOST_AT.into_iter().zip([by_gateways, here]) {
            self.lost_calls.get_or_create(&LostLabel { at }).inc_by(count);
        }
    }

    /// Counts records that were exported, or not.
    pub fn exported(&self, result: ExportResult, records: usize) {
        self.exports.records(result, records);
    }

    /// Notes how many records wait to be exported.
    pub fn waiting_exports(&self, records: usize) {
        self.exports.waiting(records);
    }

    /// Counts a request to a collector.
    pub fn exporting(&self, signal: Signal, delivered: bool) {
        self.exports.request(signal, delivered);
    }

    /// Counts an attempt to deliver an event.
    pub fn delivery(&self, delivered: bool) {
        let [success, failure] = DELIVERY_RESULTS;
        let result = if delivered { success } else { failure };
        self.deliveries.get_or_create(&DeliveryLabel { result }).inc();
    }

    /// Notes how many events wait to be delivered.
    pub fn waiting_deliveries(&self, events: u64) {
        self.waiting_deliveries.set(i64::try_from(events).unwrap_or(i64::MAX));
    }

    /// Counts an attempt to send a mail.
    pub fn mail(&self, delivered: bool, given_up: bool) {
        let [success, failure, final_failure] = MAIL_RESULTS;
        let result = match (delivered, given_up) {
            (true, _) => success,
            (false, true) => final_failure,
            (false, false) => failure,
        };
        self.mails.get_or_create(&DeliveryLabel { result }).inc();
    }

    /// Notes how many mails wait to be sent.
    pub fn waiting_mails(&self, mails: u64) {
        self.waiting_mails.set(i64::try_from(mails).unwrap_or(i64::MAX));
    }

    /// When the certificate of a listener expires, if it has one (seconds since 1970).
    pub fn certificate_expiry(&self, listener: ListenerName) -> Option<i64> {
        let label = ListenerLabel { listener: listener.as_str() };
        self.certificate_expiry.get(&label).map(|gauge| gauge.get())
    }

    /// Notes how many operations wait.
    pub fn queued(&self, operations: usize) {
        self.queued_operations.set(i64::try_from(operations).unwrap_or(i64::MAX));
    }

    /// Notes how large the database is.
    pub fn database_size(&self, bytes: u64) {
        self.database_size.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Notes whether a write to the database works.
    pub fn ready(&self, works: bool) {
        self.ready.set(i64::from(works));
    }

    /// Notes until when the certificate of a listener is valid.
    pub fn certificate_expires(&self, listener: &'static str, at: Timestamp) {
        self.certificate_expiry.get_or_create(&ListenerLabel { listener }).set(at.as_second());
    }

    /// Notes how many connections a listener has now.
    pub fn connections(&self, listener: ListenerName, open: usize) {
        let label = ListenerLabel { listener: listener.as_str() };
        self.connections.get_or_create(&label).set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// Counts a connection that the ledger closed against its client's will.
    pub fn connection_closed(&self, listener: ListenerName, reason: Reason) {
        self.closed(listener, reason.as_str());
    }

    /// Counts a connection that was closed as soon as it came.
    pub fn connection_refused(&self, listener: ListenerName) {
        self.closed(listener, REFUSED);
    }

    fn closed(&self, listener: ListenerName, reason: &'static str) {
        let label = ClosedLabel { listener: listener.as_str(), reason };
        self.connections_closed.get_or_create(&label).inc();
    }

    /// Counts a request that was refused for its token.
    pub fn deny(&self, listener: ListenerName, why: Denial) {
        let label = DenialLabel { listener: listener.as_str(), reason: why.as_str() };
        self.auth_failures.get_or_create(&label).inc();
    }

    /// How many requests to the gateway API were refused for their token.
    pub fn denied_gateways(&self) -> u64 {
        let listener = ListenerName::Gateway.as_str();
        let count = |why: Denial| {
            let label = DenialLabel { listener, reason: why.as_str() };
            self.auth_failures.get(&label).map_or(0, |counter| counter.get())
        };
        Denial::ALL.into_iter().map(count).fold(0, u64::saturating_add)
    }

    /// Notes whether the last audit found that all balances agree with their entries.
    pub fn audited(&self, agrees: bool) {
        self.books_disagree.store(!agrees, Ordering::Relaxed);
    }

    /// Whether it found that some don't.
    pub fn books_disagree(&self) -> bool {
        self.books_disagree.load(Ordering::Relaxed)
    }

    /// All of them in the OpenMetrics format.
    pub fn openmetrics(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail; an empty page would be noticed at once.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// The same in Prometheus' own format, which every version and every tool reads.
    pub fn text(&self) -> String {
        classic(&self.openmetrics())
    }
}

/// For display only: money is never counted in floating point.
#[expect(clippy::cast_precision_loss, reason = "a metric needs no micro-credit precision")]
fn as_credits(amount: Credits) -> f64 {
    amount.micros() as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_page_shows_what_was_counted() {
        let metrics = Metrics::default();
        metrics.exchanges.inc();
        metrics.refuse(RefusalCode::InvalidKey);
        metrics.would_refuse(RefusalCode::MissingKey, 4);
        metrics.grant(Credits::from_micros(5_500_000));
        metrics.at_risk(3, Credits::from_micros(500_000));
        let text = metrics.text();
        for line in [
            "faregate_exchanges_total 1",
            "faregate_refusals_total{code=\"invalid_key\"} 1",
            "faregate_shadow_refusals_total{code=\"missing_key\"} 4",
            "faregate_granted_credits_total 5.5",
            "faregate_at_risk_credits 0.5",
            "faregate_open_leases 3",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
