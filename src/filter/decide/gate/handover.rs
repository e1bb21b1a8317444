//! Hands over a worker's usage that the ledger doesn't have yet, when the worker's configuration is removed.
//!
//! It stays in shared memory until the leader takes it over, and is sent under the name and the numbers of the worker
//! that left. What must hold: a report that was in flight may be sent again, because the ledger stores each number once;
//! and there is never more of it than one worker may keep.

use super::Gate;
use crate::decide::base::json::{self, Json};
use crate::decide::base::moment::Moment;
use crate::decide::lease::shared::SharedMemory;
use faregate_protocol::exchange::{Basis, RefusalLine, UsageLine, UsageReport};
use faregate_protocol::metering::{MAX_QUANTITY, Quantities, UsageClass};
use faregate_protocol::{Credits, RefusalCode};

/// How often a swap is tried before giving up.
const TRIES: usize = 100;
/// The most that is kept in shared memory (bytes); anything beyond is counted as dropped.
const MAX_BYTES: usize = 4 << 20;
/// The value once all is taken over. Envoy can't tell an entry of no bytes from none.
const TAKEN: &[u8] = b"\n";

impl<M: SharedMemory> Gate<M> {
    /// Hands usage that isn't known to be stored over to the next leader.
    pub(super) fn hand_over(&mut self) {
        let name = self.names.handover();
        let reports = self.usage.leave(self.ran_at, &self.settings);
        if reports.is_empty() {
            return;
        }
        let mut dropped = 0;
        let left = (0..TRIES).any(|_| {
            let (mut all, stamp) = match self.memory.get(&name) {
                Some((all, stamp)) => (all, Some(stamp)),
                None => (Vec::new(), None),
            };
            dropped = 0;
            for report in &reports {
                let text = serde_json::to_vec(report).unwrap_or_default();
                if all.len() + text.len() < MAX_BYTES {
                    // Compact JSON has no line ends, so they separate the reports.
                    all.extend(text);
                    all.push(b'\n');
                } else {
                    dropped += 1;
                }
            }
            self.memory.swap(&name, &all, stamp)
        });
        self.counters.usage_dropped += if left { dropped } else { reports.len() as u64 };
        if left {
            self.memory.push_dirty(&name);
        }
    }

    /// Takes over usage that was left.
    #[inline(never)]
    pub(super) fn adopt(&mut self, now: Moment) {
        let name = self.names.handover();
        let Some((text, stamp)) = self.memory.get(&name) else {
            return;
        };
        if !self.memory.swap(&name, TAKEN, Some(stamp)) {
            // A worker is just leaving, and will report it.
            return;
        }
        for line in text.split(|byte| *byte == b'\n') {
            if let Some(report) = json::parse(line).ok().as_ref().and_then(report) {
                self.counters.usage_dropped += u64::from(!self.usage.adopt(now, report));
            }
        }
    }
}

fn report(value: &Json) -> Option<UsageReport> {
    Some(UsageReport {
        broker: text(value, "broker")?,
        seq: number(value, "seq")?,
        ago_ms: number(value, "ago_ms").unwrap_or(0),
        lines: value.get("lines")?.as_array()?.iter().map(line).collect::<Option<_>>()?,
        shadow: refusals(value, "shadow")?,
        refused: refusals(value, "refused")?,
    })
}

/// Absent when there are none.
#[inline(never)]
fn refusals(value: &Json, name: &str) -> Option<Vec<RefusalLine>> {
    let lines = value.get(name).and_then(Json::as_array).into_iter().flatten();
    lines.map(watched).collect()
}

fn line(value: &Json) -> Option<UsageLine> {
    let mut line = UsageLine {
        payer: text(value, "payer")?,
        rule: text(value, "rule")?,
        requests: number(value, "requests")?,
        credits: value.get("credits")?.as_i64().map(Credits::from_micros)?,
        refunds: number(value, "refunds")?,
        item: None,
        basis: None,
        used: Quantities::default(),
        product: text(value, "product"),
    };
    // These are absent where the rule isn't metered.
    if let Some(item) = value.get("item") {
        line.item = Some(item.as_str()?.to_owned());
    }
    if let Some(name) = value.get("basis") {
        line.basis = Some(basis(name)?);
    }
    if let Some(classes) = value.get("used") {
        line.used = quantities(classes)?;
    }
    Some(line)
}

fn basis(value: &Json) -> Option<Basis> {
    let name = value.as_str()?;
    Basis::ALL.into_iter().find(|basis| basis.as_str() == name)
}

fn quantities(value: &Json) -> Option<Quantities> {
    let Json::Object(members) = value else { return None };
    let mut used = Quantities::default();
    for (class, quantity) in members {
        used.set(UsageClass::named(class)?, quantity.as_u64().filter(|quantity| *quantity <= MAX_QUANTITY)?);
    }
    Some(used)
}

fn watched(value: &Json) -> Option<RefusalLine> {
    Some(RefusalLine {
        payer: text(value, "payer"),
        rule: text(value, "rule")?,
        code: RefusalCode::named(value.get("code")?.as_str()?)?,
        requests: number(value, "requests")?,
    })
}

