//! What was measured of a variant, run by run, and the median of it.

use serde_json::{Value, json};
use std::time::Duration;

/// The figures of one run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    pub per_second: f64,
    /// Of Envoy's, per request (µs).
    pub cpu_micros: f64,
    /// At 32 connections (µs).
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    /// At one connection (µs).
    pub alone_p50: f64,
    pub exchanges: f64,
    pub requests: f64,
}

impl Run {
    /// As JSON.
    pub fn json(&self) -> Value {
        json!({
            "per_second": self.per_second,
            "cpu_micros": self.cpu_micros,
            "p50": self.p50,
            "p99": self.p99,
            "p999": self.p999,
            "alone_p50": self.alone_p50,
            "exchanges": self.exchanges,
            "requests": self.requests,
        })
    }
}

/// The median of a figure.
pub fn median(runs: &[Run], figure: impl Fn(&Run) -> f64) -> f64 {
    median_of(runs.iter().map(figure).collect())
}

/// The median of values.
pub fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}

/// The time (ms) below which this share of the times lies, in percent.
pub fn percentile_ms(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times
        .get(times.len() * percent / 100)
        .or(times.get(last))
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
