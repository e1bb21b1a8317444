//! The ledger's counters as OpenTelemetry's metrics, made from the page that Prometheus gets.
//!
//! Names and labels are those of that page, so that dashboards and alerts work on either way. Sums are cumulative, from the start of
//! the process.

use super::attributes::{nanoseconds, scope, text};
use super::page::{Family, Sample, families};
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

/// The scope.
const SCOPE: &str = "faregate.ledger";

/// From when to when sums are.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u64,
    end: u64,
}

/// The request with which a page of metrics is exported. They have counted since `start`.
pub fn metrics(resource: &Resource, page: &str, start: Timestamp, now: Timestamp) -> Vec<u8> {
    let span = Span { start: nanoseconds(start), end: nanoseconds(now) };
    let metrics = families(page).iter().filter_map(|family| metric(family, span)).collect();
    let scope_metrics = ScopeMetrics { scope: Some(scope(SCOPE)), metrics, schema_url: String::new() };
    let resource_metrics = ResourceMetrics {
        resource: Some(resource.clone()),
        scope_metrics: vec![scope_metrics],
        schema_url: String::new(),
    };
    ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }.encode_to_vec()
}

fn metric(family: &Family<'_>, span: Span) -> Option<Metric> {
    let (suffix, data) = match family.kind {
        "counter" => {
            let sum = Sum {
                data_points: numbers(family, "_total", span),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            };
            ("_total", Data::Sum(sum))
        }
        "histogram" => ("", Data::Histogram(histogram(family, span))),
        "info" => ("_info", Data::Gauge(Gauge { data_points: numbers(family, "_info", span) })),
        "gauge" => ("", Data::Gauge(Gauge { data_points: numbers(family, "", span) })),
        _ => return None,
    };
    Some(Metric {
        name: [family.name, suffix].concat(),
        description: family.help.to_owned(),
        unit: unit(family.name).to_owned(),
        data: Some(data),
        ..Metric::default()
    })
}

/// The unit, in the code of UCUM, by the end of a name.
fn unit(name: &str) -> &'static str {
    match name.rsplit_once('_').map(|(_, unit)| unit) {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "",
    }
}

fn numbers(family: &Family<'_>, suffix: &str, span: Span) -> Vec<NumberDataPoint> {
    let samples = family.samples.iter().filter(|sample| sample.suffix == suffix);
    let point = |sample: &Sample<'_>| {
        let value =
            sample.value.parse().map(Value::AsInt).or_else(|_| sample.value.parse().map(Value::AsDouble));
        Some(NumberDataPoint {
            attributes: attributes(sample),
            start_time_unix_nano: if family.kind == "counter" { span.start } else { 0 },
            time_unix_nano: span.end,
            value: Some(value.ok()?),
            ..NumberDataPoint::default()
        })
    };
    samples.filter_map(point).collect()
}

fn attributes(sample: &Sample<'_>) -> Vec<KeyValue> {
    let labels = sample.labels.iter().filter(|(name, _)| *name != "le");
    labels.map(|(name, value)| text(name, value)).collect()
}

/// A point for each set of labels; on the page a bucket counts those below it, too.
fn histogram(family: &Family<'_>, span: Span) -> Histogram {
    let mut points: Vec<HistogramDataPoint> = Vec::new();
    for sample in &family.samples {
        let attributes = attributes(sample);
        if points.last().is_none_or(|point| point.attributes != attributes) {
            points.push(HistogramDataPoint {
                attributes,
                start_time_unix_nano: span.start,
                time_unix_nano: span.end,
                ..HistogramDataPoint::default()
            });
        }
        let Some(point) = points.last_mut() else { continue };
        match sample.suffix {
            "_sum" => point.sum = sample.value.parse().ok(),
            "_count" => point.count = sample.value.parse().unwrap_or(0),
            "_bucket" => {
                let below = point.bucket_counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
                let upto: u64 = sample.value.parse().unwrap_or(0);
                point.bucket_counts.push(upto.saturating_sub(below));
                let bound = sample.labels.iter().find(|(name, _)| *name == "le");
                let bound =
                    bound.and_then(|(_, bound)| bound.parse().ok()).filter(|bound: &f64| bound.is_finite());
                point.explicit_bounds.extend(bound);
            }
            _ => {}
        }
    }
    Histogram { data_points: points, aggregation_temporality: AggregationTemporality::Cumulative.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::otlp::resource;
    use crate::metrics::Metrics;
    use std::collections::BTreeMap;

    #[test]
    fn all_that_prometheus_gets_is_exported_under_the_same_names() {
        let counted = Metrics::default();
        counted.exchanges.inc_by(3);
        counted.granted_credits.inc_by(2.5);
        for seconds in [0.000_2, 0.000_3, 100.0] {
            counted.commit_seconds.observe(seconds);
        }
        let (start, now) = (Timestamp::from_second(10).unwrap(), Timestamp::from_second(20).unwrap());
        let bytes = metrics(&resource("i"), &counted.openmetrics(), start, now);
        let request = ExportMetricsServiceRequest::decode(bytes.as_slice()).unwrap();
        let found: BTreeMap<_, _> = request.resource_metrics[0].scope_metrics[0]
            .metrics
            .iter()
            .map(|metric| (metric.name.as_str(), metric))
            .collect();
        for line in counted.text().lines() {
            if let Some((name, _)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                assert!(found.contains_key(name), "{name} is missing");
            }
        }
        let Some(Data::Sum(sum)) = &found["faregate_exchanges_total"].data else { panic!("a sum") };
        let point = &sum.data_points[0];
        assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
        assert_eq!(point.value, Some(Value::AsInt(3)));
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (10_000_000_000, 20_000_000_000));
        let Some(Data::Sum(sum)) = &found["faregate_granted_credits_total"].data else { panic!("a sum") };
        assert_eq!(sum.data_points[0].value, Some(Value::AsDouble(2.5)));
        let commits = found["faregate_commit_duration_seconds"];
        let Some(Data::Histogram(histogram)) = &commits.data else { panic!("a histogram") };
        let point = &histogram.data_points[0];
        assert_eq!((commits.unit.as_str(), histogram.data_points.len(), point.count), ("s", 1, 3));
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), 3);
        assert_eq!(
            (point.bucket_counts[0], point.bucket_counts[1], point.bucket_counts.last()),
            (1, 1, Some(&1))
        );
        assert!(point.sum.is_some_and(|sum| (sum - 100.000_5).abs() < 1e-9));
        let Some(Data::Gauge(build)) = &found["faregate_build_info"].data else { panic!("a gauge") };
        assert!(build.data_points[0].attributes.iter().any(|label| label.key == "version"));
    }
}
