//! What every store must do about teams, budgets, and what a contract says beside its quota.

use super::{World, asking, credits, ending, report};
use crate::api::{self, Anchor, Unit};
use crate::command::admin::{Command, Done};
use crate::command::budgets::{NewBudget, Whose};
use crate::command::keys::{Credential, NewKey};
use crate::domain::entitlement::Entitlement;
use crate::domain::period::{Rhythm, zone};
use crate::domain::policy::{OveragePolicy, Remainder, SubscriptionStatus};
use crate::domain::{KeyId, TeamId};
use crate::store::{Page, Refusal, StoreError};
use faregate_protocol::RefusalCode;
use faregate_protocol::exchange::{Entry, Limits, Pricing, Product, Rate, Refused};

impl World {
    pub async fn team(&self, account: &str, team: &str) -> Result<Done, StoreError> {
        let (account, id) = (account.to_owned(), TeamId::parse(team).unwrap());
        self.run(Command::CreateTeam { account, id, name: Some("A team".into()) }).await
    }

    /// A key of a team, limited to a product.
    pub async fn member(&self, account: &str, team: &str, subject: &str) -> Result<String, StoreError> {
        let id = KeyId::stored(format!("key_{subject}"));
        let key = NewKey {
            account: account.into(),
            id: id.clone(),
            credential: Credential::Subject(subject.into()),
            expires_at: None,
            note: None,
            team: Some(team.into()),
            products: Some(vec!["chat".into()]),
        };
        self.run(Command::CreateKey(key)).await.map(|_| id.to_string())
    }

    pub async fn budget(&self, whose: Whose, whole: i64, unit: Unit) -> Result<api::Budget, StoreError> {
        let rhythm = Rhythm { unit, every: 1, anchor: Anchor::Calendar, zone: zone("UTC").unwrap() };
        let asked = NewBudget { account: "acme".into(), whose, credits: credits(whole), rhythm };
        match self.run(Command::SetBudget(asked)).await? {
            Done::Budget(budget) => Ok(budget),
            other => panic!("{other:?}"),
        }
    }

    /// Spent, held and left of the budget of a team or a key, or of the account.
    async fn used(&self, target: Option<&str>) -> [i64; 3] {
        let page = Page { limit: 100, after: None };
        let all = self.store.budgets("acme".into(), page, self.now()).await.unwrap().budgets;
        let budget = all.iter().find(|budget| budget.target.as_deref() == target).unwrap();
        [budget.spent, budget.held, budget.left].map(|amount| amount.micros() / 1_000_000)
    }

    async fn refused(&self, gateway: &str, entry: Entry) -> Refused {
        self.exchange_entry(gateway, entry).await.refused.unwrap()
    }

    fn an_hour_later(&self) -> Self {
        Self { second: self.second + 3_600, store: self.store.clone() }
    }
}

fn key(id: &str) -> Whose {
    Whose::Key(id.into())
}

fn entitlement(status: SubscriptionStatus) -> Entitlement {
    Entitlement {
        plan: "pro".into(),
        status,
        overage: OveragePolicy::Refuse,
        renews_at: Some("2027-02-15T08:00:00Z".parse().unwrap()),
        quota: credits(30),
        limits: Limits::default(),
        products: None,
        remainder: Remainder::Customer,
        running: None,
        warn_below: None,
        alert_below: None,
    }
}

/// The operator keeps what a dead gateway has not reported.
pub fn keeps_the_rest() -> Entitlement {
    Entitlement {
        remainder: Remainder::Operator,
        overage: OveragePolicy::Bought,
        ..entitlement(SubscriptionStatus::Good)
    }
}

