//! What a change of a subscription to another plan comes to.
//!
//! What must hold: for one period never more is due than the largest quota that it went by, and what was given
//! beyond that is taken back or counts against what is given next. So no way to and fro between plans gives
//! anything twice.

use super::plan::Version;
use super::subscription::{InvalidTransition, Renewal, State, Step, Subscription, overdraft};
use super::{PlanNo, proration};
use faregate_protocol::Credits;
use jiff::Timestamp;

impl Subscription {
    /// The step to take for a change from the version that is `used` to the newest of another plan. Unless
    /// somebody says when, more quota per period of the same rhythm comes at once, and all else with the next
    /// period.
    pub fn change(
        &self,
        used: &Version,
        (plan, version): (PlanNo, &Version),
        at_once: Option<bool>,
        now: Timestamp,
    ) -> Result<Step, InvalidTransition> {
        if self.state.is_over() {
            return Err(InvalidTransition::Over);
        }
        if self.cancels_at.is_some() {
            return Err(InvalidTransition::Cancelled);
        }
        if plan == self.plan {
            return self.next_plan.map(|_| Step::Next(None)).ok_or(InvalidTransition::SamePlan);
        }
        let Some(start) = self.period_start else {
            return Ok(Step::Alter(self.altered((plan, version), Credits::ZERO, Credits::ZERO)));
        };
        let same = used.terms.rhythm == version.terms.rhythm;
        let hindrance = match self.state {
            State::Paused => Some(InvalidTransition::Paused),
            _ if self.is_unpaid() => Some(InvalidTransition::Unpaid),
            _ => None,
        };
        let (old, new) = (used.terms.quota, version.terms.quota);
        let upgrade = same && new > old && hindrance.is_none();
        match (at_once.unwrap_or(upgrade), hindrance) {
            (false, _) => Ok(Step::Next(Some(plan))),
            (true, Some(why)) => Err(why),
            (true, None) if same => {
                let part = |amount| proration::rest(amount, (start, self.granted_until), now);
                Ok(Step::Alter(self.altered((plan, version), part(new.less(old)), part(old.less(new)))))
            }
            (true, None) => Ok(Step::Restart(Self::restarted((plan, version), now.max(start)))),
        }
    }

    fn restarted((plan, version): (PlanNo, &Version), start: Timestamp) -> Renewal {
        let terms = &version.terms;
        Renewal {
            plan,
            version: version.number,
            anchor: start,
            start,
            end: terms.rhythm.period(start, start).end,
            quota: terms.quota,
            overdraft: overdraft(terms),
            missed: 0,
            most: Credits::ZERO,
        }
    }
}
