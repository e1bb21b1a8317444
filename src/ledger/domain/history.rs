//! Random histories: grants, expiries, messages that are lost, repeated and overtaken, silent
//! gateways that come back late. After every step the books must balance; at the end every credit
//! that a gateway sold must be charged exactly once.

use super::contract::Contract;
use super::entitlement::{Beyond, Remainder, Standing};
use super::entry::Book;
use super::exchange::needs_grants;
use super::period::{Anchor, Rhythm, Unit};
use super::*;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Ask, Ended, Entry, EntryAnswer, LeaseReport, Limits, Payer as Who};
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
struct Bank {
    account: Account,
    grants: BTreeMap<GrantNo, Grant>,
    leases: Vec<Lease>,
    books: BTreeMap<Book, i128>,
    budgets: Vec<Budget>,
    /// Spent late.
    late: i128,
    second: i64,
}

/// A gateway's side of one lease.
#[derive(Clone, Debug, Default)]
struct Gate {
    fence: u32,
    granted: i64,
    spent: i64,
    returned: i64,
    word: Option<Ended>,
    sold_before: i64,
    stopped: bool,
}

fn credits(micros: i64) -> Credits {
    Credits::from_micros(micros)
}

impl Bank {
    fn new(gates: i64) -> Self {
        let account = Account {
            no: AccountNo(1),
            id: AccountId::parse("acme").unwrap(),
            state: AccountState::Active,
            books: Books::default(),
            holders: 0,
            tight: false,
            plan: None,
            contract: None,
            budgets: 0,
            due: None,
        };
        let leases = (1..=gates).map(|n| Lease::never(GatewayNo(n), KeyNo(n), AccountNo(1))).collect();
        let (grants, books, budgets) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { account, grants, leases, books, budgets, late: 0, second: 1_000 }
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
        let of_scope = self.leases.iter().enumerate().filter(|(gate, _)| scope.covers(&key_of(*gate)));
        of_scope.fold(Credits::ZERO, |sum, (_, lease)| sum.saturating_add(lease.escrow()))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.second).unwrap()
    }

    fn payer(&self, gate: usize, with_grants: bool) -> Payer {
        let (key, lease) = (key_of(gate), self.leases[gate].clone());
        let purse =
            if with_grants { self.purse(Some(&lease)) } else { Purse::new(self.account.clone(), Vec::new()) };
        let budgets = self.budgets.iter().filter(|budget| budget.scope.covers(&key)).cloned().collect();
        Payer { purse: purse.with_budgets(budgets), key, lease, demand: 0 }
    }

    fn purse(&self, lease: Option<&Lease>) -> Purse {
        let drawn = |no| lease.is_some_and(|lease| lease.draws.iter().any(|draw| draw.grant == no));
        let live = self.grants.values().filter(|grant| grant.remaining.is_positive() || drawn(grant.no));
        Purse::new(self.account.clone(), live.cloned().collect())
    }

    fn keep(&mut self, purse: &Purse) {
        self.account = purse.account.clone();
        for grant in purse.changed_grants() {
            self.grants.insert(grant.no, grant.clone());
        }
        for budget in purse.budgets() {
            let known = self.budgets.iter_mut().find(|known| known.scope == budget.scope);
            *known.unwrap() = budget.clone();
        }
        for posting in purse.postings() {
            let amount = i128::from(posting.amount.micros());
            assert!(amount > 0);
            if matches!(posting.kind, Kind::LateSpend | Kind::LateSpendOwed) {
                self.late += amount;
            }
            *self.books.entry(posting.kind.from()).or_default() -= amount;
            *self.books.entry(posting.kind.to()).or_default() += amount;
        }
        self.check();
    }

    fn grant(&mut self, amount: i64, priority: u16, lasts: Option<i64>) {
        let no = GrantNo(i64::try_from(self.grants.len()).unwrap() + 1);
        let expires_at = lasts.map(|lasts| Timestamp::from_second(self.second + lasts).unwrap());
        let mut purse = self.purse(None);
        purse
            .issue(Grant { no, priority, expires_at, remaining: credits(amount), of_plan: priority == 0 })
            .unwrap();
        self.keep(&purse);
    }

    fn exchange(&mut self, gate: usize, entry: &Entry) -> EntryAnswer {
        let needed = needs_grants(&self.account, &self.leases[gate], entry);
        let (payer, verdict) = self.payer(gate, needed).exchange(entry, self.now(), TTL_MS);
        assert_eq!(verdict.unbooked, None);
        for budget in payer.purse.budgets() {
            let drew = payer.purse.postings().iter().any(|one| one.kind == Kind::Draw);
            let used = budget.spent.saturating_add(budget.held);
            assert!(!drew || used <= budget.credits, "drawn beyond {budget:?}");
        }
        if self.account.contract.is_some() {
            let drawn = payer.purse.postings().iter().filter(|one| one.kind == Kind::Draw);
            let of_plan = |no| self.grants[&no].of_plan;
            assert!(drawn.map(|one| one.grant).all(of_plan), "drawn from what was bought");
        }
        self.leases[gate] = payer.lease;
        self.keep(&payer.purse);
        verdict.answer
    }

    fn reclaim(&mut self, gate: usize) {
        if self.leases[gate].state != LeaseState::Open {
            return;
        }
        let mut payer = self.payer(gate, true);
        payer.reclaim(self.now()).unwrap();
        self.leases[gate] = payer.lease;
        self.keep(&payer.purse);
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
        assert_eq!(Book::ALL.iter().map(|book| of(*book)).sum::<i128>(), 0);
        let remaining: i128 = self.grants.values().map(|grant| says(grant.remaining)).sum();
        assert_eq!(remaining, says(books.available), "available is what remains in the grants");
        assert!(books.owed.is_zero() || books.available.is_zero(), "debts are paid first");
    }

    fn check_budgets(&self) {
        for budget in &self.budgets {
            assert_eq!(budget.held, self.held(budget.scope), "{budget:?}");
            assert!(budget.spent <= self.account.books.spent);
        }
    }

    fn check_leases(&self) {
        let held: i64 = self.leases.iter().map(|lease| lease.escrow().micros()).sum();
        assert_eq!(held, self.account.books.held.micros());
        let holders = self.leases.iter().filter(|lease| lease.has_money()).count();
        assert_eq!(self.account.holders, i64::try_from(holders).unwrap());
    }
}

