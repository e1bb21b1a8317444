//! A subscription: an account gets a plan's quota, once per period.
//!
//! What must hold: the periods for which a quota was given never overlap, whatever happens to the clock, the
//! plan, or the ledger; and asking twice what is due does nothing the second time. Both follow from
//! `granted_until`, which only ever grows: a period is due when it is reached.
//!
//! Periods that nobody was there to begin are not given later. Their quota would have lapsed with them, so
//! they count for the rollover alone.

use super::plan::{Terms, Version, Versions};
pub use crate::api::SubscriptionState as State;
use faregate_protocol::Credits;
use jiff::Timestamp;

/// How an account stands with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// What has become of it.
    pub state: State,
    /// When it began, or begins.
    pub starts_at: Timestamp,
    /// Where periods are counted from that don't go by the calendar.
    pub anchor: Timestamp,
    /// When the trial or the grace ends.
    pub until: Option<Timestamp>,
    /// When it is cancelled.
    pub cancels_at: Option<Timestamp>,
    /// The version that the running period goes by.
    pub version: u32,
    /// When the running period began; none before the first.
    pub period_start: Option<Timestamp>,
    /// Up to when quotas were given, and when the next is due.
    pub granted_until: Timestamp,
    /// What was given for the running period.
    pub given: Credits,
}

/// What an operator can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is paid for.
    Activate,
    /// It is not, and ends then.
    PastDue(Timestamp),
    /// No further period begins.
    Pause,
    /// Periods begin again, and a cancellation is taken back.
    Resume,
    /// It ends now, or else with the running period.
    Cancel {
        /// Now.
        at_once: bool,
    },
}

/// Why a [`Turn`] can't be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It has ended.
    #[error("the subscription is over; make a new one with `faregate subscribe`")]
    Over,
    /// It must be resumed first.
    #[error("the subscription is paused; resume it first")]
    Paused,
    /// Only what is active can be paused or be past due.
    #[error("the subscription is not active; activate it first")]
    NotActive,
    /// Neither paused nor cancelled.
    #[error("the subscription is neither paused nor cancelled, so there is nothing to resume")]
    NothingToResume,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Rest,
    /// It is over, and what remains of its quota is taken back.
    End(State),
    /// A period has begun.
    Renew(Renewal),
    /// The running period gets more.
    Raise {
        /// By which version.
        version: u32,
        /// Where further periods are counted from.
        anchor: Timestamp,
        /// What was given for the period before.
        given: Credits,
        /// How much more; may be nothing.
        more: Credits,
    },
}

/// The beginning of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// By which version.
    pub version: u32,
    /// Where its periods are counted from.
    pub anchor: Timestamp,
    /// When it began.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// What is given for it.
    pub quota: Credits,
    /// How many periods before it were never begun.
    pub missed: i64,
    /// The most that is taken over.
    pub most: Credits,
}

impl Renewal {
    /// What is taken over, when so much of the last period's quota, and of what it had taken over itself,
    /// has lapsed.
    pub fn rollover(&self, lapsed: Credits) -> Credits {
        lapsed.saturating_add(self.quota.times(self.missed)).min(self.most)
    }
}

impl Subscription {
    /// A new one. When it has begun in the past, nothing is given for the periods before the present one.
    pub fn new(
        version: &Version,
        starts_at: Timestamp,
        trial_ends_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let begun = starts_at <= now;
        Self {
            state: if trial_ends_at.is_some() { State::Trialing } else { State::Active },
            starts_at,
            anchor: starts_at,
            until: trial_ends_at,
            cancels_at: None,
            version: version.number,
            period_start: None,
            granted_until: if begun { present(&version.terms, starts_at, now) } else { starts_at },
            given: Credits::ZERO,
        }
    }

    /// What is due. After [`Self::apply`] something else may be.
    pub fn due(&self, plan: &Versions, now: Timestamp) -> Step {
        let over = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
        if self.state.is_over() {
            return Step::Rest;
        }
        if over(self.cancels_at) {
            return Step::End(State::Cancelled);
        }
        if over(self.until) {
            return Step::End(State::Expired);
        }
        if self.state == State::Paused || now < self.starts_at {
            return Step::Rest;
        }
        if now >= self.granted_until {
            return Step::Renew(self.renewal(plan, now));
        }
        match &plan.at_once {
            Some(version) if version.number > self.version => {
                let more = version.terms.quota.less(self.given);
                let anchor = self.anchored(&plan.used, version);
                Step::Raise { version: version.number, anchor, given: self.given, more }
            }
            _ => Step::Rest,
        }
    }

