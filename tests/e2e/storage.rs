//! The ledger's disk loses power, fills up, fails or is damaged. What was acknowledged is there, or the ledger
//! says that it isn't.
#![cfg(target_os = "linux")]

mod damaged;
mod failing;
mod power;

use harness::LedgerProcess;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Gives `acme` one credit: the answer, if there is one.
async fn grant_one(ledger: &LedgerProcess, number: u64) -> Option<(StatusCode, Value)> {
    let body = Some(json!({"amount": "1"}));
    ledger.ask(Method::POST, "/admin/v1/accounts/acme/grants", body, &format!("grant-{number}")).await
}

/// How much `acme` was granted in all.
async fn granted(ledger: &LedgerProcess) -> u64 {
    ledger.balance("acme", "granted").await.parse().expect("whole credits")
}