impl Gate {
    fn message(&self, ask: Option<Ask>) -> Entry {
        Entry {
            payer: Who::Id("key_1".into()),
            ended: self.word,
            lease: Some(LeaseReport {
                fence: self.fence,
                spent: credits(self.spent),
                returned: credits(self.returned),
                held: Credits::ZERO,
                demand: 0,
            }),
            ask,
            on_credit: Credits::ZERO,
        }
    }

    fn free(&self) -> i64 {
        if self.stopped { 0 } else { self.granted - self.spent - self.returned }
    }

    fn seal(&mut self) {
        let word = Ended { fence: self.fence, spent: credits(self.spent) };
        *self = Self {
            fence: self.fence + 1,
            word: Some(word),
            sold_before: self.sold_before + self.spent,
            ..Self::default()
        };
    }

    /// Only an answer to a message that carried the final word acknowledges it: `ended` may also mean
    /// that the ledger took the fence back without having heard the word.
    fn hear(&mut self, asked: &Entry, answer: &EntryAnswer) {
        if self.word.is_some()
            && self.word == asked.ended
            && answer.ended >= asked.ended.map(|word| word.fence)
        {
            self.word = None;
        }
        if let Some(lease) = answer.lease
            && lease.fence == self.fence
        {
            self.granted = self.granted.max(lease.granted.micros());
        }
        if answer.ended == Some(self.fence) {
            self.seal();
        }
    }

    fn sold(&self) -> i64 {
        self.sold_before + self.spent
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
    /// Time goes on until budgets reset.
    NextPeriod,
}

const GATES: usize = 3;

fn steps(with_reclaims: bool) -> impl Strategy<Value = Vec<Step>> {
    let gate = 0..GATES;
    let reclaims = u32::from(with_reclaims);
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
        6 => (gate.clone(), 0..10_i64, 0..10_i64, 0..30_i64)
            .prop_map(|(gate, least, more, most)| Step::Compose { gate, least, more, most }),
        8 => (any::<usize>(), any::<bool>()).prop_map(|(which, heard)| Step::Deliver { which, heard }),
        1 => gate.clone().prop_map(|gate| Step::End { gate }),
        reclaims => gate.prop_map(|gate| Step::Reclaim { gate }),
    ];
    proptest::collection::vec(step, 1..120)
}

fn live(steps: Vec<Step>) -> (Bank, Vec<Gate>) {
    live_in(Bank::new(3), steps)
}

fn live_in(mut bank: Bank, steps: Vec<Step>) -> (Bank, Vec<Gate>) {
    let mut gates = vec![Gate { fence: 1, ..Gate::default() }; GATES];
    let mut letters: Vec<(usize, Entry)> = Vec::new();
    for step in steps {
        match step {
            Step::Grant { amount, priority, lasts } => bank.grant(amount, priority, lasts),
            Step::NextPeriod => bank.second += 3_600,
            Step::Budget { scope, amount } => bank.set_budget(scope, amount),
            Step::Wait { seconds } => bank.second += seconds,
            Step::Sell { gate, amount } => gates[gate].spent += amount.min(gates[gate].free()),
            Step::HandBack { gate, amount } => gates[gate].returned += amount.min(gates[gate].free()),
            Step::Compose { gate, least, more, most } => {
                let used = gates[gate].spent + gates[gate].returned;
                let (least, need) = (used + least, used + least + more);
                let ask = Ask { least: credits(least), need: credits(need), want: credits(need + most) };
                letters.push((gate, gates[gate].message(Some(ask))));
            }
            Step::Deliver { which, heard } => {
                if let Some((gate, entry)) = letters.get(which % letters.len().max(1)).cloned() {
                    let answer = bank.exchange(gate, &entry);
                    if heard {
                        gates[gate].hear(&entry, &answer);
                    }
                }
            }
            Step::End { gate } => {
                if gates[gate].word.is_none() && gates[gate].granted > 0 {
                    gates[gate].seal();
                }
            }
            Step::Reclaim { gate } => {
                bank.reclaim(gate);
                gates[gate].stopped = true;
            }
        }
        bank.check_leases();
        bank.check_budgets();
        for (gate, lease) in gates.iter().zip(&bank.leases) {
            assert!(gate.fence != lease.fence || gate.granted <= lease.granted.micros());
        }
    }
    (bank, gates)
}

