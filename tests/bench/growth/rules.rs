//! Rules: what it costs that the last of them matches, or none.

use super::Fixture;
use crate::table::{Case, table};
use serde_json::{Value, json};

const COUNTS: [u32; 3] = [1, 8, 64];
const PRICE: &str = "0.000001";

const NOTE: &str = "Grows with rules: each one before the match is compared, in order. Their number is \
bounded by the configuration.";

pub fn measure(ground: &Fixture) -> Value {
    let mut gates = Vec::new();
    for count in COUNTS {
        for matches in [true, false] {
            let which = if matches { "the last matches" } else { "none matches" };
            let case = Case { name: format!("{count} rules, {which}"), runs: Vec::new() };
            let gate =
                ground.gate(&format!("rules-{count}-{matches}"), 1, &json!({"rules": rules(count, matches)}));
            gates.push((case, gate));
        }
    }
    table("Rules", NOTE, &ground.take_turns(gates))
}

/// So many rules, of which the last matches or none.
fn rules(count: u32, matches: bool) -> Vec<Value> {
    let rule = |number: u32| {
        let path = if matches && number + 1 == count {
            "/v1/things".to_owned()
        } else {
            format!("/v1/other/{number}/")
        };
        json!({"name": format!("rule-{number}"), "match": {"methods": ["GET"], "path": {"prefix": path}}, "price": PRICE})
    };
    (0..count).map(rule).collect()
}
