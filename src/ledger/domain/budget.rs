//! A budget: how much an account, a team or a key may use per period of the calendar.
//!
//! It is no money. A draw must fit into the budgets of the key, of its team and of the account, and moves all of
//! them together with the account's money.
//!
//! What must hold: what a budget holds is what the open leases in its scope have in them; it counts as spent
//! only what was really spent; and no draw makes `spent + held` larger than its credits. What was let through on
//! credit or reported late counts as well, so it may be overspent, and so may one that was lowered.

use super::entitlement::seconds;
use super::period::{Period, Rhythm, Unit};
use super::{Key, KeyNo, TeamNo, alert};
use faregate_protocol::Credits;
use jiff::Timestamp;

/// The most teams of one account.
pub const MAX_TEAMS: i64 = 1_000;
/// The most budgets of one account, with those of its teams and keys.
pub const MAX_BUDGETS: i64 = 10_000;

/// Whose budget. The narrowest comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The whole account's.
    Account,
    /// A team's.
    Team(TeamNo),
    /// A key's.
    Key(KeyNo),
}

impl Scope {
    /// Whether a key's requests count.
    pub fn covers(self, key: &Key) -> bool {
        match self {
            Self::Account => true,
            Self::Team(team) => key.team == Some(team),
            Self::Key(no) => key.no == no,
        }
    }

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Team(_) => "team",
            Self::Key(_) => "key",
        }
    }

    /// The row that it is about; zero for the account.
    pub const fn target(self) -> i64 {
        match self {
            Self::Account => 0,
            Self::Team(team) => team.0,
            Self::Key(key) => key.0,
        }
    }

    /// From its name and its row.
    pub fn stored(name: &str, target: i64) -> Self {
        match name {
            "team" => Self::Team(TeamNo(target)),
            "key" => Self::Key(KeyNo(target)),
            _ => Self::Account,
        }
    }
}

/// Which kind of thing a budget is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeName {
    /// An account.
    #[default]
    Account,
    /// A key.
    Key,
    /// A team.
    Team,
}

impl ScopeName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Account, Self::Key, Self::Team];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Key => "key",
            Self::Team => "team",
        }
    }

    /// Which one a scope is.
    pub const fn of(scope: Scope) -> Self {
        match scope {
            Scope::Account => Self::Account,
            Scope::Key(_) => Self::Key,
            Scope::Team(_) => Self::Team,
        }
    }
}

/// A budget, and what is used of it in the period that is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Whose.
    pub scope: Scope,
    /// How much per period; above zero.
    pub credits: Credits,
    /// Its periods; they go by the calendar.
    pub rhythm: Rhythm,
    /// When the period that is counted began.
    pub start: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// Spent in it.
    pub spent: Credits,
    /// In open leases.
    pub held: Credits,
    /// The percentage of it that was last announced as spent in this period.
    pub announced: u8,
}

impl Budget {
    /// One of which nothing is spent, while leases hold `held`.
    pub fn fresh(scope: Scope, credits: Credits, rhythm: Rhythm, held: Credits, now: Timestamp) -> Self {
        let Period { start, end, .. } = rhythm.period(now, now);
        Self { scope, credits, rhythm, start, until: end, spent: Credits::ZERO, held, announced: 0 }
    }

    /// Begins the period of `now`, when the one that is counted is over. What is in leases stays, and counts in
    /// the period in which it is spent. A clock that steps back changes nothing.
    pub fn roll(&mut self, now: Timestamp) {
        if now >= self.until {
            let Period { start, end, .. } = self.rhythm.period(now, now);
            (self.start, self.until, self.spent, self.announced) = (start, end, Credits::ZERO, 0);
        }
    }

    /// What may still be drawn in this period.
    pub fn left(&self) -> Credits {
        self.credits.less(self.spent).less(self.held)
    }

    /// About what may be drawn at a later time.
    pub fn left_at(&self, time: Timestamp) -> Credits {
        if time >= self.until { self.credits } else { self.left() }
    }

    /// Notes how much is spent. Gives the percentage that is to be announced; where that has fallen, it may be again.
    pub fn note_spent(&mut self) -> Option<u8> {
        let level = alert::level(self.spent, self.credits);
        let crossed = level > self.announced;
        self.announced = level;
        crossed.then_some(level)
    }

    /// How long the period is that is counted, in seconds.
    pub fn window_s(&self) -> u64 {
        seconds(self.start, self.until)
    }

    /// A lease took it.
    pub(super) fn draw(&mut self, amount: Credits) {
        self.held = self.held.saturating_add(amount);
    }

    /// It was spent from a lease.
    pub(super) fn spend(&mut self, amount: Credits) {
        self.give_back(amount);
        self.charge(amount);
    }

    /// A lease gave it back, or lost it.
    pub(super) fn give_back(&mut self, amount: Credits) {
        self.held = self.held.less(amount);
    }

