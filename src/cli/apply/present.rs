//! What is there of a file's entries, and what belongs to an account.

use super::batch;
use super::file::{self, File};
use faregate_client::{
    Failure,
    admin::{Admin, encoded},
    terminal::Progress,
};
use faregate_ledger::api::{
    self, Accounts, Budgets, Keys, ModelPriceHistory, NewPriceListEntry, Plan, PriceEntry, Teams,
};
use faregate_protocol::prices::ModelPrices;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// Existing plans and accounts, by name.
#[derive(Clone, Debug, Default)]
pub struct CurrentState {
    /// Plans.
    pub plans: BTreeMap<String, Plan>,
    /// What models cost that a file names, by name and by the time from which the file has it; none: now.
    pub prices: BTreeMap<PriceName, PresentPrices>,
    /// Accounts with what belongs to them.
    pub accounts: BTreeMap<String, Held>,
    /// Below which balance accounts are announced that say nothing else, if a file names that.
    pub default_alerts: Option<api::Alerts>,
    /// All webhooks, if a file names some.
    pub webhooks: Vec<api::Webhook>,
    /// All addresses for mail, if a file names some.
    pub mail: Vec<api::MailAddress>,
}

/// A model, and from when on.
pub type PriceName = (String, Option<Timestamp>);

/// What a model costs its callers, and its seller.
#[derive(Clone, Debug)]
pub struct PresentPrices {
    /// Its prices.
    pub prices: ModelPrices,
    /// What it costs the seller.
    pub cost: Option<ModelPrices>,
}

/// An account with what belongs to it.
#[derive(Clone, Debug)]
pub struct Held {
    /// The account.
    pub account: api::Account,
    /// Its newest subscription.
    pub subscription: Option<api::Subscription>,
    /// Its teams.
    pub teams: Vec<api::Team>,
    /// Its budgets, its teams' and its keys'.
    pub budgets: Vec<api::Budget>,
    /// Its keys.
    pub keys: Vec<api::Key>,
    /// What is announced of it.
    pub alerts: Option<api::Alerts>,
}

/// What a file says of an account, and so what has to be looked up.
#[derive(Clone, Copy, Default)]
pub struct Named {
    /// Its subscription.
    pub subscription: bool,
    /// Its teams.
    pub teams: bool,
    /// Its budgets, its teams' and its keys'.
    pub budgets: bool,
    /// Its keys.
    pub keys: bool,
    /// What is announced of it.
    pub alerts: bool,
}

/// From so many accounts on, all that lie between them are listed instead of looked up one by one.
const MANY: usize = 1_000;

/// What is there of what a file names.
pub fn of(admin: &Admin, file: &File, progress: &Progress) -> Result<CurrentState, Failure> {
    let mut present = CurrentState { plans: plans_of(admin, file, progress)?, ..CurrentState::default() };
    let now = Timestamp::now();
    let paths: Vec<_> = file
        .prices
        .iter()
        .map(|price| format!("/admin/v1/prices/{}", encoded(&price.get_ref().model)))
        .collect();
    let found = batch::get_all::<ModelPriceHistory>(admin, &paths, progress)?;
    for (price, found) in file.prices.iter().zip(found) {
        let NewPriceListEntry { model, valid_from, .. } = price.get_ref();
        let versions = found.map(|found| found.versions).unwrap_or_default();
        let valid = versions.into_iter().rfind(|version| version.valid_from <= valid_from.unwrap_or(now));
        if let Some(valid) = valid {
            let PriceEntry { prices, cost, .. } = valid;
            present.prices.insert((model.clone(), *valid_from), PresentPrices { prices, cost });
        }
    }
    if file.alerts.iter().any(|alert| alert.get_ref().account.is_none()) {
        present.default_alerts = Some(default_alerts(admin)?);
    }
    if !file.webhooks.is_empty() {
        present.webhooks = webhooks(admin)?;
    }
    if !file.mail.is_empty() {
        present.mail = mail(admin)?;
    }
    let named = named(file);
    let accounts = accounts_of(admin, &named, progress)?;
    let wanted = accounts
        .iter()
        .map(|account| named.get(&account.id).copied().unwrap_or_default())
        .collect::<Vec<_>>();
    let held = held(admin, accounts, &wanted, progress)?;
    present.accounts = held.into_iter().map(|held| (held.account.id.clone(), held)).collect();
    Ok(present)
}

/// Below which balance accounts are announced that say nothing else.
pub fn default_alerts(admin: &Admin) -> Result<api::Alerts, Failure> {
    batch::read("/admin/v1/alerts", admin.get("/admin/v1/alerts", &[])?)
}

/// All webhooks.
pub fn webhooks(admin: &Admin) -> Result<Vec<api::Webhook>, Failure> {
    let mut all = Vec::new();
    pages(admin, "/admin/v1/webhooks", |page: api::Webhooks| {
        all.extend(page.webhooks);
        page.next
    })?;
    Ok(all)
}

/// All addresses for mail.
pub fn mail(admin: &Admin) -> Result<Vec<api::MailAddress>, Failure> {
    let mut all = Vec::new();
    pages(admin, "/admin/v1/mail", |page: api::MailAddresses| {
        all.extend(page.addresses);
        page.next
    })?;
    Ok(all)
}

fn plans_of(admin: &Admin, file: &File, progress: &Progress) -> Result<BTreeMap<String, Plan>, Failure> {
    let of_subscription = |it: &toml::Spanned<file::Subscription>| {
        let it = it.get_ref();
        std::iter::once(it.plan.clone()).chain(it.next_plan.clone())
    };
    let named = file.plans.iter().map(|plan| plan.get_ref().name.clone());
    let plans: BTreeSet<_> = named.chain(file.subscriptions.iter().flat_map(of_subscription)).collect();
    let paths: Vec<_> = plans.iter().map(|name| format!("/admin/v1/plans/{}", encoded(name))).collect();
    let found = batch::get_all(admin, &paths, progress)?;
    Ok(plans.into_iter().zip(found).filter_map(|(name, plan)| Some((name, plan?))).collect())
}

