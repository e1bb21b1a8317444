//! The last credits of an account, which two gateways sell at once: exactly that many, and at what pace.

use super::Fixture;
use crate::client::Client;
use crate::envoy::Envoy;
use crate::table::{Case, Figures, table};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// As a balance: with the smallest price there is, so many requests.
const CREDITS: u32 = 1_000;
const BALANCE: &str = "0.001";
/// Connections to each gateway, all of them with requests all the time.
const EACH: usize = 4;

const NOTE: &str = "two gateways, 4 connections to each, an account that can pay 1,000 requests; s: until the last was sold.
Grows near zero: exchanges, because leases become as small as what is left; bounded by one message at a time and worker, and by \
a heartbeat every 100 ms. What is sold never grows beyond what was granted.";

pub fn measure(ground: &Fixture) -> Value {
    let gates = [ground.gate("last-1", 1, &json!({})), ground.gate("last-2", 1, &json!({}))];
    let runs = (0..ground.rounds.max(3)).map(|round| one(ground, &gates, round)).collect();
    let case = Case { name: "the last 1,000".to_owned(), runs };
    table("The last credits, sold by two gateways", NOTE, &[case])
}

#[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
fn one(ground: &Fixture, gates: &[Envoy; 2], round: u32) -> Figures {
    let ledger = &ground.ledger.ledger;
    let account = format!("last-{round}");
    let key = ground.services.block_on(ledger.account(&account, BALANCE));
    let exchanges = || -> u64 {
        gates
            .iter()
            .map(|gate| ground.services.block_on(gate.stat("wasmcustom.faregate.exchanges_total")))
            .sum()
    };
    let (asked, began) = (exchanges(), Instant::now());
    let buyers: Vec<(u32, Option<Instant>)> = std::thread::scope(|scope| {
        let ports = gates.iter().flat_map(|gate| [gate.port; EACH]);
        let buying: Vec<_> = ports
            .map(|port| {
                scope.spawn({
                    let key = &key;
                    move || buy(port, key)
                })
            })
            .collect();
        buying.into_iter().map(|buyer| buyer.join().expect("a buyer that is answered")).collect()
    });
    let asked = exchanges() - asked;
    let sold: u32 = buyers.iter().map(|(sold, _)| sold).sum();
    assert_eq!(sold, CREDITS, "not exactly what was granted");
    let last = buyers.iter().filter_map(|(_, last)| *last).max().expect("a request that was sold");
    let took: Duration = last - began;
    ground.services.block_on(ledger.balance_becomes(&account, "spent", BALANCE));
    vec![
        ("sold", f64::from(sold)),
        ("s", took.as_secs_f64()),
        ("req/s", f64::from(sold) / took.as_secs_f64()),
        ("exchanges", asked as f64),
        ("per request", asked as f64 / f64::from(sold)),
    ]
}

/// Buys until nothing is left: how many requests, and when the last of them was answered.
fn buy(port: u16, key: &str) -> (u32, Option<Instant>) {
    let mut client = Client::connect(port);
    let (mut sold, mut last) = (0, None);
    loop {
        let status = client.get(key).status;
        if status != 200 {
            assert_eq!(status, 402, "refused for another reason");
            return (sold, last);
        }
        sold += 1;
        last = Some(Instant::now());
    }
}
