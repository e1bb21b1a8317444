//! What is counted of the export to a collector.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What became of a record that was to be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportResult {
    /// The collector took it.
    Sent,
    /// The collector refused it.
    Refused,
    /// Too many waited.
    NoRoom,
    /// The collector was down for too long.
    GivenUp,
}

impl ExportResult {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sent, Self::Refused, Self::NoRoom, Self::GivenUp];

    /// As it is written in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::NoRoom => "no_room",
            Self::GivenUp => "given_up",
        }
    }
}

/// What is sent to a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Call records.
    Logs,
    /// Metrics.
    Metrics,
}

impl Signal {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Logs, Self::Metrics];

    /// As it is written in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

/// What comes of a request to a collector.
const REQUEST_RESULTS: [&str; 2] = ["delivered", "failed"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RecordLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabel {
    signal: &'static str,
    result: &'static str,
}

/// The counters.
#[derive(Debug, Default)]
pub struct ExportMetrics {
    records: Family<RecordLabel, Counter>,
    waiting: Gauge,
    requests: Family<RequestLabel, Counter>,
}

impl ExportMetrics {
    /// Shows them on the page.
    pub fn register(&self, registry: &mut Registry) {
        for result in ExportResult::ALL {
            self.records(result, 0);
        }
        let help = "Call records that were exported to a collector, or dropped";
        registry.register("otlp_records", help, self.records.clone());
        registry.register(
            "otlp_waiting_records",
            "Call records that wait to be exported",
            self.waiting.clone(),
        );
        for signal in Signal::ALL {
            for result in REQUEST_RESULTS {
                self.requests.get_or_create(&RequestLabel { signal: signal.as_str(), result }).inc_by(0);
            }
        }
        registry.register("otlp_requests", "Requests to a collector", self.requests.clone());
    }

    /// Counts records.
    pub fn records(&self, result: ExportResult, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.records.get_or_create(&RecordLabel { result: result.as_str() }).inc_by(count);
    }

    /// Counts a request.
    pub fn request(&self, signal: Signal, delivered: bool) {
        let [success, failure] = REQUEST_RESULTS;
        let result = if delivered { success } else { failure };
        self.requests.get_or_create(&RequestLabel { signal: signal.as_str(), result }).inc();
    }

    /// Notes how many records wait.
    pub fn waiting(&self, records: usize) {
        self.waiting.set(i64::try_from(records).unwrap_or(i64::MAX));
    }
}
