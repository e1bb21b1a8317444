//! The gate's counters as Envoy statistics, `wasmcustom.faregate.*`.
//!
//! They are counted in the VM and flushed to Envoy on the tick, so counting costs a request nothing.

use crate::decide::gate::Counters;
use faregate_protocol::RefusalCode;
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

/// The statistics' handles.
pub(super) struct Metrics {
    admitted: Option<u32>,
    refused: Vec<Option<u32>>,
    shadow: Option<u32>,
    waited: Option<u32>,
    refunds: Option<u32>,
    on_credit: Option<u32>,
    above_hold: Option<u32>,
    stopped: Option<u32>,
    exchanges: Option<u32>,
    exchange_failures: Option<u32>,
    usage_dropped: Option<u32>,
    calls_dropped: Option<u32>,
    low_balance: Option<u32>,
    views: Option<u32>,
    preflights: Option<u32>,
}

impl Metrics {
    /// Defines them; Envoy gives every worker the same ones.
    #[inline(never)]
    pub(super) fn define() -> Self {
        let counter =
            |name: &str| hostcalls::define_metric(MetricType::Counter, &format!("faregate.{name}")).ok();
        Self {
            admitted: counter("admitted_total"),
            refused: RefusalCode::ALL.iter().map(|code| counter(&format!("refused_total.{code}"))).collect(),
            shadow: counter("shadow_refused_total"),
            waited: counter("waited_total"),
            refunds: counter("refunds_total"),
            on_credit: counter("on_credit_total"),
            above_hold: counter("above_hold_total"),
            stopped: counter("stopped_total"),
            exchanges: counter("exchanges_total"),
            exchange_failures: counter("exchange_failures_total"),
            usage_dropped: counter("usage_dropped_total"),
            calls_dropped: counter("calls_dropped_total"),
            low_balance: counter("low_balance_total"),
            views: counter("views_total"),
            preflights: counter("preflights_total"),
        }
    }

    /// Adds what was counted.
    pub(super) fn add(&self, counters: &Counters) {
        let add = |metric: Option<u32>, count: u64| {
            if let (Some(metric), true) = (metric, count > 0) {
                let _ = hostcalls::increment_metric(metric, i64::try_from(count).unwrap_or(i64::MAX));
            }
        };
        for (metric, count) in self.refused.iter().zip(counters.refused) {
            add(*metric, count);
        }
        add(self.admitted, counters.admitted);
        add(self.shadow, counters.shadow);
        add(self.waited, counters.waited);
        add(self.refunds, counters.refunds);
        add(self.on_credit, counters.on_credit);
        add(self.above_hold, counters.above_hold);
        add(self.stopped, counters.stopped);
        add(self.exchanges, counters.exchanges);
        add(self.exchange_failures, counters.exchange_failures);
        add(self.usage_dropped, counters.usage_dropped);
        add(self.calls_dropped, counters.calls_dropped);
        add(self.low_balance, counters.low_balance);
        add(self.views, counters.views);
        add(self.preflights, counters.preflights);
    }
}
