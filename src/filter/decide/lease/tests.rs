use super::*;
use faregate_protocol::exchange::{Granted, Holds, Limits, PayerStatus, Pricing, Product, Quota, Rate};
use proptest::prelude::*;

mod sums;

fn credits(n: i64) -> Credits {
    Credits::from_micros(n * 1_000_000)
}

fn at(ms: u64) -> Moment {
    Moment::from_nanos(1).plus_millis(ms)
}

fn grant(epoch: u32, level: i64) -> EntryAnswer {
    let lease =
        Granted { epoch, granted: credits(level), ttl_ms: 1_000, recall: false, limits: Limits::default() };
    EntryAnswer { lease: Some(lease), ..EntryAnswer::default() }
}

fn open(level: i64) -> Lease {
    let mut lease = Lease::new(Facts { key: "key_1".into(), account: "acme".into(), ..Facts::default() });
    lease.merge(at(0), None, &grant(1, level));
    lease
}

fn paid(lease: &mut Lease, now: Moment, price: i64) -> bool {
    matches!(lease.admit(now, credits(price)), Admission::Paid { .. })
}

#[test]
fn a_lease_sells_what_was_granted_and_no_more() {
    let mut lease = open(3);
    assert!(paid(&mut lease, at(1), 2));
    assert!(!paid(&mut lease, at(1), 2));
    assert!(paid(&mut lease, at(1), 1));
    assert!(!paid(&mut lease, at(1), 1));
    lease.settle(FundingSource::Lease(1), credits(2), credits(1));
    assert_eq!((lease.spent, lease.held), (credits(2), Credits::ZERO));
    assert!(paid(&mut lease, at(1), 1), "what was released can be sold again");
}

#[test]
fn an_expired_lease_sells_nothing_and_carries_its_holds_over() {
    let mut lease = open(3);
    assert!(paid(&mut lease, at(999), 1));
    assert!(!paid(&mut lease, at(1_000), 1));
    let entry = lease.report(at(1_000), Some((credits(1), credits(1))), false);
    assert_eq!(entry.ended, Some(Ended { epoch: 1, spent: Credits::ZERO }));
    assert_eq!(entry.holds, Holds { carried: credits(1), ..Holds::default() });
    assert_eq!(entry.lease.map(|l| (l.epoch, l.spent)), Some((2, Credits::ZERO)));
    assert_eq!(entry.ask.map(|ask| ask.need), Some(credits(1)), "a new lease resets the levels");
    lease.settle(FundingSource::Lease(1), credits(1), Credits::ZERO);
    assert_eq!((lease.spent, lease.holds().kept), (Credits::ZERO, credits(1)), "of the epoch that is over");
    lease.merge(at(1_000), None, &grant(2, 5));
    assert_eq!(lease.spendable(at(1_001)), Credits::ZERO, "not before the final report is acknowledged");
    lease.merge(at(1_000), None, &EntryAnswer { ended: Some(1), ..grant(2, 5) });
    assert!(lease.ended.is_some(), "nor by an answer to a message that did not carry it");
    lease.merge(at(1_000), Some(1), &EntryAnswer { ended: Some(1), ..grant(2, 5) });
    assert_eq!((lease.ended, lease.spendable(at(1_001))), (None, credits(5)));
}

#[test]
fn a_stale_response_or_one_for_another_epoch_changes_nothing() {
    let mut lease = open(3);
    lease.merge(at(500), None, &grant(1, 9));
    let before = lease.clone();
    lease.merge(at(0), None, &grant(1, 3));
    lease.merge(at(900), None, &grant(2, 50));
    lease.merge(at(900), None, &grant(0, 50));
    assert_eq!((lease.granted, lease.deadline), (before.granted, before.deadline));
}

#[test]
fn an_epoch_closed_by_the_ledger_is_sealed_and_the_next_one_begins() {
    let mut lease = open(3);
    assert!(paid(&mut lease, at(1), 2));
    lease.merge(at(1), None, &EntryAnswer { ended: Some(1), ..EntryAnswer::default() });
    assert_eq!(lease.ended, Some(Ended { epoch: 1, spent: Credits::ZERO }));
    assert_eq!(lease.holds().carried, credits(2));
    assert_eq!((lease.epoch, lease.spendable(at(2))), (2, Credits::ZERO));
}