fn named(file: &File) -> BTreeMap<String, Named> {
    let mut named: BTreeMap<String, Named> = BTreeMap::new();
    let mut of = |account: &String, note: fn(&mut Named)| note(named.entry(account.clone()).or_default());
    file.accounts.iter().for_each(|it| of(&it.get_ref().id, |_| {}));
    file.teams.iter().for_each(|it| of(&it.get_ref().account, |named| named.teams = true));
    file.keys.iter().for_each(|it| of(&it.get_ref().account, |named| named.keys = true));
    file.subscriptions.iter().for_each(|it| of(&it.get_ref().account, |named| named.subscription = true));
    for budget in &file.budgets {
        of(&budget.get_ref().account, |named| named.budgets = true);
        if budget.get_ref().subject.is_some() {
            of(&budget.get_ref().account, |named| named.keys = true);
        }
    }
    for alert in &file.alerts {
        if let Some(account) = &alert.get_ref().account {
            of(account, |named| named.alerts = true);
        }
    }
    let webhooks = file.webhooks.iter().filter_map(|it| it.get_ref().account.as_ref());
    let mail = file.mail.iter().filter_map(|it| it.get_ref().account.as_ref());
    webhooks.chain(mail).for_each(|account| of(account, |_| {}));
    named
}

/// Those that are there, by identifier.
fn accounts_of(
    admin: &Admin,
    named: &BTreeMap<String, Named>,
    progress: &Progress,
) -> Result<Vec<api::Account>, Failure> {
    if named.len() <= MANY {
        let paths: Vec<_> = named.keys().map(|id| one(id)).collect();
        return Ok(batch::get_all(admin, &paths, progress)?.into_iter().flatten().collect());
    }
    let (mut found, last) = (Vec::new(), named.keys().next_back().cloned().unwrap_or_default());
    pages(admin, "/admin/v1/accounts", |page: Accounts| {
        progress.advance(page.accounts.len());
        found.extend(page.accounts.into_iter().filter(|account| named.contains_key(&account.id)));
        page.next.filter(|next| *next <= last)
    })?;
    Ok(found)
}

/// Accounts with what belongs to them, as far as it is wanted.
pub fn held(
    admin: &Admin,
    accounts: Vec<api::Account>,
    wanted: &[Named],
    progress: &Progress,
) -> Result<Vec<Held>, Failure> {
    let paths = |wants: fn(&Named) -> bool, what: &str| -> Vec<String> {
        let those = accounts.iter().zip(wanted).filter(|(_, wanted)| wants(wanted));
        those.map(|(account, _)| format!("{}/{what}", one(&account.id))).collect()
    };
    let subscriptions = batch::get_all(admin, &paths(|named| named.subscription, "subscription"), progress)?;
    let teams =
        lists(admin, paths(|named| named.teams, "teams"), progress, |page: Teams| (page.teams, page.next))?;
    let budgets = lists(admin, paths(|named| named.budgets, "budgets"), progress, |page: Budgets| {
        (page.budgets, page.next)
    })?;
    let keys =
        lists(admin, paths(|named| named.keys, "keys"), progress, |page: Keys| (page.keys, page.next))?;
    let alerts = batch::get_all(admin, &paths(|named| named.alerts, "alerts"), progress)?;
    let mut alerts = alerts.into_iter();
    let (mut subscriptions, mut teams) = (subscriptions.into_iter(), teams.into_iter());
    let (mut budgets, mut keys) = (budgets.into_iter(), keys.into_iter());
    let one = |(account, wanted): (api::Account, &Named)| Held {
        account,
        subscription: if wanted.subscription { subscriptions.next().flatten() } else { None },
        teams: if wanted.teams { teams.next().unwrap_or_default() } else { Vec::new() },
        budgets: if wanted.budgets { budgets.next().unwrap_or_default() } else { Vec::new() },
        keys: if wanted.keys { keys.next().unwrap_or_default() } else { Vec::new() },
        alerts: if wanted.alerts { alerts.next().flatten() } else { None },
    };
    Ok(accounts.into_iter().zip(wanted).map(one).collect())
}

/// Whole lists, the first page of each in batches.
fn lists<P: DeserializeOwned, T>(
    admin: &Admin,
    paths: Vec<String>,
    progress: &Progress,
    take: impl Fn(P) -> (Vec<T>, Option<String>),
) -> Result<Vec<Vec<T>>, Failure> {
    let first = batch::get_all::<P>(admin, &paths, progress)?;
    let whole = |(path, page): (String, Option<P>)| {
        let (mut all, mut next) = page.map(&take).unwrap_or_default();
        while let Some(after) = next {
            let answer = admin.get(&path, &[("limit", Some("1000".into())), ("after", Some(after))])?;
            let (more, following) = take(batch::read(&path, answer)?);
            all.extend(more);
            next = following;
        }
        Ok(all)
    };
    paths.into_iter().zip(first).map(whole).collect()
}

fn one(account: &str) -> String {
    format!("/admin/v1/accounts/{}", encoded(account))
}

/// Every page of a list; `take` gives what the next one begins behind.
pub fn pages<T: DeserializeOwned>(
    admin: &Admin,
    path: &str,
    mut take: impl FnMut(T) -> Option<String>,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let answer = admin.get(path, &[("limit", Some("1000".into())), ("after", after)])?;
        after = take(batch::read(path, answer)?);
        if after.is_none() {
            return Ok(());
        }
    }
}