pub async fn an_exhausted_key_budget_does_not_affect_other_keys(world: World) {
    let first = world.customer("acme").await;
    let second = world.subject("acme", "second").await;
    world.give("acme", 100, None).await.unwrap();
    world.budget(key(&first), 5, Unit::Hour).await.unwrap();
    world.exchange_entry("gw", asking(report(&second, 1, 0, 0), 10, 10)).await;
    let seen = world.send("gw", Some(0), vec![]).await.seen;
    let answer = world.exchange_entry("gw", asking(report(&first, 1, 0, 0), 1, 10)).await;
    assert_eq!(answer.lease.unwrap().granted, credits(2), "no more than a part of the budget at once");
    world.exchange_entry("gw", asking(report(&first, 1, 2, 0), 5, 5)).await;
    assert_eq!(world.used(Some(&first)).await, [2, 3, 0]);

    let refused = world.refused("gw", asking(report(&first, 1, 5, 0), 6, 6)).await;
    assert_eq!((refused.code, refused.available), (RefusalCode::KeyBudgetExhausted, credits(0)));
    assert_eq!((refused.top_up, refused.retry_ms), (false, None), "neither money nor others help");
    let reset = refused.reset.unwrap();
    assert_eq!((reset.at.as_str(), reset.in_s, reset.brings), ("2027-01-15T09:00:00Z", 3_600, credits(5)));
    assert!(world.send("gw", seen, vec![]).await.changes.is_empty(), "the other key is left in peace");
    let answer = world.exchange_entry("gw", asking(report(&second, 1, 10, 0), 20, 20)).await;
    assert_eq!(answer.lease.unwrap().granted, credits(20));
    world.assert_audit_passes().await;

    let world = world.an_hour_later();
    assert_eq!(world.used(Some(&first)).await, [0, 0, 5]);
    let answer = world.exchange_entry("gw", asking(report(&first, 1, 5, 0), 10, 10)).await;
    assert_eq!((answer.lease.unwrap().granted, answer.refused), (credits(10), None));
    world.exchange_entry("gw", ending(&first, 1, 8)).await;
    assert_eq!(world.used(Some(&first)).await, [3, 0, 2]);
    assert_eq!(world.balance("acme").await, [72, 10, 18, 0, 0]);
    world.assert_audit_passes().await;
}

pub async fn a_team_shares_its_budget_and_only_its_leases_are_recalled(world: World) {
    let outside = world.customer("acme").await;
    world.give("acme", 100, None).await.unwrap();
    world.team("acme", "research").await.unwrap();
    let one = world.member("acme", "research", "one").await.unwrap();
    let two = world.member("acme", "research", "two").await.unwrap();
    world.budget(Whose::Team("research".into()), 10, Unit::Day).await.unwrap();
    world.budget(Whose::Account, 30, Unit::Day).await.unwrap();
    let answer = world.exchange_entry("a", asking(report(&one, 1, 0, 0), 10, 10)).await;
    assert_eq!(answer.facts.unwrap().key_products, Some(vec!["chat".to_owned()]));
    world.exchange_entry("a", asking(report(&outside, 1, 0, 0), 5, 5)).await;
    let seen = world.send("a", Some(0), vec![]).await.seen;

    let starving = world.refused("b", asking(report(&two, 1, 0, 0), 2, 2)).await;
    assert_eq!((starving.code, starving.retry_ms), (RefusalCode::TeamBudgetExhausted, Some(100)));
    let news = world.send("a", seen, vec![]).await.changes;
    assert_eq!(news.iter().map(|change| change.payer.as_str()).collect::<Vec<_>>(), [one.as_str()]);
    world.exchange_entry("a", report(&one, 1, 7, 3)).await;
    assert_eq!(
        world.exchange_entry("b", asking(report(&two, 1, 0, 0), 2, 2)).await.lease.unwrap().granted,
        credits(2)
    );
    assert_eq!(world.used(Some("research")).await, [7, 2, 1]);
    assert_eq!(world.used(None).await, [7, 7, 16]);

    world.exchange_entry("a", asking(report(&outside, 1, 5, 0), 21, 21)).await;
    let refused = world.refused("a", asking(report(&outside, 1, 21, 0), 22, 22)).await;
    assert_eq!(refused.code, RefusalCode::AccountBudgetExhausted);
    assert_eq!(refused.retry_ms, Some(100), "the team's members could hand something back");
    world.exchange_entry("b", ending(&two, 1, 2)).await;
    world.exchange_entry("a", ending(&one, 1, 7)).await;
    assert_eq!(world.used(None).await, [30, 0, 0]);
    world.assert_audit_passes().await;
}