#[test]
fn an_idle_lease_returns_everything_but_held_credits() {
    let mut lease = open(10);
    assert!(paid(&mut lease, at(1), 4));
    lease.rest();
    assert_eq!((lease.returned, lease.held, lease.is_open()), (credits(6), credits(4), true));
    lease.settle(FundingSource::Lease(1), credits(4), Credits::ZERO);
    lease.rest();
    assert_eq!(lease.ended, Some(Ended { epoch: 1, spent: credits(4) }));
    assert!(!lease.is_open() && !lease.is_at_rest());
    lease.merge(at(9), Some(1), &EntryAnswer { ended: Some(1), ..EntryAnswer::default() });
    assert!(lease.is_at_rest());
}

#[test]
fn recalled_credits_are_not_requested_again_until_needed() {
    let mut lease = open(100);
    lease.report(at(1), None, true);
    for _ in 0..20 {
        assert!(paid(&mut lease, at(100), 1));
    }
    lease.settle(FundingSource::Lease(1), credits(20), Credits::ZERO);
    lease.hand_back();
    let ask = lease.report(at(950), None, true).ask.unwrap();
    assert_eq!((ask.need, ask.want), (credits(100), credits(100)), "20 spent and 80 returned, and no more");
}

#[test]
fn sales_on_credit_are_capped_until_the_ledger_has_booked_them() {
    let mut lease = open(0);
    assert!(lease.admit_on_credit(credits(2), credits(3)));
    assert!(!lease.admit_on_credit(credits(2), credits(3)));
    lease.settle(FundingSource::Credit, credits(2), Credits::ZERO);
    assert!(!lease.admit_on_credit(credits(2), credits(3)));
    assert_eq!(lease.report(at(1), None, false).on_credit, credits(2));
    lease.merge(at(1), None, &EntryAnswer { on_credit: credits(2), ..EntryAnswer::default() });
    assert!(lease.admit_on_credit(credits(3), credits(3)));
}

#[test]
fn a_stopped_lease_does_not_sell_refunds_until_the_next_grant() {
    let mut lease = open(3);
    assert!(paid(&mut lease, at(1), 1));
    lease.stop();
    lease.settle(FundingSource::Lease(1), Credits::ZERO, credits(1));
    assert!(!paid(&mut lease, at(2), 1));
    lease.merge(at(3), None, &grant(1, 3));
    assert!(paid(&mut lease, at(4), 1));
}

#[test]
fn a_low_lease_asks_for_one_refill() {
    let mut lease = open(8);
    let refills: Vec<bool> = (0..8)
        .map(|_| matches!(lease.admit(at(1), credits(1)), Admission::Paid { refill: true, .. }))
        .collect();
    assert_eq!(refills, [false, false, false, false, false, false, true, false]);
}

#[test]
fn the_requested_amount_is_bounded_for_a_payer_who_is_always_low() {
    let mut lease = open(3);
    for second in 1..600 {
        lease.grow(credits(1));
        lease.merge(at(second * 1_000), None, &grant(1, 3));
        let want = lease.report(at(second * 1_000), None, true).ask.unwrap().want;
        assert!(want <= credits(16), "{want:?}");
    }
    let price = Credits::from_micros(i64::MAX);
    let ask = lease.report(at(1), Some((price, price)), true).ask.unwrap();
    assert_eq!((ask.least, ask.need, ask.want), (MAX_AMOUNT, MAX_AMOUNT, MAX_AMOUNT));
}

#[test]
fn the_requested_reserve_follows_the_spending_rate() {
    let mut lease = open(1_000);
    lease.report(at(1), None, true);
    for _ in 0..100 {
        assert!(paid(&mut lease, at(2), 1));
    }
    lease.settle(FundingSource::Lease(1), credits(100), Credits::ZERO);
    let ask = lease.report(at(901), None, true).ask.unwrap();
    assert_eq!(ask.need, credits(100));
    assert!(
        ask.want > credits(600) && ask.want < credits(700),
        "{ask:?}: 5 s at 111 a second, and what is used"
    );
}

/// A lease that lasts for long.
fn rich(level: i64) -> Lease {
    let mut lease = open(level);
    lease.deadline = at(20_000);
    lease
}

