//! Why a payer is short of credits, and what would cure it.
//!
//! What must hold: the answer is true. The narrowest level that is short gives the code, since nothing above it
//! helps as long as it is; waiting is offered only with what it brings, and bought credits only where
//! they would be spent.

use super::entitlement::{Entitlement, Running};
use super::payer_status::until;
use super::policy::{OveragePolicy, SubscriptionStatus};
use super::{Budget, Grant, Scope};
use faregate_protocol::exchange::{MAX_AMOUNT, Refused, Reset};
use faregate_protocol::{Credits, RefusalCode};
use jiff::Timestamp;

/// A payer that waits for more credits than are available.
#[derive(Clone, Copy, Debug)]
pub struct Shortage<'a> {
    /// What the cheapest of the requests that wait is missing.
    pub least: Credits,
    /// What the account's grants could pay.
    pub money: Credits,
    /// What the account owes: the next quota pays it first.
    pub owed: Credits,
    /// The grants that hold it, because they may expire before the wait ends.
    pub grants: &'a [Grant],
    /// The budgets that limit the payer.
    pub budgets: &'a [Budget],
    /// The account's newest subscription.
    pub entitlement: Option<&'a Entitlement>,
}

impl Shortage<'_> {
    /// What could still be paid.
    pub fn available(&self) -> Credits {
        self.budgets.iter().map(Budget::left).fold(self.money, Credits::min)
    }

    /// Among whose leases credits must be handed back, so that the payer has more: where the least is left.
    pub fn scope(&self) -> Scope {
        let money = (self.money, std::cmp::Reverse(Scope::Account));
        let levels = self.budgets.iter().map(|budget| (budget.left(), std::cmp::Reverse(budget.scope)));
        levels.fold(money, Ord::min).1.0
    }

    /// The refusal for the gateway. A request that is refused for it needs more than is available, and no less than the
    /// cheapest; so a level that covers that much blocks no request, however many wait.
    pub fn refused(&self, now: Timestamp) -> Refused {
        let price = self.least.max(self.available().saturating_add(Credits::from_micros(1)));
        let mut binding: Vec<&Budget> = self.budgets.iter().filter(|budget| budget.left() < price).collect();
        binding.sort_by_key(|budget| std::cmp::Reverse(budget.scope));
        let (code, reset, top_up) = match (binding.first(), self.entitlement) {
            (Some(budget), _) => {
                let reset = Reset {
                    size: budget.credits,
                    window_s: budget.window_s(),
                    ..self.reset(budget.until, now)
                };
                (code(budget.scope), Some(reset), false)
            }
            (None, Some(entitlement)) if entitlement.status == SubscriptionStatus::Over => {
                (RefusalCode::SubscriptionExpired, None, true)
            }
            (None, Some(entitlement)) => {
                let window_s = entitlement.running.as_ref().map_or(0, Running::window_s);
                let reset = |at| Reset { size: entitlement.quota, window_s, ..self.reset(at, now) };
                let reset = entitlement.renews_at.map(reset);
                (RefusalCode::QuotaExhausted, reset, entitlement.overage != OveragePolicy::Refuse)
            }
            (None, None) => (RefusalCode::InsufficientFunds, None, true),
        };
        Refused { code, available: self.available(), reset, top_up, retry_ms: None }
    }

    fn is_drawable(&self, grant: &Grant) -> bool {
        grant.of_plan || !self.entitlement.is_some_and(Entitlement::refuses_overage)
    }

    fn reset(&self, at: Timestamp, now: Timestamp) -> Reset {
        let (text, in_s) = until(at, now);
        let renewed = self.entitlement.filter(|entitlement| entitlement.status == SubscriptionStatus::Good);
        let renewed = renewed.filter(|entitlement| entitlement.renews_at.is_some_and(|renews| renews <= at));
        let lapses = self.grants.iter().filter(|grant| grant.is_expired(at) && self.is_drawable(grant));
        let lapsed = lapses.fold(Credits::ZERO, |sum, grant| sum.saturating_add(grant.remaining));
        let quota = renewed.map_or(Credits::ZERO, |entitlement| entitlement.quota.less(self.owed));
        let money = self.money.less(lapsed).saturating_add(quota);
        let brings = self.budgets.iter().map(|budget| budget.left_at(at)).fold(money, Credits::min);
        // The protocol has no larger amounts.
        Reset { at: text, in_s, brings: brings.min(MAX_AMOUNT), size: Credits::ZERO, window_s: 0 }
    }
}

