//! Random histories of one subscription: time goes on, clocks step, plans change, operators pause, resume,
//! cancel, change to another plan. A simple model goes along: it knows which moments were paid for, and what may have been given.
//! No moment is paid for twice, no quota is given that no version says, and the books always balance.

use super::period::{self, Anchor, Rhythm, Unit};
use super::plan::{OVERDRAFT_PRIORITY, PRIORITY, Terms, Version, Versions};
use super::policy::OveragePolicy;
use super::subscription::{Renewal, State, Step, Subscription, Transition};
use super::*;
use faregate_protocol::Credits;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    /// Time advances, or the clock steps back, by this many minutes; then the ledger runs due steps.
    Pass(i64),
    /// As much is spent, as far as it goes.
    Spend(i64),
    /// A new version of the first plan, or of the second.
    Change(bool, Terms, bool),
    /// To the other plan.
    Switch(Option<bool>),
    Transition(Transition),
    Grace(i64),
}

fn terms() -> impl Strategy<Value = Terms> {
    let zones = vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"];
    let parts = (
        1_i64..50,
        proptest::sample::select(Unit::ALL.to_vec()),
        1_u16..4,
        any::<bool>(),
        proptest::sample::select(zones),
        0_i64..80,
        -30_i64..30,
    );
    parts.prop_map(|(quota, unit, every, calendar, zone, rollover, overdraft)| {
        let anchor = if calendar { Anchor::Calendar } else { Anchor::Start };
        let rhythm = Rhythm { unit, every, anchor, zone: period::zone(zone).unwrap() };
        Terms {
            rollover: Credits::from_micros(rollover),
            overage: if overdraft > 0 { OveragePolicy::Overdraft } else { OveragePolicy::Bought },
            overdraft: Credits::from_micros(overdraft.max(0)),
            ..Terms::plain(Credits::from_micros(quota), rhythm)
        }
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_i64..60 * 24 * 50).prop_map(Event::Pass),
        4 => (0_i64..200).prop_map(Event::Pass),
        1 => (-60 * 24 * 40_i64..0).prop_map(Event::Pass),
        4 => (0_i64..60).prop_map(Event::Spend),
        2 => (any::<bool>(), terms(), any::<bool>()).prop_map(|(which, terms, now)| Event::Change(which, terms, now)),
        3 => proptest::option::of(any::<bool>()).prop_map(Event::Switch),
        1 => Just(Event::Transition(Transition::Pause)),
        1 => Just(Event::Transition(Transition::Resume)),
        1 => Just(Event::Transition(Transition::Activate)),
        1 => (1_i64..60 * 24 * 20).prop_map(Event::Grace),
        1 => Just(Event::Transition(Transition::Cancel { at_once: false })),
    ]
}

/// A plan with all of its versions.
#[derive(Clone)]
struct Plan {
    versions: Vec<Version>,
    at_once: Option<Version>,
}

impl Plan {
    fn newest(&self) -> &Version {
        self.versions.last().unwrap()
    }
}

/// The model: a period for which a quota was given.
#[derive(Debug)]
struct Paid {
    start: Timestamp,
    end: Timestamp,
    quota: Credits,
    over: Credits,
    overdraft: Credits,
    /// What was taken back of the quota.
    cut: Credits,
    /// The largest quota that it went by.
    most: Credits,
}

/// The ledger without a database.
struct ModelLedger {
    now: Timestamp,
    plans: [Plan; 2],
    subscription: Subscription,
    account: Account,
    grants: Vec<Grant>,
    /// How much each was.
    given: Vec<Credits>,
    /// What has lapsed of each grant.
    lapsed: Vec<(GrantNo, Credits)>,
    paid: Vec<Paid>,
    spent: i64,
}

impl ModelLedger {
    fn new(start: Timestamp, terms: [Terms; 2]) -> Self {
        let plans = terms.map(|terms| Plan { versions: vec![Version { number: 1, terms }], at_once: None });
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
        Self {
            now: start,
            subscription: Subscription::new((PlanNo(0), plans[0].newest()), start, None, start),
            plans,
            account,
            grants: Vec::new(),
            given: Vec::new(),
            lapsed: Vec::new(),
            paid: Vec::new(),
            spent: 0,
        }
    }

    fn of(&self, no: PlanNo) -> &Plan {
        &self.plans[usize::try_from(no.0).unwrap()]
    }

    fn plan(&self) -> Versions {
        let plan = self.of(self.subscription.plan);
        let used = plan.versions.iter().find(|version| version.number == self.subscription.version);
        Versions {
            used: used.unwrap().clone(),
            at_once: plan.at_once.clone(),
            newest: plan.newest().clone(),
            next: self.subscription.next_plan.map(|no| self.of(no).newest().clone()),
        }
    }