#[test]
fn a_sublease_is_cut_only_from_a_rich_lease_long_before_its_deadline() {
    let mut lease = rich(64);
    let sublease = lease.sublease(at(1), credits(1)).unwrap();
    assert_eq!(
        (sublease.size, lease.subleased, lease.spendable(at(1))),
        (credits(4), credits(4), credits(60))
    );
    assert_eq!(lease.sublease(at(1), credits(1)), None, "the next would be too small");
    assert_eq!(rich(64).sublease(at(18_000), credits(1)), None);
    assert_eq!(rich(64).sublease(at(1), credits(2)), None);
    lease.low = credits(58);
    assert_eq!(lease.sublease(at(1), Credits::from_micros(1)), None, "it would soon be low");
}

#[test]
fn a_returned_sublease_leaves_its_sales_held() {
    let mut lease = rich(64);
    let mut sublease = lease.sublease(at(1), credits(1)).unwrap();
    assert!(sublease.sell(at(1), credits(3)) && !sublease.sell(at(1), credits(2)), "it has 4");
    assert!(!sublease.sell(sublease.until, credits(1)), "its time is over");
    lease.return_sublease(&sublease);
    assert_eq!(
        (lease.held, lease.subleased, lease.spendable(at(2))),
        (credits(3), Credits::ZERO, credits(61))
    );
}

#[test]
fn a_lost_sublease_counts_as_spent_and_a_late_return_changes_nothing() {
    let mut lease = rich(64);
    let sublease = lease.sublease(at(1), credits(1)).unwrap();
    lease.report(at(1).plus_millis(1_000), None, false);
    assert_eq!((lease.spent, lease.subleased), (Credits::ZERO, credits(4)));
    lease.report(at(1).plus_millis(2_000), None, false);
    assert_eq!((lease.spent, lease.subleased), (credits(4), Credits::ZERO));
    lease.return_sublease(&sublease);
    assert_eq!((lease.spent, lease.held, lease.spendable(at(2))), (credits(4), Credits::ZERO, credits(60)));
}

fn some_status() -> PayerStatus {
    let quota =
        Quota { size: credits(30), window_s: 60, resets_at: "2026-12-01T00:00:00Z".into(), resets_in_s: 40 };
    let (limits, warn_below) = (Limits { rate: None, concurrent: Some(3) }, Some(credits(5)));
    PayerStatus { available: credits(12), quota: Some(quota), limits, warn_below }
}

#[test]
fn a_payers_status_is_kept_until_the_next_one_and_dropped_when_it_is_stopped() {
    let mut lease = open(3);
    let status = |lease: &Lease| LeaseHolder::of("lease", lease.encode()).status();
    assert_eq!(status(&lease), None);
    lease.record_status(at(7), &EntryAnswer { status: Some(some_status()), ..grant(1, 3) });
    let first = status(&lease).unwrap();
    assert_eq!(
        (first.received_at, first.available, first.warn_below),
        (at(7), credits(12), Some(credits(5)))
    );
    assert_eq!(first.limits, Limits { rate: None, concurrent: Some(3) });
    let quota = first.quota.unwrap();
    assert_eq!((quota.size, quota.window_s, quota.resets), (credits(30), 60, at(40_007)));
    assert_eq!(quota.resets_at, "2026-12-01T00:00:00Z");
    lease.record_status(at(8), &grant(1, 3));
    lease.rest();
    assert_eq!(status(&lease).unwrap().received_at, at(7), "an answer without a status");
    let poorer = PayerStatus { available: Credits::ZERO, quota: None, ..some_status() };
    lease.record_status(at(9), &EntryAnswer { status: Some(poorer), ..EntryAnswer::default() });
    let second = status(&lease).unwrap();
    assert_eq!((second.received_at, second.available, second.quota), (at(9), Credits::ZERO, None));
    lease.stop();
    assert_eq!(status(&lease), None, "a payer who may not spend is shown nothing");
}

#[test]
fn a_stale_answer_does_not_change_a_payers_status() {
    let mut lease = open(9);
    let answer = |granted, available| {
        let status = PayerStatus { available: credits(available), ..some_status() };
        EntryAnswer { status: Some(status), ..grant(1, granted) }
    };
    for (granted, available) in [(9, 12), (20, 1), (15, 6)] {
        lease.merge(at(1), None, &answer(granted, available));
        lease.record_status(at(1), &answer(granted, available));
    }
    let status = LeaseHolder::of("lease", lease.encode()).status().unwrap();
    assert_eq!(status.balance(lease.unspent()), credits(21), "granted credits are not counted twice");
}

