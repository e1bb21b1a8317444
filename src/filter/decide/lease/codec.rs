//! A lease as bytes in shared memory: a head of fixed little-endian fields, then the state of the payer's limits,
//! if it has any, then its names and products, then the status that callers may see.
//!
//! Charging changes the first two alone. So a charge reads and writes only them, in place, and keeps the
//! bytes to look the rest up where it is wanted.

use super::{CachedStatus, Carried, Lease, OnCredit, Throttle, terms};
use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::Handle;
use faregate_protocol::exchange::{Ended, Facts, Holds, Limits, Rate};
use faregate_protocol::{Credits, RefusalCode};
use std::cell::Cell;

/// The layout's version; anything else is not a lease.
const LAYOUT: u8 = 2;
/// How long the head is: two bytes, two epochs, twelve amounts, four moments.
const HEAD: usize = 2 + 2 * 4 + 16 * 8;
/// The length of the part that only payers with limits have: a moment and six numbers.
const THROTTLE: usize = 8 + 6 * 4;
/// The length of the part that only payers have whose requests outlived an epoch: three amounts, a moment, an epoch and a byte.
const CARRIED: usize = 4 * 8 + 4 + 1;
/// The bits of the second byte.
const QUEUED: u8 = 1;
const STOPPED: u8 = 2;
const THROTTLED: u8 = 4;
const PRODUCTS: u8 = 8;
const KEY_PRODUCTS: u8 = 16;
const STATUS: u8 = 32;
const WARNS: u8 = 64;
const CARRIES: u8 = 128;

impl Lease {
    /// The record's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        out.extend(self.head());
        if let Some(throttle) = &self.throttle {
            out.extend(throttle_bytes(throttle));
        }
        if let Some(carried) = &self.carried {
            out.extend(carried_bytes(carried));
        }
        let mut part = |bytes: &[u8]| {
            let len = u16::try_from(bytes.len()).unwrap_or(0);
            out.extend(len.to_le_bytes());
            out.extend(bytes.iter().take(usize::from(len)));
        };
        let Facts { key, account, plan, products, key_products } = &self.facts;
        part(key.as_bytes());
        part(account.as_bytes());
        part(plan.as_deref().unwrap_or_default().as_bytes());
        if let Some(products) = products {
            part(&terms::encode(products));
        }
        if let Some(names) = key_products {
            part(&terms::encode_names(names));
        }
        if !self.status.is_empty() {
            part(&self.status);
        }
        out
    }

    /// Writes the head and the state of the limits over a record of the same payer. Returns whether that changed it.
    pub fn encode_head(&self, record: &mut [u8]) -> bool {
        // What was not read stays as it is.
        let kept = record.get(1).map_or(0, |flags| flags & (PRODUCTS | KEY_PRODUCTS | STATUS | WARNS));
        let mut head = self.head();
        head[1] |= kept;
        let mut changed = overwrite(record, 0, &head);
        if let Some(throttle) = &self.throttle {
            changed |= overwrite(record, HEAD, &throttle_bytes(throttle));
        }
        if let Some(carried) = &self.carried {
            let at = carried_at(self.throttle.is_some());
            changed |= overwrite(record, at, &carried_bytes(carried));
        }
        changed
    }

    fn flags(&self) -> u8 {
        let flag = |is: bool, bit: u8| if is { bit } else { 0 };
        flag(self.queued, QUEUED)
            | flag(self.stopped, STOPPED)
            | flag(self.throttle.is_some(), THROTTLED)
            | flag(self.facts.products.is_some(), PRODUCTS)
            | flag(self.facts.key_products.is_some(), KEY_PRODUCTS)
            | flag(!self.status.is_empty(), STATUS)
            | flag(CachedStatus::warns(&self.status), WARNS)
            | flag(self.carried.is_some(), CARRIES)
    }

    fn head(&self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let mut rest = Writer(&mut head);
        rest.put([LAYOUT, self.flags()]);
        rest.put(self.epoch.to_le_bytes());
        let ended = self.ended.unwrap_or(Ended { epoch: 0, spent: Credits::ZERO });
        rest.put(ended.epoch.to_le_bytes());
        let credit = self.on_credit;
        for credits in [
            ended.spent,
            self.granted,
            self.spent,
            self.returned,
            self.held,
            self.subleased,
            credit.spent,
            credit.held,
            credit.booked,
            self.low,
            self.cushion,
            self.marked.1,
        ] {
            rest.put(credits.micros().to_le_bytes());
        }
        for moment in [self.subleases_due, self.deadline, self.refill_at, self.marked.0] {
            rest.put(moment.nanos().to_le_bytes());
        }
        head
    }

    /// Reads a record; `None` for malformed bytes.
    pub fn decode(record: &[u8]) -> Option<Self> {
        let facts = LeaseHolder::facts(record)?;
        let status = status(record).map(<[u8]>::to_vec).unwrap_or_default();
        Some(Self { facts, status, ..Self::decode_head(record)? })
    }

    /// Reads only the head and the state of the limits; the names must be present all the same.
    #[inline(never)]
    pub fn decode_head(record: &[u8]) -> Option<Self> {
        let (_, _) = (text(record, 0)?, text(record, 1)?);
        let mut rest = Reader(record.get(..HEAD)?);
        let [layout, flags] = rest.array()?;
        if layout != LAYOUT {
            return None;
        }
        let epoch = u32::from_le_bytes(rest.array()?);
        let ended_epoch = u32::from_le_bytes(rest.array()?);
        let ended_spent = rest.credits()?;
        let lease = Self {
            queued: flags & QUEUED != 0,
            stopped: flags & STOPPED != 0,
            epoch,
            ended: (ended_epoch > 0).then_some(Ended { epoch: ended_epoch, spent: ended_spent }),
            granted: rest.credits()?,
            spent: rest.credits()?,
            returned: rest.credits()?,
            held: rest.credits()?,
            subleased: rest.credits()?,
            on_credit: OnCredit { spent: rest.credits()?, held: rest.credits()?, booked: rest.credits()? },
            low: rest.credits()?,
            cushion: rest.credits()?,
            marked: (Moment::ZERO, rest.credits()?),
            subleases_due: rest.moment()?,
            deadline: rest.moment()?,
            refill_at: rest.moment()?,
            facts: Facts::default(),
            throttle: None,
            carried: None,
            status: Vec::new(),
        };
        let marked = (rest.moment()?, lease.marked.1);
        let throttle = if flags & THROTTLED == 0 {
            None
        } else {
            Some(throttle(Reader(record.get(HEAD..HEAD + THROTTLE)?))?)
        };
        let carried = if flags & CARRIES == 0 {
            None
        } else {
            let at = carried_at(flags & THROTTLED != 0);
            Some(carried(Reader(record.get(at..at + CARRIED)?))?)
        };
        Some(Self { marked, throttle, carried, ..lease })
    }
}

