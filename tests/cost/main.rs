//! What the filter costs, counted instead of timed: the real `faregate.wasm` in an interpreter, on a host of plain data.
//!
//! A request's price is made of calls to Envoy, of bytes copied between the two, and of the filter's own allocations and
//! instructions. All of them are the same in every run and on every machine, so here they have limits that may only fall. `CONTRIBUTING.md` says
//! how to read and how to lower them.

mod call;
mod calls;
mod gateway;
mod host;
mod ledger;
mod meter;
mod module;
mod natively;
mod price;
mod price_list;
mod profile;
mod steps;

use faregate_protocol::Credits;
use price::{Price, at_most, exactly, readable};

/// What each step may cost. Calls, entries and allocations are exact; bytes and instructions are at most so many.
#[rustfmt::skip]
const PRICES: &[Price] = &[
    Price { of: "a stranger arrives", entered: 2, allocations: 15, bytes: 479, instructions: 14_600,
        calls: &["get_header_map_pairs", "clock_time_get", "get_shared_data", "enqueue_shared_queue"] },
    Price { of: "the bell asks the ledger", entered: 1, allocations: 17, bytes: 663, instructions: 21_300,
        calls: &["dequeue_shared_queue", "dequeue_shared_queue", "clock_time_get", "get_shared_data",
            "http_call", "clock_time_get"] },
    Price { of: "the answer lets it go on", entered: 1, allocations: 50, bytes: 1_289, instructions: 51_900,
        calls: &["get_header_map_value", "get_buffer_bytes", "get_header_map_value", "clock_time_get",
            "get_shared_data", "set_shared_data", "get_shared_data", "set_shared_data",
            "set_shared_data", "get_shared_data", "set_shared_data", "enqueue_shared_queue",
            "set_effective_context", "add_header_map_value", "continue_stream", "set_effective_context",
            "clock_time_get"] },
    Price { of: "the first paid request since a report arrives", entered: 2, allocations: 8, bytes: 987, instructions: 14_100,
        calls: &["get_header_map_pairs", "clock_time_get", "get_shared_data", "set_shared_data",
            "enqueue_shared_queue", "add_header_map_value"] },
    Price { of: "a paid request arrives", entered: 2, allocations: 1, bytes: 422, instructions: 4_100,
        calls: &["get_header_map_pairs", "clock_time_get", "add_header_map_value"] },
    Price { of: "a paid request ends", entered: 3, allocations: 0, bytes: 178, instructions: 2_100,
        calls: &["get_header_map_pairs"] },
    Price { of: "a paid request ends that is never refunded", entered: 3, allocations: 0, bytes: 0, instructions: 1_500,
        calls: &[] },
    Price { of: "a paid request ends and is released", entered: 3, allocations: 3, bytes: 741, instructions: 9_500,
        calls: &["get_header_map_pairs", "get_shared_data", "set_shared_data", "set_property"] },
    Price { of: "a tick reports one lease", entered: 1, allocations: 39, bytes: 1_569, instructions: 57_300,
        calls: &["clock_time_get", "get_shared_data", "set_shared_data", "dequeue_shared_queue",
            "dequeue_shared_queue", "clock_time_get", "get_shared_data", "set_shared_data",
            "http_call", "clock_time_get", "increment_metric", "increment_metric",
            "increment_metric"] },
    Price { of: "the answer to a report", entered: 1, allocations: 38, bytes: 958, instructions: 46_300,
        calls: &["get_header_map_value", "get_buffer_bytes", "get_header_map_value", "clock_time_get",
            "get_shared_data", "get_shared_data", "set_shared_data", "clock_time_get"] },
    Price { of: "a tick without work", entered: 1, allocations: 0, bytes: 16, instructions: 2_400,
        calls: &["clock_time_get", "dequeue_shared_queue", "clock_time_get"] },
    Price { of: "a free request arrives", entered: 2, allocations: 1, bytes: 346, instructions: 2_300,
        calls: &["get_header_map_pairs", "clock_time_get"] },
    Price { of: "a free request ends", entered: 3, allocations: 0, bytes: 0, instructions: 600,
        calls: &[] },
    Price { of: "a malformed key is refused", entered: 2, allocations: 17, bytes: 914, instructions: 22_100,
        calls: &["get_header_map_pairs", "clock_time_get", "send_local_response"] },
    Price { of: "a malformed key is refused again", entered: 2, allocations: 3, bytes: 914, instructions: 13_000,
        calls: &["get_header_map_pairs", "clock_time_get", "send_local_response"] },
    Price { of: "a refused request ends", entered: 3, allocations: 0, bytes: 0, instructions: 600,
        calls: &[] },
    Price { of: "a caller without credits is refused from memory", entered: 2, allocations: 5, bytes: 1_010, instructions: 15_100,
        calls: &["get_header_map_pairs", "clock_time_get", "get_shared_data", "send_local_response"] },
    Price { of: "a caller without credits is refused once more", entered: 2, allocations: 3, bytes: 932, instructions: 9_700,
        calls: &["get_header_map_pairs", "clock_time_get", "send_local_response"] },
    Price { of: "a paid request arrives that is recorded", entered: 2, allocations: 3, bytes: 430, instructions: 6_300,
        calls: &["get_header_map_pairs", "clock_time_get", "clock_time_get", "add_header_map_value"] },
    Price { of: "a paid request ends that is recorded", entered: 3, allocations: 10, bytes: 186, instructions: 13_100,
        calls: &["get_header_map_pairs", "clock_time_get"] },
];

