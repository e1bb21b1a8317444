//! Real Envoys with the real filter and a real ledger, under load, while they are killed and frozen at
//! random; then an independent reckoning of what clients saw, what the upstream served, and what the ledger
//! charged. And power failures at many points of a ledger's day on SQLite.
//!
//! `make crash` runs it; SECONDS, SEED and DATABASE=postgres are taken from the environment. A seed gives the same
//! faults in the same order, though not at the same instants: these are real programs.
//!
//! [`load`] is the clients, [`trouble`] kills and freezes, [`reckoning`] holds the three records against each other
//! and knows nothing of the ledger's code, [`table`] prints.

mod load;
mod reckoning;
mod run;
mod table;
mod trouble;

use run::Plan;
use std::process::ExitCode;

fn main() -> ExitCode {
    let plan = match plan() {
        Ok(plan) => plan,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let work = async {
        let report = run::live(&plan).await;
        table::print(&plan, &report);
        let good = report.verdict.is_empty();
        if plan.cuts == 0 { good } else { run::power_failures(&plan).await && good }
    };
    let good = runtime.block_on(async {
        tokio::select! {
            good = work => good,
            // Dropping the work ends what it has started, also what is frozen.
            _ = tokio::signal::ctrl_c() => false,
        }
    });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the environment asks for.
fn plan() -> Result<Plan, String> {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) if !text.is_empty() => {
            text.parse().map_err(|_| format!("{name}={text}: give a whole number, such as {name}={default}"))
        }
        _ => Ok(default),
    };
    let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let postgres = match text("DATABASE").as_deref() {
        None | Some("sqlite") => false,
        Some("postgres") => true,
        Some(other) => return Err(format!("DATABASE={other}: give sqlite or postgres")),
    };
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = number("SEED", clock.map_or(1, |time| time.as_secs() % 1_000_000))?;
    let cuts = if postgres { 0 } else { 150 };
    Ok(Plan { seconds: number("SECONDS", 60)?, seed, postgres, kill_gateways: true, cuts })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Plan = Plan { seconds: 8, seed: 3, postgres: false, kill_gateways: true, cuts: 0 };

    async fn verdict(plan: Plan) -> Vec<String> {
        let report = run::live(&plan).await;
        table::print(&plan, &report);
        report.verdict
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_credit_is_accounted_for_when_ledger_and_envoys_are_killed() {
        let verdict = verdict(SHORT).await;
        assert!(verdict.is_empty(), "{verdict:#?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn exactly_the_served_requests_are_charged_if_no_envoy_dies() {
        let verdict = verdict(Plan { seconds: 6, seed: 4, kill_gateways: false, ..SHORT }).await;
        assert!(verdict.is_empty(), "{verdict:#?}");
    }
}
