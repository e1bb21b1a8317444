//! What customers see of their account, each once: the API and the pages show the same.
//!
//! What must hold: each function reads of the account of [`Who`] and of nothing else.

use super::access::Access;
use super::answers::{
    Me, OwnCall, OwnCalls, OwnFinding, OwnPlan, OwnPrice, OwnPrices, OwnRefusal, OwnRefusals, OwnUsage,
    OwnUsageLine,
};
use super::query::{OfOwnCalls, OfUsage};
use super::state::Portal;
use super::who::Who;
use crate::api::{Alerts, Balance, Budgets, CallRecord, Grant, Grants, Key, Keys, Teams, UsageSum};
use crate::domain::portal::{cures, title, what};
use crate::http::codes::Code;
use crate::http::problem::Failure;
use crate::store::Page;
use faregate_protocol::Credits;
use faregate_protocol::calls::Decision;
use jiff::{SignedDuration, Timestamp};

/// What customers may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Make keys.
    MakeKeys,
    /// Rotate keys.
    RotateKeys,
    /// Revoke keys.
    RevokeKeys,
    /// Set alerts.
    SetAlerts,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::MakeKeys, Self::RotateKeys, Self::RevokeKeys, Self::SetAlerts];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MakeKeys => "make_keys",
            Self::RotateKeys => "rotate_keys",
            Self::RevokeKeys => "revoke_keys",
            Self::SetAlerts => "set_alerts",
        }
    }

    /// Whether the operator lets customers do it.
    pub const fn is_given(self, portal: &Portal) -> bool {
        let settings = &portal.settings;
        match self {
            Self::MakeKeys => settings.keys.make,
            Self::RotateKeys => settings.keys.rotate,
            Self::RevokeKeys => settings.keys.revoke,
            Self::SetAlerts => settings.alerts,
        }
    }

    /// Whether who asks may do it.
    pub fn may(self, portal: &Portal, who: &Who) -> bool {
        who.access == Access::Full && self.is_given(portal)
    }
}

/// Who asks.
pub fn me(portal: &Portal, who: &Who) -> Me {
    let account = who.account();
    let may = Right::ALL.into_iter().filter(|right| right.may(portal, who));
    Me {
        name: who.customer.name.clone(),
        state: who.customer.state,
        access: who.access.as_str().to_owned(),
        may: may.map(|right| right.as_str().to_owned()).collect(),
        top_up_url: portal.settings.top_up(&account),
        upgrade_url: portal.settings.upgrade(&account),
        portal: portal.settings.name.clone(),
        account,
    }
}

/// The balance.
pub async fn balance(portal: &Portal, who: &Who) -> Result<Balance, Failure> {
    Ok(portal.app.store.balance(who.account(), Timestamp::now()).await?)
}

/// Usage, summed up.
pub async fn usage(portal: &Portal, who: &Who, asked: OfUsage) -> Result<OwnUsage, Failure> {
    let sums = portal.app.store.usage_sums(asked.sums(who.account(), Timestamp::now())?).await?;
    Ok(OwnUsage {
        requests: sums.total.requests,
        credits: sums.total.credits,
        lines: sums.lines.into_iter().map(line).collect(),
        next: sums.next,
    })
}

/// The same, with the lines of so many pages behind the first one.
pub async fn much_usage(
    portal: &Portal,
    who: &Who,
    asked: impl Fn(Option<String>) -> OfUsage,
    pages: usize,
) -> Result<OwnUsage, Failure> {
    let mut all = usage(portal, who, asked(None)).await?;
    for _ in 0..pages {
        let Some(next) = all.next.take() else { break };
        let more = usage(portal, who, asked(Some(next))).await?;
        all.lines.extend(more.lines);
        all.next = more.next;
    }
    Ok(all)
}

/// What the operator earns or what it costs isn't for customers, so each member is taken by its name.
fn line(sum: UsageSum) -> OwnUsageLine {
    OwnUsageLine {
        from: sum.from,
        until: sum.until,
        team: sum.team,
        key: sum.key,
        rule: sum.rule,
        product: sum.product,
        item: sum.item,
        requests: sum.requests,
        credits: sum.credits,
    }
}

/// A page of the keys, oldest first.
pub async fn keys(portal: &Portal, who: &Who, page: Page) -> Result<Keys, Failure> {
    Ok(portal.app.store.keys(who.account(), page, Timestamp::now()).await?)
}

/// A key, if it is one of this account.
pub async fn key(portal: &Portal, who: &Who, id: &str) -> Result<Key, Failure> {
    let found = portal.app.store.key(id.to_owned(), Timestamp::now()).await;
    own(found, |key| &key.account, who, "key", id)
}

/// What was found, if it is of this account. What isn't looks like what isn't there.
fn own<T>(
    found: Result<T, crate::store::StoreError>,
    account: impl FnOnce(&T) -> &String,
    who: &Who,
    what: &str,
    id: &str,
) -> Result<T, Failure> {
    let missing = || Failure::new(Code::NotFound, format!("there is no {what} {id:?}"));
    match found.map_err(Failure::from) {
        Ok(found) if *account(&found) == who.customer.id => Ok(found),
        Ok(_) => Err(missing()),
        Err(failure) if failure.code == Code::NotFound => Err(missing()),
        Err(failure) => Err(failure),
    }
}