pub async fn late_reports_and_sales_on_credit_count_toward_the_budget(world: World) {
    let payer = world.customer("acme").await;
    world.give("acme", 100, None).await.unwrap();
    world.exchange_entry("gw", asking(report(&payer, 1, 0, 0), 4, 4)).await;
    world.budget(key(&payer), 10, Unit::Day).await.unwrap();
    assert_eq!(world.used(Some(&payer)).await, [0, 4, 6], "what is in leases counts at once");
    world.exchange_entry("gw", report(&payer, 1, 1, 0)).await;
    let mark = world.store.touches().await.unwrap();
    world.store.reclaim(mark, world.now()).await.unwrap();
    assert_eq!(world.used(Some(&payer)).await, [1, 0, 9]);
    world.exchange_entry("gw", report(&payer, 1, 4, 0)).await;
    assert_eq!(world.used(Some(&payer)).await, [4, 0, 6]);
    world.exchange_entry("gw", Entry { lease: None, on_credit: credits(8), ..report(&payer, 0, 0, 0) }).await;
    assert_eq!(world.used(Some(&payer)).await, [12, 0, 0]);
    world.assert_audit_passes().await;
}

pub async fn lowering_a_budget_recalls_unused_credits(world: World) {
    let first = world.customer("acme").await;
    let second = world.subject("acme", "second").await;
    world.give("acme", 100, None).await.unwrap();
    for payer in [&first, &second] {
        world.exchange_entry("gw", asking(report(payer, 1, 0, 0), 10, 10)).await;
    }
    let seen = world.send("gw", Some(0), vec![]).await.seen;
    world.budget(key(&first), 20, Unit::Day).await.unwrap();
    let news = world.send("gw", seen, vec![]).await;
    assert_eq!(
        news.changes.iter().map(|one| (one.payer.as_str(), one.refused)).collect::<Vec<_>>(),
        [(first.as_str(), None)]
    );
    world.exchange_entry("gw", report(&first, 1, 3, 7)).await;
    world.budget(key(&first), 30, Unit::Day).await.unwrap();
    assert!(world.send("gw", news.seen, vec![]).await.changes.is_empty(), "more recalls nothing");
    assert_eq!(
        world.budget(key(&first), 4, Unit::Day).await.unwrap().spent,
        credits(3),
        "what was spent stays"
    );
    let refused = world.refused("gw", asking(report(&first, 1, 3, 7), 12, 12)).await;
    assert_eq!((refused.code, refused.available), (RefusalCode::KeyBudgetExhausted, credits(1)));
    assert_eq!(
        world.budget(key(&first), 4, Unit::Month).await.unwrap().spent,
        credits(0),
        "in another period"
    );
    let gone = Command::ClearBudget { account: "acme".into(), whose: key(&first) };
    world.run(gone.clone()).await.unwrap();
    let again = world.run(gone).await;
    assert!(matches!(again, Err(StoreError::Refused(Refusal::NotFound { .. }))), "{again:?}");
    let answer = world.exchange_entry("gw", asking(report(&first, 1, 3, 7), 50, 50)).await;
    assert_eq!(answer.lease.unwrap().granted, credits(50));
    world.assert_audit_passes().await;
}

