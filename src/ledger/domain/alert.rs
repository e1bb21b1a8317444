//! What is announced of an account's money, and when: a balance that falls below a threshold, and how much of a quota or a budget is
//! used.
//!
//! What must hold: what was announced isn't announced again before it was cured; and whether something may have to be announced is
//! known from the account's own row, so that an exchange of which nothing comes reads nothing for it.

mod refusals;

pub use refusals::{Cure, RefusalWatch, Reported, cure_of, reported};

use super::{Account, Books};
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The percentages of a budget and of a quota that are announced.
pub const LEVELS: [u8; 3] = [50, 80, 100];

/// What was announced about an account, and is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    /// A balance below this is low; as for all accounts, when absent.
    pub below: Option<Credits>,
    /// It was announced as low, and hasn't recovered since.
    pub low: bool,
    /// What was announced of the running period's quota; none before that is looked at for the first time.
    pub quota: Option<QuotaWatch>,
    /// The number of the account's last event.
    pub events: i64,
    /// What was announced of refused requests; none when there were none lately.
    pub refusing: Option<RefusalWatch>,
    /// When to look at that next.
    pub refusing_due: Option<Timestamp>,
}

/// What an account has left: also what is in leases, and less what it owes. Moving credits into leases doesn't change it.
pub fn left(books: &Books) -> Credits {
    books.available.saturating_add(books.held).less(books.owed)
}

/// What the plan of an account says, as long as it is in force.
pub fn by_plan(account: &Account) -> Option<Credits> {
    account.entitlement.as_ref().filter(|entitlement| entitlement.is_in_force())?.alert_below
}

/// What becomes of a balance that is low, or isn't any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceTurn {
    /// It is low now.
    Low,
    /// It isn't any more.
    Recovered,
    /// Nothing is announced of it any more.
    Off,
}

impl Alerts {
    /// Keeps what is known of refused requests.
    pub fn set_refusing(&mut self, watch: Option<RefusalWatch>) {
        self.refusing_due = watch.as_ref().map(RefusalWatch::due);
        self.refusing = watch;
    }

    /// Below which balance an account is low: what it says itself, its plan, or what holds for all.
    pub fn threshold(&self, account: &Account, default: Option<Credits>) -> Option<Credits> {
        self.below.or_else(|| by_plan(account)).or(default)
    }

    /// What is to be announced of a balance. One that has not fallen is not announced as low: an account that was given its first
    /// credits is no news.
    pub fn balance(&self, left: Credits, below: Option<Credits>, fell: bool) -> Option<BalanceTurn> {
        match below.filter(|below| below.is_positive()) {
            Some(below) if left < below => (!self.low && fell).then_some(BalanceTurn::Low),
            Some(_) => self.low.then_some(BalanceTurn::Recovered),
            None => self.low.then_some(BalanceTurn::Off),
        }
    }
}

/// What was announced of the quota of a period, and when to look again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaWatch {
    /// When the period began.
    pub start: Timestamp,
    /// The quota that the plan names for it.
    pub quota: Credits,
    /// The percentage that was last announced.
    pub announced: u8,
    /// Nothing can have to be announced before the account has spent so much in all.
    pub at_spent: Credits,
}

/// What there is to do about an account's quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaStep {
    /// Nothing.
    Rest,
    /// Another period runs: nothing of it is used.
    Begin(QuotaWatch),
    /// How much is used must be looked up.
    Look(QuotaWatch),
    /// No quota runs any more.
    Forget,
}

/// What there is to do about the quota of an account, by what is known of it without its grants.
pub fn quota_step(account: &Account, known: Option<&QuotaWatch>, now: Timestamp) -> QuotaStep {
    let entitlement = account.entitlement.as_ref().filter(|entitlement| entitlement.is_in_force());
    let Some(running) = entitlement.and_then(|entitlement| entitlement.running.as_ref()) else {
        return if known.is_some() { QuotaStep::Forget } else { QuotaStep::Rest };
    };
    // What lapses at the end of a period is not used.
    if running.end <= now {
        return QuotaStep::Rest;
    }
    let (spent, start, quota) = (account.books.spent, running.start, running.quota);
    match known {
        Some(known) if known.start == start && known.quota == quota && spent < known.at_spent => {
            QuotaStep::Rest
        }
        Some(known) if known.start == start => QuotaStep::Look(QuotaWatch { quota, ..known.clone() }),
        _ => {
            let fresh = QuotaWatch { start, quota, announced: 0, at_spent: spent };
            // A debt was paid with it, or it has been running for long.
            if left(&account.books) < quota {
                return QuotaStep::Look(fresh);
            }
            QuotaStep::Begin(QuotaWatch {
                at_spent: next(Credits::ZERO, quota, 0)
                    .map_or(Credits::MAX, |more| spent.saturating_add(more)),
                ..fresh
            })
        }
    }
}

impl QuotaWatch {
    /// Notes how much of a quota is used, when the account has spent so much in all. Gives the percentage that is to be
    /// announced.
    pub fn note(&mut self, used: Credits, total: Credits, spent: Credits) -> Option<u8> {
        let level = level(used, total);
        let crossed = level > self.announced;
        self.announced = level;
        let more = next(used, total, level);
        self.at_spent = more.map_or(Credits::MAX, |more| spent.saturating_add(more));
        crossed.then_some(level)
    }
}

/// The highest of the announced percentages that is reached; 0 where none is.
pub fn level(used: Credits, total: Credits) -> u8 {
    let reached = |percent: &&u8| total.is_positive() && used >= part(total, **percent);
    LEVELS.iter().rfind(reached).copied().unwrap_or(0)
}

