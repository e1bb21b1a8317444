//! Envoy's workers: what one more brings.

use super::Fixture;
use crate::table::{Case, table};
use serde_json::{Value, json};

const NOTE: &str = "one caller, so all workers change the same lease.
Grows with workers: the memory of one more virtual machine each. Requests per second grow as far as there are \
processors (the load and the API need some, too); shared memory has one lock, which bounds it in the end.";

pub fn measure(ground: &Fixture) -> Value {
    let of = |workers: u32| {
        let case = Case { name: format!("{workers} workers"), runs: Vec::new() };
        (case, ground.gate(&format!("workers-{workers}"), workers, &json!({})))
    };
    table("Workers", NOTE, &ground.take_turns(vec![of(1), of(2)]))
}
