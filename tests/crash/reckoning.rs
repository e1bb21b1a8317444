//! Holds three records against each other: what clients saw, what the upstream served, and what the ledger says.
//! It shares no code with the ledger.

use crate::load::Seen;
use crate::trouble::Log;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Millionths of a credit in one.
pub const MICROS: i128 = 1_000_000;

/// The three records.
pub struct Records<'a> {
    /// What clients saw.
    pub seen: &'a [Seen],
    /// How often the upstream served each number.
    pub served: &'a BTreeMap<u64, u64>,
    /// The ledger's balance of each account, by number.
    pub balances: &'a [Value],
    /// What was done at the same time.
    pub log: &'a Log,
}

/// What it comes to.
#[derive(Debug, Default)]
pub struct Sums {
    /// How often each status came; 0 means no answer.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that the upstream served.
    pub served: u64,
    /// What the ledger charged, in micro-credits.
    pub charged: i128,
}

/// An amount in micro-credits.
pub fn micros(amount: &Value) -> Option<i128> {
    let (whole, part) = {
        let text = amount.as_str()?;
        text.split_once('.').unwrap_or((text, ""))
    };
    let part: i128 = format!("{part:0<6}").parse().ok()?;
    Some(whole.parse::<i128>().ok()? * MICROS + part)
}

/// Adds up, and lists whatever doesn't agree. Every request costs one credit.
pub fn reckon(records: &Records<'_>) -> (Sums, Vec<String>) {
    let Records { seen, served, balances, log } = records;
    let mut sums = Sums::default();
    let mut wrong = log.wrong.clone();
    let mut known = BTreeSet::new();
    // Served requests of each account: all, and those of gateways that were never killed.
    let mut all = vec![0_i128; balances.len()];
    let mut safe = vec![0_i128; balances.len()];
    for request in *seen {
        let Seen { number, gateway, account, status } = *request;
        known.insert(number);
        *sums.statuses.entry(status).or_default() += 1;
        let times = served.get(&number).copied().unwrap_or(0);
        sums.served += times;
        all[account] += i128::from(times);
        if !log.gateway_kills.contains_key(&gateway) {
            safe[account] += i128::from(times);
        }
        let right = match status {
            200 => times == 1,
            0 => times <= 1,
            _ => times == 0,
        };
        if !right {
            wrong.push(format!("request {number} got {status} and was served {times} times"));
        }
    }
    for number in served.keys().filter(|number| !known.contains(number)) {
        wrong.push(format!("request {number} was served, and no client sent it"));
    }
    let mut missing = 0;
    for (number, balance) in balances.iter().enumerate() {
        let of =
            |member: &str| micros(&balance[member]).unwrap_or_else(|| panic!("no {member} in {balance}"));
        let mut check = |holds: bool, what: String| {
            if !holds {
                wrong.push(format!("account-{number}: {what}: {balance}"));
            }
        };
        let spent = of("spent");
        let given = log.granted.get(&number).map_or(0, |credits| i128::from(*credits)) * MICROS;
        check(of("granted") == given, format!("{given} micro-credits were granted and acknowledged"));
        check(spent <= of("granted"), "more was spent than granted".to_owned());
        check(of("owed") == 0, "nothing may be sold without cover".to_owned());
        check(of("held") == 0, "at the end nothing is held".to_owned());
        check(
            of("granted") + of("owed") == of("available") + spent + of("expired"),
            "granted + owed = available + spent + expired".to_owned(),
        );
        let (least, most) = (safe[number] * MICROS, all[number] * MICROS);
        check(spent >= least, format!("{} requests were served by gateways that never died", safe[number]));
        check(spent <= most, format!("only {} requests were served", all[number]));
        sums.charged += spent;
        missing += most - spent;
    }
    if missing > log.at_risk {
        wrong.push(format!(
            "{missing} micro-credits were not charged, and only {} were at risk in gateways that died",
            log.at_risk
        ));
    }
    (sums, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Two requests that were served, one that was refused, one without an answer; gateway 1 was killed.
    struct Day {
        seen: Vec<Seen>,
        served: BTreeMap<u64, u64>,
        balance: Value,
        log: Log,
    }

    fn day() -> Day {
        let request = |number, gateway, status| Seen { number, gateway, account: 0, status };
        let balance = json!({
            "granted": "10", "available": "8", "spent": "2", "held": "0", "expired": "0", "owed": "0"
        });
        let log = Log {
            granted: BTreeMap::from([(0, 10)]),
            gateway_kills: BTreeMap::from([(1, 1)]),
            at_risk: MICROS,
            ..Log::default()
        };
        let seen = vec![request(1, 0, 200), request(2, 1, 200), request(3, 0, 402), request(4, 1, 0)];
        Day { seen, served: BTreeMap::from([(1, 1), (2, 1)]), balance, log }
    }

    fn findings(change: impl FnOnce(&mut Day)) -> usize {
        let mut day = day();
        change(&mut day);
        let balances = [day.balance];
        let records = Records { seen: &day.seen, served: &day.served, balances: &balances, log: &day.log };
        reckon(&records).1.len()
    }

    fn charged(day: &mut Day, spent: &str, available: &str) {
        day.balance["spent"] = json!(spent);
        day.balance["available"] = json!(available);
    }

    #[test]
    fn consistent_records_have_no_findings() {
        assert_eq!(findings(|_| ()), 0);
        assert_eq!(findings(|day| charged(day, "1", "9")), 0, "lost with the gateway that was killed");
    }

    #[test]
    fn tampered_records_are_detected() {
        let tamperings: [fn(&mut Day); 9] = [
            |day| {
                day.served.remove(&1);
            },
            |day| {
                day.served.insert(1, 2);
            },
            |day| {
                day.served.insert(3, 1);
            },
            |day| {
                day.served.insert(9, 1);
            },
            |day| charged(day, "3", "7"),
            |day| charged(day, "0", "10"),
            |day| day.balance["held"] = json!("0.000001"),
            |day| day.balance["available"] = json!("7.999999"),
            |day| {
                day.log.granted.insert(0, 11);
            },
        ];
        for (number, tampering) in tamperings.into_iter().enumerate() {
            assert!(findings(tampering) > 0, "{number}");
        }
    }

    #[test]
    fn losses_may_not_exceed_the_credits_at_risk() {
        let lost = |at_risk| {
            findings(|day| {
                charged(day, "1", "9");
                day.log.at_risk = at_risk;
            })
        };
        assert_eq!((lost(MICROS), lost(MICROS - 1)), (0, 1));
    }
}
