//! Random histories of one subscription: time goes on, clocks step, plans change, operators pause, resume,
//! cancel. A simple model goes along: it knows which moments were paid for, and what may have been given.
//! No moment is paid for twice, no quota is given that no version says, and the books always balance.

use super::period::{self, Anchor, Rhythm, Unit};
use super::plan::{PRIORITY, Terms, Version, Versions};
use super::subscription::{State, Step, Subscription, Turn};
use super::*;
use faregate_protocol::Credits;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    /// Time goes on, or the clock steps back, by so many minutes; then the ledger looks.
    Pass(i64),
    /// As much is spent, as far as it goes.
    Spend(i64),
    Change(Terms, bool),
    Turn(Turn),
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
    );
    parts.prop_map(|(quota, unit, every, calendar, zone, rollover)| Terms {
        quota: Credits::from_micros(quota),
        rhythm: Rhythm {
            unit,
            every,
            anchor: if calendar { Anchor::Calendar } else { Anchor::Start },
            zone: period::zone(zone).unwrap(),
        },
        rollover: Credits::from_micros(rollover),
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_i64..60 * 24 * 50).prop_map(Event::Pass),
        4 => (0_i64..200).prop_map(Event::Pass),
        1 => (-60 * 24 * 40_i64..0).prop_map(Event::Pass),
        4 => (0_i64..60).prop_map(Event::Spend),
        2 => (terms(), any::<bool>()).prop_map(|(terms, at_once)| Event::Change(terms, at_once)),
        1 => Just(Event::Turn(Turn::Pause)),
        1 => Just(Event::Turn(Turn::Resume)),
        1 => Just(Event::Turn(Turn::Activate)),
        1 => (1_i64..60 * 24 * 20).prop_map(Event::Grace),
        1 => Just(Event::Turn(Turn::Cancel { at_once: false })),
    ]
}

/// The ledger without a database.
struct Bank {
    now: Timestamp,
    versions: Vec<Version>,
    at_once: Option<Version>,
    subscription: Subscription,
    account: Account,
    grants: Vec<Grant>,
    /// What has lapsed of each grant.
    lapsed: Vec<(GrantNo, Credits)>,
    /// The model: periods for which a quota was given, with the quota and what was taken over.
    paid: Vec<(Timestamp, Timestamp, Credits, Credits)>,
    spent: i64,
}

