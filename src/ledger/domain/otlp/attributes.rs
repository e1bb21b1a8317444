//! Attributes, and those of the ledger itself.

use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The process that sends, by the conventions for services.
pub fn resource(instance: &str) -> Resource {
    Resource {
        attributes: vec![
            text("service.name", "faregate"),
            text("service.version", VERSION),
            text("service.instance.id", instance),
        ],
        ..Resource::default()
    }
}

/// The part of it that sends.
pub fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope {
        name: name.to_owned(),
        version: VERSION.to_owned(),
        ..InstrumentationScope::default()
    }
}

/// A text, as a value.
pub fn text_value(value: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(value.to_owned())) }
}

/// A text.
pub fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(text_value(value)), ..KeyValue::default() }
}

/// A whole number.
pub fn number(key: &str, value: i64) -> KeyValue {
    let value = AnyValue { value: Some(Value::IntValue(value)) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// A time (ns since 1970).
pub fn nanoseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}