const fn code(scope: Scope) -> RefusalCode {
    match scope {
        Scope::Account => RefusalCode::AccountBudgetExhausted,
        Scope::Team(_) => RefusalCode::TeamBudgetExhausted,
        Scope::Key(_) => RefusalCode::KeyBudgetExhausted,
    }
}

#[cfg(test)]
mod tests {
    use super::super::period::{Anchor, Rhythm, Unit, zone};
    use super::super::{KeyNo, TeamNo};
    use super::*;
    use faregate_protocol::exchange::Limits;

    fn credits(micros: i64) -> Credits {
        Credits::from_micros(micros)
    }

    fn now() -> Timestamp {
        "2026-11-21T12:00:00.4Z".parse().unwrap()
    }

    fn budget(scope: Scope, unit: Unit, amount: i64, spent: i64) -> Budget {
        let rhythm = Rhythm { unit, every: 1, anchor: Anchor::Calendar, zone: zone("UTC").unwrap() };
        let fresh = Budget::fresh(scope, credits(amount), rhythm, Credits::ZERO, now());
        Budget { spent: credits(spent), ..fresh }
    }

    fn entitlement(status: SubscriptionStatus, overage: OveragePolicy) -> Entitlement {
        Entitlement {
            plan: "pro".into(),
            status,
            overage,
            renews_at: Some("2026-12-01T00:00:00Z".parse().unwrap()),
            quota: credits(100),
            limits: Limits::default(),
            products: None,
            remainder: super::super::policy::Remainder::Customer,
            running: Some(Running {
                quota: credits(90),
                start: "2026-11-01T00:00:00Z".parse().unwrap(),
                end: "2026-12-01T00:00:00Z".parse().unwrap(),
            }),
            warn_below: None,
            alert_below: None,
        }
    }

    fn refusal(money: i64, budgets: &[Budget], entitlement: Option<&Entitlement>) -> (Refused, Scope) {
        let shortage = short(money, budgets, entitlement);
        (shortage.refused(now()), shortage.scope())
    }

    fn short<'a>(money: i64, budgets: &'a [Budget], entitlement: Option<&'a Entitlement>) -> Shortage<'a> {
        let (least, money, owed) = (credits(5), credits(money), Credits::ZERO);
        Shortage { least, money, owed, grants: &[], budgets, entitlement }
    }

    const TEAM: Scope = Scope::Team(TeamNo(1));
    const KEY: Scope = Scope::Key(KeyNo(1));

    #[test]
    fn the_narrowest_exhausted_budget_decides_the_code() {
        let levels = |account, team, key| {
            [
                budget(KEY, Unit::Hour, 10, key),
                budget(TEAM, Unit::Day, 20, team),
                budget(Scope::Account, Unit::Month, 30, account),
            ]
        };
        let code = |account, team, key, money| {
            let (refused, scope) = refusal(money, &levels(account, team, key), None);
            (refused.code.as_str(), refused.available.micros(), scope)
        };
        assert_eq!(code(30, 20, 10, 0), ("key_budget_exhausted", 0, KEY));
        assert_eq!(code(30, 20, 0, 0), ("team_budget_exhausted", 0, TEAM));
        assert_eq!(code(30, 0, 0, 50), ("account_budget_exhausted", 0, Scope::Account));
        assert_eq!(code(0, 0, 0, 4), ("insufficient_funds", 4, Scope::Account));
        assert_eq!(code(0, 0, 6, 3), ("key_budget_exhausted", 3, Scope::Account), "less money than budget");
    }

