//! A message from a gateway: all its entries and its usage, together or not at all. Only an entry that can't be booked
//! is left out by itself.
//!
//! What must hold: nothing is decided before all is there that the message is about; a payer whose period has begun is
//! served from the new period.

use super::renew::{RenewalOutcome, advance_if_due};
use super::usage::{self, Booked};
use super::{budgets, funds, tokens};
use crate::domain::answer::needs_demand;
use crate::domain::exchange::{ask_again, heartbeat_ms, needs_grants, unknown};
use crate::domain::holds;
use crate::domain::key::hash;
use crate::domain::price_list::PriceList;
use crate::domain::unbooked::Unbooked;
use crate::domain::{AccountFunds, AccountNo, GatewayNo, GrantNo, KeyNo, Lease, LeaseState, Payer, Scope};
use crate::store::draft::{Draft, Stop};
use crate::store::operation::Operation;
use crate::store::record::stored_text;
use crate::store::rows::{
    AccountRow, BudgetKey, BudgetRow, GatewayRow, GrantRow, KeyRow, LeaseKey, LeaseRow, UnbookedRow,
};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{
    Entry, EntryAnswer, ExchangeRequest, ExchangeResponse, Payer as Credential, UsageReport,
};
use jiff::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

/// How many milliseconds a gateway should wait before it asks again, while others return credits.
const RETRY_MS: u32 = 100;

/// A message, and how long leases live that it renews (ms).
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What the gateway says.
    pub request: ExchangeRequest,
    /// How long its leases may be spent from.
    pub ttl_ms: u64,
    /// What models cost the seller, for the usage in it.
    pub prices: Arc<PriceList>,
    /// What came with it about the gateway.
    pub gateway_is: SaidOfGateway,
}

/// What comes with a message about its gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaidOfGateway {
    /// The name of the gateway token that it came with; none for that of the environment.
    pub token: Option<String>,
    /// Which version of the filter it has; none where it doesn't say.
    pub version: Option<String>,
}

/// What came of a message.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// The response, still without the changes that the gateway has not seen.
    pub response: ExchangeResponse,
    /// What was booked of the usage in it.
    pub booked: Booked,
    /// What of its entries was not charged.
    pub unbooked: Vec<Unbooked>,
    /// What came of subscriptions that had to renew first.
    pub renewals: Vec<RenewalOutcome>,
}

impl Exchange {
    /// About how many rows it is about.
    pub fn weight(&self) -> usize {
        let lines = |usage: &UsageReport| {
            usage.lines.len().saturating_add(usage.shadow.len()).saturating_add(usage.refused.len())
        };
        self.request.entries.len().saturating_add(self.request.usage.as_ref().map_or(0, lines)).max(1)
    }

    /// Whether callers wait for the answer.
    pub fn is_urgent(&self) -> bool {
        self.request.entries.iter().any(|entry| entry.ask.is_some())
    }
}

/// Writes down which version of the filter a gateway has, where that is new.
fn note_version(draft: &mut Draft, gateway: GatewayNo, version: Option<&str>) -> Result<(), Stop> {
    let Some(version) = version else { return Ok(()) };
    let Some(row) = draft.get::<GatewayRow>(&(gateway,))?.cloned() else { return Ok(()) };
    if row.version.as_deref() != Some(version) {
        draft.put(GatewayRow { version: Some(version.to_owned()), ..row });
    }
    Ok(())
}

impl Operation for Exchange {
    type Output = Exchanged;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<Exchanged, Stop> {
        let Self { request, ttl_ms, prices, gateway_is: SaidOfGateway { token, version } } = self;
        let name = stored_text(&request.gateway);
        let gateway = draft.gateway(&name);
        let mut missing = gateway.is_err();
        let gateway = gateway.ok().or_else(|| draft.guess_gateway(&name)).unwrap_or_default();
        let mut holds = GatewayNo::default();
        if request.entries.iter().any(|entry| !entry.holds.is_none()) {
            let name = holds::gateway(&name);
            let found = draft.gateway(&name);
            missing |= found.is_err();
            holds = found.ok().or_else(|| draft.guess_gateway(&name)).unwrap_or_default();
        }
        let gateway = Source { gateway, holds };
        let mut said = EntryResults::default();
        let mut about = Vec::with_capacity(request.entries.len());
        for entry in &request.entries {
            match prepare(draft, gateway, entry, now, &mut said) {
                Ok(whom) => about.push(whom),
                Err(Stop::Missing) => missing = true,
                Err(other) => return Err(other),
            }
        }
        if let Some(report) = &request.usage {
            missing |= is_missing(usage::look(draft, gateway.gateway, report, now))?;
        }
        if missing {
            return Err(Stop::Missing);
        }
        tokens::tie(draft, gateway.gateway, token.as_deref(), now)?;
        note_version(draft, gateway.gateway, version.as_deref())?;
        if gateway.holds != GatewayNo::default() {
            tokens::tie(draft, gateway.holds, token.as_deref(), now)?;
        }
        for (entry, whom) in request.entries.iter().zip(about) {
            let answer = match whom {
                Some(whom) => one(draft, gateway, whom, entry, (now, *ttl_ms), &mut said)?,
                None => unknown(entry),
            };
            said.entries.push(answer);
        }
        let booked = request
            .usage
            .as_ref()
            .map(|report| usage::take(draft, gateway.gateway, report, prices, now))
            .transpose()?;
        let (usage_seq, booked) =
            booked.map_or((None, Booked::default()), |(seq, booked)| (Some(seq), booked));
        let response = ExchangeResponse {
            protocol: request.protocol,
            seen: None,
            heartbeat_ms: heartbeat_ms(said.fast_heartbeat),
            entries: said.entries,
            changes: Vec::new(),
            usage_seq,
            models: Vec::new(),
            prices: None,
        };
        Ok(Exchanged { response, booked, unbooked: said.unbooked, renewals: said.renewals })
    }
}