impl Bank {
    fn new(start: Timestamp, terms: Terms) -> Self {
        let version = Version { number: 1, terms };
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
        };
        Self {
            now: start,
            subscription: Subscription::new(&version, start, None, start),
            versions: vec![version],
            at_once: None,
            account,
            grants: Vec::new(),
            lapsed: Vec::new(),
            paid: Vec::new(),
            spent: 0,
        }
    }

    fn plan(&self) -> Versions {
        let used = self.versions.iter().find(|version| version.number == self.subscription.version);
        Versions {
            used: used.unwrap().clone(),
            at_once: self.at_once.clone(),
            newest: self.versions.last().unwrap().clone(),
        }
    }

    fn money(&mut self, work: impl FnOnce(&mut Purse)) {
        let mut purse = Purse::new(self.account.clone(), self.grants.clone());
        purse.expire(self.now).unwrap();
        work(&mut purse);
        for posting in purse.postings().iter().filter(|posting| posting.kind == Kind::Expire) {
            self.lapsed.push((posting.grant, posting.amount));
        }
        self.account = purse.account.clone();
        self.grants = purse.grants().to_vec();
        assert!(self.account.books.agree(), "{:?}", self.account.books);
        let left = self.grants.iter().fold(Credits::ZERO, |sum, grant| sum.saturating_add(grant.remaining));
        assert_eq!(left, self.account.books.available);
        assert!(self.grants.iter().all(|grant| grant.remaining >= Credits::ZERO));
    }

    fn give(&mut self, amount: Credits, end: Timestamp) {
        if amount.is_positive() {
            let no = GrantNo(i64::try_from(self.grants.len()).unwrap() + 1);
            let grant =
                Grant { no, priority: PRIORITY, expires_at: Some(end), remaining: amount, of_plan: true };
            self.money(|purse| purse.issue(grant).unwrap());
        }
    }

    /// What the store does when it looks.
    fn look(&mut self) {
        for turn in 0.. {
            assert!(turn < 4, "it comes to rest");
            let step = self.subscription.due(&self.plan(), self.now);
            match &step {
                Step::Rest => break,
                Step::End(_) => {
                    let now = self.now;
                    for grant in &mut self.grants {
                        grant.expires_at = grant.expires_at.min(Some(now));
                    }
                    self.money(|_| ());
                }
                Step::Renew(renewal) => {
                    self.money(|_| ());
                    let until = Some(self.subscription.granted_until);
                    let ended = |no: GrantNo| {
                        self.grants.iter().any(|grant| grant.no == no && grant.expires_at == until)
                    };
                    let lapsed = self.lapsed.iter().filter(|(no, _)| ended(*no));
                    let lapsed = lapsed.fold(Credits::ZERO, |sum, (_, part)| sum.saturating_add(*part));
                    let over = renewal.rollover(lapsed);
                    assert!(
                        renewal.start <= self.now && self.now < renewal.end,
                        "{renewal:?} at {}",
                        self.now
                    );
                    self.paid.push((renewal.start, renewal.end, renewal.quota, over));
                    assert!(over <= self.plan().newest.terms.rollover);
                    self.give(over, renewal.end);
                    self.give(renewal.quota, renewal.end);
                }
                Step::Raise { more, .. } => {
                    let end = self.subscription.granted_until;
                    if let Some(last) = self.paid.last_mut() {
                        last.2 = last.2.saturating_add(*more);
                    }
                    self.give(*more, end);
                }
            }
            self.subscription.apply(&step);
        }
        assert_eq!(self.subscription.due(&self.plan(), self.now), Step::Rest, "asking again does nothing");
        assert!(self.subscription.next_due().is_none_or(|due| due > self.now), "nothing is overlooked");
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Pass(minutes) => self.now += SignedDuration::from_mins(minutes),
            Event::Spend(amount) => {
                let mut lease = Lease::never(GatewayNo(1), KeyNo(1), AccountNo(1));
                let mut sold = Credits::ZERO;
                self.money(|purse| {
                    let drawn = purse.draw(&mut lease, Credits::from_micros(amount)).unwrap();
                    sold = purse.spend(&mut lease, drawn).unwrap();
                });
                self.spent += sold.micros();
            }
            Event::Change(terms, at_once) => {
                let number = u32::try_from(self.versions.len()).unwrap() + 1;
                self.versions.push(Version { number, terms });
                if at_once {
                    self.at_once = self.versions.last().cloned();
                }
            }
            Event::Turn(turn) => self.turn(turn),
            Event::Grace(minutes) => self.turn(Turn::PastDue(self.now + SignedDuration::from_mins(minutes))),
        }
        self.look();
    }

    fn turn(&mut self, turn: Turn) {
        let terms = self.versions.last().unwrap().terms.clone();
        let before = self.subscription.clone();
        if self.subscription.turn(turn, &terms, self.now).is_err() {
            assert_eq!(self.subscription, before, "what is refused changes nothing");
        }
    }

    /// What must hold at any moment, by the model.
    fn check(&self) {
        for pair in self.paid.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "paid for twice: {:?} and {:?}", pair[0], pair[1]);
        }
        let given = self.paid.iter().map(|(_, _, quota, over)| quota.micros() + over.micros()).sum::<i64>();
        let books = self.account.books;
        assert_eq!(books.granted.micros(), given);
        assert_eq!(books.spent.micros(), self.spent);
        let most = |quota: Credits| self.versions.iter().any(|version| version.terms.quota >= quota);
        assert!(self.paid.iter().all(|(_, _, quota, _)| most(*quota)), "{:?}", self.paid);
        let runs = matches!(self.subscription.state, State::Active | State::PastDue);
        let latest = self.paid.iter().map(|(_, end, ..)| *end).max();
        assert!(!runs || latest > Some(self.now), "the present is paid for: {:?}", self.subscription);
        assert!(runs || self.subscription.state == State::Paused || books.available.is_zero());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_period_is_given_twice_and_every_credit_is_accounted_for(
        start in 1_262_304_000_i64..1_900_000_000, first in terms(), events in proptest::collection::vec(event(), 1..60),
    ) {
        let mut bank = Bank::new(Timestamp::from_second(start).unwrap(), first);
        bank.look();
        bank.check();
        for event in events {
            bank.happen(event);
            bank.check();
        }
    }
}

#[test]
fn a_year_of_months_from_the_31st_gives_twelve_quotas_however_seldom_anybody_looks() {
    let zone = period::zone("America/New_York").unwrap();
    let rhythm = Rhythm { unit: Unit::Month, every: 1, anchor: Anchor::Start, zone };
    let terms = Terms { quota: Credits::from_micros(10), rhythm, rollover: Credits::ZERO };
    for step in [1_i64, 7, 24 * 5] {
        let mut bank = Bank::new("2027-12-31T12:00:00Z".parse().unwrap(), terms.clone());
        bank.look();
        while bank.now < "2028-12-30T12:00:00Z".parse().unwrap() {
            bank.happen(Event::Pass(60 * step));
        }
        assert_eq!((bank.paid.len(), bank.account.books.granted), (12, Credits::from_micros(120)), "{step}");
        bank.check();
    }
}