/// A page of the teams.
pub async fn teams(portal: &Portal, who: &Who, page: Page) -> Result<Teams, Failure> {
    Ok(portal.app.store.teams(who.account(), page).await?)
}

/// A page of the budgets.
pub async fn budgets(portal: &Portal, who: &Who, page: Page) -> Result<Budgets, Failure> {
    Ok(portal.app.store.budgets(who.account(), page, Timestamp::now()).await?)
}

/// The plan; none without a subscription.
pub async fn plan(portal: &Portal, who: &Who) -> Result<Option<OwnPlan>, Failure> {
    let store = &portal.app.store;
    let subscription = match store.subscription(who.account()).await.map_err(Failure::from) {
        Ok(subscription) => subscription,
        Err(failure) if failure.code == Code::NotFound => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let plan = store.plan_version(subscription.plan.clone(), subscription.version).await?;
    Ok(Some(OwnPlan {
        plan: subscription.plan,
        state: subscription.state,
        quota: plan.quota,
        period: plan.period,
        every: plan.every,
        overage: plan.overage,
        overdraft: plan.overdraft,
        rollover: plan.rollover,
        rate_per_second: plan.rate_per_second,
        burst: plan.burst,
        concurrent: plan.concurrent,
        products: plan.products,
        period_started_at: subscription.period_started_at,
        renews_at: subscription.renews_at,
        grace_until: subscription.grace_until,
        ends_at: subscription.ends_at,
        next_plan: subscription.next_plan,
    }))
}

/// A page of what models cost customers.
pub async fn prices(portal: &Portal, page: Page) -> Result<OwnPrices, Failure> {
    let found = portal.app.store.prices(page, Timestamp::now()).await?;
    let own = found.prices.into_iter().map(|entry| OwnPrice {
        model: entry.model,
        prices: entry.prices,
        valid_from: entry.valid_from,
    });
    Ok(OwnPrices { prices: own.collect(), next: found.next })
}

/// What is announced.
pub async fn alerts(portal: &Portal, who: &Who) -> Result<Alerts, Failure> {
    Ok(portal.app.store.alerts(Some(who.account())).await?)
}

/// A page of what the account was given other than by its plan, newest first.
pub async fn receipts(portal: &Portal, who: &Who, page: Page) -> Result<Grants, Failure> {
    Ok(portal.app.store.receipts(who.account(), page, Timestamp::now()).await?)
}

/// A receipt, if it is one of this account.
pub async fn receipt(portal: &Portal, who: &Who, id: &str) -> Result<Grant, Failure> {
    let found = portal.app.store.grant(id.to_owned(), Timestamp::now()).await;
    own(found, |grant| &grant.account, who, "receipt", id)
}

/// Why requests are refused, and what was refused since a time; in the last 24 hours, when none is given.
pub async fn refusals(portal: &Portal, who: &Who, since: Option<Timestamp>) -> Result<OwnRefusals, Failure> {
    let now = Timestamp::now();
    let day = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    let since = since.unwrap_or(day);
    let why = portal.app.store.why(who.account(), Credits::from_micros(1), since, now).await?;
    let words = |code: &str| cures(code).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let findings = why.findings.iter().map(|finding| OwnFinding {
        title: title(&finding.code).to_owned(),
        what: what(finding),
        cures: words(&finding.code),
        code: finding.code.clone(),
    });
    let refusals = why.refusals.into_iter().map(|sum| OwnRefusal {
        title: title(&sum.code).to_owned(),
        cures: words(&sum.code),
        code: sum.code,
        key: sum.key,
        rule: sum.rule,
        requests: sum.requests,
        first_seen: sum.first_seen,
        last_seen: sum.last_seen,
    });
    Ok(OwnRefusals { findings: findings.collect(), refusals: refusals.collect(), since: why.since })
}

/// A page of the calls that gateways have recorded.
pub async fn calls(portal: &Portal, who: &Who, asked: OfOwnCalls) -> Result<OwnCalls, Failure> {
    if !portal.settings.calls {
        return Err(Failure::new(Code::NotFound, "calls are not shown here"));
    }
    let found = portal.app.calls.search(asked.read(who.account())?).await?;
    Ok(OwnCalls { calls: found.calls.into_iter().map(call).collect(), next: found.next })
}

/// Neither the gateway nor what was held is for customers, nor that a rule is only tried out.
fn call(record: CallRecord) -> OwnCall {
    let is = |decision: Decision| record.decision == decision.as_str();
    let code = record.code.filter(|_| is(Decision::Refused));
    let decision =
        if is(Decision::Shadow) { Decision::Free.as_str().to_owned() } else { record.decision.clone() };
    OwnCall {
        id: record.id,
        time: record.time,
        duration_ms: record.duration_ms,
        key: record.key,
        rule: record.rule,
        item: record.item,
        decision,
        title: code.as_deref().map(|code| title(code).to_owned()),
        cures: code.as_deref().map(cures).unwrap_or_default().into_iter().map(str::to_owned).collect(),
        code,
        charge: record.charge,
        basis: record.basis,
        used: record.used,
        status: record.status,
        request_id: record.request_id,
    }
}