/// From which gateway a message is: under which number its leases are kept, and the holds that outlived theirs.
#[derive(Clone, Copy)]
struct Source {
    gateway: GatewayNo,
    holds: GatewayNo,
}

impl Source {
    /// Where the holds are that an entry names, if it names some.
    fn holds_of(self, key: KeyNo, entry: &Entry) -> Option<LeaseKey> {
        (!entry.holds.is_none()).then_some((self.holds, key))
    }
}

/// What was said of the entries so far.
#[derive(Debug, Default)]
struct EntryResults {
    entries: Vec<EntryAnswer>,
    unbooked: Vec<Unbooked>,
    renewals: Vec<RenewalOutcome>,
    fast_heartbeat: bool,
}

fn is_missing<T>(looked: Result<T, Stop>) -> Result<bool, Stop> {
    match looked {
        Ok(_) => Ok(false),
        Err(Stop::Missing) => Ok(true),
        Err(other) => Err(other),
    }
}

/// The key that a gateway names, and its account.
fn resolve(draft: &mut Draft, payer: &Credential) -> Result<Option<(KeyNo, AccountNo)>, Stop> {
    match payer {
        Credential::Id(id) => draft.key_by_id(&stored_text(id)),
        Credential::Key(key) => draft.key_by_hash(&hash(key)),
        Credential::Subject(subject) => {
            let found = draft.keys_by_subject(&(stored_text(subject).into_owned(),))?.next();
            Ok(found.map(|row| (row.key.no, row.account)))
        }
    }
}

/// Asks for all that an entry can touch, whose period has begun. Says which key it is about, and whose that is; none
/// when there is no such key.
fn prepare(
    draft: &mut Draft,
    from: Source,
    entry: &Entry,
    now: Timestamp,
    said: &mut EntryResults,
) -> Result<Option<(KeyNo, AccountNo)>, Stop> {
    let Some((key, account)) = resolve(draft, &entry.payer)? else { return Ok(None) };
    let missing = [
        draft.get::<AccountRow>(&(account,)).is_err(),
        draft.get::<KeyRow>(&(key,)).is_err(),
        draft.get::<LeaseRow>(&(from.gateway, key)).is_err(),
        from.holds_of(key, entry).is_some_and(|place| draft.get::<LeaseRow>(&place).is_err()),
    ];
    if missing.contains(&true) {
        return Err(Stop::Missing);
    }
    let Some(due) = draft.known::<AccountRow>(&(account,)).map(|row| row.account.due) else {
        return Ok(None);
    };
    if due.is_some_and(|due| due <= now)
        && let Some(row) = draft.account(account)?
    {
        said.renewals.extend(advance_if_due(draft, &row, now)?);
    }
    let Some(needs) = Needs::of(draft, from, (key, account), entry) else { return Ok(None) };
    needs.are_met(draft)?;
    Ok(Some((key, account)))
}

fn lease_of(row: Option<&LeaseRow>, gateway: GatewayNo, key: &KeyRow) -> Lease {
    row.map_or_else(|| Lease::never(gateway, key.key.no, key.account), |row| row.lease.clone())
}

/// What an entry needs besides the account, the key and the lease.
struct Needs {
    account: AccountNo,
    /// Those with something left, and these.
    grants: Option<Vec<GrantNo>>,
    demand: bool,
    holders: bool,
    budgets: Vec<BudgetKey>,
}

impl Needs {
    /// None when its key or account is gone.
    fn of(draft: &Draft, from: Source, (key, no): (KeyNo, AccountNo), entry: &Entry) -> Option<Self> {
        let account = &draft.known::<AccountRow>(&(no,))?.account;
        let key = draft.known::<KeyRow>(&(key,))?;
        let lease = match draft.known::<LeaseRow>(&(from.gateway, key.key.no)) {
            Some(row) => Cow::Borrowed(&row.lease),
            None => Cow::Owned(lease_of(None, from.gateway, key)),
        };
        let holds = from.holds_of(key.key.no, entry).and_then(|place| draft.known::<LeaseRow>(&place));
        let carried = holds.map(|row| row.lease.draws.as_slice()).unwrap_or_default();
        let drawn = || lease.draws.iter().chain(carried).map(|draw| draw.grant).collect();
        Some(Self {
            account: no,
            grants: needs_grants(account, &lease, entry).then(drawn),
            demand: needs_demand(account.entitlement.as_ref()),
            holders: entry.ask.is_some_and(|ask| ask.need.less(lease.granted) > account.books.available),
            budgets: funds::budget_keys(account, &key.key).collect(),
        })
    }