    /// It was spent without a lease.
    pub(super) fn charge(&mut self, amount: Credits) {
        self.spent = self.spent.saturating_add(amount);
    }

    /// Says something else from now on. What was spent in the running period stays, unless there are other
    /// periods now.
    pub fn change(&mut self, credits: Credits, rhythm: Rhythm, now: Timestamp) {
        self.roll(now);
        if rhythm == self.rhythm {
            self.credits = credits;
        } else {
            *self = Self::fresh(self.scope, credits, rhythm, self.held, now);
        }
    }

    /// Whether this one, which is part of `larger`, allows more than that in a period that isn't longer.
    pub fn exceeds(&self, larger: &Self) -> bool {
        self.credits > larger.credits && hours(&self.rhythm) <= hours(&larger.rhythm)
    }
}

/// About how long a period is, to compare it with others.
fn hours(rhythm: &Rhythm) -> u32 {
    let unit = match rhythm.unit {
        Unit::Hour => 1,
        Unit::Day => 24,
        Unit::Week => 168,
        Unit::Month => 730,
        Unit::Year => 8_760,
    };
    u32::from(rhythm.every).saturating_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::super::period::{Anchor, zone};
    use super::*;

    fn budget(credits: i64, unit: Unit, now: Timestamp) -> Budget {
        let rhythm =
            Rhythm { unit, every: 1, anchor: Anchor::Calendar, zone: zone("Europe/Berlin").unwrap() };
        Budget::fresh(Scope::Account, Credits::from_micros(credits), rhythm, Credits::ZERO, now)
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_new_period_resets_spending_and_keeps_held_credits() {
        let credits = Credits::from_micros;
        let mut budget = budget(10, Unit::Month, time("2026-11-21T12:00:00Z"));
        assert_eq!(budget.until, time("2026-11-30T23:00:00Z"), "by the clocks of its time zone");
        budget.draw(credits(8));
        budget.spend(credits(5));
        assert_eq!((budget.spent, budget.held, budget.left()), (credits(5), credits(3), credits(2)));
        budget.roll(time("2026-11-30T22:59:59Z"));
        assert_eq!(budget.spent, credits(5));
        budget.roll(time("2026-11-30T23:00:00Z"));
        assert_eq!((budget.spent, budget.held, budget.left()), (credits(0), credits(3), credits(7)));
        budget.spend(credits(3));
        budget.roll(time("2026-11-21T12:00:00Z"));
        assert_eq!((budget.spent, budget.start), (credits(3), time("2026-11-30T23:00:00Z")), "never back");
    }

    #[test]
    fn a_new_amount_keeps_what_was_spent_and_a_new_period_resets_it() {
        let now = time("2026-11-21T12:00:00Z");
        let credits = Credits::from_micros;
        let mut budget = budget(10, Unit::Day, now);
        budget.draw(credits(2));
        budget.charge(credits(9));
        assert_eq!(budget.left(), Credits::ZERO, "never below zero");
        budget.change(credits(20), budget.rhythm.clone(), now);
        assert_eq!((budget.credits, budget.spent, budget.left()), (credits(20), credits(9), credits(9)));
        let rhythm = Rhythm { every: 2, ..budget.rhythm.clone() };
        budget.change(credits(20), rhythm, now);
        assert_eq!((budget.spent, budget.held), (credits(0), credits(2)));
    }

    #[test]
    fn a_percentage_is_announced_once_per_period_and_again_when_it_has_fallen() {
        let now = time("2026-11-21T12:00:00Z");
        let credits = Credits::from_micros;
        let mut budget = budget(10, Unit::Day, now);
        let mut spend = |amount| {
            budget.charge(credits(amount));
            budget.note_spent()
        };
        assert_eq!(
            [4, 1, 1, 0, 3, 1, 9].map(&mut spend),
            [None, Some(50), None, None, Some(80), Some(100), None]
        );
        budget.change(credits(30), budget.rhythm.clone(), now);
        assert_eq!((budget.note_spent(), budget.announced), (None, 50), "19 of 30");
        budget.charge(credits(6));
        assert_eq!(budget.note_spent(), Some(80), "it had fallen below");
        budget.roll(time("2026-11-22T12:00:00Z"));
        budget.charge(credits(25));
        assert_eq!(budget.note_spent(), Some(80), "another period");
    }

    #[test]
    fn a_budget_may_not_exceed_another_of_the_same_or_a_longer_period() {
        let now = time("2026-11-21T12:00:00Z");
        let daily = |credits| budget(credits, Unit::Day, now);
        let monthly = |credits| budget(credits, Unit::Month, now);
        assert!(daily(11).exceeds(&daily(10)) && daily(11).exceeds(&monthly(10)));
        assert!(!daily(10).exceeds(&daily(10)));
        assert!(!monthly(11).exceeds(&daily(10)), "a month has many days");
    }
}