fn text(value: &Json, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

fn number(value: &Json, name: &str) -> Option<u64> {
    value.get(name)?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::base::moment::Moment;
    use crate::decide::gate::Gate;
    use crate::decide::lease::shared::tests::Memory;
    use crate::decide::settings::Settings;
    use crate::decide::usage::{ChargeOutcome, UNKNOWN_CALLER};
    use serde_json::json;

    fn gate(memory: &Memory, name: &str) -> Gate<Memory> {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
            "rules": [{"name": "reports:v1", "price": "1"}], "default": {"price": "1"}
        });
        Gate::new(Settings::from_value(&config).unwrap(), memory.clone(), name, Moment::ZERO)
    }

    #[test]
    fn handed_over_reports_keep_their_broker_names_and_sequence_numbers() {
        let memory = Memory::default();
        let one = ChargeOutcome::Kept(Credits::from_micros(1_000_000));
        let (mut first, mut second, mut successor) =
            (gate(&memory, "a"), gate(&memory, "b"), gate(&memory, "c"));
        first.usage.count(Moment::ZERO, "key_1", 0, one);
        let under_way = first.usage.begin_send(Moment::ZERO, &first.settings).unwrap();
        first.usage.count(Moment::ZERO, "key_1", 0, one);
        second.usage.count(Moment::ZERO, "key_2", 0, ChargeOutcome::Released);
        second.usage.count(Moment::ZERO, "key_2", 0, ChargeOutcome::Shadow(RefusalCode::RateLimited));
        second.usage.count(Moment::ZERO, UNKNOWN_CALLER, 0, ChargeOutcome::Shadow(RefusalCode::MissingKey));
        first.leave();
        second.leave();

        successor.tick(Moment::from_nanos(1));
        let mut reports = Vec::new();
        while let Some(report) = successor.usage.begin_send(Moment::from_nanos(1), &successor.settings) {
            successor.usage.finish_send(Moment::ZERO, Some(report.seq), false);
            reports.push(report);
        }

        assert_eq!(reports[0], under_way, "the ledger stores it once");
        let who: Vec<(&str, u64)> =
            reports.iter().map(|report| (report.broker.as_str(), report.seq)).collect();
        assert_eq!(who, [("a", 1), ("a", 2), ("b", 1)]);
        assert_eq!((reports[1].lines[0].rule.as_str(), reports[1].lines[0].requests), ("reports:v1", 1));
        assert_eq!((reports[2].lines[0].payer.as_str(), reports[2].lines[0].refunds), ("key_2", 1));
        let watched = |payer: Option<&str>, code| RefusalLine {
            payer: payer.map(str::to_owned),
            rule: "reports:v1".into(),
            code,
            requests: 1,
        };
        let limited = watched(Some("key_2"), RefusalCode::RateLimited);
        assert_eq!(reports[2].shadow, [watched(None, RefusalCode::MissingKey), limited]);
        assert!(first.usage.is_empty() && second.usage.is_empty());
        gate(&memory, "d").tick(Moment::from_nanos(2));
        assert_eq!(memory.get(&successor.names.handover()).unwrap().0, TAKEN, "taken over once");
    }

    /// A report with a metered line of all classes per basis, and its JSON.
    fn metered() -> (UsageReport, serde_json::Value) {
        let mut used = Quantities::default();
        for (class, quantity) in UsageClass::ALL.into_iter().zip(1..) {
            used.set(class, quantity);
        }
        used.set(UsageClass::Page, MAX_QUANTITY);
        let (requests, credits) = (3, Credits::from_micros(7));
        let line = |basis| {
            let (payer, rule, item) = ("key_1".to_owned(), "llm".to_owned(), Some("openai/gpt-5".to_owned()));
            UsageLine {
                payer,
                rule,
                requests,
                credits,
                refunds: 0,
                item,
                basis: Some(basis),
                used,
                product: None,
            }
        };
        let lines = Basis::ALL.map(line).to_vec();
        let report = UsageReport { broker: "a".into(), seq: 1, lines, ..UsageReport::default() };
        let text = serde_json::to_value(&report).unwrap();
        (report, text)
    }

    #[test]
    fn metered_usage_survives_the_handover_and_malformed_usage_does_not() {
        let read = |value: &serde_json::Value| report(&json::parse(value.to_string().as_bytes()).unwrap());
        let (sent, text) = metered();
        assert_eq!(read(&text).as_ref(), Some(&sent));
        for (member, value) in [
            ("item", json!(5)),
            ("basis", json!("guessed")),
            ("basis", json!(null)),
            ("used", json!([])),
            ("used", json!({"input": -1})),
            ("used", json!({"input": MAX_QUANTITY + 1})),
            ("used", json!({"tokens": 1})),
        ] {
            let mut text = text.clone();
            text["lines"][1][member] = value;
            assert_eq!(read(&text), None, "{text}");
        }
    }

    #[test]
    fn what_metered_requests_were_for_is_reported_by_the_successor() {
        let (memory, (sent, _)) = (Memory::default(), metered());
        let (mut first, mut successor) = (gate(&memory, "a"), gate(&memory, "b"));
        assert!(first.usage.adopt(Moment::ZERO, sent.clone()));
        first.leave();
        successor.tick(Moment::from_nanos(1));
        assert_eq!(successor.usage.begin_send(Moment::from_nanos(1), &successor.settings), Some(sent));
    }
}