/// Everybody says what there is to say, and hands everything back.
fn settle(bank: &mut Bank, gates: &mut [Gate]) {
    for (n, gate) in gates.iter_mut().enumerate() {
        for _ in 0..3 {
            let report = gate.message(None);
            let answer = bank.exchange(n, &report);
            gate.hear(&report, &answer);
        }
        if gate.word.is_none() {
            gate.seal();
        }
        let word = Entry { lease: None, ..gate.message(None) };
        let answer = bank.exchange(n, &word);
        assert_eq!(answer.ended, word.ended.map(|word| word.fence));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_oversold_and_never_stranded(steps in steps(false)) {
        let (mut bank, mut gates) = live(steps);
        settle(&mut bank, &mut gates);
        let sold: i64 = gates.iter().map(Gate::sold).sum();
        prop_assert_eq!(bank.account.books.spent.micros(), sold, "each sale is charged once");
        prop_assert!(bank.account.books.owed.is_zero(), "no gateway sold what wasn't there");
        prop_assert!(bank.account.books.held.is_zero(), "nothing is stranded");
        prop_assert!(sold <= bank.account.books.granted.micros());
        bank.check_leases();
    }

    #[test]
    fn a_late_report_is_charged_all_the_same(steps in steps(true)) {
        let (mut bank, mut gates) = live(steps);
        settle(&mut bank, &mut gates);
        let sold: i64 = gates.iter().map(Gate::sold).sum();
        prop_assert_eq!(bank.account.books.spent.micros(), sold, "each sale is charged once");
        prop_assert!(bank.account.books.held.is_zero(), "nothing is stranded");
    }

    #[test]
    fn where_the_operator_keeps_the_rest_nothing_is_charged_twice(steps in steps(true)) {
        let mut bank = Bank::new(3);
        bank.account.contract = Some(Contract {
            plan: "pro".into(),
            standing: Standing::Good,
            beyond: Beyond::Refuse,
            renews_at: None,
            quota: credits(0),
            limits: Limits::default(),
            products: None,
            remainder: Remainder::Operator,
            running: None,
            warn_below: None,
        });
        let (mut bank, mut gates) = live_in(bank, steps);
        settle(&mut bank, &mut gates);
        let sold: i64 = gates.iter().map(Gate::sold).sum();
        prop_assert!(bank.account.books.spent.micros() >= sold, "each sale is charged");
        prop_assert_eq!(bank.late, 0, "and none again that was paid by what was taken");
        prop_assert!(bank.account.books.held.is_zero(), "nothing is stranded");
    }

    #[test]
    fn saying_it_again_books_nothing(steps in steps(true)) {
        let (mut bank, gates) = live(steps);
        for (n, gate) in gates.iter().enumerate() {
            let entry = gate.message(None);
            let first = bank.exchange(n, &entry);
            let (account, lease) = (bank.account.clone(), bank.leases[n].clone());
            prop_assert_eq!(bank.exchange(n, &entry), first);
            prop_assert_eq!(&bank.account, &account);
            prop_assert_eq!(&bank.leases[n], &lease);
        }
    }

    #[test]
    fn no_message_breaks_the_books(
        amount in 0..1_000_i64,
        letters in proptest::collection::vec(
            (0..5_u32, 0..50_i64, 0..50_i64, 0..50_i64, proptest::option::of((1..5_u32, 0..50_i64)), 0..90_i64, 0..9_i64),
            0..40,
        ),
    ) {
        let mut bank = Bank::new(1);
        if amount > 0 { bank.grant(amount, 1, None); }
        for (fence, spent, returned, held, ended, want, on_credit) in letters {
            let entry = Entry {
                payer: Who::Id("key_1".into()),
                ended: ended.map(|(fence, spent)| Ended { fence, spent: credits(spent) }),
                lease: (fence > 0).then_some(LeaseReport {
                    fence, spent: credits(spent), returned: credits(returned), held: credits(held), demand: 0,
                }),
                ask: (fence > 0).then_some(Ask { least: credits(want), need: credits(want), want: credits(want) }),
                on_credit: credits(on_credit),
            };
            bank.exchange(0, &entry);
            bank.check_leases();
        }
    }
}