    fn renewal(&self, plan: &Versions, now: Timestamp) -> Renewal {
        let Version { number, terms } = &plan.newest;
        let anchor = self.anchored(&plan.used, &plan.newest);
        let period = terms.rhythm.period(anchor, now);
        let expected = terms.rhythm.period(anchor, self.granted_until);
        Renewal {
            version: *number,
            anchor,
            start: period.start.max(self.granted_until),
            end: period.end,
            quota: terms.quota,
            missed: period.number.saturating_sub(expected.number).max(0),
            most: terms.rollover,
        }
    }

    /// Where periods are counted from: other periods begin where the last one of the old ended.
    fn anchored(&self, old: &Version, new: &Version) -> Timestamp {
        if old.terms.rhythm == new.terms.rhythm { self.anchor } else { self.granted_until }
    }

    /// Notes that a step was done.
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Rest => {}
            Step::End(state) => self.state = *state,
            Step::Renew(renewal) => {
                self.version = renewal.version;
                self.anchor = renewal.anchor;
                self.period_start = Some(renewal.start);
                self.granted_until = renewal.end;
                self.given = renewal.quota;
            }
            Step::Raise { version, anchor, more, .. } => {
                self.version = *version;
                self.anchor = *anchor;
                self.given = self.given.saturating_add(*more);
            }
        }
    }

    /// Does what an operator asks. What is due then is found by [`Self::due`].
    pub fn turn(&mut self, turn: Turn, terms: &Terms, now: Timestamp) -> Result<(), Wrong> {
        if self.state.is_over() {
            return Err(Wrong::Over);
        }
        match (turn, self.state) {
            (Turn::Activate | Turn::PastDue(_), State::Paused) => Err(Wrong::Paused),
            (Turn::Activate, _) => {
                self.state = State::Active;
                self.until = None;
                Ok(())
            }
            (Turn::PastDue(until), State::Active | State::PastDue) => {
                self.state = State::PastDue;
                self.until = Some(until);
                Ok(())
            }
            (Turn::Pause, State::Active | State::Paused) => {
                self.state = State::Paused;
                Ok(())
            }
            (Turn::PastDue(_) | Turn::Pause, _) => Err(Wrong::NotActive),
            (Turn::Resume, State::Paused) => {
                self.state = State::Active;
                self.cancels_at = None;
                // What began meanwhile was not missed: it was not wanted.
                self.granted_until = self.granted_until.max(self.paused_until(terms, now));
                Ok(())
            }
            (Turn::Resume, _) => self.cancels_at.take().map(|_| ()).ok_or(Wrong::NothingToResume),
            (Turn::Cancel { at_once }, _) => {
                self.cancels_at = Some(if at_once { now } else { self.granted_until.max(now) });
                Ok(())
            }
        }
    }

    fn paused_until(&self, terms: &Terms, now: Timestamp) -> Timestamp {
        if now < self.granted_until { self.granted_until } else { present(terms, self.anchor, now) }
    }

    /// When something is due the next time, if nothing else happens.
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.state.is_over() {
            return None;
        }
        let renewal = Some(self.granted_until).filter(|_| self.state != State::Paused);
        [renewal, self.until, self.cancels_at].into_iter().flatten().min()
    }

    /// When the next period begins, if there is to be one.
    pub fn renews_at(&self) -> Option<Timestamp> {
        let runs = !self.state.is_over() && self.state != State::Paused;
        let lasts = self.ends_at().is_none_or(|end| end > self.granted_until);
        Some(self.granted_until).filter(|_| runs && lasts)
    }

    /// When it is over, if that is known.
    pub fn ends_at(&self) -> Option<Timestamp> {
        [self.until, self.cancels_at].into_iter().flatten().min()
    }
}

/// When the present period began.
fn present(terms: &Terms, anchor: Timestamp, now: Timestamp) -> Timestamp {
    terms.rhythm.period(anchor, now).start
}
