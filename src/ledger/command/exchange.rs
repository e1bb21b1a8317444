//! A message from a gateway: all its entries and its usage, together or not at all. Only an entry that can't be booked
//! is left out by itself.
//!
//! What must hold: nothing is decided before all is there that the message is about; a payer whose period has begun is
//! served from the new period.

use super::renew::{RenewalOutcome, advance_if_due};
use super::usage::{self, Booked};
use super::{budgets, purse};
use crate::domain::answer::needs_demand;
use crate::domain::exchange::{ask_again, beat_ms, needs_grants, unknown};
use crate::domain::key::hash;
use crate::domain::unbooked::Unbooked;
use crate::domain::{AccountNo, Budget, GatewayNo, Grant, KeyNo, Lease, LeaseState, Payer, Purse, Scope};
use crate::store::draft::{Draft, Stop};
use crate::store::operation::Operation;
use crate::store::record::stored_text;
use crate::store::rows::{AccountRow, GrantRow, KeyRow, LeaseRow, UnbookedRow};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{
    Entry, EntryAnswer, ExchangeRequest, ExchangeResponse, Payer as Credential, UsageReport, VERSION,
};
use jiff::Timestamp;

/// After how many milliseconds a gateway should ask again while others hand back.
const RETRY_MS: u32 = 100;

/// A message, and how long leases live that it renews (ms).
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What the gateway says.
    pub request: ExchangeRequest,
    /// How long its leases may be spent from.
    pub ttl_ms: u64,
}

/// What came of a message.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// The answer, still without what the gateway has not heard of yet.
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
        let lines = |usage: &UsageReport| usage.lines.len().saturating_add(usage.shadow.len());
        self.request.entries.len().saturating_add(self.request.usage.as_ref().map_or(0, lines)).max(1)
    }

    /// Whether callers wait for the answer.
    pub fn is_urgent(&self) -> bool {
        self.request.entries.iter().any(|entry| entry.ask.is_some())
    }
}

impl Operation for Exchange {
    type Output = Exchanged;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<Exchanged, Stop> {
        let Self { request, ttl_ms } = self;
        let gateway = draft.gateway(&stored_text(&request.gateway));
        let mut missing = gateway.is_err();
        let gateway = gateway.unwrap_or_default();
        let mut said = Said::default();
        for entry in &request.entries {
            missing |= is_missing(look(draft, gateway, entry, now, &mut said))?;
        }
        if let Some(report) = &request.usage {
            missing |= is_missing(usage::look(draft, gateway, report))?;
        }
        if missing {
            return Err(Stop::Missing);
        }
        for entry in &request.entries {
            let answer = one(draft, gateway, entry, (now, *ttl_ms), &mut said)?;
            said.entries.push(answer);
        }
        let booked =
            request.usage.as_ref().map(|report| usage::take(draft, gateway, report, now)).transpose()?;
        let (usage_seq, booked) =
            booked.map_or((None, Booked::default()), |(seq, booked)| (Some(seq), booked));
        let response = ExchangeResponse {
            protocol: VERSION,
            seen: None,
            beat_ms: beat_ms(said.brisk),
            entries: said.entries,
            changes: Vec::new(),
            usage_seq,
        };
        Ok(Exchanged { response, booked, unbooked: said.unbooked, renewals: said.renewals })
    }
}

/// What was said of the entries so far.
#[derive(Debug, Default)]
struct Said {
    entries: Vec<EntryAnswer>,
    unbooked: Vec<Unbooked>,
    renewals: Vec<RenewalOutcome>,
    brisk: bool,
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
    let of = |row: &KeyRow| (row.key.no, row.account);
    match payer {
        Credential::Id(id) => usage::key_by_id(draft, id),
        Credential::Key(key) => Ok(draft.keys_by_hash(&(hash(key).to_vec(),))?.next().map(of)),
        Credential::Subject(subject) => {
            Ok(draft.keys_by_subject(&(stored_text(subject).into_owned(),))?.next().map(of))
        }
    }
}

/// All that an entry can touch.
struct Found {
    account: AccountRow,
    key: KeyRow,
    lease: Option<LeaseRow>,
    grants: Vec<Grant>,
    budgets: Vec<Budget>,
    demand: u64,
}

impl Found {
    fn payer(&self, gateway: GatewayNo) -> Payer {
        let purse = Purse::new(self.account.account.clone(), self.grants.clone());
        Payer {
            purse: purse.with_budgets(self.budgets.clone()),
            key: self.key.key.clone(),
            lease: lease_of(self.lease.as_ref(), gateway, &self.key),
            demand: self.demand,
        }
    }
}

fn lease_of(row: Option<&LeaseRow>, gateway: GatewayNo, key: &KeyRow) -> Lease {
    row.map_or_else(|| Lease::never(gateway, key.key.no, key.account), |row| row.lease.clone())
}

/// Finds what an entry is about; none when there is no such key.
fn look(
    draft: &mut Draft,
    gateway: GatewayNo,
    entry: &Entry,
    now: Timestamp,
    said: &mut Said,
) -> Result<Option<Found>, Stop> {
    let Some((key, account)) = resolve(draft, &entry.payer)? else { return Ok(None) };
    // All three are asked for, so that they are loaded together.
    let (account, key, lease) = (draft.account(account), draft.key(key), draft.lease((gateway, key)));
    let (Some(mut account), Some(key), lease) = (account?, key?, lease?) else { return Ok(None) };
    if let Some(outcome) = advance_if_due(draft, &account, now)? {
        said.renewals.push(outcome);
        account = draft.account(account.account.no)?.unwrap_or(account);
    }
    let no = account.account.no;
    let known = lease_of(lease.as_ref(), gateway, &key);
    let drawn = known.draws.iter().map(|draw| draw.grant);
    let grants = if needs_grants(&account.account, &known, entry) {
        draft.grants_of(no, drawn)
    } else {
        Ok(Vec::new())
    };
    let demand = if needs_demand(account.account.contract.as_ref()) { draft.demand(no) } else { Ok(0) };
    let budgets = purse::budgets(draft, &account.account, &key.key);
    let available = account.account.books.available;
    let may_be_short = entry.ask.is_some_and(|ask| ask.need.less(known.granted) > available);
    if may_be_short {
        draft.holders_of(no)?;
    }
    let grants = grants?.iter().map(GrantRow::grant).collect();
    let own = if known.has_money() { u64::from(known.demand) } else { 0 };
    let demand = demand?.saturating_sub(own);
    Ok(Some(Found { account, key, lease, grants, budgets: budgets?, demand }))
}

fn one(
    draft: &mut Draft,
    gateway: GatewayNo,
    entry: &Entry,
    (now, ttl_ms): (Timestamp, u64),
    said: &mut Said,
) -> Result<EntryAnswer, Stop> {
    let Some(found) = look(draft, gateway, entry, now, said)? else { return Ok(unknown(entry)) };
    let (payer, verdict) = found.payer(gateway).exchange(entry, now, ttl_ms);
    let mut answer = verdict.answer;
    if let Some(what) = verdict.unbooked {
        note_unbooked(draft, &what, now);
        said.unbooked.push(what);
    }
    let touched = verdict.touched && payer.lease.state == LeaseState::Open;
    purse::keep_lease(draft, found.lease.as_ref(), &payer.lease, touched, now);
    purse::keep(draft, &found.account, &payer.purse, now)?;
    said.brisk |= payer.purse.account.tight;
    if let Some(scope) = verdict.short
        && recall_others(draft, &payer.lease, scope, now)?
    {
        said.brisk = true;
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
            fence: place.fence,
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
