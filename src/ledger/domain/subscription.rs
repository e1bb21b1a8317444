//! A subscription: an account gets a plan's quota, once per period.
//!
//! What must hold: the periods for which a quota was given never overlap, whatever happens to the clock, the
//! plan, or the ledger; and asking twice what is due does nothing the second time. Both follow from
//! `granted_until`: a period is due when it is reached, and it only shrinks when an operator has a period end
//! now for another to begin ([`Step::Restart`]).
//!
//! Periods in which no ledger ran are not given later. Their quota would have lapsed with them, so
//! they count for the rollover alone. How it changes to another plan is in [`super::plan_change`].

use super::PlanNo;
use super::plan::{Terms, Version, Versions};
use super::policy::{OveragePolicy, SubscriptionStatus};
pub use crate::api::SubscriptionState as State;
use faregate_protocol::Credits;
use jiff::Timestamp;

/// An account's subscription to a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// What has become of it.
    pub state: State,
    /// When it began, or begins.
    pub starts_at: Timestamp,
    /// Where periods are counted from that don't go by the calendar.
    pub anchor: Timestamp,
    /// When the trial or the grace ends. One that is past due without it is unpaid: its grace is over.
    pub until: Option<Timestamp>,
    /// When it is cancelled.
    pub cancels_at: Option<Timestamp>,
    /// The plan that the running period goes by.
    pub plan: PlanNo,
    /// Its version.
    pub version: u32,
    /// The plan that it changes to with the next period.
    pub next_plan: Option<PlanNo>,
    /// When the running period began; none before the first.
    pub period_start: Option<Timestamp>,
    /// Up to when quotas were given, and when the next is due.
    pub granted_until: Timestamp,
    /// What it is due for the running period.
    pub given: Credits,
    /// What was given beyond that, could not be taken back yet, and counts against what is given next.
    pub excess: Credits,
}

/// What an operator can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It is paid for.
    Activate,
    /// It is not, and may not be used after that.
    PastDue(Timestamp),
    /// No further period begins.
    Pause,
    /// Resumes periods and reverts a cancellation or a plan change.
    Resume,
    /// It ends now, or else with the running period.
    Cancel {
        /// Now.
        at_once: bool,
    },
}

/// Why a [`Transition`] can't be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransition {
    /// It has ended.
    #[error("the subscription is over; make a new one with `faregate subscribe`")]
    Over,
    /// It must be resumed first.
    #[error("the subscription is paused; resume it first")]
    Paused,
    /// Only what is active can be paused or be past due.
    #[error("the subscription is not active; activate it first")]
    NotActive,
    /// Neither paused nor cancelled, and its plan doesn't change.
    #[error(
        "the subscription is neither paused nor cancelled nor about to change, so there is nothing to resume"
    )]
    NothingToResume,
    /// It must be paid first.
    #[error("a payment is missing and its grace is over; activate the subscription first")]
    Unpaid,
    /// It ends with the running period.
    #[error("the subscription is cancelled; resume it first")]
    Cancelled,
    /// That is the plan which it has.
    #[error("the subscription has that plan already; name another")]
    SamePlan,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Rest,
    /// It has ended, and the remaining quota is removed.
    End(State),
    /// The grace period has ended: nothing may be spent until it is activated.
    Stop,
    /// A period has begun.
    Renew(Renewal),
    /// The running period ends now, and what remains of its quota lapses; another begins.
    Restart(Renewal),
    /// The current period continues with other terms.
    Alter(TermsChange),
    /// The plan that it changes to with the next period, if any.
    Next(Option<PlanNo>),
}

/// Other terms for the running period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermsChange {
    /// By which plan.
    pub plan: PlanNo,
    /// By which version of it.
    pub version: u32,
    /// Where further periods are counted from.
    pub anchor: Timestamp,
    /// What is due for the period then.
    pub given: Credits,
    /// How much more is given; may be nothing.
    pub more: Credits,
    /// How much is to be taken back, as far as it is there.
    pub excess: Credits,
    /// The most that may be overdrawn in the period; nothing where its plan has no such thing.
    pub overdraft: Credits,
}