/// What else counts: how many instructions more a step may need behind 64 rules that don't match, and among 1,000 callers.
const GROWTH: &[(&str, u64, u64)] = &[
    ("a paid request arrives", 2_400, 600),
    ("a paid request ends", 100, 100),
    ("a free request arrives", 2_100, 300),
];

/// How many instructions it takes to show a thousand rules to one without a key.
const PRICE_LIST: &[(&str, u64)] =
    &[("a price list is shown", 5_750_000), ("a price list is shown again", 13_100)];

/// What the gate's core allocates for a caller whom it knows: how often, and at most how many bytes in all.
const ALLOCATIONS: &[(&str, u64, u64)] = &[
    ("a paid request arrives", 0, 0),
    ("a paid request ends", 0, 0),
    ("a free request arrives", 0, 0),
    ("a caller without credits is refused from memory", 2, 124),
];

#[test]
fn no_step_costs_more_than_its_price() {
    let bill = steps::all();
    let steps: Vec<&str> = bill.iter().map(|(step, _)| *step).collect();
    let priced: Vec<&str> = PRICES.iter().map(|price| price.of).collect();
    let missing =
        (steps != priced).then(|| format!("the steps are {steps:?}, and prices are there for {priced:?}"));
    let violations = PRICES.iter().zip(&bill).flat_map(|(price, (_, spent))| price.violations(spent));
    let violations: Vec<String> = missing.into_iter().chain(violations).collect();
    let lines: Vec<String> = bill.iter().map(|(step, spent)| spent.entry(step)).collect();
    none(&violations, &lines);
}

#[test]
fn a_price_list_of_a_thousand_rules_is_written_once() {
    let bill = price_list::calls();
    let (mut violations, mut lines) = (Vec::new(), Vec::new());
    for ((of, instructions), (step, spent)) in PRICE_LIST.iter().zip(&bill) {
        assert_eq!(of, step, "the steps that are measured are those of the table");
        lines.push(format!("    ({of:?}, {}),", readable(spent.instructions)));
        violations.extend(at_most(of, "instructions", *instructions, spent.instructions));
    }
    none(&violations, &lines);
}

#[test]
fn more_rules_or_callers_cost_a_request_no_more_than_stated() {
    let [usual, rules, callers] =
        [(0, 1), (64, 1), (0, 1_000)].map(|(rules, callers)| steps::usual(rules, callers));
    let (mut violations, mut lines) = (Vec::new(), Vec::new());
    for (number, (of, for_rules, for_callers)) in GROWTH.iter().enumerate() {
        let (step, alone) = &usual[number];
        assert_eq!(of, step, "the steps that are measured are those of the table");
        let mut line = format!("    ({of:?}");
        for (bill, with, limit) in [(&rules, "64 rules", for_rules), (&callers, "1,000 callers", for_callers)]
        {
            let (step, spent) = (format!("{of} with {with}"), &bill[number].1);
            let price = alone.instructions + limit;
            violations.extend(at_most(&step, "instructions", price, spent.instructions));
            violations.extend(exactly(&step, "bytes copied", alone.bytes, spent.bytes));
            violations.extend(
                (spent.calls != alone.calls).then(|| format!("{step}: host calls are {:?}", spent.calls)),
            );
            let more = spent.instructions.saturating_sub(alone.instructions);
            line += &format!(", {}", readable(more));
        }
        lines.push(line + "),");
    }
    none(&violations, &lines);
}

#[test]
fn a_request_allocates_no_more_than_stated() {
    let (mut violations, mut lines) = (Vec::new(), Vec::new());
    for ((of, count, bytes), (step, used)) in ALLOCATIONS.iter().zip(natively::allocations()) {
        assert_eq!(*of, step, "the steps that are measured are those of the table");
        lines.push(format!("    ({of:?}, {}, {}),", used.count_total, used.bytes_total));
        violations.extend(exactly(of, "allocations", *count, used.count_total));
        violations.extend(at_most(of, "bytes allocated", *bytes, used.bytes_total));
    }
    none(&violations, &lines);
}

#[test]
fn a_request_that_envoy_drops_without_logging_it_is_still_settled() {
    assert_eq!(steps::forgotten(), (Credits::from_micros(1_000_000), 1));
}

#[test]
fn the_filters_memory_does_not_grow_with_the_requests_served() {
    assert_eq!(
        steps::growth_in_pages(2_000),
        0,
        "pages of 64 KiB more after the second half of 2,000 requests"
    );
}

/// Fails if there are objections, and says what was counted as the table would have it.
fn none(violations: &[String], lines: &[String]) {
    assert!(
        violations.is_empty(),
        "the filter's cost has changed (see CONTRIBUTING.md, \"What the filter costs\"):\n\n{}\n\ncounted now, as the table would have it:\n\n{}\n",
        violations.join("\n"),
        lines.join("\n")
    );
}