fn any_names() -> impl Strategy<Value = Option<Vec<String>>> {
    proptest::option::of(proptest::collection::vec("[a-z]{1,9}", 0..4))
}

fn any_products() -> impl Strategy<Value = Option<Vec<Product>>> {
    any_names().prop_map(|names| {
        let product = |name| Product { name, pricing: Pricing::Fixed(credits(3)) };
        names.map(|names| names.into_iter().map(product).collect())
    })
}

fn limits([milli_per_s, burst, concurrent]: [u32; 3]) -> Limits {
    Limits {
        rate: (milli_per_s > 0).then_some(Rate { milli_per_s, burst }),
        concurrent: (concurrent > 0).then_some(concurrent),
    }
}

prop_compose! {
    fn any_status()(
        amounts in proptest::array::uniform2(0_i64..i64::MAX), warn_below in proptest::option::of(0_i64..i64::MAX),
        quota in proptest::option::of(("[-0-9TZé]{1,30}", any::<[u64; 2]>())), limits in any::<[u32; 3]>(),
    ) -> PayerStatus {
        let [available, size] = amounts.map(Credits::from_micros);
        let to_quota = |(resets_at, [window_s, resets_in_s]): (String, [u64; 2])| Quota { size, window_s, resets_at, resets_in_s };
        let warn_below = warn_below.map(Credits::from_micros);
        PayerStatus { available, quota: quota.map(to_quota), limits: self::limits(limits), warn_below }
    }
}

prop_compose! {
    fn any_lease()(
        n in proptest::array::uniform16(0_i64..i64::MAX), subleases in proptest::array::uniform2(0_i64..i64::MAX), epoch in any::<u32>(), [queued, stopped] in any::<[bool; 2]>(),
        names in ("[a-z]{0,9}", "[a-zé]{0,9}", proptest::option::of("[a-z]{1,9}")), products in (any_products(), any_names()), throttle in proptest::option::of(any::<[u32; 6]>()), ended in proptest::option::of(1_u32..9), status in proptest::option::of(any_status()),
        carried in proptest::option::of((proptest::array::uniform3(0_i64..i64::MAX), any::<u64>(), any::<bool>(), any::<u32>())),
    ) -> Lease {
        let c = |at: usize| Credits::from_micros(n[at]);
        let m = |at: usize| Moment::from_nanos(n[at].unsigned_abs());
        Lease {
            facts: Facts { key: names.0, account: names.1, plan: names.2, products: products.0, key_products: products.1 }, queued, stopped, epoch, granted: c(0), spent: c(1),
            returned: c(2), held: c(3), subleased: Credits::from_micros(subleases[0]), subleases_due: Moment::from_nanos(subleases[1].unsigned_abs()), deadline: m(4), ended: ended.map(|epoch| Ended { epoch, spent: c(5) }),
            on_credit: OnCredit { spent: c(6), held: c(7), booked: c(8) }, low: c(9), cushion: c(10),
            refill_at: m(11), marked: (m(12), c(13)),
            throttle: throttle.map(|[milli_per_s, burst, concurrent, under_way, came, demand]| Throttle {
                limits: limits([milli_per_s, burst, concurrent]), busy_until: m(14), under_way, came, demand,
            }),
            carried: carried.map(|(amounts, alive_until, booked, closed)| {
                let [carried, kept, released] = amounts.map(Credits::from_micros);
                Carried { holds: Holds { carried, kept, released }, booked, alive_until: Moment::from_nanos(alive_until), closed }
            }),
            status: status.map(|status| CachedStatus::encode(m(15), &status)).unwrap_or_default(),
        }
    }
}

/// A lease whose epoch ended while a request held this much.
fn carrying(held: i64) -> Lease {
    let mut lease = open(10);
    assert!(paid(&mut lease, at(1), held));
    lease.report(at(1_000), None, false);
    lease
}

#[test]
fn a_hold_can_be_lowered_after_its_epoch_and_only_once() {
    let mut lease = carrying(8);
    let lowered = |lease: &Lease| (lease.holds().kept, lease.holds().released, lease.holds().open());
    lease.settle(FundingSource::Lease(1), credits(3), credits(4));
    assert_eq!(lowered(&lease), (credits(3), credits(4), credits(1)));
    lease.settle(FundingSource::Lease(1), Credits::ZERO, credits(4));
    assert_eq!(lowered(&lease), (credits(3), credits(5), Credits::ZERO), "no more than was held");
    lease.settle(FundingSource::Lease(1), credits(2), credits(2));
    assert_eq!(lowered(&lease), (credits(3), credits(5), Credits::ZERO));
    assert_eq!((lease.spent, lease.held), (Credits::ZERO, Credits::ZERO), "the next epoch is not touched");
}