    fn money(&mut self, work: impl FnOnce(&mut AccountFunds)) {
        let mut funds = AccountFunds::new(self.account.clone(), self.grants.clone());
        funds.expire(self.now).unwrap();
        work(&mut funds);
        for posting in funds.postings().iter().filter(|posting| posting.kind == Kind::Expire) {
            self.lapsed.push((posting.grant, posting.amount));
        }
        self.account = funds.account.clone();
        self.grants = funds.grants().to_vec();
        self.grants.sort_by_key(|grant| grant.no);
        assert!(self.account.books.agree(), "{:?}", self.account.books);
        let left = self.grants.iter().fold(Credits::ZERO, |sum, grant| sum.saturating_add(grant.remaining));
        assert_eq!(left, self.account.books.available);
        assert!(self.grants.iter().all(|grant| grant.remaining >= Credits::ZERO));
    }

    fn give(&mut self, amount: Credits, end: Timestamp, priority: u16) {
        if amount.is_positive() {
            let no = GrantNo(i64::try_from(self.grants.len()).unwrap() + 1);
            let expires_at = Some(end);
            let grant =
                Grant { no, priority, expires_at, remaining: amount, of_plan: true, ..Grant::default() };
            self.given.push(amount);
            self.money(|funds| funds.issue(Kind::Grant, grant).unwrap());
        }
    }

    /// What the store does when it looks.
    fn look(&mut self) {
        for turn in 0.. {
            assert!(turn < 4, "it comes to rest");
            let step = self.subscription.due(&self.plan(), self.now);
            if step == Step::Rest {
                break;
            }
            self.take(&step);
        }
        assert_eq!(self.subscription.due(&self.plan(), self.now), Step::Rest, "asking again does nothing");
        assert!(self.subscription.next_due().is_none_or(|due| due > self.now), "nothing is overlooked");
        self.take_back();
    }

    /// What the store does with one step.
    fn take(&mut self, step: &Step) {
        match step {
            Step::Rest | Step::Stop | Step::Next(_) => {}
            Step::End(_) => self.cut(0),
            Step::Renew(renewal) => {
                self.money(|_| ());
                let until = Some(self.subscription.granted_until);
                let ended = |no: GrantNo| {
                    let found = self.grants.iter().find(|grant| grant.no == no);
                    found.is_some_and(|grant| grant.expires_at == until && grant.priority == PRIORITY)
                };
                let lapsed = self.lapsed.iter().filter(|(no, _)| ended(*no));
                let lapsed = lapsed.fold(Credits::ZERO, |sum, (_, part)| sum.saturating_add(*part));
                let over = renewal.rollover(lapsed);
                assert!(renewal.start <= self.now && self.now < renewal.end, "{renewal:?} at {}", self.now);
                assert!(over <= self.plan().coming().terms.rollover);
                self.begin(renewal, over);
            }
            Step::Restart(renewal) => {
                self.cut(0);
                let last = self.paid.last_mut().unwrap();
                last.end = last.end.min(renewal.start);
                self.begin(renewal, Credits::ZERO);
            }
            Step::Alter(alteration) => {
                let end = self.subscription.granted_until;
                let quota = self.of(alteration.plan).versions[alteration.version as usize - 1].terms.quota;
                if alteration.overdraft.is_zero() {
                    self.cut(OVERDRAFT_PRIORITY);
                }
                let overdrafts = self.grants.iter().zip(&self.given);
                let open =
                    |grant: &Grant| grant.expires_at == Some(end) && grant.priority == OVERDRAFT_PRIORITY;
                let open = overdrafts.filter(|(grant, _)| open(grant)).map(|(_, given)| *given);
                let overage = alteration.overdraft.less(open.fold(Credits::ZERO, Credits::saturating_add));
                if let Some(last) = self.paid.last_mut() {
                    last.quota = last.quota.saturating_add(alteration.more);
                    last.overdraft = last.overdraft.saturating_add(overage);
                    last.most = last.most.max(quota);
                }
                self.give(alteration.more, end, PRIORITY);
                self.give(overage, end, OVERDRAFT_PRIORITY);
            }
        }
        self.subscription.apply(step);
    }

    fn begin(&mut self, renewal: &Renewal, over: Credits) {
        let Renewal { start, end, quota, overdraft, .. } = *renewal;
        self.paid.push(Paid { start, end, quota, over, overdraft, cut: Credits::ZERO, most: quota });
        self.give(over, end, PRIORITY);
        self.give(quota, end, PRIORITY);
        self.give(overdraft, end, OVERDRAFT_PRIORITY);
    }

    /// Has all expire now, from this priority on.
    fn cut(&mut self, from: u16) {
        let now = self.now;
        for grant in self.grants.iter_mut().filter(|grant| grant.priority >= from) {
            grant.expires_at = grant.expires_at.min(Some(now));
        }
        self.money(|_| ());
    }