/// The holder of a lease: the names in a record, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseHolder {
    /// The lease's name, and behind it those of key, account and plan.
    names: String,
    /// Where each ends.
    ends: [usize; 4],
    record: Vec<u8>,
    handle: Cell<Handle>,
}

impl LeaseHolder {
    /// Wraps the record of the lease of this name.
    pub fn of(lease: &str, record: Vec<u8>) -> Self {
        let text = |number| text(&record, number).unwrap_or_default();
        let all = [lease, text(0), text(1), text(2)];
        let mut names = String::with_capacity(all.iter().map(|name| name.len()).sum());
        let ends = all.map(|name| {
            names.push_str(name);
            names.len()
        });
        Self { names, ends, record, handle: Cell::default() }
    }

    /// The lease's name in shared memory.
    pub fn lease(&self) -> &str {
        let [end, ..] = self.ends;
        self.names.get(..end).unwrap_or_default()
    }

    /// The key's identifier.
    pub fn key(&self) -> &str {
        let [from, end, ..] = self.ends;
        self.names.get(from..end).unwrap_or_default()
    }

    /// The account's identifier.
    pub fn account(&self) -> &str {
        let [_, from, end, _] = self.ends;
        self.names.get(from..end).unwrap_or_default()
    }

    /// The plan's name, if there is one.
    pub fn plan(&self) -> Option<&str> {
        let [.., from, end] = self.ends;
        self.names.get(from..end).filter(|plan| !plan.is_empty())
    }

    /// The handle of its sublease in this worker; nowhere if there is none.
    pub(in crate::decide) fn handle(&self) -> Handle {
        self.handle.get()
    }

    /// Says where that is.
    pub(in crate::decide) fn keep_handle(&self, handle: Handle) {
        self.handle.set(handle);
    }

    /// What a request of this product costs, or why it is refused; see [`record_price`].
    ///
    /// # Errors
    /// The cause of the refusal.
    pub fn price(&self, product: Option<&str>, list: Credits) -> Result<Credits, RefusalCode> {
        record_price(&self.record, product, list)
    }

    /// The payer's status, as last reported when the record was read.
    pub fn status(&self) -> Option<CachedStatus> {
        status(&self.record).and_then(CachedStatus::decode)
    }

    /// What the lease could still pay when the record was read.
    pub fn unspent(&self) -> Credits {
        Lease::decode_head(&self.record).map_or(Credits::ZERO, |lease| lease.unspent())
    }

    /// Whether the plan wants a warning when the balance gets low.
    pub fn wants_warnings(&self) -> bool {
        self.record.get(1).is_some_and(|flags| flags & WARNS != 0)
    }

    /// The holder, for the log.
    pub fn names(&self) -> Facts {
        let (key, account) = (self.key().to_owned(), self.account().to_owned());
        Facts { key, account, ..Facts::default() }
    }

    fn facts(record: &[u8]) -> Option<Facts> {
        let [key, account, plan] = [0, 1, 2].map(|number| text(record, number).map(str::to_owned));
        let (products, key_products) = products(record);
        Some(Facts {
            key: key?,
            account: account?,
            plan: plan.filter(|plan| !plan.is_empty()),
            products: products.map(terms::decode).map_or(Some(None), |read| read.map(Some))?,
            key_products: key_products.map(terms::decode_names).map_or(Some(None), |read| read.map(Some))?,
        })
    }
}

