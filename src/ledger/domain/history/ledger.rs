//! The ledger of a history, without a database, and what must hold in it after every step.

use super::*;

const TTL_MS: u64 = 20_000;

/// Keys 1 and 2 are a team of account 1, key 3 is in none.
pub fn key_of(gate: usize) -> Key {
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
pub struct Ledger {
    pub account: Account,
    pub grants: BTreeMap<GrantNo, Grant>,
    pub leases: Vec<Lease>,
    /// What outlived its epoch, by gate.
    pub holds: Vec<Lease>,
    pub books: BTreeMap<Book, i128>,
    pub budgets: Vec<Budget>,
    /// Spent late.
    pub late: i128,
    pub second: i64,
    /// By grant: how much was given, and how much has expired.
    pub given: BTreeMap<GrantNo, (i64, i64)>,
    /// What corrections took.
    pub corrected: i64,
}

pub fn credits(micros: i64) -> Credits {
    Credits::from_micros(micros)
}

impl Ledger {
    pub fn new(gates: i64) -> Self {
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
    pub fn set_budget(&mut self, scope: Scope, amount: i64) {
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

    pub fn held(&self, scope: Scope) -> Credits {
        let all = self.leases.iter().enumerate().chain(self.holds.iter().enumerate());
        let of_scope = all.filter(|(gate, _)| scope.covers(&key_of(*gate)));
        of_scope.fold(Credits::ZERO, |sum, (_, lease)| sum.saturating_add(lease.escrow()))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.second).unwrap()
    }

    pub fn payer(&self, gate: usize, with_grants: bool) -> Payer {
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

    pub fn funds(&self, leases: &[&Lease]) -> AccountFunds {
        let drawn = |no| leases.iter().any(|lease| lease.draws.iter().any(|draw| draw.grant == no));
        let live = self.grants.values().filter(|grant| grant.remaining.is_positive() || drawn(grant.no));
        AccountFunds::new(self.account.clone(), live.cloned().collect())
    }

    pub fn keep(&mut self, funds: &AccountFunds) {
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

    pub fn grant(&mut self, amount: i64, priority: u16, lasts: Option<i64>) {
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
    pub fn void(&mut self, which: usize, amount: i64, owed: bool) {
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
    pub fn adjust_down(&mut self, amount: i64) {
        let mut funds = self.funds(&[]);
        funds.expire(self.now()).unwrap();
        assert_eq!(funds.adjust_down(credits(amount)).unwrap().total(), credits(amount));
        self.corrected += amount;
        self.keep(&funds);
    }

    pub fn exchange(&mut self, gate: usize, entry: &Entry) -> EntryAnswer {
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
    pub fn reclaim(&mut self, gate: usize) {
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

    pub fn check(&self) {
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

    pub fn check_budgets(&self) {
        for budget in &self.budgets {
            assert_eq!(budget.held, self.held(budget.scope), "{budget:?}");
            assert!(budget.spent <= self.account.books.spent);
        }
    }

    pub fn check_leases(&self) {
        let leases = || self.leases.iter().chain(&self.holds);
        let held: i64 = leases().map(|lease| lease.escrow().micros()).sum();
        assert_eq!(held, self.account.books.held.micros());
        let holders = leases().filter(|lease| lease.has_credits()).count();
        assert_eq!(self.account.holders, i64::try_from(holders).unwrap());
    }
}
