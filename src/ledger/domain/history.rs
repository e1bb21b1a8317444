//! Random histories: grants, expiries, messages that are lost, repeated and overtaken, silent
//! gateways that come back late. After every step the books must balance; at the end every credit
//! that a gateway sold must be charged exactly once.

use super::entitlement::Entitlement;
use super::entry::Book;
use super::exchange::needs_grants;
use super::funds::Whereabouts;
use super::period::{Anchor, Rhythm, Unit};
use super::policy::{OveragePolicy, Remainder, SubscriptionStatus};
use super::*;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Ask, Ended, Entry, EntryAnswer, Holds, LeaseReport, Limits, Payer as Who};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

const TTL_MS: u64 = 20_000;

/// Keys 1 and 2 are a team of account 1, key 3 is in none.
fn key_of(gate: usize) -> Key {
    let no = i64::try_from(gate).unwrap() + 1;
    let team = (gate < 2).then_some(TeamNo(1));
    Key {
        no: KeyNo(no),
        id: KeyId::stored(format!("key_{no}")),
        revoked: false,
        expires_at: None,
        team,
        products: None,
    }
}

/// The ledger, without a database.
struct Ledger {
    account: Account,
    grants: BTreeMap<GrantNo, Grant>,
    leases: Vec<Lease>,
    /// What outlived its epoch, by gate.
    holds: Vec<Lease>,
    books: BTreeMap<Book, i128>,
    budgets: Vec<Budget>,
    /// Spent late.
    late: i128,
    second: i64,
    /// By grant: how much was given, and how much has expired.
    given: BTreeMap<GrantNo, (i64, i64)>,
    /// What corrections took.
    corrected: i64,
}

/// A gateway's side of one lease.
#[derive(Clone, Debug, Default)]
struct Gate {
    epoch: u32,
    granted: i64,
    spent: i64,
    returned: i64,
    /// Set aside for requests in flight.
    held: i64,
    holds: Holds,
    final_report: Option<Ended>,
    sold_before: i64,
    stopped: bool,
}

fn credits(micros: i64) -> Credits {
    Credits::from_micros(micros)
}

impl Ledger {
    fn new(gates: i64) -> Self {
        let account = Account {
            no: AccountNo(1),
            id: AccountId::parse("acme").unwrap(),
            state: AccountState::Active,
            books: Books::default(),
            holders: 0,
            tight: false,
            plan: None,
            entitlement: None,
            budgets: 0,
            due: None,
            voiding: Credits::ZERO,
        };
        let leases = (1..=gates).map(|n| Lease::never(GatewayNo(n), KeyNo(n), AccountNo(1))).collect();
        let holds =
            (1..=gates).map(|n| Lease::no_holds(GatewayNo(n + gates), KeyNo(n), AccountNo(1))).collect();
        let (grants, books, budgets) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let (given, corrected) = (BTreeMap::new(), 0);
        Self { account, grants, leases, holds, books, budgets, late: 0, second: 1_000, given, corrected }
    }

    /// A budget, or another amount for it.
    fn set_budget(&mut self, scope: Scope, amount: i64) {
        let rhythm =
            Rhythm { unit: Unit::Hour, every: 1, anchor: Anchor::Calendar, zone: jiff::tz::TimeZone::UTC };
        let now = self.now();
        let held = self.held(scope);
        if let Some(budget) = self.budgets.iter_mut().find(|budget| budget.scope == scope) {
            budget.change(credits(amount), rhythm, now);
        } else {
            self.budgets.push(Budget::fresh(scope, credits(amount), rhythm, held, now));
        }
    }

