//! Requests of an account are refused: when that begins, and when it is over.
//!
//! What must hold: it is announced once until it is over, however many gateways report it; and a report of requests that were refused
//! before it was over doesn't begin it again.

use crate::domain::time::at;
use faregate_protocol::RefusalCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// After so long without a refusal it is over (ms): an hour.
pub const QUIET_MS: i64 = 60 * 60 * 1_000;
/// For so long after it was cured reports are of requests from before (ms): gateways report every second.
pub const SETTLE_MS: i64 = 10_000;
/// A further report is written down when the last one is so old (ms).
const NOTED_MS: i64 = 5 * 60 * 1_000;

/// What cures a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// More credits, or another plan or period.
    Funds,
    /// Another plan, or that it is paid.
    Plan,
    /// A larger budget, or its next period.
    Budget,
    /// The account is active.
    State,
}

/// What cures requests that are refused for this reason; nothing where it isn't the account that is short.
pub const fn cure_of(code: RefusalCode) -> Option<Cure> {
    match code {
        RefusalCode::InsufficientFunds | RefusalCode::QuotaExhausted | RefusalCode::SubscriptionExpired => {
            Some(Cure::Funds)
        }
        RefusalCode::PaymentPastDue | RefusalCode::PlanExcludesRoute => Some(Cure::Plan),
        RefusalCode::KeyBudgetExhausted
        | RefusalCode::TeamBudgetExhausted
        | RefusalCode::AccountBudgetExhausted => Some(Cure::Budget),
        RefusalCode::AccountSuspended => Some(Cure::State),
        _ => None,
    }
}

/// What was announced of an account's refused requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalWatch {
    /// Why the first one was refused.
    pub code: RefusalCode,
    /// When it was reported.
    pub since: Timestamp,
    /// When the last report was written down.
    pub last: Timestamp,
    /// When it was over; none as long as it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Timestamp>,
}

/// What a report of refused requests means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// It begins, and is announced.
    Begins(RefusalWatch),
    /// It goes on, which is written down.
    GoesOn(RefusalWatch),
    /// Nothing is to be done.
    Known,
}

/// What it means that requests were refused for this reason.
pub fn reported(known: Option<&RefusalWatch>, code: RefusalCode, now: Timestamp) -> Reported {
    match known {
        Some(watch) if watch.over.is_none() => {
            if age_ms(watch.last, now) >= NOTED_MS {
                Reported::GoesOn(RefusalWatch { last: now, ..watch.clone() })
            } else {
                Reported::Known
            }
        }
        Some(watch) if watch.over.is_some_and(|over| age_ms(over, now) < SETTLE_MS) => Reported::Known,
        _ => Reported::Begins(RefusalWatch { code, since: now, last: now, over: None }),
    }
}

impl RefusalWatch {
    /// Whether this cures it.
    pub fn is_cured_by(&self, cure: Cure) -> bool {
        self.over.is_none() && cure_of(self.code) == Some(cure)
    }

    /// The same when it is over.
    pub fn over(&self, now: Timestamp) -> Self {
        Self { over: Some(now), ..self.clone() }
    }

    /// When to look at it next: whether there were no more, or whether it may be forgotten.
    pub fn due(&self) -> Timestamp {
        let (from, ms) = self.over.map_or((self.last, QUIET_MS), |over| (over, SETTLE_MS));
        at(from.as_millisecond().saturating_add(ms))
    }
}

fn age_ms(of: Timestamp, now: Timestamp) -> i64 {
    now.as_millisecond().saturating_sub(of.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn it_begins_once_and_again_after_it_was_cured() {
        let short = RefusalCode::InsufficientFunds;
        let Reported::Begins(watch) = reported(None, short, second(0)) else { panic!() };
        assert_eq!(reported(Some(&watch), short, second(1)), Reported::Known);
        let Reported::GoesOn(later) = reported(Some(&watch), short, second(300)) else { panic!() };
        assert_eq!((later.since, later.last), (second(0), second(300)));
        assert_eq!(later.due(), second(300 + 3_600));
        assert!(later.is_cured_by(Cure::Funds) && !later.is_cured_by(Cure::Budget));
        let over = later.over(second(400));
        assert!(!over.is_cured_by(Cure::Funds), "it is over");
        assert_eq!(reported(Some(&over), short, second(409)), Reported::Known, "a late report");
        assert!(matches!(reported(Some(&over), short, second(410)), Reported::Begins(_)));
        assert_eq!(over.due(), second(410));
    }

    #[test]
    fn what_the_caller_does_wrong_is_no_news_about_the_account() {
        for code in RefusalCode::ALL {
            let expected = code.status() == 402 || code == RefusalCode::AccountSuspended;
            assert_eq!(cure_of(code).is_some(), expected, "{code}");
        }
    }

    proptest! {
        /// However reports and cures come: between two beginnings there is always an end.
        #[test]
        fn between_two_beginnings_is_an_end(steps in prop::collection::vec((0_i64..400, any::<bool>()), 1..50)) {
            let (mut watch, mut now, mut open) = (None::<RefusalWatch>, 0, false);
            for (wait, cured) in steps {
                now += wait;
                if cured {
                    if let Some(known) = watch.as_ref().filter(|known| known.is_cured_by(Cure::Funds)) {
                        prop_assert!(open);
                        (watch, open) = (Some(known.over(second(now))), false);
                    }
                    continue;
                }
                match reported(watch.as_ref(), RefusalCode::QuotaExhausted, second(now)) {
                    Reported::Begins(fresh) => {
                        prop_assert!(!open);
                        (watch, open) = (Some(fresh), true);
                    }
                    Reported::GoesOn(same) => watch = Some(same),
                    Reported::Known => {}
                }
            }
        }
    }
}