/// How much more must be used until the next percentage above this one is reached.
fn next(used: Credits, total: Credits, level: u8) -> Option<Credits> {
    let percent = LEVELS.iter().find(|percent| **percent > level).filter(|_| total.is_positive())?;
    Some(part(total, *percent).less(used))
}

/// So many percent of an amount, rounded up.
fn part(total: Credits, percent: u8) -> Credits {
    let micros = i128::from(total.micros()).saturating_mul(percent.into()).saturating_add(99) / 100;
    Credits::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entitlement::{Entitlement, Running};
    use proptest::prelude::*;

    fn credits(micros: i64) -> Credits {
        Credits::from_micros(micros)
    }

    /// What is announced while a balance takes these values, below which it is low.
    fn announced(balances: &[i64], below: i64) -> Vec<(usize, BalanceTurn)> {
        let mut alerts = Alerts::default();
        let mut said = Vec::new();
        for (n, pair) in balances.windows(2).enumerate() {
            let [before, now] = pair else { continue };
            let turn = alerts.balance(credits(*now), Some(credits(below)), now < before);
            alerts.low = match turn {
                Some(BalanceTurn::Low) => true,
                Some(_) => false,
                None => alerts.low,
            };
            said.extend(turn.map(|turn| (n + 1, turn)));
        }
        said
    }

    #[test]
    fn a_low_balance_is_announced_once_and_again_after_it_recovered() {
        use BalanceTurn::{Low, Recovered};
        let said = announced(&[0, 5, 20, 10, 9, 8, 3, 9, 10, 9, 12], 10);
        assert_eq!(said, [(4, Low), (8, Recovered), (9, Low), (10, Recovered)]);
        assert_eq!(announced(&[0, 5, 4], 10), [(2, Low)], "the first credits are no news, spending them is");
        assert_eq!(announced(&[20, 0], 0), [], "0 switches it off");
        let low = Alerts { low: true, ..Alerts::default() };
        assert_eq!(low.balance(Credits::ZERO, None, false), Some(BalanceTurn::Off));
    }

    #[test]
    fn a_percentage_is_reached_exactly() {
        for (used, total, reached) in [
            (0, 10, 0),
            (4, 10, 0),
            (5, 10, 50),
            (7, 10, 50),
            (8, 10, 80),
            (9, 10, 80),
            (10, 10, 100),
            (20, 10, 100),
        ] {
            assert_eq!(level(credits(used), credits(total)), reached, "{used} of {total}");
        }
        assert_eq!(level(credits(5), Credits::ZERO), 0);
        assert_eq!(level(credits(1), credits(3)), 0);
        assert_eq!(level(Credits::MAX, Credits::MAX), 100);
    }

    fn account(spent: i64, available: i64, quota: i64) -> Account {
        let at = |second| Timestamp::from_second(second).unwrap();
        let running = Running { quota: credits(quota), start: at(100), end: at(200) };
        let entitlement = serde_json::json!({"plan": "pro", "status": "good"});
        let entitlement: Entitlement = serde_json::from_value(entitlement).unwrap();
        let books = Books { spent: credits(spent), available: credits(available), ..Books::default() };
        Account {
            books,
            entitlement: Some(Entitlement { running: Some(running), ..entitlement }),
            ..Account::default()
        }
    }

    proptest! {
        /// Whatever is spent, from the quota or from what was bought: each percentage is announced once, no later than the
        /// exchange that reaches it, and the quota isn't looked up while nothing can be announced.
        #[test]
        fn each_percentage_of_a_quota_is_announced_once(steps in prop::collection::vec((0_i64..30, any::<bool>()), 1..60)) {
            let now = Timestamp::from_second(150).unwrap();
            let (mut used, mut spent, mut watch, mut said) = (0_i64, 7_i64, None, Vec::new());
            for (amount, of_quota) in std::iter::once((0, true)).chain(steps) {
                let amount = if of_quota { amount.min(100 - used) } else { amount };
                used += if of_quota { amount } else { 0 };
                spent += amount;
                match quota_step(&account(spent, 1_000, 100), watch.as_ref(), now) {
                    QuotaStep::Begin(fresh) => watch = Some(fresh),
                    QuotaStep::Look(mut looked) => {
                        said.extend(looked.note(credits(used), credits(100), credits(spent)));
                        watch = Some(looked);
                    }
                    QuotaStep::Rest => {}
                    QuotaStep::Forget => prop_assert!(false, "it runs"),
                }
                let reached = level(credits(used), credits(100));
                prop_assert_eq!(watch.as_ref().map(|watch| watch.announced), Some(reached));
            }
            prop_assert!(said.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", said);
        }
    }

    #[test]
    fn the_quota_of_a_new_period_is_announced_from_the_beginning() {
        let now = Timestamp::from_second(150).unwrap();
        let old = QuotaWatch {
            start: Timestamp::from_second(1).unwrap(),
            quota: credits(100),
            announced: 80,
            at_spent: credits(9),
        };
        let QuotaStep::Begin(fresh) = quota_step(&account(80, 100, 100), Some(&old), now) else { panic!() };
        assert_eq!((fresh.announced, fresh.at_spent), (0, credits(130)));
        let paid = quota_step(&account(80, 60, 100), Some(&old), now);
        assert!(matches!(paid, QuotaStep::Look(_)), "a debt was paid with it: {paid:?}");
        let lapsed = quota_step(&account(80, 0, 100), Some(&old), Timestamp::from_second(200).unwrap());
        assert_eq!(lapsed, QuotaStep::Rest, "what lapses is not used");
    }
}