    fn held(&self, scope: Scope) -> Credits {
        let all = self.leases.iter().enumerate().chain(self.holds.iter().enumerate());
        let of_scope = all.filter(|(gate, _)| scope.covers(&key_of(*gate)));
        of_scope.fold(Credits::ZERO, |sum, (_, lease)| sum.saturating_add(lease.escrow()))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.second).unwrap()
    }

    fn payer(&self, gate: usize, with_grants: bool) -> Payer {
        let (key, lease) = (key_of(gate), self.leases[gate].clone());
        let holds = self.holds[gate].clone();
        let funds = if with_grants {
            self.funds(&[&lease, &holds])
        } else {
            AccountFunds::new(self.account.clone(), Vec::new())
        };
        let budgets = self.budgets.iter().filter(|budget| budget.scope.covers(&key)).cloned().collect();
        Payer { funds: funds.with_budgets(budgets), key, lease, holds: Some(holds), demand: 0 }
    }

    fn funds(&self, leases: &[&Lease]) -> AccountFunds {
        let drawn = |no| leases.iter().any(|lease| lease.draws.iter().any(|draw| draw.grant == no));
        let live = self.grants.values().filter(|grant| grant.remaining.is_positive() || drawn(grant.no));
        AccountFunds::new(self.account.clone(), live.cloned().collect())
    }

    fn keep(&mut self, funds: &AccountFunds) {
        self.account = funds.account.clone();
        for grant in funds.changed_grants() {
            self.grants.insert(grant.no, grant.clone());
        }
        for budget in funds.budgets() {
            let known = self.budgets.iter_mut().find(|known| known.scope == budget.scope);
            *known.unwrap() = budget.clone();
        }
        for posting in funds.postings() {
            let amount = i128::from(posting.amount.micros());
            assert!(amount > 0);
            if matches!(posting.kind, Kind::LateSpend | Kind::LateSpendOwed) {
                self.late += amount;
            }
            if matches!(posting.kind, Kind::Expire | Kind::Breakage) {
                self.given.get_mut(&posting.grant).unwrap().1 += posting.amount.micros();
            }
            *self.books.entry(posting.kind.from()).or_default() -= amount;
            *self.books.entry(posting.kind.to()).or_default() += amount;
        }
        self.check();
    }

    fn grant(&mut self, amount: i64, priority: u16, lasts: Option<i64>) {
        let no = GrantNo(i64::try_from(self.grants.len()).unwrap() + 1);
        let expires_at = lasts.map(|lasts| Timestamp::from_second(self.second + lasts).unwrap());
        let mut funds = self.funds(&[]);
        self.given.insert(no, (amount, 0));
        let (remaining, of_plan) = (credits(amount), priority == 0);
        let grant = Grant { no, priority, expires_at, remaining, of_plan, ..Grant::default() };
        funds.issue(Kind::Grant, grant).unwrap();
        self.keep(&funds);
    }

    /// Takes back up to an amount of a grant.
    fn void(&mut self, which: usize, amount: i64, owed: bool) {
        let Some(no) = self.grants.keys().nth(which % self.grants.len().max(1)).copied() else { return };
        let mut funds = self.funds(&[]);
        funds.expire(self.now()).unwrap();
        self.keep(&funds);
        let draws = self.leases.iter().chain(&self.holds).flat_map(|lease| &lease.draws);
        let draws = draws.filter(|draw| draw.grant == no);
        let leased = draws.fold(Credits::ZERO, |sum, draw| sum.saturating_add(draw.left));
        let (given, lapsed) = self.given[&no];
        let of = Whereabouts { amount: credits(given), leased, lapsed: credits(lapsed) };
        let live = self.grants.values().filter(|grant| grant.remaining.is_positive() || grant.no == no);
        let mut funds = AccountFunds::new(self.account.clone(), live.cloned().collect());
        let most = funds.voidable(&self.grants[&no], of, owed);
        assert!(most.total() <= of.amount, "{most:?} of {of:?}");
        let taken = most.up_to(credits(amount));
        funds.void(no, taken, owed).unwrap();
        self.corrected += taken.total().micros();
        self.keep(&funds);
    }

    /// Takes an amount from the balance; what isn't there is owed.
    fn adjust_down(&mut self, amount: i64) {
        let mut funds = self.funds(&[]);
        funds.expire(self.now()).unwrap();
        assert_eq!(funds.adjust_down(credits(amount)).unwrap().total(), credits(amount));
        self.corrected += amount;
        self.keep(&funds);
    }

    fn exchange(&mut self, gate: usize, entry: &Entry) -> EntryAnswer {
        let needed = needs_grants(&self.account, &self.leases[gate], entry);
        let (payer, verdict) = self.payer(gate, needed).exchange(entry, self.now(), TTL_MS);
        assert_eq!(verdict.unbooked, None);
        for budget in payer.funds.budgets() {
            let drew = payer.funds.postings().iter().any(|one| one.kind == Kind::Draw);
            let used = budget.spent.saturating_add(budget.held);
            assert!(!drew || used <= budget.credits, "drawn beyond {budget:?}");
        }
        if self.account.entitlement.is_some() {
            let drawn = payer.funds.postings().iter().filter(|one| one.kind == Kind::Draw);
            let of_plan = |no| self.grants[&no].of_plan;
            assert!(drawn.map(|one| one.grant).all(of_plan), "drawn from what was bought");
        }
        self.leases[gate] = payer.lease;
        self.holds[gate] = payer.holds.unwrap();
        self.keep(&payer.funds);
        verdict.answer
    }

    /// The gateway is silent: its lease is taken back, and so are its holds.
    fn reclaim(&mut self, gate: usize) {
        for of_holds in [false, true] {
            let lease = if of_holds { &self.holds[gate] } else { &self.leases[gate] };
            if lease.state != LeaseState::Open {
                continue;
            }
            let mut payer = Payer { lease: lease.clone(), holds: None, ..self.payer(gate, true) };
            payer.reclaim(self.now()).unwrap();
            let lease = if of_holds { &mut self.holds[gate] } else { &mut self.leases[gate] };
            *lease = payer.lease;
            self.keep(&payer.funds);
        }
    }

    fn check(&self) {
        let books = self.account.books;
        assert!(books.agree(), "{books:?}");
        let of = |book| self.books.get(&book).copied().unwrap_or(0);
        let says = |amount: Credits| i128::from(amount.micros());
        assert_eq!(of(Book::Issued), -says(books.granted));
        assert_eq!(of(Book::Available), says(books.available));
        assert_eq!(of(Book::Held), says(books.held));
        assert_eq!(of(Book::Revenue), says(books.spent));
        assert_eq!(of(Book::Expired), says(books.expired));
        assert_eq!(of(Book::Owed), -says(books.owed));
        assert_eq!(of(Book::Voided), says(books.voided));
        assert_eq!(Book::ALL.iter().map(|book| of(*book)).sum::<i128>(), 0);
        let remaining: i128 = self.grants.values().map(|grant| says(grant.remaining)).sum();
        assert_eq!(remaining, says(books.available), "available is what remains in the grants");
        assert!(books.owed.is_zero() || books.available.is_zero(), "debts are paid first");
        let sum = |of: fn(&Grant) -> Credits| self.grants.values().map(|grant| says(of(grant))).sum::<i128>();
        assert_eq!(sum(|grant| grant.voiding_owed), says(self.account.voiding));
        let waiting = says(self.account.voiding) + sum(|grant| grant.voiding);
        assert_eq!(says(books.voided) + waiting, i128::from(self.corrected), "taken once");
        for grant in self.grants.values() {
            let waits = grant.voiding.is_positive() || grant.voiding_owed.is_positive();
            assert!(!waits || grant.remaining.is_zero(), "{grant:?}");
        }
    }

    fn check_budgets(&self) {
        for budget in &self.budgets {
            assert_eq!(budget.held, self.held(budget.scope), "{budget:?}");
            assert!(budget.spent <= self.account.books.spent);
        }
    }

    fn check_leases(&self) {
        let leases = || self.leases.iter().chain(&self.holds);
        let held: i64 = leases().map(|lease| lease.escrow().micros()).sum();
        assert_eq!(held, self.account.books.held.micros());
        let holders = leases().filter(|lease| lease.has_credits()).count();
        assert_eq!(self.account.holders, i64::try_from(holders).unwrap());
    }
}

