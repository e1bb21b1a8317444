//! Why requests of an account are refused now, and what an operator can do about it.
//!
//! What must hold: what is found is what an exchange would decide for a request of that price, because the same rules decide it.

use super::entitlement::Entitlement;
use super::key::{Key, Owner};
use super::policy::{OveragePolicy, SubscriptionStatus};
use super::shortage::Shortage;
use super::{AccountFunds, Budget, Scope};
use faregate_protocol::{Credits, RefusalCode};
use jiff::Timestamp;

/// The most findings about teams' and keys' budgets.
pub const MAX_FINDINGS: usize = 100;

/// Something that keeps requests from passing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// With which code they are refused.
    pub code: RefusalCode,
    /// Whose budget it is, if it is one.
    pub budget: Option<Scope>,
    /// What is wrong, in words.
    pub what: String,
    /// What an operator can do, in words.
    pub cure: String,
}

/// What keeps a request of this price from passing, with `budgets` for all of the account's teams and keys. The most serious comes
/// first: nothing behind it helps as long as it is there.
pub fn findings(money: &AccountFunds, budgets: &[Budget], price: Credits, now: Timestamp) -> Vec<Finding> {
    let (account, entitlement) = (&money.account, money.account.entitlement.as_ref());
    let mut found = Vec::new();
    let owner = Owner::of(account.state, entitlement);
    if let Some(code) = Key::default().refusal(owner, now) {
        found.push(closed(code, owner, entitlement));
    }
    let of_account: Vec<Budget> =
        budgets.iter().filter(|budget| budget.scope == Scope::Account).cloned().collect();
    let short = |budgets| Shortage {
        least: price,
        money: money.drawable(),
        owed: account.books.owed,
        grants: money.grants(),
        budgets,
        entitlement,
    };
    if money.drawable() < price {
        found.push(out_of_money(short(&[]).refused(now).code, money, entitlement));
    }
    let narrow = budgets.iter().filter(|budget| budget.scope != Scope::Account);
    for budget in of_account.iter().chain(narrow).filter(|budget| budget.left() < price).take(MAX_FINDINGS) {
        let code = short(std::slice::from_ref(budget)).refused(now).code;
        found.push(out_of_budget(code, budget));
    }
    found
}

fn closed(code: RefusalCode, owner: Owner, entitlement: Option<&Entitlement>) -> Finding {
    let (what, cure) = if owner.unpaid && code == RefusalCode::PaymentPastDue {
        let plan = entitlement.map_or("", |entitlement| &entitlement.plan);
        (
            format!("a payment for the plan {plan} is past due, and the grace period is over"),
            "once it is paid: `faregate subscription activate ACCOUNT`".to_owned(),
        )
    } else {
        (
            format!("the account is {}", owner.state.as_str()),
            "`faregate account resume ACCOUNT`, where it is only suspended".to_owned(),
        )
    };
    Finding { code, budget: None, what, cure }
}

fn out_of_money(code: RefusalCode, money: &AccountFunds, entitlement: Option<&Entitlement>) -> Finding {
    let books = &money.account.books;
    let mut what = vec![format!("{} credits can be spent", money.drawable())];
    if let Some(entitlement) = entitlement {
        let plan = &entitlement.plan;
        what.push(match entitlement.status {
            SubscriptionStatus::Over => format!("the subscription to {plan} is over"),
            _ => format!("the plan {plan} gives {} a period", entitlement.quota),
        });
    }
    if books.held.is_positive() {
        what.push(format!("{} are in leases of gateways", books.held));
    }
    if books.owed.is_positive() {
        what.push(format!("{} are owed, which the next grant pays first", books.owed));
    }
    let bought = books.available.less(money.drawable());
    if bought.is_positive() {
        what.push(format!("{bought} were bought, and the plan doesn't let them pay"));
    }
    let grants = entitlement.is_none_or(|entitlement| {
        entitlement.overage != OveragePolicy::Refuse || entitlement.status == SubscriptionStatus::Over
    });
    let mut cures = Vec::new();
    if grants {
        cures.push("`faregate grant ACCOUNT AMOUNT`".to_owned());
    }
    if let Some(entitlement) = entitlement {
        if let Some(at) = entitlement.renews_at {
            cures.push(format!("the next quota comes at {at:.0}"));
        }
        cures.push("`faregate subscription change ACCOUNT PLAN`".to_owned());
    }
    if books.held.is_positive() {
        cures.push("`faregate recall`, which asks gateways to return what they don't use".to_owned());
    }
    Finding { code, budget: None, what: what.join("; "), cure: cures.join("; or ") }
}

fn out_of_budget(code: RefusalCode, budget: &Budget) -> Finding {
    let of = match budget.scope {
        Scope::Account => "the account's budget",
        Scope::Team(_) => "the team's budget",
        Scope::Key(_) => "the key's budget",
    };
    let what = format!(
        "{} of {of} of {} credits are left; {} are spent, {} in leases",
        budget.left(),
        budget.credits,
        budget.spent,
        budget.held
    );
    let cure = format!("`faregate budget set` raises it; or its next period begins at {:.0}", budget.until);
    Finding { code, budget: Some(budget.scope), what, cure }
}