/// The beginning of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// By which plan.
    pub plan: PlanNo,
    /// By which version of it.
    pub version: u32,
    /// Where its periods are counted from.
    pub anchor: Timestamp,
    /// When it began.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// What is given for it.
    pub quota: Credits,
    /// The most that may be overdrawn in it; nothing where its plan has no such thing.
    pub overdraft: Credits,
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
        (plan, version): (PlanNo, &Version),
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
            plan,
            version: version.number,
            next_plan: None,
            period_start: None,
            granted_until: if begun { present(&version.terms, starts_at, now) } else { starts_at },
            given: Credits::ZERO,
            excess: Credits::ZERO,
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
            return if self.state == State::PastDue { Step::Stop } else { Step::End(State::Expired) };
        }
        if !self.runs() || self.period_start.is_none() && now < self.starts_at {
            return Step::Rest;
        }
        if now >= self.granted_until {
            return Step::Renew(self.renewal(plan, now));
        }
        match &plan.at_once {
            Some(version) if version.number > self.version => {
                let more = version.terms.quota.less(plan.used.terms.quota);
                let anchor = self.anchored(&plan.used, version);
                Step::Alter(TermsChange { anchor, ..self.altered((self.plan, version), more, Credits::ZERO) })
            }
            _ => Step::Rest,
        }
    }

    /// Whether it renews when its time comes.
    fn runs(&self) -> bool {
        !self.state.is_over() && self.state != State::Paused && !self.is_unpaid()
    }

    /// Whether its grace is over.
    pub fn is_unpaid(&self) -> bool {
        self.state == State::PastDue && self.until.is_none()
    }

    /// Whether its plan may be used.
    pub fn status(&self) -> SubscriptionStatus {
        match self.state {
            State::Cancelled | State::Expired => SubscriptionStatus::Over,
            State::PastDue if self.is_unpaid() => SubscriptionStatus::Unpaid,
            _ => SubscriptionStatus::Good,
        }
    }

    fn renewal(&self, plan: &Versions, now: Timestamp) -> Renewal {
        let coming = plan.coming();
        let Version { number, terms } = coming;
        let anchor = self.anchored(&plan.used, coming);
        let period = terms.rhythm.period(anchor, now);
        let expected = terms.rhythm.period(anchor, self.granted_until);
        Renewal {
            plan: self.next_plan.unwrap_or(self.plan),
            version: *number,
            anchor,
            start: period.start.max(self.granted_until),
            end: period.end,
            quota: terms.quota,
            overdraft: overdraft(terms),
            missed: period.number.saturating_sub(expected.number).max(0),
            most: terms.rollover,
        }
    }

    /// Where periods are counted from: other periods begin where the last one of the old ended.
    fn anchored(&self, old: &Version, new: &Version) -> Timestamp {
        if old.terms.rhythm == new.terms.rhythm { self.anchor } else { self.granted_until }
    }

    /// The running period by another version, with so much more or less. Never is more due than one quota.
    pub(super) fn altered(
        &self,
        (plan, version): (PlanNo, &Version),
        more: Credits,
        less: Credits,
    ) -> TermsChange {
        let begun = self.period_start.is_some();
        let more = if begun { more.min(version.terms.quota.less(self.given)) } else { Credits::ZERO };
        let less = less.min(self.given);
        TermsChange {
            plan,
            version: version.number,
            anchor: self.anchor,
            given: self.given.saturating_add(more).less(less),
            more: more.less(self.excess),
            excess: self.excess.less(more).saturating_add(less),
            overdraft: if begun { overdraft(&version.terms) } else { Credits::ZERO },
        }
    }

    /// Notes that a step was done.
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Rest => {}
            Step::End(state) => {
                self.state = *state;
                self.next_plan = None;
                self.excess = Credits::ZERO;
            }
            Step::Stop => self.until = None,
            Step::Renew(renewal) | Step::Restart(renewal) => {
                self.plan = renewal.plan;
                self.version = renewal.version;
                self.next_plan = None;
                self.anchor = renewal.anchor;
                self.period_start = Some(renewal.start);
                self.granted_until = renewal.end;
                self.given = renewal.quota;
                self.excess = Credits::ZERO;
            }
            Step::Alter(alteration) => {
                if self.plan != alteration.plan {
                    self.next_plan = None;
                }
                self.plan = alteration.plan;
                self.version = alteration.version;
                self.anchor = alteration.anchor;
                self.given = alteration.given;
                self.excess = alteration.excess;
            }
            Step::Next(plan) => self.next_plan = *plan,
        }
    }

    /// Does what an operator asks. What is due then is found by [`Self::due`]. `coming` is what the next period
    /// goes by.
    pub fn turn(
        &mut self,
        turn: Transition,
        coming: &Terms,
        now: Timestamp,
    ) -> Result<(), InvalidTransition> {
        if self.state.is_over() {
            return Err(InvalidTransition::Over);
        }
        match (turn, self.state) {
            (Transition::Activate | Transition::PastDue(_), State::Paused) => Err(InvalidTransition::Paused),
            (Transition::Activate, _) => {
                self.go_on(coming, now);
                self.state = State::Active;
                self.until = None;
                Ok(())
            }
            (Transition::PastDue(until), State::Active | State::PastDue) => {
                self.go_on(coming, now);
                self.state = State::PastDue;
                self.until = Some(until);
                Ok(())
            }
            (Transition::Pause, State::Active | State::Paused) => {
                self.state = State::Paused;
                Ok(())
            }
            (Transition::PastDue(_) | Transition::Pause, _) => Err(InvalidTransition::NotActive),
            (Transition::Resume, State::Paused) => {
                self.go_on(coming, now);
                self.state = State::Active;
                self.cancels_at = None;
                Ok(())
            }
            (Transition::Resume, _) if self.cancels_at.is_none() && self.next_plan.is_none() => {
                Err(InvalidTransition::NothingToResume)
            }
            (Transition::Resume, _) => {
                self.cancels_at = None;
                self.next_plan = None;
                Ok(())
            }
            (Transition::Cancel { at_once }, _) => {
                self.cancels_at = Some(if at_once { now } else { self.granted_until.max(now) });
                Ok(())
            }
        }
    }

    /// What began while it didn't run was not missed: it was not wanted, or not paid for.
    fn go_on(&mut self, terms: &Terms, now: Timestamp) {
        if !self.runs() && now >= self.granted_until {
            self.granted_until = self.granted_until.max(present(terms, self.anchor, now));
        }
    }

    /// When something is due the next time, if nothing else happens.
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.state.is_over() {
            return None;
        }
        let renewal = Some(self.granted_until).filter(|_| self.runs());
        [renewal, self.until, self.cancels_at].into_iter().flatten().min()
    }

    /// When the next period begins, if there is to be one.
    pub fn renews_at(&self) -> Option<Timestamp> {
        let end = [self.until, self.cancels_at].into_iter().flatten().min();
        Some(self.granted_until).filter(|next| self.runs() && end.is_none_or(|end| end > *next))
    }

    /// When the grace ends.
    pub fn grace_until(&self) -> Option<Timestamp> {
        self.until.filter(|_| self.state == State::PastDue)
    }

    /// When it is over, if that is known.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let trial = self.until.filter(|_| self.state != State::PastDue);
        [trial, self.cancels_at].into_iter().flatten().min()
    }
}

/// The most that may be overdrawn per period.
pub(super) fn overdraft(terms: &Terms) -> Credits {
    if terms.overage == OveragePolicy::Overdraft { terms.overdraft } else { Credits::ZERO }
}

/// When the present period began.
fn present(terms: &Terms, anchor: Timestamp, now: Timestamp) -> Timestamp {
    terms.rhythm.period(anchor, now).start
}