impl Gate {
    fn message(&self, ask: Option<Ask>) -> Entry {
        Entry {
            payer: Who::Id("key_1".into()),
            ended: self.final_report,
            lease: Some(LeaseReport {
                epoch: self.epoch,
                spent: credits(self.spent),
                returned: credits(self.returned),
                held: Credits::ZERO,
                demand: 0,
            }),
            ask,
            on_credit: Credits::ZERO,
            holds: self.holds,
        }
    }

    fn free(&self) -> i64 {
        if self.stopped { 0 } else { self.granted - self.spent - self.returned - self.held }
    }

    fn seal(&mut self) {
        let final_report = Ended { epoch: self.epoch, spent: credits(self.spent) };
        self.holds.carried = self.holds.carried.saturating_add(credits(self.held));
        *self = Self {
            holds: self.holds,
            epoch: self.epoch + 1,
            final_report: Some(final_report),
            sold_before: self.sold_before + self.spent,
            ..Self::default()
        };
    }

    /// Only an answer to a message that carried the final report acknowledges it: `ended` may also mean
    /// that the ledger took the epoch back without having heard the report.
    fn hear(&mut self, asked: &Entry, answer: &EntryAnswer) {
        if self.final_report.is_some()
            && self.final_report == asked.ended
            && answer.ended >= asked.ended.map(|final_report| final_report.epoch)
        {
            self.final_report = None;
        }
        if let Some(lease) = answer.lease
            && lease.epoch == self.epoch
        {
            self.granted = self.granted.max(lease.granted.micros());
        }
        if answer.ended == Some(self.epoch) {
            self.seal();
        }
    }