    fn take_back(&mut self) {
        let (end, excess) = (Some(self.subscription.granted_until), self.subscription.excess);
        let given = self.grants.iter().filter(|grant| grant.expires_at == end && grant.priority == PRIORITY);
        let given: Vec<GrantNo> = given.map(|grant| grant.no).rev().collect();
        let mut funds = AccountFunds::new(self.account.clone(), self.grants.clone());
        let cut = funds.cut(&given, excess).unwrap();
        self.account = funds.account.clone();
        self.grants = funds.grants().to_vec();
        self.grants.sort_by_key(|grant| grant.no);
        self.subscription.excess = excess.less(cut);
        if let Some(last) = self.paid.last_mut() {
            last.cut = last.cut.saturating_add(cut);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Pass(minutes) => self.now += SignedDuration::from_mins(minutes),
            Event::Spend(amount) => {
                let mut lease = Lease::never(GatewayNo(1), KeyNo(1), AccountNo(1));
                let mut sold = Credits::ZERO;
                self.money(|funds| {
                    let drawn = funds.draw(&mut lease, Credits::from_micros(amount)).unwrap();
                    sold = funds.spend(&mut lease, drawn).unwrap();
                });
                self.spent += sold.micros();
            }
            Event::Change(which, terms, at_once) => {
                let plan = &mut self.plans[usize::from(which)];
                let number = u32::try_from(plan.versions.len()).unwrap() + 1;
                // Mostly its periods stay what they are.
                let rhythm =
                    if number % 4 == 0 { terms.rhythm.clone() } else { plan.newest().terms.rhythm.clone() };
                let terms = Terms { rhythm, ..terms };
                plan.versions.push(Version { number, terms });
                if at_once {
                    plan.at_once = plan.versions.last().cloned();
                }
            }
            Event::Switch(at_once) => {
                let other = PlanNo(1 - self.subscription.plan.0);
                let version = self.of(other).newest().clone();
                let step = self.subscription.change(&self.plan().used, (other, &version), at_once, self.now);
                if let Ok(step) = step {
                    self.take(&step);
                }
            }
            Event::Transition(turn) => self.turn(turn),
            Event::Grace(minutes) => {
                self.turn(Transition::PastDue(self.now + SignedDuration::from_mins(minutes)));
            }
        }
        self.look();
    }

    fn turn(&mut self, turn: Transition) {
        let terms = self.plan().coming().terms.clone();
        let before = self.subscription.clone();
        if self.subscription.turn(turn, &terms, self.now).is_err() {
            assert_eq!(self.subscription, before, "what is refused changes nothing");
        }
    }

    /// What must hold at any moment, by the model.
    fn check(&self) {
        for pair in self.paid.windows(2) {
            assert!(pair[0].end <= pair[1].start, "paid for twice: {:?} and {:?}", pair[0], pair[1]);
        }
        let micros = |paid: &Paid| paid.quota.micros() + paid.over.micros() + paid.overdraft.micros();
        let books = self.account.books;
        assert_eq!(books.granted.micros(), self.paid.iter().map(micros).sum::<i64>());
        assert_eq!(books.spent.micros(), self.spent);
        for paid in &self.paid {
            let overage = self.subscription.excess.saturating_add(paid.cut);
            assert!(
                paid.quota.less(overage) <= paid.most,
                "more than a quota: {paid:?} {:?}",
                self.subscription
            );
        }
        let subscription = &self.subscription;
        if let Some(last) = self.paid.last().filter(|_| !subscription.state.is_over()) {
            let due = subscription.given.saturating_add(subscription.excess).saturating_add(last.cut);
            assert_eq!(last.quota, due, "{last:?} {subscription:?}");
        }
        let active = matches!(subscription.state, State::Active | State::PastDue);
        let runs = active && !subscription.is_unpaid();
        let latest = self.paid.iter().map(|paid| paid.end).max();
        assert!(!runs || latest > Some(self.now), "the present is paid for: {subscription:?}");
        assert!(!subscription.state.is_over() || books.available.is_zero());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_period_is_granted_twice_and_every_credit_is_accounted_for(
        start in 1_262_304_000_i64..1_900_000_000, first in terms(), second in terms(), kin in any::<bool>(), events in proptest::collection::vec(event(), 1..60),
    ) {
        let mut second = second;
        if kin {
            second.rhythm = first.rhythm.clone();
        }
        let mut ledger = ModelLedger::new(Timestamp::from_second(start).unwrap(), [first, second]);
        ledger.look();
        ledger.check();
        for event in events {
            ledger.happen(event);
            ledger.check();
        }
    }
}

#[test]
fn a_year_of_months_from_the_31st_grants_twelve_quotas_at_any_interval() {
    let zone = period::zone("America/New_York").unwrap();
    let rhythm = Rhythm { unit: Unit::Month, every: 1, anchor: Anchor::Start, zone };
    let terms = Terms::plain(Credits::from_micros(10), rhythm);
    for step in [1_i64, 7, 24 * 5] {
        let mut ledger =
            ModelLedger::new("2027-12-31T12:00:00Z".parse().unwrap(), [terms.clone(), terms.clone()]);
        ledger.look();
        while ledger.now < "2028-12-30T12:00:00Z".parse().unwrap() {
            ledger.happen(Event::Pass(60 * step));
        }
        assert_eq!(
            (ledger.paid.len(), ledger.account.books.granted),
            (12, Credits::from_micros(120)),
            "{step}"
        );
        ledger.check();
    }
}