#[test]
fn holds_are_reported_until_their_requests_end_and_the_ledger_has_booked_that() {
    let mut lease = carrying(8);
    let booked = |lease: &mut Lease, holds: Holds| {
        let answer = EntryAnswer { ended: Some(1), holds, ..EntryAnswer::default() };
        lease.merge(at(1_000), Some(1), &answer);
    };
    let first = lease.report(at(1_000), None, false).holds;
    booked(&mut lease, first);
    assert!(!lease.is_at_rest(), "a request is in flight");
    assert_eq!(lease.report(at(2_000), None, false).holds, first, "the ledger hears that it is");
    lease.settle(FundingSource::Lease(1), credits(3), credits(5));
    booked(&mut lease, first);
    assert!(!lease.is_at_rest(), "a stale answer acknowledges nothing");
    let last = lease.report(at(3_000), None, false).holds;
    booked(&mut lease, last);
    assert!(lease.is_at_rest());
    assert!(lease.report(at(4_000), None, false).holds.is_none());
}

#[test]
fn holds_are_carried_over_as_long_as_earlier_ones_are_open() {
    let mut lease = carrying(8);
    lease.merge(at(1_000), Some(1), &EntryAnswer { ended: Some(1), ..grant(2, 10) });
    assert!(paid(&mut lease, at(1_001), 5));
    let entry = lease.report(at(2_000), None, false);
    assert_eq!(
        (entry.ended.map(|ended| ended.spent), entry.holds.open()),
        (Some(Credits::ZERO), credits(13))
    );
}

#[test]
fn a_request_that_ends_after_its_hold_was_given_up_changes_nothing() {
    let mut lease = open(10);
    assert!(paid(&mut lease, at(1), 3));
    lease.settle_forgotten(at(1));
    assert_eq!(lease.ended, Some(Ended { epoch: 1, spent: credits(3) }));
    lease.merge(at(1), Some(1), &EntryAnswer { ended: Some(1), ..grant(2, 10) });
    assert!(paid(&mut lease, at(2), 5));
    lease.settle(FundingSource::Lease(1), Credits::ZERO, credits(3));
    assert_eq!((lease.held, lease.spent), (credits(5), Credits::ZERO));
    lease.settle(FundingSource::Lease(2), credits(5), Credits::ZERO);
    assert_eq!(lease.spent, credits(5));
}

#[test]
fn a_cost_above_its_hold_comes_from_the_lease_and_the_rest_is_owed() {
    let mut lease = open(10);
    lease.charge_above_hold(at(1), credits(7));
    assert_eq!((lease.spent, lease.on_credit.spent), (credits(7), Credits::ZERO));
    lease.charge_above_hold(at(1), credits(7));
    assert_eq!((lease.spent, lease.on_credit.spent), (credits(10), credits(4)));
}

#[test]
fn a_hold_is_given_up_only_when_no_worker_vouches_for_its_request() {
    let mut lease = carrying(8);
    lease.keep_alive(at(5_000));
    lease.settle_forgotten(at(4_999));
    assert_eq!(lease.holds().open(), credits(8));
    lease.settle_forgotten(at(5_000));
    assert_eq!((lease.holds().open(), lease.holds().kept), (Credits::ZERO, credits(8)));
}