    /// A request ends: of what it held, so much is kept, and the rest released.
    fn settle(&mut self, held: i64, kept: i64) {
        let now = held.min(self.held);
        self.held -= now;
        self.spent += kept.min(now);
        let late = (held - now).min(self.holds.open().micros());
        let kept = kept.min(late);
        self.holds.kept = self.holds.kept.saturating_add(credits(kept));
        self.holds.released = self.holds.released.saturating_add(credits(late - kept));
    }

    fn sold(&self) -> i64 {
        self.sold_before + self.spent + self.holds.kept.micros()
    }
}

#[derive(Clone, Debug)]
enum Step {
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

const GATES: usize = 3;

fn steps(with_reclaims: bool) -> impl Strategy<Value = Vec<Step>> {
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
fn with_corrections(with_reclaims: bool) -> impl Strategy<Value = Vec<Step>> {
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

fn live(steps: Vec<Step>) -> (Ledger, Vec<Gate>) {
    live_in(Ledger::new(3), steps)
}

fn live_in(mut ledger: Ledger, steps: Vec<Step>) -> (Ledger, Vec<Gate>) {
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
fn settle(ledger: &mut Ledger, gates: &mut [Gate]) {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn credits_are_never_oversold_or_stranded(steps in steps(false)) {
        let (mut ledger, mut gates) = live(steps);
        settle(&mut ledger, &mut gates);
        let sold: i64 = gates.iter().map(Gate::sold).sum();
        prop_assert_eq!(ledger.account.books.spent.micros(), sold, "each sale is charged once");
        prop_assert!(ledger.account.books.owed.is_zero(), "no gateway sold what wasn't there");
        prop_assert!(ledger.account.books.held.is_zero(), "nothing is stranded");
        prop_assert!(sold <= ledger.account.books.granted.micros());
        ledger.check_leases();
    }

    #[test]
    fn a_correction_takes_exactly_its_amount(steps in with_corrections(true)) {
        let (mut ledger, mut gates) = live(steps);
        settle(&mut ledger, &mut gates);
        let sold: i64 = gates.iter().map(Gate::sold).sum();
        prop_assert_eq!(ledger.account.books.spent.micros(), sold, "each sale is charged once");
        prop_assert!(ledger.account.books.held.is_zero(), "nothing is stranded");
        prop_assert!(ledger.account.voiding.is_zero(), "what leases had is taken back, or owed");
        ledger.check_leases();
    }

    #[test]
    fn credits_in_leases_that_are_voided_are_never_oversold(steps in with_corrections(false)) {
        let (mut ledger, mut gates) = live(steps);
        settle(&mut ledger, &mut gates);
        let books = ledger.account.books;
        prop_assert!(gates.iter().map(Gate::sold).sum::<i64>() <= books.granted.micros());
        prop_assert_eq!(ledger.late, 0, "no gateway sold what wasn't set aside");
    }

    #[test]
    fn a_late_report_is_still_charged(steps in steps(true)) {
        let (mut ledger, mut gates) = live(steps);
        settle(&mut ledger, &mut gates);
        let sold: i64 = gates.iter().map(Gate::sold).sum();
        prop_assert_eq!(ledger.account.books.spent.micros(), sold, "each sale is charged once");
        prop_assert!(ledger.account.books.held.is_zero(), "nothing is stranded");
    }

    #[test]
    fn a_remainder_kept_by_the_operator_is_not_charged_twice(steps in steps(true)) {
        let mut ledger = Ledger::new(3);
        ledger.account.entitlement = Some(Entitlement {
            plan: "pro".into(),
            status: SubscriptionStatus::Good,
            overage: OveragePolicy::Refuse,
            renews_at: None,
            quota: credits(0),
            limits: Limits::default(),
            products: None,
            remainder: Remainder::Operator,
            running: None,
            warn_below: None,
            alert_below: None,
        });
        let (mut ledger, mut gates) = live_in(ledger, steps);
        settle(&mut ledger, &mut gates);
        let sold: i64 = gates.iter().map(Gate::sold).sum();
        prop_assert!(ledger.account.books.spent.micros() >= sold, "each sale is charged");
        prop_assert_eq!(ledger.late, 0, "and none again that was paid by what was taken");
        prop_assert!(ledger.account.books.held.is_zero(), "nothing is stranded");
    }

    #[test]
    fn a_repeated_message_books_nothing(steps in steps(true)) {
        let (mut ledger, gates) = live(steps);
        for (n, gate) in gates.iter().enumerate() {
            let entry = gate.message(None);
            let first = ledger.exchange(n, &entry);
            let (account, lease) = (ledger.account.clone(), (ledger.leases[n].clone(), ledger.holds[n].clone()));
            prop_assert_eq!(ledger.exchange(n, &entry), first);
            prop_assert_eq!(&ledger.account, &account);
            prop_assert_eq!((&ledger.leases[n], &ledger.holds[n]), (&lease.0, &lease.1));
        }
    }

    #[test]
    fn no_message_breaks_the_books(
        amount in 0..1_000_i64,
        letters in proptest::collection::vec(
            (0..5_u32, 0..50_i64, 0..50_i64, 0..50_i64, proptest::option::of((1..5_u32, 0..50_i64)), 0..90_i64, (0..9_i64, 0..50_i64, 0..50_i64, 0..50_i64)),
            0..40,
        ),
    ) {
        let mut ledger = Ledger::new(1);
        if amount > 0 { ledger.grant(amount, 1, None); }
        for (epoch, spent, returned, held, ended, want, (on_credit, carried, kept, released)) in letters {
            let entry = Entry {
                payer: Who::Id("key_1".into()),
                ended: ended.map(|(epoch, spent)| Ended { epoch, spent: credits(spent) }),
                lease: (epoch > 0).then_some(LeaseReport {
                    epoch, spent: credits(spent), returned: credits(returned), held: credits(held), demand: 0,
                }),
                ask: (epoch > 0).then_some(Ask { least: credits(want), need: credits(want), want: credits(want) }),
                on_credit: credits(on_credit),
                holds: Holds { carried: credits(carried), kept: credits(kept), released: credits(released) },
            };
            ledger.exchange(0, &entry);
            ledger.check_leases();
        }
    }
}
