//! How operators' commands find what they are about.

use super::{Draft, Stop};
use crate::domain::{AccountNo, AccountState, GatewayNo, PlanNo, TeamNo};
use crate::store::error::Refusal;
use crate::store::rows::{
    AccountRow, BudgetRow, GrantRow, IdempotencyRow, KeyRow, PlanRow, SubscriptionRow, TeamRow, VersionRow,
};

impl Draft {
    /// The first answer to a request with this idempotency key.
    pub fn first_answer(&mut self, key: &str) -> Result<Option<IdempotencyRow>, Stop> {
        self.get::<IdempotencyRow>(&(key.to_owned(),)).map(Option::<&_>::cloned)
    }

    /// The account with this identifier, which is not closed, locked.
    pub fn account_not_closed(&mut self, id: &str) -> Result<AccountRow, Stop> {
        let row = self.account_named(id)?;
        if row.account.state == AccountState::Closed {
            return Err(Refusal::AccountClosed(id.to_owned()).into());
        }
        Ok(row)
    }

    /// Whose the grant with this identifier is. That account isn't locked yet.
    pub fn owner_of_grant(&mut self, id: &str) -> Result<Option<AccountNo>, Stop> {
        Ok(self.grants_by_id(&(id.to_owned(),))?.next().map(|row| row.account))
    }

    /// The grant with this identifier, of an account that is locked.
    pub fn grant_named(&mut self, id: &str) -> Result<Option<GrantRow>, Stop> {
        let no = self.grants_by_id(&(id.to_owned(),))?.next().map(|row| row.grant.no);
        Ok(no.map(|no| self.get::<GrantRow>(&(no,))).transpose()?.flatten().cloned())
    }

    /// The credential with this identifier. Its account isn't locked yet: only whose it is can be relied upon.
    pub fn key_named(&mut self, id: &str) -> Result<Option<KeyRow>, Stop> {
        Ok(self.keys_by_id(&(id.to_owned(),))?.next().cloned())
    }

    /// Whether a credential that is not revoked has this subject.
    pub fn has_subject(&mut self, subject: &str) -> Result<bool, Stop> {
        Ok(self.keys_by_subject(&(subject.to_owned(),))?.next().is_some())
    }

    /// The number of the gateway with this name, if it is known.
    pub fn gateway_named(&mut self, name: &str) -> Result<Option<GatewayNo>, Stop> {
        Ok(self.gateways_by_name(&(name.to_owned(),))?.next().map(|row| row.no))
    }

    /// The team of an account with this identifier. It is locked.
    pub fn team_named(&mut self, account: AccountNo, id: &str) -> Result<Option<TeamNo>, Stop> {
        Ok(self.teams_by_id(&(account, id.to_owned()))?.next().map(|row| row.no))
    }

    /// A team of an account that is locked.
    pub fn team(&mut self, no: TeamNo) -> Result<Option<TeamRow>, Stop> {
        self.get::<TeamRow>(&(no,)).map(Option::<&_>::cloned)
    }

    /// How many teams an account has. It is locked.
    pub fn count_teams(&mut self, account: AccountNo) -> Result<usize, Stop> {
        Ok(self.teams_of(&(account,))?.count())
    }

    /// All budgets of an account that is locked.
    pub fn all_budgets(&mut self, account: AccountNo) -> Result<Vec<BudgetRow>, Stop> {
        Ok(self.budgets_of(&(account,))?.cloned().collect())
    }

    /// A plan.
    pub fn plan(&mut self, no: PlanNo) -> Result<Option<PlanRow>, Stop> {
        self.get::<PlanRow>(&(no,)).map(Option::<&_>::cloned)
    }

    /// A plan, locked: none other makes a version of it.
    pub fn plan_to_change(&mut self, no: PlanNo) -> Result<Option<PlanRow>, Stop> {
        Ok(self.plans_locked(&(no,))?.next().cloned())
    }

    /// Whether there is a plan of this name.
    pub fn has_plan(&mut self, name: &str) -> Result<bool, Stop> {
        Ok(self.plans_by_name(&(name.to_owned(),))?.next().is_some())
    }

    /// A version of a plan.
    pub fn version(&mut self, plan: PlanNo, version: u32) -> Result<Option<VersionRow>, Stop> {
        self.get::<VersionRow>(&(plan, version)).map(Option::<&_>::cloned)
    }

    /// The newest subscription of an account that is locked.
    pub fn newest_subscription(&mut self, account: AccountNo) -> Result<Option<SubscriptionRow>, Stop> {
        Ok(self.subscriptions_of(&(account,))?.last().cloned())
    }

    /// A subscription of an account that is locked.
    pub fn subscription(&mut self, no: i64) -> Result<Option<SubscriptionRow>, Stop> {
        self.get::<SubscriptionRow>(&(no,)).map(Option::<&_>::cloned)
    }

    /// What a subscription gave for its running period, and perhaps more. Its account is locked.
    pub fn given_by(&mut self, subscription: i64) -> Result<Vec<GrantRow>, Stop> {
        Ok(self.given(&(subscription,))?.cloned().collect())
    }

    /// The newest grants of a subscription that may be overdrawn, and perhaps more. Its account is locked.
    pub fn overdrafts_of(&mut self, subscription: i64) -> Result<Vec<GrantRow>, Stop> {
        Ok(self.overdrafts(&(subscription,))?.cloned().collect())
    }
}