    #[test]
    fn a_budget_refusal_says_when_it_resets_and_how_much_that_adds() {
        let (refused, _) = refusal(50, &[budget(KEY, Unit::Hour, 10, 10)], None);
        let reset = refused.reset.unwrap();
        assert_eq!(
            (reset.at.as_str(), reset.in_s, reset.brings),
            ("2026-11-21T13:00:00Z", 3_600, credits(10))
        );
        assert_eq!((reset.size, reset.window_s), (credits(10), 3_600));
        assert!(!refused.top_up, "bought credits don't help");
        let both = [budget(KEY, Unit::Hour, 10, 10), budget(TEAM, Unit::Day, 20, 18)];
        assert_eq!(refusal(50, &both, None).0.reset.unwrap().brings, credits(2), "the team's comes later");
        let no_money = refusal(1, &[budget(KEY, Unit::Hour, 10, 10)], None).0;
        assert_eq!(no_money.reset.unwrap().brings, credits(1));
        let renewed = entitlement(SubscriptionStatus::Good, OveragePolicy::Bought);
        let monthly = refusal(1, &[budget(KEY, Unit::Month, 10, 10)], Some(&renewed)).0;
        assert_eq!(monthly.reset.unwrap().brings, credits(10), "with the new quota");
    }

    #[test]
    fn a_shared_refusal_names_the_limit_that_its_requests_hit() {
        let budgets = [budget(KEY, Unit::Hour, 10, 3)];
        let code = |least, money| {
            let crowd = Shortage { least: credits(least), ..short(money, &budgets, None) };
            crowd.refused(now()).code.as_str()
        };
        assert_eq!(code(5, 0), "insufficient_funds", "the key's budget has enough for any of them");
        assert_eq!(code(5, 4), "insufficient_funds");
        assert_eq!(code(8, 0), "key_budget_exhausted");
        assert_eq!(code(1, 9), "key_budget_exhausted", "those who need more than 7");
    }

    #[test]
    fn credits_that_expire_before_the_reset_are_not_promised() {
        let lapsing = Grant {
            no: super::super::GrantNo(1),
            priority: 50,
            expires_at: Some("2026-11-21T12:30:00Z".parse().unwrap()),
            remaining: credits(30),
            of_plan: true,
            ..Grant::default()
        };
        let (budgets, grants) = ([budget(KEY, Unit::Hour, 100, 100)], [lapsing]);
        let brings = |money, entitlement: Option<Entitlement>| {
            let entitlement = entitlement.as_ref();
            let short = Shortage { grants: &grants, owed: credits(3), ..short(money, &budgets, entitlement) };
            short.refused(now()).reset.unwrap().brings
        };
        assert_eq!(brings(50, None), credits(20), "its time is over before the budget's period");
        let renews_at = Some("2026-11-21T12:30:00Z".parse().unwrap());
        let good = entitlement(SubscriptionStatus::Good, OveragePolicy::Bought);
        let renewed = |quota| Entitlement { renews_at, quota: credits(quota), ..good.clone() };
        assert_eq!(
            brings(50, Some(renewed(10))),
            credits(27),
            "a smaller quota follows, and pays a debt first"
        );
        assert_eq!(brings(30, Some(renewed(2))), Credits::ZERO);
    }

    #[test]
    fn a_quota_refusal_says_when_it_renews_and_whether_a_top_up_helps() {
        let good = entitlement(SubscriptionStatus::Good, OveragePolicy::Bought);
        let (refused, _) = refusal(0, &[], Some(&good));
        assert_eq!((refused.code, refused.top_up), (RefusalCode::QuotaExhausted, true));
        let reset = refused.reset.unwrap();
        assert_eq!(
            (reset.at.as_str(), reset.in_s, reset.brings),
            ("2026-12-01T00:00:00Z", 820_800, credits(100))
        );
        assert_eq!((reset.size, reset.window_s), (credits(100), 30 * 86_400), "the next quota");
        let refuse = entitlement(SubscriptionStatus::Good, OveragePolicy::Refuse);
        assert!(!refusal(0, &[], Some(&refuse)).0.top_up);
        let over = entitlement(SubscriptionStatus::Over, OveragePolicy::Refuse);
        let (refused, _) = refusal(0, &[], Some(&over));
        assert_eq!((refused.code, refused.top_up), (RefusalCode::SubscriptionExpired, true));
        assert_eq!(refused.reset, None, "nothing comes by itself");
        let ends = Entitlement { renews_at: None, ..good };
        assert_eq!(refusal(0, &[], Some(&ends)).0.reset, None);
    }
}
