//! Leases in shared memory, bent. What can't be read sells nothing, and what can sells no more than it says.

use crate::memory::Memory;
use crate::odd;
use crate::play::{Budget, Report, play};
use faregate::decide::base::head::Head;
use faregate::decide::base::moment::Moment;
use faregate::decide::gate::Gate;
use faregate::decide::lease::credential::Credential;
use faregate::decide::lease::shared::{Names, SharedMemory};
use faregate::decide::lease::{Lease, OnCredit, Throttle};
use faregate::decide::outcome::{Arrival, Outcome, Passage};
use faregate::decide::request::ending::Answer;
use faregate::decide::settings::Settings;
use faregate_protocol::exchange::{
    Ended, EntryAnswer, Facts, Limits, PayerStatus, Pricing, Product, Quota, Rate,
};
use faregate_protocol::{Credits, api_key};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

/// One credit, which is what a request costs here.
const PRICE: i64 = 1_000_000;
const NOW: Moment = Moment::from_nanos(5_000_000_000);

fn amount() -> impl Strategy<Value = Credits> {
    let known = &[i64::MIN, -PRICE, -1, 0, 1, PRICE, 2 * PRICE, 1_000_000_000_000_000_000, i64::MAX];
    prop_oneof![3 => select(known.as_slice()), 1 => any::<i64>()].prop_map(Credits::from_micros)
}

fn lease() -> impl Strategy<Value = Lease> {
    let moment = || prop_oneof![any::<u64>(), Just(u64::MAX), Just(0)].prop_map(Moment::from_nanos);
    let counters = (amount(), amount(), amount(), amount(), amount(), amount(), amount());
    let rest = (amount(), amount(), amount(), moment(), moment(), moment(), amount(), moment());
    let throttle = proptest::option::of((any::<[u32; 6]>(), moment()).prop_map(
        |([milli_per_s, burst, concurrent, under_way, came, demand], busy_until)| Throttle {
            limits: Limits { rate: Some(Rate { milli_per_s, burst }), concurrent: Some(concurrent) },
            busy_until,
            under_way,
            came,
            demand,
        },
    ));
    let products = proptest::option::of(odd::text().prop_map(|name| {
        vec![
            Product { name, pricing: Pricing::Times(Credits::MAX) },
            Product { name: "chat".into(), pricing: Pricing::List },
        ]
    }));
    let status = (amount(), odd::text(), any::<[u64; 2]>(), any::<[u32; 3]>()).prop_map(
        |(size, resets_at, [window_s, resets_in_s], [milli_per_s, burst, concurrent])| PayerStatus {
            available: size,
            quota: Some(Quota { size, window_s, resets_at, resets_in_s }),
            limits: Limits { rate: Some(Rate { milli_per_s, burst }), concurrent: Some(concurrent) },
            warn_below: Some(size),
        },
    );
    let status = proptest::option::of(status);
    let epochs = (any::<u32>(), proptest::option::of((1_u32.., amount())), any::<bool>(), any::<bool>());
    (counters, rest, epochs, (odd::text(), products, throttle, status)).prop_map(
        |(counters, rest, (epoch, ended, queued, stopped), (key, products, throttle, status))| {
            let (granted, spent, returned, held, on_credit, on_credit_held, booked) = counters;
            let (low, cushion, marked, deadline, refill_at, marked_at, subleased, subleases_due) = rest;
            let mut lease = Lease {
                facts: Facts { key, account: "acme".into(), products, ..Facts::default() },
                ended: ended.map(|(epoch, spent)| Ended { epoch, spent }),
                on_credit: OnCredit { spent: on_credit, held: on_credit_held, booked },
                marked: (marked_at, marked),
                queued,
                stopped,
                epoch,
                granted,
                spent,
                returned,
                held,
                subleased,
                subleases_due,
                low,
                cushion,
                deadline,
                refill_at,
                throttle,
                ..Lease::default()
            };
            lease.record_status(NOW, &EntryAnswer { status, ..EntryAnswer::default() });
            lease
        },
    )
}

/// Requests against a record.
pub fn leases(budget: Budget, seed: u64) -> Report {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"header": "x-api-key"}], "response_headers": ["charge", "balance", "ratelimit"],
        "default": {"price": "1", "product": "chat"}
    });
    let settings = Settings::from_value(&config).expect("a good configuration");
    let key = api_key::compose(&[5; api_key::SECRET_LEN]).expect("a key");
    let name = Names::new("l", "l").lease(&Credential::Key(key.clone()));
    let headers = [(":path".to_owned(), b"/".to_vec()), ("x-api-key".to_owned(), key.into_bytes())];
    let inputs =
        prop_oneof![3 => odd::mutated_bytes(lease().prop_map(|lease| lease.encode())), 1 => odd::bytes(250)];
    play(budget, seed, &inputs, |bytes| {
        let memory = Memory::default();
        memory.swap(&name, &bytes, None);
        let mut gate = Gate::new(settings.clone(), memory.clone(), "fuzzed", Moment::ZERO);
        let most = sellable(&bytes);
        let mut sold = 0;
        for context in 0..4 {
            match gate.arrive(NOW, context, &Head::new(&headers), |_| None) {
                Arrival::Decided(Outcome::Pass(Passage::Paid(charge))) => {
                    let _ = gate.show(NOW, &charge, Answer::default(), None);
                    sold += i128::from(charge.price.micros())
                }
                Arrival::Decided(Outcome::Pass(other)) => prop_assert!(false, "{:?}", other),
                Arrival::Decided(Outcome::Refuse(_) | Outcome::Show(_))
                | Arrival::Waits
                | Arrival::NeedsBody(_) => {}
            }
        }
        prop_assert!(sold <= most, "{sold} sold of {most}");
        // The gate keeps working in any case.
        for ms in [0, 1_000, 6_000, 1_000_000] {
            let _ = gate.tick(NOW.plus_millis(ms));
            while let Some(message) = gate.next_message(NOW.plus_millis(ms)) {
                let _ = gate.answered(NOW.plus_millis(ms), message.id, None);
            }
        }
        Ok(())
    })
}

/// What such a record may sell: what was granted and is not used up, while it lasts, if all of it makes sense.
fn sellable(bytes: &[u8]) -> i128 {
    let Some(lease) = Lease::decode(bytes) else { return 0 };
    let [granted, used @ ..] = [lease.granted, lease.spent, lease.returned, lease.held, lease.subleased]
        .map(|amount| i128::from(amount.micros()));
    let sound = granted >= 0 && used.iter().all(|amount| *amount >= 0);
    if sound && NOW < lease.deadline && !lease.stopped {
        (granted - used.iter().sum::<i128>()).max(0)
    } else {
        0
    }
}