proptest! {
    #[test]
    fn a_lease_record_round_trips(lease in any_lease()) {
        prop_assert_eq!(Lease::decode(&lease.encode()), Some(lease));
    }

    /// A charge writes the head alone. What it doesn't know stays.
    #[test]
    fn a_charge_leaves_names_products_and_payer_status_unchanged(lease in any_lease(), price in 0_i64..i64::MAX) {
        let mut record = lease.encode();
        let mut head = Lease::decode_head(&record).unwrap();
        prop_assert_eq!((&head.facts, head.status.len()), (&Facts::default(), 0));
        head.held = Credits::from_micros(price);
        head.encode_head(&mut record);
        let charged = Lease { held: head.held, ..lease };
        prop_assert_eq!(Lease::decode(&record), Some(charged.clone()));
        let holder = LeaseHolder::of("lease", record);
        prop_assert_eq!(holder.status(), CachedStatus::decode(&charged.status));
        prop_assert_eq!(holder.names().key, charged.facts.key);
    }

    #[test]
    fn a_payer_status_round_trips(status in any_status(), now in any::<u64>()) {
        let now = Moment::from_nanos(now);
        let quota = status.quota.clone().map(|quota| CachedQuota {
            size: quota.size,
            window_s: quota.window_s,
            resets_at: quota.resets_at,
            resets: now.plus_millis(quota.resets_in_s.saturating_mul(1_000)),
        });
        let PayerStatus { available, limits, warn_below, .. } = status.clone();
        let cached = CachedStatus { received_at: now, available, quota, limits, warn_below };
        prop_assert_eq!(CachedStatus::decode(&CachedStatus::encode(now, &status)), Some(cached));
    }

    #[test]
    fn arbitrary_payer_status_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), lease in any_lease()) {
        let mut record = lease.encode();
        record.extend(&bytes);
        let _ = (CachedStatus::decode(&bytes), LeaseHolder::of("lease", record).status(), LeaseHolder::of("lease", bytes).status());
    }

    #[test]
    fn arbitrary_bytes_never_panic_in_decoding_or_admission(bytes in proptest::collection::vec(any::<u8>(), 0..200), lease in any_lease(), now in any::<u64>()) {
        let _ = Lease::decode(&bytes);
        let (mut lease, now) = (lease, Moment::from_nanos(now));
        let _ = lease.admit(now, Credits::MAX);
        let _ = lease.report(now, Some((Credits::MAX, Credits::MAX)), true);
        lease.rest();
    }

    /// Whatever happens in whatever order, a lease never sells more than the ledger granted, and its
    /// counters never shrink within an epoch.
    #[test]
    fn a_lease_never_sells_more_than_was_granted(steps in proptest::collection::vec((0_u8..9, 1_i64..6), 1..60)) {
        let mut lease = open(200);
        let (mut ledger_granted, mut sold, mut open_charges, mut now) = (credits(200), Credits::ZERO, Vec::new(), 1);
        let mut subleases: Vec<Sublease> = Vec::new();
        for (step, amount) in steps {
            let before = (lease.epoch, lease.spent, lease.returned);
            match step {
                0 | 1 => if let Admission::Paid { epoch, .. } = lease.admit(at(now), credits(amount)) {
                    open_charges.push((epoch, credits(amount)));
                    sold = sold.saturating_add(credits(amount));
                },
                2 => if let Some((epoch, price)) = open_charges.pop() { lease.settle(FundingSource::Lease(epoch), price, Credits::ZERO); },
                3 => if let Some((epoch, price)) = open_charges.pop() {
                    if epoch == lease.epoch { sold = sold.less(price); }
                    lease.settle(FundingSource::Lease(epoch), Credits::ZERO, price);
                },
                4 => {
                    // An honest ledger: it acknowledges the final report and raises what it granted.
                    let entry = lease.report(at(now), Some((credits(amount), credits(amount))), false);
                    let level = entry.ask.map_or(Credits::ZERO, |ask| ask.need).max(lease.granted);
                    ledger_granted = ledger_granted.saturating_add(level.less(lease.granted));
                    let mut answer = EntryAnswer { ended: entry.ended.map(|e| e.epoch), ..grant(lease.epoch, 0) };
                    if let Some(granted) = &mut answer.lease { granted.granted = level; }
                    lease.merge(at(now), entry.ended.map(|ended| ended.epoch), &answer);
                    lease.merge(at(now), entry.ended.map(|ended| ended.epoch), &answer);
                }
                5 => lease.rest(),
                6 => subleases.extend(lease.sublease(at(now), credits(amount))),
                7 => if let Some(mut sublease) = subleases.pop() {
                    if sublease.sell(at(now), credits(1)) {
                        open_charges.push((sublease.epoch, credits(1)));
                        sold = sold.saturating_add(credits(1));
                    }
                    lease.return_sublease(&sublease);
                },
                _ => now += 400,
            }
            if lease.epoch == before.0 {
                prop_assert!(lease.spent >= before.1 && lease.returned >= before.2);
            }
            prop_assert!(sold <= ledger_granted, "sold {} of {}", sold, ledger_granted);
        }
    }
}