/// What a request of this product, whose rule says `list`, costs the payer of a record, or why it is refused.
///
/// # Errors
/// The cause of the refusal.
pub fn record_price(record: &[u8], product: Option<&str>, list: Credits) -> Result<Credits, RefusalCode> {
    let Some(product) = product else {
        return Ok(list);
    };
    let (of_plan, of_key) = products(record);
    terms::price(product, list, of_plan, of_key)
}

/// The products of the plan and of the key, where there are any.
fn products(record: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let flags = record.get(1).copied().unwrap_or_default();
    let of_plan = (flags & PRODUCTS != 0).then(|| part(record, 3)).flatten();
    let handle = 3 + usize::from(flags & PRODUCTS != 0);
    let of_key = (flags & KEY_PRODUCTS != 0).then(|| part(record, handle)).flatten();
    (of_plan, of_key)
}

/// The payer's status, the last part of the record.
fn status(record: &[u8]) -> Option<&[u8]> {
    let flags = *record.get(1)?;
    let there = |bit: u8| usize::from(flags & bit != 0);
    (flags & STATUS != 0).then(|| part(record, 3 + there(PRODUCTS) + there(KEY_PRODUCTS)))?
}

/// The part of a record that has this number.
fn part(record: &[u8], number: usize) -> Option<&[u8]> {
    let flags = record.get(1)?;
    let carried = if flags & CARRIES == 0 { 0 } else { CARRIED };
    let mut rest = Reader(record.get(carried_at(flags & THROTTLED != 0) + carried..)?);
    for _ in 0..number {
        rest.part()?;
    }
    rest.part()
}

fn text(record: &[u8], number: usize) -> Option<&str> {
    std::str::from_utf8(part(record, number)?).ok()
}

fn overwrite(record: &mut [u8], from: usize, new: &[u8]) -> bool {
    match record.get_mut(from..from + new.len()) {
        Some(old) if *old != *new => {
            old.copy_from_slice(new);
            true
        }
        _ => false,
    }
}

fn throttle_bytes(throttle: &Throttle) -> [u8; THROTTLE] {
    let Throttle { limits, busy_until, under_way, came, demand } = throttle;
    let mut bytes = [0; THROTTLE];
    let mut rest = Writer(&mut bytes);
    rest.put(busy_until.nanos().to_le_bytes());
    let rate = limits.rate.unwrap_or(Rate { milli_per_s: 0, burst: 0 });
    let concurrent = limits.concurrent.unwrap_or(0);
    for number in [rate.milli_per_s, rate.burst, concurrent, *under_way, *came, *demand] {
        rest.put(number.to_le_bytes());
    }
    bytes
}

fn throttle(mut rest: Reader<'_>) -> Option<Throttle> {
    let busy_until = rest.moment()?;
    let mut number = || rest.array().map(u32::from_le_bytes);
    let rate = Rate { milli_per_s: number()?, burst: number()? };
    let concurrent = number()?;
    let limits = Limits {
        rate: (rate.milli_per_s > 0).then_some(rate),
        concurrent: (concurrent > 0).then_some(concurrent),
    };
    Some(Throttle { limits, busy_until, under_way: number()?, came: number()?, demand: number()? })
}

/// Where that part begins.
const fn carried_at(throttled: bool) -> usize {
    if throttled { HEAD + THROTTLE } else { HEAD }
}

fn carried_bytes(carried: &Carried) -> [u8; CARRIED] {
    let Carried { holds, booked, alive_until, closed } = carried;
    let mut bytes = [0; CARRIED];
    let mut rest = Writer(&mut bytes);
    for credits in [holds.carried, holds.kept, holds.released] {
        rest.put(credits.micros().to_le_bytes());
    }
    rest.put(alive_until.nanos().to_le_bytes());
    rest.put(closed.to_le_bytes());
    rest.put([u8::from(*booked)]);
    bytes
}

fn carried(mut rest: Reader<'_>) -> Option<Carried> {
    let holds = Holds { carried: rest.credits()?, kept: rest.credits()?, released: rest.credits()? };
    let alive_until = rest.moment()?;
    let closed = u32::from_le_bytes(rest.array()?);
    let [booked] = rest.array()?;
    Some(Carried { holds, booked: booked != 0, alive_until, closed })
}

struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some((array, rest)) = std::mem::take(&mut self.0).split_first_chunk_mut::<N>() {
            *array = bytes;
            self.0 = rest;
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    /// No amount in a lease is ever below zero.
    fn credits(&mut self) -> Option<Credits> {
        self.array()
            .map(i64::from_le_bytes)
            .map(Credits::from_micros)
            .filter(|amount| *amount >= Credits::ZERO)
    }

    fn moment(&mut self) -> Option<Moment> {
        self.array().map(u64::from_le_bytes).map(Moment::from_nanos)
    }

    fn part(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(u16::from_le_bytes(self.array()?));
        let (part, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(part)
    }
}