pub async fn no_budget_may_exceed_the_one_that_encloses_it(world: World) {
    let payer = world.customer("acme").await;
    world.team("acme", "research").await.unwrap();
    let member = world.member("acme", "research", "one").await.unwrap();
    let research = || Whose::Team("research".into());
    let refused = async |whose: Whose, whole: i64, unit: Unit, says: &str| {
        let refused = world.budget(whose, whole, unit).await;
        let Err(StoreError::Refused(Refusal::Field { field: "credits", why })) = &refused else {
            panic!("{refused:?}")
        };
        assert!(why.contains(says), "{why}");
    };
    world.budget(Whose::Account, 100, Unit::Month).await.unwrap();
    refused(research(), 101, Unit::Month, "the account's budget of 100 per month").await;
    refused(key(&payer), 101, Unit::Day, "the account's budget").await;
    world.budget(key(&payer), 900, Unit::Year).await.unwrap();
    world.budget(research(), 50, Unit::Month).await.unwrap();
    refused(key(&member), 51, Unit::Month, "the budget of team \"research\" of 50 per month").await;
    world.budget(key(&member), 40, Unit::Month).await.unwrap();
    refused(research(), 39, Unit::Month, "the budget of key \"key_one\" of 40 per month").await;
    refused(Whose::Account, 49, Unit::Month, "the budget of team").await;
    world.budget(Whose::Account, 50, Unit::Month).await.unwrap();

    let missing = world.budget(Whose::Team("missing".into()), 1, Unit::Day).await;
    assert!(
        matches!(missing, Err(StoreError::Refused(Refusal::Field { field: "target", .. }))),
        "{missing:?}"
    );
    let stranger = world.member("acme", "missing", "stranger").await;
    assert!(
        matches!(stranger, Err(StoreError::Refused(Refusal::Field { field: "team", .. }))),
        "{stranger:?}"
    );
    let twice = world.team("acme", "research").await;
    assert!(matches!(twice, Err(StoreError::Refused(Refusal::TeamExists { .. }))), "{twice:?}");
    let page = |after| Page { limit: 3, after };
    let budgets = world.store.budgets("acme".into(), page(None), world.now()).await.unwrap();
    let rest = world.store.budgets("acme".into(), page(budgets.next), world.now()).await.unwrap();
    assert_eq!((budgets.budgets.len(), rest.budgets.len(), rest.next), (3, 1, None));
    let teams = world.store.teams("acme".into(), page(None)).await.unwrap();
    assert_eq!((teams.teams[0].id.as_str(), teams.next), ("research", None));
    let keys = world.store.keys("acme".into(), page(None), world.now()).await.unwrap().keys;
    assert_eq!((keys[1].team.as_deref(), keys[0].team.as_deref()), (Some("research"), None));
    world.assert_audit_passes().await;
}

pub async fn a_plan_without_overage_leaves_bought_credits_untouched(world: World) {
    let payer = world.customer("acme").await;
    world.plan("pro", 30, 0).await;
    world.give("acme", 100, None).await.unwrap();
    world.subscribe("acme", "pro", 0).await.unwrap();
    let products = vec![Product { name: "chat".into(), pricing: Pricing::List }];
    let terms = Entitlement { products: Some(products.clone()), ..entitlement(SubscriptionStatus::Good) };
    world.store.set_entitlement("acme", Some(&terms)).await;
    let answer = world.exchange_entry("gw", asking(report(&payer, 1, 0, 0), 30, 30)).await;
    assert_eq!(
        (answer.lease.unwrap().granted, answer.facts.unwrap().products),
        (credits(30), Some(products))
    );
    let refused = world.refused("gw", asking(report(&payer, 1, 30, 0), 31, 31)).await;
    assert_eq!((refused.code, refused.top_up), (RefusalCode::QuotaExhausted, false));
    assert_eq!(refused.available, credits(0), "though 100 were bought");
    let reset = refused.reset.unwrap();
    assert_eq!((reset.at.as_str(), reset.brings), ("2027-02-15T08:00:00Z", credits(30)));

    world.store.set_entitlement("acme", Some(&entitlement(SubscriptionStatus::Over))).await;
    let answer = world.exchange_entry("gw", asking(report(&payer, 1, 30, 0), 130, 130)).await;
    assert_eq!(answer.lease.unwrap().granted, credits(130), "what was bought stays, when the plan is over");
    let refused = world.refused("gw", asking(report(&payer, 1, 130, 0), 131, 131)).await;
    assert_eq!((refused.code, refused.top_up), (RefusalCode::SubscriptionExpired, true));
    world.assert_audit_passes().await;
}

