//! What happens in a history, and how it is lived through.

use super::*;

#[derive(Clone, Debug)]
pub enum Step {
    Grant {
        amount: i64,
        priority: u16,
        lasts: Option<i64>,
    },
    Wait {
        seconds: i64,
    },
    Sell {
        gate: usize,
        amount: i64,
    },
    /// Sets something aside for a request.
    Hold {
        gate: usize,
        amount: i64,
    },
    /// A request ends.
    Settle {
        gate: usize,
        held: i64,
        kept: i64,
    },
    HandBack {
        gate: usize,
        amount: i64,
    },
    /// Composes a message, and sends it later.
    Compose {
        gate: usize,
        least: i64,
        more: i64,
        most: i64,
    },
    /// Delivers one of the messages composed so far (perhaps again); the answer may be lost.
    Deliver {
        which: usize,
        heard: bool,
    },
    End {
        gate: usize,
    },
    Reclaim {
        gate: usize,
    },
    Budget {
        scope: Scope,
        amount: i64,
    },
    /// Time advances until budgets reset.
    NextPeriod,
    Void {
        which: usize,
        amount: i64,
        owed: bool,
    },
    AdjustDown {
        amount: i64,
    },
}

pub const GATES: usize = 3;

pub fn steps(with_reclaims: bool) -> impl Strategy<Value = Vec<Step>> {
    let gate = 0..GATES;
    let scope = proptest::sample::select(vec![
        Scope::Account,
        Scope::Team(TeamNo(1)),
        Scope::Key(KeyNo(1)),
        Scope::Key(KeyNo(3)),
    ]);
    let step = prop_oneof![
        2 => (1..100_i64, 0..3_u16, proptest::option::of(1..50_i64))
            .prop_map(|(amount, priority, lasts)| Step::Grant { amount, priority, lasts }),
        1 => (0..20_i64).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::NextPeriod),
        1 => (scope, 1..60_i64).prop_map(|(scope, amount)| Step::Budget { scope, amount }),
        4 => (gate.clone(), 1..20_i64).prop_map(|(gate, amount)| Step::Sell { gate, amount }),
        2 => (gate.clone(), 1..20_i64).prop_map(|(gate, amount)| Step::HandBack { gate, amount }),
        3 => (gate.clone(), 1..20_i64).prop_map(|(gate, amount)| Step::Hold { gate, amount }),
        3 => (gate.clone(), 1..20_i64, 0..20_i64).prop_map(|(gate, held, kept)| Step::Settle { gate, held, kept }),
        6 => (gate.clone(), 0..10_i64, 0..10_i64, 0..30_i64)
            .prop_map(|(gate, least, more, most)| Step::Compose { gate, least, more, most }),
        8 => (any::<usize>(), any::<bool>()).prop_map(|(which, heard)| Step::Deliver { which, heard }),
        1 => gate.clone().prop_map(|gate| Step::End { gate }),
        1 => gate.prop_map(move |gate| {
            if with_reclaims { Step::Reclaim { gate } } else { Step::Wait { seconds: 0 } }
        }),
    ];
    proptest::collection::vec(step, 1..120)
}

/// Among other steps, operators take back what they gave.
pub fn with_corrections(with_reclaims: bool) -> impl Strategy<Value = Vec<Step>> {
    let corrections = prop_oneof![
        3 => (any::<usize>(), prop_oneof![1..50_i64, Just(i64::MAX)], any::<bool>())
            .prop_map(|(which, amount, owed)| Step::Void { which, amount, owed }),
        1 => (1..40_i64).prop_map(|amount| Step::AdjustDown { amount }),
    ];
    let corrections = proptest::collection::vec((any::<usize>(), corrections), 1..8);
    (steps(with_reclaims), corrections).prop_map(|(mut steps, corrections)| {
        for (at, correction) in corrections {
            steps.insert(at % (steps.len() + 1), correction);
        }
        steps
    })
}

pub fn live(steps: Vec<Step>) -> (Ledger, Vec<Gate>) {
    live_in(Ledger::new(3), steps)
}

pub fn live_in(mut ledger: Ledger, steps: Vec<Step>) -> (Ledger, Vec<Gate>) {
    let mut gates = vec![Gate { epoch: 1, ..Gate::default() }; GATES];
    let mut letters: Vec<(usize, Entry)> = Vec::new();
    for step in steps {
        match step {
            Step::Grant { amount, priority, lasts } => ledger.grant(amount, priority, lasts),
            Step::NextPeriod => ledger.second += 3_600,
            Step::Budget { scope, amount } => ledger.set_budget(scope, amount),
            Step::Wait { seconds } => ledger.second += seconds,
            Step::Void { which, amount, owed } => ledger.void(which, amount, owed),
            Step::AdjustDown { amount } => ledger.adjust_down(amount),
            Step::Sell { gate, amount } => gates[gate].spent += amount.min(gates[gate].free()),
            Step::Hold { gate, amount } => gates[gate].held += amount.min(gates[gate].free()),
            Step::Settle { gate, held, kept } => gates[gate].settle(held, kept),
            Step::HandBack { gate, amount } => gates[gate].returned += amount.min(gates[gate].free()),
            Step::Compose { gate, least, more, most } => {
                let used = gates[gate].spent + gates[gate].returned + gates[gate].held;
                let (least, need) = (used + least, used + least + more);
                let ask = Ask { least: credits(least), need: credits(need), want: credits(need + most) };
                letters.push((gate, gates[gate].message(Some(ask))));
            }
            Step::Deliver { which, heard } => {
                if let Some((gate, entry)) = letters.get(which % letters.len().max(1)).cloned() {
                    let answer = ledger.exchange(gate, &entry);
                    if heard {
                        gates[gate].hear(&entry, &answer);
                    }
                }
            }
            Step::End { gate } => {
                if gates[gate].final_report.is_none() && gates[gate].granted > 0 {
                    gates[gate].seal();
                }
            }
            Step::Reclaim { gate } => {
                ledger.reclaim(gate);
                gates[gate].stopped = true;
            }
        }
        ledger.check_leases();
        ledger.check_budgets();
        for (gate, lease) in gates.iter().zip(&ledger.leases) {
            assert!(gate.epoch != lease.epoch || gate.granted <= lease.granted.micros());
        }
    }
    (ledger, gates)
}

/// Everybody says what there is to say, and hands everything back.
pub fn settle(ledger: &mut Ledger, gates: &mut [Gate]) {
    for (n, gate) in gates.iter_mut().enumerate() {
        let open = gate.held + gate.holds.open().micros();
        gate.settle(open, open / 2);
        for _ in 0..3 {
            let report = gate.message(None);
            let answer = ledger.exchange(n, &report);
            gate.hear(&report, &answer);
        }
        if gate.final_report.is_none() {
            gate.seal();
        }
        let final_report = Entry { lease: None, ..gate.message(None) };
        let answer = ledger.exchange(n, &final_report);
        assert_eq!(answer.ended, final_report.ended.map(|final_report| final_report.epoch));
    }
}
