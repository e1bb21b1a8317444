//! Strategies for the property tests.

use proptest::prelude::*;
use serde_json::Value;

/// Any JSON value. Its names are often those that count.
pub fn any_json() -> impl Strategy<Value = Value> {
    any_json_with("[a-c\"\\\\é]{0,2}")
}

/// The same, with names like this.
pub fn any_json_with(names: &'static str) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        ".{0,8}".prop_map(Value::from),
        "data:image/png;base64,[A-Za-z0-9+/]{0,24}={0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(names, inner, 0..6)
                .prop_map(|members| Value::from(serde_json::Map::from_iter(members))),
        ]
    })
}