pub async fn gateways_stop_serving_an_unpaid_account(world: World) {
    let payer = world.customer("acme").await;
    world.give("acme", 100, None).await.unwrap();
    world.exchange_entry("gw", asking(report(&payer, 1, 0, 0), 10, 10)).await;
    let seen = world.send("gw", Some(0), vec![]).await.seen;
    world.store.set_entitlement("acme", Some(&entitlement(SubscriptionStatus::Unpaid))).await;
    let news = world.send("gw", seen, vec![]).await;
    assert_eq!(news.changes[0].refused, Some(RefusalCode::PaymentPastDue));
    let restarted = world.send("gw", Some(0), vec![]).await;
    assert_eq!(restarted.changes[0].refused, Some(RefusalCode::PaymentPastDue));
    let refused = world.refused("gw", asking(ending(&payer, 1, 4), 1, 1)).await;
    assert_eq!((refused.code, refused.reset, refused.top_up), (RefusalCode::PaymentPastDue, None, false));
    assert_eq!(world.balance("acme").await, [96, 0, 4, 0, 0], "what is reported still counts");
    world.store.set_entitlement("acme", None).await;
    assert!(world.exchange_entry("gw", asking(report(&payer, 2, 0, 0), 1, 1)).await.lease.is_some());
}

pub async fn limits_are_divided_among_the_holders(world: World) {
    let payer = world.customer("acme").await;
    world.give("acme", 100, None).await.unwrap();
    let limits = Limits { rate: Some(Rate { milli_per_s: 8_000, burst: 16 }), concurrent: Some(8) };
    world
        .store
        .set_entitlement(
            "acme",
            Some(&Entitlement {
                limits,
                overage: OveragePolicy::Bought,
                ..entitlement(SubscriptionStatus::Good)
            }),
        )
        .await;
    let rate = async |gateway: &str, demand: u32| {
        let mut entry = asking(report(&payer, 1, 0, 0), 1, 10);
        entry.lease.as_mut().unwrap().demand = demand;
        let limits = world.exchange_entry(gateway, entry).await.lease.unwrap().limits;
        (limits.rate.unwrap().milli_per_s, limits.rate.unwrap().burst, limits.concurrent.unwrap())
    };
    assert_eq!(rate("a", 0).await, (8_000, 16, 8), "the only one has it all");
    assert_eq!(rate("b", 0).await, (4_000, 8, 4));
    assert_eq!(rate("a", 9).await, (7_000, 14, 7), "most of it goes where the requests come from");
    assert_eq!(rate("b", 0).await, (1_000, 2, 1), "and a newcomer gets going");
    assert_eq!(rate("b", 9).await, (4_000, 8, 4));
    world.exchange_entry("a", ending(&payer, 1, 0)).await;
    assert_eq!(rate("b", 9).await, (8_000, 16, 8));
    let together = world.send("c", None, vec![asking(report(&payer, 1, 0, 0), 1, 10)]).await;
    assert_eq!(together.entries[0].lease.unwrap().limits.concurrent, Some(1));
    world.store.set_entitlement("acme", None).await;
    let answer = world.exchange_entry("b", report(&payer, 1, 0, 0)).await;
    assert!(answer.lease.unwrap().limits.is_none(), "without a plan nothing is limited");
    world.assert_audit_passes().await;
}

pub async fn a_reclaimed_remainder_may_go_to_the_operator_without_a_double_charge(world: World) {
    let payer = world.customer("acme").await;
    world.give("acme", 10, None).await.unwrap();
    world.budget(key(&payer), 50, Unit::Day).await.unwrap();
    world.store.set_entitlement("acme", Some(&keeps_the_rest())).await;
    world.exchange_entry("gw", asking(report(&payer, 1, 0, 0), 8, 8)).await;
    world.exchange_entry("gw", report(&payer, 1, 2, 1)).await;
    let mark = world.store.touches().await.unwrap();
    assert_eq!(world.store.reclaim(mark, world.now()).await.unwrap(), (1, credits(5)));
    assert_eq!(world.balance("acme").await, [3, 0, 7, 0, 0]);
    assert_eq!(world.used(Some(&payer)).await, [7, 0, 43]);
    for _ in 0..2 {
        assert_eq!(world.exchange_entry("gw", report(&payer, 1, 6, 1)).await.ended, Some(1), "it comes back");
        assert_eq!(world.balance("acme").await, [3, 0, 7, 0, 0], "and what it sold is paid already");
    }
    world.exchange_entry("gw", ending(&payer, 1, 8)).await;
    assert_eq!(world.balance("acme").await, [2, 0, 8, 0, 0], "but for what it never had");
    world.assert_audit_passes().await;
}