    fn are_met(&self, draft: &mut Draft) -> Result<(), Stop> {
        let mut missing = false;
        if let Some(drawn) = &self.grants {
            missing |= draft.live_grants(&(self.account,)).is_err();
            for no in drawn {
                missing |=
                    draft.known::<GrantRow>(&(*no,)).is_none() && draft.get::<GrantRow>(&(*no,)).is_err();
            }
        }
        missing |= self.demand && draft.demand(self.account).is_err();
        missing |= self.holders && draft.holders(&(self.account,)).is_err();
        for place in &self.budgets {
            missing |= draft.get::<BudgetRow>(place).is_err();
        }
        if missing { Err(Stop::Missing) } else { Ok(()) }
    }
}

/// Decides an entry. All that it touches was asked for; more only where an entry before it has changed the same account.
fn one(
    draft: &mut Draft,
    from: Source,
    (key, no): (KeyNo, AccountNo),
    entry: &Entry,
    (now, ttl_ms): (Timestamp, u64),
    said: &mut EntryResults,
) -> Result<EntryAnswer, Stop> {
    let (Some(account), Some(key), Some(needs)) =
        (draft.account(no)?, draft.key(key)?, Needs::of(draft, from, (key, no), entry))
    else {
        return Ok(unknown(entry));
    };
    let held = draft.lease((from.gateway, key.key.no))?;
    let lease = lease_of(held.as_ref(), from.gateway, &key);
    let place = from.holds_of(key.key.no, entry);
    let carried = place.map(|place| draft.lease(place)).transpose()?.flatten();
    let no_holds = || Lease::no_holds(from.holds, key.key.no, key.account);
    let holds = place.map(|_| carried.as_ref().map_or_else(no_holds, |row| row.lease.clone()));
    let grants = needs.grants.map(|drawn| draft.grants_of(no, drawn)).transpose()?.unwrap_or_default();
    let demand = if needs.demand { draft.demand(no)? } else { 0 };
    let own = if lease.has_credits() { u64::from(lease.demand) } else { 0 };
    let budgets = funds::budgets(draft, &account.account, &key.key)?;
    let grants = grants.iter().map(GrantRow::grant).collect();
    let funds = AccountFunds::new(account.account.clone(), grants).with_budgets(budgets);
    let payer = Payer { funds, key: key.key, lease, holds, demand: demand.saturating_sub(own) };
    let (payer, verdict) = payer.exchange(entry, now, ttl_ms);
    let mut answer = verdict.answer;
    if let Some(what) = verdict.unbooked {
        note_unbooked(draft, &what, now);
        said.unbooked.push(what);
    }
    let touched = verdict.touched && payer.lease.state == LeaseState::Open;
    funds::keep_lease(draft, held.as_ref(), &payer.lease, touched, now);
    if let Some(holds) = &payer.holds {
        funds::keep_lease(draft, carried.as_ref(), holds, holds.state == LeaseState::Open, now);
    }
    funds::keep(draft, &account, &payer.funds, now)?;
    said.fast_heartbeat |= payer.funds.account.tight;
    if let Some(scope) = verdict.short
        && recall_others(draft, &payer.lease, scope, now)?
    {
        said.fast_heartbeat = true;
        ask_again(&mut answer, RETRY_MS);
    }
    Ok(answer)
}

/// Notes what gateways said they had sold and will never be charged.
fn note_unbooked(draft: &mut Draft, what: &Unbooked, now: Timestamp) {
    let credits = what.lost();
    if credits.is_positive() {
        let place = what.place;
        draft.add(UnbookedRow {
            gateway: place.gateway,
            key: place.key,
            account: what.account.0,
            epoch: place.epoch,
            reports: 1,
            credits,
            last_at: now,
        });
    }
}

/// Asks an account's other holders in a scope to hand back what they don't need. Whether any could.
fn recall_others(draft: &mut Draft, asking: &Lease, scope: Scope, now: Timestamp) -> Result<bool, Stop> {
    let mut others = budgets::holders_in(draft, asking.account, scope)?;
    others.retain(|row| {
        let lease = &row.lease;
        (lease.gateway, lease.key) != (asking.gateway, asking.key) && lease.recallable() > Credits::ZERO
    });
    let (any, mut asked) = (!others.is_empty(), false);
    for mut row in others {
        asked |= !row.lease.recall;
        row.lease.recall = true;
        draft.put(row);
    }
    if asked {
        draft.announce_account(asking.account, KeyNo(0), now);
    }
    Ok(any)
}
